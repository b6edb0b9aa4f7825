"""The graphs of estimators whose model is not one network with a head.

- `anomaly`: The scores of an anomaly detector, from raw samples to a score per step
- `forecasting`: The networks of a forecaster, from the rows of a window to what is forecast, scaled
- `part`: `Part`, a graph with what is said of it and how it is checked
- `translation`: A translator as two graphs, one that reads a source and one that writes a symbol
"""
