"""Time columns: what they are measured in, whether they go forward, and the sampling rate that follows."""

import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.errors import DataError, UsageError
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.number_formats import is_missing
from recurra.readers.tables.preamble import is_number
from recurra.readers.tables.table_options import TableOptions
from recurra.readers.times import dates
from recurra.readers.times.calendar import pandas
from recurra.readers.times.number_dates import (
    YEARS,
    are_whole,
    check_epoch,
    perhaps_days,
    present,
    read_number_dates,
)

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

# Times of at least so many seconds (1973) count from 1970.
_SINCE_1970 = 1e8

# Types of moments in a column of objects.
_MOMENTS = ("Timestamp", "datetime", "date", "datetime64")
# What a date in text has: a digit, and more than a number would.
_DIGIT_AND_MORE = re.compile(r"(?=.*\d)(?!\s*[+-]?\d*[.,]?\d*([eE][+-]?\d+)?\s*\Z)", re.DOTALL)


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
    stamps : ndarray of datetime64, shape (rows,), optional
        The dates to the last digit: of the local clock, or in universal time where there is a zone.
    zone : str, optional
        Time zone of the dates, such as "Europe/Berlin" or "+01:00".
    note : str
        What was decided that the user should know, empty if nothing was.
    spelling : str
        What numbers were found to spell, where fewer of them would not show it.
    """

    seconds: np.ndarray
    counter: bool
    dates: bool
    stamps: np.ndarray | None = None
    zone: str | None = None
    note: str = ""
    spelling: str = ""

    def since_first(self) -> np.ndarray:
        """Return the seconds, shape (rows,); of dates since the earliest: since 1970 a float ends at a fifth of 1 µs."""
        if self.stamps is None or not len(self.stamps):
            return self.seconds
        ticks = self.stamps.astype(np.int64)
        per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[np.datetime_data(self.stamps.dtype)[0]]
        return np.asarray((ticks - ticks.min()) / per_second, dtype=np.float64)

    def index(self, rows: np.ndarray | slice = slice(None)) -> Any:
        """Return the times of these rows as a pandas.DatetimeIndex, in the zone; numbers count from 1970."""
        pd = pandas("a series with dates")
        if self.stamps is not None:
            made = pd.DatetimeIndex(self.stamps[rows])
            return made if self.zone is None else made.tz_localize("UTC").tz_convert(self.zone)
        seconds = self.seconds[rows]
        scale = 9 if len(seconds) and np.abs(seconds).max() < 9e9 else 6
        unit = {9: "ns", 6: "us"}[scale]
        return pd.DatetimeIndex(np.round(seconds * 10**scale).astype(np.int64).astype(f"datetime64[{unit}]"))


def read_clock(
    columns: Columns,
    name: str,
    *,
    unit: str | None = None,
    named: str | None = None,
    form: str | None = None,
    zone: str | None = None,
    series: bool = False,
    spelling: str | None = None,
) -> Clock:
    """Read a time column: numbers, dates, durations, or a frame's dates.

    Parameters
    ----------
    columns : Columns
        Table.
    name : str
        Its time column.
    unit : {"ns", "us", "ms", "s", "min", "h", "d"}, optional
        Unit of numbers; by default from the end of the name (``time_ms``), else milliseconds, microseconds or
        nanoseconds for numbers that large that they can only count from 1970, else seconds.
    named : str, optional
        Unit that the table itself tells, in a row of units or behind the name.
    form : str, optional
        Form of dates in text: "day first", "month first", or a format such as ``%d/%m/%Y %I:%M %p``; "excel" for day
        numbers of a spreadsheet.
    zone : str, optional
        Time zone of dates that carry none; the one to answer in for those that do.
    series : bool, default=False
        The steps of a series, whose whole numbers may be years, months or days of a spreadsheet.
    spelling : str, optional
        What the numbers of a like column were found to spell, see `Clock`.

    Raises
    ------
    DataError
        If a time is missing, neither a number nor a date, or can be read in two ways.
    UsageError
        If unit, form or zone make no sense.
    """
    if unit is not None:
        named = None
        check_choice(columns.who, "time_unit", unit, list(SECONDS))
    if zone is not None:
        dates.check_zone(zone)
    clock = _read(columns, name, (unit, named), form, zone, series, spelling)
    if not clock.dates and (form is not None or zone is not None):
        word = f"time_format={form!r}" if form is not None else f"time_zone={zone!r}"
        raise UsageError(
            f"{columns.who}: {word} acts on dates; the time column {name!r} holds times that count from the start. "
            "Leave it out, or name the column of dates with time=."
        )
    if np.isnan(clock.seconds).any():
        row = int(np.flatnonzero(np.isnan(clock.seconds))[0])
        raise DataError(
            f"{columns.who}: the time column {name!r} must be filled; it is empty at {columns.place(row)}. "
            "Fill it, or leave the time out and keep the rows in order."
        )
    if clock.zone is not None:
        return clock if zone is None else replace(clock, zone=zone)
    return clock


def _read(
    columns: Columns,
    name: str,
    units: tuple[str | None, str | None],
    form: str | None,
    zone: str | None,
    series: bool,
    spelling: str | None,
) -> Clock:
    column = columns[name]
    if column.dtype.kind == "m":
        seconds = column.astype("timedelta64[ns]").astype(np.int64) / 1e9
        return Clock(np.where(np.isnat(column), np.nan, seconds), False, False)
    if column.dtype.kind == "M":
        return _of_stamps(column, name, zone)
    if column.dtype.kind == "O":
        made = _of_objects(columns, name, zone)
        if made is not None:
            return made
    try:
        numbers = (
            None if form is not None and form not in (dates.EXCEL,) and "%" in form else columns.numbers(name)
        )
    except DataError:
        numbers = None
    if numbers is not None:
        return _from_numbers(columns, numbers, name, units, form, zone, series, spelling)
    return _from_text(columns, name, form, zone)


def _of_stamps(stamps: np.ndarray, name: str, zone: str | None, *, universal: bool = False) -> Clock:
    """Return dates of a local clock, or in universal time, as a clock."""
    if not universal and zone is not None:
        stamps, zone = dates.in_zone(stamps, None, zone)
    unit = np.datetime_data(stamps.dtype)[0]
    if unit not in ("s", "ms", "us", "ns"):
        stamps = stamps.astype("datetime64[s]")
        unit = "s"
    seconds = stamps.astype(np.int64) / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    return Clock(np.where(np.isnat(stamps), np.nan, seconds), False, True, stamps, zone)


def _of_objects(columns: Columns, name: str, zone: str | None) -> Clock | None:
    """Return a clock of a frame's objects: stamps with a zone, dates, periods, durations; None for text and numbers."""
    cells = columns[name]
    there = next((cell for cell in cells.tolist() if cell is not None and cell == cell), None)
    kind = type(there).__name__
    if there is None or isinstance(there, str | int | float | np.number):
        return None
    if kind == "Period":
        pd = pandas("periods")
        return _of_stamps(pd.PeriodIndex(cells).to_timestamp().to_numpy(), name, zone)
    if kind in ("Timedelta", "timedelta"):
        pd = pandas("durations")
        return Clock(np.asarray(pd.to_timedelta(pd.Series(cells)).dt.total_seconds()), False, False)
    if kind == "time":
        texts = [None if cell is None else str(cell) for cell in cells.tolist()]
        found = dates.read_durations(texts)
        return None if found is None else Clock(found, False, False)
    if kind not in _MOMENTS:
        return None
    pd = pandas("dates with a time zone")
    if getattr(there, "tzinfo", None) is None:
        return _of_stamps(pd.to_datetime(pd.Series(cells, dtype=object)).to_numpy(), name, zone)
    universal = pd.DatetimeIndex(pd.to_datetime(pd.Series(cells, dtype=object), utc=True)).tz_localize(None)
    zones = {str(cell.tzinfo) for cell in cells.tolist() if cell is not None and cell == cell}
    own = zones.pop() if len(zones) == 1 else None
    if own is not None and ("/" in own or own == "UTC"):
        return _of_stamps(universal.to_numpy(), name, zone or own, universal=True)
    ahead = [
        None if cell is None or cell != cell else int(cell.utcoffset().total_seconds())
        for cell in cells.tolist()
    ]
    local = universal.to_numpy() + np.array([a or 0 for a in ahead], dtype="timedelta64[s]")
    stamps, own, note = dates.with_offsets(local, ahead, zone)
    return replace(_of_stamps(stamps, name, own, universal=True), note=note)


