"""Tables become records: long (one row per time step), wide (one row per sequence), or one text per row."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError, UsageError
from recurra.readers.arrow.coded import factorize
from recurra.readers.files import subtitles
from recurra.readers.tables import nested_cells, row_order, time_columns, tokens
from recurra.readers.tables import texts as text
from recurra.readers.tables.columns import (
    Columns,
    check_full_rows,
    from_frame,
    is_frame,
    read_delimited,
    read_parquet,
)
from recurra.readers.tables.number_formats import Numerals, odd_values
from recurra.readers.tables.preamble import is_number
from recurra.readers.tables.series import series_from_columns
from recurra.readers.tables.table_options import (
    DELIMITED,
    LINES,
    LONG,
    PAIRS,
    SERIES,
    TEXTS,
    USUAL_NAMES,
    WIDE,
    TableOptions,
    refuse,
)
from recurra.readers.tables.text_pairs import pairs_of
from recurra.records import Dataset, Record

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", *text.JSON_SUFFIXES, *subtitles.SUFFIXES)

# A long table has a column per channel; more than this is a wide table, or one that was turned round.
MAX_CHANNELS = 10_000

# Labels that vary within fewer of the sequences may be mistyped ones.
FEW_VARYING = 0.5


def read_table(
    source: Any,
    words: TableOptions | None = None,
    *,
    read: Callable[[Any, TableOptions], Columns] | None = None,
) -> Dataset:
    """Read a table file or a DataFrame.

    Parameters
    ----------
    source : path, or pandas or polars DataFrame
        CSV, TSV or text with separators whose first row names the columns; Parquet where pyarrow is
        installed.
    words : TableOptions, optional
        Which column is what.
    read : function, optional
        What reads the columns of a table, by default `read_columns`.

    Returns
    -------
    Dataset
        Values float64 of shape (time, channels), missing cells NaN. Notes say what was decided.

    Raises
    ------
    DataError
        If the table cannot be read as it is; the sentence names file, line and column.
    """
    words = words or TableOptions()
    source, words = nested_cells.with_instances(source, words)
    who = "a DataFrame" if is_frame(source) else str(source)
    if not is_frame(source) and tokens.holds_columns(Path(source), words):
        return tokens.read_columns(Path(source), words)
    if not is_frame(source) and text.is_one_a_line(Path(source), words, USUAL_NAMES.values()):
        words.check_given(LINES, f"{source}, one text a line")
        return text.read_lines(Path(source), words)
    if words.labels is not None:
        raise UsageError(
            f"{who}: labels= names a file of labels for one text a line; name the column of a table with label=."
        )
    refuse(words.given.intersection(DELIMITED), _of_the_file(source), who)
    if not is_frame(source) and Path(source).suffix.lower() in text.JSON_SUFFIXES:
        sentences = tokens.read_json(Path(source), words)
        if sentences is not None:
            return sentences
    if not is_frame(source) and _is_of_the_archives(Path(source), words):
        told = replace(words, header="none", label="column_0", layout="wide", id="", time="")
        found = from_columns((read or read_columns)(source, told), told)
        return replace(
            found, notes=(f"{source}: no names in the first row; the class stands first.", *found.notes)
        )
    acted = ("encoding", "delimiter", "header")
    columns = (read or read_columns)(source, words)
    try:
        return from_columns(columns, words.without_given(*acted))
    except DataError as error:
        named = [word for word in ("id", "time", "label", "group", "target", "text") if word in words.given]
        # mypy does not see that each of these names is of a word that may be None
        plain = replace(words, given=frozenset(), channels=None, **dict.fromkeys(named))  # type: ignore[arg-type]
        if is_frame(source) or not named or not text.is_one_a_line(Path(source), plain, USUAL_NAMES.values()):
            raise
        raise DataError(
            f"{error} If it holds one text a line, its first line names no columns, and {named[0]}= does not apply."
        ) from None


def _of_the_file(source: Any) -> tuple[str, ...]:
    """Return the words that say how a file becomes columns; a frame, and a binary file, have none."""
    if is_frame(source):
        return ("decimal", "thousands")  # of numbers written as text
    if Path(source).suffix.lower() in (".parquet", ".pq"):
        return ()
    return ("encoding",) if Path(source).suffix.lower() in text.JSON_SUFFIXES else DELIMITED


def _is_of_the_archives(path: Path, words: TableOptions) -> bool:
    """Whether a file is ``NAME_TRAIN.tsv``, ``.txt`` or ``NAME_TEST`` of the UCR archive: numbers only, the class first."""
    if path.suffix.lower() not in (".tsv", ".txt") or not path.stem.upper().endswith(("_TRAIN", "_TEST")):
        return False
    if words.header != "auto" or words.label is not None or words.layout != "auto" or words.channels:
        return False
    cells = text.first_line(path, encoding=words.encoding).split()
    return len(cells) > 2 and all(is_number(cell, words.decimal) for cell in cells)


def read_columns(source: Any, words: TableOptions) -> Columns:
    """Read the columns of a table file or DataFrame."""
    if is_frame(source):
        return from_frame(source, numerals=Numerals(words.decimal, words.thousands))
    path = Path(source)
    if path.suffix.lower() in (".parquet", ".pq"):
        return read_parquet(path)
    if path.suffix.lower() in text.JSON_SUFFIXES:
        return text.read_json_lines(path, encoding=words.encoding)
    return read_delimited(
        path,
        encoding=words.encoding,
        delimiter=words.delimiter,
        decimal=words.decimal,
        thousands=words.thousands,
        header=words.header,
    )


def from_columns(columns: Columns, words: TableOptions) -> Dataset:
    """Turn columns into records; see `read_table`."""
    if words.source:
        words.check_given(PAIRS, f"{columns.who}, pairs of texts")
        check_full_rows(columns)
        return replace(pairs_of(columns, words), source=columns.who)
    columns, words, joined = time_columns.one_time_column(columns, words)
    words, notes = _find_usual_names(columns, words)
    words, own = row_order.with_numbered_rows(columns, words)
    notes += own
    if words.layout != "wide" and not words.text:
        known = words.layout == "long" or (words.kind != "series" and _guess_layout(columns, words) == "long")
        known = known or row_order.is_narrow(columns, words)
        words, own = row_order.with_own_time(columns, words, steps=known)
        notes += own
    _check_given(columns, words)
    notes = [*joined, *notes]
    if words.kind == "series":
        series = series_from_columns(columns, words)
        return replace(series, notes=_together(notes, columns, series))
    targets, static = words.target_names, row_order.static_names(columns, words)
    if words.text:
        check_full_rows(columns)
        dataset = _texts(columns, words)
        if not words.label and not targets:
            labels, own = _beside_texts(columns, [words.text, words.id, words.group, *static])
            dataset, notes = replace(dataset, label_columns=labels), notes + own
    elif found := nested_cells.sequence_columns(columns, words.channels):
        words, own = nested_cells.with_label(columns, words, found)
        notes += own
        dataset = _nested(columns, words, found)
    else:
        if words.channels is None:
            named = {words.id, words.time, words.label, words.group, *targets, *static}
            text.check_no_texts(columns, [n for n in columns.names if n not in named])
        layout = words.layout if words.layout != "auto" else _guess_layout(columns, words)
        special: set[Any] = {words.id, words.time, words.label, words.group, *targets, *static}
        channels = _channels(columns, words, special)
        if layout == "long":
            check_full_rows(columns, advice=_if_wide(words))
            dataset = _long(columns, words, channels)
        else:
            notes.append(f"{columns.who}: read as a wide table, one row per sequence of one channel.")
            dataset = _wide(columns, words, channels)
    if static:
        dataset = replace(dataset, static_names=static)
    return replace(dataset, source=columns.who, notes=_together(notes, columns, dataset))


def _beside_texts(columns: Columns, taken: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """Return the columns that plainly hold labels of texts, and sentences on them and on others that may."""
    classes = [n for n in text.classes_beside(columns, taken) if not time_columns.holds_dates(columns, n)]
    numbers = text.numbers_beside(columns, taken)
    numbered = [name for name in numbers if text.may_be_ids(columns[name])]
    plain = [name for name in numbers if name not in numbered]
    notes = [f"the column {n!r} may hold classes; label={n!r} learns them." for n in classes[:1]]
    if plain:
        several = f"columns {listing(plain, 3)} hold" if len(plain) > 1 else f"column {plain[0]!r} holds"
        notes.append(f"the {several} numbers; label={plain[0]!r} learns them.")
    if not notes:
        names = text.classes_beside(columns, taken, most=len(columns[columns.names[0]]))
        notes = [
            f"the column {name!r} holds many different names, each of them again and again: label={name!r} learns them if "
            f"they are classes, group={name!r} keeps texts of one together in a split; without a label task='generate' "
            "learns to write such texts."
            for name in names[:1]
            if not time_columns.holds_dates(columns, name)
        ]
        notes += [
            f"the column {name!r} holds whole numbers, each of them once: label={name!r} learns them if they are numbers "
            "to predict and no ids; without a label task='generate' learns to write such texts."
            for name in numbered[:1]
        ]
    notes += [
        f"the column {name!r} holds texts too; source={taken[0]!r} and target={name!r} learn to turn one into the other."
        for name in text.texts_beside(columns, [*taken, *classes])[:1]
    ]
    return [*classes, *plain], [f"{columns.who}: {note}" for note in notes]


def _together(notes: Sequence[str], columns: Columns, dataset: Dataset) -> tuple[str, ...]:
    """Return the notes on names, on the file and on the records, in this order."""
    return (*notes, *columns.notes, *dataset.notes)


def _check_given(columns: Columns, words: TableOptions) -> None:
    """Raise UnusedWordError at a word that does not act on a table of this layout."""
    advice, idle = "", set[str]()
    takes: tuple[str, ...]
    if words.kind == "series":
        layout, takes = "series to forecast, told apart by id= and split by time", SERIES
    elif words.text:
        layout, takes = f"a text in each row (column {words.text!r})", TEXTS
        advice = "" if "text" in words.given else "If the table holds no texts, give text=''."
        idle |= set() if words.label else {"label_per"}
    elif words.layout == "long" or (words.layout == "auto" and _guess_layout(columns, words) == "long"):
        layout, takes = "a row per time step", LONG
        idle |= set() if words.label or words.target else {"label_per"}
    else:
        layout, takes = "a wide table, a row per sequence", WIDE
        advice = "If every row is a time step, give layout='long'." if words.layout == "auto" else ""
    if words.target and (words.text or words.kind == "series"):
        idle |= {"label", "channels"}  # the target says already what is to be learned
    if "known" in words.given and words.kind != "series":
        advice = "Columns known in advance are of series to forecast: give kind='series'; in training, task='forecast'."
    if not isinstance(words.time, str) or not words.time:
        idle |= {"time_unit", "time_format", "time_zone"}
    elif not _is_numeric(columns, words.time):
        idle.add("time_unit")
    if words.kind == "series" or not words.text or words.target:
        takes = (*takes, "decimal", "thousands")  # of files with separators; others have refused it
    if words.text == "":
        takes = (*takes, "text")
    words.check_given([word for word in takes if word not in idle], f"{columns.who}, {layout}", advice=advice)


def _is_numeric(columns: Columns, name: str) -> bool:
    try:
        return columns[name].dtype.kind != "M" and bool(len(columns.numbers(name)))
    except DataError:
        return False


def _find_usual_names(columns: Columns, words: TableOptions) -> tuple[TableOptions, list[str]]:
    """Check the columns the user named, and find those of usual names for the rest."""
    for word in ("id", "time", "label", "group", "text"):
        if getattr(words, word):
            columns.check_name(getattr(words, word), word)
    for name in words.target_names:
        columns.check_name(name, "target")
    for name in words.channels or ():
        columns.check_name(name, "channels")
    taken = {
        words.id,
        words.time,
        words.label,
        words.group,
        words.text,
        *words.target_names,
        *row_order.static_names(columns, words),
        *(words.channels or ()),
    }
    found: dict[str, str] = {}
    lower = {name.lower(): name for name in reversed(columns.names) if name not in taken}
    for word, usual in USUAL_NAMES.items():
        if (
            getattr(words, word) is None
            and not (word == "target" and words.label)
            and not (word == "label" and words.target)
        ):
            present = [lower[n] for n in usual if n in lower]
            if present:
                found[word] = present[0]
    if "text" in found and columns[found["text"]].dtype.kind in "fiub":
        del found["text"]
    if not found:
        return words, []
    told = ", ".join(f"{word}={name!r}" for word, name in found.items())
    return replace(words, **found), [f"{columns.who}: found by name: {told}."]  # type: ignore[arg-type]


def has_index(columns: Columns, name: str) -> bool:
    """Return whether a column is the index that pandas writes when not told otherwise: the first, which counts rows."""
    if name not in ("column_0", "Unnamed: 0") or name != columns.names[0]:
        return False
    first = columns[name][:1000]
    counted = [
        str(int(cell) if first.dtype.kind == "f" and cell == cell and cell % 1 == 0 else cell)
        for cell in first.tolist()
    ]
    return counted == [str(i) for i in range(len(counted))]


def _channels(columns: Columns, words: TableOptions, special: set[str | None]) -> list[str]:
    names = (
        list(words.channels) if words.channels is not None else [n for n in columns.names if n not in special]
    )
    if words.channels is None and names and has_index(columns, names[0]):
        names = names[1:]
    if not names:
        raise DataError(
            f"{columns.who}: has no column left for the values; its columns are {listing(columns.names)}. "
            "Name the values' columns with channels=, or give the text column with text=."
        )
    return names


def _guess_layout(columns: Columns, words: TableOptions) -> str:
    if words.time:
        return "long"
    if words.id:
        ids, known = columns.word_codes(words.id)
        return "wide" if len(known) == len(ids) > 1 else "long"
    return "wide"


def _texts(columns: Columns, words: TableOptions) -> Dataset:
    """One record per row, its value the text."""
    texts = text.text_cells(columns, str(words.text))
    labels = _row_labels(columns, words)
    groups = columns.labels(words.group) if words.group else [None] * len(texts)
    names = columns.unique_names(words.id)
    if words.label and words.label_per != "sequence":
        sentences = tokens.labelled(texts, labels, names)
        if sentences is not None:
            records = [replace(one, group=group) for one, group in zip(sentences, groups, strict=True)]
            note = f"{columns.who}: {words.label!r} has a label for each word of {words.text!r}: read as sentences."
            return Dataset(records, kind="tokens", notes=(note,))
    if words.label_per == "step":
        raise DataError(
            f"{columns.who}: with label_per='step' the column {words.label!r} must have as many labels as {words.text!r} "
            "has words, in every row. Correct it, or pass label_per='sequence'."
        )
    records = [
        Record(cell, label=label, group=group, name=name)
        for cell, label, group, name in zip(texts, labels, groups, names, strict=True)
    ]
    return Dataset(records, kind="text")


def _row_labels(columns: Columns, words: TableOptions) -> list[Any]:
    """One label or target per row of a table in which every row is a record."""
    targets = words.target_names
    if targets:
        matrix = _target_matrix(columns, targets)
        return matrix[:, 0].tolist() if len(targets) == 1 else list(matrix)
    if not words.label:
        return [None] * columns.rows
    labels = columns.labels(words.label)
    _check_labels(columns, words.label, labels)
    return labels


def _target_matrix(columns: Columns, targets: list[str]) -> np.ndarray:
    matrix = np.column_stack([columns.numbers(name) for name in targets])
    _check_labels(
        columns,
        targets[0] if len(targets) == 1 else ", ".join(targets),
        [None if row else 1 for row in np.isnan(matrix).any(axis=1)],
    )
    return matrix


def _check_labels(columns: Columns, name: str, labels: Sequence[Any]) -> None:
    """Refuse labels of which some are missing; all missing means there are none yet."""
    _check_codes(columns, name, np.array([label is None for label in labels], dtype=np.int64), [1, None])


def _check_codes(columns: Columns, name: str, codes: np.ndarray, known: Sequence[Any]) -> None:
    """Refuse labels as `factorize` gives them, of which some are missing."""
    if None not in known:
        return
    missing = np.flatnonzero(codes == known.index(None)).tolist()
    if missing and len(missing) < len(codes):
        raise DataError(
            f"{columns.who}: the label column {name!r} must be filled; it is empty at "
            f"{columns.place(missing[0])}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}. Fill it, or remove these rows."
        )


def _nested(columns: Columns, words: TableOptions, channels: list[str]) -> Dataset:
    """One record per row, each cell of a channel holding its whole sequence."""
    labels = _row_labels(columns, words)
    groups = columns.labels(words.group) if words.group else [None] * columns.rows
    names = columns.unique_names(words.id)
    static = row_order.static_of_rows(columns, row_order.static_names(columns, words))
    records = [
        Record(values, label=label, group=group, name=name, sample_rate_hz=words.sample_rate_hz, static=own)
        for values, label, group, name, own in zip(
            nested_cells.sequences(columns, channels), labels, groups, names, static, strict=True
        )
    ]
    notes = (
        f"{columns.who}: its cells hold whole sequences: one sequence a row, one channel a column.",
        *odd_values(columns.who, [record.values for record in records]),
    )
    return Dataset(records, channel_names=channels, notes=notes)


def _wide(columns: Columns, words: TableOptions, channels: list[str]) -> Dataset:
    """One record of one channel per row."""
    advice = (
        "Name a column that is no time step with id=, label= or group=, or pick the steps with channels=."
    )
    matrix = columns.matrix(channels, lambda name: time_columns.advice_on(columns, name, advice))
    # Steps up to the last cell that is filled; gaps before it are missing values.
    lengths = matrix.shape[1] - np.argmin(np.isnan(matrix[:, ::-1]), axis=1)
    lengths[np.isnan(matrix).all(axis=1)] = 0
    if not lengths.all():
        row = int(np.flatnonzero(lengths == 0)[0])
        raise DataError(
            f"{columns.who}: {columns.place(row)} has no value: a sequence needs at least one time step. "
            "Remove the row."
        )
    labels = _row_labels(columns, words)
    groups = columns.labels(words.group) if words.group else [None] * len(matrix)
    names = columns.unique_names(words.id, advice=" If each row is one time step, pass layout='long'.")
    static = row_order.static_of_rows(columns, row_order.static_names(columns, words))
    records = [
        Record(
            matrix[i, :length, None],
            label=labels[i],
            group=groups[i],
            name=names[i],
            sample_rate_hz=words.sample_rate_hz,
            static=static[i],
        )
        for i, length in enumerate(lengths)
    ]
    return Dataset(records, notes=odd_values(columns.who, [r.values for r in records]))


def _if_wide(words: TableOptions) -> str:
    """Return the advice to read rows as sequences, where the layout was not given."""
    return " If every row is a whole sequence, pass layout='wide'." if words.layout == "auto" else ""


def _long(columns: Columns, words: TableOptions, channels: list[str]) -> Dataset:
    """One record per value of the id column, or one in all."""
    if len(channels) > MAX_CHANNELS:
        raise DataError(
            f"{columns.who}: has {counted(len(columns.names), 'column')}; a long table has one column per channel, at most "
            f"{MAX_CHANNELS}. Pick the channels with channels=."
            f"{_if_wide(words)}"
        )
    rows = row_order.RowOrder(columns, words)
    advice = "Leave the column out with channels=, or say what it is with label=, group=, id= or static=."
    matrix = columns.matrix(channels, lambda name: time_columns.advice_on(columns, name, advice))
    if rows.order is not None:
        matrix = matrix[rows.order]
    labels, label_notes = _long_labels(columns, words, rows)
    groups = [None] * len(rows.names)
    if words.group:
        other = "Correct it, or choose another column."
        groups = row_order.constant(columns, words.group, rows, "group", advice=other)
    static = row_order.static_of_sequences(columns, row_order.static_names(columns, words), rows)
    rates, rate_notes = rows.rates()
    stamps = None
    if words.keep_stamps and isinstance(words.time, str) and words.time:
        stamps = columns[words.time] if rows.order is None else columns[words.time][rows.order]
    bounds = zip(rows.starts[:-1].tolist(), rows.starts[1:].tolist(), strict=True)
    records = [
        Record(
            matrix[first:last],
            label=labels[i],
            group=groups[i],
            name=rows.names[i],
            sample_rate_hz=words.sample_rate_hz or rates[i],
            start=rows.first_time(i),
            stamps=None if stamps is None else stamps[first:last],
            static=static[i],
        )
        for i, (first, last) in enumerate(bounds)
    ]
    notes = (*rows.notes, *label_notes, *rate_notes, *odd_values(columns.who, [matrix]))
    spelling = "" if rows.clock is None else rows.clock.spelling
    return Dataset(records, channel_names=channels, notes=notes, time_spelling=spelling)


def _long_labels(
    columns: Columns, words: TableOptions, rows: row_order.RowOrder
) -> tuple[list[Any], list[str]]:
    """Return one label per sequence, or one array per sequence with a label per step."""
    targets = words.target_names
    none: list[Any] = [None] * len(rows.names)
    if targets:
        matrix = _target_matrix(columns, targets)
        if np.isnan(matrix).all():
            return none, []
        codes = np.column_stack([factorize(column.tolist())[0] for column in matrix.T])
        values: Any = matrix[:, 0] if len(targets) == 1 else matrix
    elif words.label:
        code, known = columns.label_codes(words.label)
        _check_codes(columns, words.label, code, known)
        if known == [None]:
            return none, []
        codes = code[:, None]
        values = np.array(known)
    else:
        return none, []
    if rows.order is not None:
        codes, values = codes[rows.order], values[rows.order] if targets else values
    first = rows.starts[:-1]
    constant = np.maximum.reduceat(codes, first) == np.minimum.reduceat(codes, first)
    name = targets[0] if targets else str(words.label)
    varying = np.flatnonzero(~constant.all(axis=1))
    per_step = bool(varying.size) if words.label_per == "auto" else words.label_per == "step"
    if per_step and len(targets) > 1:
        raise DataError(
            f"{columns.who}: several targets must be constant in each sequence; they vary in "
            f"{rows.names[varying[0]]!r}. Name one target."
        )
    if per_step:
        pieces: list[Any] = np.split(values if targets else values[codes[:, 0]], rows.starts[1:-1])
        note = f"{columns.who}: {name!r} varies within sequences: read as one label per time step."
        if 0 < varying.size < FEW_VARYING * len(rows.names):  # a slip of the pen looks like this
            note = (
                f"{columns.who}: {name!r} varies within {varying.size} of {counted(len(rows.names), 'sequence')}, such as "
                f"{rows.names[varying[0]]!r}: read as one label per time step. Correct these if each sequence has one label."
            )
        return pieces, [note]
    if varying.size:
        raise DataError(
            f"{columns.who}: with label_per='sequence' the column {name!r} must be constant in each "
            "sequence; it varies in "
            f"{rows.names[varying[0]]!r} ({len(varying)} such sequences). Correct it, or pass "
            "label_per='step'."
        )
    chosen = values[first] if targets else values[codes[first, 0]]
    return (list(chosen) if chosen.ndim > 1 else chosen.tolist()), []
