"""Named columns of a table, from delimited text, Parquet or a DataFrame, and their cells as numbers or
labels.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import did_you_mean, listing
from recurra.errors import DataError, MissingDataError, MissingExtraError, UsageError
from recurra.readers.unfolding import Unfolding

# Cells that mean "not known", compared without case and surrounding blanks.
MISSING = frozenset({"", "na", "n/a", "<na>", "nan", "nat", "null", "none", "?"})

_PRINTABLE = re.compile(r"\S")
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})\Z")


@dataclass(frozen=True)
class Columns:
    """A table by columns.

    Parameters
    ----------
    who : str
        File, or "DataFrame", for messages.
    names : list of str
        Column names, all different.
    arrays : list of ndarray, each of shape (rows,)
        Cells: object arrays of str from text, any dtype from frames.
    text : str, optional
        What was parsed, so that a message can name the line of a row.
    delimiter : str
        Separator found in ``text``.
    first_short : int, optional
        First row with fewer fields than the header (filled with empty cells), None if all have as many.
    decimal : str
        Decimal mark of numbers in text.
    header_rows : int
        1 if the first row of ``text`` names the columns, else 0.
    """

    who: str
    names: list[str]
    arrays: list[np.ndarray]
    text: str | None = None
    delimiter: str = ","
    first_short: int | None = None
    decimal: str = "."
    header_rows: int = 1

    @property
    def rows(self) -> int:
        """Number of rows, the header not counted."""
        return len(self.arrays[0]) if self.arrays else 0

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[self._position[name]]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def check_name(self, name: str, word: str) -> None:
        """Raise DataError with the nearest name unless there is such a column."""
        if name not in self.names:
            raise DataError(
                f"{self.who}: has no column {name!r} (given as {word}); its columns are "
                f"{listing(self.names)}."
                f"{did_you_mean(name, self.names)}"
            )

    def place(self, row: int) -> str:
        """Return ``line 7`` of the file (the header is line 1), or ``row 5`` (from 0) of a frame."""
        if self.text is None:
            return f"row {row}"
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        filled = -1
        for cells in reader:
            filled += bool(cells)
            if filled == row + self.header_rows:
                break
        return f"line {reader.line_num}"

    def numbers(self, name: str, *, advice: str = "") -> np.ndarray:
        """Return a column as float64 of shape (rows,), missing cells as NaN.

        Raises
        ------
        DataError
            If a cell is not a number; names its place and the column.
        """
        column = self[name]
        if column.dtype.kind in "fiub":
            return column.astype(np.float64)
        if column.dtype.kind in "mM":
            raise DataError(
                f"{self.who}: column {name!r} must hold numbers; it holds dates or times. Pass "
                f"time={name!r}, or leave it out."
            )
        cells = (
            column
            if self.decimal == "."
            else np.array([str(c).replace(self.decimal, ".") for c in column], dtype=object)
        )
        try:
            return cells.astype(np.float64)
        except (TypeError, ValueError):
            return self._numbers_with_gaps(name, cells, advice)

    def _numbers_with_gaps(self, name: str, cells: np.ndarray, advice: str) -> np.ndarray:
        out = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells.tolist()):
            if not is_missing(cell):
                try:
                    out[row] = float(cell)
                except (TypeError, ValueError):
                    hint = advice or "Correct the cell, or leave it empty if the value is not known."
                    if isinstance(cell, str) and re.fullmatch(r"\s*-?\d+,\d+\s*", cell):
                        hint = "If the comma is the decimal mark, pass decimal=','."
                    raise DataError(
                        f"{self.who}: column {name!r} must hold numbers; {self.place(row)} has "
                        f"{_short(cell)!r}. {hint}"
                    ) from None
        return out

    def strings(self, name: str) -> list[str | None]:
        """Return a column as text without surrounding blanks, None where missing."""
        return [None if is_missing(cell) else str(cell).strip() for cell in self[name].tolist()]

    def labels(self, name: str) -> list[Any]:
        """Return a column as int, float or str, whichever all its cells are; None where missing."""
        column = self[name]
        if column.dtype.kind in "iub":
            return list(column.tolist())
        if column.dtype.kind == "f":
            return [None if np.isnan(v) else v for v in column.tolist()]
        return typed(self.strings(name))


def typed(cells: Sequence[str | None]) -> list[Any]:
    """Return cells as int if all are whole numbers, as float if all are numbers, else as str."""
    distinct = {cell for cell in cells if cell is not None}
    if distinct and all(_WHOLE_NUMBER.match(cell) for cell in distinct):
        known: dict[str | None, Any] = {cell: int(cell) for cell in distinct}
    else:
        try:
            # "007" is a code, not a number; so is "1_000", which float() would take.
            odd = any(re.match(r"-?0\d|.*_", cell) for cell in distinct)
            known = {cell: cell if odd else float(cell) for cell in distinct}
        except ValueError:
            known = {cell: cell for cell in distinct}
    known[None] = None
    return [known[cell] for cell in cells]


def is_missing(cell: Any) -> bool:
    """Return whether a cell is empty or one of the words for "not known"."""
    return cell is None or str(cell).strip().lower() in MISSING


def factorize(cells: Iterable[Any]) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each cell's value in order of first appearance, shape (rows,), and the values."""
    index: dict[Any, int] = {}
    codes = np.array([index.setdefault(cell, len(index)) for cell in cells], dtype=np.int64)
    return codes, list(index)


