"""What a forecaster needs beside its network.

- `weighing`: the weight of the statistical forecast.
- `calibration`: how wide intervals are.
- `continuing`: going on with what was observed since.
"""