# ---------------------------------------------------------------- numbers


def _from_numbers(
    columns: Columns,
    numbers: np.ndarray,
    name: str,
    units: tuple[str | None, str | None],
    form: str | None,
    zone: str | None,
    series: bool,
    spelling: str | None,
) -> Clock:
    unit, named = units
    ending = re.search(r"[_ (\[](ns|us|ms|s|sec|seconds|min|h|d)[)\]]?\Z", name.lower())
    if named is None and ending:
        named = {"sec": "s", "seconds": "s"}.get(ending.group(1), ending.group(1))
    there = present(numbers)
    if unit is None and named is None and there.size:
        found = read_number_dates(columns.who, numbers, name, form, series, spelling)
        if found is not None:
            note = f"{columns.who}: in {name!r} {found.note}." if found.note else ""
            return replace(_of_stamps(found.stamps, name, zone), note=note, spelling=found.spelling)
    size = float(np.median(np.abs(there), overwrite_input=True)) if there.size else 0.0
    # Times since 1970 of the years 1973 to 5138, in s, ms, us, ns.
    epoch = next(
        (u for u, low in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)) if size >= low), None
    )
    chosen = unit or named or epoch or "s"
    if size * SECONDS[chosen] < _SINCE_1970:  # of a clock that began with the recording
        epoch = None
    if epoch is not None and unit is None:
        check_epoch(columns.who, there, name, chosen, epoch, SECONDS[chosen], named=named is not None)
    counter = unit is None and named is None and epoch is None and are_whole(numbers)
    if counter:
        steps = np.diff(numbers)
        forward = steps[steps > 0]
        counter = forward.size == 0 or bool(np.median(forward) == 1)
    # Seconds since 1970 are in universal time, whatever zone the answers are to be in.
    own = ("UTC" if zone is None else zone) if epoch is not None and zone is not None else None
    note = "" if unit or named or epoch or form else perhaps_days(columns.who, numbers, name)
    seconds = numbers if chosen == "s" else numbers * SECONDS[chosen]
    return Clock(seconds, counter, epoch is not None, zone=own, note=note)


