"""Data put as a trained network knows them: its channels in its order, labels written as its classes are."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import check_rate, did_you_mean, listing
from recurra.errors import DataError, RecurraWarning
from recurra.readers.clips.clip_folders import ROW_BY_ROW
from recurra.records import Dataset, Record


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


def as_trained(data: Dataset, config: Mapping[str, Any]) -> Dataset:
    """Return the data with the channels of the training in its order.

    Raises
    ------
    DataError
        If they are data of another kind, or their rate is another.
    """
    _check_kind(data, str(config.get("kind")))
    _check_width(data, config.get("data_summary", {}).get("n_channels"))
    _tell_undated(data, config)
    check_rate(data.source or "the data", config.get("sample_rate_hz"), data.sample_rate_hz)
    return aligned(data, config.get("channel_names"))


def _tell_undated(data: Dataset, config: Mapping[str, Any]) -> None:
    """Warn of series whose times only count, where those trained on had dates."""
    if data.kind != "series" or not config.get("data_summary", {}).get("dated"):
        return
    if any(record.start is None for record in data.records):
        warnings.warn(
            f"{data.source or 'the data'}: the time column holds numbers that count; the network was trained on dates. Its "
            "forecasts bear no dates. Write the times as in the training, such as 2024-05-31, or say how they are written "
            "with time_format=.",
            RecurraWarning,
            stacklevel=4,
        )


# What a network reads, by the kind of its data; and what of it a message may want to say besides.
_READS = {
    "sequence": ("sequences of numbers", "Give those, or use a network that was trained on such data."),
    "text": ("texts", "Give a table and the column of its texts, or a file with a text a line."),
    "tokens": ("sentences", "Give words in columns, or a file with a sentence a line."),
    "pairs": (
        "pairs of texts",
        "Give a table and the column of its sources, or a file with a source a line.",
    ),
    "video": ("clips", "A clip is a video file, or a folder of images."),
}


def _check_kind(data: Dataset, trained: str) -> None:
    """Raise DataError if a network cannot read data of this kind; clips may also be arrays of frames."""
    if data.kind == trained or not {data.kind, trained} <= set(_READS):
        return
    if trained == "video" and all(np.ndim(record.values) == 4 for record in data.records):
        return
    what, advice = _READS[trained]
    there = "pictures" if ROW_BY_ROW in data.notes else _READS[data.kind][0]
    raise DataError(
        f"{data.source or 'the data'}: holds {there}; the network was trained on {what}. {advice}"
    )


def _check_width(data: Dataset, channels: int | None) -> None:
    """Raise DataError at a picture, read row by row, whose rows have other points than those trained on."""
    if ROW_BY_ROW not in data.notes or channels is None:
        return
    for record, name in zip(data.records, data.names, strict=True):
        there = record.values.shape[1]
        if there != channels:
            raise DataError(
                f"{name}: is a picture with {there} numbers a row, width times colours; those trained on have {channels}. "
                f"Bring it to their size and colours: {channels} pixels wide and grey"
                f"{f', or {channels // 3} wide and in colours' if channels % 3 == 0 else ''}."
            )


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


def labelled_for(estimator: Any, data: Dataset) -> Dataset:
    """Return the data with labels written as the estimator's classes are, if it has classes."""
    return with_known_labels(data, estimator.classes_) if hasattr(estimator, "classes_") else data
