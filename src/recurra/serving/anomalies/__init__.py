"""What finds anomalies beside the network of a detector.

- `moving_sums`: Sums over the windows of a sequence, in which nothing outside a window leaves a trace
- `neighbours`: How far every window of a sequence is from the nearest normal one, which needs no training
"""
