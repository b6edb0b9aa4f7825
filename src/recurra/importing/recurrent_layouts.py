"""Layers of `recurra.nn` from matrices whose gates stand in the order that is said, of Keras and MATLAB."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from recurra.errors import DataError
from recurra.kernels.cell import CELLS
from recurra.nn.cells.layers_by_name import LAYERS


def layer(
    cell: str,
    directions: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray | None]],
    *,
    blocks: Sequence[int] = (),
    **options: Any,
) -> nn.RNNBase:
    """Return a recurrent layer with ``batch_first``.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    directions : sequence of (weight, recurrent weight, bias)
        One or two: (gates * hidden, input), (gates * hidden, hidden), and (gates * hidden,), (2, gates * hidden) for one of
        the input and one of the state, or None.
    blocks : sequence of int, optional
        Which of the given gates comes first, second, ... in torch's order; as they are without.
    **options
        Of the layer, such as ``nonlinearity``, ``reset`` or ``recurrent_activation``.

    Raises
    ------
    DataError
        If the shapes do not fit each other.
    """
    weight, recurrent, _ = directions[0]
    if recurrent.ndim != 2 or weight.ndim != 2 or not recurrent.size or not weight.size:
        raise DataError(
            f"its weights have the shapes {weight.shape} and {recurrent.shape}, not those of two matrices."
        )
    hidden, gates = recurrent.shape[1], CELLS[cell].blocks
    options |= {"batch_first": True, "bidirectional": len(directions) == 2}
    made: nn.RNNBase = LAYERS[cell](weight.shape[1], hidden, **options)
    order = np.concatenate([np.arange(hidden) + block * hidden for block in blocks or range(gates)])
    for end, (weight, recurrent, bias) in zip(("", "_reverse"), directions, strict=False):
        both = np.zeros((2, gates * hidden), np.float32)
        if bias is not None and bias.shape not in (both.shape, both.shape[1:]):
            raise DataError(
                f"its bias has the shape {bias.shape}, not that of {gates} gates of {hidden} units."
            )
        if bias is not None:
            both[: 2 if bias.ndim == 2 else 1] = bias
        wanted = {
            "weight_ih": (weight, (gates * hidden, made.input_size)),
            "weight_hh": (recurrent, (gates * hidden, hidden)),
            "bias_ih": (both[0], both[0].shape),
            "bias_hh": (both[1], both[1].shape),
        }
        for name, (array, shape) in wanted.items():
            if array.shape != shape:
                raise DataError(f"its weights have the shape {array.shape}, not {shape}.")
            set_to(getattr(made, f"{name}_l0{end}"), array[order])
    return made


def set_to(parameter: Any, array: np.ndarray) -> None:
    """Copy an array into a parameter or buffer of its shape, as float32."""
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(array, np.float32, order="C")))


def linear(weight: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    """Return a linear layer of a weight (outputs, inputs).

    Raises
    ------
    DataError
        If the shapes do not fit each other.
    """
    if weight.ndim != 2 or not weight.size or (bias is not None and bias.shape != weight.shape[:1]):
        shape = None if bias is None else bias.shape
        raise DataError(f"its weight has the shape {weight.shape} and its bias {shape}, which do not fit.")
    made = nn.Linear(weight.shape[1], weight.shape[0])
    set_to(made.weight, weight)
    set_to(made.bias, np.zeros(len(weight), np.float32) if bias is None else bias)
    return made
