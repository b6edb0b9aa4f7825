"""What forecasts a series beside the network of a forecaster; found anew in each history, so that nothing is trained.

- `dynamic_regression`: What inputs known in advance add to a series, and its forecast with them
- `smoothing`: A statistical forecast of one series: exponential smoothing and autoregressions
"""
