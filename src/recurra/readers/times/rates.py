"""Sampling rates of sequences from the times of their steps, and gaps between these."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from recurra.checks import counted, duration_in_words
from recurra.readers.times.calendar import in_words

# A grid is regular if no time stamp is further from it than this share of a step: rounding to milliseconds
# stays below it up to 500 Hz, one missing step does not.
_TOLERANCE = 0.25
# Times further apart than this many usual steps leave a gap.
_GAP = 5.0

# Rows that are looked at together: many short sequences cost no call each, and little memory.
_PIECE = 1 << 15


def rates_hz(seconds: np.ndarray, starts: np.ndarray) -> list[float | None]:
    """Return the sampling rate of every sequence, None of one with fewer than 3 steps or irregular times.

    Parameters
    ----------
    seconds : ndarray of shape (rows,)
        Times of all sequences, one after the other.
    starts : ndarray of shape (sequences + 1,)
        First row of each sequence, and the end.
    """
    rates: list[float | None] = []
    for own, first in _pieces(seconds, starts):
        lengths = np.diff(first)
        begins = own[first[:-1]]
        step = (own[first[1:] - 1] - begins) / np.maximum(lengths - 1, 1)
        grid = np.repeat(begins, lengths) + np.repeat(step, lengths) * (
            np.arange(len(own)) - np.repeat(first[:-1], lengths)
        )
        furthest = np.maximum.reduceat(np.abs(own - grid), first[:-1])
        even = (lengths >= 3) & (step > 0) & (furthest <= _TOLERANCE * step)
        rates += [1 / one if fine else None for one, fine in zip(step.tolist(), even.tolist(), strict=True)]
    return rates


def gap_notes(seconds: np.ndarray, starts: np.ndarray, called: Callable[[int], str], who: str) -> list[str]:
    """Return a sentence on the longest gap of any sequence, if there is one.

    Parameters
    ----------
    seconds, starts
        As for `rates_hz`.
    called : callable
        Gives what to call the sequence of a row.
    who : str
        Named in the sentence.
    """
    found = [
        (*longest, int(starts[index]))
        for index in _may_have_gaps(seconds, starts)
        if (longest := _gap(seconds[starts[index] : starts[index + 1]])) is not None
    ]
    if not found:
        return []
    step, length, row = max(found, key=lambda one: one[1])
    return [
        f"{who}: {counted(len(found), 'sequence has', 'sequences have')} gaps in time; the longest is of "
        f"{duration_in_words(length)} after step {step}{called(row)}. Cut them there, or fill them."
    ]


def _may_have_gaps(seconds: np.ndarray, starts: np.ndarray) -> list[int]:
    """Return the sequences whose longest step is more than `_GAP` times the shortest, and so perhaps the median."""
    found: list[int] = []
    at = 0
    for own, first in _pieces(seconds, starts):
        steps = np.diff(own, append=own[-1])
        last = first[1:] - 1  # from there to the first of the next is no step
        steps[last] = -np.inf
        longest = np.maximum.reduceat(steps, first[:-1])
        steps[last] = np.inf
        shortest = np.minimum.reduceat(steps, first[:-1])
        found += (at + np.flatnonzero(longest > _GAP * shortest)).tolist()
        at += len(last)
    return found


def _pieces(seconds: np.ndarray, starts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the times of some sequences, and as ``starts`` where each begins among them."""
    first = 0
    while first < len(starts) - 1:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _PIECE, side="right")) - 1)
        yield seconds[starts[first] : starts[last]], starts[first : last + 1] - starts[first]
        first = last


def _gap(seconds: np.ndarray) -> tuple[int, float] | None:
    """Return the step before the longest gap, and its seconds; None if no two times are `_GAP` usual steps apart."""
    steps = np.diff(seconds)
    if len(steps) < 3:
        return None
    widest = int(steps.argmax())
    return (widest, float(steps[widest])) if steps[widest] > _GAP * float(np.median(steps)) > 0 else None


def common_rate(
    rates: Sequence[float | None], who: str, *, calendar: str = ""
) -> tuple[list[float | None], list[str]]:
    """Return each sequence's rate, evened out where only rounding differs, and notes on what is uneven.

    Parameters
    ----------
    calendar : str, default=""
        The step of the sequences without a rate, where they follow the calendar: business days are no rate in Hz.
    """
    known = np.array([rate for rate in rates if rate is not None])
    notes = []
    irregular = len(rates) - len(known)
    if irregular and calendar:
        notes.append(
            f"{who}: a step every {in_words(calendar)}, found from the time stamps; it has no rate in Hz."
        )
    elif irregular:
        notes.append(
            f"{who}: {irregular} of {counted(len(rates), 'sequence')} {'is' if irregular == 1 else 'are'} sampled "
            f"irregularly or too short to tell; {'its' if irregular == 1 else 'their'}"
            " sampling rate is left open. Resample them if the rate matters."
        )
    if not known.size:
        return list(rates), notes
    middle = float(np.median(known))
    if known.max() - known.min() <= 0.01 * middle:
        same = float(f"{middle:.4g}") if known.max() - known.min() > 1e-6 * middle else float(f"{middle:.6g}")
        return [None if rate is None else same for rate in rates], notes
    rounded = [None if rate is None else float(f"{rate:.4g}") for rate in rates]
    most = Counter(rate for rate in rounded if rate is not None).most_common(4)
    shown = ", ".join(f"{rate:g} Hz ({count})" for rate, count in most)
    notes.append(f"{who}: the sequences are sampled at different rates: {shown}. Resample them to one rate.")
    return rounded, notes
