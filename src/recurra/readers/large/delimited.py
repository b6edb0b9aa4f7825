"""Large text files with separators, read by pyarrow where it means what the reader of text makes of every cell.

What the file begins with is looked at by the same functions as always. Whatever is odd there (a preamble, comments,
units) or further on (other line ends, short rows, words among numbers, thousands) is left to `recurra.readers.tables`.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.readers.large.filling import Filling, NotPlainError
from recurra.readers.tables.columns import Columns, clean_header
from recurra.readers.tables.number_formats import MISSING, Numerals, is_missing
from recurra.readers.tables.preamble import check_header, find_table, is_row_of_numbers

# Rows at the beginning that say what a column holds, as many as `find_table` looks at, and lines they may stand in.
_SAMPLE_ROWS, _SAMPLE_LINES = 200, 401
_HEAD_BYTES, _CHUNK = 1 << 17, 1 << 22
# Text that a thread of pyarrow takes at once, and of which so much is read before its numbers are taken.
_BLOCK, _PORTION = 1 << 21, 1 << 23
# pyarrow takes some kilobytes for each column of each piece of a file.
_MOST_COLUMNS = 4096
# Times that a column may turn out to be something else before the file is read as text.
_TRIES = 8

_WHOLE = re.compile(r"-?\d{1,18}\Z")
_COMMENTS = (b"\n#", b"\n%", b"\n//")
_NULLS = sorted(
    {form for word in MISSING for form in (word, word.upper(), word.title(), word.capitalize())}
    | {"NaN", "-NaN", "NaT"}
)


@dataclass(frozen=True)
class _Form:
    """How a file is written: separator, names of the columns, line of the first row (from 0), first rows.

    ``quoted`` and ``hexadecimal`` tell whether quotation marks and 0x are anywhere in it.
    """

    delimiter: str
    names: list[str]
    first_line: int
    rows: list[list[str]]
    lines: int
    quoted: bool
    hexadecimal: bool


def read(
    path: Path,
    numerals: Numerals,
    *,
    delimiter: str | None,
    header: str,
    words: Sequence[str],
    times: Sequence[str],
) -> Columns | None:
    """Read a file of UTF-8 text; None where it is not plain throughout.

    Parameters
    ----------
    path : Path
        File.
    numerals : Numerals
        How its numbers are written.
    delimiter, header : str
        As in `recurra.readers.tables.columns.read_delimited`.
    words : sequence of str
        Columns, in small letters, that are names and classes whatever stands in them: every cell is kept as written.
    times : sequence of str
        Columns, in small letters, that are kept apart from the channels.
    """
    if numerals.thousands is not None:
        return None
    form = _form(path, numerals, delimiter, header)
    if form is None or sum(name.lower() in times for name in form.names) > 1:  # two may be one time together
        return None
    kinds = [
        "words" if name.lower() in words else _kind([row[j] for row in form.rows], numerals.decimal)
        for j, name in enumerate(form.names)
    ]
    if form.hexadecimal:  # pyarrow takes 0x1F for a whole number, but for no other
        kinds = ["double" if kind == "int64" else kind for kind in kinds]
    for _ in range(_TRIES):
        try:
            return _columns(path, form, kinds, numerals, times)
        except NotPlainError as found:
            for j in found.columns:
                kinds[j] = "words"
        except _OtherKindError as found:
            fits = kinds[found.column] == "int64" and _is_plain(found.cell, numerals.decimal)
            kinds[found.column] = "double" if fits else "words"
        except _UnevenError:
            return None
    return None


class _OtherKindError(Exception):
    def __init__(self, column: int, cell: str) -> None:
        super().__init__(column, cell)
        self.column, self.cell = column, cell


class _UnevenError(Exception):
    """Rows of other lengths, or anything else pyarrow does not read."""


def _is_plain(cell: str, decimal: str) -> bool:
    mark = re.escape(decimal)
    return re.match(rf"-?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?\Z", cell.strip()) is not None


def _kind(cells: Sequence[str], decimal: str) -> str:
    there = [cell.strip() for cell in cells if not is_missing(cell)]
    if there and all(_WHOLE.match(cell) for cell in there):
        return "int64"
    return "double" if all(_is_plain(cell, decimal) for cell in there) else "words"


def _rules_out_thousands(cell: str) -> bool:
    """Return whether a number of Python's own notation has a point that cannot part thousands."""
    return "." in cell and re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", cell.strip()) is None


