"""A look inside fitted estimators.

`sequences.py`: explanations, traces and gradients of signals. `words.py`: words of texts. `folding.py`: from the rows a
network reads back to the values they were made of.
"""
