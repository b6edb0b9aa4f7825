"""The ONNX graph of a model, written from its description with standard operators, batch and time of any size.

- `answers`: What the outputs of the members become: probabilities and labels, numbers, scores of a chain of labels
- `fronts`: What stands before the recurrence, whole and one step at a time
- `graph`: `Graph`, nodes and constants while a graph is built
- `ngrams`: The linear part of a model of texts
- `pooling`: Pooling over the steps of a ragged batch, whole and one step at a time
- `recurrence`: Stacked recurrent layers as ONNX's LSTM, GRU and RNN operators
- `rows`: `Rows`, a ragged batch inside of a graph, and the features of a model over it
- `scanned_cells`: Layer-normalized LSTM and GRU, for which ONNX has no operator
- `shapelets`: How near shapelets come, in the linear part of a model, with the bits of their own kernels
- `tasks/`: The graphs of detectors, forecasters and translators
- `whole`: The graphs of whole sequences and of one step
- `wide`: The linear part of a model, with the bits of its own kernels
"""
