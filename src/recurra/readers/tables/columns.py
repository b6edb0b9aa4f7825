"""Named columns of a table, from delimited text, Parquet or a DataFrame, and their cells as numbers or
labels.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, did_you_mean, listing
from recurra.errors import DataError
from recurra.readers.arrow.coded import Coded, factorize
from recurra.readers.arrow.parquet_file import arrow_cells, check_frame, open_parquet, unnamed_levels
from recurra.readers.files.encodings import read_text
from recurra.readers.tables.number_formats import NotANumberError, Numerals, is_missing
from recurra.readers.tables.preamble import (
    check_closed,
    check_header,
    find_table,
    is_number,
    is_row_of_numbers,
    without_empty_columns,
)

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
    arrays : list of ndarray or Coded, each of shape (rows,)
        Cells: object arrays of str from text, any dtype from frames.
    text : str, optional
        What was parsed, so that a message can name the line of a row.
    delimiter : str
        Separator found in ``text``.
    first_short : int, optional
        First row with fewer fields than the header (filled with empty cells), None if all have as many.
    numerals : Numerals
        How numbers in text are written.
    header_rows : int
        1 if the first row of ``text`` names the columns, else 0.
    width : int
        Columns of ``text``, those left out counted.
    units : dict of str to str
        Units by column, where a row of the file told them.
    notes : list of str
        What reading decided; a column of numbers adds to it when it is first read.
    lines : ndarray of shape (rows,), optional
        Line of each row, where the file is no table.
    block : ndarray of float64, shape (rows, block columns), optional
        Columns that were read side by side; ``arrays`` holds views of it.
    block_names : list of str
        Their names.
    path : Path, optional
        A file of text that was read without keeping it, so that a message can name the line of a row.
    """

    who: str
    names: list[str]
    arrays: Sequence[np.ndarray | Coded]
    text: str | None = None
    delimiter: str = ","
    first_short: int | None = None
    numerals: Numerals = field(default_factory=Numerals)
    header_rows: int = 1
    width: int = 0
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lines: np.ndarray | None = None
    block: np.ndarray | None = None
    block_names: list[str] = field(default_factory=list)
    path: Path | None = None

    @property
    def rows(self) -> int:
        """Number of rows, the header not counted."""
        return len(self.arrays[0]) if self.arrays else 0

    def __getitem__(self, name: str) -> np.ndarray:
        column = self.arrays[self._position[name]]
        return column.cells() if isinstance(column, Coded) else column

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
        if self.lines is not None:
            return f"line {self.lines[row]}"
        text = self.text
        if text is None and self.path is not None:
            text = read_text(self.path)
        if text is None:
            return f"row {row}"
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter)
        filled = -1
        for cells in reader:
            filled += not _is_empty_line(cells, self.width)
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
            return column.astype(np.float64, copy=False)
        if column.dtype.kind in "mM":
            raise DataError(
                f"{self.who}: column {name!r} must hold numbers; it holds dates or times. Pass "
                f"time={name!r}, or leave it out."
            )
        if column.dtype.kind == "c":
            raise DataError(
                f"{self.who}: column {name!r} must hold real numbers; it holds complex ones. Give real and imaginary "
                "parts as two columns."
            )
        try:
            values, decided = self.numerals.read(column.astype(object))
        except NotANumberError as fault:
            cell = column[fault.row]
            hint = fault.hint or (
                advice
                if advice and not _mostly_numbers(column, self.numerals.decimal)
                else "Correct the cell, or leave it empty if the value is not known."
            )
            raise DataError(
                f"{self.who}: column {name!r} must hold numbers; {self.place(fault.row)} has {_short(cell)!r}. {hint}"
            ) from None
        if decided:
            self._note(f"{self.who}: in column {name!r} {decided}.")
        return values

    def channel(self, name: str, *, advice: str = "") -> np.ndarray:
        """Return `numbers`; whole numbers that a float64 would change are refused.

        Raises
        ------
        DataError
            As `numbers`; or naming the first whole number beyond 2**53 that would not stay what it is.
        """
        column, values = self[name], self.numbers(name, advice=advice)
        if column.dtype.kind == "f":
            return values
        large = np.flatnonzero(np.abs(values) >= 2.0**53)
        for row in large.tolist():
            cell = column[row]
            digits = str(cell).strip()
            if re.fullmatch(r"[+-]?\d+", digits) and int(digits) != int(values[row]):
                raise DataError(
                    f"{self.who}: column {name!r} must hold measurements; {self.place(row)} has {digits[:40]}, which a "
                    "float64 cannot hold exactly. If it is a number that names something, leave the column out with "
                    "channels=."
                )
        return values

    def matrix(self, names: Sequence[str], advice_on: Callable[[str], str]) -> np.ndarray:
        """Return channels as float64 of shape (rows, channels): a view where they were read side by side.

        Parameters
        ----------
        names : sequence of str
            Channels.
        advice_on : function of a name
            The advice of `channel`.
        """
        at = (
            self.block_names.index(names[0]) if self.block is not None and names[0] in self.block_names else 0
        )
        if self.block is not None and self.block_names[at : at + len(names)] == list(names):
            return self.block[:, at : at + len(names)]
        return np.column_stack([self.channel(name, advice=advice_on(name)) for name in names])

    def _check_words(self, name: str, column: np.ndarray) -> None:
        """Refuse cells that are neither text nor numbers, such as dates, bytes and lists."""
        plain = column.dtype.kind in "OUT"
        odd = next((r for r, cell in enumerate(column.tolist()) if not _is_word(cell)), None) if plain else 0
        if odd is not None:
            raise DataError(
                f"{self.who}: column {name!r} must hold text or numbers to name classes or groups; {self.place(odd)} has "
                f"{_short(column[odd])!r} of type {type(column[odd]).__name__}. Turn the column into text first."
            )

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def strings(self, name: str) -> list[str | None]:
        """Return a column as text without surrounding blanks, None where it says "not known" in any of the usual words.

        For times and numbers. Names and classes are what stands there, see `words`.
        """
        return [None if is_missing(cell) else str(cell).strip() for cell in self[name].tolist()]

    def words(self, name: str) -> list[str | None]:
        """Return a column as text without surrounding blanks; "NA" and "None" are words, only an empty cell is missing."""
        cells = self[name].tolist()
        return [None if _is_empty(cell) else str(cell).strip() for cell in cells]

    def word_codes(self, name: str) -> tuple[np.ndarray, list[str | None]]:
        """Return `factorize` of `words`."""
        column = self.arrays[self._position[name]]
        if not isinstance(column, Coded):
            return factorize(self.words(name))
        return column.factorize([None if _is_empty(cell) else str(cell).strip() for cell in column.known])

    def label_codes(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """Return `factorize` of `labels`."""
        column = self.arrays[self._position[name]]
        if not isinstance(column, Coded):
            return factorize(self.labels(name))
        codes, known = self.word_codes(name)
        self._note_odd(name, known, np.bincount(codes, minlength=len(known)).tolist())
        return Coded(codes, list(known)).factorize(typed(known))

    def unique_names(self, name: str | None, *, advice: str = "") -> list[str | None]:
        """Return the names of a table in which every row is a record, from the column of this name if there is one.

        Parameters
        ----------
        advice : str
            What else may be meant, where a name is given twice.

        Raises
        ------
        DataError
            If a name is given twice, or there is no such column.
        """
        if not name:
            return [None] * self.rows
        self.check_name(name, "id")
        names = self.words(name)
        seen: dict[str | None, int] = {}
        for row, found in enumerate(names):
            if found in seen:
                raise DataError(
                    f"{self.who}: id {found!r} is given twice, at {self.place(seen[found])} and {self.place(row)}. "
                    f"Give every row its own id, or none at all.{advice}"
                )
            seen[found] = row
        return names

    def labels(self, name: str) -> list[Any]:
        """Return a column as int, float or str, whichever all its cells are; None where missing."""
        column = self[name]
        if column.dtype.kind in "iub":
            return list(column.tolist())
        if column.dtype.kind == "f":
            return [None if np.isnan(v) else v for v in column.tolist()]
        self._check_words(name, column)
        cells = self.words(name)
        counts = Counter(cells)
        self._note_odd(name, list(counts), list(counts.values()))
        return typed(cells)

    def _note_odd(self, name: str, known: Sequence[str | None], counts: Sequence[int]) -> None:
        """Note the cells of a column of names or classes that say "not known" in a column of numbers."""
        odd = {
            cell: n for cell, n in zip(known, counts, strict=True) if cell is not None and is_missing(cell)
        }
        if odd:
            shown = ", ".join(f"{cell!r} ({counted(count, 'cell')})" for cell, count in sorted(odd.items()))
            self._note(
                f"{self.who}: the column {name!r} holds {shown}, read as what stands there; leave cells empty where it is "
                "not known."
            )


def _is_word(cell: Any) -> bool:
    return isinstance(cell, str | int | float | np.number | np.bool_) or _is_empty(cell)


def _is_empty(cell: Any) -> bool:
    """Return whether a cell holds nothing: no text, or what frames have for nothing."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or str(cell) in ("nan", "NaN", "<NA>", "NaT")


def typed(cells: Sequence[str | None]) -> list[Any]:
    """Return cells as int if all are whole numbers, as float if all are numbers, else as str."""
    distinct = {cell for cell in cells if cell is not None}
    if distinct and all(_WHOLE_NUMBER.match(cell) for cell in distinct):
        known: dict[str | None, Any] = {cell: int(cell) for cell in distinct}
    else:
        try:
            # "007" is a code, not a number; so is "1_000", which float() would take, and so are "nan" and "1e999".
            odd = any(re.match(r"-?0\d|.*_", cell) or not np.isfinite(float(cell)) for cell in distinct)
            known = {cell: cell if odd else float(cell) for cell in distinct}
        except ValueError:
            known = {cell: cell for cell in distinct}
    known[None] = None
    return [known[cell] for cell in cells]


def read_delimited(
    path: Path,
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    header: str = "auto",
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
    thousands : str, optional
        Mark between groups of three digits; by default where it can be nothing else.
    header : {"auto", "first", "none", "maybe"}, default="auto"
        Auto: the first row names the columns, and one of numbers is refused. First: it does. None: it does not, the
        columns are called ``column_0``, ``column_1`` and so on. Maybe: a first row of numbers is data, and the columns are
        called ``channel_0``, ``channel_1`` and so on.

    Raises
    ------
    DataError
        If the file is empty, in another encoding, has no row, a doubled name, or a row longer than the
        header.
    """
    return parse(
        read_text(path, encoding=encoding),
        who=str(path),
        delimiter=delimiter,
        numerals=Numerals(decimal, thousands),
        header=header,
    )


def parse(
    text: str,
    *,
    who: str,
    delimiter: str | None = None,
    numerals: Numerals | None = None,
    header: str = "auto",
) -> Columns:
    """Turn delimited text into columns; see `read_delimited`."""
    numerals = numerals or Numerals()
    if delimiter is None and who.lower().endswith(".tsv"):
        delimiter = "\t"
    found = find_table(text, delimiter=delimiter, decimal=numerals.decimal)
    if found.tables:
        first, second = found.tables
        raise DataError(
            f"{who}: holds two tables: names of columns stand in line {first} and again in line {second}. Put each into a "
            "file of its own, or join them under one row of names."
        )
    delimiter, text = found.delimiter, found.text
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        cells = next(cells for cells in reader if any(cell.strip() for cell in cells))
        start = stream.tell()
        if header == "auto":
            check_header(cells, who, numerals.decimal)
        if header == "none" or (header == "maybe" and is_row_of_numbers(cells, numerals.decimal)):
            cells, start = [""] * len(cells), 0
        if not _PRINTABLE.search(text, start):
            raise DataError(
                f"{who}: has a header but no row: there is no time step in it. Check that writing it was "
                "finished."
            )
        table, first_short = _body(text, start, cells, delimiter, who)
    except csv.Error as error:
        raise DataError(
            f"{who}: cannot be read as a table: {error}. Look for a quotation mark without its partner."
        ) from None
    except StopIteration:
        raise DataError(f"{who}: holds no table, only comments or empty lines. Check the file.") from None
    kept, said = without_empty_columns(cells[: table.shape[1]], table)
    names = clean_header(cells, kept, who, stem="channel" if header == "maybe" and not start else "column")
    units = {
        name: unit
        for name, j in zip(names, kept, strict=True)
        if (unit := dict(enumerate(found.units)).get(j))
    }
    return Columns(
        who,
        names,
        [table[:, j] for j in kept],
        text,
        delimiter,
        first_short,
        replace(numerals, blanks=len(kept) > 1),
        header_rows=int(start > 0),
        width=len(cells),
        units=units,
        notes=[f"{who}: {note}" for note in (*found.notes, *said)],
    )


def clean_header(cells: list[str], kept: list[int], who: str, *, stem: str) -> list[str]:
    """Return the names of the columns that are kept; those without one are called by their position."""
    names = [cells[j].strip() or f"{stem}_{j}" for j in kept]
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if name in seen:
            raise DataError(
                f"{who}: columns {seen[name] + 1} and {position + 1} are both called {name!r}. Give each column its own "
                "name, or pass header='none' if the first row holds none; they are then column_0 and so on."
            )
        seen[name] = position
    return names


def _body(text: str, start: int, names: list[str], delimiter: str, who: str) -> tuple[np.ndarray, int | None]:
    """Return the cells as an object array of shape (rows, columns), and the first row that was too short.

    Separators at the ends of lines make no column: the array has as many columns as are named or hold something.
    """
    width = len(names)
    least = max((i + 1 for i, name in enumerate(names) if name.strip()), default=width)
    check_closed(text, start, delimiter, who)
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
    shortest, filled = width, False
    for cells in reader:
        if _is_empty_line(cells, width):
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
            shortest = min(shortest, len(cells))
        filled = filled or any(cell.strip() for cell in cells[least:])
        rows.append(cells)
    # Names end where the last one is, if no row goes beyond.
    if shortest >= least and not filled:
        width = least
    first_short = next((number for number, cells in enumerate(rows) if len(cells) < width), None)
    table = np.empty((len(rows), width), dtype=object)
    table[:] = [cells[:width] + [""] * (width - len(cells)) for cells in rows]
    return table, first_short


def _is_empty_line(cells: list[str], width: int) -> bool:
    """Whether a line is no row: nothing in it, or blanks where there are several columns."""
    return not cells or (width > 1 and len(cells) == 1 and not cells[0].strip())


def _short(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= 40 else text[:37] + "..."


def read_parquet(path: Path) -> Columns:
    """Read a Parquet file with pyarrow; see `open_parquet` for the errors."""
    file, names = open_parquet(path)
    try:
        table = file.read(columns=list(names))
        cells = [arrow_cells(column) for column in table.columns]
    except (ArithmeticError, ValueError, OSError) as error:  # pyarrow's own derive from these
        raise DataError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return Columns(str(path), list(names.values()), cells)


def is_frame(source: Any) -> bool:
    """Return whether this is a pandas or polars DataFrame or a table of Arrow, without importing any of them."""
    room, name = type(source).__module__.split(".")[0], type(source).__name__
    return (room in ("pandas", "polars") and name == "DataFrame") or (room == "pyarrow" and name == "Table")


def from_frame(frame: Any, *, numerals: Numerals | None = None) -> Columns:
    """Take the columns of a DataFrame or a table of Arrow.

    The levels of an index of pandas count as columns: those with a name, and others as `unnamed_levels` says. Names of
    columns of two levels are joined: ``("acc", "x")`` is ``acc_x``.
    """
    if type(frame).__module__.startswith("pandas"):
        frame = _with_index(frame)
    pandas = hasattr(frame, "iloc")
    if hasattr(frame, "column_names"):  # Arrow
        names, arrays = list(frame.column_names), [_cells(column) for column in frame.columns]
    else:
        names = [_joined(name) for name in frame.columns]
        count = range(len(names))
        arrays = [_cells(frame.iloc[:, i] if pandas else frame.to_series(i)) for i in count]
    check_frame(names, len(frame), "DataFrame")
    return Columns("DataFrame", names, arrays, numerals=numerals or Numerals())


def _with_index(frame: Any) -> Any:
    """Return a frame of pandas with the levels of its index that are columns among them."""
    index = frame.index
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    kinds = {number: _kind(level) for number, level in enumerate(levels) if level.name is None}
    called = unnamed_levels("DataFrame", kinds, several=len(levels) > 1, taken=frame.columns)
    names = list(index.names)
    for number, name in zip(kinds, called, strict=True):
        names[number] = name
    doubled = [name for name in index.names if name is not None and name in frame.columns]
    if doubled:
        raise DataError(
            f"DataFrame: both a column and the index are called {doubled[0]!r}. Rename one: frame.rename_axis('row')."
        )
    counting = [number for number, name in enumerate(names) if name is None]
    if len(counting) == len(levels):
        return frame
    named = frame.rename_axis(index=names)
    return (named.droplevel(counting) if counting else named).reset_index()


def _kind(index: Any) -> str:
    if type(index).__name__ in ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex"):
        return "times"
    return "numbers" if getattr(index.dtype, "kind", "O") in "iufb" else "texts"


def _cells(column: Any) -> np.ndarray:
    """Return a column of a frame; times with a zone as objects, which keep it."""
    if getattr(getattr(column, "dtype", None), "time_zone", None) is not None:
        # of polars, whose to_numpy drops it
        cells = np.empty(len(column), dtype=object)
        cells[:] = column.to_list()
        return cells
    return np.asarray(column.to_numpy())


def _joined(name: Any) -> str:
    return "_".join(str(part) for part in name if str(part).strip()) if isinstance(name, tuple) else str(name)


def check_full_rows(columns: Columns, *, advice: str = "") -> None:
    """Raise DataError at a row with fewer fields than the header; ``advice`` is what else may be meant."""
    if columns.first_short is not None:
        raise DataError(
            f"{columns.who}: {columns.place(columns.first_short)} has fewer fields than the header's "
            f"{len(columns.names)}. Complete the row.{advice}"
        )


_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}\Z")  # which reads like a number with signs between thousands


def _mostly_numbers(column: np.ndarray, decimal: str) -> bool:
    """Return whether more than half of the cells are numbers: then it is the odd one that is wrong, and not the column."""
    cells = [str(cell).strip() for cell in column.tolist() if not is_missing(cell)]
    numbers = [cell for cell in cells if is_number(cell, decimal) and not _DATE.match(cell)]
    return 2 * len(numbers) > len(cells)
