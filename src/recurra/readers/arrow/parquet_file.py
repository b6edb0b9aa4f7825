"""A Parquet file opened and checked before its rows are read, and its columns as arrays."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.errors import DataError, MissingDataError, MissingExtraError
from recurra.readers.files.unpacked_size import LIMIT_BYTES, Unfolding

# What pandas calls an index without a name in the file.
_INDEX = re.compile(r"__index_level_(\d+)__")


def open_parquet(path: Path) -> tuple[Any, dict[str, str]]:
    """Return a Parquet file whose rows are not read yet, and what its columns are called in the file and here.

    An index of pandas without a name is one as `unnamed_levels` says.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    DataError
        If the file is not Parquet, or has no row.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError(
            f"{path}: reading Parquet needs the package pyarrow: pip install pyarrow"
        ) from None
    if not path.exists():
        raise MissingDataError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes). Check that writing it was finished.")
    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    _check_parquet(path, file.metadata)
    names = _names(file.schema_arrow, str(path))
    check_frame([name for _, name in names], file.metadata.num_rows, str(path))
    return file, dict(names)


def _names(schema: Any, who: str) -> list[tuple[str, str]]:
    """Return the columns of a schema as they are called in the file and here, in order."""
    from pyarrow import types

    stored = [str(name) for name in schema.names]
    own = [name for name in stored if _INDEX.fullmatch(name)] if b"pandas" in (schema.metadata or {}) else []
    kinds = {}
    for name in own:
        kind = schema.field(name).type
        numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
        kinds[int(_INDEX.sub(r"\1", name))] = (
            "times" if types.is_temporal(kind) else "numbers" if numbers else "texts"
        )
    several = len(_index_of_pandas(schema)) > 1
    levels = unnamed_levels(who, kinds, several=several, taken=set(stored))
    called = dict(zip(own, levels, strict=True))
    return [(name, str(called.get(name, name))) for name in stored if called.get(name, name) is not None]


def _index_of_pandas(schema: Any) -> list[Any]:
    """Return the levels of the index that pandas says a file was written with."""
    try:
        found = schema.pandas_metadata["index_columns"]
    except (ValueError, TypeError, KeyError):  # not of pandas, or damaged
        return []
    return list(found) if isinstance(found, list) else []


def unnamed_levels(
    who: str, kinds: Mapping[int, str], *, several: bool, taken: Collection[Any]
) -> list[str | None]:
    """Return what the levels without a name of an index of pandas are called as columns, None for one that is none.

    Times are called "time". Numbers count rows, and so do texts where they are the whole index; beside other levels
    a text says whose row it is, as after ``pandas.concat`` of a dict, and is called "id"; of two such, by its number.

    Parameters
    ----------
    who : str
        Beginning of the message.
    kinds : mapping of int to str
        Of each level: "times", "texts" or "numbers".
    several : bool
        Whether the index has several levels, those with a name among them.
    taken : collection of str
        What other columns are called.

    Raises
    ------
    DataError
        If two levels hold times.
    """
    times = list(kinds.values()).count("times")
    if times > 1:
        raise DataError(
            f"{who}: {times} levels of the index hold times and have no name, so which of them says when a row was measured "
            "is not known. Name them with rename_axis in pandas, and give the one with time=."
        )
    alone = list(kinds.values()).count("texts") == 1 and "id" not in taken
    text = None if not several else "id" if alone else "level_{}"
    names = {"times": None if "time" in taken else "time", "texts": text, "numbers": None}
    found = [(names[kind], level) for level, kind in kinds.items()]
    return [name and name.format(level) for name, level in found]


def arrow_cells(column: Any) -> np.ndarray:
    """Return a column of Arrow; times with a zone as objects, which keep it.

    Raises
    ------
    ValueError
        If there is no such zone, or texts that are stored once each unfold to more than `LIMIT_BYTES`.
    """
    from pyarrow import compute, types

    if types.is_dictionary(column.type) and types.is_string(column.type.value_type):
        sizes = (compute.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
        size = sum(compute.sum(each).as_py() or 0 for each in sizes)
        if size > LIMIT_BYTES:
            raise ValueError(f"its texts unfold to {size:,} bytes; at most {LIMIT_BYTES:,} are read")
    if zone := getattr(column.type, "tz", None):
        from pyarrow import lib

        try:
            lib.string_to_tzinfo(zone)
        except (ValueError, LookupError):
            raise ValueError(f"its times are of the zone {zone!r}, which is not known") from None
        return np.array(column.to_pylist(), dtype=object)
    return np.asarray(column.to_numpy())


def _check_parquet(path: Path, about: Any) -> None:
    """Hold what the columns unfold to against the bound: repeated values take next to nothing in the file."""
    unfolding = Unfolding(
        path, path.stat().st_size, advice="If you trust it, read it with pandas and pass the DataFrame."
    )
    for group in range(about.num_row_groups):
        rows = about.row_group(group)
        for column in range(rows.num_columns):
            chunk = rows.column(column)
            unfolding.add(max(8 * chunk.num_values, chunk.total_uncompressed_size))


def check_frame(names: list[str], rows: int, who: str) -> None:
    """Raise DataError unless there are columns and rows, and every column has a name of its own."""
    if not names or rows == 0:
        raise DataError(
            f"{who}: has {counted(len(names), 'column')} and {counted(rows, 'row')}; a table needs at least one of each."
        )
    doubled = (
        next((name for i, name in enumerate(names) if name in names[:i]), None)
        if len(set(names)) < len(names)
        else None
    )
    if doubled is not None:
        raise DataError(f"{who}: two columns are called {doubled!r}. Give each column its own name.")
