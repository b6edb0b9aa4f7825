"""Networks that other software trained, as modules of `recurra.nn` or as estimators; nothing in a file is ever executed.

- `containers`: Zip files within limits, and what kind of file a file is by its first bytes
- `estimators`: An imported network as a fitted estimator, where it is one that recurra knows
- `folding`: Batch normalization and scaling, of whatever file, folded into the layer behind
- `hdf5_files/`: HDF5 files within limits, read by a child process
- `import_weights`: `import_weights`, the way in
- `keras_config`: Layers of Keras as stages, by a list of what is taken; the order of its gates
- `keras_files`: `.keras` and old `.h5` files: the description and the weights of each layer
- `matlab_layers`: Layers of MATLAB as stages, the normalization of its input layer among them
- `matlab_files`: The structs that `recurra_layers.m` writes, in `.mat` files of any version
- `onnx_files`: ONNX files as graphs
- `recurrent_layouts`: A recurrent layer from matrices whose gates stand in the order that is said
- `state_dicts`: Files of weights alone: torch, safetensors, npz
"""