def read_text(path: Path, *, encoding: str = "utf-8") -> str:
    """Return the text of a file, without byte-order mark.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If it is empty, binary, or not in this encoding.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"{path}: there is no such file.") from None
    return decode(data, who=str(path), encoding=encoding)


def decode(data: bytes, *, who: str, encoding: str = "utf-8") -> str:
    """Return bytes as text; see `read_text` for the errors."""
    if not data.strip():
        raise DataError(f"{who}: the file is empty ({len(data)} bytes). Check that writing it was finished.")
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        text = data.decode(codec)
    except LookupError:
        raise UsageError(
            f"{who}: there is no encoding {encoding!r}. Try encoding='latin-1' or 'utf-16'."
        ) from None
    except UnicodeDecodeError as error:
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise DataError(
            f"{who}: is not {encoding} text: byte {error.start} is 0x{data[error.start]:02x}. "
            f"Pass encoding='{'utf-16' if utf16 else 'latin-1'}', or save it as UTF-8."
        ) from None
    if "\0" in text:
        raise DataError(
            f"{who}: is not a text file: it holds a zero byte at position {text.index(chr(0))}. "
            "Check the file's ending, or pass encoding='utf-16' if it is text."
        )
    return text


def read_delimited(
    path: Path,
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    decimal: str = ".",
    header: bool | None = True,
) -> Columns:
    """Read comma-, semicolon- or tab-separated text whose first row names the columns.

    Parameters
    ----------
    path : Path
        File.
    encoding : str, default="utf-8"
        With or without byte-order mark.
    delimiter : str, optional
        One character; by default a tab in ``.tsv``, else whichever of ``, ; tab |`` the first row has most
        of.
    decimal : str, default="."
        Decimal mark.
    header : bool or None, default=True
        None takes a first row of numbers as data and names the columns ``channel_0``, ``channel_1`` and so
        on.

    Raises
    ------
    DataError
        If the file is empty, in another encoding, has no row, a doubled name, or a row longer than the
        header.
    """
    return parse(
        read_text(path, encoding=encoding), who=str(path), delimiter=delimiter, decimal=decimal, header=header
    )


def parse(
    text: str, *, who: str, delimiter: str | None = None, decimal: str = ".", header: bool | None = True
) -> Columns:
    """Turn delimited text into columns; see `read_delimited`."""
    if delimiter is None:
        delimiter = "\t" if who.lower().endswith(".tsv") else _guess_delimiter(text)
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        names = next(cells for cells in reader if cells)
        start = stream.tell()
        if header is None and all(_is_number(cell, decimal) for cell in names):
            names, start = [f"channel_{i}" for i in range(len(names))], 0
        else:
            names = _clean_header(names, who)
        if not _PRINTABLE.search(text, start):
            raise DataError(
                f"{who}: has a header but no row: there is no time step in it. Check that writing it was "
                "finished."
            )
        table, first_short = _body(text, start, len(names), delimiter, who)
    except csv.Error as error:
        raise DataError(
            f"{who}: cannot be read as a table: {error}. Look for a quotation mark without its partner."
        ) from None
    return Columns(
        who, names, list(table.T), text, delimiter, first_short, decimal, header_rows=int(start > 0)
    )


def _guess_delimiter(text: str) -> str:
    match = re.search(r"[^\r\n]+", text)
    first = re.sub(r'"[^"]*"', "", match.group()) if match else ""
    return max(",;\t|", key=lambda mark: (first.count(mark), mark == ","))


def _clean_header(cells: list[str], who: str) -> list[str]:
    names = [cell.strip() or f"column_{i}" for i, cell in enumerate(cells)]
    if len(names) > 1 and all(_is_number(name) for name in names):
        values = [float(name) for name in names]
        if values != [values[0] + i for i in range(len(values))] or values[0] not in (0, 1):
            raise DataError(
                f"{who}: the first row must name the columns; it holds only numbers ({listing(names, 3)}). "
                "Add a first row of names."
            )
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if name in seen:
            raise DataError(
                f"{who}: columns {seen[name] + 1} and {position + 1} are both called {name!r}. Give each "
                "column its own name."
            )
        seen[name] = position
    return names


def _body(text: str, start: int, width: int, delimiter: str, who: str) -> tuple[np.ndarray, int | None]:
    """Return the cells as an object array of shape (rows, width), and the first row that was too short."""
    stream = io.StringIO(text, newline="")
    stream.seek(start)
    try:
        # numpy's parser reads a million rows of six cells in half a second; csv.reader takes four.
        table = np.loadtxt(stream, dtype=object, delimiter=delimiter, quotechar='"', comments=None, ndmin=2)
        if table.shape[1] == width:
            return table, None
    except ValueError:
        pass
    stream.seek(start)
    reader = csv.reader(stream, delimiter=delimiter)
    lines_before = text.count("\n", 0, start)
    rows: list[list[str]] = []
    first_short = None
    for cells in reader:
        if not cells:
            continue
        if len(cells) > width:
            if any(cell.strip() for cell in cells[width:]):
                raise DataError(
                    f"{who}: line {lines_before + reader.line_num} has {len(cells)} fields, the header has "
                    f"{width}. "
                    "Put text that contains the separator between quotation marks, or name every column."
                )
            del cells[width:]
        if len(cells) < width:
            first_short = len(rows) if first_short is None else first_short
            cells += [""] * (width - len(cells))
        rows.append(cells)
    table = np.empty((len(rows), width), dtype=object)
    table[:] = rows
    return table, first_short


def _is_number(cell: str, decimal: str = ".") -> bool:
    if is_missing(cell):
        return cell.strip() != ""
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _short(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= 40 else text[:37] + "..."


def read_parquet(path: Path) -> Columns:
    """Read a Parquet file with pyarrow.

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
        _check_parquet(path, parquet.ParquetFile(path).metadata)
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    names = [str(name) for name in table.column_names]
    _check_frame(names, table.num_rows, str(path))
    return Columns(str(path), names, [column.to_numpy() for column in table.columns])


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


