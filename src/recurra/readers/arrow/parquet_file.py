"""A Parquet file opened and checked before its rows are read, and its columns as arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, MissingDataError, MissingExtraError
from recurra.readers.files.unpacked_size import Unfolding


def open_parquet(path: Path) -> tuple[Any, list[str]]:
    """Return a Parquet file whose rows are not read yet, and the names of its columns.

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
    names = [str(name) for name in file.schema_arrow.names]
    check_frame(names, file.metadata.num_rows, str(path))
    return file, names


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
