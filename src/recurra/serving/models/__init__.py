"""The fitted models as data: what a file holds, checked whole, and what predicts.

- `anomaly_model`: `AnomalyModel`, a trained detector as data; scores without torch
- `chunked`: A model that reads long sequences in chunks: little memory, a place to tell how far it is, the same bits
- `fitted_model`: `FittedModel`, a trained network as data, what the model file holds, and the one path that predicts
- `forecast_model`: `ForecastModel`, a trained forecaster as data, and `SeriesState`, where a series stands
- `interval_factors`: Intervals widened by factors of errors: how they are computed, applied and checked
- `manifest_check`: `check`, a model file's manifest checked whole by its typed description, before anything is built
- `manifest_options`: The options in a model file, checked by `recurra.options` before an estimator is made of them
- `manifest_parts`: The schema of a model file's manifest, a typed description for each part
- `parts_check`: Whether the features and weights of a model file fit each other, and what its manifest says of them
- `torch_free_model`: `LightModel`, a model file that predicts and streams where only numpy is installed
- `translation`: `TranslationModel`, a trained translator as data, what its model file holds
- `wide`: A linear answer from a summary of the whole sequence, mixed with that of the network
"""
