"""New data for a network that is trained, read as the training data were."""

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.errors import DataError, RecurraError
from recurra.readers.clips.video import IMAGE_SUFFIXES
from recurra.readers.folder import FILE_SUFFIXES
from recurra.readers.signals.signal import SUFFIXES
from recurra.records import Dataset, Record
from recurra.runs.data.alignment import as_trained
from recurra.runs.data.sources import load_like


def read_as_trained(config: Mapping[str, Any], data: Any, options: Mapping[str, Any]) -> Any:
    """Read data with the options of the run, and those given.

    Options of the run that do not fit the kind of the new data are left out: a folder has no id column. After training on
    a folder, a single file is one recording of it, unless ``id`` or ``layout`` say that it is a table of several.
    """
    stored = dict(config.get("data_words", {}))
    if config.get("data_kind") == "folder" and _is_recording(data) and not {"id", "layout"} & set(options):
        with _folder_of(Path(data)) as folder, _named(folder, str(data)):
            dataset = replace(load_like(folder, stored, options), source=str(data))
        return as_trained(dataset, config)
    return as_trained(load_like(data, stored, options), config)


def read_unlabelled(config: Mapping[str, Any], data: Any, options: Mapping[str, Any]) -> Any:
    """Read data that need not have the labels of the training data; ``-`` is a table on standard input.

    For a translator it may as well be sources, one a line.
    """
    if isinstance(data, str) and data == "-":
        if config.get("task") == "translate":
            return _sources(config, sys.stdin.buffer.read(), options)
        with _standard_input() as path, _named(path, "standard input"):
            return read_unlabelled(config, str(path), options)
    try:
        return read_as_trained(config, data, options)
    except DataError:
        stored = dict(config.get("data_words", {}))
        labels = [name for name in ("label", "target", "group") if name in stored and name not in options]
        if not labels:
            raise
        without = {name: value for name, value in stored.items() if name not in labels}
        if config.get("channel_names") and "channels" not in options:
            without["channels"] = list(config["channel_names"])
        return read_as_trained({**config, "data_words": without}, data, options)


def _sources(config: Mapping[str, Any], given: bytes, options: Mapping[str, Any]) -> Any:
    """Return sources on standard input: the table of a header that names their column, else a source a line."""
    column = {**config.get("data_words", {}), **options}.get("source")
    text = given.decode(str(options.get("encoding", "utf-8")), errors="replace").removeprefix("\ufeff")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if column and lines and column in (name.strip('" ') for name in re.split("[,;\t]", lines[0])):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "standard-input.csv"
            path.write_bytes(given)
            with _named(path, "standard input"):
                return read_unlabelled(config, str(path), options)
    if not lines:
        raise DataError("standard input: holds no source. Give one a line.")
    records = [Record(line) for line in lines]
    return Dataset(records, kind="pairs", source="standard input")


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
