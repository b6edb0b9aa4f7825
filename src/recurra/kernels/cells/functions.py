"""The functions of every cell by its name, called alike whatever states and variants there are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.kernels import native_calls
from recurra.kernels.cell import CELLS, VARIANTS
from recurra.kernels.cells.cell_variants import variant_forward, variant_step
from recurra.kernels.cells.gru import gru_backward, gru_forward, gru_step
from recurra.kernels.cells.lstm import lstm_backward, lstm_forward, lstm_step
from recurra.kernels.cells.rnn import rnn_backward, rnn_forward, rnn_step


@dataclass(frozen=True)
class Functions:
    """What a cell computes.

    Parameters
    ----------
    forward : callable
        As `recurra.kernels.cells.lstm.lstm_forward`: returns output, final states and what is saved.
    backward : callable
        As `recurra.kernels.cells.lstm.lstm_backward`.
    stepped : callable
        As `recurra.kernels.cells.lstm.lstm_step`: returns the states after a step, one alone or several.
    """

    forward: Callable[..., tuple[Any, ...]]
    backward: Callable[..., dict[str, np.ndarray]]
    stepped: Callable[..., Any]

    def step(
        self, x: np.ndarray, states: Sequence[np.ndarray], weights: Mapping[str, Any]
    ) -> tuple[np.ndarray, ...]:
        """Return every state after one step; ``states`` in the order of `recurra.kernels.cell.Cell.states`."""
        after = self.stepped(x, **dict(zip(("h", "c"), states, strict=False)), **weights)
        return after if isinstance(after, tuple) else (after,)


def _variant_forward(
    cell: str,
    x: np.ndarray,
    *,
    lengths: Any,
    reverse: bool = False,
    save: bool = False,
    h_0: Any = None,
    c_0: Any = None,
    **weights: Any,
) -> tuple[Any, ...]:
    states = {"h_0": h_0, "c_0": c_0}
    if native_calls.runs_native(x.dtype):
        output, *finals, saved = native_calls.forward(
            cell, x, lengths=lengths, directions=[weights], states=[states], reverse=reverse, save=save
        )
        return output, *(final[0] for final in finals), saved
    if save:
        raise UsageError(
            f"stack_inside: what is inside of the cell {cell!r} is shown with the native kernels only; install recurra "
            "where a C++ compiler is, or look into a network with the cell 'lstm' or 'gru'."
        )
    found = variant_forward(
        VARIANTS[cell], x, lengths=lengths, weights=weights, states=states, reverse=reverse
    )
    return *found, None


def _variant_backward(
    grad_output: Any, *, grad_h_n: Any = None, grad_c_n: Any = None, saved: Any
) -> dict[str, np.ndarray]:
    return native_calls.backward(grad_output, grad_h_n=grad_h_n, grad_c_n=grad_c_n, saved=saved)


def _variant_step(cell: str, x: np.ndarray, **given: Any) -> tuple[np.ndarray, ...]:
    states = tuple(given.pop(state) for state in CELLS[cell].states)
    return variant_step(VARIANTS[cell], x, states, given)[1]


FUNCTIONS: Mapping[str, Functions] = {
    "rnn": Functions(rnn_forward, rnn_backward, rnn_step),
    "rnn_relu": Functions(
        partial(rnn_forward, nonlinearity="relu"), rnn_backward, partial(rnn_step, nonlinearity="relu")
    ),
    "lstm": Functions(lstm_forward, lstm_backward, lstm_step),
    "gru": Functions(gru_forward, gru_backward, gru_step),
    **{
        cell: Functions(partial(_variant_forward, cell), _variant_backward, partial(_variant_step, cell))
        for cell in VARIANTS
    },
}
