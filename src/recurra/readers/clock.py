"""Time columns: what they are measured in, whether they go forward, and the sampling rate that follows."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from recurra.checks import check_choice
from recurra.errors import DataError
from recurra.readers.columns import Columns

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

# A grid is regular if no time stamp is further from it than this share of a step: rounding to milliseconds
# stays below it up to 500 Hz, one missing step does not.
_TOLERANCE = 0.25

# Times further apart than this many usual steps leave a gap.
_GAP = 5.0


@dataclass(frozen=True)
class Clock:
    """A time column.

    Parameters
    ----------
    seconds : ndarray of shape (rows,), float64
        Time in seconds; for dates since 1970.
    counter : bool
        The column only counts steps, so that no rate follows from it.
    dates : bool
        Times are dates, or numbers that can only be seconds (milliseconds, ...) since 1970.
    """

    seconds: np.ndarray
    counter: bool
    dates: bool


def read_clock(columns: Columns, name: str, *, unit: str | None = None) -> Clock:
    """Read a time column: numbers, dates in ISO 8601, or a frame's dates.

    Parameters
    ----------
    columns : Columns
        Table.
    name : str
        Its time column.
    unit : {"ns", "us", "ms", "s", "min", "h", "d"}, optional
        Unit of numbers; by default from the end of the name (``time_ms``), else milliseconds, microseconds or
        nanoseconds for numbers that large that they can only count from 1970, else seconds.

    Raises
    ------
    DataError
        If a time is missing or neither a number nor a date.
    """
    column = columns[name]
    if unit is not None:
        check_choice(columns.who, "time_unit", unit, list(SECONDS))
    if column.dtype.kind == "M":
        seconds, counter, dates = _from_dates(column), False, True
    else:
        try:
            numbers = columns.numbers(name)
        except DataError:
            numbers = None
        if numbers is None:
            seconds, counter, dates = _from_text(columns, name), False, True
        else:
            seconds, counter, dates = _from_numbers(numbers, name, unit)
    if np.isnan(seconds).any():
        row = int(np.flatnonzero(np.isnan(seconds))[0])
        raise DataError(
            f"{columns.who}: the time column {name!r} must be filled; it is empty at {columns.place(row)}. "
            "Fill it, or leave the time out and keep the rows in order."
        )
    return Clock(seconds, counter, dates)


def _from_dates(column: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(column), np.nan, column.astype("datetime64[ns]").astype(np.int64) / 1e9)


def _from_numbers(numbers: np.ndarray, name: str, unit: str | None) -> tuple[np.ndarray, bool, bool]:
    size = float(np.nanmedian(np.abs(numbers))) if not np.isnan(numbers).all() else 0.0
    ending = re.search(r"[_ (\[](ns|us|ms|s|sec|seconds|min|h|d)[)\]]?\Z", name.lower())
    # Times since 1970 of the years 1973 to 5138, in s, ms, us, ns.
    epoch = next(
        (u for u, low in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)) if size >= low), None
    )
    named = {"sec": "s", "seconds": "s"}.get(ending.group(1), ending.group(1)) if ending else None
    chosen = unit or named or epoch or "s"
    steps = np.diff(numbers)
    counts = unit is None and named is None and epoch is None and bool(np.all(numbers == np.round(numbers)))
    forward = steps[steps > 0]
    return (
        numbers * SECONDS[chosen],
        counts and (forward.size == 0 or bool(np.median(forward) == 1)),
        epoch is not None,
    )


def _from_text(columns: Columns, name: str) -> np.ndarray:
    cells = columns.strings(name)
    try:
        if any(
            cell is not None and re.search(r"(Z|[+-]\d\d:?\d\d)\Z", cell) and "T" in cell.upper()[:12]
            for cell in cells[:1]
        ):
            raise ValueError  # numpy knows no time zones
        return _from_dates(np.array([cell or "NaT" for cell in cells], dtype="datetime64[ns]"))
    except ValueError:
        return np.array([_one_date(columns, name, row, cell) for row, cell in enumerate(cells)])


def _one_date(columns: Columns, name: str, row: int, cell: str | None) -> float:
    if cell is None:
        return float("nan")
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise DataError(
            f"{columns.who}: the time column {name!r} must hold numbers or dates like 2024-05-31 12:30:00; "
            f"{columns.place(row)} has {cell[:40]!r}."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def rate_hz(seconds: np.ndarray) -> float | None:
    """Return the sampling rate of one sequence's times, None if fewer than 3 or irregular."""
    if len(seconds) < 3:
        return None
    step = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    if step <= 0:
        return None
    grid = seconds[0] + step * np.arange(len(seconds))
    return float(1 / step) if np.abs(seconds - grid).max() <= _TOLERANCE * step else None


def gap(seconds: np.ndarray) -> tuple[int, float] | None:
    """Return the step before the longest gap, and its seconds; None if no two times are `_GAP` usual steps apart."""
    steps = np.diff(seconds)
    if len(steps) < 3:
        return None
    widest = int(steps.argmax())
    return (widest, float(steps[widest])) if steps[widest] > _GAP * float(np.median(steps)) > 0 else None


def gap_notes(seconds: np.ndarray, starts: np.ndarray, called: Callable[[int], str], who: str) -> list[str]:
    """Return a sentence on the longest gap of any sequence, if there is one.

    Parameters
    ----------
    seconds : ndarray of shape (rows,)
        Times of all sequences, one after the other.
    starts : ndarray of shape (sequences + 1,)
        First row of each sequence, and the end.
    called : callable
        Gives what to call the sequence of a row.
    who : str
        Named in the sentence.
    """
    found = [
        (*longest, int(first))
        for first, last in itertools.pairwise(starts)
        if (longest := gap(seconds[first:last])) is not None
    ]
    if not found:
        return []
    step, length, row = max(found, key=lambda one: one[1])
    return [
        f"{who}: {len(found)} sequences have gaps in time; the longest is of {length:.3g} s after step {step}"
        f"{called(row)}. Cut them there, or fill them."
    ]


def common_rate(rates: Sequence[float | None], who: str) -> tuple[list[float | None], list[str]]:
    """Return each sequence's rate, evened out where only rounding differs, and notes on what is uneven."""
    known = np.array([rate for rate in rates if rate is not None])
    notes = []
    irregular = len(rates) - len(known)
    if irregular:
        notes.append(
            f"{who}: {irregular} of {len(rates)} sequences are sampled irregularly or too short to tell; "
            "their sampling rate is left open. Resample them if the rate matters."
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
