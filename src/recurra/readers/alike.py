"""Small files of one folder that are alike: what the first one's columns are is decided once, and holds for all.

A folder may hold a hundred thousand files of the same columns. Each is still checked to be nothing but plain numbers below
the same names; whatever else a file holds, or what its numbers alone decide, is left to `recurra.readers.tables`.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from recurra.readers.tables.columns import Columns
from recurra.readers.tables.preamble import plainest_names, plainest_rows
from recurra.readers.tables.row_order import NAMES
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.records import Dataset, Record

# Of an index that pandas wrote the numbers decide whether it is one.
_BY_VALUES = {*NAMES, *USUAL_NAMES["time"], "column_0"}
# A float64 holds every whole number up to here.
_EXACT = 2.0**53
_SMALL_WHOLE = re.compile(r"[,\n]-?[0-9]{1,3}(?=[,\n]|\Z)")
_MAY_BE_GROUPED = re.compile(r"[,\n]-?[1-9][0-9]{0,2}\.[0-9]{3}(?=[,\n]|\Z)")


class Alike:
    """Names of columns, of which all were found to be channels and nothing else.

    Parameters
    ----------
    words : TableOptions
        What is said about each file.
    """

    def __init__(self, words: TableOptions) -> None:
        self._words = words
        self._taken = (
            words.decimal == "." and words.thousands is None and words.delimiter in (None, ",")
        ) and not words.keep_stamps
        self._known: dict[str, list[str]] = {}

    def learn(self, columns: Columns, read: Dataset) -> None:
        """Note what was read of a file, if later ones with its names are read alike."""
        text, record = columns.text, read.records[0]
        if not self._taken or text is None or read.notes or list(read.channel_names or ()) != columns.names:
            return
        if any(found is not None for found in (record.group, record.static, record.start)):
            return
        names = plainest_names(text)
        if names == columns.names and not any(name.lower() in _BY_VALUES for name in names):
            self._known[text[: text.find("\n")]] = names

    def read(self, text: str, file: Path, *, name: str, label: Any) -> Dataset | None:
        """Return what a text holds, None where it is to be read by itself.

        Parameters
        ----------
        text : str
            Of a ``.csv`` file.
        file : Path
            The file.
        name : str
            Of the record.
        label : object
            Its class, None where there is none.
        """
        names = self._known.get(text[: max(text.find("\n"), 0)])
        if names is None or not plainest_rows(text, len(names)):
            return None
        rows = text[text.find("\n") :].rstrip("\n")
        if _SMALL_WHOLE.search(rows) and _MAY_BE_GROUPED.search(rows):  # points may part thousands
            return None
        values = np.array(list(map(float, rows[1:].replace("\n", ",").split(",")))).reshape(-1, len(names))
        first = values[:, 0]
        if not np.abs(values).max() < _EXACT or bool((first[1:] > first[:-1]).all()):  # it may be the time
            return None
        record = Record(values, label=label, name=name, sample_rate_hz=self._words.sample_rate_hz)
        return Dataset([record], channel_names=names, source=str(file))
