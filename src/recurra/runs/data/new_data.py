"""New data for a network that is trained, read as the training data were."""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.checks import counted, listing
from recurra.errors import DataError, RecurraError, UsageError
from recurra.readers.clips.clip_folders import is_clip, media_in, read_clips
from recurra.readers.clips.video import IMAGE_SUFFIXES
from recurra.readers.folder import FILE_SUFFIXES
from recurra.readers.signals.signal import SUFFIXES
from recurra.readers.tables import texts, tokens
from recurra.records import Dataset, Record
from recurra.runs.data.alignment import as_trained
from recurra.runs.data.sources import is_table, load_like


def read_as_trained(config: Mapping[str, Any], data: Any, options: Mapping[str, Any]) -> Any:
    """Read data with the options of the run, and those given.

    Options of the run that do not fit the kind of the new data are left out: a folder has no id column. After training on
    a folder, a single file is one recording of it, unless ``id`` or ``layout`` say that it is a table of several.
    """
    _check_acting(data, config, options)
    if config.get("kind") == "video" and not options and (clips := _folder_of_clips(data)) is not None:
        return clips
    stored = dict(config.get("data_words", {}))
    spelling = str(config.get("data_summary", {}).get("time_spelling", ""))
    if config.get("kind") == "pairs" and is_table(data) and "source" not in {**stored, **options}:
        raise UsageError(
            f"{data}: the network reads pairs of texts; name the column of what it reads with source=, and to judge the "
            "answers that of the true ones with target=."
        )
    if _is_labelled_lines(config, data, {**stored, **options}):
        return _texts(config, Path(data).read_bytes(), options, str(data))
    try:
        if (
            config.get("data_kind") == "folder"
            and config.get("kind") not in TEXT_KINDS  # a file of texts holds many
            and _is_recording(data)
            and not {"id", "layout"} & set(options)
        ):
            with _folder_of(Path(data)) as folder, _named(folder, str(data)):
                dataset = replace(
                    load_like(folder, stored, options, time_spelling=spelling), source=str(data)
                )
        else:
            dataset = load_like(data, stored, options, time_spelling=spelling)
            if dataset.channel_names is None and is_table(data):
                dataset = _in_channels(dataset, data, config, stored, options)
    except DataError:
        if (
            config.get("kind") == "text"
            and is_table(data)
            and "text" not in {**stored, **options}
            and not (
                options and _holds_texts(data, stored)
            )  # else an option is wrong, and the message says which
        ):
            raise DataError(
                f"{data}: the network reads texts; name the column that holds them with text=, and to judge the answers "
                "that of the true ones with label=."
            ) from None
        if config.get("kind") != "video" or not is_table(data):
            raise
        name = data if isinstance(data, str | Path) else "the data"
        raise DataError(
            f"{name}: is a table; the network was trained on clips. Give a video, a folder of images, or a folder of such."
        ) from None
    return as_trained(dataset, config)


