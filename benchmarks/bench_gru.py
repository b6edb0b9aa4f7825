"""GRU over six shapes: training (equal and ragged lengths) and inference, against torch and onnxruntime."""

import layers

if __name__ == "__main__":
    layers.main("gru")
