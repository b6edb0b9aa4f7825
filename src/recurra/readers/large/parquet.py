"""Parquet, a batch of rows at a time: numbers into one block, words as codes, everything else as always."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.errors import DataError
from recurra.readers.arrow.parquet_file import arrow_cells, open_parquet
from recurra.readers.large.filling import Filling, NotPlainError
from recurra.readers.tables.columns import Columns

_ROWS = 1 << 17


def read(path: Path, apart: Sequence[str]) -> Columns | None:
    """Read a Parquet file; None where whole numbers in it do not fit into 64-bit floating point.

    Parameters
    ----------
    path : Path
        File.
    apart : sequence of str
        Columns, in small letters, that are no channels and keep their type: names, classes, times.

    Raises
    ------
    DataError, MissingDataError, MissingExtraError
        As `recurra.readers.tables.columns.read_parquet`.
    """
    file, called = open_parquet(path)
    stored, names = list(called), list(called.values())
    schema = file.schema_arrow  # made anew at every access, of all columns
    kinds = [_kind(schema.field(own).type, name.lower() in apart) for own, name in called.items()]
    numbers = [j for j, kind in enumerate(kinds) if kind == "number"]
    words = [j for j, kind in enumerate(kinds) if kind == "words"]
    others = [j for j, kind in enumerate(kinds) if kind == "other"]
    filling = Filling(file.metadata.num_rows, numbers=numbers, alone=(), words=words)
    read_first = [stored[j] for j in (*numbers, *words)]
    try:
        for batch in file.iter_batches(batch_size=_ROWS, columns=read_first) if read_first else ():
            filling.add(_Placed(batch, stored, set(words)))
    except NotPlainError:
        return None
    found = filling.columns()
    if others:
        try:
            table = file.read(columns=[stored[j] for j in others])
            found |= {j: arrow_cells(column) for j, column in zip(others, table.columns, strict=True)}
        except (ArithmeticError, ValueError, OSError) as error:  # pyarrow's own derive from these
            raise DataError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return Columns(
        str(path),
        names,
        [found[j] for j in range(len(names))],
        block=filling.block,
        block_names=[names[j] for j in numbers],
    )


def _kind(kind: Any, apart: bool) -> str:
    from pyarrow import types

    if types.is_string(kind) or types.is_large_string(kind):
        return "words"
    if (types.is_floating(kind) or types.is_integer(kind)) and not apart:
        return "number"
    return "other"


class _Placed:
    """A batch whose columns are asked for by their place in the file, text as dictionaries."""

    def __init__(self, batch: Any, names: Sequence[str], words: set[int]) -> None:
        self._batch, self._names, self._words = batch, names, words
        self.num_rows = batch.num_rows

    def column(self, place: int) -> Any:
        found = self._batch.column(self._names[place])
        return found.dictionary_encode() if place in self._words else found
