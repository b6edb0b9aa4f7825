"""Range, missing and infinite values of arrays, and the checks that judge by them.

`Findings` carries what was found with a data set, so that no station looks again.
"""

import numbers
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from recurra.checks import where
from recurra.errors import DataError

T = TypeVar("T")

# Rows looked at together: many short arrays cost no call each.
PIECE = 1 << 14
# Beyond these the squares and cubes that features and losses take leave the numbers of 64 bits.
LARGEST, SMALLEST = 1e100, 1e-100
# The largest weight of a training, of whose sum over a batch 32 bits hold as much as a loss needs.
HEAVIEST, LIGHTEST = 1e30, 1e-30


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
        return not np.count_nonzero(self.missing)

    @property
    def finite(self) -> bool:
        """Whether every value is a finite number."""
        return not np.count_nonzero(self.missing) and not np.count_nonzero(self.infinite)

    @property
    def top(self) -> float:
        """Largest magnitude of all finite values; 0 where there is none."""
        return max(0.0, -float(self.low.min(initial=np.inf)), float(self.high.max(initial=-np.inf)))

    @property
    def largest(self) -> np.ndarray:
        """Largest magnitude of the finite values of each channel; 0 where there is none."""
        return np.where(self.low <= self.high, np.maximum(np.abs(self.low), np.abs(self.high)), 0.0)


def together(looks: Sequence[Look]) -> Look:
    """Return what looks at several arrays of as many channels tell of all of them."""
    return Look(
        np.min([look.low for look in looks], axis=0),
        np.max([look.high for look in looks], axis=0),
        np.sum([look.missing for look in looks], axis=0),
        np.sum([look.infinite for look in looks], axis=0),
    )


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


_UNKNOWN: Any = object()


@dataclass(eq=False)
class Findings:
    """What was found in arrays, by the very object: a copy of one, or a part, is another.

    Arrays must not change while this is used; whoever makes one answers for that. It keeps none of them in memory.
    """

    # One entry for each array, of whose kind there may be a million: who it is, then what was found.
    _found: dict[int, list[Any]] = field(default_factory=dict, init=False, repr=False)
    _places: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def of(
        self, what: str, arrays: Sequence[np.ndarray], find: Callable[[Sequence[np.ndarray]], Sequence[T]]
    ) -> list[T]:
        """Return what ``find`` returns for each array; it is called once, with those for which nothing is known yet.

        Parameters
        ----------
        what : str
            Name of what is found.
        """
        found: list[Any] = [None] * len(arrays)
        place = self._places.setdefault(what, 1 + len(self._places))
        new = []
        for index, array in enumerate(arrays):
            kept = self._found.get(id(array))
            if kept is None or kept[0]() is not array:  # another one has got its place in memory
                kept = self._found[id(array)] = [weakref.ref(array)]
            if place < len(kept) and kept[place] is not _UNKNOWN:
                found[index] = kept[place]
            else:
                new.append(index)
        if new:
            unknown = [arrays[index] for index in new]
            for index, array, own in zip(new, unknown, find(unknown), strict=True):
                found[index] = own
                kept = self._found[id(array)]
                kept += [_UNKNOWN] * (place + 1 - len(kept))
                kept[place] = own
        return found

    def looks(self, arrays: Sequence[np.ndarray]) -> list[Look]:
        """Return what a look at each array of numbers tells."""
        return self.of("look", arrays, look_at_all)

    def complete(self, arrays: Sequence[np.ndarray]) -> bool:
        """Whether no value is missing in any of them."""
        return all(look.complete for look in self.looks(arrays))


def look_at_all(arrays: Sequence[np.ndarray]) -> list[Look]:
    """Look at several arrays; those of floats in as many channels together, a portion of rows at a time."""
    found: list[Look] = []
    waiting: list[np.ndarray] = []
    rows = 0
    for array in arrays:
        joins = _may_be_joined(array, waiting)
        if waiting and (not joins or rows >= PIECE):
            found += _look_together(waiting)
            waiting, rows = [], 0
        if joins or _may_be_joined(array, waiting):
            waiting.append(array)
            rows += len(array)
        else:
            found.append(look_at(array))
    return found + (_look_together(waiting) if waiting else [])


def _look_together(arrays: Sequence[np.ndarray]) -> list[Look]:
    if len(arrays) == 1:
        return [look_at(arrays[0])]
    joined = np.concatenate(arrays)
    firsts = np.cumsum([0, *(len(array) for array in arrays[:-1])])
    low = np.minimum.reduceat(joined, firsts, axis=0).astype(np.float64)
    high = np.maximum.reduceat(joined, firsts, axis=0).astype(np.float64)
    none = np.zeros(joined.shape[1], dtype=np.int64)
    fine = np.all(np.isfinite(low) & np.isfinite(high), axis=1)
    return [
        Look(low[index], high[index], none, none) if fine[index] else look_at(array)
        for index, array in enumerate(arrays)
    ]


