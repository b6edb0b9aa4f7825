"""Data for a network that is trained: its own test part, or new data read as the training data were."""

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.cli import flags, parts
from recurra.cli.run_folder import RunFolder
from recurra.errors import DataError, RecurraError, UsageError
from recurra.records import Dataset, Record


def check_data_words(who: str, words: Mapping[str, Any]) -> None:
    """Raise UsageError at a word that does not say how data are read."""
    from recurra.checks import did_you_mean

    for word in words:
        if word not in flags.DATA_WORDS:
            raise UsageError(f"{who}: there is no word {word!r}.{did_you_mean(word, flags.DATA_WORDS)}")


def judged_part(
    folder: RunFolder,
    config: Mapping[str, Any],
    data: Any,
    words: Mapping[str, Any],
    *,
    who: str,
    labelled: bool = True,
) -> tuple[Any, str]:
    """Return what a network is judged on, and how it came to be: never what it was trained on, as far as is known.

    Without data, and with the very data of the training, that is the run's own test part. Of data with an official
    split it is the test part.

    Parameters
    ----------
    who : str
        The verb, for messages.
    labelled : bool, default=True
        Whether new data must have the labels that the training data had.
    """
    if data is None and words:
        told = ", ".join(f"{word}=" for word in words)
        say = "says" if len(words) == 1 else "say"
        raise UsageError(
            f"{who}: {told} {say} how data are read, and none are given. Give the data, or leave that out."
        )
    place = parts.place(data)
    same = place is not None and place == config.get("data") and not words
    own = data is None or (same and config.get("n_test"))
    if own:
        return own_test_part(folder, config)
    dataset = read_as_trained(config, data, words) if labelled else read_unlabelled(config, data, words)
    official = dataset.part("test")
    if len(official) and len(official) < len(dataset):
        return official, f"The test part of the data's own split: {len(official)} sequences."
    return dataset, f"All {len(dataset)} sequences of {dataset.source or 'the data'}."


def own_test_part(folder: RunFolder, config: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the test part a run was judged on, read and split again as then.

    Raises
    ------
    UsageError
        If there was none, or the data were objects of Python.
    DataError
        If the data are no longer the same.
    """
    if not config.get("n_test"):
        raise UsageError(
            f"{folder.path}: the run held nothing out; give the data to judge on: recurra eval RUN DATA."
        )
    if config.get("data") is None or config.get("test") == "given in Python":
        raise UsageError(
            f"{folder.path}: the run was trained on objects of Python; give the data to judge on."
        )
    data = parts.load_again(config)
    how = {word: config.get(word) for word in ("test", "by")}
    for keys in parts.split_keys(config, data):
        divided = parts.divide(
            data, **how, seed=config["seed"], words=config.get("data_words", {}), keys=keys
        )
        if divided.test is not None and parts.digest(divided.test) == config.get("test_digest"):
            return divided.test, str(config.get("split", divided.how))
    raise DataError(
        f"{config['data']}: is no longer what {folder.path} was trained on, so its test part cannot be found "
        "again. Give the data to judge on, or train again."
    )


def read_as_trained(config: Mapping[str, Any], data: Any, words: Mapping[str, Any]) -> Any:
    """Read data with the words of the run, and those given.

    Words of the run that do not fit the kind of the new data are left out: a folder has no id column. After training on
    a folder, a single file is one recording of it, unless ``id`` or ``layout`` say that it is a table of several.
    """
    stored = dict(config.get("data_words", {}))
    if config.get("data_kind") == "folder" and _is_recording(data) and not {"id", "layout"} & set(words):
        with _folder_of(Path(data)) as folder, _named(folder, str(data)):
            dataset = replace(parts.load_like(folder, stored, words), source=str(data))
        return _fitting(dataset, config)
    return _fitting(parts.load_like(data, stored, words), config)


def _fitting(dataset: Any, config: Mapping[str, Any]) -> Any:
    """Return the data with the channels of the training in its order; raise DataError if its rate is another."""
    from recurra.checks import check_rate

    check_rate(dataset.source or "the data", config.get("sample_rate_hz"), dataset.sample_rate_hz)
    return parts.aligned(dataset, config.get("channel_names"))


def read_unlabelled(config: Mapping[str, Any], data: Any, words: Mapping[str, Any]) -> Any:
    """Read data that need not have the labels of the training data; ``-`` is a table on standard input.

    For a translator it may as well be sources, one a line.
    """
    if isinstance(data, str) and data == "-":
        if config.get("task") == "translate":
            return _sources(config, sys.stdin.buffer.read(), words)
        with _standard_input() as path, _named(path, "standard input"):
            return read_unlabelled(config, str(path), words)
    try:
        return read_as_trained(config, data, words)
    except DataError:
        stored = dict(config.get("data_words", {}))
        labels = [word for word in ("label", "target", "group") if word in stored and word not in words]
        if not labels:
            raise
        without = {word: value for word, value in stored.items() if word not in labels}
        if config.get("channel_names") and "channels" not in words:
            without["channels"] = list(config["channel_names"])
        return read_as_trained({**config, "data_words": without}, data, words)


def _sources(config: Mapping[str, Any], given: bytes, words: Mapping[str, Any]) -> Any:
    """Return sources on standard input: the table of a header that names their column, else a source a line."""
    column = {**config.get("data_words", {}), **words}.get("source")
    text = given.decode(str(words.get("encoding", "utf-8")), errors="replace").removeprefix("\ufeff")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if column and lines and column in (name.strip('" ') for name in re.split("[,;\t]", lines[0])):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "standard-input.csv"
            path.write_bytes(given)
            with _named(path, "standard input"):
                return read_unlabelled(config, str(path), words)
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
    from recurra.readers.folder import FILE_SUFFIXES
    from recurra.readers.signal import SUFFIXES

    if not isinstance(data, str | Path) or not Path(data).is_file():
        return False
    suffix = Path(data).suffix.lower()
    return suffix in FILE_SUFFIXES and suffix not in SUFFIXES


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
