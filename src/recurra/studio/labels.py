"""Stretches of a recording with their labels, as the ``labels.csv`` beside it that `recurra.load` reads."""

import csv
import io
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError
from recurra.folder_lock import FolderInUseError, FolderLock
from recurra.readers.one_file import LABELS, labels_in
from recurra.readers.signals.stretches import COLUMNS, Stretch, by_file, holds_stretches, steps_labelled
from recurra.store import write_text
from recurra.studio.files import Below, is_unicode
from recurra.studio.recordings import Recording
from recurra.studio.words import ChangedError, digest

MOST_STRETCHES = 200_000
MOST_PROPOSED_STEPS = 500_000
SECONDS_FOR_ANOTHER = 10.0  # to save before us


def read(below: Below, recording: Path) -> list[Stretch]:
    """Return the stretches of a recording, none where there is no file yet."""
    return sorted(_all(below, recording.parent).get(recording.name, []))


def mark(stretches: Sequence[Stretch]) -> str:
    """Return what tells the stretches of a recording from others."""
    return digest([[one.start, one.end, one.label] for one in sorted(stretches)])


def write(below: Below, recording: Path, stretches: Sequence[Any], steps: int, *, read: str) -> str:
    """Replace the stretches of a recording, those of others untouched; whole or not at all.

    Parameters
    ----------
    read : str
        The `mark` of the stretches that were there when the page read them.

    Returns
    -------
    str
        The `mark` of those that are there now.

    Raises
    ------
    UsageError, DataError
        If one is no stretch, reaches out of the recording or overlaps with another; nothing is written then.
    ChangedError
        If somebody else has saved other stretches of the recording since; nothing is written then.
    """
    if not isinstance(stretches, list) or len(stretches) > MOST_STRETCHES:
        raise UsageError(f"studio: stretches must be a list of at most {MOST_STRETCHES:,}.")
    if recording.name != recording.name.strip():
        raise DataError(
            f"studio: {recording.name[:80]!r} begins or ends with a space, which tables of labels leave out. Rename it."
        )
    if not is_unicode(recording.name):
        raise DataError(
            f"studio: the name of {ascii(recording.name)[:80]} is not UTF-8, and a table of labels is. Rename it."
        )
    own = [_stretch(one) for one in stretches]
    steps_labelled(own, steps, recording.name)
    with _alone(recording.parent):
        _replace(below, recording, own, read)
    return mark(own)


def _alone(folder: Path) -> FolderLock:
    """Wait for other pages, of this studio or another: one file holds the stretches of a whole folder."""
    until = time.monotonic() + SECONDS_FOR_ANOTHER
    while True:
        try:
            return FolderLock(folder)
        except FolderInUseError:
            if time.monotonic() > until:
                raise DataError(
                    f"studio: another process has been writing into {folder} for {SECONDS_FOR_ANOTHER:.0f} seconds. Nothing "
                    "is written; save again once it has ended."
                ) from None
            time.sleep(0.02)


def _replace(below: Below, recording: Path, own: list[Stretch], read: str) -> None:
    """Write the file of a folder anew, with these stretches of one recording."""
    there = _all(below, recording.parent)
    if mark(there.get(recording.name, [])) != read:
        raise ChangedError(
            f"studio: the stretches of {recording.name} in {LABELS} are not those that this page has read: they were saved "
            "from somewhere else since. Nothing is written; read them again."
        )
    everything = there | {recording.name: sorted(own)}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for file in sorted(everything):
        table.writerows([file, one.start, one.end, one.label] for one in everything[file])
    place = below.path(below.name(recording.parent)) / LABELS
    if place.is_symlink():
        raise DataError(f"studio: {place.name} is a link, and is not written into. Remove it.")
    write_text(place, text.getvalue())


def _all(below: Below, folder: Path) -> dict[str, list[Stretch]]:
    """Return the stretches of every file of a folder."""
    found = labels_in(folder)
    if found is not None and found.name != LABELS:
        raise DataError(
            f"studio: the labels of this folder stand in {found.name}; save them as {LABELS}, which studio writes."
        )
    if not (folder / LABELS).exists():
        return {}
    path = below.path(below.name(folder / LABELS))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if not holds_stretches(names) or any(name not in names for name in COLUMNS):
        raise DataError(
            f"studio: {path.name} tells labels of whole files, not of stretches, and is left as it is. Move it away, or the "
            "recording to another folder."
        )
    if len(names) > len(COLUMNS):
        raise DataError(
            f"studio: {path.name} has columns beside {', '.join(COLUMNS)}, which would be lost. Move it away."
        )
    filled = [row for row in rows[1:] if any(row)]
    columns = {
        name: [row[names.index(name)].strip() if len(row) > names.index(name) else None for row in filled]
        for name in COLUMNS
    }
    return by_file(columns, [f"studio: {path.name}, row {number + 2}" for number in range(len(filled))])


def _stretch(given: Any) -> Stretch:
    if not isinstance(given, dict):
        raise UsageError("studio: a stretch must have start, end and label.")
    start, end, label = given.get("start"), given.get("end"), given.get("label")
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise UsageError("studio: a stretch must have start and end as whole numbers, and a label as text.")
    label = label.strip()
    if not label or len(label) > 100 or not label.isprintable():
        raise UsageError(
            f"studio: a label must be 1 to 100 characters that can be printed; got {label[:80]!r}."
        )
    return Stretch(start, end, label)


def propose(estimator: Any, recording: Recording, start: int, stop: int) -> list[dict[str, Any]]:
    """Return the stretches that a trained labeler sees between two samples, the least certain first.

    Raises
    ------
    UsageError
        If the network does not label time steps, reads other channels, or the part is too long.
    """
    if estimator.model_.task != "labeling" or not hasattr(estimator, "classes_"):
        raise UsageError(
            "studio: proposals come from a network with a label per time step; choose such a run."
        )
    start, stop = max(0, start), min(stop, len(recording.values))
    if not 0 < stop - start <= MOST_PROPOSED_STEPS:
        raise UsageError(
            f"studio: proposals are made for at most {MOST_PROPOSED_STEPS:,} samples at once; zoom in, what is shown has "
            f"{stop - start:,}."
        )
    known = estimator.model_.manifest.get("channel_names")
    values = np.asarray(recording.values[start:stop], np.float64)
    if known and list(known) != recording.channel_names and set(known) <= set(recording.channel_names):
        values = values[:, [recording.channel_names.index(name) for name in known]]
    shares = np.asarray(estimator.predict_proba([values])[0], float)
    labels = np.asarray(estimator.predict([values])[0]).astype(str)
    certain = shares.max(axis=1)
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    found = [
        {
            "start": start + a,
            "end": start + b,
            "label": str(labels[a]),
            "certainty": float(certain[a:b].mean()),
        }
        for a, b in pairwise(edges)
    ]
    return sorted(found, key=lambda one: one["certainty"])
