"""Sentences with a label for each word: columns of CoNLL, a sentence a line with its labels beside, or JSON lines."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, did_you_mean, listing
from recurra.errors import DataError
from recurra.readers.files.encodings import read_text
from recurra.readers.tables.number_formats import is_missing
from recurra.readers.tables.preamble import is_number
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.records import Dataset, Record

SUFFIXES = (".conll", ".conllu", ".conllx", ".iob", ".iob2", ".bio")

# https://universaldependencies.org/format.html
UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

# What lists of words and of labels are called in JSON lines where nobody says it.
WORDS = ("tokens", "words", "text", "sentence")
LABELS = ("labels", "tags", "label", "ner_tags", "pos_tags", "upos", "ner", "pos")

_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"[A-Z][A-Za-z0-9$+:_-]*|[.,:;!?$'`\"()-]+")
_TAGGED = re.compile(r"\S+([/_])([A-Z][A-Z0-9$+:-]*|[.,:;!?$'`\"()-]+)")
FEWEST_DOCUMENTS = 5
# Beginning of a file that is enough to tell what it is.
_BYTES_LOOKED_AT = 65_536


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence, which blanks part."""
    return sentence.split()


# ------------------------------------------------------------------------------ columns


def is_columns(text: str) -> bool:
    """Return whether a text is sentences in columns: a word a line, its label last, empty lines between sentences."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    filled = [line for line in lines if line.strip()]
    between = [at for at, line in enumerate(lines) if not line.strip() and any(filled)]
    if len(filled) < 4 or not any(0 < at < len(lines) - 2 for at in between):
        return False
    tabs = all("\t" in line for line in filled)
    rows = [_cells(line, tabs) for line in filled]
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return False
    if {cell.lower() for cell in rows[0]} & {name for names in USUAL_NAMES.values() for name in names}:
        return False
    if not tabs:  # lines of a text may all have as many words
        return all(_TAG.fullmatch(row[-1]) for row in rows)
    return not any(is_number(row[-1], ".") or is_missing(row[-1]) for row in rows)


def holds_columns(path: Path, words: TableOptions) -> bool:
    """Return whether a ``.txt`` or ``.tsv`` file holds sentences in columns, by its beginning."""
    if words.layout != "auto" or words.labels is not None or words.id or words.time or words.target:
        return words.layout == "tokens"
    if path.suffix.lower() not in (".txt", ".tsv"):
        return False
    with path.open("rb") as file:
        beginning = file.read(_BYTES_LOOKED_AT)
    text = beginning.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return is_columns(text if len(beginning) < _BYTES_LOOKED_AT else text.rpartition("\n\n")[0])


def read_columns(path: Path, words: TableOptions) -> Dataset:
    """Read sentences in columns: CoNLL, or CoNLL-U.

    Parameters
    ----------
    path : Path
        A word a line with its labels in columns parted by tabs or blanks, an empty line after each sentence. Lines
        that begin with ``#`` and have no columns are comments; ``-DOCSTART-`` and ``# newdoc`` begin a document, whose
        sentences are one group.
    words : TableOptions
        ``text`` and ``label`` name the columns: by their names in CoNLL-U (``form`` and ``upos`` by default) or in a
        first row that names them, else ``column_0``, ``column_1`` and so on (the first, and the last).

    Raises
    ------
    DataError
        If lines have different numbers of columns, or there is no such column.
    """
    layout = ("layout",) if words.layout == "tokens" else ()  # another one does not act
    words.check_given(("text", "label", "encoding", *layout), f"{path}, sentences in columns")
    sentences, groups, header = _sentences(path, words)
    names = _names(path, sentences, header)
    width = len(names)
    word = _position(path, names, words.text, "text", _word_column(names, sentences))
    label = None
    if width > 1 and words.label != "":
        usual = names.index("upos") if "upos" in names else _last_that_changes(sentences, word)
        label = _position(path, names, words.label, "label", usual)
    records = [
        Record(
            [row[word] for row in rows],
            label=None if label is None else np.array([row[label] for row in rows]),
            group=group,
            name=f"sentence {number}",
        )
        for number, (rows, group) in enumerate(zip(sentences, groups, strict=True), 1)
    ]
    told = f"words in the column {names[word]!r}" + (
        f", labels in {names[label]!r}" if label is not None else ""
    )
    if label is not None and words.label is None and "upos" not in names and label < width - 1:
        told += f", the last in which not every word has the same; others are named with label={names[-1]!r} or the like"
    return Dataset(records, kind="tokens", source=str(path), notes=(f"{path}: read as sentences, {told}.",))


def _last_that_changes(sentences: Sequence[Sequence[Sequence[str]]], word: int) -> int:
    """Return the last column behind the words that may hold labels: not one value throughout, as ``_``, and no numbers."""
    width = len(sentences[0][0])
    for column in range(width - 1, word, -1):
        cells = {row[column] for rows in sentences for row in rows}
        if len(cells) > 1 and not all(is_number(cell, ".") for cell in cells):
            return column
    return width - 1


def _sentences(
    path: Path, words: TableOptions
) -> tuple[list[list[list[str]]], list[str | None], list[str] | None]:
    """Return the rows of each sentence, the document of each, and the first row where it names the columns."""
    lines = [line.rstrip("\r") for line in read_text(path, encoding=words.encoding).split("\n")]
    tabs = any("\t" in line for line in lines)
    width = _width(lines, tabs)
    sentences: list[list[list[str]]] = [[]]
    groups: list[str | None] = [None]
    document, header = 0, None
    for number, line in enumerate(lines, 1):
        cells = _cells(line, tabs)
        if line.startswith("#") and len(cells) != width:
            document += line.removeprefix("#").strip().startswith("newdoc")
        elif not line.strip():
            if sentences[-1]:
                sentences.append([])
                groups.append(None)
        elif cells[0] == _DOCUMENT:
            document += 1
        elif len(cells) != width:
            raise DataError(
                f"{path}: line {number} has {counted(len(cells), 'column')}, the others have {width}. Write a word a line "
                "with the same columns everywhere, and an empty line between sentences."
            )
        elif header is None and sentences == [[]] and words.text in cells:
            header = cells
        elif not _is_span(cells[0], width):
            sentences[-1].append(cells)
            groups[-1] = f"document {document}" if document else None
    if not sentences[-1]:
        sentences.pop()
        groups.pop()
    if document < FEWEST_DOCUMENTS:  # so few cannot be split fairly with each on one side
        groups = [None] * len(sentences)
    if not sentences:
        raise DataError(
            f"{path}: holds no sentence. Write a word a line, and an empty line between sentences."
        )
    return sentences, groups, header


def _width(lines: Sequence[str], tabs: bool) -> int:
    counts = Counter(len(_cells(line, tabs)) for line in lines if line.strip() and not line.startswith("#"))
    return counts.most_common(1)[0][0] if counts else 0


def _cells(line: str, tabs: bool) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if tabs else line.split()


def _is_span(number: str, width: int) -> bool:
    """Return whether a line of CoNLL-U stands for several words, ``3-4``, or for one that is not written, ``3.1``."""
    return width == len(UNIVERSAL) and re.fullmatch(r"\d+[-.]\d+", number) is not None


def _names(path: Path, sentences: Sequence[Sequence[Sequence[str]]], header: list[str] | None) -> list[str]:
    width = len(sentences[0][0])
    if header is not None:
        return header
    if width == len(UNIVERSAL) and (path.suffix.lower() == ".conllu" or _counts(sentences)):
        return list(UNIVERSAL)
    return [f"column_{i}" for i in range(width)]


def _counts(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Return whether the first column numbers the words of each sentence."""
    return all(row[0] == str(at) for rows in sentences for at, row in enumerate(rows, 1))


