"""What reads a text and gives one answer for the whole of it.

- `text_estimator`: what both share.
- `text_classifier`: one class per text.
- `text_regressor`: one number per text, or several.
"""
