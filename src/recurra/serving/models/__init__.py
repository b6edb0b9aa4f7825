"""The fitted models as data: what a file holds, checked whole, and what predicts.

- `anomaly_model`: `AnomalyModel`, a trained detector as data; scores without torch
- `calibration`: Intervals as wide as the errors on what was held out say
- `chunked`: A model that reads long sequences in chunks: little memory, a place to tell how far it is, the same bits
- `forecast_mixture`: The network's forecast mixed with the statistical one, as the weight in the manifest says
- `forecast_model`: `ForecastModel`, a trained forecaster as data, and `SeriesState`, where a series stands
- `light`: `LightModel`, a model file that predicts and streams with numpy alone
- `manifest_options`: The options in a model file, checked by `recurra.options` before an estimator is made of them
- `manifest_parts`: The parts of a model file's manifest, each a typed description
- `manifests`: `check`, a model file's manifest read whole by its typed description, before anything is built
- `model`: `FittedModel`, a trained network as data, what the model file holds, and the one path that predicts
- `translation`: `TranslationModel`, a trained translator as data, what its model file holds
- `wide`: A linear answer from a summary of the whole sequence, mixed with that of the network
"""
