"""Which records train and which are kept for judging: the official split, a file, or a share held out."""

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.batches.splits import content_keys, record_keys, split
from recurra.checks import as_sequences, check_finite, did_you_mean, listing
from recurra.datasets import load_any
from recurra.datasets.loading import load_named
from recurra.errors import DataError, UsageError
from recurra.readers import table
from recurra.readers.columns import is_frame
from recurra.readers.words import UnusedWordError
from recurra.records import Dataset, Record

DEFAULT_SHARE = 0.2


@dataclass(frozen=True)
class Parts:
    """Both sides of a split.

    Parameters
    ----------
    train : Dataset
        What is learned from.
    test : Dataset or None
        What is judged on; None if nothing is held out.
    how : str
        How they came to be, in a sentence for people.
    """

    train: Dataset
    test: Dataset | None
    how: str


def load(source: Any, words: Mapping[str, Any]) -> Dataset:
    """Load data; see `recurra.load`. A Dataset is taken as it is."""
    return load_any(source, **words)


def load_again(config: Mapping[str, Any]) -> Dataset:
    """Load the data of a run: a named data set by its name, whatever is called so where the user stands."""
    words = config.get("data_words", {})
    if config.get("data_kind") == "name":
        return load_named(config["data"], words)
    return load_like(config["data"], words, {})  # an earlier version let words pass that did nothing


def load_like(source: Any, stored: Mapping[str, Any], words: Mapping[str, Any]) -> Dataset:
    """Load data with the words that other data were read with, and those given for these.

    Of the former those that do not apply to this kind of data are left out: a folder has no id column.

    Raises
    ------
    UnusedWordError
        If one of the latter does not apply.
    """
    kept = dict(stored)
    while True:
        try:
            return load(source, {**kept, **words})
        except UnusedWordError as error:
            idle = [word for word in error.words if word in kept and word not in words]
            if not idle:
                raise
            for word in idle:
                del kept[word]


def is_table(source: Any) -> bool:
    """Return whether a source is a table file or a DataFrame, which may hold series."""
    if isinstance(source, str | os.PathLike):
        return Path(source).suffix.lower() in table.SUFFIXES
    return is_frame(source)


def test_of(value: Any) -> Any:
    """Return what ``test`` says: a share in (0, 1), 0 for none, or a source of data.

    Raises
    ------
    UsageError
        If it is a number that is no share.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 1:
            raise UsageError(
                f"train: test must be a file, a share of at least 0 and less than 1, or 0 for none; got {value:g}."
            )
        return float(value)
    return value


def check_by(who: str, test: Any, by: str | None) -> None:
    """Raise UsageError where ``by`` would do nothing: no share is held out."""
    if by is not None and test is not None and (test == 0 or not isinstance(test, float)):
        raise UsageError(
            f"{who}: by= says how a share is held out; with test={'0' if isinstance(test, float) else 'DATA'} none is. "
            "Leave one of them out."
        )


def divide(
    data: Dataset,
    *,
    test: Any,
    by: str | None,
    seed: int,
    words: Mapping[str, Any],
    keys: Sequence[bytes] | None = None,
) -> Parts:
    """Split data as asked.

    Parameters
    ----------
    data : Dataset
        All of it.
    test : as returned by `test_of`, or None
        None takes the official split where there is one, else a fifth.
    by : {"group", "time", "record"} or None
        See `recurra.batches.splits.split`.
    seed : int
        Decides the split.
    words : mapping
        How a test file is read.
    keys : sequence of bytes, optional
        What a random split goes by, see `split_keys`.
    """
    if test == 0:
        return Parts(data, None, f"Nothing is held out: all {len(data)} sequences train.")
    if test is not None and not isinstance(test, float):
        other = aligned(load_like(test, words, {}), data.channel_names)
        name = str(test) if isinstance(test, str | os.PathLike) else other.source or "given data"
        how = f"Test part from {name}: {len(other)} sequences; all {len(data)} of the data train."
        return Parts(data, other, how)
    if by is None and data.kind == "series":
        by = "time"
    if test is None and (by is None or data.kind == "series"):
        train, official = data.part("train"), data.part("test")
        if len(train) and len(official):
            return Parts(train, official, f"The data's own split: {len(train)} train, {len(official)} test.")
    share = DEFAULT_SHARE if test is None else test
    train, held = split(data, test=share, by=by, random_state=seed, keys=keys)
    if not len(train) or not len(held):
        raise DataError(
            f"train: {share:.0%} of {len(data)} sequences leaves nothing to train or to test on. "
            "Give a test file with test=, or 0 to hold nothing out."
        )
    return Parts(train, held, f"{_reason(data, share, by)}: {len(train)} train, {len(held)} test.")


def _reason(data: Dataset, share: float, by: str | None) -> str:
    groups = data.groups
    if by == "time":
        return f"The last {share:.0%} in time are held out"
    if by != "record" and groups is not None:
        return f"{share:.0%} are held out, none of the {len(set(groups.tolist()))} groups on both sides"
    return f"{share:.0%} are held out at random{', classes in balance' if data.class_counts() else ''}"


def split_keys(config: Mapping[str, Any], data: Dataset) -> list[list[bytes] | None]:
    """Return what the split of a run may have gone by: the content; of clips, in earlier versions, their paths.

    Which of them it was, the digests of the parts tell. A path counted as it was written, which the command line kept.
    """
    if data.kind != "video" or "identity" in config:
        return [None]
    root = Path(config["data"])
    root = root if root.is_dir() else root.parent
    words = shlex.split(str(config.get("command", "")))
    written = Path(words[2]) if words[:2] == ["recurra", "train"] and len(words) > 2 else root
    written = written if Path(config["data"]).is_dir() else written.parent
    inside = [
        Path(values).relative_to(root) if Path(values).is_relative_to(root) else values for values in data.X
    ]
    return [None, *(content_keys([str(place / path) for path in inside]) for place in (written, root))]


def digest(data: Dataset) -> str:
    """Return 32 hexadecimal digits that change when a sequence or its place does."""
    return hashlib.blake2b(b"".join(record_keys(data)), digest_size=16).hexdigest()


def fingerprint(divided: Parts) -> str:
    """Return 32 hexadecimal digits that change when a sequence, a label or a group of either part does."""
    out = hashlib.blake2b(digest_size=16)
    for part in (divided.train, divided.test):
        for key, record in zip(record_keys(part), part.records, strict=True) if part is not None else ():
            label = np.asarray(record.label)
            out.update(key + f"{record.group!r}{label.dtype}{label.shape}".encode())
            out.update(repr(label.tolist()).encode() if label.dtype == object else label.tobytes())
        out.update(b"part")
    return out.hexdigest()


def with_known_labels(data: Dataset, classes: np.ndarray) -> Dataset:
    """Return the data with labels as the model writes them: a folder called ``1`` is the class 1 of a table."""
    if data.y is None:
        return data
    known = {str(label): label for label in classes.tolist()}

    def one(label: Any) -> Any:
        return known.get(str(label), label)

    def renamed(record: Record) -> Record:
        label = record.label
        if np.ndim(label) == 0:
            return replace(record, label=one(label))
        names = [one(step) for step in np.asarray(label).tolist()]
        kinds = {type(name) for name in names}
        return replace(record, label=np.asarray(names, dtype=object if len(kinds) > 1 else None))

    return replace(data, records=[renamed(record) for record in data.records])


def absolute_paths(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return words with their paths in full, so that they name the same file wherever the user stands."""
    out = dict(words)
    for word in ("labels", "vectors", "backbone"):  # vectors and image networks may also be named
        if isinstance(out.get(word), str | os.PathLike) and Path(out[word]).exists():
            out[word] = str(Path(out[word]).resolve())
    for word in ("cache_dir", "checkpoint_dir"):
        if out.get(word) is not None:
            out[word] = os.path.abspath(out[word])
    return out