# ------------------------------------------------------------------- text


def _from_text(columns: Columns, name: str, form: str | None, zone: str | None) -> Clock:
    cells = columns.strings(name)
    durations = dates.read_durations(cells) if form is None else None
    if durations is not None:
        return Clock(durations, False, False)
    try:
        stamps, own, note = dates.read_dates(cells, name=name, form=form, zone=zone)
    except dates.NoDateError as error:
        why = f", which {error.reason}" if error.reason else ""
        numbers = [is_number(cell) for cell in cells if cell is not None]
        if form is None and 2 * sum(numbers) > len(numbers):  # the odd one is what is no number
            odd = (row for row, cell in enumerate(cells) if cell is not None and not is_number(cell))
            error.row, why = next(odd, error.row), ""
        mark, called = (",", "comma") if columns.numerals.decimal == "." else (".", "point")
        if form is None and is_number(str(cells[error.row]), mark):
            raise DataError(
                f"{columns.who}: the time column {name!r} must hold numbers or dates; {columns.place(error.row)} has "
                f"{str(cells[error.row])[:40]!r}. If the {called} is the decimal mark, pass decimal={mark!r}."
            ) from None
        raise DataError(
            f"{columns.who}: the time column {name!r} must hold numbers or dates like 2024-05-31 12:30:00; "
            f"{columns.place(error.row)} has {str(cells[error.row])[:40]!r}{why}. Correct it, or say how dates are written "
            "with time_format=, such as time_format='%d/%m/%Y %H:%M'."
        ) from None
    except DataError as error:
        raise DataError(f"{columns.who}: {error}") from None
    clock = _of_stamps(stamps, name, own, universal=True)
    return replace(clock, note=f"{columns.who}: {note}" if note else "")


