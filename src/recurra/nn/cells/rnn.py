"""The plain recurrent network with tanh or ReLU: the layer."""

from typing import Any

import torch
from torch import Tensor

from recurra.nn.layers.dispatch import run_module
from recurra.nn.layers.drop_in import DropIn, state_of_own


class RNN(torch.nn.RNN, DropIn):  # type: ignore[misc] # both name properties that jit leaves out
    r"""Plain recurrent network.

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    With ``nonlinearity="relu"``, ReLU stands in place of tanh. Constructor, state dict and return values are
    those of `torch.nn.RNN`.

    Parameters
    ----------
    input_size : int
        Features per time step, at least 1.
    hidden_size : int
        Size of the state, at least 1.
    num_layers : int, default=1
        Layers; each reads the output of the one before.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        What is applied to the sum.
    bias : bool, default=True
        Whether there are biases (two vectors, as in torch).
    batch_first : bool, default=False
        Whether padded tensors are (batch, time, features) instead of (time, batch, features).
    dropout : float, default=0.0
        Probability in [0, 1] of zeroing an output feature between layers while training.
    bidirectional : bool, default=False
        Whether a second direction reads every sequence from its own end.
    device, dtype
        Where the weights lie and what they are made of.

    Attributes
    ----------
    memory : {"full", "sqrt", "auto"}
        "sqrt" trains long sequences in little memory, see `recurra.nn.LSTM`.

    References
    ----------
    .. [1] Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.
    """

    __getstate__ = state_of_own

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def forward(self, input: Any, hx: Tensor | None = None, *, lengths: Any = None) -> tuple[Any, Tensor]:
        """Run every sequence of the batch to its own end; takes, returns and raises what `GRU.forward` does."""
        cell = "rnn_relu" if self.nonlinearity == "relu" else "rnn"
        output, (h_n,) = run_module(self, input, hx, lengths, cell=cell, state_sizes=(self.hidden_size,))
        return output, h_n
