"""The order in which the steps of unequal sequences are computed by the numpy reference."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from recurra.errors import ShapeError


def as_lengths(who: str, lengths: Any, *, total_steps: int) -> np.ndarray:
    """Return lengths as int64 of shape (batch,).

    Raises
    ------
    ShapeError
        If they are not one-dimensional integers of at least 0 that sum to ``total_steps``.
    """
    array = np.asarray(lengths)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ShapeError(
            f"{who}: lengths must be integers of shape (batch,); got {array.dtype} {array.shape}."
        )
    array = array.astype(np.int64)
    if array.size and array.min() < 0:
        raise ShapeError(f"{who}: lengths must be at least 0; got {int(array.min())}.")
    if int(array.sum()) != total_steps:
        raise ShapeError(
            f"{who}: lengths must sum to the rows of x; they sum to {int(array.sum())}, "
            f"x has {total_steps} rows."
        )
    return array


def check_shapes(who: str, **expected: tuple[Any, tuple[int, ...]]) -> None:
    """Raise ShapeError for the first ``name=(array, shape)`` that disagrees; None arrays are skipped."""
    for name, (array, shape) in expected.items():
        if array is not None and tuple(array.shape) != shape:
            raise ShapeError(f"{who}: {name} must have shape {shape}; got {tuple(array.shape)}.")


class Steps:
    """Sequences side by side, longest first: those that still run are always the first few.

    Parameters
    ----------
    lengths : int64 array of shape (batch,)
        Steps of each sequence, each at least 0.
    reverse : bool
        Whether each sequence runs from its own last step to its first.

    Attributes
    ----------
    order : int64 array of shape (batch,)
        Sequences by falling length; equal lengths stay in their order.
    rows : list of int64 array
        For each time step the flat rows of the sequences that still run, in ``order``.
    """

    def __init__(self, lengths: np.ndarray, *, reverse: bool) -> None:
        self.order = np.argsort(-lengths, kind="stable")
        falling = lengths[self.order]
        first = (np.cumsum(lengths) - lengths)[self.order]
        last = first + falling - 1
        self.rows: list[np.ndarray] = []
        for t in range(int(falling[0]) if falling.size else 0):
            running = int(np.searchsorted(-falling, -t, side="left"))
            self.rows.append(last[:running] - t if reverse else first[:running] + t)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.rows)

    def __reversed__(self) -> Iterator[np.ndarray]:
        return reversed(self.rows)

    def sort(self, state: np.ndarray) -> np.ndarray:
        """Return a copy of rows (batch, .) in the order of the steps."""
        return state[self.order]

    def unsort(self, state: np.ndarray) -> np.ndarray:
        """Return rows (batch, .) in the order they were given in."""
        result = np.empty_like(state)
        result[self.order] = state
        return result


def state_or_zeros(state: np.ndarray | None, batch: int, size: int, dtype: Any) -> np.ndarray:
    """Return a state of shape (batch, size) in ``dtype``; zeros if None."""
    return np.zeros((batch, size), dtype) if state is None else np.asarray(state, dtype)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)
