"""`Channel`: smallest and largest value of a channel over all sequences, missing and infinite ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.array_summaries import Findings, Look
from recurra.plain_arrays import check_same_channels
from recurra.records import Dataset, findings_of


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
    looks = (findings_of(dataset) or Findings()).looks(arrays)
    missing = np.array([look.missing for look in looks]) == np.array([[len(values)] for values in arrays])
    steady &= (steady_channels(arrays, looks) | missing).all(axis=0)
    if not steady.any():  # of data on disk a first row costs as much as the sequence
        return []
    first = np.stack([values[0] for values in arrays])
    differ = ~((first == first[0]) | (np.isnan(first) & np.isnan(first[0]))).all(axis=0)
    return [str(names[at]) for at in np.flatnonzero(steady & differ).tolist()]


def steady_channels(arrays: Sequence[np.ndarray], looks: Sequence[Look]) -> np.ndarray:
    """Return which channels have one value throughout, none of it missing: bool of shape (sequences, channels).

    Parameters
    ----------
    arrays : sequence of ndarray of shape (time, channels)
        Sequences of as many channels.
    looks : sequence of Look
        At each.
    """
    low, high = (np.array([getattr(look, name) for look in looks]) for name in ("low", "high"))
    missing, infinite = (
        np.array([getattr(look, name) for look in looks]) for name in ("missing", "infinite")
    )
    steady = (low == high) & (missing == 0)
    for at in np.flatnonzero(infinite.any(axis=1)).tolist():  # which the range of a look leaves out
        steady[at] = (arrays[at] == arrays[at][0]).all(axis=0)
    return np.asarray(steady)


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
    findings = findings_of(dataset) or Findings()
    found = _ranges(findings.looks(arrays), names)
    known = [record.known for record in dataset.records if record.known is not None]
    if known and dataset.known_names:  # what is known in advance of series may be missing too
        found += _ranges(findings.looks(known), list(dataset.known_names))
    return found


def _ranges(looks: Sequence[Look], names: Sequence[str]) -> list[Channel]:
    low = np.min([look.low for look in looks], axis=0)
    high = np.max([look.high for look in looks], axis=0)
    missing = np.sum([look.missing for look in looks], axis=0)
    infinite = np.sum([look.infinite for look in looks], axis=0)
    return [
        Channel(
            str(names[i]),
            float(low[i]) if np.isfinite(low[i]) else None,
            float(high[i]) if np.isfinite(high[i]) else None,
            int(missing[i]),
            int(infinite[i]),
        )
        for i in range(len(low))
    ]
