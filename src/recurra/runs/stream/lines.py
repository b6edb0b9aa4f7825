"""Lines of a stream, JSON or CSV, become rows of numbers; a line that cannot is named by its number."""

import csv
import json
import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError, UsageError
from recurra.readers.tables.number_formats import NotANumberError, Numerals

# A longer line is no row of numbers; it is not kept in memory.
MAX_LINE_BYTES = 2**20
_CHUNK_BYTES = 2**16
# What channels are called that have no name: by their column, from 0.
_NUMBERED = re.compile(r"(?:channel|column)_(\d+)")
FORMATS = ("auto", "jsonl", "csv", "text")


@dataclass(frozen=True)
class Row:
    """What a line says.

    Parameters
    ----------
    values : list of float, or list of such lists, or ndarray
        One row, or several; or a frame.
    name : str or None
        The stream they belong to.
    reset : bool
        Begin a new sequence, without a row.
    static : list, or None
        Static inputs of the sequence, in the order of the network; None where the line has none.
    """

    values: Any
    name: str | None = None
    reset: bool = False
    static: list[Any] | None = None

    @property
    def several(self) -> bool:
        """Whether it is several rows."""
        return isinstance(self.values, list) and bool(self.values) and isinstance(self.values[0], list)


class BadLineError(DataError):
    """A line that holds no row."""


def _nobody(text: str) -> None:
    """Warn nobody."""


