"""Figures, their intervals, the naive answers beside them, and tests of differences.

- `baselines`: Naive answers for classes and numbers, learned from the training labels (of forecasts: `results.backtest`)
- `intervals`: How sure a figure is: 95 % intervals for shares, for errors and for differences
- `paired_tests`: Paired tests: is the difference between two or more runs on the same items more than noise?
- `scores`: Accuracy, F1, log loss, calibration error, confusion counts, RMSE: for classes, numbers, and labels per step
- `segment_f1`: How well stretches of one label are found: segments, not steps, are counted
- `texts`: Figures of answers that are texts: exact matches, edit distances, BLEU
"""
