"""The gated recurrent unit: the layer."""

from typing import Any

import torch
from torch import Tensor

from recurra.kernels.cell import Variant
from recurra.nn.cells.cell_variants import become_variant, begin_variant, shown, zoneout_rates
from recurra.nn.layers.dispatch import run_module
from recurra.nn.layers.drop_in import DropIn, state_of_own


class GRU(torch.nn.GRU, DropIn):  # type: ignore[misc] # both name properties that jit leaves out
    r"""Gated recurrent unit.

    .. math::

        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The reset gate acts after the matrix product (arXiv:1406.1078 v1, as cuDNN and torch do); with
    ``reset="before"`` before it (v3): :math:`W_{hn} (r_t \odot h_{t-1}) + b_{hn}`. Constructor, state dict and return
    values are those of `torch.nn.GRU`, with a few arguments more; the gates r, z, n stand in torch's order.

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
    reset : {"after", "before"}, default="after"
        Where the reset gate acts; "before" is Keras' ``reset_after=False`` and ONNX' ``linear_before_reset=0``.
    layer_norm : bool, default=False
        Whether the products of input and state with their weights are normalized, each vector over its channels [2]_:
        r and z together, n alone; then there are the weights ``gain_ih_l0`` and ``gain_hh_l0``, 3 * hidden_size each.
        With ``reset="after"`` only.
    recurrent_activation : {"sigmoid", "hard_sigmoid", "hard_sigmoid_0.2"}, default="sigmoid"
        Of the gates. The hard ones are straight lines, x / 6 + 0.5 (as in Keras 3 and torch) and 0.2 x + 0.5 (as in
        Keras 2, MATLAB and ONNX), cut off at 0 and 1.
    recurrent_dropout : float, default=0.0
        Probability in [0, 1) of zeroing a unit of the candidate n while training [3]_: the same units at all steps of
        a sequence [4]_, the others scaled by 1 / (1 - p).
    zoneout : float, default=0.0
        Probability in [0, 1] that a unit of the state stays as it was at a step, while training; otherwise the state is
        the mean of the two [5]_.

    Attributes
    ----------
    memory : {"full", "sqrt", "auto"}
        "sqrt" trains long sequences in little memory: of T steps only about 4 sqrt(T) are kept, for one more
        forward pass; "auto" does so where all steps of a batch would take more than 1 GiB. Set it on a layer:
        ``layer.memory = "sqrt"``. Native kernels only.

    References
    ----------
    .. [1] Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, arXiv:1406.1078.
    .. [2] Ba et al., "Layer Normalization", 2016, arXiv:1607.06450, appendix.
    .. [3] Semeniuta et al., "Recurrent Dropout without Memory Loss", 2016, arXiv:1603.05118.
    .. [4] Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016,
       arXiv:1512.05287.
    .. [5] Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", 2017,
       arXiv:1606.01305.
    """

    __getstate__ = state_of_own

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one
    variant: Variant | None = None  # what is not the plain GRU
    recurrent_dropout = 0.0

    def __init__(
        self,
        *args: Any,
        reset: str = "after",
        layer_norm: bool = False,
        recurrent_activation: str = "sigmoid",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        variant = Variant(
            "gru",
            layer_norm=layer_norm,
            reset=reset,
            recurrent_activation=recurrent_activation,
            zoneout=zoneout_rates("GRU", zoneout, ("hidden",)),
        )
        become_variant(self, variant, recurrent_dropout)

    def reset_parameters(self) -> None:
        """Draw the weights as torch does; gains begin at 1."""
        super().reset_parameters()
        if self.variant is not None:
            begin_variant(self)

    def extra_repr(self) -> str:
        """Return the arguments, as torch shows them."""
        return super().extra_repr() + shown(self)

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
