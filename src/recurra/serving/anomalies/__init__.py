"""What finds anomalies beside the network of a detector.

- `neighbours`: How far every window of a sequence is from the nearest normal one, which needs no training
"""
