"""Frames as the tools of the time-series archives pass them: a whole sequence in each cell, or two levels of index."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError
from recurra.readers.tables.columns import Columns, from_frame, is_frame
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.records import Dataset, Record

INSTANCE = "instance"


def sequence_columns(columns: Columns, wanted: Sequence[str] | None) -> list[str]:
    """Return the columns whose cells are sequences, of the wanted ones if they are told; empty if there are none."""
    names = columns.names if wanted is None else list(wanted)
    held = dict(zip(columns.names, columns.arrays, strict=True))
    arrays = {name: cells for name in names if isinstance(cells := held[name], np.ndarray)}
    return [name for name, cells in arrays.items() if cells.dtype == object and _is_sequence(cells[0])]


def _is_sequence(cell: Any) -> bool:
    return not isinstance(cell, str | bytes | dict) and hasattr(cell, "__len__") and np.ndim(cell) == 1


def sequences(columns: Columns, channels: Sequence[str]) -> list[np.ndarray]:
    """Return an array of shape (time, channels) for each row.

    Raises
    ------
    DataError
        If a cell holds no sequence of numbers, or the cells of a row are not equally long.
    """
    out = []
    for row in range(columns.rows):
        cells = [_numbers(columns, name, row) for name in channels]
        lengths = [len(cell) for cell in cells]
        if len(set(lengths)) > 1:
            odd = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise DataError(
                f"{columns.who}: the channels of a sequence must be equally long; in {columns.place(row)} {channels[0]!r} "
                f"has {counted(lengths[0], 'step')}, {channels[odd]!r} {lengths[odd]}. Cut or fill them."
            )
        out.append(np.column_stack(cells))
    return out


def _numbers(columns: Columns, name: str, row: int) -> np.ndarray:
    cell = columns[name][row]
    if _is_sequence(cell) and len(cell):
        array = np.asarray(cell)
        if array.dtype.kind in "fiub":
            return array.astype(np.float64)
        if array.dtype == object:
            try:
                return np.array([np.nan if one is None else float(one) for one in array])
            except (TypeError, ValueError):
                pass
    raise DataError(
        f"{columns.who}: column {name!r} must hold a sequence of numbers in every cell; {columns.place(row)} has "
        f"{str(cell)[:40]!r}. Correct it, or leave the row out."
    )


def with_label(
    columns: Columns, words: TableOptions, channels: Sequence[str]
) -> tuple[TableOptions, list[str]]:
    """Return the words with the only column beside the sequences as the label; of several, a note that none is used."""
    told = {words.id, words.time, words.label, words.group, *words.target_names, *(words.static or ())}
    left = [name for name in columns.names if name not in channels and name not in told]
    if not left or words.channels is not None:
        return words, []
    if len(left) == 1 and words.label is None and not words.target:
        return replace(words, label=left[0]), [
            f"{columns.who}: label={left[0]!r}, the only column beside the sequences."
        ]
    return words, [
        f"{columns.who}: not used: {listing(left)}. Say what they are with label=, id=, group= or static=."
    ]


def _is_of_instances(frame: Any) -> bool:
    """Return whether the index of a frame has two levels, the second of times: more may be meant by any other pair."""
    index: Any = getattr(frame, "index", None)
    if getattr(index, "nlevels", 1) != 2 or (
        index.names[0] is None and index.get_level_values(0).dtype.kind in "mM"
    ):
        return False
    return index.get_level_values(1).dtype.kind in "mM" or "time" in str(index.names[1]).lower()


def with_instances(frame: Any, words: TableOptions) -> tuple[Any, TableOptions]:
    """Return a frame whose index has the levels instance and time with the first as its id, and the words that say so.

    A frame with another index, or words that say which columns these are, stay as they are. Numbered steps are left out;
    times become the time column.
    """
    if not _is_of_instances(frame) or words.id is not None or words.time is not None:
        return frame, words
    index = frame.index
    usual = {*USUAL_NAMES["id"], *USUAL_NAMES["time"]}
    if any(str(name).lower() in usual for name in index.names):  # columns of these names are found
        return frame, words
    if index.get_level_values(1).dtype.kind in "iu":
        return (
            frame.reset_index(level=1, drop=True).rename_axis(INSTANCE),
            replace(words, id=INSTANCE, time="", layout="long"),
        )
    return frame.rename_axis([INSTANCE, "time"]), replace(words, id=INSTANCE, time="time")


def of_the_archives(X: Any) -> Dataset | None:
    """Return a frame with a sequence in each cell, or with the index levels instance and time, as a Dataset without labels.

    Returns
    -------
    Dataset or None
        None if X is neither.

    Raises
    ------
    DataError
        If only some columns hold sequences.
    """
    if not is_frame(X):
        return None
    if _is_of_instances(X):
        index = X.index.get_level_values(0)
        values, (codes, known) = np.asarray(X), index.factorize()
        records = [Record(values[codes == code], name=str(name)) for code, name in enumerate(known)]
        return Dataset(records, channel_names=[str(name) for name in X.columns])
    objects = (
        [at for at, dtype in enumerate(X.dtypes) if str(dtype) == "object"] if hasattr(X, "iloc") else []
    )
    if not any(_is_sequence(X.iloc[0, at]) for at in objects if len(X)):
        return None
    columns = from_frame(X)
    channels = sequence_columns(columns, None)
    if others := [name for name in columns.names if name not in channels]:
        raise DataError(
            f"X: {listing(channels)} hold a whole sequence in each cell, {listing(others)} does not. Leave such columns "
            "out; labels are y."
        )
    return Dataset([Record(values) for values in sequences(columns, channels)], channel_names=channels)
