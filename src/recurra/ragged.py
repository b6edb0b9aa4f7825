"""`Ragged`: sequences of unequal length as flat rows and lengths, for numpy and torch arrays alike."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from recurra.errors import ShapeError


class Ragged:
    """Sequences stored one after the other, without padding.

    Parameters
    ----------
    values : array of shape (total_steps, ...)
        numpy array or torch tensor; the rows of the first sequence, then of the second, and so on.
    lengths : sequence of int, shape (batch,)
        Steps of each sequence, each at least 0; they sum to ``total_steps``. Kept as a numpy int64 array.

    Raises
    ------
    ShapeError
        If a length is negative or the lengths do not sum to the number of rows.
    """

    __slots__ = ("lengths", "values")

    def __init__(self, values: Any, lengths: Any) -> None:
        if hasattr(lengths, "detach"):
            lengths = lengths.detach().cpu().numpy()
        self.values = values
        self.lengths = np.asarray(lengths, dtype=np.int64).reshape(-1)
        if self.lengths.size and self.lengths.min() < 0:
            raise ShapeError(f"Ragged: lengths must be at least 0; got {int(self.lengths.min())}.")
        if int(self.lengths.sum()) != values.shape[0]:
            raise ShapeError(
                f"Ragged: lengths must sum to the rows of values; they sum to {int(self.lengths.sum())}, "
                f"values has shape {tuple(values.shape)}."
            )

    @classmethod
    def from_list(cls, sequences: Sequence[np.ndarray]) -> "Ragged":
        """Join numpy arrays of shape (time, ...) that agree in every axis but the first."""
        if not sequences:
            raise ShapeError("Ragged.from_list: needs at least one sequence; got an empty list.")
        joined = object.__new__(cls)
        joined.values = np.concatenate(sequences, axis=0)
        joined.lengths = np.array([len(s) for s in sequences], dtype=np.int64)
        return joined

    @property
    def offsets(self) -> np.ndarray:
        """First row of each sequence, and the end: int64 array of shape (batch + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @property
    def total_steps(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Any:
        offsets = self.offsets
        index = range(len(self))[index]
        return self.values[int(offsets[index]) : int(offsets[index + 1])]

    def __iter__(self) -> Iterator[Any]:
        offsets = self.offsets
        for first, last in pairwise(offsets):
            yield self.values[int(first) : int(last)]

    def replace(self, values: Any) -> "Ragged":
        """Return the same lengths with other values, such as the output of a layer."""
        if values.shape[0] != self.values.shape[0]:
            return Ragged(values, self.lengths)  # which complains
        other = object.__new__(Ragged)
        other.values, other.lengths = values, self.lengths
        return other

    def __repr__(self) -> str:
        return f"Ragged({len(self)} sequences, {self.total_steps} steps, values {tuple(self.values.shape)})"
