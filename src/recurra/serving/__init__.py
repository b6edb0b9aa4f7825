"""The fitted model as data, and its prediction with numpy and the kernels; never torch.

- `anomalies/`: What finds anomalies beside the network of a detector
- `beam_search`: How a translator writes: greedy, the best symbol at each step, or beam search
- `decoder`: `Decoder`, the network of a translator as numpy arrays and kernels: reads sources, gives the next symbol
- `forecast_mixture`: The network's forecast mixed with the statistical one, as the weight in the manifest says
- `forecasting`: The forecasting network through the kernels: the numpy twin of `recurra.nn.networks.forecast_network`
- `inputs`: `Inputs`, what a fitted model reads: raw sequences with what belongs to each
- `models/`: The fitted models as data: what a file holds, checked whole, and what predicts
- `prediction`: The network's answer from its configuration and weights, through the kernels
- `random_kernels`: Which dilated convolutions are drawn and the thresholds they learned; `kernels.fronts` computes them
- `schema`: Typed descriptions of what a file holds: a frozen class a part
- `segments`: Labels per time step as segments: from when to when, and what
- `shapelets`: Which short pieces of training sequences are looked for; `kernels.fronts` computes how near they come
- `statistical/`: What forecasts a series beside the network of a forecaster
- `streams/`: Sequences whose rows come one by one, answered with the numbers of the whole
- `summaries`: A whole sequence as one vector, which a linear map can answer from: the wide part beside a recurrence
"""
