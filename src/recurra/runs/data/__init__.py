"""Data of a run.

- `options`: the options that say how data are read.
- `sources`: where data come from, and reading them.
- `alignment`: data put as a trained network knows them.
- `split`: which records train and which are kept for judging.
- `identity`: digests that tell whether data are still the same.
- `new_data`: data for a network that is trained, read as its training data were.
- `evaluation_data`: what a network is judged on.
"""
