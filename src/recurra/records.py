"""`Record`, one sequence with what is known about it, and `Dataset`, records in order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np

from recurra.array_summaries import Findings
from recurra.checks import check_number, check_sample_rate, counted
from recurra.errors import UsageError

# Whole numbers as labels are questioned where there are more of them than this, with fewer sequences of each than that.
MOST_CLASSES, FEWEST_OF_A_CLASS = 20, 10


# Types of labels that are one class or number.
_ONE = {str, int, float, bool, type(None)}


@dataclass(frozen=True)
class Record:
    """One sequence.

    Parameters
    ----------
    values : ndarray of shape (time, channels), or str
        Numbers over time, or text, or the path of a media file.
    label : str, int, float, ndarray or None
        One label or number for the sequence, several numbers, or an array with one entry per time step.
    group : hashable, optional
        What must not be cut in two by a split, such as the person recorded.
    name : str, optional
        File or identifier, used in messages.
    sample_rate_hz : float, optional
        Time steps per second.
    part : {"train", "dev", "test"}, optional
        Side of the official split, for data that has one.
    start : float, optional
        When the first step was recorded, in seconds since 1970; orders the records of a split by time.
    freq : str, optional
        Step between the time stamps of a series, as pandas names it: "h", "30min", "ME" (ends of months).
    zone : str, optional
        Time zone of the time stamps, such as "Europe/Berlin" or "+01:00"; ``start`` is then in universal time.
    known : ndarray of shape (time or more, columns), optional
        What is known in advance about each step of a series, from its first on.
    static : sequence, optional
        Static inputs, which belong to the whole sequence or series: numbers or text, None where missing.
    stamps : sequence of shape (time,), optional
        The time of every step as it was written, where the reader was asked to keep it.
    """

    values: Any
    label: Any = None
    group: Any = None
    name: str | None = None
    sample_rate_hz: float | None = None
    part: str | None = None
    start: float | None = None
    freq: str | None = None
    zone: str | None = None
    known: Any = None
    static: Any = None
    stamps: Any = None

    def __post_init__(self) -> None:
        if self.sample_rate_hz is not None:
            check_sample_rate(self.name or "a sequence", self.sample_rate_hz)

    @property
    def length(self) -> int:
        """Time steps, or characters of a text."""
        return len(self.values)


@dataclass(frozen=True)
class Dataset:
    """Records in order, with what they share.

    Parameters
    ----------
    records : sequence of Record
        The data.
    channel_names : sequence of str, optional
        One name per channel.
    kind : {"sequence", "text", "pairs", "video", "series"}, default="sequence"
        What ``values`` of the records are; of "pairs" they and the labels are texts.
    source : str, default=""
        Where it was read from, for reports.
    licence, citation : str, default=""
        Terms of use and how to cite, shown in reports.
    notes : tuple of str
        What the reader did that the user should know, such as rows left out.
    known_names : sequence of str, optional
        One name per column of what is known in advance of series.
    static_names : sequence of str, optional
        One name per static input of sequences.
    label_columns : sequence of str
        Columns of a table of texts without a label that hold classes or numbers to predict, the likeliest first.
    time_spelling : str
        What the numbers of the time column were found to spell, such as "a year and a week", where a later table of few
        rows would not show it.
    """

    records: Sequence[Record]
    channel_names: Sequence[str] | None = None
    kind: str = "sequence"
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = field(default=())
    known_names: Sequence[str] | None = None
    static_names: Sequence[str] | None = None
    label_columns: Sequence[str] = ()
    time_spelling: str = ""

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    @property
    def X(self) -> list[Any]:  # noqa: N802 - scikit-learn's name
        """Values of every record, as a list."""
        return [record.values for record in self.records]

    @property
    def y(self) -> np.ndarray | None:
        """Labels: an array of shape (records,) or (records, targets), an object array of arrays if there is one
        per time step, None if no record has any.
        """
        labels = [record.label for record in self.records]
        if all(label is None for label in labels):
            return None
        # Asking each for its axes takes a hundred times as long as asking for their types.
        if not {type(label) for label in labels} <= _ONE and any(np.ndim(label) > 0 for label in labels):
            sizes = {np.shape(label) for label in labels}
            if len(sizes) == 1 and not self.labels_per_step:
                return np.stack(labels)
            out = np.empty(len(labels), dtype=object)
            out[:] = labels if len(sizes) > 1 else [np.asarray(label) for label in labels]
            return out
        return (
            np.asarray(labels, dtype=object) if any(label is None for label in labels) else np.asarray(labels)
        )

    @property
    def labels_per_step(self) -> bool:
        """Whether every label is an array with one entry per time step."""
        return bool(self.records) and all(
            np.ndim(r.label) == 1 and not isinstance(r.values, str) and len(r.label) == r.length
            for r in self.records
        )

    @property
    def groups(self) -> np.ndarray | None:
        """Group of every record as an object array, None if no record has one."""
        groups = [record.group for record in self.records]
        if all(group is None for group in groups):
            return None
        out = np.empty(len(groups), dtype=object)
        out[:] = groups
        return out

    @property
    def static(self) -> list[Any] | None:
        """Static inputs of every record, a row of cells each; None if no record has any."""
        static = [record.static for record in self.records]
        return None if all(row is None for row in static) else static

    @property
    def names(self) -> list[str]:
        """Name of every record, its position where it has none."""
        return [record.name if record.name is not None else str(i) for i, record in enumerate(self.records)]

    @property
    def lengths(self) -> np.ndarray:
        """Time steps of every record: int64 array of shape (records,)."""
        return np.array([record.length for record in self.records], dtype=np.int64)

    @property
    def sample_rate_hz(self) -> float | None:
        """Time steps per second where all records agree, else None."""
        rates = {record.sample_rate_hz for record in self.records}
        return rates.pop() if len(rates) == 1 else None

    def take(self, indices: Sequence[int] | np.ndarray) -> "Dataset":
        """Return the records at these positions, in this order."""
        return replace(self, records=[self.records[int(i)] for i in indices])

    def windows(self, length: int, hop: int | None = None) -> "Dataset":
        """Cut every record into windows that overlap; all windows of a record are one group, so no split parts them.

        Parameters
        ----------
        length : int
            Time steps of a window; a shorter record stays as it is.
        hop : int, optional
            Time steps from one window to the next, at most ``length``; half of it by default. The last window of a
            record ends where the record ends, so that no step is left out.

        Returns
        -------
        Dataset
            Labels per step are cut along, others are repeated. A record without group becomes a group of its own.

        Raises
        ------
        UsageError
            If the records are no sequences of numbers, or length or hop is not allowed.
        """
        if self.kind != "sequence":
            raise UsageError(f"windows: cuts sequences of numbers; got records of kind {self.kind!r}.")
        check_number("windows", "length", length, integer=True, low=1)
        hop = max(1, length // 2) if hop is None else hop
        check_number("windows", "hop", hop, integer=True, low=1, high=length)
        per_step, names, cut = self.labels_per_step, self.names, []
        for index, record in enumerate(self.records):
            last = max(record.length - length, 0)
            for begin in sorted({*range(0, last, hop), last}):
                stop = begin + length
                cut.append(
                    replace(
                        record,
                        values=record.values[begin:stop],
                        label=record.label[begin:stop] if per_step else record.label,
                        group=record.group if record.group is not None else f"record {index}",
                        name=f"{names[index]}[{begin}:{min(stop, record.length)}]",
                        start=_later(record, begin),
                    )
                )
        return replace(self, records=cut)

    def part(self, name: str) -> "Dataset":
        """Return one side of the official split, "train" or "test"; empty if the data has none."""
        return replace(self, records=[r for r in self.records if r.part == name])

    def split(
        self, test: float = 0.2, *, by: str | None = None, stratify: bool = True, random_state: int | None = 0
    ) -> "tuple[Dataset, Dataset]":
        """Split into a training and a test part; see `recurra.batches.splits.split`."""
        # The one call upwards in the house (ARCHITECTURE.md): the method is promised here, the work is done there.
        from recurra.batches.splits import split

        return split(self, test=test, by=by, stratify=stratify, random_state=random_state)

    def summary(self) -> dict[str, Any]:
        """Return counts, lengths, channels and classes as a flat dictionary."""
        lengths = self.lengths
        out: dict[str, Any] = {"n_sequences": len(self), "kind": self.kind}
        if len(self) and self.kind != "video":  # how long a clip is, its file knows
            out |= {
                "length_min": int(lengths.min()),
                "length_median": float(np.median(lengths)),
                "length_max": int(lengths.max()),
                "total_steps": int(lengths.sum()),
            }
        first = self.records[0].values if len(self) else None
        if isinstance(first, np.ndarray):
            out["n_channels"] = int(first.shape[1]) if first.ndim == 2 else 1
            looks = (findings_of(self) or Findings()).looks([r.values for r in self.records])
            out["n_missing"] = int(sum(look.missing.sum() for look in looks))
            if self.records[0].known is not None:
                out["n_missing"] += int(sum(np.isnan(r.known).sum() for r in self.records))
        if self.static_names:
            out["static_inputs"] = ", ".join(map(str, self.static_names))
        if self.sample_rate_hz is not None:
            out["sample_rate_hz"] = self.sample_rate_hz
        groups = self.groups
        if groups is not None:
            out["n_groups"] = len(set(groups.tolist()))
        classes = self.class_counts()
        if classes:
            out["n_classes"] = len(classes)
            out["class_counts"] = classes
        return out

    def class_counts(self) -> dict[str, int]:
        """Return how many records (or time steps, with a label per step) each class has; empty if labels are
        floats or absent.
        """
        y = self.y
        if y is None or self.kind == "pairs":
            return {}
        flat = np.concatenate([np.asarray(label) for label in y]) if self.labels_per_step else y.reshape(-1)
        if flat.dtype.kind == "f" or any(isinstance(label, float) for label in flat[:1000]):
            return {}
        counts = Counter(str(label) for label in flat.tolist() if label is not None)
        return dict(sorted(counts.items()))

    def many_numbers(self) -> int:
        """Return how many different whole numbers the labels are, where few sequences share one; else 0.

        Such labels look like numbers to predict rather than classes.
        """
        y = self.y
        if (
            y is None
            or self.kind not in ("sequence", "text")
            or self.labels_per_step
            or y.dtype.kind not in "iu"
        ):
            return 0
        count = len(self.class_counts())
        return count if count > MOST_CLASSES and len(y) < FEWEST_OF_A_CLASS * count else 0

    def few_numbers(self) -> int:
        """Return how many different whole numbers the labels are, at least 3, where they are few; else 0.

        Such labels are taken as classes, and may be scores to predict.
        """
        y = self.y
        if y is None or self.kind not in ("sequence", "text") or self.labels_per_step or self.many_numbers():
            return 0
        count = len(self.class_counts()) if y.dtype.kind in "iu" else 0
        return count if count > 2 else 0

    def __repr__(self) -> str:
        s = self.summary()
        parts = [counted(s["n_sequences"], "sequence" if self.kind == "sequence" else f"{self.kind} record")]
        if "length_min" in s:
            parts.append(f"length {s['length_min']} to {s['length_max']}")
        if "n_channels" in s:
            parts.append(counted(s["n_channels"], "channel"))
        if "n_classes" in s:
            parts.append(counted(s["n_classes"], "class", "classes"))
        if "n_groups" in s:
            parts.append(counted(s["n_groups"], "group"))
        return f"Dataset({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: counts, the classes, the first records and the notes."""
        said = self.summary()
        rows = []
        if "length_min" in said:
            unit = "characters" if self.kind in ("text", "pairs") else "time steps"
            low, high, middle = (said[f"length_{word}"] for word in ("min", "max", "median"))
            rows.append(("lengths", f"{low:,} to {high:,} {unit}, median {middle:,.10g}"))
        rows += [
            (name.removeprefix("n_").replace("_hz", " in Hz").replace("_", " "), f"{said[name]:,.10g}")
            for name in ("n_channels", "n_missing", "sample_rate_hz", "n_groups", "n_classes")
            if name in said
        ]
        if self.channel_names is not None:
            rows.append(("channel names", escape(_listed(self.channel_names))))
        if counts := self.class_counts():
            rows.append(("items of each class", escape(_listed([f"{k}: {n:,}" for k, n in counts.items()]))))
        facts = "".join(f"<tr>{_cell(name, 'th')}{_cell(value)}</tr>" for name, value in rows)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f"<div><p><strong>{escape(repr(self))}</strong> {escape(self.source)}</p>"
            f"<table>{facts}</table>{self._first_records()}"
            + (f"<ul>{notes}</ul>" if notes else "")
            + "</div>"
        )

    def _first_records(self) -> str:
        """Return the first `SHOWN` records as a table."""
        columns = ["name", "length", "label", "group"]
        if self.groups is None:
            columns.remove("group")
        rows = []
        for name, record in zip(self.names[:SHOWN], self.records[:SHOWN], strict=True):
            label = "" if record.label is None else _shortened(str(record.label))
            length = "" if self.kind == "video" else f"{record.length:,}"
            values = {"name": name, "length": length, "label": label, "group": record.group}
            rows.append("<tr>" + "".join(_cell(escape(str(values[c]))) for c in columns) + "</tr>")
        head = "".join(_cell(column, "th") for column in columns)
        more = f"<p>and {len(self) - SHOWN:,} more</p>" if len(self) > SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


