"""A trained network as a file that runs elsewhere; the model is read as data, never through torch.

- `c/`: C99 for a microcontroller, with test vectors
- `formats`: `write`, a model as a file in the format that is asked for
- `model/`: What every exporter needs of a model: where the file begins, and what it is held against
- `onnx_file`: `write_onnx`, the ONNX file with its metadata, checked by onnxruntime before it is handed over
- `onnx/`: The ONNX graph, written from the model's description with standard operators
"""
