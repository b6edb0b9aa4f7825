"""Torch modules: recurrent layers that know where each sequence ends, pooling, whole networks.

- `cells/`: The layers users know: RNN, LSTM and GRU; twins in `recurra.kernels.cells`
- `fronts/`: Trainable layers before the recurrence; twins in `recurra.kernels.fronts`
- `heads/`: What stands behind the recurrence; twins in `recurra.kernels.heads`
- `imported/`: Networks that were trained elsewhere, around recurra's layers
- `images/`: Published networks of images, their weights, and their form as ONNX
- `initialization`: How weights begin: what lets a gradient travel far before anything has been learned
- `layers/`: What RNN, LSTM and GRU are made of: reading the input, who computes, the native call in torch's graph
- `networks/`: Whole networks, one for each kind of task, and what is done to a whole network
- `random_generators`: Where random numbers come from: generators of our own
"""

from recurra.nn.cells.accelerate import AccelerateReport, accelerate, decelerate
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.cells.rnn import RNN
from recurra.nn.heads.pooling import AttentionPooling
from recurra.nn.initialization import initialize
from recurra.nn.layers.layouts import pad, to_ragged
from recurra.nn.networks.sequence_network import NetworkConfig, SequenceNetwork, build, from_arrays, to_arrays

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AccelerateReport",
    "AttentionPooling",
    "NetworkConfig",
    "SequenceNetwork",
    "accelerate",
    "build",
    "decelerate",
    "from_arrays",
    "initialize",
    "pad",
    "to_arrays",
    "to_ragged",
]
