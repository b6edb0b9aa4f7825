"""`Channel`: smallest and largest value of a channel over all sequences, missing and infinite ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.checks import check_same_channels
from recurra.records import Dataset

# Rows looked at together.
_PIECE = 1 << 14


@dataclass(frozen=True)
class Channel:
    """One channel over all sequences: name, smallest and largest value, missing and infinite ones."""

    name: str
    low: float | None
    high: float | None
    missing: int
    infinite: int

    @property
    def constant(self) -> bool:
        """Whether it has one value everywhere."""
        return self.low is not None and self.low == self.high


def constant_per_sequence(dataset: Dataset) -> list[str]:
    """Return the channels with a name that never change within a sequence and differ between sequences.

    Of sequences of numbers that have two steps at least in the most; a missing value is one like others.
    """
    names, arrays = dataset.channel_names, [record.values for record in dataset.records]
    if dataset.kind != "sequence" or names is None or len(arrays) < 2 or np.median(dataset.lengths) < 2:
        return []
    steady = np.ones(len(names), dtype=bool)
    for values in arrays:
        steady &= ((values == values[0]) | (np.isnan(values) & np.isnan(values[0]))).all(axis=0)
    first = np.stack([values[0] for values in arrays])
    differ = ~((first == first[0]) | (np.isnan(first) & np.isnan(first[0]))).all(axis=0)
    return [str(names[at]) for at in np.flatnonzero(steady & differ).tolist()]


def channels_of(dataset: Dataset) -> list[Channel]:
    """Return the range of every channel, in one pass over the sequences; empty for text.

    Raises
    ------
    ShapeError
        If a sequence has other channels than the first.
    """
    arrays = [record.values for record in dataset.records if isinstance(record.values, np.ndarray)]
    if not arrays or arrays[0].ndim != 2:
        return []
    check_same_channels(arrays, names=dataset.names, who=dataset.source or "the data")
    names = list(dataset.channel_names or [f"channel {i}" for i in range(arrays[0].shape[1])])
    found = _ranges(arrays, names)
    known = [record.known for record in dataset.records if record.known is not None]
    if known and dataset.known_names:  # what is known in advance of series may be missing too
        found += _ranges(known, list(dataset.known_names))
    return found


def in_pieces(arrays: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the rows of arrays in order, `_PIECE` or more at a time: many short arrays cost no call each."""
    waiting: list[np.ndarray] = []
    rows = 0
    for values in arrays:
        waiting.append(values)
        if (rows := rows + len(values)) >= _PIECE:
            yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            waiting, rows = [], 0
    if waiting:
        yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)


def _ranges(arrays: Sequence[np.ndarray], names: Sequence[str]) -> list[Channel]:
    width = arrays[0].shape[1]
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    missing, infinite = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
    for values in in_pieces(arrays):
        finite = np.isfinite(values)
        low = np.minimum(low, np.where(finite, values, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf))
        missing += np.isnan(values).sum(axis=0)
        infinite += np.isinf(values).sum(axis=0)
    return [
        Channel(
            str(names[i]),
            float(low[i]) if np.isfinite(low[i]) else None,
            float(high[i]) if np.isfinite(high[i]) else None,
            int(missing[i]),
            int(infinite[i]),
        )
        for i in range(width)
    ]
