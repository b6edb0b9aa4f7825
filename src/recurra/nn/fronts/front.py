"""Trainable layers before the recurrence, each described by a dictionary with a ``name``.

A front is a module made from (description, input_size). It has ``output_size``, the channels it gives;
``initialize(generator)``; and turns a `Ragged` of torch values into another, whose lengths may be shorter. Its twin of
the same name in `recurra.kernels.fronts.front` computes the same with numpy.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recurra.checks import check_choice, check_number
from recurra.nn.fronts.convolutions import Convolutions
from recurra.nn.fronts.small_cnn import SmallCNN
from recurra.nn.fronts.text import TextFront
from recurra.ragged import Ragged


class Embedding(nn.Module):
    """A trainable vector for each whole number.

    Parameters
    ----------
    description : mapping
        ``vocabulary``, how many numbers there are, and ``size`` of a vector.
    input_size : int
        1: a step is one number, from 0 to vocabulary - 1.
    """

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "Embedding"
        check_number(who, "input_size", input_size, integer=True, low=1, high=1)
        for word in ("vocabulary", "size"):
            check_number(who, word, description.get(word), integer=True, low=1)
        self.output_size = int(description["size"])
        self.weight = nn.Parameter(torch.empty(int(description["vocabulary"]), self.output_size))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw every number from a normal distribution with deviation 0.1."""
        self.weight.detach().normal_(0.0, 0.1, generator=generator)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return the vectors of the numbers: values of shape (total_steps, size)."""
        ids: Tensor = ragged.values[:, 0].long()
        return ragged.replace(nn.functional.embedding(ids, self.weight))


class Patches(nn.Module):
    """A linear map of a whole window of the signal.

    Parameters
    ----------
    description : mapping
        ``size``, the numbers it gives.
    input_size : int
        Numbers of a window: its samples, channel after channel.
    """

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        check_number("Patches", "size", description.get("size"), integer=True, low=1)
        self.output_size = int(description["size"])
        self.weight = nn.Parameter(torch.empty(self.output_size, input_size))
        self.bias = nn.Parameter(torch.empty(self.output_size))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights after Glorot and Bengio, as for the inputs of a recurrence; biases are 0."""
        nn.init.xavier_uniform_(self.weight, generator=generator)
        nn.init.zeros_(self.bias)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return a row for each window: values of shape (total_rows, size)."""
        return ragged.replace(nn.functional.linear(ragged.values, self.weight, self.bias))


class Convolution(nn.Module):
    """Two convolutions with ReLU over each window of the signal, and the largest value over its time.

    Windows overlap, so that the whole is a strided convolution over the signal; each window is computed by itself, which
    makes a stream the same as the whole.

    Parameters
    ----------
    description : mapping
        ``channels`` of the signal; ``size``, the filters of both layers; ``kernel`` and ``stride`` of the first layer,
        ``kernel_2`` and ``stride_2`` of the second.
    input_size : int
        Numbers of a window: its samples, channel after channel.
    """

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "Convolution"
        for word in ("channels", "size", "kernel", "stride", "kernel_2", "stride_2"):
            check_number(who, word, description.get(word), integer=True, low=1)
        self.channels, self.output_size = int(description["channels"]), int(description["size"])
        kernels = (int(description["kernel"]), int(description["kernel_2"]))
        self.strides = (int(description["stride"]), int(description["stride_2"]))
        self.weight = nn.Parameter(torch.empty(self.output_size, self.channels, kernels[0]))
        self.bias = nn.Parameter(torch.empty(self.output_size))
        self.weight_2 = nn.Parameter(torch.empty(self.output_size, self.output_size, kernels[1]))
        self.bias_2 = nn.Parameter(torch.empty(self.output_size))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights after He et al., for ReLU; biases are 0."""
        for weight in (self.weight, self.weight_2):
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.bias_2)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return a row for each window: values of shape (total_rows, size)."""
        windows = ragged.values.reshape(len(ragged.values), self.channels, -1)
        hidden = nn.functional.conv1d(windows, self.weight, self.bias, stride=self.strides[0]).relu()
        hidden = nn.functional.conv1d(hidden, self.weight_2, self.bias_2, stride=self.strides[1]).relu()
        return ragged.replace(hidden.amax(dim=2))


FRONTS: Mapping[str, Callable[[Mapping[str, Any], int], Any]] = {
    "embedding": Embedding,
    "patches": Patches,
    "convolution": Convolution,
    "convolutions": Convolutions,
    "text": TextFront,
    "small_cnn": SmallCNN,
}


def make_front(description: Mapping[str, Any], input_size: int) -> Any:
    """Return the module of a description.

    Raises
    ------
    UsageError
        If its ``name`` is unknown, or a number is out of range.
    """
    check_choice("NetworkConfig", "front", description.get("name"), list(FRONTS))
    return FRONTS[description["name"]](description, input_size)
