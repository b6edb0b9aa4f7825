"""The plain recurrent network with tanh or ReLU: the torch reference and the layer."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.nn.drop_in import DropIn
from recurra.nn.layouts import Steps
from recurra.nn.recurrent import States, Weights, run_module, scan


def rnn_direction(
    x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool, nonlinearity: str
) -> tuple[Tensor, States]:
    """Run one layer in one direction; arguments and results as `recurra.nn.recurrent.Direction` says.

    ``nonlinearity`` is "tanh" or "relu".
    """
    return rnn_reference(
        x, steps=steps, weights=weights, states=states, reverse=reverse, nonlinearity=nonlinearity
    )


def rnn_reference(
    x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool, nonlinearity: str
) -> tuple[Tensor, States]:
    """Compute `rnn_direction` in torch operations: any device, any floating dtype, any derivative."""
    bias = None if weights.bias_ih is None or weights.bias_hh is None else weights.bias_ih + weights.bias_hh
    projected = F.linear(steps.pack(x), weights.weight_ih, bias)
    weight_hh = weights.weight_hh.t()
    activation = torch.tanh if nonlinearity == "tanh" else torch.relu

    def step(rows: Tensor, states: States) -> States:
        return (activation(torch.addmm(rows, states[0], weight_hh)),)

    output, finals = scan(step, projected, steps=steps, states=steps.sort(states), reverse=reverse)
    return steps.unpack(output), steps.unsort(finals)


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
    memory : {"full", "sqrt"}
        "sqrt" trains long sequences in little memory: of T steps only about 4 sqrt(T) are kept, for one more
        forward pass. Set it on a layer: ``layer.memory = "sqrt"``. Native kernels only.

    References
    ----------
    .. [1] Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.
    """

    memory = "full"

    generator = None  # what training draws from, see recurra.nn.generators; None is torch's global one

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
        direction = partial(rnn_direction, nonlinearity=self.nonlinearity)
        cell = "rnn_relu" if self.nonlinearity == "relu" else "rnn"
        output, (h_n,) = run_module(
            self, direction, input, hx, lengths, cell=cell, state_sizes=(self.hidden_size,)
        )
        return output, h_n
