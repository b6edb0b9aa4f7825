"""Networks that were trained elsewhere, as torch modules around recurra's recurrent layers.

- `chain`: `ImportedNetwork`, stages one behind the other, as Keras and MATLAB describe them
- `graph`: `ImportedGraph`, an ONNX graph run operator by operator
- `layers`: `ImportedLayers`, layers by name, as a file of weights alone holds them
- `operators`: ONNX's operators as functions of torch, by name
- `recurrent_nodes`: ONNX's LSTM, GRU and RNN as recurra's layers
- `stages`: What knows where a sequence ends: recurrences, masks, means and maxima over time
"""
