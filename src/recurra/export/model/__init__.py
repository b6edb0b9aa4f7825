"""What every exporter needs of a model.

- `agreement`: What an exported file is held against, and how far apart two answers are
- `beside`: What a file reads beside the rows of a sequence: static inputs, the n-grams of a text
- `boundary`: What of a model goes into an exported file, what stays outside of it, and which models are refused
- `rounding`: Weights of eight bits: every row of a matrix as whole numbers and one factor
"""
