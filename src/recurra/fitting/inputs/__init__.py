"""What users pass becomes what tasks read.

- `sequences`: arrays, tables, lists and Datasets as sequences with labels, groups and weights.
- `series`: series with what is known in advance and their attributes.
- `clips`: clips as frames, or as features of an image network.
- `backbones`: image networks by name, file or module.
- `pairs`: sources with their targets.
- `vocabulary`: the vocabulary and pretrained vectors of texts.
"""