class Lines:
    """Reads a stream of bytes line by line.

    Parameters
    ----------
    channels : int
        Numbers of a row.
    channel_names : sequence of str or None
        What the columns or keys are called, in the order of the network.
    kind : {"auto", "jsonl", "csv"}
        ``auto`` takes JSON if the first line starts with a bracket.
    name : str or None
        Column or key that names the stream of a row.
    static_names : sequence of str
        Columns or keys with the static inputs of a sequence; empty where the network has none.
    warn : callable, optional
        Is given what to warn of; by default nobody is.
    written : mapping, optional
        How numbers and lines are written, in the words of `recurra.load`: ``decimal``, ``thousands``, ``delimiter``,
        ``encoding``.
    trained_id : str, optional
        Column that told sequences apart in training; where it is not read, the warning says so.

    Attributes
    ----------
    number : int
        Lines read so far, empty ones included.
    """

    unit: ClassVar[str] = "line"

    def __init__(
        self,
        channels: int,
        channel_names: Sequence[str] | None,
        *,
        kind: str,
        name: str | None,
        static_names: Sequence[str] = (),
        warn: Callable[[str], None] = _nobody,
        written: Mapping[str, Any] | None = None,
        trained_id: str | None = None,
    ) -> None:
        self.number, self._trained_id = 0, trained_id
        self._static = list(static_names)
        self._static_columns: list[int] = []
        self._channels = channels
        self._names = list(channel_names) if channel_names else None
        self._kind = kind
        self._name = name
        self._warn = warn
        written = written or {}
        decimal, thousands = written.get("decimal") or ".", written.get("thousands")
        self._numerals = None if decimal == "." and thousands is None else Numerals(decimal, thousands)
        self._delimiter: str | None = written.get("delimiter")
        self._encoding = str(written.get("encoding") or "utf-8")
        check_encoding(self._encoding)
        self._columns: list[int] | None = None  # of the channels in a line of CSV, in order
        self._name_column: int | None = None
        self._width = 0

    def read(self, source: BinaryIO) -> Iterator[Row | BadLineError]:
        """Yield a row, or what is wrong with its line, for every line that is not empty and no header."""
        for data in lines_of(source):
            self.number += 1
            if data is None:
                yield self._bad(f"it is longer than {MAX_LINE_BYTES} bytes")
                continue
            try:
                row = self._parse(data.decode(self._encoding).removeprefix("\ufeff").strip())
            except UnicodeDecodeError:
                yield self._bad(f"it is not {self._encoding.upper()}")
            except BadLineError as bad:
                yield bad
            else:
                if row is not None:
                    yield row

    def _bad(self, what: str) -> BadLineError:
        return BadLineError(f"line {self.number}: {what}.")

    def _parse(self, line: str) -> Row | None:
        if not line:
            return None
        if self._kind == "auto":
            self._kind = "jsonl" if line[0] in "[{" else "csv"
        return self._json(line) if self._kind == "jsonl" else self._csv(line)

    # ----------------------------------------------------------------- JSON

    def _json(self, line: str) -> Row:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            raise self._bad(f"it is not JSON: {line[:40]!r}") from None
        if isinstance(content, dict):
            return self._object(content)
        if self._name is not None:
            raise self._bad(f"it must be an object with {self._name!r}, the name of its stream")
        return Row(self._numbers(content))

    def _object(self, content: dict[str, Any]) -> Row:
        name = None
        if self._name is not None:
            name = content.get(self._name)
            if not isinstance(name, str | int) or isinstance(name, bool):
                raise self._bad(f"{self._name!r} must be the name of its stream; got {name!r}")
            name = str(name)
        if content.get("reset") is True:
            return Row([], name, reset=True)
        static = self._static_of(content)
        if "row" in content:
            return Row(self._numbers(content["row"]), name, static=static)
        if self._names is None:
            raise self._bad('it must be a list of numbers, or an object with such a list as "row"')
        missing = [channel for channel in self._names if channel not in content]
        if missing:
            raise self._bad(f"it lacks the channel {missing[0]!r}")
        return Row(self._numbers([content[channel] for channel in self._names]), name, static=static)

    def _static_of(self, content: dict[str, Any]) -> list[Any] | None:
        """Return the static inputs of an object, from its own keys or from those of "static"."""
        inner = content.get("static")
        found = content if not isinstance(inner, dict) else inner
        there = [name for name in self._static if name in found]
        if not there:
            return None
        if len(there) < len(self._static):
            absent = next(name for name in self._static if name not in found)
            raise self._bad(
                f"it has the static input {there[0]!r} and lacks {absent!r}; null if it is not known"
            )
        return [found[name] for name in self._static]

    def _numbers(self, content: Any) -> list[Any]:
        if isinstance(content, list) and content and all(isinstance(row, list) for row in content):
            return [self._one(row) for row in content]
        if isinstance(content, int | float) and not isinstance(content, bool):
            content = [content]
        return self._one(content)

    def _one(self, content: Any) -> list[float]:
        if not isinstance(content, list):
            raise self._bad(
                f"it must be a list of {counted(self._channels, 'number')}; got {str(content)[:40]!r}"
            )
        if len(content) != self._channels:
            raise self._bad(f"it has {counted(len(content), 'number')}, the network reads {self._channels}")
        row = []
        for value in content:
            if value is None:
                row.append(math.nan)
            elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
                row.append(float(value))
            elif isinstance(value, float):
                row.append(value)  # NaN is for the network to judge, infinity too
            else:
                raise self._bad(f"{str(value)[:40]!r} is not a number")
        return row

    # ------------------------------------------------------------------ CSV

    def _csv(self, line: str) -> Row | None:
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=self._parted_by(line)))]
        except csv.Error as error:
            raise self._bad(f"it cannot be read as CSV: {error}") from None
        if self._columns is None:
            if any(self._number(cell) is None for cell in cells):
                self._header(cells)
                return None
            if self._name is not None:
                raise UsageError(
                    f"stream: name is the column {self._name!r}, but the first line is no header."
                )
            if self._static:
                raise UsageError(
                    f"stream: the static inputs {listing(self._static)} are columns of the rows, but the first line is no "
                    "header. Name the columns."
                )
            self._columns, self._width = self._without_header(cells)
        if len(cells) != self._width:
            raise self._bad(f"it has {counted(len(cells), 'cell')}; {self._expected()} expected")
        row = []
        for column in self._columns:
            value = self._number(cells[column])
            if value is None:
                raise self._bad(f"{cells[column][:40]!r} is not a number")
            row.append(value)
        static = [self._cell(cells[column]) for column in self._static_columns]
        name = None if self._name_column is None else cells[self._name_column]
        return Row(row, name, static=static or None)

    def _without_header(self, cells: list[str]) -> tuple[list[int], int]:
        """Return the columns of the channels where nothing names them, and how many cells a row has.

        Channels of files without a header are called by their places, channel_1 and channel_2 where the first column was
        the time; a row as wide as those files has them at these places, one of the channels alone has them in order.
        """
        places = [int(found[1]) for name in self._names or () if (found := _NUMBERED.fullmatch(name))]
        if len(places) < self._channels or len(cells) != max(places) + 1 or len(cells) == self._channels:
            return list(range(self._channels)), self._channels
        left = [str(place + 1) for place in range(len(cells)) if place not in places]
        self._warn(
            f"not read: {'columns' if len(left) > 1 else 'column'} {', '.join(left)} of each line, as in training."
        )
        return places, len(cells)

    def _number(self, cell: str) -> float | None:
        """Return a cell as the tables of the training are read, None if it is no number."""
        if self._numerals is None:
            return _number(cell)
        try:
            return float(self._numerals.read(np.array([cell], dtype=object))[0][0])
        except NotANumberError:
            return None

    def _expected(self) -> str:
        """Return how many cells a row has, and of which channels where no header names them."""
        named = f", {listing(self._names)}," if self._names and self._width == self._channels else ""
        return f"{self._width}{named} {'is' if self._width == 1 else 'are'}"

    def _cell(self, cell: str) -> float | str | None:
        """Return a static input: a number where it is one, text, or None where it is missing."""
        number = self._number(cell)
        return cell if number is None else None if math.isnan(number) else number

    def _parted_by(self, line: str) -> str:
        """Return what parts the cells; where a comma is the decimal mark it is not that, unless there is nothing else."""
        if self._delimiter is None:
            decimal = self._numerals.decimal if self._numerals is not None else "."
            self._delimiter = next(
                (mark for mark in (",", ";", "\t") if mark in line and mark != decimal), None
            )
        return self._delimiter or ";"

    def _header(self, cells: list[str]) -> None:
        if self._name is not None:
            if self._name not in cells:
                raise UsageError(
                    f"stream: name is the column {self._name!r}, the columns are {_shown(cells)}."
                )
            self._name_column = cells.index(self._name)
        absent = [name for name in self._static if name not in cells]
        if absent:
            raise UsageError(
                f"stream: the network was trained with the static inputs {listing(self._static)}, and there is no column "
                f"{absent[0]!r}; the columns are {_shown(cells)}. Add it, filled in the first row of each sequence."
            )
        self._static_columns = [cells.index(name) for name in self._static]
        others = [i for i in range(len(cells)) if i not in (self._name_column, *self._static_columns)]
        if self._names is not None and all(name in cells for name in self._names):
            self._columns = [cells.index(name) for name in self._names]
            self._say_left_out(cells)
        elif len(others) == self._channels:
            self._columns = others
        else:
            known = f" ({', '.join(self._names)})" if self._names else ""
            raise UsageError(
                f"stream: the network reads {counted(self._channels, 'channel')}{known}, the columns are {_shown(cells)}. "
                "Name them as in training, or leave the others out."
            )
        self._width = len(cells)

    def _say_left_out(self, cells: list[str]) -> None:
        """Tell of columns nobody reads: one of them may say which recording a row is of."""
        read = {*(self._columns or ()), *self._static_columns, self._name_column}
        left = [cell for i, cell in enumerate(cells) if i not in read]
        if not left:
            return
        text = f"not read: {_shown(left)}."
        if self._name is None and self._trained_id in left:
            text += (
                f" All rows are one sequence; {self._trained_id!r} told sequences apart in training: give --name "
                f"{shlex.quote(str(self._trained_id))}."
            )
        elif self._name is None:
            text += (
                " All rows are one sequence; if a column names the recording of a row, give --name COLUMN."
            )
        self._warn(text)