def beside(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the absolute paths of a configuration, each with its path from the run folder, should both move."""
    values = [config["data"], config["test"], *config["data_words"].values(), *config["words"].values()]
    paths = {value for value in values if isinstance(value, str) and os.path.isabs(value)}
    start = folder.resolve()
    return {path: os.path.relpath(path, start) for path in sorted(paths) if Path(path).anchor == start.anchor}


def place(source: Any) -> str | None:
    """Return the absolute path of a source on disk, the name of a data set, or None for objects of Python."""
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(source)
    return str(path.resolve()) if path.exists() else str(source)


def aligned(data: Dataset, names: Sequence[str] | None) -> Dataset:
    """Return the data with the channels the network was trained on, in that order, found by their names.

    Raises
    ------
    DataError
        If a channel is not there by name.
    """
    there = data.channel_names
    if not names or not there or list(there) == list(names):
        return data
    absent = [name for name in names if name not in there]
    if absent:
        raise DataError(
            f"{data.source or 'the data'}: has no channel {listing(absent)}; the network was trained on {listing(names)}, "
            f"the data have {listing(there)}.{did_you_mean(absent[0], there)} Rename the columns."
        )
    order = [list(there).index(name) for name in names]
    records = [
        replace(record, values=np.ascontiguousarray(record.values[:, order])) for record in data.records
    ]
    note = (
        f"{data.source or 'the data'}: the channels were put in the order of the training: {listing(names)}."
    )
    return replace(data, records=records, channel_names=list(names), notes=(*data.notes, note))


def kind(source: Any) -> str:
    """Return what a source is: "folder", "file", "name" of a data set, or "python" for objects."""
    if not isinstance(source, str | os.PathLike):
        return "python"
    path = Path(source)
    return "folder" if path.is_dir() else "file" if path.exists() else "name"


def check_classes_left(dataset: Dataset, divided: Parts) -> None:
    """Raise DataError if only one of several classes is left to learn from."""
    there, left = dataset.class_counts(), divided.train.class_counts()
    if len(left) == 1 < len(there):
        held = 0 if divided.test is None else len(divided.test)
        raise DataError(
            f"train: of the {len(there)} classes only {next(iter(left))!r} is in the training part of {len(divided.train)} "
            f"sequences, after {held} were held out. Give more sequences, or hold none out with test=0."
        )


def check_values(test: Dataset, *, allow_nan: bool) -> None:
    """Raise DataError where judging would, before the time for training is spent."""
    check_finite(as_sequences(test.X, names=test.names), names=test.names, allow_nan=allow_nan)
