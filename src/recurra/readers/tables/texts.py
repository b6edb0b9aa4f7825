"""Texts on disk become records: one text a line, a file per text in a folder per class, or JSON lines."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError
from recurra.readers.files import subtitles
from recurra.readers.files.encodings import read_text
from recurra.readers.tables import tokens
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.number_formats import is_missing
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.records import Dataset, Record

JSON_SUFFIXES = (".jsonl", ".ndjson")

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|nan|inf", re.IGNORECASE)
_LINES_LOOKED_AT = 20
# Rows of a table: their separators, how many there must be, and a cell of a number with its sign, marks and unit.
_MARKS_OF_ROWS, _FEWEST_ROWS = ",;\t|~^", 4
_NUMBER_AND_UNIT = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*(?:[A-Za-z]{1,3}[^A-Za-z]*\d*)?[^A-Za-z]*")
# Names beside a tab are labels if there are at least so many lines, and so many of each on average.
FEWEST_LINES, LINES_OF_A_LABEL = 6, 2
# Paragraphs of one line each, parted by empty lines: fewer are taken for texts with a line left empty by mistake.
FEWEST_OF_ONE_LINE = 10
# Cells of a column that are looked at, and the words or characters of half of them that make them texts.
_CELLS_LOOKED_AT, _WORDS_OF_A_TEXT, _LETTERS_OF_A_TEXT = 200, 3, 20
# Thai, kana, Chinese characters and Hangul: so many of them are a text, with or without a blank.
_WITHOUT_BLANKS, _SIGNS_OF_A_TEXT = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"), 4
# Letters, and what stands between them in names.
_WORDS = re.compile(r"[^\W\d_]+(?:[ '’.-]+[^\W\d_]+)*\.?")
# A column of at most so many different words may hold the classes.
_MOST_CLASSES = 50


def is_prose(path: Path, *, encoding: str = "utf-8") -> bool:
    """Return whether a ``.txt`` file holds text rather than a table of numbers: none of its first lines is numbers."""
    lines = [line for line in read_text(path, encoding=encoding).split("\n") if line.strip()][
        :_LINES_LOOKED_AT
    ]
    return not any(_is_numbers(line) for line in lines) and not _are_rows(lines)


def first_line(path: Path, *, encoding: str = "utf-8") -> str:
    """Return the first line that is not empty."""
    return next(line for line in read_text(path, encoding=encoding).split("\n") if line.strip())


def _is_numbers(line: str) -> bool:
    cells = [cell for cell in re.split(r"[,;|\s]+", line.strip()) if cell]
    return 2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) >= len(cells)


def _are_rows(lines: Sequence[str]) -> bool:
    """Return whether most lines have as many cells of one separator, and most of these cells hold a number and little else.

    Numbers may be in quotation marks, have a unit or a sign of their own, and stand below lines that are no rows.
    """
    for mark in _MARKS_OF_ROWS:
        counts = Counter(line.count(mark) for line in lines)
        width = counts.most_common(1)[0][0] if counts else 0
        rows = [line.split(mark) for line in lines if line.count(mark) == width > 0]
        if len(rows) < _FEWEST_ROWS or 3 * len(rows) < 2 * len(lines):
            continue
        cells = [cell for row in rows[1:] for cell in row]
        if 2 * sum(_NUMBER_AND_UNIT.fullmatch(cell) is not None for cell in cells) > len(cells):
            return True
    return False


def read_lines(path: Path, words: TableOptions) -> Dataset:
    """Read one text a line, a caption or between empty lines; or a sentence a line with a label for each word.

    Parameters
    ----------
    path : Path
        File; empty lines at the end are no texts.
    words : TableOptions
        ``labels`` is a file with one label a line, or with one for each word, as many lines as texts; ``encoding`` that
        of both files. ``layout="paragraphs"`` reads what stands between empty lines as one text, as does "auto" where
        texts of several lines, or many of one, are parted so.

    Raises
    ------
    DataError
        If a line between texts is empty, or there are not as many labels as texts.
    """
    labels, encoding = words.labels, words.encoding
    if words.layout == "auto" and labels is None and (said := _captions(path, encoding)) is not None:
        words.check_given(("labels", "layout", "encoding"), f"{path}, subtitles")
        return _read_captions(path, said)
    if words.layout == "paragraphs" or (
        words.layout == "auto" and labels is None and _has_paragraphs(path, encoding)
    ):
        words.check_given(("layout", "encoding"), f"{path}, texts that empty lines part")
        return _read_paragraphs(path, encoding)
    texts = _lines(path, encoding)
    wanted: list[Any] = [None] * len(texts)
    note = f"{path}: read as one text a line."
    own = words.label_per != "sequence"  # each word may have a label of its own
    if labels is None and own and words.layout != "lines" and (sentences := tokens.in_lines(texts)):
        return _sentences(path, sentences)
    if labels is None and words.layout != "lines" and (parted := _labels_by_tab(texts)):
        texts, wanted, side = parted
        note = f"{path}: read as one text a line, its label {side} a tab; layout='lines' reads whole lines."
    elif labels is not None:
        wanted = _lines(Path(labels), encoding)
        if len(wanted) != len(texts):
            raise DataError(
                f"{labels}: must hold one label for each line of {path}; it has {counted(len(wanted), 'label')} for "
                f"{counted(len(texts), 'text')}. "
                f"{'Remove the labels of no text' if len(wanted) > len(texts) else 'Add those that are missing'}, or check "
                "that both files are of the same data."
            )
        if own and (sentences := tokens.labelled(texts, wanted)):
            return _sentences(path, sentences)
    if words.label_per == "step":
        raise DataError(
            f"{path}: with label_per='step' every line must hold a label for each of its words, behind a tab, at the word "
            "or in the file of labels=. Correct it, or leave label_per= out."
        )
    records = [
        Record(text, label=label, name=f"line {number}")
        for number, (text, label) in enumerate(zip(texts, wanted, strict=True), 1)
    ]
    return Dataset(records, kind="text", source=str(path), notes=(note,))


def _sentences(path: Path, sentences: Sequence[Record]) -> Dataset:
    note = f"{path}: read as one sentence a line, with a label for each word."
    return Dataset(sentences, kind="tokens", source=str(path), notes=(note,))


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


def without_label(line: str, classes: Collection[str] | None) -> tuple[str, str | None]:
    """Return the text of a line, and its label where one of these classes stands on one side of a tab.

    Without classes a number is taken for a label.
    """
    halves = [half.strip() for half in line.split("\t")]
    if len(halves) != 2 or not all(halves):
        return line, None
    named = [_is_number(half) if classes is None else half in classes for half in halves]
    if named[1] and not named[0]:
        return halves[0], halves[1]
    return (halves[1], halves[0]) if named[0] and not named[1] else (line, None)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _paragraphs(path: Path, encoding: str) -> list[str]:
    """Return what stands between empty lines, the lines of each kept as they are."""
    parts = re.split(
        r"\n[^\S\n]*(?:\n[^\S\n]*)+", read_text(path, encoding=encoding).replace("\r\n", "\n").strip()
    )
    return [part.strip("\n") for part in parts if part.strip()]


def _has_paragraphs(path: Path, encoding: str) -> bool:
    paragraphs = _paragraphs(path, encoding)
    several = any("\n" in paragraph for paragraph in paragraphs)
    return len(paragraphs) > 1 and (several or len(paragraphs) >= FEWEST_OF_ONE_LINE)


def _read_paragraphs(path: Path, encoding: str) -> Dataset:
    paragraphs = _paragraphs(path, encoding)
    if len(paragraphs) == 1:
        paragraphs = [line for line in paragraphs[0].split("\n") if line.strip()]
    records = [
        Record(paragraph, name=f"paragraph {number}") for number, paragraph in enumerate(paragraphs, 1)
    ]
    note = f"{path}: read as one text a paragraph, which empty lines part."
    return Dataset(records, kind="text", source=str(path), notes=(note,))


def _captions(path: Path, encoding: str) -> list[str] | None:
    return subtitles.captions(read_text(path, encoding=encoding))


def _read_captions(path: Path, said: Sequence[str]) -> Dataset:
    if not said:
        raise DataError(f"{path}: holds subtitles without a word. Give a file whose captions say something.")
    records = [Record(words, name=f"caption {number}") for number, words in enumerate(said, 1)]
    note = f"{path}: read as subtitles, one text a caption, without numbers and times."
    return Dataset(records, kind="text", source=str(path), notes=(note,))


def _lines(path: Path, encoding: str) -> list[str]:
    lines = [line.strip() for line in read_text(path, encoding=encoding).rstrip().split("\n")]
    empty = next((number for number, line in enumerate(lines, 1) if not line), None)
    if empty is not None:
        raise DataError(f"{path}: line {empty} is empty. Remove it, and its label if there is one.")
    return lines


def read_lines_of(path: Path, *, name: str, label: Any, encoding: str = "utf-8") -> list[Record]:
    """Read each line of a file as one text of the same class."""
    lines = enumerate(_lines(path, encoding), 1)
    return [Record(text, label=label, name=f"{name}, line {number}") for number, text in lines]


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
    names = list(dict.fromkeys(chain.from_iterable(rows)))
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
    may_nest = "[" in line or line.find("{") < line.rfind("{")
    nested = [key for key, value in found.items() if isinstance(value, list | dict)] if may_nest else []
    if nested:
        raise DataError(f"{place}: {listing(nested)} must be text or a number; got a list or an object.")
    return found


def is_one_a_line(path: Path, words: Any, usual_names: Iterable[Sequence[str]]) -> bool:
    """Return whether a file is no table: said so, subtitles, or a ``.txt`` of words whose first line names no column."""
    if words.layout != "auto" or words.labels is not None:
        return words.layout in ("lines", "paragraphs") or (
            words.layout == "auto" and words.labels is not None
        )
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
    if path.suffix.lower() in subtitles.SUFFIXES:
        return True
    if path.suffix.lower() != ".txt" or any(told):
        return False
    if not is_prose(path, encoding=words.encoding):  # the captions of subtitles are numbered
        return _captions(path, words.encoding) is not None
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


def check_no_texts(columns: Columns, names: Sequence[str]) -> None:
    """Raise DataError, with the words to give, if columns that would be read as numbers hold texts."""
    found = [name for name in names if _are_texts(columns[name])]
    if not found and len([name for name in names if not _are_words(columns[name])]) <= 1:
        # Nothing but words, and at most one number beside them: no sequence of numbers stands in a row.
        found = [n for n in names if _are_words(columns[n]) and not _may_be_classes(columns[n])]
        found = found if len(names) > 1 or len(columns.names) > 1 else []
    if not found:
        return
    usual = [name for name in columns.names if name.lower() in USUAL_NAMES["label"]]
    others = [name for name in columns.names if name not in found and name not in usual]
    classes = [*usual, *(name for name in others if _may_be_classes(columns[name]))]
    label = f" and label={classes[0]!r}" if classes else ""
    numbers = [
        name for name in others if columns[name].dtype.kind in "if" or _is_numbers(str(columns[name][0]))
    ]
    if _are_texts(columns[found[0]]):  # beside words a number that counts them is one to learn
        numbers = [n for n in numbers if _may_be_targets(columns[n]) and not may_be_ids(columns[n])]
    if any(_is_a_text(name) for name in found):
        raise DataError(f"{columns.who}: {_without_header(columns, found, classes or numbers)}")
    numbered = not label and len(found) == 1 and bool(numbers)
    if numbered:
        label = (
            f", and {listing(numbers, 3)} as label=," if len(numbers) > 1 else f" and label={numbers[0]!r}"
        )
    if numbered and not _are_texts(columns[found[0]]):
        advice = (
            f"Give text={found[0]!r}{label} to learn the number of a word, or source={numbers[0]!r} and "
            f"target={found[0]!r} to learn to turn one into the other."
        )
    elif len(found) == 1 or label:
        advice = f"Give text={found[0]!r}{label} to learn from them."
    else:
        advice = (
            f"Give text={found[0]!r} to learn from one of them, or source={found[0]!r} and target={found[1]!r} to learn to "
            "turn one into the other."
        )
    what = f"column {found[0]!r} holds" if len(found) == 1 else f"columns {listing(found)} hold"
    kind = "texts" if any(_are_texts(columns[name]) for name in found) else "words"
    raise DataError(f"{columns.who}: the {what} {kind}, not numbers. {advice}")


def _without_header(columns: Columns, found: Sequence[str], others: Sequence[str]) -> str:
    """Return the words to give where the first row is one of texts and not of names."""
    texts = [f"column_{columns.names.index(name)}" for name in found]
    told = f"The first row holds texts and no names. Give header='none', text={texts[0]!r}"
    if others:
        return f"{told} and label='column_{columns.names.index(others[0])}' to learn from them."
    if len(texts) == 1:
        return f"{told} to learn from them."
    return (
        f"{told} to learn from one column, or header='none', source={texts[0]!r} and target={texts[1]!r} to learn to turn "
        "one into the other."
    )


def classes_beside(columns: Columns, taken: Iterable[str | None], *, most: int = _MOST_CLASSES) -> list[str]:
    """Return the columns that no word names and that may hold the classes of texts, at most so many different ones."""
    left = [name for name in columns.names if name not in set(taken) and columns[name].dtype.kind in "OUT"]
    return [name for name in left if _may_be_classes(columns[name], most=most)]


def numbers_beside(columns: Columns, taken: Iterable[str | None]) -> list[str]:
    """Return the columns that no word names and that hold numbers, but for one that counts the rows."""
    left = [name for name in columns.names if name not in set(taken)]
    return [name for name in left if _may_be_targets(columns[name])]


def texts_beside(columns: Columns, taken: Iterable[str | None]) -> list[str]:
    """Return the columns that no word names and that hold texts."""
    return [name for name in columns.names if name not in set(taken) and _are_texts(columns[name])]


def may_be_ids(column: np.ndarray) -> bool:
    """Return whether a column holds whole numbers each of which stands there once, as ids do."""
    cells = [str(cell).strip() for cell in column.tolist() if cell is not None and cell == cell]
    return len(set(cells)) == len(cells) > 1 and all(re.fullmatch(r"\+?\d+(\.0*)?", cell) for cell in cells)


def _may_be_targets(column: np.ndarray) -> bool:
    cells = [cell for cell in column.tolist() if cell is not None and cell == cell and str(cell).strip()]
    if not cells or not all(_NUMBER.fullmatch(str(cell).strip()) for cell in cells):
        return False
    return len(cells) < 2 or not bool((np.diff([float(cell) for cell in cells]) == 1).all())


def _are_texts(column: np.ndarray) -> bool:
    if column.dtype.kind not in "OUT":
        return False
    cells = [cell for cell in column[:_CELLS_LOOKED_AT].tolist() if isinstance(cell, str) and cell.strip()]
    texts = [cell for cell in cells if _is_a_text(cell)]
    return len(cells) > 0 and 2 * len(texts) > len(cells)


def _are_words(column: np.ndarray) -> bool:
    """Return whether a column holds different words: no dates, codes, infinities, or numbers with a mark of their own."""
    if column.dtype.kind not in "OUT":
        return False
    cells = [cell for cell in column[:_CELLS_LOOKED_AT].tolist() if isinstance(cell, str) and cell.strip()]
    if any(_NUMBER.fullmatch(cell) or is_missing(cell) for cell in cells) or len(set(cells)) < 2:
        return False
    return all(_WORDS.fullmatch(cell) for cell in cells)


def _is_a_text(cell: str) -> bool:
    if not any(letter.isalpha() for letter in cell) or _is_numbers(cell):
        return False
    if len(_WITHOUT_BLANKS.findall(cell)) >= _SIGNS_OF_A_TEXT:
        return True
    return len(cell.split()) >= _WORDS_OF_A_TEXT or (len(cell) >= _LETTERS_OF_A_TEXT and not cell.isascii())


def _may_be_classes(column: np.ndarray, *, most: int = _MOST_CLASSES) -> bool:
    """Return whether a column of words has few that come again and again."""
    cells = [str(cell).strip() for cell in column.tolist()]
    different = {cell for cell in cells if cell}
    if not 1 < len(different) <= min(most, len(cells) // 2):
        return False
    return not all(_NUMBER.fullmatch(part) for part in re.split(r"[,;|\s]+", min(different)) if part)
