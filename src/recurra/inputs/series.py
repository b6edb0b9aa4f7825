"""What a user passes as series, known inputs and attributes becomes arrays of shape (time, targets)."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.array_summaries import check_finite, check_not_tiny
from recurra.checks import did_you_mean, listing, where
from recurra.errors import DataError, RecurraWarning, ShapeError
from recurra.features.known import Known
from recurra.plain_arrays import as_sequences, check_same_channels, plain
from recurra.readers.tables.series import columns_of_frame, from_frame, is_dated, told_of_counts
from recurra.readers.times.calendar import in_words, place_of, places_on, plain_alias, same_step
from recurra.records import Dataset, Record


@dataclass(frozen=True)
class GivenSeries:
    """Series as read: lists of equal length.

    Parameters
    ----------
    values : list of ndarray of shape (time, n_targets)
        NaN where missing.
    known : list of Known
    names : list of str or None
    freq : str
        Step between time stamps, such as "h" or "ME"; empty where there are none.
    one : bool
        A single series was given, not a list.
    flat : bool
        Series were given without an axis for targets.
    channel_names : list of str or None
    known_names, attribute_names : list of str or None
        Of the columns known in advance and of the attributes, where frames or a table told them.
    """

    values: list[np.ndarray]
    known: list[Known]
    names: list[str | None]
    freq: str = ""
    one: bool = False
    flat: bool = False
    channel_names: list[str] | None = None
    known_names: list[str] | None = None
    attribute_names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.values)


def read_series(
    who: str,
    X: Any,
    known: Any = None,
    static: Any = None,
    *,
    allow_nan: bool = True,
    trained: Any = None,
) -> GivenSeries:
    """Read series.

    Parameters
    ----------
    X : Dataset of kind "series" or "sequence", Series, DataFrame, ndarray, or list of them, or table of shape (series, time)
        An array of shape (time,) or (time, 1) is one series, as is a Series or a DataFrame, a row per time step; a list
        holds arrays of shape (time,) or (time, targets), Series or DataFrames. Dates of an index are kept.
    known : ndarray or DataFrame, or list of them, of shape (time or more, n_known), optional
        Known in advance, from the first step of each series on; rows of a DataFrame with dates are taken by date.
    static : array-like or DataFrame of shape (series, n_static), optional
        Attributes of each series; text becomes one column per value.
    trained : mapping, optional
        ``input`` of a model's manifest: columns of frames are put in the order of the training by their names, and the
        step between time stamps must be that of the training.

    Raises
    ------
    DataError, ShapeError
        Naming the series that cannot be used.
    """
    trained = trained or {}
    if isinstance(X, Dataset):
        given = _of_dataset(who, X, known, static, allow_nan, trained)
    else:
        given = _of_arrays(who, X, known, static, allow_nan, trained)
    check_step(who, given.freq, str(trained.get("freq") or ""))
    return given


def check_step(who: str, freq: str, trained: str) -> None:
    """Raise DataError if a series' step is another than that of the training, where both are known."""
    if freq and trained and not same_step(freq, trained):
        raise DataError(
            f"{who}: the series has a step every {in_words(freq)}; the network was trained on a step every "
            f"{in_words(trained)}. Bring a shorter step to that one, which takes means, with "
            f"resample={trained!r} where a table is read, or of a frame with .resample({plain_alias(trained)!r}).mean(); "
            "or train on this series."
        )


