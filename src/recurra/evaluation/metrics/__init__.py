"""Figures, their intervals, the naive answers beside them, and tests of differences.

- `baselines`: Naive answers, learned from the training labels alone: what a figure must beat to mean anything
- `figures`: Figures that say how good predictions are: for classes, for numbers, and for one label per time step
- `intervals`: How sure a figure is: 95 % intervals for shares, for errors and for differences
- `paired_tests`: Paired tests: is the difference between two or more runs on the same items more than noise?
- `segment_f1`: How well stretches of one label are found: segments, not steps, are counted
- `texts`: Figures of answers that are texts: exact matches, edit distances, BLEU
"""
