"""What is decided from the data where no option says it, and what is learned beside the network.

- `recipe`: options of classifiers, regressors and labelers that none was given for: epochs, pooling, wide part,
  words or letters, windows; else `recurra.options` holds.
- `language`: how often and in which steps a text generator reads a text.
- `wide_part`: the linear part that answers beside a network.
- `anomalies`: normal windows beside the network of a detector, and its threshold.
- `views`: whether a detector looks at values, or at what is left of them where a recording grows or wanders.
- `local_clock`: whether the seasons of series follow the local clock.
- `weighing`: the weight of the statistical forecast.
- `interval_calibration`: what each member of a forecast leaves out, and how far intervals are widened by its errors there.
"""