def _of_arrays(who: str, X: Any, known: Any, static: Any, allow_nan: bool, trained: Any) -> GivenSeries:
    X = X if is_dated(X) else plain(X, "X:")
    one = is_dated(X) or (hasattr(X, "__array__") and np.ndim(X) == 1 and np.asarray(X).dtype != object)
    one = one or (isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype != object)
    one = one or (isinstance(X, list | tuple) and len(X) > 0 and not is_dated(X[0]) and np.ndim(X[0]) == 0)
    listed = [X if is_dated(X) or isinstance(X, np.ndarray) else np.asarray(X)] if one else X
    records, channels = None, None
    if isinstance(listed, list | tuple) and any(is_dated(x) for x in listed):
        records, channels = _of_frames(who, listed, trained.get("channel_names"))
        listed = [record.values[:, 0] if record.values.shape[1] == 1 else record.values for record in records]
    flat = all(np.ndim(x) == 1 for x in listed) if not hasattr(listed, "ndim") or listed.ndim < 3 else False
    flat = flat or (one and np.ndim(listed[0]) == 2 and np.shape(listed[0])[1] == 1)
    values = as_sequences(listed, who="X")
    _check_values(values, None, allow_nan)
    records = records or [Record(v) for v in values]
    futures, known_names = _futures(who, known, records, one, trained.get("known_names"))
    attributes, attribute_names = _static(who, static, len(values), trained.get("attribute_names"))
    freq = _one_freq(who, records)
    return GivenSeries(
        values,
        [_known(r, f, a, freq, known_names) for r, f, a in zip(records, futures, attributes, strict=True)],
        [None] * len(values),
        freq=freq,
        one=one,
        flat=flat,
        channel_names=channels,
        known_names=known_names,
        attribute_names=attribute_names,
    )


def _known(
    record: Record, future: np.ndarray | None, static: Any, freq: str, names: list[str] | None
) -> Known:
    place = place_of(record.start, freq, record.zone)
    return Known(future, static, place, record.start, place, record.zone, tuple(names or ()))


def _one_freq(who: str, records: Sequence[Record]) -> str:
    """Return the step that all series have, empty if they have none."""
    freqs = list(dict.fromkeys(str(record.freq or "") for record in records))
    if len(freqs) > 1 and not (all(freqs) and all(same_step(freq, freqs[0]) for freq in freqs)):
        shown = ", ".join(sorted(freq or "None" for freq in freqs))
        raise DataError(
            f"{who}: all series must have the same frequency; got {shown}. Train one forecaster for each."
        )
    return freqs[0]


def _of_frames(who: str, listed: Sequence[Any], wanted: Any) -> tuple[list[Record], list[str] | None]:
    """Return frames as series with their dates, their columns in the order of the training."""
    records, channels = [], None
    for index, given in enumerate(listed):
        if not is_dated(given):
            records.append(Record(np.asarray(given, dtype=np.float64).reshape(len(given), -1)))
            continue
        place = f"{who}: X" if len(listed) == 1 else f"{who}: X: {where(index)}"
        record, names, notes = from_frame(place, given)
        for note in notes:
            warnings.warn(note, RecurraWarning, stacklevel=5)
        first = channels or (list(wanted) if wanted else None)
        if first and len(names) > 1:
            order = ordered(place, names, first)
            record, names = (
                Record(record.values[:, order], start=record.start, freq=record.freq, zone=record.zone),
                first,
            )
        channels = channels or names or None
        records.append(record)
    return records, channels


