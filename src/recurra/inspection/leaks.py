"""Answers that are in the question: channels that equal the label, sequences twice, or on both sides of a split."""

from collections import defaultdict

import numpy as np

from recurra.array_summaries import Findings
from recurra.batches.splits import record_keys
from recurra.checks import counted, listing
from recurra.inspection.channels import Channel, steady_channels
from recurra.inspection.kinds import KINDS, one_of
from recurra.records import Dataset, findings_of


def duplicates(dataset: Dataset) -> list[str]:
    """Return sentences on sequences that are there twice, and on those of them that differ in their label."""
    by_key: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(record_keys(dataset)):
        by_key[key].append(index)
    doubled = [places for places in by_key.values() if len(places) > 1]
    if not doubled:
        return []
    extra = sum(len(places) - 1 for places in doubled)
    names = dataset.names
    one, many = one_of(dataset.kind), KINDS.get(dataset.kind, "sequences")
    out = [
        f"{counted(extra, f'{one} is', f'{many} are')} identical to another one, for instance "
        f"{names[doubled[0][0]]!r} and {names[doubled[0][1]]!r}; a split keeps them on one side."
    ]
    labels = [record.label for record in dataset.records]
    differing = [
        places
        for places in doubled
        if any(not np.array_equal(labels[places[0]], labels[i]) for i in places[1:])
    ]
    if differing:
        a, b = differing[0][:2]
        out.append(
            f"{len(differing)} of them {'carries another label' if len(differing) == 1 else 'carry different labels'}, for "
            f"instance {names[a]!r} and {names[b]!r}."
        )
    return out


def split_leaks(train: Dataset, test: Dataset) -> list[str]:
    """Return sentences on what both sides of a split share, and on a test part older than the training."""
    out = []
    # A series is a group of its own: held out in time, its end is judged after its beginning was learned.
    if train.kind != "series" and train.groups is not None and test.groups is not None:
        shared = {g for g in train.groups.tolist() if g is not None} & {
            g for g in test.groups.tolist() if g is not None
        }
        if shared:
            number = sum(group in shared for group in test.groups.tolist())
            out.append(
                f"{counted(len(shared), 'group is', 'groups are')} on both sides of the split, for instance "
                f"{min(shared, key=str)!r} ({number} of {len(test)} test sequences): the test may only show that they are "
                "recognised. Split by group."
            )
    known = set(record_keys(train))
    same = [name for name, key in zip(test.names, record_keys(test), strict=True) if key in known]
    if same:
        many = KINDS.get(test.kind, "sequences")
        out.append(
            f"{len(same)} of {len(test)} test {many} are also in the training part, for instance {same[0]!r}. "
            "Remove them from one side."
        )
    starts = [[record.start for record in side.records if record.start is not None] for side in (train, test)]
    if starts[0] and [len(side) for side in starts] == [len(train), len(test)]:
        last = max(starts[0])
        earlier = sum(start < last for start in starts[1])
        if earlier and min(starts[0]) < max(starts[1]):
            out.append(
                f"{earlier} of {len(test)} test sequences were recorded before the last training sequence. "
                "If the network is to judge the future, split by time."
            )
    return out


def label_leaks(dataset: Dataset, channels: list[Channel]) -> list[str]:
    """Return a sentence on channels from which the label can be read off."""
    if not channels or dataset.y is None:
        return []
    if dataset.labels_per_step:
        labels = np.concatenate([np.asarray(record.label) for record in dataset.records])
        values = np.concatenate([record.values for record in dataset.records])
        steady = np.ones(len(channels), dtype=bool)
    else:
        labels = dataset.y
        if labels.ndim != 1 or labels.dtype == object:
            return []
        arrays = [record.values for record in dataset.records]
        looks = (findings_of(dataset) or Findings()).looks(arrays)
        steady = np.all(steady_channels(arrays, looks), axis=0)
        # Of data on disk a first row costs as much as the sequence.
        values = np.stack([array[0] for array in arrays]) if steady.any() else np.empty((0, len(channels)))
    names = [channels[i].name for i in np.flatnonzero(steady) if _equals_label(values[:, i], labels)]
    if not dataset.labels_per_step:
        names += _static_leaks(dataset, labels)
    if not names:
        return []
    what = "channel equals" if len(names) == 1 else "channels equal"
    return [f"{len(names)} {what} the label: {listing(names)}. The answer is in the question: leave it out."]


def _static_leaks(dataset: Dataset, labels: np.ndarray) -> list[str]:
    """Return the names of the static inputs from which the label can be read off."""
    if dataset.static is None or dataset.static_names is None or any(row is None for row in dataset.static):
        return []
    columns = zip(*dataset.static, strict=True)
    codes = [np.unique([str(cell) for cell in cells], return_inverse=True)[1] for cells in columns]
    return [
        name
        for name, own in zip(dataset.static_names, codes, strict=True)
        if _equals_label(own.astype(np.float64), np.asarray([str(label) for label in labels.tolist()]))
    ]


def _equals_label(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether there is one value for each label and one label for each value."""
    if np.isnan(values).any():
        return False
    if labels.dtype.kind == "f" and np.allclose(values, labels):
        return len(np.unique(labels)) > 1
    known, codes = np.unique(labels, return_inverse=True)
    distinct, value_codes = np.unique(values, return_inverse=True)
    # With as many classes as labels, any channel of different values would do; that says nothing.
    if not 1 < len(known) == len(distinct) <= len(labels) // 2:
        return False
    return len(set(zip(codes.tolist(), value_codes.tolist(), strict=True))) == len(known)