def is_frame(source: Any) -> bool:
    """Return whether this is a pandas or polars DataFrame, without importing either."""
    return (
        type(source).__module__.split(".")[0] in ("pandas", "polars") and type(source).__name__ == "DataFrame"
    )


def from_frame(frame: Any) -> Columns:
    """Take the columns of a pandas or polars DataFrame; a named pandas index counts as columns."""
    if type(frame).__module__.startswith("pandas") and any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    _check_frame(names, len(frame), "DataFrame")
    return Columns("DataFrame", names, [np.asarray(frame[name].to_numpy()) for name in frame.columns])


def _check_frame(names: list[str], rows: int, who: str) -> None:
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


def odd_values(who: str, arrays: Sequence[np.ndarray]) -> tuple[str, ...]:
    """Say how many values are missing or infinite; they are kept."""
    count: Counter[str] = Counter()
    for array in arrays:
        count["missing"] += int(np.isnan(array).sum())
        count["infinite"] += int(np.isinf(array).sum())
    total = sum(array.size for array in arrays)
    notes = []
    if count["missing"]:
        notes.append(
            f"{who}: {count['missing']} of {total} values are missing (kept as NaN); fit with "
            "missing='mask', or fill them."
        )
    if count["infinite"]:
        notes.append(
            f"{who}: {count['infinite']} of {total} values are infinite (kept); replace them before fitting."
        )
    return tuple(notes)


def check_full_rows(columns: Columns) -> None:
    """Raise DataError at a row with fewer fields than the header."""
    if columns.first_short is not None:
        raise DataError(
            f"{columns.who}: {columns.place(columns.first_short)} has fewer fields than the header's "
            f"{len(columns.names)}. "
            "Complete the row; if every row is a whole sequence, pass layout='wide'."
        )
