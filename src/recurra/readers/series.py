"""A table with a time column becomes series on a regular grid: frequency found, gaps named, what is known ahead kept."""

from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import listing
from recurra.errors import DataError
from recurra.readers.calendar import read_grid
from recurra.readers.clock import read_clock
from recurra.readers.columns import Columns
from recurra.readers.words import TableWords
from recurra.records import Dataset, Record

# Gaps named one by one.
NAMED_GAPS = 5


def series_from_columns(columns: Columns, words: TableWords) -> Dataset:
    """Turn columns into series.

    Parameters
    ----------
    columns : Columns
        One row per time step of each series.
    words : TableWords
        ``time`` names the stamps, ``target`` what is to be forecast (by default every column without another part),
        ``id`` the series a row belongs to, ``known`` what is known in advance, ``static`` attributes of a series.
        Rows at the end whose targets are empty tell what is known of the future.

    Raises
    ------
    DataError
        If stamps are out of order (unless ``sort``), appear twice, or follow no one frequency, in a series or between
        series.
    """
    if not words.time:
        raise DataError(
            f"{columns.who}: needs a time column to be read as series; its columns are {listing(columns.names)}. "
            "Name it with time=."
        )
    known, static = list(words.known or ()), list(words.static or ())
    for word, names in (("known", known), ("static", static)):
        for name in names:
            columns.check_name(name, word)
    targets = [words.target] if isinstance(words.target, str) else list(words.target or ())
    if not targets:
        special = {words.time, words.id, words.group, words.label, *known, *static}
        targets = [name for name in words.channels or columns.names if name not in special]
    if not targets:
        raise DataError(f"{columns.who}: has no column left to forecast. Name it with target=.")
    seconds = read_clock(columns, words.time, unit=words.time_unit).seconds
    values = np.column_stack([columns.numbers(name) for name in targets])
    future = np.column_stack([columns.numbers(name) for name in known]) if known else None
    notes: list[str] = []
    records = []
    for series, rows in _rows(columns, words):
        if words.sort:
            rows = rows[np.argsort(seconds[rows], kind="stable")]
        place = columns.who if series is None else f"{columns.who}, series {series!r}"
        record, said = _record(place, seconds[rows], values[rows], None if future is None else future[rows])
        attributes = [_constant(columns, column, rows, place) for column in static] or None
        records.append(replace(record, name=series, group=series, static=attributes))
        notes += said
    freqs = sorted({str(record.freq) for record in records})
    if len(freqs) > 1:
        raise DataError(
            f"{columns.who}: its series have several frequencies: {', '.join(freqs)}. Train one forecaster for each."
        )
    notes.insert(0, f"{columns.who}: a step every {freqs[0]}, found from the time stamps.")
    return Dataset(records, channel_names=targets, kind="series", source=columns.who, notes=tuple(notes))


def _rows(columns: Columns, words: TableWords) -> list[tuple[str | None, np.ndarray]]:
    if not words.id:
        return [(None, np.arange(columns.rows))]
    ids = np.array(columns.words(words.id))
    return [(str(name), np.flatnonzero(ids == name)) for name in dict.fromkeys(ids.tolist())]


def _record(
    who: str, seconds: np.ndarray, values: np.ndarray, future: np.ndarray | None
) -> tuple[Record, list[str]]:
    grid = read_grid(who, seconds)
    steps = int(grid.places[-1]) + 1
    there = np.flatnonzero(np.isfinite(values).any(axis=1))
    if not len(there):
        raise DataError(f"{who}: has no value to learn from.")
    length = int(grid.places[there[-1]]) + 1
    spread = np.full((steps, values.shape[1]), np.nan)
    spread[grid.places] = values
    ahead = None
    if future is not None:
        ahead = np.full((steps, future.shape[1]), np.nan)
        ahead[grid.places] = future
        ahead = _carried(ahead)
    notes = []
    if grid.gaps:
        shown = "; ".join(grid.gaps[:NAMED_GAPS])
        more = f"; and {len(grid.gaps) - NAMED_GAPS} more" if len(grid.gaps) > NAMED_GAPS else ""
        missing = steps - len(grid.places)
        notes.append(f"{who}: {missing} steps are missing and are masked: {shown}{more}.")
    return Record(spread[:length], start=float(seconds[0]), freq=grid.freq, known=ahead), notes


def _carried(columns: np.ndarray) -> np.ndarray:
    """Carry what is known over missing rows."""
    last = np.maximum.accumulate(np.where(np.isnan(columns), 0, np.arange(len(columns))[:, None]), axis=0)
    return np.take_along_axis(columns, last, axis=0)


def _constant(columns: Columns, name: str, rows: np.ndarray, who: str) -> Any:
    cells = np.asarray(columns.labels(name), dtype=object)[rows]
    if len(set(cells.tolist())) > 1:
        raise DataError(
            f"{who}: the attribute {name!r} must be the same in every row of a series. Use known=."
        )
    return cells[0]