def _word_column(names: Sequence[str], sentences: Sequence[Sequence[Sequence[str]]]) -> int:
    if "form" in names:
        return names.index("form")
    return 1 if len(names) > 2 and _counts(sentences) else 0


def _position(path: Path, names: Sequence[str], given: str | None, word: str, usual: int) -> int:
    if not given:
        return usual
    if given not in names:
        raise DataError(
            f"{path}: has no column {given!r} (given as {word}); its columns are {listing(names, 12)}."
            f"{did_you_mean(given, names)}"
        )
    return list(names).index(given)


# --------------------------------------------------------------------- sentences in lines


def in_lines(lines: Sequence[str]) -> list[Record] | None:
    """Return sentences whose labels stand in the same line, None if the lines are no such sentences.

    Either behind a tab, ``the dog barks<tab>DET NOUN VERB``, or at each word, ``the/DET dog/NOUN`` or ``the_DET dog_NOUN``.
    """
    halves = [line.split("\t") for line in lines]
    if all(len(half) == 2 for half in halves):
        if not all(_TAG.fullmatch(tag) for half in halves for tag in words_of(half[1])):
            return None  # a text beside a text
        return labelled([half[0] for half in halves], [half[1] for half in halves])
    pairs = [[_TAGGED.fullmatch(word) for word in words_of(line)] for line in lines]
    if not all(found for line in pairs for found in line) or sum(map(len, pairs)) < 2 * len(pairs):
        return None
    return [
        Record(
            [found.string[: found.start(1)] for found in line if found],
            label=np.array([found.group(2) for found in line if found]),
            name=f"line {number}",
        )
        for number, line in enumerate(pairs, 1)
    ]


