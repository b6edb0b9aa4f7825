"""Columns of a table that belong to a whole sequence: its static inputs, such as an age, one cell a sequence."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError
from recurra.readers.tables.columns import Columns, factorize
from recurra.readers.tables.row_order import RowOrder
from recurra.readers.tables.table_options import TableOptions


def names_of(columns: Columns, words: TableOptions) -> list[str]:
    """Return the columns that ``static`` names; "age,sensor" names two, unless a column is called so.

    Raises
    ------
    DataError
        If there is no such column.
    UsageError
        If it holds what is to be learned.
    """
    given = [words.static] if isinstance(words.static, str) else list(words.static or ())
    names: list[str] = []
    for name in given:
        several = "," in name and name not in columns.names
        names += [part.strip() for part in name.split(",")] if several else [name]
    names = list(dict.fromkeys(name for name in names if name))
    for name in names:
        columns.check_name(name, "static")
        if name in (words.label, *words.target_names):
            raise UsageError(
                f"{columns.who}: static= names {name!r}, the column with what is to be learned. Leave it out of static=."
            )
    return names


def of_rows(columns: Columns, names: Iterable[str]) -> list[Any]:
    """Return the static inputs of a table in which every row is a sequence; None for each where there are none."""
    cells = [columns.labels(name) for name in names]
    return [list(row) for row in zip(*cells, strict=True)] if cells else [None] * columns.rows


def of_sequences(columns: Columns, names: Iterable[str], rows: RowOrder) -> list[Any]:
    """Return the static inputs of a long table, which must not change within a sequence; None where there are none."""
    advice = "Leave it among the channels, or correct it."
    cells = [constant(columns, name, rows, "static", advice=advice) for name in names]
    return [list(row) for row in zip(*cells, strict=True)] if cells else [None] * len(rows.names)


def constant(columns: Columns, name: str, rows: RowOrder, word: str, *, advice: str) -> list[Any]:
    """Return the cell that a column has in each sequence.

    Parameters
    ----------
    word : str
        What the column was named as, for the message.
    advice : str
        A sentence on what to do where it changes.

    Raises
    ------
    DataError
        If it changes within a sequence.
    """
    codes, known = factorize(columns.labels(name))
    codes = codes if rows.order is None else codes[rows.order]
    first = rows.starts[:-1]
    low, high = np.minimum.reduceat(codes, first), np.maximum.reduceat(codes, first)
    if (low != high).any():
        bad = int(np.flatnonzero(low != high)[0])
        which = (
            "the table is one sequence, which" if rows.names[bad] is None else f"sequence {rows.names[bad]!r}"
        )
        raise DataError(
            f"{columns.who}: the {word} column {name!r} must be constant in each sequence; {which} has "
            f"{_shown(known[low[bad]])} and {_shown(known[high[bad]])}. {advice}"
        )
    return [known[code] for code in low]


def _shown(cell: Any) -> str:
    return "an empty cell" if cell is None else repr(cell)
