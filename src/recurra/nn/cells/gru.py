"""The gated recurrent unit: the layer."""

from typing import Any

import torch
from torch import Tensor

from recurra.nn.layers.dispatch import run_module
from recurra.nn.layers.drop_in import DropIn, state_of_own


class GRU(torch.nn.GRU, DropIn):  # type: ignore[misc] # both name properties that jit leaves out
    r"""Gated recurrent unit.

    .. math::

        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The reset gate acts after the matrix product (arXiv:1406.1078 v1, as cuDNN and torch do), not before it
    (v3). Constructor, state dict and return values are those of `torch.nn.GRU`; the gates r, z, n stand in
    torch's order.

    Parameters
    ----------
    input_size : int
        Features per time step, at least 1.
    hidden_size : int
        Size of the state, at least 1.
    num_layers : int, default=1
        Layers; each reads the output of the one before.
    bias : bool, default=True
        Whether the gates have biases (two vectors, as in torch).
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
    memory : {"full", "sqrt"}
        "sqrt" trains long sequences in little memory: of T steps only about 4 sqrt(T) are kept, for one more
        forward pass. Set it on a layer: ``layer.memory = "sqrt"``. Native kernels only.

    References
    ----------
    .. [1] Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, arXiv:1406.1078.
    """

    memory = "full"

    __getstate__ = state_of_own

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def forward(self, input: Any, hx: Tensor | None = None, *, lengths: Any = None) -> tuple[Any, Tensor]:
        """Run every sequence of the batch to its own end.

        Parameters
        ----------
        input : Tensor of shape (time, batch, input_size), or (batch, time, input_size) with batch_first
            One sequence of shape (time, input_size), a PackedSequence or a Ragged is taken as well.
        hx : Tensor of shape (num_layers * num_directions, batch, hidden_size), optional
            Initial state; zeros if omitted. Without batch for one sequence.
        lengths : sequence of int, shape (batch,), optional
            Valid steps, 0 <= lengths <= time: a list, array or tensor of any integer type. Later steps change
            neither output, state nor gradient.

        Returns
        -------
        output : Tensor of shape (time, batch, num_directions * hidden_size), or as the input
            Zero after each sequence's length. A PackedSequence gives a PackedSequence, a Ragged a Ragged.
        h_n : Tensor of the shape of hx
            State after each sequence's last valid step in each direction; the initial state if it has none.

        Raises
        ------
        ShapeError
            If input, hx or lengths disagree with the layer or with each other.
        UsageError
            If one of them has the wrong type or dtype.
        """
        output, (h_n,) = run_module(self, input, hx, lengths, cell="gru", state_sizes=(self.hidden_size,))
        return output, h_n
