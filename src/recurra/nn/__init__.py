"""Torch modules: recurrent layers that know where each sequence ends, pooling, whole networks.

- `accelerate`: Turning the recurrent layers of somebody else's model into ours, in place, and back
- `attention`: Attention of one sequence over the steps of another: where to look for the next symbol
- `bridge`: The autograd bridge: a recurrent layer's tensors to the native kernels, and their gradients back
- `convolutions`: Convolutions over whole sequences of unequal length, before the recurrence
- `crf`: Linear-chain conditional random field over the labels of a sequence
- `drop_in`: What our layers say to tools that know torch's layers by their class
- `efficientnet_lite0`: EfficientNet-Lite0: small enough to look at every frame of a clip on a processor
- `forecast`: The network that forecasts: one recurrence reads the past, another writes the horizon
- `front`: Trainable layers before the recurrence, each described by a dictionary with a ``name``
- `fused`: torch's own fused layers: where the native kernels do not run, and while something records the operations
- `generators`: Where random numbers come from: generators of our own
- `googlenet`: GoogLeNet: the network of inception blocks, as torchvision publishes its weights
- `gru`: The gated recurrent unit: the layer
- `hidden_gradients`: How far the gradient of a loss reaches back through the states of a `SequenceNetwork`
- `initialization`: How weights begin: what lets a gradient travel far before anything has been learned
- `layer_input`: What a user gives to a layer, checked: values of any form, initial states
- `layouts`: Where the steps of a batch lie: padded, packed or ragged tensors, to flat ragged rows and back
- `likelihood`: The log-likelihood of symbols under a large vocabulary
- `lstm`: The long short-term memory: the layer
- `network`: A whole network: recurrent layers, pooling, a linear head; how it is described, built, and stored
- `onnx_graph`: A published image network as an ONNX graph from frames to features, its batch normalisations folded
- `opaque`: A recurrent layer as one operator of torch's, for `torch.compile`: no loop over time to unroll
- `pooling`: From the outputs of every step to one vector a sequence: last, mean, max, attention
- `published`: What published image networks share: their weights are read safely and by name, their pixels prepared
- `recurrent`: What the `forward` of RNN, LSTM and GRU calls: it chooses who computes, and walks over the layers
- `reference`: The reference: each cell as a loop over time in torch's operations
- `rnn`: The plain recurrent network with tanh or ReLU: the layer
- `segments`: Training long sequences in little memory: only the states between segments are kept
- `small_cnn`: A small convolutional network over each frame, trained with the recurrence behind it
- `text`: Front of texts: a vector for each word, what a small recurrent network makes of its letters
- `translator`: `TranslatorNetwork`, an encoder reads the source
- `truncation`: Truncated backpropagation through time: the state goes on, the gradient does not
"""

from recurra.nn.accelerate import AccelerateReport, accelerate, decelerate
from recurra.nn.gru import GRU
from recurra.nn.initialization import initialize
from recurra.nn.layouts import pad, to_ragged
from recurra.nn.lstm import LSTM
from recurra.nn.network import NetworkConfig, SequenceNetwork, build, from_arrays, to_arrays
from recurra.nn.pooling import AttentionPooling
from recurra.nn.rnn import RNN

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
