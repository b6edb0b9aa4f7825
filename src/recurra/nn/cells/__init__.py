"""The layers users know: RNN, LSTM and GRU; twins in `recurra.kernels.cells`.

- `accelerate`: Turning the recurrent layers of somebody else's model into ours, in place, and back
- `gru`: The gated recurrent unit: the layer
- `layers_by_name`: The layer of every cell by its name
- `lstm`: The long short-term memory: the layer
- `rnn`: The plain recurrent network with tanh or ReLU: the layer
- `cell_variants`: What `LSTM` and `GRU` take beside torch's arguments: checked, and the weights that come with it
"""
