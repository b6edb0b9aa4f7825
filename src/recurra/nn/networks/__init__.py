"""Whole networks, one for each kind of task, and what is done to a whole network.

- `forecast_network`: The network that forecasts: one recurrence reads the past, another writes the horizon
- `hidden_gradients`: How far the gradient of a loss reaches back through the states of a `SequenceNetwork`
- `sequence_network`: A whole network: recurrent layers, pooling, a linear head; how it is described, built and run
- `translator_network`: `TranslatorNetwork`: an encoder reads the source, a decoder with attention writes the target
- `truncated_bptt`: Truncated backpropagation through time: the state goes on, the gradient does not
"""