# ------------------------------------------------------------------- what the file looks like


def _form(path: Path, numerals: Numerals, delimiter: str | None, header: str) -> _Form | None:
    head = _head(path)
    if head is None:
        return None
    if delimiter is None and path.suffix.lower() == ".tsv":
        delimiter = "\t"
    found = find_table(head, delimiter=delimiter, decimal=numerals.decimal)
    if found.text != head or found.notes or found.tables or found.units:
        return None
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=found.delimiter)
    rows, first_line, names = [], 0, None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names, first_line, numbered = (
                    _names(cells, path, numerals.decimal, header),
                    reader.line_num,
                    False,
                )
                if names is None:
                    return None
                numbered = (
                    is_row_of_numbers(cells, numerals.decimal) and header == "maybe"
                ) or header == "none"
                if not numbered:
                    continue
                first_line = 0
            rows.append(cells)
            if len(rows) == _SAMPLE_ROWS:
                break
    except csv.Error:
        return None
    if names is None or len(names) < 2 or not rows or any(len(cells) != len(names) for cells in rows):
        return None
    scanned = _scan(path, found.delimiter)
    if scanned is None:
        return None
    return _Form(found.delimiter, names, first_line, rows, *scanned)


def _names(cells: list[str], path: Path, decimal: str, header: str) -> list[str] | None:
    """Return the names of the columns; None where some have none, or where there are too many."""
    if len(cells) > _MOST_COLUMNS:
        return None
    if header == "auto":
        check_header(cells, str(path), decimal)
    if header == "none" or (header == "maybe" and is_row_of_numbers(cells, decimal)):
        cells = [""] * len(cells)
    elif not all(cell.strip() for cell in cells):
        return None
    stem = "channel" if header == "maybe" and not cells[0] else "column"
    return clean_header(cells, list(range(len(cells))), str(path), stem=stem)


def _head(path: Path) -> str | None:
    """Return the beginning of a file to the end of a line; None if it is no UTF-8."""
    with path.open("rb") as file:
        data = file.read(_HEAD_BYTES)
        while data.count(b"\n") < _SAMPLE_LINES and (more := file.read(_CHUNK)):
            data += more
    whole = data[: data.rfind(b"\n") + 1].removeprefix(b"\xef\xbb\xbf")
    try:
        return whole.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


