"""A trained network as a file that runs elsewhere; the model is read as data, never through torch.

- `agreement`: What an exported file is held against, and how far apart two answers are
- `boundary`: What of a model goes into an exported file, what stays outside of it, and which models are refused
- `onnx/`: The ONNX graph, written from the model's description with standard operators
"""
