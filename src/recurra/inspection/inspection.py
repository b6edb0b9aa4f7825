"""What `recurra look` finds in a data set: counts, odd things, possible leaks, and settings to start with."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recurra.array_summaries import Findings
from recurra.checks import counted, listing, rate_in_words
from recurra.features.texts.tokens import letters_between_blanks
from recurra.inspection.channels import Channel, channels_of, constant_per_sequence
from recurra.inspection.control_characters import printable
from recurra.inspection.kinds import KINDS, records
from recurra.inspection.leaks import duplicates, label_leaks, split_leaks
from recurra.inspection.recording_problems import recording_problems
from recurra.readers.clips.clip_folders import ROW_BY_ROW
from recurra.records import Dataset, RunData, findings_of

# How the sentence begins that says where labels of clips and pictures are to stand.
UNLABELLED = "There are no labels"
# How what is said of pictures and clips goes on; of other data there is a full stop.
OF_PICTURES = (f"{UNLABELLED}, ", f"{UNLABELLED}: ")
# Longer names of classes are cut where several are listed.
LONG_LABEL = 40
# A class with fewer members than this has no part in a test of 20 % that says anything.
TINY_CLASS = 10
# The largest class may be this many times the smallest before class weights are suggested.
IMBALANCE = 3.0


# Signals at this rate or above, of so many windows of so many seconds, are better described by windows.
FAST_HZ, WINDOWS_AT_LEAST, WINDOW_S = 50.0, 4, 0.5
# Rates that only sound has.
SOUND_HZ = 4000.0


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
        The command line to run next; empty where training cannot begin.
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
        if self.next_command:
            out.append(f"Next: {self.next_command}")
        return [printable(line, lines=False) for line in out]


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
    findings = findings_of(dataset) or Findings()
    dataset = RunData.of(dataset, findings)
    channels = channels_of(dataset)
    leaks = [*label_leaks(dataset, channels)]
    if train is not None and test is not None:
        leaks += split_leaks(train, test)
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
        remarks=[
            *duplicates(dataset),
            *_static_remarks(dataset),
            *dataset.notes,
            *_features_to_try(dataset),
            *_tokens_to_take(dataset),
        ],
        leaks=leaks,
        settings=settings,
        next_command=_next_command(dataset, settings),
        task=_task(dataset, classes),
        n_train=None if train is None else len(train),
        n_test=None if test is None else len(test),
        class_counts=classes,
    )


def _task(dataset: Dataset, classes: dict[str, int]) -> str | None:
    if dataset.kind == "tokens":
        return "SequenceLabeler"
    if dataset.labels_per_step:
        return "SequenceLabeler" if classes else "SequenceRegressor"
    if dataset.kind == "pairs":
        return "Translator"
    if dataset.kind == "text":
        if dataset.y is None:
            return "TextGenerator"
        return "TextClassifier" if classes else "TextRegressor"
    if dataset.kind == "series":
        return "Forecaster"
    if dataset.kind == "video":
        return "VideoClassifier"
    return "SequenceRegressor" if dataset.y is not None and not classes else "SequenceClassifier"


def _static_remarks(dataset: Dataset) -> list[str]:
    """Return sentences on static inputs, and on channels that may be some."""
    out = []
    if dataset.static_names:
        out.append(f"Static inputs, one value a sequence: {listing(dataset.static_names)}.")
    steady = constant_per_sequence(dataset)
    if steady and dataset.y is not None:
        out.append(
            f"{listing(steady)} never {'changes' if len(steady) == 1 else 'change'} within a sequence: a value of the whole "
            f"sequence is read as a static input with --static {shlex.quote(','.join(steady))} (static= in Python)."
        )
    return out


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _shape_problems(dataset: Dataset, channels: list[Channel]) -> list[str]:
    out = []
    constant = [channel.name for channel in channels if channel.constant]
    if constant and ROW_BY_ROW not in dataset.notes:  # the margins of pictures
        out.append(
            f"{len(constant)} of {counted(len(channels), 'channel')} never {'changes' if len(constant) == 1 else 'change'}: "
            f"{listing(constant)}; leave {_them(constant)} out."
            if len(constant) < len(channels)
            else f"{listing(constant)} never {'changes' if len(constant) == 1 else 'change'}: there is nothing to learn."
        )
    empty = [channel.name for channel in channels if channel.low is None]
    if empty:
        out.append(
            f"{counted(len(empty), 'channel has', 'channels have')} no value at all: {listing(empty)}; leave {_them(empty)} "
            "out."
        )
    infinite = sum(channel.infinite for channel in channels)
    if infinite:
        out.append(
            f"{counted(infinite, 'value is', 'values are')} infinite; replace {'it' if infinite == 1 else 'them'}, training "
            "refuses infinity."
        )
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
    if dataset.y is None and (dataset.kind == "video" or ROW_BY_ROW in dataset.notes):
        out.append(_unlabelled_pictures(dataset))
    elif dataset.y is None and dataset.kind == "sequence":
        out.append(
            "There are no labels. To learn classes, name their column with label=, or put the files of each class in a "
            "folder of its own."
        )
    if len(classes) == 1:
        out.append(f"There is only one class, {next(iter(classes))!r}; a classifier needs two.")
    tiny = [f"{_short(name)} ({count})" for name, count in classes.items() if count < TINY_CLASS]
    if tiny and len(classes) > 1:
        out.append(
            f"{len(tiny)} of {len(classes)} classes {'has' if len(tiny) == 1 else 'have'} fewer than {TINY_CLASS} examples: "
            f"{', '.join(tiny[:8])}; "
            f"figures for {_them(tiny)} say little."
        )
    if dataset.many_numbers():
        out.append(
            f"The labels are {len(classes)} different whole numbers for {records(len(dataset), dataset.kind)}: train with "
            "task='regress' if they are numbers to predict, with task='classify' if each is a class of its own."
        )
    elif len(classes) > max(20, len(dataset) // 2) and not dataset.labels_per_step:
        out.append(
            f"There are {len(classes)} classes for {records(len(dataset), dataset.kind)}; if their column is an id or a "
            "group, give another as label=."
        )
    return out


def _short(name: str) -> str:
    return name if len(name) <= LONG_LABEL else f"{name[: LONG_LABEL - 3]}..."


def _unlabelled_pictures(dataset: Dataset) -> str:
    one, many = ("clip", "clips") if dataset.kind == "video" else ("picture", "pictures")
    if len(dataset) == 1:
        return (
            f"{UNLABELLED}, and it is one {one}: to learn classes, give a folder that holds a folder of {many} for each "
            "class; a trained network answers for this one with predict."
        )
    return (
        f"{UNLABELLED}: to learn classes, put the {many} of each class into a folder of its own, or name them in a "
        "labels.csv with the columns file and label."
    )


def _features_to_try(dataset: Dataset) -> list[str]:
    """Name features for signals that are fast and long, which a network reads better in windows."""
    rate = dataset.sample_rate_hz
    if dataset.kind != "sequence" or rate is None or rate < FAST_HZ:
        return []
    if float(np.median(dataset.lengths)) < WINDOWS_AT_LEAST * rate * WINDOW_S:
        return []
    arrays = [record.values for record in dataset.records if isinstance(record.values, np.ndarray)]
    if not all(look.complete for look in (findings_of(dataset) or Findings()).looks(arrays)):
        return []  # features need every value
    names = "log_mel" if rate >= SOUND_HZ else "statistics,band_powers"
    return [
        f"{rate:g} steps a second are many for a network to read one by one; try features='{names}', which describes "
        "windows of them, and compare."
    ]


def _tokens_to_take(dataset: Dataset) -> list[str]:
    """Name the tokens of texts that have no blanks between words."""
    if dataset.kind != "text" or letters_between_blanks(dataset.X) is None:
        return []
    return ["These texts have no blanks between words; train with tokens='character'."]


def _settings(dataset: Dataset, channels: list[Channel], classes: dict[str, int]) -> dict[str, Any]:
    """Return options that follow from the data; those of network and training are left to the estimator's recipe."""
    out: dict[str, Any] = {}
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