def ordered(who: str, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each of the columns of the training stands in a frame.

    Raises
    ------
    DataError
        If one is not there, or there are others.
    """
    absent = [name for name in wanted if name not in names]
    foreign = [name for name in names if name not in wanted]
    if absent or foreign:
        raise DataError(
            f"{who} must have the columns of the training, {listing(wanted)}; got {listing(names)}."
            f"{did_you_mean((absent or foreign)[0], foreign if absent else wanted)} Rename the columns."
        )
    return [list(names).index(name) for name in wanted]


def _of_dataset(
    who: str, data: Dataset, known: Any, static: Any, allow_nan: bool, trained: Any
) -> GivenSeries:
    values = as_sequences(data.X, names=data.names)
    _check_values(values, data.names, allow_nan)
    freq = _one_freq(who, data.records)
    if known is not None:
        futures, known_names = _futures(who, known, data.records, False, trained.get("known_names"))
    else:
        futures = [r.known for r in data]
        known_names = None if data.known_names is None else [str(name) for name in data.known_names]
        wanted = trained.get("known_names")
        if wanted and known_names and known_names != list(wanted):
            order = ordered(f"{who}: known", known_names, wanted)
            futures = [None if f is None else f[:, order] for f in futures]
            known_names = list(wanted)
    given = static if static is not None else [r.static for r in data]
    attributes, attribute_names = _static(
        who, None if all(a is None for a in given) else given, len(values), trained.get("attribute_names")
    )
    known_all = [
        _known(r, f, a, freq, known_names) for r, f, a in zip(data, futures, attributes, strict=True)
    ]
    channels = None if data.channel_names is None else [str(c) for c in data.channel_names]
    flat = values[0].shape[1] == 1
    return GivenSeries(
        values,
        known_all,
        [*data.names],
        freq=freq,
        one=len(values) == 1,
        flat=flat,
        channel_names=channels,
        known_names=known_names,
        attribute_names=attribute_names,
    )


def _check_values(values: list[np.ndarray], names: Sequence[str | None] | None, allow_nan: bool) -> None:
    check_same_channels(values, names=names)
    check_finite(values, names=names, allow_nan=allow_nan)
    check_not_tiny(values, "X")
    for index, series in enumerate(values):
        empty = np.isnan(series).all(axis=0)
        if empty.any():
            raise DataError(
                f"X: {where(index, names)} has no value at all in channel {int(np.argmax(empty))}. Leave it out."
            )


def _futures(
    who: str, known: Any, records: Sequence[Record], one: bool, wanted: Any
) -> tuple[list[np.ndarray | None], list[str] | None]:
    """Return what is known in advance of each series, and the names of its columns."""
    count = len(records)
    if known is None:
        return [None] * count, None
    listed = [known] if one and not isinstance(known, list | tuple) else known
    listed = [listed] if is_dated(listed) else list(listed)
    if one and len(listed) != 1:
        listed = [np.asarray(known)]
    if len(listed) != count:
        raise DataError(f"{who}: known must have one array per series, {count}; got {len(listed)}.")
    out: list[np.ndarray | None] = []
    names = list(wanted) if wanted else None
    for index, (given, record) in enumerate(zip(listed, records, strict=True)):
        place = f"{who}: known of {where(index)}"
        array, names = future_of(place, given, names, record.start, record.freq or "", record.zone)
        out.append(array)
    return out, names


def future_of(
    who: str, given: Any, names: list[str] | None, start: float | None, freq: str, zone: str | None
) -> tuple[np.ndarray, list[str] | None]:
    """Return what is known in advance, shape (steps, columns), from a first step on, and the names of the columns.

    Parameters
    ----------
    given : DataFrame, Series or ndarray
        Columns of a frame are taken by name, its rows by date where both it and the series have dates.
    names : list of str or None
        Columns of the training.
    start, freq, zone
        Of the step that the rows of the answer begin with.
    """
    if not is_dated(given):
        array = np.asarray(given, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise ShapeError(f"{who} must have shape (steps, columns); got {array.shape}.")
        return array, names
    array, own, index = columns_of_frame(who, given)
    unnamed = type(given).__name__ == "Series" and given.name is None
    if names is not None and not (unnamed and len(names) == 1):
        array, own = array[:, ordered(who, own, names)], names
    if index is None:
        warn_of_counts(who, given)
    if index is not None and start is not None and freq:
        array = _by_date(who, array, index, start, freq, zone)
    return array, own


def warn_of_counts(who: str, given: Any) -> None:
    """Warn where a frame beside a series, or after it, has an index of whole numbers that is not the order of its rows."""
    for note in told_of_counts(who, getattr(given, "index", None), fewest=2):
        warnings.warn(note, RecurraWarning, stacklevel=5)


def _by_date(
    who: str, array: np.ndarray, index: Any, start: float, freq: str, zone: str | None
) -> np.ndarray:
    """Return the rows of a frame from a first step on; NaN where the frame has no row."""
    places = places_of(who, index, start, freq, zone)
    steps = int(places[-1]) + 1
    if steps < 1:
        raise DataError(f"{who} ends before the first step it should tell of. Give the rows from there on.")
    out = np.full((steps, array.shape[1]), np.nan)
    out[places[places >= 0]] = array[places >= 0]
    return out


def places_of(who: str, index: Any, start: float, freq: str, zone: str | None) -> np.ndarray:
    """Return how many steps after a first one the rows of an index lie.

    Raises
    ------
    DataError
        If they lie in another time zone, out of order, or beside the steps.
    """
    if (index.tz is None) != (zone is None):
        has, lacks = (
            ("the series has", "this has none") if zone is not None else ("this has", "the series has none")
        )
        raise DataError(
            f"{who}: {has} a time zone, {lacks}. Give both with .tz_localize({zone or str(index.tz)!r}), or read both with "
            "time_zone=."
        )
    places, beside = places_on(start, freq, zone, index)
    steps = np.diff(places)
    if beside > 0.3 or (steps.size and (np.median(steps) > 1 or (steps == 0).any())):
        raise DataError(
            f"{who} must have a row every {in_words(freq)}, the step of the series; its time stamps have another step. "
            f"Resample it: frame.resample({plain_alias(freq)!r}).mean()."
        )
    if (steps < 0).any():
        raise DataError(f"{who}: time stamps must rise. Sort it: frame.sort_index().")
    return places


def _static(who: str, static: Any, count: int, wanted: Any) -> tuple[list[Any], list[str] | None]:
    """Return the attributes of each series, and their names."""
    if static is None:
        return [None] * count, None
    names = None
    if is_dated(static) and type(static).__name__ == "DataFrame":
        names = [str(name) for name in static.columns]
        cells = np.asarray(static.to_numpy(), dtype=object)
        if wanted:
            cells, names = cells[:, ordered(f"{who}: static", names, wanted)], list(wanted)
        static = [list(row) for row in cells]
    if len(static) != count:
        raise DataError(f"{who}: static must have one row per series, {count}; got {len(static)}.")
    rows = [_cells(row) for row in static]
    if len({len(row) for row in rows}) != 1:
        raise ShapeError(f"{who}: static must have the same number of attributes for every series.")
    return rows, names


def _cells(row: Any) -> Any:
    """Return a series' attributes, numbers beside text as they are."""
    if isinstance(row, list | tuple):
        return [cell.item() if isinstance(cell, np.generic) else cell for cell in row]
    return np.atleast_1d(np.asarray(row))


@dataclass(frozen=True)
class Attributes:
    """How attributes become numbers; learned in ``fit``.

    Parameters
    ----------
    columns : tuple of (tuple of str or None)
        For each attribute the values it may have, in order; None for numbers.
    """

    columns: tuple[tuple[str, ...] | None, ...] = ()

    @classmethod
    def fit(cls, rows: Sequence[Any]) -> "Attributes":
        """Learn which values there are."""
        if not rows or rows[0] is None:
            return cls()
        columns: list[tuple[str, ...] | None] = []
        for j in range(len(rows[0])):
            cells = [row[j] for row in rows]
            numbers = all(_is_number(cell) for cell in cells)
            columns.append(None if numbers else tuple(sorted({str(cell) for cell in cells})))
        return cls(tuple(columns))

    def encode(self, row: Any) -> np.ndarray | None:
        """Return one series' attributes as numbers; a value that was not there in training is all zeros."""
        if row is None:
            return None if not self.columns else np.zeros(0)
        if len(row) != len(self.columns):
            raise ShapeError(f"static: must have {len(self.columns)} attributes; got {len(row)}.")
        out: list[float] = []
        for cell, known in zip(row, self.columns, strict=True):
            if known is None:
                if not _is_number(cell):
                    raise DataError(f"static: an attribute was a number in training; got {cell!r}.")
                out.append(float(cell))
            else:
                out += [float(str(cell) == value) for value in known]
        return np.array(out)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool) and math.isfinite(cell)
