"""Tables whose cells hold whole sequences, as the time-series archives' tools pass them: a Series or list per cell."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.readers.tables.columns import Columns


def sequence_columns(columns: Columns, wanted: Sequence[str] | None) -> list[str]:
    """Return the columns whose cells are sequences, of the wanted ones if they are told; empty if there are none."""
    names = columns.names if wanted is None else list(wanted)
    return [name for name in names if columns[name].dtype == object and _is_sequence(columns[name][0])]


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
                f"{columns.who}: the channels of a sequence must be equally long; in {columns.place(row)} "
                f"{channels[0]!r} has {lengths[0]} steps, {channels[odd]!r} {lengths[odd]}. Cut or fill them."
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
