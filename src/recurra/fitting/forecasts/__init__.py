"""What a forecaster needs beside its network.

`weighing.py`: the weight of the statistical forecast. `calibration.py`: how wide intervals are. `continuing.py`: going on
with what was observed since. `judge.py`: rolling origins.
"""
