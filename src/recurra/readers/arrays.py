"""numpy arrays, in memory or in ``.npy`` and ``.npz`` files, become records. Nothing is ever unpickled."""

import math
import re
import tokenize
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import (
    check_sample_rate,
    check_whole_characters,
    counted,
    did_you_mean,
    listing,
    shortened,
    where,
)
from recurra.errors import DataError, MissingDataError, ShapeError
from recurra.plain_arrays import (
    PADDING,
    as_sequence,
    check_same_channels,
    padded_lengths,
    padding_note,
    plain,
)
from recurra.readers.files.unpacked_size import Unfolding
from recurra.records import Dataset, Record

SUFFIXES = (".npy", ".npz")

_KNOWN = ("X", "lengths", "y", "groups", "names", "channel_names", "sample_rate_hz", "part")
_ONE_EACH = re.compile(r"(x|arr_)([0-9]{1,18})\Z")


def from_arrays(
    X: Any,
    labels: Any = None,
    *,
    groups: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    lengths: Any = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    parts: Sequence[str] | None = None,
    who: str = "arrays",
) -> Dataset:
    """Turn arrays into records.

    Parameters
    ----------
    X : list of arrays of shape (time, channels) or (time,), object array of such, or array
        As an array: (sequences, time, channels), or (sequences, time) for one channel; with ``lengths`` also
        (total_steps, channels), sequence after sequence. A list of str makes a data set of texts.
    labels : sequence, optional
        One label, number or row of numbers per sequence; or an array per sequence with one label per time
        step; or, for an array X, an array of shape (sequences, time), or (total_steps,) beside values of
        that form.
    groups, names, parts : sequence, optional
        One per sequence.
    lengths : sequence of int or "nan", optional
        Steps of each sequence; what lies beyond is padding and dropped. "nan": a sequence ends before its last steps that
        are NaN in every channel.
    channel_names : sequence of str, optional
        One per channel.
    sample_rate_hz : float, optional
        Time steps per second.
    who : str
        Named in messages.

    Raises
    ------
    DataError, ShapeError
        If the counts disagree, a sequence is empty or holds text, or the channels differ.
    """
    X = plain(X, f"{who}: X")
    notes: tuple[str, ...] = ()
    labels = plain(labels, f"{who}: labels")
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and lengths is None:
        note = padding_note(X)
        if note:
            notes = (
                f"{who}: X {note}; if that is padding, pass lengths='{PADDING}', else it is read as missing values.",
            )
    if isinstance(X, list | tuple) and X and all(isinstance(text, str) for text in X):
        sequences: list[Any] = list(X)
        kind = "text"
    else:
        sequences, labels = _cut(X, labels, lengths, who)
        kind = "sequence"
    if not sequences:
        raise DataError(f"{who}: holds no sequence; at least one is needed.")
    check_sample_rate(who, sample_rate_hz)
    columns = {"labels": labels, "groups": groups, "names": names, "parts": parts}
    each = {word: _one_each(word, given, len(sequences), who) for word, given in columns.items()}
    names = None if names is None else each["names"]
    if kind == "sequence":
        sequences = _checked(sequences, names, channel_names, who)
    if labels is not None:
        _check_labels(each["labels"], who)
        _check_shapes(each["labels"], sequences, names, who)
    _check_groups(each["groups"], names, who)
    each["parts"] = [_part(part, index, names, who) for index, part in enumerate(each["parts"])]
    records = [
        Record(
            values,
            label=label,
            group=group,
            name=None if name is None else str(name),
            sample_rate_hz=sample_rate_hz,
            part=part,
        )
        for values, label, group, name, part in zip(
            sequences, each["labels"], each["groups"], each["names"], each["parts"], strict=True
        )
    ]
    return Dataset(
        records,
        channel_names=None if channel_names is None else list(channel_names),
        kind=kind,
        source=who,
        notes=notes,
    )


