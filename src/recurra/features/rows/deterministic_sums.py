"""Sums in one fixed order, so that a frame gives the same bits alone, in a block, and in a stream.

A matrix product of a library may add in another order for another number of rows. Here every output is summed term by
term in elementwise steps, which round the same wherever a value stands.
"""

from collections.abc import Iterator, Sequence

import numpy as np


def product(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weights @ values: shapes (outputs, terms) and (terms, columns) give (outputs, columns)."""
    out = np.zeros((len(weights), values.shape[1]))
    for term in range(weights.shape[1]):
        chosen = np.flatnonzero(weights[:, term])
        if len(chosen):
            out[chosen] += weights[chosen, term, None] * values[term]
    return out


def row_sums(values: np.ndarray) -> np.ndarray:
    """Return the sum over the last axis, each row by itself."""
    # numpy adds a contiguous last axis pairwise, in an order that depends on its length only.
    return np.add.reduce(np.ascontiguousarray(values), axis=-1)


# Values added at once; numpy halves what is longer, so that halving first changes nothing.
_AT_ONCE = 1 << 16


class PairwiseSum:
    """What `numpy.sum` makes of an array of float64, to the bit, of values that come in pieces.

    numpy adds a contiguous array by halves, each a multiple of eight long, down to pieces of 128.

    Parameters
    ----------
    count : int
        How many values will come.
    """

    def __init__(self, count: int) -> None:
        self._sizes = list(_leaves(count))
        self._count = count
        self._sums: list[float] = []
        self._waiting: list[np.ndarray] = []
        self._held = 0

    def add(self, values: np.ndarray) -> None:
        """Take the next values."""
        self._waiting.append(values)
        self._held += len(values)
        while len(self._sums) < len(self._sizes) and self._held >= self._sizes[len(self._sums)]:
            size = self._sizes[len(self._sums)]
            joined = np.concatenate(self._waiting)
            self._sums.append(float(np.sum(joined[:size])))
            self._waiting, self._held = [joined[size:]], self._held - size

    @property
    def total(self) -> float:
        """The sum, once all values are there."""
        assert self._held == 0
        assert len(self._sums) == len(self._sizes)
        sums = iter(self._sums)

        def joined(count: int) -> float:
            if count <= _AT_ONCE:
                return next(sums)
            first = _half(count)
            return joined(first) + joined(count - first)

        return joined(self._count)


class ColumnSums:
    """A `PairwiseSum` for each of several columns, which may have different numbers of values.

    Parameters
    ----------
    counts : ndarray of int, shape (columns,)
        How many values will come in each.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self._sums = [PairwiseSum(int(count)) for count in counts]

    def add(self, columns: Sequence[np.ndarray]) -> None:
        """Take the next values of every column."""
        for own, values in zip(self._sums, columns, strict=True):
            own.add(values)

    @property
    def totals(self) -> np.ndarray:
        """The sums, once all values are there: float64 of shape (columns,)."""
        return np.array([own.total for own in self._sums])


def _half(count: int) -> int:
    return count // 2 - (count // 2) % 8


def _leaves(count: int) -> Iterator[int]:
    if count <= _AT_ONCE:
        yield count
    else:
        yield from _leaves(_half(count))
        yield from _leaves(count - _half(count))


def convolve(signal: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return the causal filter's output where all its taps have a sample.

    Parameters
    ----------
    signal : ndarray of shape (time,)
        Float64.
    taps : ndarray of shape (taps,)
        The first weighs the newest sample.

    Returns
    -------
    ndarray of shape (time - taps + 1,)
    """
    count = len(signal) - len(taps) + 1
    out = np.zeros(max(count, 0))
    for index, tap in enumerate(taps.tolist()):
        start = len(taps) - 1 - index
        out += tap * signal[start : start + len(out)]
    return out
