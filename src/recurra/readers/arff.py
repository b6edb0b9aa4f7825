r"""The ``.arff`` files of Weka and of the time-series archives become records.

Format: ``@relation``, an ``@attribute name kind`` for each column, ``@data``, then a row a line with cells between commas,
``?`` where one is missing, ``%`` before a comment. An attribute of kind ``relational`` holds a table in quotation marks:
one channel a row, its steps between commas, rows parted by ``\n``. Without one, a row is a sequence of one channel, as in
a wide table.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recurra.checks import counted, did_you_mean, listing
from recurra.errors import DataError
from recurra.readers.files.encodings import read_text
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.table import from_columns
from recurra.readers.tables.table_options import DELIMITED, TableOptions, refuse
from recurra.records import Dataset

SUFFIXES = (".arff",)
NUMERIC = ("numeric", "real", "integer")
MISSING = "?"
# A name or a cell in quotation marks, with a backslash before what would end it; else what stands before a comma.
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|[^\s{{]+)\s*(.+)", re.IGNORECASE)
_CELL = re.compile(rf"\s*({_QUOTED}|[^,]*?)\s*(,|$)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class _Attribute:
    """A column: its name, its kind in lower case, and of nominal ones the values it may have."""

    name: str
    kind: str
    values: tuple[str, ...] = ()


def read_arff(path: Path, words: TableOptions, *, part: str | None = None) -> Dataset:
    """Read an ``.arff`` file.

    Parameters
    ----------
    path : Path
        File.
    words : TableOptions
        Which attribute is what, as of a table. The only nominal attribute is the label unless told otherwise.
    part : {"train", "test"}, optional
        Side of the official split the file is.

    Returns
    -------
    Dataset
        Values float64 of shape (time, channels), missing values NaN; classes as text, targets as numbers.

    Raises
    ------
    DataError
        If a line disagrees with the header or with the format; names the line.
    """
    refuse(words.given.intersection(DELIMITED), ("encoding",), f"{path}, an .arff file")
    lines = read_text(path, encoding=words.encoding).splitlines()
    attributes, first = _header(lines, path)
    columns = _columns(lines, first, attributes, path)
    words = words.without_given("encoding")
    if words.label is None and words.target is None:
        words = replace(words, label=_label_of(attributes, path))
    found = from_columns(columns, words)
    classes = next((one.values for one in attributes if one.name == words.label), ())
    records = []
    for at, one in enumerate(found.records):
        label = (
            str(one.label) if str(one.label) in classes else one.label
        )  # classes stay text, 1 and 2 as well
        records.append(replace(one, part=part, name=one.name or f"{path.stem} {at}", label=label))
    return replace(found, records=records)


def read_arff_pair(train: Path, test: Path, words: TableOptions) -> Dataset:
    """Read the two files of an official split as one data set."""
    first, second = read_arff(train, words, part="train"), read_arff(test, words, part="test")
    records = [*first.records, *second.records]
    return replace(first, records=records, source=str(train.parent), notes=(*first.notes, *second.notes))


def _label_of(attributes: list[_Attribute], path: Path) -> str | None:
    """Return the only attribute that has classes; None where there is none."""
    nominal = [one.name for one in attributes if one.values]
    if len(nominal) > 1:
        raise DataError(
            f"{path}: {listing(nominal)} all have classes as values. Name the label with label={nominal[-1]!r}, and "
            "attributes of a whole sequence with static= or group=."
        )
    return nominal[0] if nominal else None


def _header(lines: list[str], path: Path) -> tuple[list[_Attribute], int]:
    """Return the attributes, those inside of a relational one left out, and the number of the first line of data."""
    attributes: list[_Attribute] = []
    inside = ""
    for number, raw in enumerate(lines):
        line, place = raw.strip(), f"{path}: line {number + 1}"
        word = line.partition(" ")[0].lower()
        if not line or line[0] == "%" or word == "@relation":
            continue
        if word == "@end":
            inside = ""
        elif word == "@data":
            return _checked(attributes, path), number + 1
        elif not inside and (found := _ATTRIBUTE.fullmatch(line)):
            attributes.append(_attribute(found[1], found[2].strip(), place))
            inside = attributes[-1].name if attributes[-1].kind == "relational" else ""
        elif not inside:
            raise DataError(
                f"{place} must be @relation, @attribute with a name and a kind, or @data; got {line[:40]!r}. Correct it."
            )
    raise DataError(
        f"{path}: has no line @data, behind which the rows stand. Check that it is an .arff file."
    )


def _attribute(name: str, kind: str, place: str) -> _Attribute:
    name = _cell(name)
    if kind.startswith("{"):
        return _Attribute(name, "nominal", tuple(_cells(kind.strip("{} "))))
    word = kind.split()[0].lower()
    if word not in (*NUMERIC, "string", "date", "relational"):
        raise DataError(
            f"{place}: the kind of {name!r} must be numeric, string, date, relational or {{a, b}}; got {kind[:40]!r}."
            f"{did_you_mean(word, [*NUMERIC, 'string', 'date', 'relational'])} Correct it."
        )
    return _Attribute(name, "numeric" if word in NUMERIC else word)


def _checked(attributes: list[_Attribute], path: Path) -> list[_Attribute]:
    names = [one.name for one in attributes]
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if not names or twice is not None:
        told = f"the attribute {twice!r} twice" if names else "no line @attribute"
        raise DataError(f"{path}: its header has {told}. Give every column a name of its own.")
    return attributes


def _columns(lines: list[str], first: int, attributes: list[_Attribute], path: Path) -> Columns:
    rows, numbers = [], []
    for number in range(first, len(lines)):
        line = lines[number].strip()
        if not line or line[0] == "%":
            continue
        place = f"{path}: line {number + 1}"
        if line[0] == "{":
            raise DataError(
                f"{place}: a row in braces gives only the cells that are not 0, which is not read. Write all cells "
                "(in Weka: the filter SparseToNonSparse)."
            )
        row = list(_cells(line))
        if len(row) != len(attributes):
            raise DataError(
                f"{place} must have {len(attributes)} cells, one for each attribute; it has {len(row)}. Correct it."
            )
        rows.append(row)
        numbers.append(number + 1)
    if not rows:
        raise DataError(f"{path}: has no row behind @data. Check that writing it was finished.")
    names: list[str] = []
    arrays: list[np.ndarray] = []
    for attribute, cells in zip(attributes, zip(*rows, strict=True), strict=True):
        if attribute.kind == "relational":
            channels = _channels(attribute, cells, numbers, path)
            names += [f"{attribute.name} {at}" for at in range(len(channels))]
            arrays += channels
        else:
            names.append(attribute.name)
            arrays.append(_array(attribute, cells, numbers, path))
    return Columns(str(path), names, arrays, lines=np.array(numbers))


def _array(attribute: _Attribute, cells: tuple[str, ...], numbers: list[int], path: Path) -> np.ndarray:
    """Return a column: float64 of numbers, else an object array of text; None where a cell is missing."""
    if attribute.kind == "numeric":
        return _numbers(list(cells), lambda at: f"{path}: line {numbers[at]}: {attribute.name!r}")
    if attribute.values:
        odd = next((at for at, cell in enumerate(cells) if cell not in (*attribute.values, MISSING)), None)
        if odd is not None:
            raise DataError(
                f"{path}: line {numbers[odd]}: {cells[odd]!r} is not among the values of {attribute.name!r}."
                f"{did_you_mean(cells[odd], list(attribute.values))} Correct one of them."
            )
    out = np.empty(len(cells), dtype=object)
    out[:] = [None if cell == MISSING else cell for cell in cells]
    return out


def _channels(
    attribute: _Attribute, cells: tuple[str, ...], numbers: list[int], path: Path
) -> list[np.ndarray]:
    """Return an object array for each channel, a float64 array of shape (time,) in each of its cells."""
    found: list[list[np.ndarray]] = []
    for row, cell in enumerate(cells):
        place = f"{path}: line {numbers[row]}: channel"
        values = [
            _numbers(list(_cells(text)), lambda at, c=channel, p=place: f"{p} {c}, step {at}")  # type: ignore[misc]
            for channel, text in enumerate(cell.split("\n"))
        ]
        if found and len(values) != len(found[0]):
            raise DataError(
                f"{path}: line {numbers[row]} has {counted(len(values), 'channel')}, line {numbers[0]} has {len(found[0])}. "
                "Give every sequence the same channels."
            )
        found.append(_without_padding(values))
    out = []
    for channel in range(len(found[0])):
        array = np.empty(len(found), dtype=object)
        for row, values in enumerate(found):
            array[row] = values[channel]
        out.append(array)
    return out


def _without_padding(values: list[np.ndarray]) -> list[np.ndarray]:
    """Leave out the steps at the end that no channel has: shorter sequences are written with ``?`` there."""
    ends = [int(np.flatnonzero(~np.isnan(own)).max(initial=-1)) + 1 for own in values]
    return [own[: max(1, *ends)] for own in values] if len({len(own) for own in values}) == 1 else values


def _numbers(cells: list[str], place: Callable[[int], str]) -> np.ndarray:
    try:
        return np.array(["nan" if cell == MISSING else cell for cell in cells], dtype=np.float64)
    except ValueError:
        pass
    for at, cell in enumerate(cells):
        try:
            float("nan" if cell == MISSING else cell)
        except ValueError:
            raise DataError(f"{place(at)} must be a number or '?'; got {cell[:40]!r}. Correct it.") from None
    raise AssertionError("one of the cells is no number")


def _cells(text: str) -> Iterator[str]:
    """Yield what stands between the commas."""
    if "'" not in text and '"' not in text:
        yield from (cell.strip() for cell in text.split(","))
        return
    for found in _CELL.finditer(text):
        yield _cell(found[1])
        if not found[2]:
            return


def _cell(text: str) -> str:
    """Return a cell without its quotation marks."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)
    return text
