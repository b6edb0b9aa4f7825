"""A folder of files, one sequence each, becomes records.

Recognised, in this order: ``labels.csv`` or ``labels.tsv`` beside the files (file, label, group; or, of stretches in time
steps, file, start, end, label); the two files of an archive's split (``NAME_TRAIN.ts``, ``NAME_TEST.ts``, or ``.arff``);
``train`` and ``test`` folders of any of these kinds; one sub-folder per class; files without labels, or with a label per
time step in a column of their own. A ``.txt`` file of words rather than numbers is one text.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from recurra.checks import counted, did_you_mean_file, listing
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.readers.arff import read_arff_pair
from recurra.readers.files.children import holds_runs, is_hidden, note_of, staying_in, visible
from recurra.readers.files.encodings import read_text
from recurra.readers.one_file import ADVICE, LABELS, UNNAMED, labels_in, of_each_file, read_one
from recurra.readers.signals.signal import COMPANIONS, options_for, recordings_of
from recurra.readers.signals.signal import SUFFIXES as SIGNALS
from recurra.readers.signals.stretches import COLUMNS, by_file, holds_stretches, steps_labelled
from recurra.readers.tables import row_order, texts
from recurra.readers.tables.columns import Columns, read_delimited
from recurra.readers.tables.table import has_index
from recurra.readers.tables.table_options import DELIMITED, USUAL_NAMES, TableOptions
from recurra.readers.times.rates import common_rate
from recurra.readers.ts import read_ts_pair
from recurra.records import Dataset, Record

FILE_SUFFIXES = (".csv", ".tsv", ".txt", ".npy", *SIGNALS)

_MAX_NOTES = 10


def read_folder(path: Path, words: TableOptions | None = None) -> Dataset:
    """Read a folder.

    Parameters
    ----------
    path : Path
        Folder. Each sequence is a ``.csv``, ``.tsv`` or ``.txt`` table (a row per time step, a column per
        channel, with or without a first row of names; a time column is no channel), a ``.npy`` array of
        shape (time, channels), or a signal file, see `recurra.readers.signals.signal`.
    words : TableOptions, optional
        Columns of the files (``time``, ``channels``, ``label`` for a label per step) and of ``labels.csv``
        (``label``, ``group``, ``target``), and how text is written; ``resample_hz`` brings files of
        different rates to one.

    Returns
    -------
    Dataset
        Records in order of their file names, named by path inside the folder.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    DataError
        If there is no file to read, one cannot be read, or labels and files do not match.
    """
    words = words or TableOptions()
    if not path.is_dir():
        raise MissingDataError(f"{path}: there is no such folder.")
    if words.labels is not None:
        raise UsageError(
            f"{path}: labels= names a file of labels for one text a line; put {LABELS} into a folder, with the "
            "columns file and label."
        )
    dataset = _any_layout(path, words, path)
    records, notes = _even_out(dataset, path)
    return replace(
        dataset, records=records, source=str(path), notes=tuple(dict.fromkeys((*dataset.notes, *notes)))
    )


def _any_layout(path: Path, words: TableOptions, root: Path) -> Dataset:
    """Read a folder in or at ``root``, out of which no link is followed."""
    labels = labels_in(path)
    if labels is not None:
        return _with_labels(path, labels, words)
    archives = sorted(path.glob("*_TRAIN.ts")), sorted(path.glob("*_TEST.ts"))
    if [len(found) for found in archives] == [1, 1]:
        times = ("time_unit", "time_format", "time_zone", "sort")
        words.check_given(["encoding", *times], f"{path}, the two files of an archive")
        told = {word: getattr(words, word) for word in times}
        return read_ts_pair(archives[0][0], archives[1][0], encoding=words.encoding, **told)
    archives = sorted(path.glob("*_TRAIN.arff")), sorted(path.glob("*_TEST.arff"))
    if [len(found) for found in archives] == [1, 1]:
        return read_arff_pair(archives[0][0], archives[1][0], words)
    folders = staying_in(root, [child for child in visible(path) if child.is_dir()])
    if {folder.name.lower() for folder in folders} == {"train", "test"}:
        return _official_split(path, folders, words, root)
    if folders:
        return _classes(path, folders, words, root)
    files, notes = _files(path, root)
    takes = _words_of(files, words.encoding)
    if _tables(files, words.encoding):
        takes = [*takes, "label", "group", "target", "kind"]
        takes += ["known"] if words.kind == "series" else []
    elif any(file.suffix.lower() in SIGNALS for file in files):
        takes = [*takes, "label"]
    if _are_prose(files, words.encoding):
        if words.layout == "lines":
            words.check_given([*takes, "layout"], f"{path}, a folder of texts")
            return _lines_of_files(path, [(file, file.stem) for file in files], words, notes)
        notes += _if_lines(path, files, words.encoding)
    words.check_given(takes, f"{path}, a folder of files", advice=ADVICE)
    own = of_each_file(words, keep_labels=True)
    return _join([read_one(file, path, own) for file in files], notes)


def _are_prose(files: Sequence[Path], encoding: str) -> bool:
    """Return whether a folder holds nothing but texts."""
    return all(file.suffix.lower() == ".txt" and texts.is_prose(file, encoding=encoding) for file in files)


def _lines_of_files(
    path: Path, files: Sequence[tuple[Path, str]], words: TableOptions, notes: Sequence[str]
) -> Dataset:
    """Read one text a line, of the class that stands with each file."""
    records = [
        record
        for file, label in files
        for record in texts.read_lines_of(
            file, name=file.relative_to(path).as_posix(), label=label, encoding=words.encoding
        )
    ]
    if all(label == file.stem for file, label in files):
        notes = [*notes, f"{path}: read as one text a line, the name of its file as label."]
    return Dataset(records, kind="text", notes=tuple(notes))


# From so many lines a file on, all of them short, files are asked about that may hold one text a line.
_LINES_OF_A_FILE, _SHORT = 5, 40


def _if_lines(path: Path, files: Sequence[Path], encoding: str) -> list[str]:
    """Return what to give if files read as one text each hold one text a line, as lists of names do."""
    lines = [read_text(file, encoding=encoding).strip().split("\n") for file in files]
    if len(files) < 2 or not all(
        len(own) >= _LINES_OF_A_FILE and max(map(len, own)) <= _SHORT for own in lines
    ):
        return []
    return [
        f"{path}: each file is read as one text; layout='lines' reads one text a line, the name of its file as label."
    ]


# The words that act on a table of numbers in a folder, where its layout says what the whole table is.
_OF_A_TABLE = (
    "time", "channels", "sort", "time_unit", "time_format", "time_zone", "sample_rate_hz", "encoding", "delimiter",
    "decimal", "thousands", "header", "static",
)  # fmt: skip


def _tables(files: Sequence[Path], encoding: str) -> list[Path]:
    """Return the files that are tables of numbers."""
    named = [file for file in files if file.suffix.lower() in (".csv", ".tsv", ".txt")]
    return [f for f in named if f.suffix.lower() != ".txt" or not texts.is_prose(f, encoding=encoding)]


def _words_of(files: Sequence[Path], encoding: str) -> list[str]:
    """Return the words that act on at least one of the files, however the folder is laid out."""
    tables = _tables(files, encoding)
    takes: list[str] = []
    if tables:
        takes += _OF_A_TABLE
    if any(file.suffix.lower() == ".npy" for file in files):
        takes.append("sample_rate_hz")
    of_each_kind = {file.suffix.lower(): file for file in files if file.suffix.lower() in SIGNALS}
    for file in of_each_kind.values():
        takes += [word for word in options_for(file) if word != "label"]
    numbers = set(tables)
    if any(file.suffix.lower() == ".txt" and file not in numbers for file in files):
        takes.append("encoding")
    return list(dict.fromkeys(takes))


def _official_split(path: Path, folders: list[Path], words: TableOptions, root: Path) -> Dataset:
    parts = {folder.name.lower(): _any_layout(folder, words, root) for folder in folders}
    records = [
        replace(record, part=name, name=f"{name}/{record.name}")
        for name in ("train", "test")
        for record in parts[name].records
    ]
    return replace(parts["train"], records=records, notes=(*parts["train"].notes, *parts["test"].notes))


def _classes(path: Path, folders: list[Path], words: TableOptions, root: Path) -> Dataset:
    read: list[Dataset] = []
    notes = note_of(root, path.iterdir())
    found = [(folder, *_files(folder, root, must=False)) for folder in folders]
    everything = [file for _, files, _ in found for file in files]
    takes = _words_of(everything, words.encoding)
    if _tables(everything, words.encoding):
        takes = [*takes, "group"]
    lines = words.layout == "lines" and bool(everything) and _are_prose(everything, words.encoding)
    takes = [*takes, "layout"] if lines else takes
    words.check_given(takes, f"{path}, whose folders are the classes", advice=ADVICE)
    if lines:
        named = [(file, folder.name) for folder, files, _ in found for file in files]
        return _lines_of_files(path, named, words, [*notes, *(n for _, _, own in found for n in own)])
    own = of_each_file(words, keep_labels=False)
    for folder, files, skipped in found:
        notes += skipped
        if not files:
            notes.append(
                f"{path}: the folder {folder.name!r} has no sequence file; there is no class of this name."
            )
        read += [read_one(file, path, own, label=folder.name) for file in files]
    if not read and any(child.is_dir() for folder in folders for child in visible(folder)):
        below = (file for file in sorted(path.glob("*/*/**/*")) if file.suffix.lower() in FILE_SUFFIXES)
        first = next((file.relative_to(path) for file in below), Path("class", "person", "1.csv"))
        raise DataError(
            f"{path}: its folders hold folders, and which of them are classes is not known. Write a table {LABELS} into "
            f"{path} with the columns file, label and group, a row for each file, such as "
            f"{first.as_posix()},{first.parts[0]},{first.parts[1]}."
        )
    if not read:
        raise DataError(f"{path}: its folders hold no sequence file ({', '.join(FILE_SUFFIXES)}).")
    return _join(read, notes)


def _files(folder: Path, root: Path, *, must: bool = True) -> tuple[list[Path], list[str]]:
    """Return the sequence files of a folder by name, and a note on those of other kinds and on links out of ``root``."""
    everything = visible(folder)
    outside = note_of(root, everything)
    children = staying_in(root, [child for child in everything if child.is_file()])
    known = [child for child in children if child.suffix.lower() in FILE_SUFFIXES]
    files = recordings_of(known)
    read = {child.name for child in known}
    others = [c.name for c in children if c.name not in read and c.suffix.lower() not in COMPANIONS]
    if must and not files:
        raise DataError(
            f"{folder}: holds no sequence file; known are {', '.join(FILE_SUFFIXES)}"
            f"{f', it holds {listing(others, 3)}' if others else '' if outside else ' and it is empty'}."
            f"{' Links that lead out of it are not followed.' if outside else ''}"
        )
    kinds = (
        [f"{folder}: left out {counted(len(others), 'file')} of other kinds: {listing(others, 3)}."]
        if others
        else []
    )
    return files, outside + kinds


def _join(read: Sequence[Dataset], notes: Sequence[str]) -> Dataset:
    """Put records of one file each together; their channels must agree in number and names."""
    first = read[0]
    read = _without_doubt(read)
    for other in read[1:]:
        a, b = first.records[0], other.records[0]
        if first.kind != other.kind:
            raise DataError(
                f"{b.name}: holds {'words' if other.kind == 'text' else 'numbers'}, {a.name} "
                f"{'words' if first.kind == 'text' else 'numbers'}. Give a folder of one kind of file."
            )
        if first.kind == "text":
            continue
        if a.values.shape[1] != b.values.shape[1]:
            turned = " It looks turned round." if b.values.shape[0] == a.values.shape[1] else ""
            raise DataError(
                f"{b.name}: has {counted(b.values.shape[1], 'channel')}, {a.name} has {a.values.shape[1]}.{turned} "
                "Give every file the same columns."
            )
        if (
            first.channel_names
            and other.channel_names
            and list(first.channel_names) != list(other.channel_names)
        ):
            absent = [name for name in first.channel_names if name not in other.channel_names]
            if absent:
                odd = next(name for name in other.channel_names if name not in first.channel_names)
                raise DataError(
                    f"{b.name}: has a column {odd!r} and none called {absent[0]!r}, which {a.name} has. Give every file "
                    "the same columns, in any order."
                )
    records = [_in_order(one, first.channel_names) for one in read]
    single = _told_together(read)
    more = (
        [f"... and {len(single) - _MAX_NOTES} more notes on single files."]
        if len(single) > _MAX_NOTES
        else []
    )
    return replace(first, records=records, notes=(*notes, *single[:_MAX_NOTES], *more))


# Stands among the notes of a file whose first row was taken for data, until all files are there.
def _without_doubt(read: Sequence[Dataset]) -> list[Dataset]:
    """Return what was read of files without names, or raise where all begin with one row of rising whole numbers.

    pandas writes such a row where columns have no names: (0, 1) of two; and a table by years has one.
    """
    unnamed = [one.records[0] for one in read if UNNAMED in one.notes]
    if len(unnamed) == len(read) > 1:
        row = unnamed[0].values[0]
        rising = len(row) > 1 and bool((row == np.round(row)).all() and (np.diff(row) > 0).all())
        if rising and all(np.array_equal(record.values[0], row) for record in unnamed):
            shown = ",".join(f"{number:.0f}" for number in row[:4])
            raise DataError(
                f"{unnamed[0].name}: its first row, {shown}{',...' if len(row) > 4 else ''}, stands in every file of the "
                "folder and may be the names of the columns. Pass header='first' if it is, header='none' if it is data."
            )
    return [replace(one, notes=tuple(note for note in one.notes if note != UNNAMED)) for one in read]


def _in_order(one: Dataset, names: Sequence[str] | None) -> Record:
    """Return the record of a file, its channels in the order of these names."""
    record = one.records[0]
    if not names or not one.channel_names or list(one.channel_names) == list(names):
        return record
    order = [list(one.channel_names).index(name) for name in names]
    return replace(record, values=record.values[:, order])


def _told_together(read: Sequence[Dataset]) -> list[str]:
    """Return the notes on single files; what is so of several, but for its numbers, is said once, with the first."""
    alike: dict[str, list[str]] = {}
    for one in read:
        for note in one.notes:
            alike.setdefault(re.sub(r"\d+(\.\d+)?", "#", note.partition(": ")[2]) or note, []).append(note)
    return [
        notes[0] if len(notes) == 1 else f"{len(notes)} files have such a note: {notes[0]}"
        for notes in alike.values()
    ]


def _with_labels(path: Path, labels: Path, words: TableOptions) -> Dataset:
    table = read_delimited(
        labels,
        encoding=words.encoding,
        delimiter=words.delimiter,
        decimal=words.decimal,
        thousands=words.thousands,
    )
    column = next(
        (name for name in table.names if name.lower() in ("file", "filename", "path", "name")), None
    )
    if column is None:
        raise DataError(f"{labels}: has no column 'file'; its columns are {listing(table.names)}.")
    if holds_stretches(table.names):
        return _with_stretches(path, labels, words, table)
    files = table.strings(column)
    by_name = _labelled_files(path, labels)
    _check_match(table, column, files, by_name)
    own = ("group", "target", "static") if words.target else ("label", "group", "static")
    takes = [
        *own,
        *(word for word in DELIMITED if word != "header"),
        *_words_of(list(by_name.values()), words.encoding),
    ]
    words.check_given(takes, f"{path}, whose {labels.name} gives the labels")
    targets = [words.target] if isinstance(words.target, str) and words.target else list(words.target or ())
    found = _label_column(table, words, targets)
    group = _column(table, words.group, ("group", "subject", "subject_id"), "group")
    groups = table.labels(group) if group else [None] * len(files)
    part = _column(table, None, ("part", "split"), "part")
    parts = _parts(table, part) if part else [None] * len(files)
    static_names = row_order.static_names(table, words)
    static = row_order.static_of_rows(table, static_names)
    of_files = of_each_file(replace(words.without_given("group"), static=None), keep_labels=False)
    used = {column, group, part, *static_names, *targets, *_label_names(table, words, targets)}
    read = []
    for row, file in enumerate(files):
        one = read_one(by_name[str(file)], path, of_files)
        record = replace(one.records[0], label=found[row], group=groups[row], part=parts[row])
        read.append(replace(one, records=[replace(record, static=static[row])]))
    unused = [name for name in table.names if name not in used and not has_index(table, name)]
    notes = (
        [
            f"{labels}: not used: {listing(unused)}. Values of a whole file become static inputs with static=, who "
            "or what was recorded is named with group=."
        ]
        if unused
        else []
    )
    return replace(_join(read, notes), static_names=static_names or None)


def _with_stretches(path: Path, labels: Path, words: TableOptions, table: Columns) -> Dataset:
    """Read the recordings of a folder whose labels tell stretches; what has none is left out."""
    named = {name.lower(): name for name in table.names}
    absent = [name for name in COLUMNS if name not in named]
    if absent:
        raise DataError(
            f"{table.who}: has start and end and no column {absent[0]!r}; stretches of recordings stand in the columns "
            f"{listing(COLUMNS)}."
        )
    by_name = _labelled_files(path, labels)
    words.check_given(
        ["encoding", *_words_of(list(by_name.values()), words.encoding)],
        f"{path}, whose {labels.name} tells stretches",
    )
    places = [f"{table.who}, {table.place(row)}" for row in range(table.rows)]
    stretches = by_file({name: table.words(named[name]) for name in COLUMNS}, places)
    foreign = next((file for file in stretches if file not in by_name), None)
    if foreign is not None:
        raise DataError(
            f"{table.who}: names {foreign!r}, which is not there.{did_you_mean_file(foreign, by_name)} Correct the name, or "
            "remove the row."
        )
    read, counted_at = [], set()
    of_files = of_each_file(words.without_given("group"), keep_labels=False)
    for name, parts in stretches.items():
        one = read_one(by_name[name], path, of_files)
        as_it_is = one.records[0] if words.resample_hz is None else _at_its_own_rate(by_name[name], words)
        if as_it_is is None:
            # of signals of several rates, whose steps are those of the one they are brought to
            as_it_is = one.records[0]
        steps = steps_labelled(parts, as_it_is.length, f"{table.who}: {name}")
        if as_it_is.sample_rate_hz != one.records[0].sample_rate_hz:
            counted_at.add(f"{as_it_is.sample_rate_hz:g}")
            ratio = as_it_is.length / one.records[0].length
            at = (np.arange(one.records[0].length) * ratio + 1e-9).astype(np.int64)
            steps = steps[np.minimum(at, as_it_is.length - 1)]
        read.append(replace(one, records=[replace(one.records[0], label=steps)]))
    left = [name for name in by_name if name not in stretches]
    notes = [f"{path}: left out what has no labelled stretch: {listing(left, 3)}."] if left else []
    if counted_at:
        notes.append(
            f"{table.who}: counts the steps of the recordings as they are, at {' and '.join(sorted(counted_at))} Hz."
        )
    return _join(read, notes)


def _at_its_own_rate(file: Path, words: TableOptions) -> Record | None:
    """Read a recording as studio shows it; None where its signals have no rate in common."""
    own = replace(words.without_given("group", "resample_hz"), resample_hz=None)
    try:
        return read_one(file, file.parent, of_each_file(own, keep_labels=False)).records[0]
    except DataError:
        return None


def _labelled_files(path: Path, labels: Path) -> dict[str, Path]:
    """Sequence files below the folder by path with forward slashes; links that leave it are not taken."""
    runs = {folder for folder in path.rglob("*") if holds_runs(folder)}
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not is_hidden(file) and not runs.intersection(file.parents)
    ]
    return {
        file.relative_to(path).as_posix(): file
        for file in recordings_of(found)
        if file.suffix.lower() in FILE_SUFFIXES
        and file != labels
        and path.resolve() in file.resolve().parents
    }


def _check_match(table: Columns, column: str, files: Sequence[str | None], by_name: dict[str, Path]) -> None:
    seen: dict[str, int] = {}
    for row, file in enumerate(files):
        if file is None:
            raise DataError(
                f"{table.who}: {table.place(row)} names no file in the column {column!r}. Fill it, or "
                "remove the row."
            )
        if file in seen:
            raise DataError(
                f"{table.who}: {file!r} is named twice, at {table.place(seen[file])} and "
                f"{table.place(row)}. Remove one."
            )
        if file not in by_name:
            inside = not PurePosixPath(file).is_absolute() and ".." not in PurePosixPath(file).parts
            rule = "which is not there" if inside else "which is outside the folder"
            raise DataError(
                f"{table.who}: {table.place(row)} names {file!r}, {rule}.{did_you_mean_file(file, by_name)} "
                "Correct the name, or remove the row."
            )
        seen[file] = row
    without = [file for file in by_name if file not in seen]
    if without:
        raise DataError(
            f"{table.who}: has no row for {listing(without, 3)}. Add the label, or move the file away."
        )


def _label_names(table: Columns, words: TableOptions, targets: list[str]) -> list[str | None]:
    """Return the columns that `_label_column` reads."""
    usual = None if targets or words.label else _column(table, None, ("target",), "target")
    return [*targets] or [usual or _column(table, words.label, USUAL_NAMES["label"], "label")]


def _label_column(table: Columns, words: TableOptions, targets: list[str]) -> list[object]:
    for name in targets:
        table.check_name(name, "target")
    target = targets or [n for n in (_column(table, None, ("target",), "target"),) if n and not words.label]
    if target:
        matrix = np.column_stack([table.numbers(name) for name in target])
        missing = np.isnan(matrix).any(axis=1)
        rows: list[object] = list(matrix) if len(target) > 1 else matrix[:, 0].tolist()
        name = target[0]
    else:
        column = _column(table, words.label, USUAL_NAMES["label"], "label")
        if column is None:
            return [None] * table.rows
        rows = list(table.labels(column))
        missing = np.array([label is None for label in rows])
        name = column
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise DataError(
            f"{table.who}: the label column {name!r} must be filled; it is empty at {table.place(row)}. "
            "Fill it, or remove row and file."
        )
    return rows


def _column(table: Columns, given: str | None, usual: Sequence[str], word: str) -> str | None:
    if given:
        table.check_name(given, word)
        return given
    return next((name for name in table.names if name.lower() in usual), None) if given is None else None


def _parts(table: Columns, name: str) -> list[str | None]:
    parts = [part if part is None else part.lower() for part in table.strings(name)]
    odd = next((row for row, part in enumerate(parts) if part not in (None, "train", "test")), None)
    if odd is not None:
        raise DataError(
            f"{table.who}: the column {name!r} must hold 'train' or 'test'; {table.place(odd)} has "
            f"{parts[odd]!r}."
        )
    return parts


def _even_out(dataset: Dataset, path: Path) -> tuple[list[Record], list[str]]:
    """Compare the rates of the files, which were read one by one."""
    rates = [record.sample_rate_hz for record in dataset.records]
    if all(rate is None for rate in rates):
        return list(dataset.records), []
    even, notes = common_rate(rates, str(path))
    different = {rate for rate in even if rate is not None}
    if len(different) > 1 and any(
        (record.name or "").lower().endswith(SIGNALS) for record in dataset.records
    ):
        shown = ", ".join(f"{rate:g} Hz ({even.count(rate)})" for rate in sorted(different)[:4])
        raise DataError(
            f"{path}: its files are sampled at different rates: {shown}. Bring them to one rate with "
            f"resample_hz={min(different):g}."
        )
    return [
        replace(record, sample_rate_hz=rate) for record, rate in zip(dataset.records, even, strict=True)
    ], notes
