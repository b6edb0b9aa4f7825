"""Answers of the network of a run.

- `generate`: text that a language model writes, piece by piece.
- `series`: forecasts, anomalies and segments as rows.
- `long_form`: answers of every kind as one table, a row per sequence, time step or segment.
"""