def _scan(path: Path, delimiter: str) -> tuple[int, bool, bool] | None:
    """Return how many lines a file has at most, whether there are quotation marks and 0x; None if it is odd somewhere."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, quoted, hexadecimal, last = 1, False, False, bytearray()
    # One buffer throughout: memory that is asked for anew has to be cleared first, which takes as long as the search.
    buffer = bytearray(_CHUNK)
    with path.open("rb", buffering=0) as file:
        while there := file.readinto(buffer):
            chunk = buffer if there == len(buffer) else buffer[:there]
            if not chunk.isascii() or decoder.getstate()[0]:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    return None
            # Signs that are in every line are counted faster by numpy.
            lines += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == ord("\n")))
            quoted = quoted or b'"' in chunk
            seam = last[-2:] + chunk[:2]
            hexadecimal |= any(s in seam or (s[1:] in chunk and s in chunk) for s in (b"0x", b"0X"))
            # One sign alone is looked for far faster than two or three.
            if b"\0" in chunk or any(s in seam or (s[1:2] in chunk and s in chunk) for s in _COMMENTS):
                return None
            if b"\r" in chunk or last.endswith(b"\r"):
                ends = last[-1:] + chunk
                whole = ends[:-1] if ends.endswith(b"\r") else ends
                if whole.count(b"\r") != whole.count(b"\r\n"):
                    return None
            last = chunk[-(1 << 16) :]
    if decoder.getstate()[0] or last.endswith((b"\x1a", b"\r")):
        return None
    end = last.rstrip(b" \r\n")
    closing = end[end.rfind(b"\n") + 1 :]
    return (lines, quoted, hexadecimal) if closing.strip(b' "' + delimiter.encode()) else None


# ---------------------------------------------------------------------------- its cells


def _columns(
    path: Path, form: _Form, kinds: Sequence[str], numerals: Numerals, times: Sequence[str]
) -> Columns:
    numbers = [j for j, kind in enumerate(kinds) if kind != "words"]
    alone = [j for j in numbers if form.names[j].lower() in times]
    side = [j for j in numbers if j not in set(alone)]
    filling = Filling(
        form.lines,
        numbers=side,
        alone=alone,
        words=[j for j, kind in enumerate(kinds) if kind == "words"],
        doubtful=True,
        settled=[j for j in numbers if any(_rules_out_thousands(row[j]) for row in form.rows)],
    )
    for batch in _batches(path, form, kinds, numerals.decimal):
        filling.add(batch)
    if not filling.rows:
        raise _UnevenError
    found = filling.columns()
    return Columns(
        str(path),
        form.names,
        [found[j] for j in range(len(form.names))],
        delimiter=form.delimiter,
        numerals=replace(numerals, blanks=True),
        header_rows=int(form.first_line > 0),
        width=len(form.names),
        block=filling.block,
        block_names=[form.names[j] for j in side],
        path=path,
    )


def _portions(path: Path) -> Iterator[memoryview]:
    """Yield a file in portions of whole lines, each in the place of the one before."""
    buffer, begun = bytearray(_PORTION), 0
    with path.open("rb", buffering=0) as file:
        while there := file.readinto(memoryview(buffer)[begun:]):
            stop = begun + there
            end = buffer.rfind(b"\n", begun, stop) + 1
            if end:
                yield memoryview(buffer)[:end]
            begun = stop - end
            if begun == len(buffer):  # a line longer than a portion
                buffer = buffer + bytes(len(buffer))
            else:
                buffer[:begun] = buffer[end:stop]
    if buffer[:begun].strip():
        yield memoryview(buffer)[:begun]


def _batches(path: Path, form: _Form, kinds: Sequence[str], decimal: str) -> Iterator[Any]:
    import pyarrow
    from pyarrow import csv as arrow

    types = {
        "int64": pyarrow.int64(),
        "double": pyarrow.float64(),
        "words": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
    }
    positions = [str(j) for j in range(len(kinds))]
    options = {
        "parse_options": arrow.ParseOptions(
            delimiter=form.delimiter,
            quote_char='"' if form.quoted else False,
            newlines_in_values=form.quoted,
        ),
        "convert_options": arrow.ConvertOptions(
            column_types=dict(zip(positions, [types[kind] for kind in kinds], strict=True)),
            null_values=_NULLS,
            strings_can_be_null=False,
            decimal_point=decimal,
        ),
    }

    def reading(skipped: int) -> Any:
        return arrow.ReadOptions(column_names=positions, skip_rows=skipped, block_size=_BLOCK)

    try:
        if form.quoted:  # a line may go on in the next portion
            with arrow.open_csv(path, read_options=reading(form.first_line), **options) as reader:
                yield from reader
            return
        # open_csv parses on one thread, read_csv on all.
        for number, text in enumerate(_portions(path)):
            read_options = reading(0 if number else form.first_line)
            if number or bytes(text).count(b"\n") > form.first_line:
                yield from arrow.read_csv(
                    pyarrow.BufferReader(text), read_options=read_options, **options
                ).to_batches()
    except pyarrow.ArrowInvalid as error:
        told = re.search(
            r"column #(\d+): (?:Row #\d+: )?CSV conversion error.*invalid value '(.*)'", str(error), re.DOTALL
        )
        if told is None:
            raise _UnevenError from None
        raise _OtherKindError(int(told.group(1)), told.group(2)) from None
    except (pyarrow.ArrowException, ValueError):
        raise _UnevenError from None