def _may_be_joined(array: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether an array can be looked at together with others: floats in as many channels, short."""
    like = array if not others else others[0]
    return (
        array.ndim == 2
        and 0 < len(array) < PIECE
        and array.dtype.kind == "f"
        and (array.dtype, array.shape[1]) == (like.dtype, like.shape[1])
    )


def as_float32(rows: np.ndarray) -> np.ndarray:
    """Return rows as the network reads them; what does not fit becomes infinity, which `check_finite` reports by place."""
    if rows.dtype == np.float32:
        return np.ascontiguousarray(rows)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(rows, dtype=np.float32)


def check_finite(
    sequences: Sequence[np.ndarray],
    *,
    names: Sequence[str | None] | None = None,
    allow_nan: bool = False,
    who: str = "X",
    advice: str = "Fill it, or use missing='mask', which tells the network so, or beside features= missing='fill'.",
    findings: Findings | None = None,
) -> None:
    """Raise DataError naming sequence, step and channel of the first NaN (unless allowed) or infinity.

    ``advice`` is what to do about a NaN. Values whose squares leave the numbers of 64 bits are refused as well. With
    ``findings`` a sequence is not looked at that has been.
    """
    looks = None if findings is None else findings.looks(sequences)
    if looks and (all_of_them := together(looks)).finite and all_of_them.top <= LARGEST:
        return
    for index, sequence in enumerate(sequences):
        wide = sequence.dtype == np.float64
        if looks is not None and looks[index].finite and not (wide and looks[index].top > LARGEST):
            continue
        if (np.abs(sequence) <= LARGEST).all() if wide else np.isfinite(sequence).all():
            continue
        if wide:
            check_range(sequence, f"{who}: {where(index, names)}")
        bad = np.isinf(sequence) if allow_nan else ~np.isfinite(sequence)
        if bad.any():
            step, channel = np.argwhere(bad)[0]
            kind = "infinity" if np.isinf(sequence[step, channel]) else "NaN"
            raise DataError(
                f"{who}: {where(index, names)} contains {kind} at step {step}, channel {channel} "
                f"({int(bad.sum())} such values in it). {advice if kind == 'NaN' else 'Replace it.'}"
            )


def check_range(array: np.ndarray, who: str) -> None:
    """Raise DataError if a number is so large that no sum of squares could hold it; NaN and infinity are left to others."""
    odd = np.isfinite(array) & (np.abs(array) > LARGEST)
    if odd.any():
        raise DataError(
            f"{who} holds {array[odd].flat[0]:.3g}; values must be below {LARGEST:g} in magnitude. Give them in a larger "
            "unit, or leave out what stands for no value."
        )


def check_not_tiny(arrays: Sequence[np.ndarray], who: str, findings: Findings | None = None) -> None:
    """Raise DataError if all numbers of a channel are so small that squares of them cannot be told from 0.

    Parameters
    ----------
    arrays : list of ndarray of shape (time, channels) or (n,)
        All there is to learn from: a number near 0 is fine beside larger ones.
    findings : Findings, optional
        What is known of them.
    """
    looks = (findings or Findings()).looks(arrays)
    wide = [look for look, array in zip(looks, arrays, strict=True) if array.dtype == np.float64]
    largest = together(wide).largest if wide else np.zeros(1)
    tiny = (largest > 0) & (largest < SMALLEST)
    if tiny.any():
        raise DataError(
            f"{who} holds nothing larger than {largest[tiny][0]:.3g} in channel {int(np.argmax(tiny))}; values must reach "
            f"{SMALLEST:g} in magnitude, or be 0. Give them in a smaller unit."
        )


def plain_weights(who: str, sample_weight: Any) -> Any:
    """Return sample weights as they are; DataError at what would be taken for numbers: times, text, what is masked out."""
    if sample_weight is None or isinstance(sample_weight, int | float):
        return sample_weight
    if isinstance(sample_weight, np.ma.MaskedArray) and np.ma.getmaskarray(sample_weight).any():
        raise DataError(
            f"{who}: sample_weight has {int(np.ma.getmaskarray(sample_weight).sum())} values that are masked out; give a "
            "weight of 0 where a sequence is not to count."
        )
    given = np.asarray(sample_weight)
    cells = given.ravel().tolist() if given.dtype.kind == "O" else []
    wrong = next(
        (cell for cell in cells if isinstance(cell, complex) or not isinstance(cell, numbers.Number)), None
    )
    if given.size and (given.dtype.kind not in "biufO" or wrong is not None):
        first = given.ravel()[0] if wrong is None else wrong
        raise DataError(
            f"{who}: sample_weight must hold numbers of at least 0; got {str(first)!r}. Leave it out."
        )
    return sample_weight


def check_weights(weights: np.ndarray, who: str, what: str = "sample_weight") -> None:
    """Raise DataError if weights cannot be told from 0, or from infinity, where the loss weighs in 32 bits.

    Parameters
    ----------
    weights : ndarray of float64, of numbers of at least 0
    """
    top = float(weights.max(initial=0.0))
    if top > HEAVIEST:
        raise DataError(f"{who}: {what} must be at most {HEAVIEST:g}; got {top:.3g}. Divide all by it.")
    if top < LIGHTEST:
        raise DataError(
            f"{who}: {what} must reach {LIGHTEST:g} for at least one sequence; got nothing larger than {top:.3g}, of which "
            "nothing would be learned. Divide all by the largest."
        )
