"""A fitted model on labelled data becomes an evaluation.

- `sequences`: classes and numbers.
- `pairs`: translations.
- `series`: forecasts from rolling origins.
"""
