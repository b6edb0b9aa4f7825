"""How weights begin: what lets a gradient travel far before anything has been learned."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.checks import check_choice, check_number
from recurra.errors import UsageError
from recurra.kernels.cell import MODES, Cell

INITIALIZATIONS = ("default", "chrono", "identity", "torch")
# Columns up to which reflections one by one take no time that is noticed.
_REFLECTED = 128


def initialize(
    network: nn.Module,
    generator: torch.Generator,
    *,
    initialization: str = "default",
    max_length: int | None = None,
) -> None:
    r"""Draw the weights of a network, or of a recurrent layer alone, anew.

    ``"default"``: recurrent weights are orthogonal, gate by gate [1]_, so that at first a state neither vanishes
    nor explodes. Input weights, also gate by gate, attention and head are uniform after Glorot [2]_. Biases are
    zero, but the LSTM's forget gates start with 1, so that at first it remembers [3]_: ``bias_ih`` carries it,
    ``bias_hh`` is zero, as torch adds the two.

    ``"chrono"``, for LSTM and GRU: as the default, but the biases of the gates that keep the state are
    :math:`\log u` with :math:`u` uniform in :math:`[1, T_{max} - 1]`, and those of the LSTM's input gates their
    negative, so that half-lives are spread up to the longest dependency :math:`T_{max}` [4]_.

    ``"identity"``, for the plain network with ReLU: recurrent weights are the identity, input weights normal with
    deviation 0.001, biases zero: at first every state is kept as it is [5]_.

    ``"torch"``: what torch does on its own, every weight uniform within :math:`\pm 1 / \sqrt{hidden\_size}`; the
    head within :math:`\pm 1 / \sqrt{features}`.

    Parameters
    ----------
    network : SequenceNetwork, or torch.nn.RNN, LSTM or GRU
        Changed in place; on the CPU.
    generator : torch.Generator
        Where the numbers come from.
    initialization : {"default", "chrono", "identity", "torch"}, default="default"
        How.
    max_length : int, optional
        For "chrono": the longest dependency in time steps, at least 3; usually that of the longest sequence.

    Raises
    ------
    UsageError
        If the initialisation is unknown or not for this cell, or chrono lacks ``max_length``.

    References
    ----------
    .. [1] Saxe, McClelland and Ganguli, "Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear
       Neural Networks", 2013, arXiv:1312.6120.
    .. [2] Glorot and Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks",
       AISTATS 2010.
    .. [3] Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network Architectures",
       ICML 2015; first in Gers et al., "Learning to Forget", Neural Computation 12(10), 2000.
    .. [4] Tallec and Ollivier, "Can Recurrent Neural Networks Warp Time?", ICLR 2018, arXiv:1804.11188.
    .. [5] Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", 2015,
       arXiv:1504.00941.
    """
    recurrent: Any = getattr(network, "recurrent", network)
    cell = MODES[recurrent.mode]
    _check(cell, initialization, max_length)
    bound = 1 / math.sqrt(recurrent.hidden_size)
    for name, weight in recurrent.named_parameters():
        gates = weight.detach().chunk(cell.blocks) if not name.startswith("weight_hr") else (weight.detach(),)
        if initialization != "torch" and name.startswith("weight_hh"):
            recurrent_weights(gates, generator, identity=initialization == "identity")
            continue
        for gate in gates:  # views
            if name.startswith("gain"):  # of a layer normalization
                nn.init.ones_(gate)
            elif initialization == "torch" and not name.startswith("bias_c"):
                gate.uniform_(-bound, bound, generator=generator)
            elif name.startswith("weight"):
                _input(gate, generator, small=initialization == "identity" and name.startswith("weight_ih"))
            else:
                nn.init.zeros_(gate)
        if name.startswith("bias_ih") and initialization in ("default", "chrono"):
            _gate_biases(cell, gates, generator, max_length if initialization == "chrono" else None)
    if recurrent is network:
        return
    _head(network.head, generator, as_torch=initialization == "torch")  # type: ignore[arg-type] # a Linear by name
    front: Any = network.front
    if front is not None:
        front.initialize(generator)
    pooling: Any = network.pooling
    if pooling is not None:
        nn.init.xavier_uniform_(pooling.weight, generator=generator)
        nn.init.xavier_uniform_(pooling.context.detach()[None], generator=generator)
        nn.init.zeros_(pooling.bias)


def _check(cell: Cell, initialization: str, max_length: int | None) -> None:
    who = "initialize"
    if initialization not in INITIALIZATIONS:
        check_choice(who, "initialization", initialization, INITIALIZATIONS)
    if initialization == "chrono":
        if cell.keeping_gate is None:
            raise UsageError(
                f"{who}: initialization 'chrono' sets the gates that keep the state; {cell.title} has none. "
                "Use 'default'; a plain RNN with ReLU takes 'identity'."
            )
        if max_length is None:
            raise UsageError(
                f"{who}: initialization 'chrono' needs max_length, the longest dependency in time steps; got None."
            )
        check_number(who, "max_length", max_length, integer=True, low=3)
    if initialization == "identity" and cell.name != "rnn_relu":
        raise UsageError(
            f"{who}: initialization 'identity' is for the plain RNN with ReLU; got {cell.mode}. "
            "Build it with nonlinearity='relu', or use 'default'."
        )


def recurrent_weights(gates: Sequence[Tensor], generator: torch.Generator, *, identity: bool) -> None:
    """Fill the recurrent weights of gates of one shape: each orthogonal, or the identity."""
    if identity:
        for gate in gates:
            nn.init.eye_(gate)
        return
    draws = np.stack([torch.empty_like(gate).normal_(generator=generator).double().numpy() for gate in gates])
    wide = draws.shape[1] < draws.shape[2]
    found = _orthogonal(draws.transpose(0, 2, 1) if wide else draws)
    with torch.no_grad():
        for gate, one in zip(gates, found, strict=True):
            gate.copy_(torch.from_numpy(one.T if wide else one))


def _orthogonal(draws: np.ndarray) -> np.ndarray:
    """Return the orthogonal columns of tall matrices, (matrices, rows, columns), as QRs whose R has a positive diagonal.

    The number of threads is never set here: it is one for the whole process, and a thread that started meanwhile kept
    it, so that its training gave other bits. Up to `_REFLECTED` columns Householder's reflections are summed in one
    order, whatever the threads; above them LAPACK's last digits, which hang on the threads, are rounded away to float32.
    """
    _, rows, columns = draws.shape
    if columns > _REFLECTED:
        q, r = np.linalg.qr(draws)
        return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    left, mirrors = draws.copy(), []
    found = np.tile(np.eye(rows, columns), (len(draws), 1, 1))
    for k in range(columns):
        v = left[:, k:, k].copy()
        v[:, 0] += np.copysign(np.sqrt(np.einsum("ni,ni->n", v, v)), v[:, 0])
        v /= np.sqrt(np.einsum("ni,ni->n", v, v))[:, None]
        _reflect(left[:, k:, k:], v)
        mirrors.append(v)
    for k, v in reversed(list(enumerate(mirrors))):
        _reflect(found[:, k:, k:], v)
    return found * np.sign(np.diagonal(left, axis1=1, axis2=2))[:, None]


def _reflect(matrices: np.ndarray, v: np.ndarray) -> None:
    """Mirror the columns of matrices (matrices, rows, columns) in place, at the planes normal to v (matrices, rows)."""
    matrices -= (2 * v)[:, :, None] * np.einsum("ni,nij->nj", v, matrices)[:, None]


def _input(gate: Tensor, generator: torch.Generator, *, small: bool) -> None:
    if small:
        gate.normal_(0, 0.001, generator=generator)
    else:
        nn.init.xavier_uniform_(gate, generator=generator)


def _gate_biases(
    cell: Cell, gates: tuple[Tensor, ...], generator: torch.Generator, max_length: int | None
) -> None:
    """Set the bias of the gate that keeps the state; with chrono drawn, and with its opposite for the gate that writes."""
    if cell.keeping_gate is None:
        return
    keeping = gates[cell.gates.index(cell.keeping_gate)]
    if max_length is None:
        nn.init.constant_(keeping, cell.keeping_bias)
        return
    keeping.uniform_(1, max_length - 1, generator=generator).log_()
    if cell.writing_gate is not None:
        gates[cell.gates.index(cell.writing_gate)].copy_(-keeping)


def _head(head: nn.Linear, generator: torch.Generator, *, as_torch: bool) -> None:
    if as_torch:
        bound = 1 / math.sqrt(head.in_features)
        for weight in (head.weight, head.bias):
            weight.detach().uniform_(-bound, bound, generator=generator)
        return
    nn.init.xavier_uniform_(head.weight, generator=generator)
    nn.init.zeros_(head.bias)
