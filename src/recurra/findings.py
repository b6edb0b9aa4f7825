"""`Findings`: what was found in the values of a data set, carried with it so that no station looks again."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

# Rows looked at together: many short arrays cost no call each.
PIECE = 1 << 14


@dataclass(frozen=True, eq=False)
class Look:
    """What one look at numbers of shape (time, channels) tells of each channel: arrays of shape (channels,).

    Parameters
    ----------
    low, high : ndarray of float64
        Smallest and largest of the finite values; infinity and its negative where there is none.
    missing, infinite : ndarray of int64
        How many values are NaN, and how many infinite.
    """

    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    infinite: np.ndarray

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing.any()

    @property
    def finite(self) -> bool:
        """Whether every value is a finite number."""
        return not self.missing.any() and not self.infinite.any()

    @property
    def largest(self) -> np.ndarray:
        """Largest magnitude of the finite values of each channel; 0 where there is none."""
        return np.where(self.low <= self.high, np.maximum(np.abs(self.low), np.abs(self.high)), 0.0)


def look_at(values: np.ndarray) -> Look:
    """Look at numbers of shape (time, channels), or (time,) for one channel."""
    rows = values.reshape(len(values), -1)
    low, high = (
        rows.min(axis=0, initial=np.inf).astype(np.float64)
        if rows.dtype.kind == "f"
        else _edge(rows, np.min),
        rows.max(axis=0, initial=-np.inf).astype(np.float64)
        if rows.dtype.kind == "f"
        else _edge(rows, np.max),
    )
    none = np.zeros(rows.shape[1], dtype=np.int64)
    if (np.isfinite(low) & np.isfinite(high)).all():  # NaN and infinity would have become one of them
        return Look(low, high, none, none)
    finite = np.isfinite(rows)
    low = np.where(finite, rows, np.inf).min(axis=0, initial=np.inf).astype(np.float64)
    high = np.where(finite, rows, -np.inf).max(axis=0, initial=-np.inf).astype(np.float64)
    missing = np.isnan(rows).sum(axis=0)
    return Look(low, high, missing, (~finite).sum(axis=0) - missing)


def _edge(rows: np.ndarray, which: Callable[..., Any]) -> np.ndarray:
    edge = which(rows, axis=0) if len(rows) else np.zeros(rows.shape[1])
    return np.asarray(edge, dtype=np.float64)


class Findings:
    """What was found in arrays, by the very object: a copy of one, or a part, is another.

    Arrays must not change while this is used; whoever makes one answers for that. It keeps none of them in memory.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], tuple[Callable[[], Any], Any]] = {}

    def of(self, what: str, array: np.ndarray, find: Callable[[np.ndarray], T]) -> T:
        """Return what ``find`` returns for an array, which it is called for once.

        Parameters
        ----------
        what : str
            Name of what is found.
        """
        kept = self._found.get((what, id(array)))
        if kept is None or kept[0]() is not array:  # another one may have got its place in memory
            kept = self._found[what, id(array)] = (weakref.ref(array), find(array))
        found: T = kept[1]
        return found

    def looks(self, arrays: Sequence[np.ndarray]) -> list[Look]:
        """Return what a look at each array of numbers tells."""
        waiting: list[np.ndarray] = []
        rows = 0
        for array in arrays:
            kept = self._found.get(("look", id(array)))
            if (kept is None or kept[0]() is not array) and _may_be_joined(array, waiting):
                waiting.append(array)
                rows += len(array)
            if rows >= PIECE:
                self._look_at_all(waiting)
                waiting, rows = [], 0
        if len(waiting) > 1:
            self._look_at_all(waiting)
        return [self.of("look", array, look_at) for array in arrays]

    def _look_at_all(self, arrays: Sequence[np.ndarray]) -> None:
        """Keep the looks at those of several float arrays that are finite; the others are looked at one by one."""
        joined = np.concatenate(arrays)
        firsts = np.cumsum([0, *(len(array) for array in arrays[:-1])])
        low = np.minimum.reduceat(joined, firsts, axis=0).astype(np.float64)
        high = np.maximum.reduceat(joined, firsts, axis=0).astype(np.float64)
        none = np.zeros(joined.shape[1], dtype=np.int64)
        fine = (np.isfinite(low) & np.isfinite(high)).all(axis=1)
        for index in np.flatnonzero(fine).tolist():
            array = arrays[index]
            look = Look(low[index], high[index], none, none)
            self._found["look", id(array)] = (weakref.ref(array), look)


def _may_be_joined(array: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether an array can be looked at together with others: floats in as many channels, short."""
    like = array if not others else others[0]
    return (
        array.ndim == 2
        and 0 < len(array) < PIECE
        and array.dtype.kind == "f"
        and (array.dtype, array.shape[1]) == (like.dtype, like.shape[1])
    )
