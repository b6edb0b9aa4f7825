"""Stacked layers: whole, step by step, with everything inside, and as one call of a stream.

- `activations`: Stacked layers with everything inside kept: gates and states of every step
- `decoder_cells`: `Cells`, stacked layers, one step of any number of sequences, their states given and returned
- `fused_stream`: A whole network of one stream as one native call: scaling, stacked layers, pooling, head and softmax
- `stack`: Stacked layers from weights with torch's names; whole, or step by step with states kept (`StackStep`)
"""
