"""A table with a time column becomes series on a regular grid: frequency found, gaps named, what is known ahead kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError, UsageError
from recurra.readers.tables import row_order
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.columns import from_frame as columns_of
from recurra.readers.tables.table_options import TableOptions
from recurra.readers.tables.time_columns import Clock, holds_dates, of_words, read_clock
from recurra.readers.times.calendar import in_words, offset_of, pandas, seconds_of, step_of
from recurra.readers.times.frequency import read_grid
from recurra.records import Dataset, Record

# Gaps named one by one.
NAMED_GAPS = 5
# Times that go down at this share of the steps, of so many at least, are values.
FEWEST_TO_TELL, SHARE_OF_VALUES = 8, 0.2
# Of an index that counts, fewer steps than this are gaps; where more are uneven, rows of several series were mixed.
SHARE_OF_GAPS = 0.3
# What the index of a frame is called among its columns.
INDEX = "the index"


def series_from_columns(columns: Columns, words: TableOptions) -> Dataset:
    """Turn columns into series.

    Parameters
    ----------
    columns : Columns
        One row per time step of each series.
    words : TableOptions
        ``time`` names the stamps, ``target`` what is to be forecast (by default every column without another part),
        ``id`` the series a row belongs to, ``known`` what is known in advance, ``static`` attributes of a series.
        Rows at the end whose targets are empty tell what is known of the future.

    Raises
    ------
    DataError
        If stamps are out of order (unless ``sort``), appear twice, or follow no one frequency, in a series or between
        series.
    """
    clock = of_words(columns, words, series=True)
    if clock is None:
        dated = [name for name in columns.names if holds_dates(columns, name)]
        advice = f": {listing(dated)} {'holds' if len(dated) == 1 else 'hold'} dates" if dated else ""
        raise DataError(
            f"{columns.who}: needs a time column to be read as series; its columns are {listing(columns.names)}. "
            f"Name it with time={repr(dated[0]) if len(dated) == 1 else ''}{advice}."
        )
    _check_times(columns, clock, words)
    known, static = list(words.known or ()), row_order.static_names(columns, words)
    for name in known:
        columns.check_name(name, "known")
    targets = [words.target] if isinstance(words.target, str) else list(words.target or ())
    if not targets:
        special = {words.time, words.id, words.group, words.label, *known, *static}
        targets = [name for name in words.channels or columns.names if name not in special]
    if not targets:
        raise DataError(f"{columns.who}: has no column left to forecast. Name it with target=.")
    values = np.column_stack([columns.channel(name) for name in targets])
    future = np.column_stack([columns.numbers(name) for name in known]) if known else None
    notes = [clock.note] if clock.note else []
    records = []
    for series, rows in _rows(columns, words):
        if words.sort:
            rows = rows[np.argsort(clock.seconds[rows], kind="stable")]
        place = columns.who if series is None else f"{columns.who}, series {series!r}"
        ahead = None if future is None else future[rows]
        record, said = on_grid(place, clock, rows, values[rows], ahead, resample=words.resample)
        attributes = [_constant(columns, column, rows, place) for column in static] or None
        records.append(replace(record, name=series, group=series, static=attributes))
        notes += said
    records = _of_one_frequency(columns.who, records)
    freq = records[0].freq
    if freq:
        notes.insert(0, f"{columns.who}: a step every {in_words(freq)}, found from the time stamps.")
    notes += _missing_known(columns.who, records, known)
    return Dataset(
        records,
        channel_names=targets,
        known_names=known or None,
        kind="series",
        source=columns.who,
        notes=tuple(notes),
        time_spelling=clock.spelling,
    )


def _check_times(columns: Columns, clock: Clock, words: TableOptions) -> None:
    """Raise DataError where the time column holds values rather than times: they go up and down, and are no dates.

    Which column holds the times is said, where one holds dates.
    """
    if (
        clock.dates
        or clock.stamps is not None
        or words.id
        or words.sort
        or len(clock.seconds) < FEWEST_TO_TELL
    ):
        return
    down = int((np.diff(clock.seconds) < 0).sum())
    if down < SHARE_OF_VALUES * len(clock.seconds):
        return
    steps = np.diff(np.sort(clock.seconds))
    if 2 * steps.min() > np.median(steps):  # times whose rows are out of order, of which `read_grid` says so
        return
    dated = [name for name in columns.names if name != words.time and holds_dates(columns, name)]
    hint = (
        f"{dated[0]!r} holds dates: give time={dated[0]!r}."
        if dated
        else "Name the column of times with time=."
    )
    raise DataError(
        f"{columns.who}: the column {words.time!r} goes down at {down} of {len(clock.seconds) - 1} steps, so it holds "
        f"values and no times. {hint}"
    )


def _rows(columns: Columns, words: TableOptions) -> list[tuple[str | None, np.ndarray]]:
    if not words.id:
        return [(None, np.arange(columns.rows))]
    ids = np.array(columns.words(words.id))
    return [(str(name), np.flatnonzero(ids == name)) for name in dict.fromkeys(ids.tolist())]


def _of_one_frequency(who: str, records: list[Record]) -> list[Record]:
    """Return series whose steps are one length, under one name of it.

    Raises
    ------
    DataError
        If they are not.
    """
    freqs = sorted({str(record.freq or "") for record in records})
    if len({step_of(freq) if freq else None for freq in freqs}) > 1:
        raise DataError(
            f"{who}: its series have several frequencies: {', '.join(freqs)}. Train one forecaster for each."
        )
    return records


def on_grid(
    who: str,
    clock: Clock,
    rows: np.ndarray | slice,
    values: np.ndarray,
    future: np.ndarray | None,
    *,
    resample: str | None = None,
) -> tuple[Record, list[str]]:
    """Return one series with a row for every step, and what was decided.

    Parameters
    ----------
    clock : Clock
        Times of a table.
    rows : ndarray of int
        Rows of the series in it.
    values : ndarray of shape (rows, n_targets)
        NaN where missing.
    future : ndarray of shape (rows, n_known) or None
        What is known in advance; rows at the end without values are ahead.
    resample : str, optional
        Longer step to bring it to.
    """
    if clock.counter:
        index = None
        places = np.round(clock.seconds[rows] - clock.seconds[rows][0]).astype(np.int64)
        _check_counted(who, clock.seconds[rows])
        freq, start, notes, gaps = "", None, [], []
        if resample is not None:
            raise UsageError(
                f"{who}: resample needs dates, or times with a unit; the time column only counts steps."
            )
    else:
        index = clock.index(rows)
        if resample is not None:
            index, values, future = resampled(who, index, values, future, resample)
        grid = read_grid(who, index)
        places, freq, gaps = grid.places, grid.freq, grid.gaps
        start = grid.start if clock.dates else None
        notes = [f"{who}: {grid.note}"] if grid.note else []
    steps = int(places[-1]) + 1
    there = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(there):
        raise DataError(f"{who}: has no value to learn from.")
    length = int(places[there[-1]]) + 1
    spread = np.full((steps, values.shape[1]), np.nan)
    spread[places] = values
    missing = steps - len(places)
    if missing:
        shown = "; ".join(gaps[:NAMED_GAPS])
        more = f"; and {len(gaps) - NAMED_GAPS} more" if len(gaps) > NAMED_GAPS else ""
        notes.append(
            f"{who}: {counted(missing, 'step is missing and is', 'steps are missing and are')} masked"
            f"{': ' if shown else ''}{shown}{more}."
        )
    ahead = None
    if future is not None:
        # A step without a row has what the step before had; a cell that is empty stays so, and is refused later.
        source = np.zeros(steps, dtype=np.int64)
        source[places] = np.arange(len(places))
        ahead = future[np.maximum.accumulate(source)]
        if missing:
            notes.append(
                f"{who}: what is known in advance of {'the missing step' if missing == 1 else f'{missing} missing steps'} "
                "is taken from the step before each."
            )
    zone = clock.zone if clock.dates else None
    return Record(spread[:length], start=start, freq=freq or None, zone=zone, known=ahead), notes


def _check_counted(who: str, numbers: np.ndarray) -> None:
    steps = np.diff(numbers)
    if (steps <= 0).any():
        at = int(np.flatnonzero(steps <= 0)[0])
        how = "appears twice" if steps[at] == 0 else f"comes after {numbers[at]:g}"
        raise DataError(
            f"{who}: the time column must count up; {numbers[at + 1]:g} {how}. "
            "Name the column that tells series apart with id=, or give sort=True."
        )


def resampled(
    who: str, index: Any, values: np.ndarray, future: np.ndarray | None, freq: str
) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Return the means of the values in every longer step, NaN where there is none.

    Raises
    ------
    DataError
        If pandas does not know the frequency.
    UsageError
        If the step is not longer than those of the stamps.
    """
    pd = pandas("resampling a series")
    offset = offset_of(freq)
    kind, count = step_of(freq)
    mean = (
        {"D": 1.0, "B": 1.4, "bh": 0.175, "M": 30.436875, "SM": 15.2184375, "s": 1 / 86400}[kind]
        * count
        * 86400
    )
    usual = float(np.median(np.diff(seconds_of(index)))) if len(index) > 1 else 0.0
    if mean < 0.99 * usual:
        raise UsageError(
            f"{who}: resample= must be a longer step than that of the time stamps, {usual:g} s; got {freq!r}. Train on the "
            "series as it is."
        )
    table = pd.DataFrame(np.column_stack([values] if future is None else [values, future]), index=index)
    means = table.resample(offset).mean()
    numbers = means.to_numpy()
    width = values.shape[1]
    return means.index, numbers[:, :width], None if future is None else numbers[:, width:]