def parted(line: str, classes: Collection[str]) -> tuple[list[str], np.ndarray | None]:
    """Return the words of a line, and their labels behind a tab or at each word, where they are of these classes."""
    words, *behind = line.split("\t")
    labels = words_of(behind[0]) if len(behind) == 1 else []
    if len(labels) == len(words_of(words)) and set(labels) <= set(classes):
        return words_of(words), np.array(labels)
    found = [_TAGGED.fullmatch(word) for word in words_of(line)]
    if found and all(one is not None and one.group(2) in classes for one in found):
        tagged = [one for one in found if one is not None]
        return [one.string[: one.start(1)] for one in tagged], np.array([one.group(2) for one in tagged])
    return words_of(line), None


def labelled(
    texts: Sequence[str], labels: Sequence[Any], names: Sequence[str | None] | None = None
) -> list[Record] | None:
    """Return sentences with a label for each word, None unless each text has as many words as its label has parts.

    Sentences of one word each are texts with a class.
    """
    if not all(isinstance(label, str) for label in labels):
        return None
    sentences = [words_of(text) for text in texts]
    parts = [words_of(label) for label in labels]
    if [len(s) for s in sentences] != [len(p) for p in parts] or max(map(len, sentences), default=0) < 2:
        return None
    names = names or [f"line {number}" for number in range(1, len(texts) + 1)]
    return [
        Record(sentence, label=np.array(own), name=name)
        for sentence, own, name in zip(sentences, parts, names, strict=True)
    ]


# --------------------------------------------------------------------------- JSON lines


def read_json(path: Path, words: TableOptions) -> Dataset | None:
    """Read JSON lines whose objects hold a list of words and a list of labels; None if the first one does not.

    Raises
    ------
    DataError
        If a line is no such object, or has more labels than words, or fewer.
    """
    objects = _objects(path, words.encoding)
    first = next(objects, None)
    if (
        first is None
        or not isinstance(first[1], dict)
        or not any(_is_words(value) for value in first[1].values())
    ):
        return None
    words.check_given(("text", "label", "group", "id", "encoding"), f"{path}, sentences in JSON lines")
    known = first[1]
    word = words.text or next((key for key in (*WORDS, *known) if _is_words(known.get(key))), "")
    label = words.label
    if label is None:
        label = next((key for key in LABELS if key != word and isinstance(known.get(key), list)), "")
    records = [_record(path, number, one, word, label, words) for number, one in (first, *objects)]
    told = f"words in {word!r}" + (f", labels in {label!r}" if label else "")
    return Dataset(records, kind="tokens", source=str(path), notes=(f"{path}: read as sentences, {told}.",))


def _objects(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """Yield what each line holds, with its number; None of what is no JSON."""
    for number, line in enumerate(read_text(path, encoding=encoding).split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            yield number, None


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _record(path: Path, number: int, one: Any, word: str, label: str, words: TableOptions) -> Record:
    place = f"{path}: line {number}"
    if not isinstance(one, dict):
        raise DataError(f"{place} must hold a JSON object. Write one object a line.")
    sentence = one.get(word)
    if not _is_words(sentence):
        raise DataError(f"{place}: {word!r} must be a list of words; got {str(sentence)[:40]!r}.")
    assert isinstance(sentence, list)
    labels = one.get(label) if label else None
    if label and (not isinstance(labels, list) or len(labels) != len(sentence)):
        count = counted(len(labels), "label") if isinstance(labels, list) else repr(labels)[:40]
        raise DataError(
            f"{place}: {label!r} must hold a label for each of {counted(len(sentence), 'word')}; got {count}."
        )
    return Record(
        sentence,
        label=None if labels is None else np.array(labels),
        group=one.get(words.group) if words.group else None,
        name=str(one[words.id]) if words.id and words.id in one else f"line {number}",
    )
