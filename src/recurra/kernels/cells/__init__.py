"""The equations of each cell, with a numpy reference beside the native call; twins in `recurra.nn.cells`.

- `functions`: The functions of every cell by its name, called alike whatever states and variants there are
- `gru`: Gated recurrent unit: equations and numpy reference
- `lstm`: Long short-term memory: equations and numpy reference
- `rnn`: Elman network: equations and numpy reference
- `cell_variants`: LSTM and GRU with something more: equations and numpy reference
"""
