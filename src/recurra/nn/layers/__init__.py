"""What RNN, LSTM and GRU are made of: reading the input, who computes, the native call in torch's graph.

- `autograd_bridge`: The autograd bridge: a recurrent layer's tensors to the native kernels, and their gradients back
- `dispatch`: What the `forward` of RNN, LSTM and GRU calls: it chooses who computes, and walks over the layers
- `drop_in`: What our layers say to tools that know torch's layers by their class
- `gradient_checkpointing`: Training long sequences in little memory: only the states between segments are kept
- `layer_input`: What a user gives to a layer, checked: values of any form, initial states
- `layouts`: Where the steps of a batch lie: padded, packed or ragged tensors, to flat ragged rows and back
- `reference`: The reference: each cell as a loop over time in torch's operations
- `torch_compile`: A recurrent layer as one operator of torch's, for `torch.compile`: no loop over time to unroll
- `torch_fused`: torch's own fused layers: where the native kernels do not run
- `torch_padded`: unequal lengths by torch's operator over padded sequences
- `widened`: 16 bits on a CPU: the kernels compute in float32, and round what comes out
- `cell_variants`: Layers of LSTM and GRU with something more: masks, the walk over layers, the torch reference
"""
