"""The long short-term memory: the layer."""

from typing import Any

import torch
from torch import Tensor

from recurra.nn.layers.dispatch import run_module
from recurra.nn.layers.drop_in import DropIn, state_of_own


class LSTM(torch.nn.LSTM, DropIn):  # type: ignore[misc] # both name properties that jit leaves out
    r"""Long short-term memory.

    .. math::

        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= W_{hr} (o_t \odot \tanh c_t)

    :math:`W_{hr}` is there with ``proj_size`` only [2]_. Constructor, state dict and return values are those
    of `torch.nn.LSTM`; the gates i, f, g, o stand in torch's order.

    Parameters
    ----------
    input_size : int
        Features per time step, at least 1.
    hidden_size : int
        Size of the cell state, at least 1.
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
    proj_size : int, default=0
        Size of the output if it is projected, below ``hidden_size``; 0 for no projection.
    device, dtype
        Where the weights lie and what they are made of.

    Attributes
    ----------
    memory : {"full", "sqrt"}
        "sqrt" trains long sequences in little memory: of T steps only about 4 sqrt(T) are kept, for one more
        forward pass. Set it on a layer: ``layer.memory = "sqrt"``. Native kernels only.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997; with the
       forget gate of Gers et al., "Learning to Forget", Neural Computation 12(10), 2000.
    .. [2] Sak et al., "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large
       Vocabulary Speech Recognition", 2014, arXiv:1402.1128.
    """

    memory = "full"

    __getstate__ = state_of_own

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None, *, lengths: Any = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Run every sequence of the batch to its own end.

        Parameters
        ----------
        input : Tensor of shape (time, batch, input_size), or (batch, time, input_size) with batch_first
            One sequence of shape (time, input_size), a PackedSequence or a Ragged is taken as well.
        hx : pair of Tensor of shape (num_layers * num_directions, batch, hidden_size), optional
            Initial h_0 (of ``proj_size`` channels with a projection) and c_0; zeros if omitted. Without batch
            for one sequence.
        lengths : sequence of int, shape (batch,), optional
            Valid steps, 0 <= lengths <= time: a list, array or tensor of any integer type. Later steps change
            neither output, state nor gradient.

        Returns
        -------
        output : Tensor of shape (time, batch, num_directions * output_size), or as the input
            Zero after each sequence's length. A PackedSequence gives a PackedSequence, a Ragged a Ragged.
        (h_n, c_n) : (Tensor, Tensor) of the shapes of hx
            States after each sequence's last valid step in each direction; the initial state if it has none.

        Raises
        ------
        ShapeError
            If input, hx or lengths disagree with the layer or with each other.
        UsageError
            If one of them has the wrong type or dtype.
        """
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        output, (h_n, c_n) = run_module(self, input, hx, lengths, cell="lstm", state_sizes=sizes)
        return output, (h_n, c_n)
