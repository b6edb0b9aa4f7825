"""Sequences on disk: the rows of all in one flat file, and a line of JSON for each file they came from."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.readers.large.mapped import mapped_rows
from recurra.records import Dataset, Record

_VALUES, _INDEX, _LABELS = "values.float64", "sources.jsonl", "labels"
# What a record keeps beside its values; each is a word, a number or nothing.
_FIELDS = ("label", "group", "name", "sample_rate_hz", "start", "static")


@dataclass(frozen=True)
class StoredSource:
    """What a source gave.

    Parameters
    ----------
    name : str
        File.
    steps : list of int
        Of each sequence.
    columns : dict of str to list
        ``_FIELDS`` of each sequence.
    shared : dict
        What the data set says: names of channels and static inputs, notes; where labels per step stand.
    end : int
        Rows in the flat file after it.
    """

    name: str
    steps: list[int]
    columns: dict[str, list[Any]]
    shared: dict[str, Any]
    end: int


class SequenceStore:
    """A folder that sequences are added to, a source at a time.

    A source counts once its line stands in the index, which is written after its values are on disk: whoever is
    interrupted goes on with the source that has none.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sources = [StoredSource(**line) for line in _lines(folder / _INDEX)]
        values = folder / _VALUES
        if self.sources and (
            not values.exists() or values.stat().st_size < 8 * self.rows * (self.n_channels or 1)
        ):
            # somebody cleared away what the index tells of
            (folder / _INDEX).unlink()
            self.sources = []

    @property
    def rows(self) -> int:
        """Time steps of all."""
        return self.sources[-1].end if self.sources else 0

    @property
    def n_channels(self) -> int | None:
        """Channels; None before there is a source."""
        return self.sources[0].shared["n_channels"] if self.sources else None

    def add(self, name: str, dataset: Dataset) -> None:
        """Add the sequences of a source.

        Raises
        ------
        DataError
            If its channels are not those of the first source, or it holds no sequences of numbers.
        """
        order = self._order(name, dataset)
        per_step = dataset.labels_per_step
        self._check_labels(name, per_step)
        begin = self.rows
        with (self.folder / _VALUES).open("r+b" if (self.folder / _VALUES).exists() else "w+b") as file:
            width = dataset.records[0].values.shape[1]
            file.truncate(begin * width * 8)  # what an interrupted run left behind
            file.seek(begin * width * 8)
            for record in dataset.records:
                values = record.values if order is None else record.values[:, order]
                file.write(np.ascontiguousarray(values, dtype=np.float64).data)
            file.flush()
            os.fsync(file.fileno())
        columns = {field: [_plain(getattr(record, field)) for record in dataset.records] for field in _FIELDS}
        if per_step:
            columns["label"] = [None] * len(dataset.records)
            labels = np.concatenate([np.asarray(record.label) for record in dataset.records])
            np.save(self.folder / f"{_LABELS}-{len(self.sources):06d}.npy", labels, allow_pickle=False)
        steps = [record.length for record in dataset.records]
        shared = {
            "n_channels": width,
            "channel_names": None if dataset.channel_names is None else list(dataset.channel_names),
            "static_names": None if dataset.static_names is None else list(dataset.static_names),
            "notes": list(dataset.notes),
            "per_step": per_step,
        }
        if self.sources and order is not None:
            shared["channel_names"] = self.sources[0].shared["channel_names"]
        source = StoredSource(name, steps, columns, shared, begin + sum(steps))
        with (self.folder / _INDEX).open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(source)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.sources.append(source)

    def _order(self, name: str, dataset: Dataset) -> list[int] | None:
        """Return where the channels of the first source are among those of another; None if they are as there."""
        first = dataset.records[0].values
        if dataset.kind != "sequence" or not isinstance(first, np.ndarray) or first.ndim != 2:
            raise DataError(
                f"{name}: holds {dataset.kind} records; several tables together must hold sequences of numbers."
            )
        if not self.sources:
            return None
        known, there = self.sources[0].shared["channel_names"], dataset.channel_names
        if known is not None and there is not None and sorted(known) == sorted(there):
            return None if list(there) == known else [list(there).index(channel) for channel in known]
        if known is None and there is None and first.shape[1] == self.n_channels:
            return None
        raise DataError(
            f"{name}: has the channels {there or first.shape[1]}, {self.sources[0].name} has {known or self.n_channels}. "
            "Give every file the same columns, or name those to use with channels=."
        )

    def _check_labels(self, name: str, per_step: bool) -> None:
        if self.sources and self.sources[0].shared["per_step"] != per_step:
            kinds = ("a label per sequence", "a label per time step")
            raise DataError(
                f"{name}: has {kinds[per_step]}, {self.sources[0].name} {kinds[not per_step]}. Say which with label_per=."
            )

    def dataset(self, source: str, *, mapped: bool = True) -> Dataset:
        """Return everything as a data set.

        Parameters
        ----------
        source : str
            What the data set says it was read from.
        mapped : bool, default=True
            Whether values are touched on disk when they are used, instead of being read into memory now.
        """
        width = int(self.n_channels or 1)
        if mapped:
            values = mapped_rows(self.folder / _VALUES, width, self.rows)
        else:
            values = np.fromfile(self.folder / _VALUES, np.float64, count=self.rows * width).reshape(
                -1, width
            )
        records: list[Record] = []
        for number, own in enumerate(self.sources):
            records += _records(own, values, self._labels(number, own))
        shared = self.sources[0].shared
        return Dataset(
            records,
            channel_names=shared["channel_names"],
            static_names=shared["static_names"],
            source=source,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        """Return what was noted of the sources; what was of several is said once, with the first."""
        alike: dict[str, list[str]] = {}
        for own in self.sources:
            for note in own.shared["notes"]:
                alike.setdefault(re.sub(r"\d+(\.\d+)?", "#", note.replace(own.name, "")), []).append(note)
        return tuple(
            found[0] if len(found) == 1 else f"{len(found)} files have such a note: {found[0]}"
            for found in alike.values()
        )

    def _labels(self, number: int, source: StoredSource) -> np.ndarray | None:
        if not source.shared["per_step"]:
            return None
        found: np.ndarray = np.load(self.folder / f"{_LABELS}-{number:06d}.npy", allow_pickle=False)
        return found


def _records(source: StoredSource, values: np.ndarray, labels: np.ndarray | None) -> Iterable[Record]:
    first = source.end - sum(source.steps)
    at = first
    for place, steps in enumerate(source.steps):
        own: dict[str, Any] = {field: cells[place] for field, cells in source.columns.items()}
        if isinstance(own["label"], list):  # several numbers to predict
            own["label"] = np.asarray(own["label"])
        for word in ("label", "group"):  # a few words, each once in memory
            own[word] = sys.intern(own[word]) if isinstance(own[word], str) else own[word]
        record = Record(values[at : at + steps], **own)
        yield record if labels is None else replace(record, label=labels[at - first : at - first + steps])
        at += steps


def _plain(value: Any) -> Any:
    """Return what JSON can hold: numpy's numbers as Python's, a row of numbers as a list."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _lines(path: Path) -> Sequence[dict[str, Any]]:
    """Return the lines that are whole; the last may not be, where writing it was interrupted."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if len(kept) < len(whole):
        with path.open("r+b") as file:
            file.truncate(len(kept))
    return [json.loads(line) for line in kept.splitlines()]
