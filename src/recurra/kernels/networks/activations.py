"""Stacked layers with everything inside kept: gates and states of every step, and the gradient by every state.

The arithmetic is that of each cell's own kernel; nothing is computed here a second time, but for the gates of a cell with
layer normalization.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.kernels.cell import CELLS, VARIANTS
from recurra.kernels.cells.cell_variants import variant_step
from recurra.kernels.cells.functions import FUNCTIONS
from recurra.kernels.dispatch import current
from recurra.kernels.networks.stack import check_layer, layer_weights


@dataclass(frozen=True, eq=False)
class DirectionInside:
    """One layer in one direction, run over a ragged batch.

    Parameters
    ----------
    cell : str
        Its cell, one of `recurra.kernels.cell.CELLS`.
    layer : int
        From 0.
    reverse : bool
        Whether it reads every sequence from its end.
    lengths : int64 ndarray of shape (batch,)
        Steps of each sequence.
    weights : dict of str to ndarray
        By their kernel names.
    output : ndarray of shape (total_steps, hidden_size)
        State after every step, in the order of the rows.
    h_n : ndarray of shape (batch, hidden_size)
        Final state.
    saved : RNNSaved, LSTMSaved, GRUSaved, or their native counterpart
        ``gates``, ``h_prev`` and, for the LSTM, ``c`` and ``c_prev``; for the GRU ``q``.
    """

    cell: str
    layer: int
    reverse: bool
    lengths: np.ndarray
    weights: dict[str, np.ndarray]
    output: np.ndarray
    h_n: np.ndarray
    saved: Any

    @property
    def hidden_size(self) -> int:
        """Units."""
        return int(self.output.shape[1])

    def gates(self) -> dict[str, np.ndarray]:
        """Return every gate after activation by its name, each of shape (total_steps, hidden_size)."""
        names = CELLS[self.cell].gates
        return dict(zip(names, np.split(self._all_gates(), len(names), axis=1), strict=True)) if names else {}

    def _all_gates(self) -> np.ndarray:
        variant = VARIANTS.get(self.cell)
        if variant is None or not variant.layer_norm:
            return np.asarray(self.saved.gates)
        # the kernels save what was normalized in their place
        before = tuple(getattr(self.saved, f"{state}_prev") for state in CELLS[self.cell].states)
        gates, _ = variant_step(variant, self.saved.x, before, self.weights)
        return gates

    def last_rows(self) -> np.ndarray:
        """Return the row that is read last in each sequence of at least one step."""
        ends = np.cumsum(self.lengths)
        some = self.lengths > 0
        return (ends - self.lengths)[some] if self.reverse else ends[some] - 1

    def backward(
        self, grad_output: np.ndarray | None, *, grad_h_n: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the gradients of the kernel's inputs, and ``hidden`` for the whole derivative by every state."""
        return FUNCTIONS[self.cell].backward(grad_output, grad_h_n=grad_h_n, saved=self.saved)


def stack_inside(
    x: np.ndarray,
    *,
    lengths: Any,
    cell: str,
    weights: Mapping[str, np.ndarray],
    num_layers: int = 1,
    bidirectional: bool = False,
    prefix: str = "",
) -> list[list[DirectionInside]]:
    """Run every sequence through every layer and keep what happens inside.

    Parameters
    ----------
    x, lengths, cell, weights, num_layers, bidirectional, prefix
        As in `recurra.kernels.networks.stack.stack_forward`.

    Returns
    -------
    list of list of DirectionInside
        Layers, each with one or two directions. Computed in double precision where the reference runs, as at
        prediction; rounded to the dtype of x the last outputs are those of `stack_forward`, bit for bit.

    Raises
    ------
    ShapeError
        If a weight is missing or shapes disagree.
    """
    check_choice("stack_inside", "cell", cell, tuple(CELLS))
    lengths = np.asarray(lengths, dtype=np.int64)
    dtype = np.dtype(np.float64) if current() == "reference" else x.dtype
    x = x.astype(dtype, copy=False)
    layers = []
    for layer in range(num_layers):
        found = []
        for reverse in (False, True) if bidirectional else (False,):
            named = layer_weights(weights, layer=layer, reverse=reverse, prefix=prefix)
            named = {name: array.astype(dtype, copy=False) for name, array in named.items()}
            check_layer("stack_inside", cell, x, len(lengths), named, {})
            output, h_n, *_, saved = FUNCTIONS[cell].forward(
                x, lengths=lengths, reverse=reverse, save=True, **named
            )
            found.append(DirectionInside(cell, layer, reverse, lengths, named, output, h_n, saved))
        layers.append(found)
        x = found[0].output if len(found) == 1 else np.concatenate([d.output for d in found], axis=1)
    return layers


def stack_hidden_gradients(
    layers: list[list[DirectionInside]],
    *,
    grad_output: np.ndarray | None = None,
    grad_h_n: np.ndarray | None = None,
) -> list[list[np.ndarray]]:
    """Return the whole derivative of a loss by the state after every step, in every layer and direction.

    Parameters
    ----------
    layers : list of list of DirectionInside
        From `stack_inside`.
    grad_output : ndarray of shape (total_steps, num_directions * hidden_size), optional
        Derivative of the loss by the last layer's output.
    grad_h_n : ndarray of shape (num_directions, batch, hidden_size), optional
        Derivative by the last layer's final states.

    Returns
    -------
    list of list of ndarray of shape (total_steps, hidden_size)
        As ``layers``.
    """
    found: list[list[np.ndarray]] = []
    for directions in reversed(layers):
        size, dtype = directions[0].hidden_size, directions[0].output.dtype
        hidden, below = [], None
        for k, direction in enumerate(directions):
            part = (
                None
                if grad_output is None
                else np.ascontiguousarray(grad_output[:, k * size : (k + 1) * size], dtype)
            )
            final = None if grad_h_n is None else np.ascontiguousarray(grad_h_n[k], dtype)
            gradients = direction.backward(part, grad_h_n=final)
            hidden.append(gradients["hidden"])
            below = gradients["x"] if below is None else below + gradients["x"]
        found.append(hidden)
        grad_output, grad_h_n = below, None
    return found[::-1]