def _check_acting(data: Any, config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raise UsageError at an option that contradicts the network, or that no answer of it depends on."""
    name = data if isinstance(data, str | Path) else "the data"
    per = {"classify": "sequence", "label": "step"}.get(str(config.get("task")))
    given = options.get("label_per", "auto")
    if per is not None and given not in ("auto", per):
        raise UsageError(
            f"{name}: label_per={given!r} contradicts the network, which was trained on one label per {per}. Leave it out."
        )
    timed = config.get("sample_rate_hz") or config.get("data_summary", {}).get("sample_rate_hz")
    timed = (
        timed or config.get("kind") != "sequence" or config.get("task") == "anomaly"
    )  # segments, by the data
    if options.get("sample_rate_hz") and not timed:
        raise UsageError(
            f"{name}: sample_rate_hz= changes no answer: the network was trained on data without a sample rate. Leave it "
            "out, or train with it."
        )


def _holds_texts(data: Any, stored: Mapping[str, Any]) -> bool:
    """Return whether a table is one of texts where no option says otherwise."""
    with contextlib.suppress(RecurraError):
        return bool(load_like(data, stored, {}).kind == "text")
    return False


def _in_channels(
    dataset: Dataset,
    data: Any,
    config: Mapping[str, Any],
    stored: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Dataset:
    """Return a table whose rows were taken for sequences as one recording, where its columns are those trained on."""
    names = config.get("channel_names")
    if not names or {"id", "layout"} & {*stored, *options}:
        return dataset
    with contextlib.suppress(RecurraError):  # where it is no such table, what was read stands
        found = load_like(data, {**stored, "layout": "long"}, options)
        # no other column: it might tell sequences apart
        if set(names) == set(found.channel_names or ()):
            note = f"{data}: its columns are the channels of the training, so every row is a time step."
            return replace(found, notes=(*found.notes, f"{note} Pass layout='wide' if a row is a sequence."))
    return dataset


def _is_labelled_lines(config: Mapping[str, Any], data: Any, words: Mapping[str, Any]) -> bool:
    """Return whether a file holds a text or sentence a line, each with a label of the training beside it."""
    if (
        config.get("kind") not in ("text", "tokens")
        or not _is_text_file(data)
        or {"layout", "labels"} & {*words}
    ):
        return False
    given = Path(data).read_bytes().decode(str(words.get("encoding", "utf-8")), errors="replace")
    lines = [line.strip() for line in given.removeprefix("\ufeff").splitlines() if line.strip()]
    return bool(lines) and all(text_of_line(config, line)[1] is not None for line in lines)


def _folder_of_clips(data: Any) -> Dataset | None:
    """Return a folder of images as one clip, or its sub-folders as a clip each, as a network that reads clips sees them.

    None is returned for anything else. By themselves such folders are images, to be read row by row.
    """
    path = Path(data) if isinstance(data, str | Path) else None
    if path is None or not path.is_dir():
        return None
    if is_clip(path):
        return Dataset([Record(str(data), name=path.resolve().name)], kind="video", source=str(data))
    return read_clips(path) if media_in(path) == "images" else None


def with_static(model: Any, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of a run, or an empty one of a model file alone, with the columns of static inputs."""
    if getattr(model, "static", None) is None or not model.static.named:
        return config
    return {**config, "data_words": {"static": model.static.names, **config.get("data_words", {})}}


def read_unlabelled(config: Mapping[str, Any], data: Any, options: Mapping[str, Any]) -> Any:
    """Read data that need not have the labels of the training data; ``-`` is what comes on standard input.

    That is a table; for a network that reads texts it may as well be a text a line, as may a ``.txt`` file.
    """
    if config.get("task") == "translate":  # runs of the first builds do not name their kind
        config = {**config, "kind": "pairs"}
    if isinstance(data, tuple):
        return _several(config, data, options)
    return _named_by_file(_read_unlabelled(config, data, options), data)


def _read_unlabelled(config: Mapping[str, Any], data: Any, options: Mapping[str, Any]) -> Any:
    reads_texts = config.get("kind") in TEXT_KINDS
    if isinstance(data, str) and data == "-":
        if reads_texts:
            return _texts(config, sys.stdin.buffer.read(), options, "standard input")
        with _standard_input() as path, _named(path, "standard input"):
            return _read_unlabelled(config, str(path), options)
    if reads_texts and _is_text_file(data) and not {"layout", "labels"} & set(options):
        return _texts(config, Path(data).read_bytes(), options, str(data))
    try:
        return read_as_trained(config, data, options)
    except DataError:
        stored = dict(config.get("data_words", {}))
        labels = [
            name for name in ("label", "target", "group", "labels") if name in stored and name not in options
        ]
        if not labels:
            raise
        without = {name: value for name, value in stored.items() if name not in labels}
        if config.get("channel_names") and "channels" not in options:
            without["channels"] = list(config["channel_names"])
        return read_as_trained({**config, "data_words": without}, data, options)


def stamp_of(record: Record, step: int) -> str:
    """Return the time of a step as it came in."""
    return str(record.stamps[step]).strip()


def _several(config: Mapping[str, Any], paths: tuple[Any, ...], options: Mapping[str, Any]) -> Dataset:
    """Read several files as one set of data, each sequence named by its file, seen from the folder all of them are in.

    Raises
    ------
    UsageError
        If a file is given twice, or standard input is among them.
    DataError
        If one holds another kind of data, or other channels, than the first.
    """
    if len(paths) == 1:
        return read_unlabelled(config, paths[0], options)
    places = [Path(path).absolute() for path in paths]
    if "-" in paths or len(set(places)) < len(places):
        raise UsageError(
            f"predict: several files must be different ones, standard input alone; got {listing(paths)}."
        )
    root = Path(os.path.commonpath([place.parent for place in places]))
    read = [_read_unlabelled(config, str(path), options) for path in paths]
    records = []
    for one, place in zip(read, places, strict=True):
        if one.kind != read[0].kind or one.channel_names != read[0].channel_names:
            raise DataError(
                f"{one.source}: holds other columns, or data of another kind, than {read[0].source}. Predict on them one "
                "after the other."
            )
        file = place.relative_to(root).as_posix()
        single = len(one) == 1 and _is_of_file(one[0], place)
        records += [
            replace(record, name=file if single else f"{file}/{name}")
            for record, name in zip(one.records, one.names, strict=True)
        ]
    return replace(read[0], records=records, source=f"{counted(len(paths), 'file')}")


def _named_by_file(data: Dataset, source: Any) -> Dataset:
    """Return data in which the one sequence of a file is called as it would be in a folder of such files."""
    path = Path(source) if isinstance(source, str | Path) and source != "-" else None
    if (
        path is None
        or len(data) != 1
        or data.kind == "video"
        or not path.is_file()
        or not _is_of_file(data[0], path)
    ):
        return data
    return replace(data, records=[replace(data[0], name=path.name)])


def _is_of_file(record: Record, path: Path) -> bool:
    """Return whether the name of a record says no more than the file it is in."""
    return record.name in (None, path.name, path.stem)


# Data whose records are texts: whole ones, sources to be translated, or sentences with a label for each word.
TEXT_KINDS = ("text", "pairs", "tokens")


def _texts(config: Mapping[str, Any], given: bytes, options: Mapping[str, Any], source: str) -> Any:
    """Return texts: of a table whose header names their column, of JSON lines or of CoNLL columns, else a line each.

    Parameters
    ----------
    given : bytes
        The content of ``source``.
    """
    kind = str(config.get("kind"))
    words = {**config.get("data_words", {}), **options}
    column = words.get("source" if kind == "pairs" else "text")
    encoding = str(words.get("encoding", "utf-8"))
    text = given.decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{source}: holds no {'source' if kind == 'pairs' else 'text'}. Give one a line.")
    cells = [name.strip('" ') for name in re.split("[,;\t]", lines[0])]
    suffix = (
        ".csv" if column in cells or (column is None and "text" in [cell.lower() for cell in cells]) else ""
    )
    suffix = suffix or (".jsonl" if lines[0].startswith("{") else "")
    suffix = suffix or (".conll" if kind == "tokens" and tokens.is_columns(text) else "")
    if suffix:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"texts{suffix}"
            path.write_bytes(given)
            with _named(path, source):
                return replace(_read_unlabelled(config, str(path), options), source=source)
    read = [text_of_line(config, line) for line in lines]
    named = all(label is not None for _, label in read)
    records = [
        Record(words, label=label if named else None, name=f"line {number}")
        for number, (words, label) in enumerate(read, 1)
    ]
    return Dataset(records, kind=kind, source=source)


def text_of_line(config: Mapping[str, Any], line: str) -> tuple[Any, Any]:
    """Return the text or the words of a line, and the label that stands beside it as in a file to train on, if any."""
    kind, classes = config.get("kind"), config.get("data_summary", {}).get("class_counts", {})
    if kind == "tokens":
        return tokens.parted(line, classes)
    if kind == "text" and config.get("task") == "regress":
        return texts.without_label(line, None)
    if kind == "text" and classes:
        return texts.without_label(line, classes)
    return line, None


def _is_text_file(data: Any) -> bool:
    return isinstance(data, str | Path) and Path(data).suffix.lower() == ".txt" and Path(data).is_file()


@contextlib.contextmanager
def _standard_input() -> Iterator[Path]:
    """Give a file with what comes on standard input, a table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "standard-input.csv"
        path.write_bytes(sys.stdin.buffer.read())
        yield path


def _is_recording(data: Any) -> bool:
    """Whether data is a file that only a folder of such makes a recording; a signal file is one by itself."""
    if not isinstance(data, str | Path) or not Path(data).is_file():
        return False
    suffix = Path(data).suffix.lower()
    return suffix in (*FILE_SUFFIXES, *IMAGE_SUFFIXES) and suffix not in SUFFIXES


@contextlib.contextmanager
def _folder_of(file: Path) -> Iterator[Path]:
    """Give a folder that holds a copy of one file."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(file, Path(folder) / file.name)
        yield Path(folder)


@contextlib.contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Let messages name what the user knows instead of a temporary copy."""
    try:
        yield
    except RecurraError as error:
        kind: Any = type(error)
        message = re.sub(re.escape(str(path)) + r"(/[^\s:'\"]+)?", lambda _: name, str(error))
        raise kind(message) from None
