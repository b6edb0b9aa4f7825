"""Sums in one fixed order, so that a frame gives the same bits alone, in a block, and in a stream.

A matrix product of a library may add in another order for another number of rows. Here every output is summed term by
term in elementwise steps, which round the same wherever a value stands.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from recurra.readers.large.mapped import MAPPINGS, read_ahead


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


# A channel whose spread is below this share of its magnitude carries rounding noise only; it is centred, not blown up.
CONSTANT_SHARE = 1e-7
# Rows looked at together, as many or more.
_ROWS = 1 << 16
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


def zscores(
    sequences: Sequence[np.ndarray], weights: np.ndarray | None, *, complete: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every channel, to the bit those of all rows in one array, which they never are.

    Three passes: how many values there are, their sum, and the sum of the squared distances from the mean.
    """
    channels = sequences[0].shape[1]

    def present() -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
        """Yield, of some rows at a time, the values of each channel that are there, and their weights."""
        for rows, weight in _portions(sequences, weights):
            if complete:
                yield [rows[:, channel] for channel in range(channels)], [weight] * channels
                continue
            there = [~np.isnan(rows[:, channel]) for channel in range(channels)]
            yield [rows[own, c] for c, own in enumerate(there)], [weight[own] for own in there]

    counts, largest = np.zeros(channels, dtype=np.int64), np.zeros(channels)
    for columns, _ in present():
        for channel, column in enumerate(columns):
            counts[channel] += len(column)
            largest[channel] = max(largest[channel], np.abs(column).max(initial=0.0))
    sums, totals, squares = ColumnSums(counts), ColumnSums(counts), ColumnSums(counts)
    for columns, each in present():
        sums.add([column * weight for column, weight in zip(columns, each, strict=True)])
        totals.add(each)
    there, total = counts > 0, totals.totals
    total[~there] = 1.0
    center = np.where(there, sums.totals / total, 0.0)
    for columns, each in present():
        squares.add([(x - mean) ** 2 * weight for x, mean, weight in zip(columns, center, each, strict=True)])
    deviations = np.sqrt(squares.totals / total)
    spreads = [usable(float(own), most) for own, most in zip(deviations, largest, strict=True)]
    return center, np.where(there, spreads, 1.0)


def _portions(
    sequences: Sequence[np.ndarray], weights: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of sequences that count, some thousand at a time, with the weight of each."""
    counted = [i for i in range(len(sequences)) if weights is None or weights[i] > 0]
    waiting: list[np.ndarray] = []
    each: list[float] = []
    rows = 0
    there: Iterable[np.ndarray] = (sequences[index] for index in counted)
    if MAPPINGS:
        there = read_ahead([sequences[index] for index in counted])
    for place, (index, sequence) in enumerate(zip(counted, there, strict=True)):
        waiting.append(sequence)
        each.append(1.0 if weights is None else float(weights[index]))
        rows += len(sequence)
        if place + 1 == len(counted) or rows >= _ROWS:
            yield np.concatenate(waiting).astype(np.float64), np.repeat(each, [len(own) for own in waiting])
            waiting, each, rows = [], [], 0


def usable(spread: float, largest: float) -> float:
    """Return what to divide by: 1 where a spread is rounding noise beside the largest magnitude."""
    return spread if spread > CONSTANT_SHARE * max(float(largest), 1e-300) else 1.0


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