# ------------------------------------------------- several columns for one time


def of_words(columns: Columns, words: TableOptions, *, series: bool = False) -> Clock | None:
    """Return the clock of the time column that the words name, None if they name none."""
    if not words.time:
        return None
    told = "time_unit" in words.given
    return read_clock(
        columns,
        str(words.time),
        unit=words.time_unit if told else None,
        named=None if told else words.time_unit,
        form=words.time_format,
        zone=words.time_zone,
        series=series,
        spelling=words.time_spelling,
    )


def holds_dates(columns: Columns, name: str) -> bool:
    """Return whether a column is dates, or text that reads as dates throughout, whatever order of day and month."""
    column = columns[name]
    if column.dtype.kind in "fiubM":
        return column.dtype.kind == "M"
    there = (cell for cell in column if not is_missing(cell))
    first = next(there, None)  # which tells a column of numbers in text at once
    if type(first).__name__ in _MOMENTS:  # with a time zone, or of Python
        return all(type(cell).__name__ in _MOMENTS for cell in there)
    if not isinstance(first, str) or not _DIGIT_AND_MORE.match(first):
        return False
    cells = [first, *there]
    if not all(isinstance(cell, str) for cell in cells):
        return False
    try:
        with warnings.catch_warnings():  # pandas warns before it refuses what is no date
            warnings.simplefilter("ignore")
            dates.read_dates(cells, name=name)
    except dates.NoDateError:
        return False
    except DataError:  # of which day and month cannot be told apart
        return True
    return True


def advice_on(columns: Columns, name: str, advice: str) -> str:
    """Return what to do with a column that holds no numbers: to name it where it holds dates, else the advice."""
    if holds_dates(columns, name):
        return f"It holds dates: name it with time={name!r}, or leave it out."
    return advice


def one_time_column(columns: Columns, words: TableOptions) -> tuple[Columns, TableOptions, list[str]]:
    """Return a table whose time is one column: date and time of day, or year and month, become one.

    Columns called date and time, or in a series year and month (quarter, week), are found by name where ``time`` is not
    given.

    Raises
    ------
    DataError
        If a column is not there, or they make no time together.
    """
    names = words.time
    if isinstance(names, str) or names is not None:
        names = [names] if isinstance(names, str) else list(names)
        for each in names:
            if each:
                columns.check_name(each, "time")
        if len(names) < 2:
            return columns, replace(words, time=names[0] if names else None), []
    else:
        names = _usual_pair(columns, words)
        if names is None:
            return columns, words, []
    stamps = _joined(columns, names, words)
    joined = " ".join(names)
    rest = [(n, a) for n, a in zip(columns.names, columns.arrays, strict=True) if n not in names]
    made = replace(columns, names=[joined, *(n for n, _ in rest)], arrays=[stamps, *(a for _, a in rest)])
    note = f"{columns.who}: time is read from the columns {' and '.join(repr(n) for n in names)}."
    return made, replace(words, time=joined, time_format=None), [note]


