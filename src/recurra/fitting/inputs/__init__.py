"""What users pass becomes what tasks read.

`sequences.py`: arrays, tables, lists and Datasets as sequences with labels, groups and weights.
`series.py`: series with what is known in advance and their attributes.
`clips.py`: clips as frames, or as features of an image network of `backbones.py`.
`pairs.py`: sources with their targets.
`words.py`: vocabulary and pretrained vectors of texts.
"""
