"""One file of a folder becomes one record: a table, an array, a signal, or a text."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, RecurraError
from recurra.readers.alike import Alike
from recurra.readers.arrays import load
from recurra.readers.files.encodings import read_text
from recurra.readers.large.tables import is_large, read_columns
from recurra.readers.signals.signal import SUFFIXES as SIGNALS
from recurra.readers.signals.signal import read_signal
from recurra.readers.tables import row_order, texts
from recurra.readers.tables.columns import Columns, parse
from recurra.readers.tables.number_formats import Numerals
from recurra.readers.tables.table import from_columns, has_index
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions, refuse
from recurra.records import Dataset, Record

LABELS = "labels.csv"
LABEL_FILES = (LABELS, "labels.tsv")
# What to do about a word that says where labels stand.
ADVICE = f"Labels and groups of whole files stand in a {LABELS} with the columns file, label and group."
# Noted of a file whose columns have no names.
UNNAMED = "the first row is data"


def labels_in(folder: Path) -> Path | None:
    """Return the table of labels of a folder, None if there is none.

    Raises
    ------
    DataError
        If there are two.
    """
    found = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    if len(found) > 1:
        raise DataError(
            f"{folder}: holds {' and '.join(path.name for path in found)}, and which of them tells the labels is not known. "
            "Move one of them away."
        )
    return found[0] if found else None


@dataclass(frozen=True)
class OfEachFile:
    """Words for the files of a folder, narrowed once for all: they were checked for the folder, not for each file.

    Parameters
    ----------
    words : TableOptions
        Without what a file that is one sequence has no use for.
    signals : TableOptions
        Of signal files.
    grouped : bool
        Whether a column was said to hold the group.
    keep_labels : bool
        Whether labels per time step may stand in the files.
    alike : Alike
        What was found in files read before.
    """

    words: TableOptions
    signals: TableOptions
    grouped: bool
    keep_labels: bool
    alike: Alike


def of_each_file(words: TableOptions, *, keep_labels: bool) -> OfEachFile:
    """Return the words for each file of a folder; ``keep_labels`` as there."""
    given = words.given & {"sort", "time_unit", "time_format", "time_zone"}
    signals = replace(words, given=given, label=words.label if keep_labels else "")
    own = replace(
        words, given=given, id="", text="", layout="long", label_per="step" if keep_labels else "auto"
    )
    if not keep_labels:
        own = replace(own, label=own.label or "", target=own.target or "")
    return OfEachFile(own, signals, "group" in words.given, keep_labels, Alike(own))


def read_one(file: Path, root: Path, own: OfEachFile, *, label: Any = None) -> Dataset:
    """Read one file as one record, with a label where the folder says it."""
    name = file.relative_to(root).as_posix()
    suffix, words = file.suffix.lower(), own.words
    if suffix in (".csv", ".tsv", ".txt"):
        header = "maybe" if words.header == "auto" else words.header
        prose = suffix == ".txt" and texts.is_prose(file, encoding=words.encoding)
        if not prose and is_large(file):
            with contextlib.suppress(RecurraError):  # the reader of text says it, with the line
                if (plain := read_columns(file, words, header=header)) is not None:
                    return _of_columns(plain, file, name, own, label)
        if not prose:
            return _read_table(file, name, own, label, header)
    dataset = _read_other(file, name, own)
    if label is None:
        return dataset
    return replace(dataset, records=[replace(dataset.records[0], label=label)])


def _read_table(file: Path, name: str, own: OfEachFile, label: Any, header: str) -> Dataset:
    words = own.words
    text = read_text(file, encoding=words.encoding)
    same = file.suffix.lower() == ".csv"
    if same and (found := own.alike.read(text, file, name=name, label=label)) is not None:
        return found
    numerals = Numerals(words.decimal, words.thousands)
    columns = parse(text, who=str(file), delimiter=words.delimiter, numerals=numerals, header=header)
    read = _of_columns(columns, file, name, own, label)
    if same:
        own.alike.learn(columns, read)
    return read


def _read_other(file: Path, name: str, own: OfEachFile) -> Dataset:
    """Read a file that is no table."""
    words = own.words
    if file.suffix.lower() in SIGNALS:
        return _read_signal(file, name, own.signals)
    if file.suffix.lower() == ".npy":
        values = load(file)["X"]
        if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
            raise DataError(
                f"{file}: must hold numbers of shape (time, channels); got {values.dtype} of shape "
                f"{values.shape}."
            )
        if 0 in values.shape:
            raise DataError(
                f"{file}: has no time step: its shape is {values.shape}. Remove the file or its label."
            )
        values = values.reshape(len(values), -1).astype(
            np.float64 if values.dtype.kind != "f" else values.dtype, copy=False
        )
        return Dataset([Record(values, name=name, sample_rate_hz=words.sample_rate_hz)])
    return Dataset([texts.read_file(file, name=name, encoding=words.encoding)], kind="text")


def _of_columns(columns: Columns, file: Path, name: str, own: OfEachFile, label: Any) -> Dataset:
    found: list[str] = []
    words = own.words
    if not own.keep_labels:
        if own.grouped and words.group not in columns.names:
            refuse(["group"], [], f"{file}, which has no column {words.group!r}", advice=ADVICE)
        group = words.group if own.grouped else ""
        words, found = _with_time(columns, words)
        channels = words.channels or _plain_channels(columns, words)
        words = replace(words, label="", target="", group=group, channels=channels)
    dataset = from_columns(columns, words)
    if columns.header_rows == 0 and words.header == "auto":
        dataset = replace(dataset, notes=(*dataset.notes, UNNAMED))
    # Columns found by name and rates are told once for the whole folder.
    notes = tuple(
        note
        for note in (*found, *dataset.notes)
        if not any(
            told in note for told in ("found by name", "sampled irregularly", row_order.OF_ONE_SEQUENCE)
        )
    )
    told = {"name": name} if label is None else {"name": name, "label": label}
    return replace(dataset, records=[replace(dataset.records[0], **told)], notes=notes)


def _read_signal(file: Path, name: str, words: TableOptions) -> Dataset:
    dataset = read_signal(file, words)
    if len(dataset.records) > 1:
        raise DataError(
            f"{file}: holds {len(dataset.records)} sequences; in a folder every file holds one. Load it alone."
        )
    return replace(dataset, records=[replace(dataset.records[0], name=name)])


def _with_time(columns: Columns, words: TableOptions) -> tuple[TableOptions, list[str]]:
    """Return the words with the time column of a file that calls it in its own way."""
    usual = any(name.lower() in USUAL_NAMES["time"] for name in columns.names)
    if usual and words.time is None:
        return words, []
    return row_order.with_own_time(columns, words, steps=True)


def _plain_channels(columns: Columns, words: TableOptions) -> list[str]:
    """Columns of a file in a class folder: what the folder says already, and the time, are no channels."""
    named = {words.label, words.group, words.time, *row_order.static_names(columns, words)}
    said = ("label", "group", "id") if words.time == "" else ("label", "group", "time", "id")
    usual = {name for word in said for name in USUAL_NAMES[word]}
    left = [n for n in columns.names if n not in named and n.lower() not in usual]
    return left[1:] if left and has_index(columns, left[0]) and len(left) > 1 else left
