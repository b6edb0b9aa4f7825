"""What is wrong with single recordings: clipping, a channel that stands still, bursts of missing values."""

from collections.abc import Iterator, Sequence

import numpy as np

from recurra.array_summaries import PIECE, Findings, Look
from recurra.checks import duration_in_words
from recurra.inspection.channels import steady_channels
from recurra.records import Dataset, Record, findings_of

# A channel is clipped where this share of its samples stands at its largest or smallest value, in stretches.
CLIPPED_SHARE = 0.01
_CLIPPED_STRETCH = 3  # samples: one touch of the largest value is none
# Shorter ones are not called clipped or still.
_FEWEST_STEPS = 100

Pair = tuple[Record, Look]
# Record, channel, first step, steps.
Problem = tuple[Record, int, int, int]
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
    kinds = ((_clipped(pairs), "clipped"), (_still(pairs), "constant"), (_bursts(pairs), "burst"))
    return [sentence for found, kind in kinds if (sentence := _told(list(found), kind, names))]


def _told(found: list[Problem], kind: str, names: Sequence[str] | None) -> str:
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
    return f"{steps} steps" if rate is None else duration_in_words(steps / rate)


def _clipped(pairs: Sequence[Pair]) -> Iterator[Problem]:
    for at, channel in _at_edges(pairs):
        record, look = pairs[at]
        column = record.values[:, channel]
        top, bottom = look.high[channel], look.low[channel]
        if look.infinite[channel]:  # which a look leaves out
            top, bottom = np.fmax.reduce(column), np.fmin.reduce(column)
        if top == bottom or len(set(column[:1000].tolist())) < 20:  # a switch or a counter is no signal
            continue
        for extreme in (top, bottom):
            starts, ends = _stretches(column == extreme)
            lengths = ends - starts
            steps = int(lengths[lengths >= _CLIPPED_STRETCH].sum())
            if steps >= CLIPPED_SHARE * len(column):
                yield record, channel, int(starts[0]), steps
                break


def _at_edges(pairs: Sequence[Pair]) -> Iterator[tuple[int, int]]:
    """Yield recording and channel where `CLIPPED_SHARE` of the samples may stand at the largest or smallest value.

    Short recordings of as many channels are counted together, a portion of rows at a time.
    """
    long = [at for at, (record, _) in enumerate(pairs) if len(record.values) >= _FEWEST_STEPS]
    while long:
        some, rows, width = 0, 0, pairs[long[0]][0].values.shape[1]
        while some < len(long) and rows < PIECE and pairs[long[some]][0].values.shape[1] == width:
            rows += len(pairs[long[some]][0].values)
            some += 1
        together, long = long[:some], long[some:]
        for at, channel in np.argwhere(_pressed([pairs[at] for at in together])).tolist():
            yield together[at], channel


def _pressed(pairs: Sequence[Pair]) -> np.ndarray:
    """Return in which channels so many samples may stand at an edge in stretches: bool (recordings, channels).

    A stretch of n samples has n - 1 pairs of neighbours; a signal that only touches its edge has none.
    """
    arrays = [record.values for record, _ in pairs]
    lengths = np.array([len(values) for values in arrays])
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    begins = np.cumsum(lengths) - lengths
    found = np.array([look.infinite > 0 for _, look in pairs])  # whose edges a look leaves out
    for edges in ([look.low for _, look in pairs], [look.high for _, look in pairs]):
        equal = joined == (edges[0] if len(arrays) == 1 else np.repeat(np.array(edges), lengths, axis=0))
        equal[:-1] &= equal[1:]
        neighbours = np.add.reduceat(equal, begins, axis=0, dtype=np.int64)
        least = CLIPPED_SHARE * (_CLIPPED_STRETCH - 1) / _CLIPPED_STRETCH
        found |= neighbours >= least * lengths[:, None]
    return found


def _still(pairs: Sequence[Pair]) -> Iterator[Problem]:
    arrays, looks = [record.values for record, _ in pairs], [look for _, look in pairs]
    for at, channel in np.argwhere(steady_channels(arrays, looks)).tolist():
        if len(arrays[at]) >= _FEWEST_STEPS:
            yield pairs[at][0], channel, 0, len(arrays[at])


def _bursts(pairs: Sequence[Pair]) -> Iterator[Problem]:
    for record, look in pairs:
        if look.complete:
            continue
        missing = np.isnan(record.values)
        for channel in range(missing.shape[1]):
            starts, ends = _stretches(missing[:, channel])
            if len(starts) and (ends - starts).max() >= BURST:
                longest = int((ends - starts).argmax())
                yield record, channel, int(starts[longest]), int(ends[longest] - starts[longest])


def _stretches(true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where stretches of True begin and end: two int arrays."""
    edges = np.diff(np.concatenate([[0], true.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