def _checked(
    sequences: Sequence[Any], names: Sequence[str] | None, channel_names: Sequence[str] | None, who: str
) -> list[np.ndarray]:
    """Return sequences as arrays of the same channels, as many as there are names for."""
    arrays = [as_sequence(values, index=i, names=names, who=who) for i, values in enumerate(sequences)]
    if arrays:
        channels = check_same_channels(arrays, names=names, who=who)
        if channel_names is not None and not _are_names(channel_names):
            raise DataError(
                f"{who}: channel_names must be a list of texts, one per channel; got {shortened(channel_names)}."
            )
        if channel_names is not None and len(channel_names) != channels:
            raise ShapeError(
                f"{who}: channel_names must have one name per channel: {channels}; got {len(channel_names)}."
            )
        twice = [name for name, count in Counter(channel_names or ()).items() if count > 1]
        if twice:
            raise DataError(f"{who}: channel_names holds {twice[0]!r} twice. Give each channel its own name.")
    return arrays


def _are_names(names: Any) -> bool:
    """Whether these are several names, and not one text, one number or lists of names."""
    if isinstance(names, str | bytes | Mapping) or not isinstance(names, Iterable):
        return False
    return all(isinstance(name, str | int | float | np.generic) for name in names)


def _check_labels(labels: Sequence[Any], who: str) -> None:
    """Raise DataError at a label that is missing where others are not, or that nothing can be learned from."""
    for index, label in enumerate(labels):
        if isinstance(label, str):
            check_whole_characters(label, who, f"the label of sequence {index}")
        elif (
            isinstance(label, complex | np.complexfloating)
            or getattr(label, "dtype", np.dtype(int)).kind == "c"
        ):
            raise DataError(
                f"{who}: the label of sequence {index} is a complex number; give a number or a text."
            )
    if _all_missing(labels):
        return
    for index, label in enumerate(labels):
        if np.ndim(label) == 0 and (label is None or label != label):
            raise DataError(
                f"{who}: the label of sequence {index} is missing. Give it, or leave the sequence out."
            )


def _check_shapes(
    labels: Sequence[Any], sequences: Sequence[Any], names: Sequence[str] | None, who: str
) -> None:
    """Raise ShapeError at a label of several axes that has no row for each step."""
    for index, (label, values) in enumerate(zip(labels, sequences, strict=True)):
        shape = np.shape(label) if isinstance(label, np.ndarray) else ()
        if len(shape) > 1 and (len(shape) > 2 or shape[0] != len(values)):
            raise ShapeError(
                f"{who}: the label of {where(index, names)} must be one label or number, several numbers, or one or several "
                f"for each of its {counted(len(values), 'step')}; got an array of shape {shape}."
            )


def _check_groups(groups: Sequence[Any], names: Sequence[str] | None, who: str) -> None:
    """Raise DataError at a group that is missing where others are not: no two of such could be told to be one."""
    missing = [index for index, group in enumerate(groups) if _is_absent(group)]
    if missing and (len(missing) < len(groups) or groups[0] is not None):
        raise DataError(
            f"{who}: the group of {where(missing[0], names)} is missing. Give it, a name of its own for each that belongs "
            "to no other, or leave the groups out."
        )


def _part(part: Any, index: int, names: Sequence[str] | None, who: str) -> str | None:
    """Return the side of the official split, as a table of files has it; None of what belongs to neither."""
    if _is_absent(part):
        return None
    name = (part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)).lower()
    if name not in ("train", "test"):
        raise DataError(
            f"{who}: the part of {where(index, names)} must be 'train' or 'test'; got {part!r}. Leave out what belongs to "
            "neither, or give it None."
        )
    return name


def _is_absent(cell: Any) -> bool:
    """Return whether a cell is what Python, numpy or pandas write where there is none."""
    unequal = isinstance(cell, float | np.floating | np.datetime64) and bool(cell != cell)
    return cell is None or unequal or type(cell).__name__ in ("NAType", "NaTType")


def _all_missing(labels: Sequence[Any]) -> bool:
    return all(label is None for label in labels)


