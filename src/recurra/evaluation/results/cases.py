"""`CaseEvaluation`: a result case by case, beside a naive answer, and the sections of its report that tasks share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup

from recurra.evaluation.drawing import charts
from recurra.evaluation.drawing.charts import is_number
from recurra.evaluation.metrics.paired_tests import Comparison
from recurra.evaluation.report.page import (
    N_WORST,
    Case,
    Page,
    Picture,
    figure_tiles,
    is_signal,
    learning_pictures,
    page,
    shortened,
)
from recurra.evaluation.report.wording import size_findings, training_findings
from recurra.evaluation.results.evaluation import Evaluation


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CaseEvaluation(Evaluation):
    """How good answers are that were given case by case.

    Parameters
    ----------
    y_true, y_pred : list or ndarray
        As given.
    predictions : list of dict
        A row per case: ``sequence`` (position), ``name``, ``length`` and what the task knows of it.
    intervals : dict of str to (low, high)
        95 % intervals of some of the figures.
    tables : dict of str to list of dict
        Each row a flat dict.
    sequences : list of ndarray of shape (time, channels), or of words, optional
        What was read, for the worst mistakes.
    naive_class : label, optional
        What the naive answer always says.
    """

    explainable: ClassVar[bool] = True
    # What is counted, as the report names it.
    items: ClassVar[str] = "sequences"
    noun: ClassVar[str] = "sequence"
    # The figure by which runs are compared, and whether less of it is better.
    compared_by: ClassVar[str]
    less_is_better: ClassVar[bool] = False

    y_true: Any
    y_pred: Any
    predictions: list[dict[str, Any]] = field(default_factory=list)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sequences: Sequence[Any] | None = None
    naive_class: Any = None

    @property
    def counted(self) -> str:
        """What one of the things judged on is called: a text, a sentence of labelled words, else `noun`."""
        if self.noun == "sequence" and self.context.data.get("kind") == "video":
            return "clip"
        if self.noun != "sequence" or self.sequences is None or not len(self.sequences):
            return self.noun
        if is_signal(self.sequences[0]):
            return self.noun
        return "text" if self.items == "sequences" else "sentence"

    @property
    def counted_items(self) -> str:
        """What the items of the figures are called: as `counted`, or the words of sentences where steps are judged."""
        if self.items == "sequences":
            return f"{self.counted}s"
        return "words" if self.counted == "sentence" else self.items

    # ------------------------------------------------------- what each task says

    @abstractmethod
    def naive_words(self) -> Markup | None:
        """Say what the naive answer is; None where there is none."""

    @abstractmethod
    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes."""

    @abstractmethod
    def worst_rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``predictions`` that are wrong, the worst first."""

    @abstractmethod
    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading and sentence of a case."""

    @abstractmethod
    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare the answers of several runs with ``y_true``."""

    def task_findings(self) -> list[str]:
        """Return the reasons for care that this task knows."""
        return []

    def failure_pictures(self) -> list[Picture]:
        """Return the charts of where it fails."""
        return []

    def right_cases(self) -> list[Case]:
        """Return a few right answers to look at."""
        return []

    def mistakes(self) -> list[dict[str, Any]]:
        """Return every wrong answer, where the report lists them."""
        return []

    def data_pictures(self) -> list[Picture]:
        """Return the charts of the data that are this task's own."""
        return []

    def drawing(self, position: int) -> Markup | None:
        """Draw one sequence with its answer; None where it is no signal."""
        return None

    # ------------------------------------------------------------- what all share

    def summary(self) -> str:
        """Say in a few sentences how good, compared with what, and where it is weakest."""
        return " ".join([*self._trained_on(), self.headline() + ".", *self.sentences()])

    def findings(self) -> list[str]:
        """Return reasons to read the figures with care, each one sentence; empty if none was found."""
        return [
            *dict.fromkeys(super().findings()),
            *self.task_findings(),
            *size_findings(self.metrics["n_test"], self.intervals, self.counted),
            *training_findings(self.context),
        ]

    def tiles(self) -> list[dict[str, str]]:
        """Return name, value, naive value and interval of each figure, as text."""
        return figure_tiles(self.metrics, self.intervals)

    def worst_positions(self, n: int = N_WORST) -> list[int]:
        """Return the positions of the sequences on which the model errs most."""
        return list(dict.fromkeys(row["sequence"] for row in self.worst_rows()))[:n]

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        c = self.context
        return page(
            c,
            Page(
                metrics=self.metrics,
                headline=self.headline(),
                sentences=self.sentences(),
                findings=self.findings(),
                tiles=self.tiles(),
                judged=self.counted if self.metrics["n_test"] == 1 else f"{self.counted}s",
                has_intervals=bool(self.intervals),
                naive=self.naive_words(),
                items=self.counted_items,
                counted=self.counted,
                tables=self.tables,
                failed=self.failure_pictures(),
                mistakes=self.mistakes(),
                n_mistakes=sum(not row.get("correct", True) for row in self.predictions),
                worst_words=self.worst_words(),
                worst=[self.case(row) for row in self.worst_rows()[:N_WORST]],
                right=self.right_cases(),
                learned=learning_pictures(c),
                inside=self.inside_pictures(),
                data_words=self.data_words(),
                described=[*self._length_pictures(), *self.data_pictures()],
            ),
        )

    def inside_pictures(self) -> list[Picture]:
        """Return gates and states over the sequence of median length, where the network's own states are known."""
        if self.context.inside is None or self.sequences is None or not len(self.sequences):
            return []
        by_length = np.argsort([len(s) for s in self.sequences], kind="stable")
        i = int(by_length[(len(by_length) - 1) // 2])
        name = str(self.predictions[i]["name"])
        svg, words = self.context.inside(i, name)
        caption = f"Every gate and state while the network reads {name}, units by memory span. {words}"
        return [Picture(Markup(svg), caption)]

    def signal(self, position: int) -> np.ndarray | None:
        """Return a sequence as values of shape (time, channels); None where there is none, or it is words."""
        if self.sequences is None or not is_signal(self.sequences[position]):
            return None
        values = np.asarray(self.sequences[position], dtype=float)
        return values[:, None] if values.ndim == 1 else values

    def axes_of(self, position: int) -> dict[str, Any]:
        """Return name, channels and sampling rate, as the charts of signals take them."""
        return {
            "name": self.predictions[position]["name"],
            "channel_names": self.context.channel_names,
            "sample_rate_hz": self.context.sample_rate_hz,
        }

    def shown(self, row: Mapping[str, Any], heading: str, text: str) -> Case:
        """Return a case with its drawing, or with its words."""
        i = row["sequence"]
        if self.sequences is not None and not is_signal(self.sequences[i]):
            text += f" It reads: “{shortened(' '.join(self.sequences[i]))}”"
        return Case(heading, row["name"], text, self.drawing(i))

    def _length_pictures(self) -> list[Picture]:
        c = self.context
        lengths = {
            "training": list(c.train_lengths),
            "test": self.lengths(),
        }
        if not any(lengths.values()):
            return []
        unit, what = self._unit()
        if self._one_length() is not None:  # a chart of one bar says less than a sentence
            return []
        svg = charts.length_histogram(lengths, sample_rate_hz=c.sample_rate_hz, unit=unit)
        return [Picture(Markup(svg), f"How long the {what} are, in per cent of each part.{self.fitted_on()}")]

    def fitted_on(self) -> str:
        """Say what the training part of a chart leaves out, where something was held out for early stopping."""
        if not any(is_number(row.get("valid_loss")) for row in self.context.history):
            return ""
        return " Training: what the weights were fitted on, without what was held out for early stopping."

    def lengths(self) -> list[int]:
        """Return the steps of each sequence judged on, as far as they are known."""
        return [row["length"] for row in self.predictions if row["length"]]

    def _unit(self) -> tuple[str, str]:
        """Return what a length counts, and what has it."""
        kind = str(self.context.data.get("kind"))
        if self.sequences is None or not len(self.sequences) or is_signal(self.sequences[0]):
            own = {"pairs": ("symbols", "sources"), "video": ("frames", "clips")}
            return own.get(kind, ("time steps", "sequences"))
        return ("words", "sentences") if kind == "tokens" else ("tokens", "texts")

    def _one_length(self) -> int | None:
        """Return the length that every sequence has, None where they differ or none is known."""
        known = {*self.context.train_lengths, *self.lengths()}
        return int(known.pop()) if len(known) == 1 else None

    def data_words(self) -> str:
        """Say of the data what needs no chart."""
        length, (unit, what) = self._one_length(), self._unit()
        return "" if length is None else f"All {what} have {length:,} {unit}."

    def __repr__(self) -> str:
        return f"Evaluation({self.task}, {super().__repr__().partition('(')[2]}"


def name_of(names: Sequence[str] | None, index: int) -> str:
    """Return the name of a case, its position where it has none."""
    return str(names[index]) if names is not None else str(index)


def lengths_of(sequences: Sequence[Any] | None, n: int) -> list[int | None]:
    """Return the steps of each sequence, None where the sequences are not at hand."""
    return [None] * n if sequences is None else [len(s) for s in sequences]


def closing(
    metrics: dict[str, Any], *, n_test: int, train_seconds: float | None, n_test_steps: int | None = None
) -> dict[str, Any]:
    """Add to figures on how much they stand and how long the training took."""
    metrics["n_test"] = n_test
    if n_test_steps is not None:
        metrics["n_test_steps"] = n_test_steps
    if train_seconds is not None:
        metrics["train_seconds"] = float(train_seconds)
    return metrics
