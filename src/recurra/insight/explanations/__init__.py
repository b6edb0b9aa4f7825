"""A look inside fitted estimators.

- `sequences`: explanations, traces and gradients of signals.
- `words`: words of texts.
- `input_attribution`: from the rows a network reads back to the values they were made of.
"""
