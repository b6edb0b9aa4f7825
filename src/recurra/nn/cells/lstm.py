"""The long short-term memory: the layer."""

from typing import Any

import torch
from torch import Tensor

from recurra.kernels.cell import Variant
from recurra.nn.cells.cell_variants import become_variant, begin_variant, shown, zoneout_rates
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
    of `torch.nn.LSTM`, with a few arguments more; the gates i, f, g, o stand in torch's order.

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
    peepholes : bool, default=False
        Whether the gates see the cell state [3]_: i and f the one before the step, o the one after it, through the
        weights ``peephole_l0``, 3 * hidden_size in the order i, f, o.
    layer_norm : bool, default=False
        Whether the products of input and state with their weights, and the cell state on its way
        to the output, are normalized, each vector over its
        channels [4]_; then there are the weights ``gain_ih_l0`` and ``gain_hh_l0``, 4 * hidden_size each, and
        ``gain_c_l0`` and ``bias_c_l0``, hidden_size each.
    recurrent_activation : {"sigmoid", "hard_sigmoid", "hard_sigmoid_0.2"}, default="sigmoid"
        Of the gates. The hard ones are straight lines, x / 6 + 0.5 (as in Keras 3 and torch) and 0.2 x + 0.5 (as in
        Keras 2, MATLAB and ONNX), cut off at 0 and 1.
    recurrent_dropout : float, default=0.0
        Probability in [0, 1) of zeroing a unit of the candidate g while training [5]_: the same units at all steps of
        a sequence [6]_, the others scaled by 1 / (1 - p).
    zoneout : float or (float, float), default=0.0
        Probabilities in [0, 1] that a unit of the hidden state and one of the cell state stay as they were at a step, while
        training; otherwise a state is the mean of the two [7]_. Not with ``proj_size``.

    Attributes
    ----------
    memory : {"full", "sqrt", "auto"}
        "sqrt" trains long sequences in little memory: of T steps only about 4 sqrt(T) are kept, for one more
        forward pass; "auto" does so where all steps of a batch would take more than 1 GiB. Set it on a layer:
        ``layer.memory = "sqrt"``. Native kernels only.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997; with the
       forget gate of Gers et al., "Learning to Forget", Neural Computation 12(10), 2000.
    .. [2] Sak et al., "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large
       Vocabulary Speech Recognition", 2014, arXiv:1402.1128.
    .. [3] Gers et al., "Learning Precise Timing with LSTM Recurrent Networks", JMLR 3, 2002.
    .. [4] Ba et al., "Layer Normalization", 2016, arXiv:1607.06450, appendix.
    .. [5] Semeniuta et al., "Recurrent Dropout without Memory Loss", 2016, arXiv:1603.05118.
    .. [6] Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016,
       arXiv:1512.05287.
    .. [7] Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", 2017,
       arXiv:1606.01305.
    """

    __getstate__ = state_of_own

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one
    variant: Variant | None = None  # what is not the plain LSTM
    recurrent_dropout = 0.0

    def __init__(
        self,
        *args: Any,
        peepholes: bool = False,
        layer_norm: bool = False,
        recurrent_activation: str = "sigmoid",
        recurrent_dropout: float = 0.0,
        zoneout: float | tuple[float, float] = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        variant = Variant(
            "lstm",
            peepholes=peepholes,
            layer_norm=layer_norm,
            recurrent_activation=recurrent_activation,
            zoneout=zoneout_rates("LSTM", zoneout, ("hidden", "cell")),
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
