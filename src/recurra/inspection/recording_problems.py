"""What is wrong with single recordings: clipping, a channel that stands still, bursts of missing values."""

from collections.abc import Iterator, Sequence

import numpy as np

from recurra.findings import Findings, Look
from recurra.records import Dataset, Record, findings_of

# A channel is clipped where this share of its samples stands at its largest or smallest value, in stretches.
CLIPPED_SHARE = 0.01
_CLIPPED_STRETCH = 3  # samples: one touch of the largest value is none
# Missing values in a row that are told one by one.
BURST = 10


def recording_problems(dataset: Dataset) -> list[str]:
    """Return a sentence for each kind of problem, with the first recording that has it and how many do."""
    arrays = [r for r in dataset.records if isinstance(r.values, np.ndarray) and r.values.ndim == 2]
    if not arrays or dataset.kind != "sequence":
        return []
    names = dataset.channel_names
    looks = (findings_of(dataset) or Findings()).looks([r.values for r in arrays])
    pairs = list(zip(arrays, looks, strict=True))
    return [
        sentence
        for found, kind in ((_clipped, "clipped"), (_still, "constant"), (_bursts, "burst"))
        if (sentence := _told([(r, *one) for r, look in pairs for one in found(r, look)], kind, names))
    ]


def _told(found: list[tuple[Record, int, int, int]], kind: str, names: Sequence[str] | None) -> str:
    """Return the sentence for (record, channel, first step, steps)."""
    if not found:
        return ""
    record, channel, first, steps = max(found, key=lambda one: one[3])
    name = repr(names[channel]) if names else str(channel)
    where = f"{record.name or 'a sequence'}: channel {name}"
    more = len({id(one[0]) for one in found}) - 1
    others = f" ({more} more recordings have such a channel)" if more else ""
    if kind == "clipped":
        share = steps / max(len(record.values), 1)
        return (
            f"{where} is clipped: {share:.0%} of its samples stand at its largest or smallest value{others}; lower "
            "the gain, or leave such recordings out."
        )
    if kind == "constant":
        return f"{where} never changes in {_time(record, steps)}{others}; a sensor may have been off, leave it out."
    return (
        f"{where} has no value for {_time(record, steps)} from step {first} on{others}; fill the gap, cut the "
        "recording there, or use missing='mask'."
    )


def _time(record: Record, steps: int) -> str:
    rate = record.sample_rate_hz
    return f"{steps} steps" if rate is None else f"{steps / rate:.3g} s"


def _clipped(record: Record, look: Look) -> Iterator[tuple[int, int, int]]:
    values = record.values
    if len(values) < 100:
        return
    tops, bottoms = np.fmax.reduce(values, axis=0), np.fmin.reduce(values, axis=0)
    # So many samples must stand there at least, in stretches or not: few channels are left to look at closely.
    most = np.maximum((values == tops).sum(axis=0), (values == bottoms).sum(axis=0))
    for channel in np.flatnonzero((most >= CLIPPED_SHARE * len(values)) & (tops != bottoms)).tolist():
        column, top, bottom = values[:, channel], tops[channel], bottoms[channel]
        if len(np.unique(column[:1000])) < 20:  # a switch or a counter is no signal
            continue
        for extreme in (top, bottom):
            starts, ends = _stretches(column == extreme)
            lengths = ends - starts
            steps = int(lengths[lengths >= _CLIPPED_STRETCH].sum())
            if steps >= CLIPPED_SHARE * len(column):
                yield channel, int(starts[0]), steps
                break


def _still(record: Record, look: Look) -> Iterator[tuple[int, int, int]]:
    values = record.values
    if len(values) < 100:
        return
    for channel in np.flatnonzero(values[0] == values[-1]).tolist():
        column = values[:, channel]
        if (column == column[0]).all():
            yield channel, 0, len(column)


def _bursts(record: Record, look: Look) -> Iterator[tuple[int, int, int]]:
    if look.complete:
        return
    missing = np.isnan(record.values)
    for channel in range(missing.shape[1]):
        starts, ends = _stretches(missing[:, channel])
        if len(starts) and (ends - starts).max() >= BURST:
            longest = int((ends - starts).argmax())
            yield channel, int(starts[longest]), int(ends[longest] - starts[longest])


def _stretches(true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where stretches of True begin and end: two int arrays."""
    edges = np.diff(np.concatenate([[0], true.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