def _cut(X: Any, labels: Any, lengths: Any, who: str) -> tuple[list[Any], Any]:
    """Return X as a list of sequences without padding, and labels per step cut alike."""
    if isinstance(lengths, str) and lengths != PADDING:
        raise DataError(f"{who}: lengths must be whole numbers or {PADDING!r}; got {lengths!r}.")
    if not isinstance(X, np.ndarray) or X.dtype == object:
        if isinstance(lengths, str):
            return _without_padding(list(X), labels, who)
        if lengths is not None:
            raise ShapeError(
                f"{who}: lengths go with one array, not with a list of sequences; leave them out."
            )
        return list(X), labels
    if X.ndim not in (2, 3):
        raise ShapeError(
            f"{who}: X must have shape (sequences, time, channels), or (sequences, time) for one channel; "
            f"got {X.shape}. "
            "A single sequence goes in a list: [x]."
        )
    if isinstance(lengths, str):
        lengths = padded_lengths(X)
    steps = None if lengths is None else _lengths(lengths, who)
    if steps is not None and X.ndim == 2 and int(steps.sum()) == len(X):
        bounds = np.cumsum(steps)[:-1]
        if labels is not None and np.ndim(labels) == 1 and len(labels) == len(X) != len(steps):
            labels = np.split(np.asarray(labels), bounds)
        return np.split(X, bounds), labels
    if steps is None:
        steps = np.full(len(X), X.shape[1])
        padded = False
    else:
        padded = True
        if len(steps) != len(X) or (len(steps) and steps.max() > X.shape[1]):
            raise ShapeError(
                f"{who}: lengths must be one per sequence, at most the time axis of X, or sum to its rows; "
                f"X has shape {X.shape}, "
                f"{len(steps)} lengths go up to {int(steps.max()) if len(steps) else 0} and sum to "
                f"{int(steps.sum())}."
            )
    per_step = isinstance(labels, np.ndarray) and labels.shape == X.shape[:2] and labels.dtype != object
    if per_step and (padded or X.ndim == 3):
        labels = [row[:n] for row, n in zip(labels, steps, strict=True)]
    return [row[:n] for row, n in zip(X, steps, strict=True)], labels


def _without_padding(sequences: list[Any], labels: Any, who: str) -> tuple[list[Any], Any]:
    """Cut steps of NaN off the ends of sequences, and off labels per step that go with them."""
    arrays = [as_sequence(values, index=i, who=who) for i, values in enumerate(sequences)]
    steps = [int(padded_lengths(array[None])[0]) for array in arrays]
    if labels is not None and len(labels) == len(arrays):
        labels = [
            label[:n] if np.ndim(label) == 1 and len(label) == len(array) else label
            for label, array, n in zip(labels, arrays, steps, strict=True)
        ]
    return [array[:n] for array, n in zip(arrays, steps, strict=True)], labels


def _lengths(lengths: Any, who: str) -> np.ndarray:
    array = np.asarray(lengths)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array < 0).any():
        raise DataError(
            f"{who}: lengths must be whole numbers of at least 0, one per sequence; got {array.dtype} of "
            f"shape {array.shape}."
        )
    return array.astype(np.int64)


def _one_each(word: str, given: Any, count: int, who: str) -> list[Any]:
    if given is None:
        return [None] * count
    single = (
        isinstance(given, str | bytes) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) == 0
    )
    if single or (word != "labels" and isinstance(given, np.ndarray) and given.ndim > 1):
        raise ShapeError(
            f"{who}: {word} must have one entry per sequence: {count}; got "
            f"{f'an array of shape {given.shape}' if isinstance(given, np.ndarray) else shortened(given)}."
        )
    items = list(given)
    if len(items) != count:
        raise ShapeError(f"{who}: {word} must have one entry per sequence: {count}; got {len(items)}.")
    return [item.item() if isinstance(item, np.generic) else item for item in items]


