"""Texts on disk become records: one text a line, a file per text in a folder per class, or JSON lines."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import listing
from recurra.errors import DataError
from recurra.readers.files.encodings import read_text
from recurra.readers.tables.columns import Columns
from recurra.records import Dataset, Record

JSON_SUFFIXES = (".jsonl", ".ndjson")

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|nan|inf", re.IGNORECASE)
_LINES_LOOKED_AT = 20
# Names beside a tab are labels if there are at least so many lines, and so many of each on average.
FEWEST_LINES, LINES_OF_A_LABEL = 6, 3


def is_prose(path: Path, *, encoding: str = "utf-8") -> bool:
    """Return whether a ``.txt`` file holds text rather than a table of numbers: none of its first lines is numbers."""
    lines = [line for line in read_text(path, encoding=encoding).split("\n") if line.strip()]
    return not any(_is_numbers(line) for line in lines[:_LINES_LOOKED_AT])


def first_line(path: Path, *, encoding: str = "utf-8") -> str:
    """Return the first line that is not empty."""
    return next(line for line in read_text(path, encoding=encoding).split("\n") if line.strip())


def _is_numbers(line: str) -> bool:
    cells = [cell for cell in re.split(r"[,;|\s]+", line.strip()) if cell]
    return 2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) >= len(cells)


def read_lines(
    path: Path, *, labels: Any = None, encoding: str = "utf-8", whole_lines: bool = False
) -> Dataset:
    """Read one text a line.

    Parameters
    ----------
    path : Path
        File; empty lines at the end are no texts.
    labels : path, optional
        File with one label a line, as many as texts.
    encoding : str, default="utf-8"
        Of both files.
    whole_lines : bool, default=False
        Whether a tab is a part of the text. Else, where few different names stand on one side of a tab in every line,
        they are the labels.

    Raises
    ------
    DataError
        If a line between texts is empty, or there are not as many labels as texts.
    """
    texts = _lines(path, encoding)
    wanted: list[Any] = [None] * len(texts)
    note = f"{path}: read as one text a line."
    if labels is None and not whole_lines and (parted := _labels_by_tab(texts)):
        texts, wanted, side = parted
        note = f"{path}: read as one text a line, its label {side} a tab; layout='lines' reads whole lines."
    elif labels is not None:
        wanted = _lines(Path(labels), encoding)
        if len(wanted) != len(texts):
            raise DataError(
                f"{labels}: must hold one label for each line of {path}; it has {len(wanted)} labels for {len(texts)} "
                f"texts. {'Remove the labels' if len(wanted) > len(texts) else 'Add the labels'} of no text, or check "
                "that both files are of the same data."
            )
    records = [
        Record(text, label=label, name=f"line {number}")
        for number, (text, label) in enumerate(zip(texts, wanted, strict=True), 1)
    ]
    return Dataset(records, kind="text", source=str(path), notes=(note,))


def _labels_by_tab(lines: Sequence[str]) -> tuple[list[str], list[Any], str] | None:
    """Return texts, labels, and on which side of a tab the labels stand; None where it is not plain that they do.

    On one side, and on one alone, few different names must stand, each on several lines.
    """
    parts = [line.split("\t") for line in lines]
    if len(lines) < FEWEST_LINES or any(len(part) != 2 or not all(map(str.strip, part)) for part in parts):
        return None
    sides = list(zip(*parts, strict=True))
    named = [side for side in (0, 1) if 2 <= len(set(sides[side])) <= len(lines) // LINES_OF_A_LABEL]
    if len(named) != 1:
        return None
    labels = [label.strip() for label in sides[named[0]]]
    texts = [text.strip() for text in sides[1 - named[0]]]
    return texts, labels, "behind" if named[0] else "before"


def _lines(path: Path, encoding: str) -> list[str]:
    lines = [line.strip() for line in read_text(path, encoding=encoding).rstrip().split("\n")]
    empty = next((number for number, line in enumerate(lines, 1) if not line), None)
    if empty is not None:
        raise DataError(f"{path}: line {empty} is empty. Remove it, and its label if there is one.")
    return lines


def read_file(path: Path, *, name: str, label: Any = None, encoding: str = "utf-8") -> Record:
    """Read a whole file as one text."""
    return Record(read_text(path, encoding=encoding).strip(), label=label, name=name)


def read_json_lines(path: Path, *, encoding: str = "utf-8") -> Columns:
    """Read a file with one JSON object a line as columns; a key that a line lacks is an empty cell.

    Raises
    ------
    DataError
        If a line is no JSON object, or a value is neither text nor number.
    """
    rows = []
    for number, line in enumerate(read_text(path, encoding=encoding).split("\n"), 1):
        if line.strip():
            rows.append(_json_object(line, f"{path}: line {number}"))
    names = list(dict.fromkeys(key for row in rows for key in row))
    if not names:
        raise DataError(
            f"{path}: its objects have no keys. Write objects such as {{'text': ..., 'label': ...}}."
        )
    arrays = []
    for name in names:
        column = np.empty(len(rows), dtype=object)
        column[:] = [row.get(name) for row in rows]
        arrays.append(column)
    return Columns(str(path), names, arrays)


def _json_object(line: str, place: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place} is not JSON: {error.msg} at character {error.pos}. Write one object a line."
        ) from None
    if not isinstance(found, dict):
        raise DataError(
            f"{place} must hold a JSON object; got {type(found).__name__}. Write one object a line."
        )
    nested = [key for key, value in found.items() if isinstance(value, list | dict)]
    if nested:
        raise DataError(f"{place}: {listing(nested)} must be text or a number; got a list or an object.")
    return found


def is_one_a_line(path: Path, words: Any, usual_names: Iterable[Sequence[str]]) -> bool:
    """Return whether a file is no table: said so, or a ``.txt`` of words whose first line names no column."""
    if words.layout != "auto" or words.labels is not None:
        return words.layout == "lines" or (words.layout == "auto" and words.labels is not None)
    told = (
        words.id,
        words.time,
        words.label,
        words.group,
        words.target,
        words.text,
        words.channels,
        words.delimiter,
    )
    if path.suffix.lower() != ".txt" or any(told) or not is_prose(path, encoding=words.encoding):
        return False
    first = first_line(path, encoding=words.encoding)
    names = {cell.strip().lower() for mark in ",;\t|" for cell in first.split(mark)}
    return not names & {name for usual in usual_names for name in usual}


def text_cells(columns: Columns, name: str) -> list[str]:
    """Return a column as text; "none" and "null" are words here, only an empty cell is missing."""
    cells = columns[name].tolist()
    kinds = {type(cell).__name__ for cell in cells if cell is not None and cell == cell}  # NaN is not itself
    if len(kinds) > 1 or not kinds <= {"str"}:
        odd = next(row for row, cell in enumerate(cells) if cell is not None and not isinstance(cell, str))
        if len(kinds) > 1 and cells[odd] == cells[odd]:
            raise DataError(
                f"{columns.who}: the text column {name!r} must hold text; {columns.place(odd)} has {cells[odd]!r} of type "
                f"{type(cells[odd]).__name__}. Turn the column into text, or name another with text=."
            )
    texts = ["" if cell is None or cell != cell else str(cell).strip() for cell in cells]
    empty = next((row for row, text in enumerate(texts) if not text), None)
    if empty is not None:
        raise DataError(
            f"{columns.who}: the text column {name!r} must be filled; it is empty at {columns.place(empty)}. "
            "Fill or remove the row."
        )
    return texts
