"""What a user passes as series, known inputs and attributes becomes arrays of shape (time, targets)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.checks import as_sequences, check_finite, check_same_channels, where
from recurra.errors import DataError, ShapeError
from recurra.features.series import Known
from recurra.plain_arrays import check_not_tiny, plain
from recurra.readers.calendar import place_of
from recurra.records import Dataset


@dataclass(frozen=True)
class GivenSeries:
    """Series as read: lists of equal length.

    Parameters
    ----------
    values : list of ndarray of shape (time, n_targets)
        NaN where missing.
    known : list of Known
    names : list of str or None
    starts : list of float or None
        First time stamp in seconds since 1970.
    freq : str
        Step between time stamps, such as "h" or "MS"; empty where there are none.
    one : bool
        A single series was given, not a list.
    flat : bool
        Series were given without an axis for targets.
    channel_names : list of str or None
    """

    values: list[np.ndarray]
    known: list[Known]
    names: list[str | None]
    starts: list[float | None]
    freq: str = ""
    one: bool = False
    flat: bool = False
    channel_names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.values)


def read_series(
    who: str, X: Any, known: Any = None, static: Any = None, *, allow_nan: bool = True
) -> GivenSeries:
    """Read series.

    Parameters
    ----------
    X : Dataset of kind "series" or "sequence", ndarray of shape (time,), list of ndarray, or table of shape (series, time)
        A one-dimensional array is one series; a list holds arrays of shape (time,) or (time, targets).
    known : ndarray, or list of ndarray of shape (time or more, n_known), optional
        Known in advance, from the first step of each series on.
    static : array-like of shape (series, n_static), optional
        Attributes of each series; text becomes one column per value.

    Raises
    ------
    DataError, ShapeError
        Naming the series that cannot be used.
    """
    if isinstance(X, Dataset):
        return _of_dataset(who, X, known, static, allow_nan)
    X = plain(X, "X:")
    one = hasattr(X, "__array__") and np.ndim(X) == 1 and np.asarray(X).dtype != object
    one = one or (isinstance(X, list | tuple) and len(X) > 0 and np.ndim(X[0]) == 0)
    listed = [np.asarray(X)] if one else X
    flat = all(np.ndim(x) == 1 for x in listed) if not hasattr(listed, "ndim") or listed.ndim < 3 else False
    values = as_sequences(listed, who="X")
    _check_values(values, None, allow_nan)
    futures = _futures(who, known, len(values), one)
    attributes = _static(who, static, len(values))
    return GivenSeries(
        values,
        [Known(futures[i], attributes[i]) for i in range(len(values))],
        [None] * len(values),
        [None] * len(values),
        one=one,
        flat=flat,
    )


def _of_dataset(who: str, data: Dataset, known: Any, static: Any, allow_nan: bool) -> GivenSeries:
    values = as_sequences(data.X, names=data.names)
    _check_values(values, data.names, allow_nan)
    futures = _futures(who, known, len(values), False) if known is not None else [r.known for r in data]
    given = static if static is not None else [r.static for r in data]
    attributes = _static(who, None if all(a is None for a in given) else given, len(values))
    freqs = {record.freq for record in data}
    if len(freqs) > 1:
        raise DataError(
            f"{who}: all series must have the same frequency; got {', '.join(sorted(str(f) for f in freqs))}. "
            "Train one forecaster for each."
        )
    freq = freqs.pop() or ""
    known_all = [
        Known(f, a, *place_of(r.start, freq)) for f, a, r in zip(futures, attributes, data, strict=True)
    ]
    names: list[str | None] = [*data.names]
    starts = [r.start for r in data]
    channels = None if data.channel_names is None else [str(c) for c in data.channel_names]
    flat = values[0].shape[1] == 1
    return GivenSeries(values, known_all, names, starts, freq, len(values) == 1, flat, channels)


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


def _futures(who: str, known: Any, count: int, one: bool) -> list[np.ndarray | None]:
    if known is None:
        return [None] * count
    listed = [known] if one and not isinstance(known, list | tuple) else list(known)
    if one and len(listed) != 1:
        listed = [np.asarray(known)]
    if len(listed) != count:
        raise DataError(f"{who}: known must have one array per series, {count}; got {len(listed)}.")
    out: list[np.ndarray | None] = []
    for index, given in enumerate(listed):
        array = np.asarray(given, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise ShapeError(
                f"{who}: known of {where(index)} must have shape (steps, columns); got {array.shape}."
            )
        out.append(array)
    return out


def _static(who: str, static: Any, count: int) -> list[Any]:
    if static is None:
        return [None] * count
    if len(static) != count:
        raise DataError(f"{who}: static must have one row per series, {count}; got {len(static)}.")
    rows = [np.atleast_1d(np.asarray(row)) for row in static]
    if len({row.shape for row in rows}) != 1 or rows[0].ndim != 1:
        raise ShapeError(f"{who}: static must have the same number of attributes for every series.")
    return rows


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
