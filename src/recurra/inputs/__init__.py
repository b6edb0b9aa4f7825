"""What users pass becomes what is learned from and asked: X and y of every kind, checked.

- `request`: what `fit` was called with.
- `sequences`: arrays, tables, lists and Datasets as sequences with labels, groups and weights.
- `series`: series with what is known in advance and their attributes.
- `later_series`: values that came after the training series: going on, forecasting and judging with them.
- `clips`: clips as frames, or as features of an image network.
- `backbones`: image networks by name, file or module.
- `module_code`: what tells a user's image network apart from another one with the same weights.
- `pairs`: sources with their targets.
- `true_answers`: y that a fitted network is judged by, read as in training.
- `targets`: y: one class, one class per step, or numbers as the network learns them, with the loss that teaches it.
"""
