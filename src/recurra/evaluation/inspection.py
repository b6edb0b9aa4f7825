"""What `recurra look` finds in a data set: counts, odd things, possible leaks, and settings to start with."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recurra.batches.splits import record_keys
from recurra.checks import listing
from recurra.evaluation.recording_problems import recording_problems
from recurra.records import Dataset

# A class with fewer members than this has no part in a test of 20 % that says anything.
TINY_CLASS = 10
# The largest class may be this many times the smallest before class weights are suggested.
IMBALANCE = 3.0


@dataclass(frozen=True)
class Channel:
    """One channel over all sequences: name, smallest and largest value, missing and infinite ones."""

    name: str
    low: float | None
    high: float | None
    missing: int
    infinite: int

    @property
    def constant(self) -> bool:
        """Whether it has one value everywhere."""
        return self.low is not None and self.low == self.high


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Parameters
    ----------
    summary : dict
        `Dataset.summary` of all records.
    channels : sequence of Channel
        Empty for text.
    problems : sequence of str
        One sentence each: what may make figures wrong or training fail. Leaks come first.
    remarks : sequence of str
        One sentence each: worth knowing, including what the reader noted.
    leaks : sequence of str
        Those of ``problems`` that are possible leaks.
    settings : dict
        Words to begin with, for the estimator and as flags.
    next_command : str
        The command line to run next.
    task : str or None
        The estimator that suits the labels; None where none does.
    """

    summary: dict[str, Any]
    channels: Sequence[Channel]
    problems: Sequence[str]
    remarks: Sequence[str]
    leaks: Sequence[str]
    settings: dict[str, Any]
    next_command: str
    task: str | None = "SequenceClassifier"
    n_train: int | None = None
    n_test: int | None = None
    class_counts: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one flat dictionary that JSON can hold; prefixes ``class_``, ``suggest_``."""
        out = {name: value for name, value in self.summary.items() if name != "class_counts"}
        out |= {"task": self.task, "n_train": self.n_train, "n_test": self.n_test}
        out |= {f"class_{name}": count for name, count in self.class_counts.items()}
        out |= {
            "constant_channels": [channel.name for channel in self.channels if channel.constant],
            "n_infinite": sum(channel.infinite for channel in self.channels),
            "problems": list(self.problems),
            "leaks": list(self.leaks),
            "remarks": list(self.remarks),
        }
        out |= {f"suggest_{name}": value for name, value in self.settings.items()}
        out["next_command"] = self.next_command
        plain: dict[str, Any] = json.loads(json.dumps(out, allow_nan=False))
        return plain

    def lines(self) -> list[str]:
        """Return what was found as sentences for people, the next command last."""
        out = [_counts_line(self.summary)]
        if self.n_test is not None:
            out.append(f"Split: {self.n_train} to train, {self.n_test} to test.")
        if self.channels:
            out.append(_channels_line(self.channels))
        if self.class_counts:
            out.append(_classes_line(self.class_counts))
        out += [f"Problem: {problem}" for problem in self.problems]
        out += [f"Note: {remark}" for remark in self.remarks]
        chosen = ", ".join(f"{word}={value!r}" for word, value in self.settings.items())
        if self.task is not None:
            out.append(f"Settings to begin with: {self.task}({chosen}).")
        out.append(f"Next: {self.next_command}")
        return out


def inspect(dataset: Dataset, *, train: Dataset | None = None, test: Dataset | None = None) -> Inspection:
    """Look at a data set before anything is trained on it.

    Parameters
    ----------
    dataset : Dataset
        At least one record.
    train, test : Dataset, optional
        Both sides of a split, to look for leaks between them; by default those of the official split, if any.

    Returns
    -------
    Inspection
    """
    if train is None and test is None and len(dataset.part("test")):
        train, test = dataset.part("train"), dataset.part("test")
    channels = _channels(dataset)
    leaks = [*_label_leaks(dataset, channels)]
    if train is not None and test is not None:
        leaks += _split_leaks(train, test)
    classes = dataset.class_counts()
    problems = [
        *leaks,
        *_shape_problems(dataset, channels),
        *recording_problems(dataset),
        *_class_problems(dataset, classes),
    ]
    settings = _settings(dataset, channels, classes)
    return Inspection(
        summary=dataset.summary(),
        channels=channels,
        problems=problems,
        remarks=[*_duplicates(dataset), *dataset.notes],
        leaks=leaks,
        settings=settings,
        next_command=_next_command(dataset, settings),
        task=_task(dataset, classes),
        n_train=None if train is None else len(train),
        n_test=None if test is None else len(test),
        class_counts=classes,
    )


def _task(dataset: Dataset, classes: dict[str, int]) -> str | None:
    if dataset.labels_per_step:
        return "SequenceLabeler" if classes else "SequenceRegressor"
    if dataset.kind == "pairs":
        return "Translator"
    if dataset.kind == "text":
        return "TextClassifier"
    if dataset.kind == "series":
        return "Forecaster"
    if dataset.kind == "video":
        return "VideoClassifier"
    return "SequenceRegressor" if dataset.y is not None and not classes else "SequenceClassifier"


def _channels(dataset: Dataset) -> list[Channel]:
    """Range of every channel, in one pass over the sequences."""
    arrays = [record.values for record in dataset.records if isinstance(record.values, np.ndarray)]
    if not arrays or arrays[0].ndim != 2:
        return []
    names = list(dataset.channel_names or [f"channel {i}" for i in range(arrays[0].shape[1])])
    found = _ranges(arrays, names)
    known = [record.known for record in dataset.records if record.known is not None]
    if known and dataset.known_names:  # what is known in advance of series may be missing too
        found += _ranges(known, list(dataset.known_names))
    return found


def _ranges(arrays: Sequence[np.ndarray], names: Sequence[str]) -> list[Channel]:
    width = arrays[0].shape[1]
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    missing, infinite = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
    for values in arrays:
        finite = np.isfinite(values)
        low = np.minimum(low, np.where(finite, values, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf))
        missing += np.isnan(values).sum(axis=0)
        infinite += np.isinf(values).sum(axis=0)
    return [
        Channel(
            str(names[i]),
            float(low[i]) if np.isfinite(low[i]) else None,
            float(high[i]) if np.isfinite(high[i]) else None,
            int(missing[i]),
            int(infinite[i]),
        )
        for i in range(width)
    ]


def _shape_problems(dataset: Dataset, channels: list[Channel]) -> list[str]:
    out = []
    constant = [channel.name for channel in channels if channel.constant]
    if constant:
        out.append(
            f"{len(constant)} of {len(channels)} channels never change: {listing(constant)}; leave them out."
        )
    empty = [channel.name for channel in channels if channel.low is None]
    if empty:
        out.append(f"{len(empty)} channels have no value at all: {listing(empty)}; leave them out.")
    infinite = sum(channel.infinite for channel in channels)
    if infinite:
        out.append(f"{infinite} values are infinite; replace them, training refuses them.")
    lengths = dataset.lengths
    if channels and len(channels) > 64 and float(np.median(lengths)) * 4 < len(channels):
        out.append(
            f"The sequences have {len(channels)} channels but a median length of {np.median(lengths):g}: "
            "they may be turned "
            "round (channels first); values are read as (time, channels)."
        )
    rates = {record.sample_rate_hz for record in dataset.records if record.sample_rate_hz is not None}
    if len(rates) > 1:
        shown = ", ".join(f"{rate:g} Hz" for rate in sorted(rates)[:4])
        out.append(
            f"The sequences are sampled at {len(rates)} different rates ({shown}); resample them to one."
        )
    return out


def _class_problems(dataset: Dataset, classes: dict[str, int]) -> list[str]:
    out = []
    if dataset.y is None and dataset.kind in ("sequence", "video"):
        out.append(
            "There are no labels. To learn classes, name their column with label=, or put the files of each class in a "
            "folder of its own."
        )
    if len(classes) == 1:
        out.append(f"There is only one class, {next(iter(classes))!r}; a classifier needs two.")
    tiny = [f"{name} ({count})" for name, count in classes.items() if count < TINY_CLASS]
    if tiny and len(classes) > 1:
        out.append(
            f"{len(tiny)} of {len(classes)} classes have fewer than {TINY_CLASS} examples: "
            f"{', '.join(tiny[:8])}; "
            "figures for them say little."
        )
    if len(classes) > max(20, len(dataset) // 2) and not dataset.labels_per_step:
        out.append(
            f"There are {len(classes)} classes for {len(dataset)} sequences; if the labels are numbers to "
            "predict, "
            "give their column as target=."
        )
    return out


def _duplicates(dataset: Dataset) -> list[str]:
    by_key: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(record_keys(dataset)):
        by_key[key].append(index)
    doubled = [places for places in by_key.values() if len(places) > 1]
    if not doubled:
        return []
    extra = sum(len(places) - 1 for places in doubled)
    names = dataset.names
    out = [
        f"{extra} sequences are identical to another one, for instance {names[doubled[0][0]]!r} and "
        f"{names[doubled[0][1]]!r}; "
        "a split keeps them on one side."
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
            f"{len(differing)} of them carry different labels, for instance {names[a]!r} and {names[b]!r}."
        )
    return out


def _split_leaks(train: Dataset, test: Dataset) -> list[str]:
    out = []
    if train.groups is not None and test.groups is not None:
        shared = {g for g in train.groups.tolist() if g is not None} & {
            g for g in test.groups.tolist() if g is not None
        }
        if shared:
            number = sum(group in shared for group in test.groups.tolist())
            out.append(
                f"{len(shared)} groups are on both sides of the split, for instance {min(shared, key=str)!r} "
                f"({number} of {len(test)} test sequences): the test may only show that they are "
                "recognised. Split by group."
            )
    known = set(record_keys(train))
    same = [name for name, key in zip(test.names, record_keys(test), strict=True) if key in known]
    if same:
        out.append(
            f"{len(same)} of {len(test)} test sequences are also in the training part, for instance "
            f"{same[0]!r}. "
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


def _label_leaks(dataset: Dataset, channels: list[Channel]) -> list[str]:
    """Channels from which the label can be read off."""
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
        values = np.stack([record.values[0] for record in dataset.records])
        steady = np.all(
            [(record.values == record.values[0]).all(axis=0) for record in dataset.records], axis=0
        )
    names = [channels[i].name for i in np.flatnonzero(steady) if _equals_label(values[:, i], labels)]
    if not names:
        return []
    what = "channel equals" if len(names) == 1 else "channels equal"
    return [f"{len(names)} {what} the label: {listing(names)}. The answer is in the question: leave it out."]


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


def _settings(dataset: Dataset, channels: list[Channel], classes: dict[str, int]) -> dict[str, Any]:
    count = len(dataset)
    # At least 20 updates an epoch, in batches of 8 to 64.
    batch = int(np.clip(2 ** np.floor(np.log2(max(count / 20, 1))), 8, 64))
    out: dict[str, Any] = {
        "hidden_size": 32 if count < 200 else 64 if count < 5000 else 128,
        "batch_size": batch,
    }
    if count < 50:
        out["validation_fraction"] = 0.0  # too few to spare any
    if classes and max(classes.values()) > IMBALANCE * min(classes.values()):
        out["class_weight"] = "balanced"
    if any(channel.missing for channel in channels):
        out["missing"] = "mask"
    return out


def _next_command(dataset: Dataset, settings: dict[str, Any]) -> str:
    flags = " ".join(f"--{word.replace('_', '-')} {value}" for word, value in settings.items())
    source = (
        shlex.quote(dataset.source)
        if dataset.source and dataset.source not in ("arrays", "DataFrame")
        else "DATA"
    )
    return f"recurra train {source} -o runs/first {flags}".rstrip()


KINDS = {"text": "texts", "pairs": "pairs of texts", "video": "clips"}


def _counts_line(summary: dict[str, Any]) -> str:
    out = f"{summary['n_sequences']} {KINDS.get(summary['kind'], 'sequences')}"
    if "length_min" in summary:
        unit = "characters" if summary["kind"] in ("text", "pairs") else "steps"
        out += f" of {summary['length_min']} to {summary['length_max']} {unit}"
        out += f" (median {summary['length_median']:g})"
    if "n_channels" in summary:
        out += f", {summary['n_channels']} channels"
    if "sample_rate_hz" in summary:
        out += f", {summary['sample_rate_hz']:g} steps a second"
    if "n_groups" in summary:
        out += f", {summary['n_groups']} groups"
    return out + "."


def _channels_line(channels: Sequence[Channel]) -> str:
    shown = [
        f"{c.name} {c.low:.4g} to {c.high:.4g}" if c.low is not None else f"{c.name} empty"
        for c in channels[:12]
    ]
    more = f", and {len(channels) - 12} more" if len(channels) > 12 else ""
    missing = sum(channel.missing for channel in channels)
    return f"Channels: {', '.join(shown)}{more}; {missing} missing values."


def _classes_line(classes: dict[str, int]) -> str:
    total = sum(classes.values())
    most = Counter(classes).most_common(12)
    shown = ", ".join(f"{name} {count} ({100 * count / total:.0f} %)" for name, count in most)
    more = f", and {len(classes) - 12} more" if len(classes) > 12 else ""
    return f"Classes: {shown}{more}."