def _usual_pair(columns: Columns, words: TableOptions) -> list[str] | None:
    taken = {words.id, words.label, words.group, words.text, *(words.channels or ()), *(words.known or ())}
    lower = {name.lower(): name for name in reversed(columns.names) if name not in taken}
    if "date" in lower and "time" in lower:
        cells = [None if cell is None else str(cell).strip() for cell in columns[lower["time"]][:20].tolist()]
        kind = columns[lower["time"]].dtype.kind
        if kind == "m" or (kind == "O" and dates.read_durations(cells) is not None):
            return [lower["date"], lower["time"]]
    if (
        words.kind == "series"
        and "year" in lower
        and not {"time", "timestamp", "datetime", "date"} & set(lower)
    ):
        for second in (["month", "day"], ["month"], ["quarter"], ["week"]):
            if all(name in lower for name in second):
                return [lower["year"], *(lower[name] for name in second)]
    return None


def _joined(columns: Columns, names: list[str], words: TableOptions) -> np.ndarray:
    """Return dates of a local clock, shape (rows,), from date and time of day or from year and parts of it."""
    who = f"{columns.who}: the time columns {' and '.join(repr(n) for n in names)}"
    if words.time_format is not None and "%" in words.time_format:
        cells = [columns.strings(name) for name in names]
        texts = [None if None in row else " ".join(row) for row in zip(*cells, strict=True)]
        table = Columns(
            columns.who, [" ".join(names)], [np.array(texts, dtype=object)], columns.text, columns.delimiter
        )
        clock = read_clock(table, " ".join(names), form=words.time_format)
        assert clock.stamps is not None
        return clock.stamps
    first = columns.numbers(names[0]) if _is_years(columns, names[0]) else None
    if first is not None:
        return _of_parts(columns, names, first, who)
    date = read_clock(columns, names[0], form=words.time_format, series=True)
    column = columns[names[1]]
    of_day = column.dtype.kind in "mO" and not all(str(cell).strip().isdigit() for cell in column.tolist())
    time = read_clock(columns, names[1])
    if len(names) > 2 or not date.dates or date.stamps is None or time.dates or not of_day:
        raise DataError(
            f"{who} make no time together. Name a column of dates, then one of times of day such as 13:45; or a year, "
            "then its month (and day), quarter or week."
        )
    return date.stamps.astype("datetime64[us]") + np.round(time.seconds * 1e6).astype("timedelta64[us]")


def _is_years(columns: Columns, name: str) -> bool:
    try:
        numbers = columns.numbers(name)
    except DataError:
        return False
    there = numbers[~np.isnan(numbers)]
    return bool(there.size and YEARS[0] <= there.min() and there.max() <= YEARS[1])


def _of_parts(columns: Columns, names: list[str], years: np.ndarray, who: str) -> np.ndarray:
    second, rest = names[1].lower(), names[2:]
    cells = columns.strings(names[1])
    limits = 4 if second.startswith("q") else 53 if second.startswith(("w", "kw")) else 12
    kind = {4: "Q", 53: "W", 12: "-"}[limits]
    texts: list[str | None] = []
    for row, (year, cell) in enumerate(zip(years.tolist(), cells, strict=True)):
        part = (cell or "").upper().removeprefix("Q").removeprefix("W")
        name = kind == "-" and part[:3].lower() in dates.MONTHS
        number = (
            dates.MONTHS[part[:3].lower()]
            if name
            else int(float(part))
            if part.replace(".", "").isdigit()
            else 0
        )
        if not 1 <= number <= limits or np.isnan(year):
            raise DataError(
                f"{who} make no time at {columns.place(row)}: {year:g} and {cell!r}. Correct the cell."
            )
        days = [f"{int(columns.numbers(n)[row]):02d}" for n in rest[:1]]
        texts.append(f"{int(year)}{kind}{number:02d}" if kind != "Q" else f"{int(year)}Q{number}")
        texts[-1] = "-".join([str(texts[-1]), *days])
    try:
        stamps, _, _ = dates.read_dates(texts, name=" ".join(names))
    except dates.NoDateError as error:
        raise DataError(
            f"{who} make no time at {columns.place(error.row)}: {texts[error.row]}. Correct the cell."
        ) from None
    return stamps
