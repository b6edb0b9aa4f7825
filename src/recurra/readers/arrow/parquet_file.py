"""A Parquet file opened and checked before its rows are read, and its columns as arrays."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, MissingDataError, MissingExtraError
from recurra.readers.files.unpacked_size import Unfolding

# What pandas calls an index without a name in the file.
_INDEX = re.compile(r"__index_level_\d+__")


def open_parquet(path: Path) -> tuple[Any, dict[str, str]]:
    """Return a Parquet file whose rows are not read yet, and what its columns are called in the file and here.

    As of a DataFrame, an index without a name is no column, but one of times is called "time".

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
    names = _names(file.schema_arrow)
    check_frame([name for _, name in names], file.metadata.num_rows, str(path))
    return file, dict(names)


def _names(schema: Any) -> list[tuple[str, str]]:
    """Return the columns of a schema as they are called in the file and here, in order."""
    from pyarrow import types

    found = []
    for field in schema:
        name = str(field.name)
        if _INDEX.fullmatch(name) and (b"pandas" in (schema.metadata or {})):
            if not types.is_temporal(field.type) or "time" in schema.names:
                continue
            name = "time"
        found.append((field.name, name))
    return found


def arrow_cells(column: Any) -> np.ndarray:
    """Return a column of Arrow; times with a zone as objects, which keep it."""
    if getattr(column.type, "tz", None):
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
            f"{who}: has {len(names)} columns and {rows} rows; a table needs at least one of each."
        )
    doubled = (
        next((name for i, name in enumerate(names) if name in names[:i]), None)
        if len(set(names)) < len(names)
        else None
    )
    if doubled is not None:
        raise DataError(f"{who}: two columns are called {doubled!r}. Give each column its own name.")