def lines_of(source: BinaryIO) -> Iterator[bytes | None]:
    r"""Yield each line as soon as it has ended, in ``\n``, ``\r\n`` or ``\r``; None for one that is too long."""
    rest, dropping, after_return = b"", False, False
    while chunk := source.read1(_CHUNK_BYTES):  # type: ignore[attr-defined] # what there is, without waiting for more
        if after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        pieces = (rest + chunk).splitlines(keepends=True)
        after_return = chunk.endswith(b"\r")
        rest = pieces.pop() if pieces and not pieces[-1].endswith((b"\n", b"\r")) else b""
        for piece in pieces:
            yield None if dropping or len(piece) > MAX_LINE_BYTES else piece
            dropping = False
        if dropping or len(rest) > MAX_LINE_BYTES:
            rest, dropping = b"", True
    if rest or dropping:
        yield None if dropping else rest


def _shown(cells: Sequence[str]) -> str:
    """Return the names of columns, of very many the first."""
    more = f", ... ({len(cells)} in all)" if len(cells) > 40 else ""
    return ", ".join(cell if len(cell) <= 80 else f"{cell[:77]}..." for cell in cells[:40]) + more


def check_encoding(name: str) -> None:
    """Raise UsageError at an encoding in which lines cannot be found while they come."""
    try:
        fits = "\n".encode(name) == b"\n"
    except LookupError:
        raise UsageError(
            f"stream: there is no encoding {name!r}; such are utf-8, latin-1 and cp1252."
        ) from None
    if not fits:
        raise UsageError(f"stream: lines in {name} do not end where one can see it; give them in utf-8.")


def _number(cell: str) -> float | None:
    if cell == "" or cell.lower() in ("na", "nan", "null"):
        return math.nan
    if "_" in cell:  # Python reads 1_000 as 1000
        return None
    try:
        return float(cell)
    except ValueError:
        return None
