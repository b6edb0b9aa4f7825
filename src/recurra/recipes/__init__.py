"""What is decided from the data where no option says it, and what is learned beside the network.

- `recipe`: options of classifiers, regressors and labelers: epochs, pooling, wide part; else `recurra.options` holds.
- `language`: how often and in which steps a text generator reads a text.
- `wide_part`: the linear part that answers beside a network.
- `anomalies`: normal windows beside the network of a detector, and its threshold.
- `weighing`: the weight of the statistical forecast.
- `interval_calibration`: how wide the intervals of forecasts are.
"""