def read_arrays(path: Path, *, labels: Any = None, **words: Any) -> Dataset:
    """Read a ``.npy`` or ``.npz`` file.

    A ``.npy`` file holds X. A ``.npz`` file holds ``X`` (and ``lengths`` where sequences are padded or
    joined; see `from_arrays`), or one array per sequence called ``x0``, ``x1``, ... or ``arr_0``, ``arr_1``,
    ...; and, as far as known, ``y``, ``groups``, ``names``, ``part``, ``channel_names``, ``sample_rate_hz``.

    Raises
    ------
    DataError
        If the file is cut, empty or not numpy's, holds Python objects, or its arrays disagree.
    """
    arrays = load(path)
    if path.suffix.lower() == ".npy":
        return from_arrays(arrays["X"], labels, who=str(path), **words)
    single = {int(m.group(2)): name for name in arrays if (m := _ONE_EACH.match(name))}
    expected = {*_KNOWN, *single.values()}
    for name in arrays:
        if name not in expected:
            raise DataError(
                f"{path}: has an array {name!r}; known are {listing(_KNOWN)}, or one array per sequence as "
                "x0, x1, ..."
                f"{did_you_mean(name, _KNOWN)}"
            )
    if ("X" in arrays) == bool(single):
        raise DataError(
            f"{path}: must hold either X, or one array per sequence as x0, x1, ...; it holds "
            f"{listing(arrays)}."
        )
    if single and sorted(single) != list(range(len(single))):
        absent = min(set(range(len(single))) - set(single))
        raise DataError(
            f"{path}: its sequences must be numbered from 0 without a gap; there is no x{absent}."
        )
    found: dict[str, Any] = {
        "labels": arrays.get("y"),
        "groups": arrays.get("groups"),
        "names": arrays.get("names"),
        "parts": arrays.get("part"),
        "lengths": arrays.get("lengths"),
        "channel_names": arrays["channel_names"].tolist() if "channel_names" in arrays else None,
        "sample_rate_hz": arrays["sample_rate_hz"].tolist() if "sample_rate_hz" in arrays else None,
    }
    if isinstance(found["sample_rate_hz"], list) and arrays["sample_rate_hz"].size == 1:
        found["sample_rate_hz"] = arrays["sample_rate_hz"].item()
    found |= {word: value for word, value in {"labels": labels, **words}.items() if value is not None}
    X = arrays["X"] if "X" in arrays else [arrays[single[i]] for i in sorted(single)]
    return from_arrays(X, who=str(path), **found)


def load(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.npy`` (as "X") or ``.npz`` file, without running anything in it."""
    if not path.exists():
        raise MissingDataError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes). Check that writing it was finished.")
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                if stream.read(6) != b"\x93NUMPY":  # numpy would take it for a pickle
                    raise ValueError("it does not begin like one")
            # Mapping compares the size the header claims with the bytes there are, before anything is
            # allocated.
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            if mapped.size and not mapped.nbytes:  # as many as the header says, in no byte
                raise ValueError(f"{mapped.dtype} is no number")
            return {"X": np.array(mapped)}
        _check_members(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DataError:
        raise
    except Exception as error:  # numpy, zipfile and zlib raise whatever a damaged place leads them to
        # Where a header is no dictionary, Python's tokenizer gives a sentence and a place.
        said = error.args[0] if isinstance(error, tokenize.TokenError) else error
        reason = str(said) or type(error).__name__
        if "pickle" in reason or "object" in reason.lower():
            raise DataError(
                f"{path}: holds Python objects, which are never loaded. "
                "Save one array per sequence: np.savez(path, *sequences)."
            ) from None
        raise DataError(
            f"{path}: cannot be read as numpy arrays: {reason.splitlines()[0]}. It may be cut or of another "
            "kind."
        ) from None


def _check_members(path: Path) -> None:
    """Hold what the members of a ``.npz`` file claim against their sizes and the bound, before any is unfolded."""
    advice = "If you trust it, load it with numpy and pass the arrays."
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unfolding = Unfolding(path, sum(member.compress_size for member in members), advice=advice)
        unfolding.add(sum(member.file_size for member in members))
        twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
        if twice:
            raise ValueError(f"it has two arrays {twice[0]!r}")
        for member in members:
            if not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(stream)
                if math.prod(shape) * dtype.itemsize > member.file_size and not dtype.hasobject:
                    raise ValueError(
                        f"{member.filename} claims more numbers than its {member.file_size:,} bytes hold"
                    )