def _counts_line(summary: dict[str, Any]) -> str:
    items = KINDS.get(summary["kind"], "sequences")
    one = summary["n_sequences"] == 1 and items.endswith("s") and items not in ("series", "pairs of texts")
    out = f"{summary['n_sequences']} {items[:-1] if one else items}"
    if "length_min" in summary:
        unit = {"text": "characters", "pairs": "characters", "tokens": "words"}.get(summary["kind"], "steps")
        unit = unit[:-1] if summary["length_max"] == 1 else unit
        low, high = summary["length_min"], summary["length_max"]
        each = "" if summary["n_sequences"] == 1 else " each"
        out += f" of {low} {unit}{each}" if low == high else f" of {low} to {high} {unit}"
        out += "" if low == high else f" (median {summary['length_median']:g})"
    if "n_channels" in summary:
        out += f", {counted(summary['n_channels'], 'channel')}"
    if "sample_rate_hz" in summary:
        out += f", {rate_in_words(summary['sample_rate_hz'])}"
    if "n_groups" in summary:
        out += f", {counted(summary['n_groups'], 'group')}"
    return out + "."


def _channels_line(channels: Sequence[Channel]) -> str:
    shown = [
        f"{c.name} {c.low:.4g} to {c.high:.4g}" if c.low is not None else f"{c.name} empty"
        for c in channels[:12]
    ]
    more = f", and {len(channels) - 12} more" if len(channels) > 12 else ""
    missing = sum(channel.missing for channel in channels)
    return f"Channels: {', '.join(shown)}{more}; {counted(missing, 'missing value')}."


def _classes_line(classes: dict[str, int]) -> str:
    total = sum(classes.values())
    most = Counter(classes).most_common(12)
    shown = ", ".join(f"{name} {count} ({100 * count / total:.0f} %)" for name, count in most)
    more = f", and {len(classes) - 12} more" if len(classes) > 12 else ""
    return f"Classes: {shown}{more}."