# Records, and names, that a notebook shows of a data set.
SHOWN = 5
MOST_NAMES = 12


def _cell(content: str, tag: str = "td") -> str:
    return f'<{tag} style="padding:2px 12px 2px 0;text-align:left;border:none">{content}</{tag}>'


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - MOST_NAMES:,} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*map(str, names[:MOST_NAMES]), *more])


def _shortened(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _later(record: Record, steps: int) -> float | None:
    """Return when a step of a record was recorded, None where start or rate is not known."""
    if record.start is None or record.sample_rate_hz is None:
        return record.start if steps == 0 else None
    return record.start + steps / record.sample_rate_hz


@dataclass(frozen=True, repr=False)
class RunData(Dataset):
    """Data that stay as they are for some time, such as those of a run, with what was found in them.

    Parameters
    ----------
    findings : Findings
        Shared by all parts of the data.
    """

    findings: Findings = field(default_factory=Findings, compare=False)

    @property
    def y(self) -> np.ndarray | None:
        """Labels, as `Dataset.y`, found once."""
        return self._y

    @property
    def labels_per_step(self) -> bool:
        """Whether every label is an array with one entry per time step, found once."""
        return self._labels_per_step

    @cached_property
    def _y(self) -> np.ndarray | None:
        return super().y

    @cached_property
    def _labels_per_step(self) -> bool:
        return super().labels_per_step

    @classmethod
    def of(cls, data: Dataset, findings: Findings) -> Dataset:
        """Return a data set with findings beside it; one of a class of its own as it is."""
        return data if type(data) is not Dataset else cls(**{**vars(data), "findings": findings})


def findings_of(data: Any) -> Findings | None:
    """Return what data carry of what was found in them; None where nothing is kept."""
    return data.findings if isinstance(data, RunData) else None
