"""`read_table` of large files: by pyarrow where that says the same, else cell by cell, which names what is odd."""

import stat
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recurra.errors import RecurraError
from recurra.readers.large import delimited, parquet
from recurra.readers.tables import table
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.number_formats import Numerals
from recurra.readers.tables.row_order import NAMES
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.records import Dataset

# Smaller files are read as text in less time than pyarrow takes to begin.
LARGE_BYTES = 1 << 20


_PARQUET = (".parquet", ".pq")
_SUFFIXES = (*_PARQUET, ".csv", ".tsv", ".txt")


class _LeftToTextError(Exception):
    """The table is to be read as text."""


def read_table(source: Any, words: TableOptions | None = None) -> Dataset:
    """Read a table file or a DataFrame; see `recurra.readers.tables.table.read_table`."""
    words = words or TableOptions()
    path = Path(source) if isinstance(source, str | Path) else None
    if path is None or path.suffix.lower() not in _SUFFIXES or not is_large(path):
        return table.read_table(source, words)
    try:
        found = table.read_table(source, words, read=_plain_columns)
    except (_LeftToTextError, RecurraError):  # what is wrong is told with the line it stands in
        return table.read_table(source, words)
    if words.keep_stamps and any(
        r.stamps is not None and r.stamps.dtype.kind == "f" for r in found.records[:1]
    ):
        return table.read_table(source, words)
    return found


def is_large(path: Path) -> bool:
    """Return whether a file is worth to be read by pyarrow."""
    # Where only predictions are made, nothing but numpy may be there.
    try:
        about = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size >= LARGE_BYTES and find_spec("pyarrow") is not None


def read_columns(path: Path, words: TableOptions, *, header: str) -> Columns | None:
    """Return the columns of a text file with separators where they are plain throughout, else None."""
    if words.encoding.lower() not in ("utf-8", "utf8", "ascii") or words.text or words.source:
        return None
    if words.kind == "series" or not isinstance(words.time, str | None):
        # dates are put together from their text
        return None
    names, times = _apart(words)
    if words.keep_stamps:
        names |= times
    numerals = Numerals(words.decimal, words.thousands)
    return delimited.read(
        path, numerals, delimiter=words.delimiter, header=header, words=sorted(names), times=sorted(times)
    )


def _apart(words: TableOptions) -> tuple[set[str], set[str]]:
    """Return the columns that are names or classes, and those that may be times, in small letters."""
    given = [words.id, words.label, words.group, words.text, words.source]
    static = [words.static] if isinstance(words.static, str) else list(words.static or ())
    # A string may name several, parted by commas.
    given += [name for one in static for name in (one, *one.split(","))]
    names = {name.strip().lower() for name in given if name}
    for word in ("id", "label", "group", "text"):
        names |= set(USUAL_NAMES[word])
    times = {*USUAL_NAMES["time"], *NAMES}
    times |= {words.time.lower()} if isinstance(words.time, str) and words.time else set()
    return names, times


def _plain_columns(source: Any, words: TableOptions) -> Columns:
    path = Path(source)
    if path.suffix.lower() in _PARQUET:
        names, times = _apart(words)
        given = [words.time] if isinstance(words.time, str) else list(words.time or ())
        apart = names | times | {name.lower() for name in (*given, *words.target_names, *(words.known or ()))}
        found = parquet.read(path, sorted(apart))
    else:
        found = read_columns(path, words, header=words.header)
    if found is None:
        raise _LeftToTextError
    return found