def _missing_known(who: str, records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """Return a sentence on each column known in advance that is not known everywhere."""
    out = []
    for column, name in enumerate(names):
        empty = [
            np.flatnonzero(np.isnan(record.known[:, column]))
            for record in records
            if record.known is not None
        ]
        count = sum(len(rows) for rows in empty)
        if count:
            total = sum(len(record.known) for record in records)
            out.append(
                f"{who}: {name!r}, known in advance, is missing at {count} of {total} steps; fill it before training, it is "
                "not filled by guessing."
            )
    return out


def _constant(columns: Columns, name: str, rows: np.ndarray, who: str) -> Any:
    cells = np.asarray(columns.labels(name), dtype=object)[rows]
    if len(set(cells.tolist())) > 1:
        raise DataError(
            f"{who}: the attribute {name!r} must be the same in every row of a series. Use known=."
        )
    return cells[0]


# ------------------------------------------------------- frames given to a forecaster


def is_dated(given: Any) -> bool:
    """Return whether this is a Series or DataFrame of pandas or polars, without importing either."""
    return type(given).__module__.split(".")[0] in ("pandas", "polars") and type(given).__name__ in (
        "Series",
        "DataFrame",
    )


def from_frame(who: str, given: Any) -> tuple[Record, list[str], list[str]]:
    """Turn a Series or DataFrame, a row per time step, into one series with the dates of its index.

    Parameters
    ----------
    given : pandas or polars Series or DataFrame
        Its time is an index of dates or a column of dates; without either, steps are in the order of the rows.

    Returns
    -------
    record : Record
        Values of shape (time, columns).
    names : list of str
        Of the columns; empty for a Series without a name.
    notes : list of str
        What the user should know, such as gaps.

    Raises
    ------
    DataError
        If a column holds no numbers, or the dates follow no one frequency.
    """
    named: list[str] | None = (
        [] if type(given).__name__ == "Series" and getattr(given, "name", None) in (None, "") else None
    )
    columns, time, names = _frame_columns(given)
    advice = "Leave the column out, or read the table with recurra.load(frame, kind='series', ...), which says what each is."
    values = np.column_stack([columns.channel(name, advice=advice) for name in names])
    clock = read_clock(replace(columns, who=who), time, series=True) if time else None
    if clock is None or (clock.counter and time == INDEX):
        notes = told_of_counts(who, getattr(given, "index", None))
        return Record(values), names if named is None else named, notes
    record, notes = on_grid(who, clock, np.arange(len(values)), values, None)
    return record, names if named is None else named, notes


def told_of_counts(who: str, index: Any, *, fewest: int = FEWEST_TO_TELL) -> list[str]:
    """Return a sentence where an index of whole numbers falls, or leaves some out: rows are read as they lie.

    Parameters
    ----------
    index : Index of pandas, or anything else, of which nothing is said
    fewest : int, default=8
        Rows from which on it is told. Fewer than eight, those of an update, may leave out more and must not fall at all;
        a number that is there twice is told of them too.
    """
    if getattr(getattr(index, "dtype", None), "kind", "O") not in "iu" or len(index) < max(2, fewest):
        return []
    steps = np.diff(index.to_numpy().astype(np.int64))
    back = np.flatnonzero(steps < 0)
    few = len(index) < FEWEST_TO_TELL
    if len(back) > len(index) / 4 or (few and len(back)):
        at = int(back[0])
        return [
            f"{who}: its rows are read as they lie, which is not the order of its index: {index[at + 1]} comes after "
            f"{index[at]}. If the index counts the steps, sort it with .sort_index(); if not, leave it out with "
            ".reset_index(drop=True)."
        ]
    again = np.flatnonzero(steps == 0)
    if len(again) and fewest < FEWEST_TO_TELL and not len(back) and len(again) <= len(steps) / 2:
        return [
            f"{who}: its rows are read one after the other, though its index has {index[again[0]]} twice. If a step is "
            "there twice, leave one out with [~frame.index.duplicated()]; if these are several series, give each by itself "
            "in a list; if not, leave the index out with .reset_index(drop=True)."
        ]
    usual = int(np.median(steps))
    gaps = np.flatnonzero(steps != usual)
    most = 0.5 if few else SHARE_OF_GAPS
    if usual < 1 or (steps < 1).any() or not 0 < len(gaps) <= most * len(steps):
        return []
    at = int(gaps[0])
    return [
        f"{who}: its rows are read one after the other, though its index leaves out numbers: {index[at + 1]} comes after "
        f"{index[at]}. If steps are missing, put NaN there with .reindex(range({index[0]}, {index[-1] + usual}, {usual})); "
        "if not, leave the index out with .reset_index(drop=True)."
    ]


def _frame_columns(given: Any) -> tuple[Columns, str | None, list[str]]:
    """Return the columns of a frame with its index as one of them, which of them is time, and the names of the others."""
    frame = given.to_frame() if type(given).__name__ == "Series" else given
    index = getattr(frame, "index", None) if type(frame).__module__.startswith("pandas") else None
    if index is None:
        columns = columns_of(frame)
        time = _dated_column(columns)
    else:
        columns = columns_of(frame.reset_index(drop=True).rename_axis(None))
        time = _dated_column(columns)
        if index.name is not None or _tells_time(index):
            cells = np.asarray(index.to_numpy())
            if getattr(index, "tz", None) is not None:
                cells = np.array(index.tolist(), dtype=object)
            columns = replace(columns, names=[INDEX, *columns.names], arrays=[cells, *columns.arrays])
            time = INDEX
    return columns, time, [name for name in columns.names if name != time]


def _tells_time(index: Any) -> bool:
    """Return whether an index without a name is of times; whole numbers only if they are years in a row, or 202401."""
    if type(index).__name__ == "RangeIndex":
        return False
    cells = np.asarray(index.to_numpy())
    if cells.dtype.kind not in "iu":
        return True
    steps = np.diff(cells)
    return bool(
        (cells > 100_000).all() or (steps.size and (steps == steps[0]).all() and (cells < 2_300).all())
    )


def _dated_column(columns: Columns) -> str | None:
    """Return the one column of dates of a frame, else the one of dates in text; None if there is none or several."""
    dated = [
        name
        for name, array in zip(columns.names, columns.arrays, strict=True)
        if isinstance(array, np.ndarray) and array.dtype.kind == "M"
    ] or [name for name in columns.names if holds_dates(columns, name)]
    return dated[0] if len(dated) == 1 and len(columns.names) > 1 else None


def columns_of_frame(who: str, given: Any) -> tuple[np.ndarray, list[str], Any]:
    """Return numbers, names and, where it has dates, the DatetimeIndex of a frame that goes beside a series."""
    columns, time, names = _frame_columns(given)
    values = np.column_stack([columns.numbers(name, advice="Leave the column out.") for name in names])
    clock = read_clock(replace(columns, who=who), time, series=True) if time else None
    return values, names, clock.index() if clock is not None and clock.dates else None
