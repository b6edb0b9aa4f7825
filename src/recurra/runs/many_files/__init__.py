"""Many files answered by as many processes as are at it.

- `predicting`: Predictions of many files, each into a file of its own, whole or not there
"""
