"""`LabelEvaluation`: what results say where each answer is one of several labels, of sequences or of time steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from markupsafe import Markup

from recurra.checks import listing
from recurra.errors import DataError, ShapeError
from recurra.evaluation.drawing import charts
from recurra.evaluation.metrics.baselines import ClassBaseline
from recurra.evaluation.metrics.scores import (
    accuracy_interval,
    confusion_table,
    per_class_table,
    reliability,
)
from recurra.evaluation.report.page import Picture
from recurra.evaluation.report.wording import (
    FEW_SEQUENCES,
    POOR_CALIBRATION,
    judged_on,
    percent,
    span,
    too_few,
)
from recurra.evaluation.results.cases import CaseEvaluation

# What the network thought over time of the sequence at this position: (time, classes), row t after t + 1
# steps.
Trace = Callable[[int], np.ndarray] | Sequence[np.ndarray]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LabelEvaluation(CaseEvaluation):
    """How good labels are that were given with probabilities.

    Parameters
    ----------
    tables : dict of str to list of dict
        ``per_class`` and ``reliability``.
    proba : ndarray of shape (items, classes), or a list of them
        As given.
    classes : list
        Labels in the order of the columns of ``proba``, then labels of the test part the model does not know.
    unknown_classes : list
        Those labels.
    confusion : ndarray of shape (classes, classes)
        Row the true class, column the predicted one.
    """

    compared_by = "accuracy"

    proba: Any
    classes: list[Any] = field(default_factory=list)
    unknown_classes: list[Any] = field(default_factory=list)
    confusion: np.ndarray

    def headline(self) -> str:
        """Return the share that is right beside that of guessing."""
        m = self.metrics
        unit = "" if self.items == "sequences" else f" of the {self.counted_items}"
        text = f"{percent(m['accuracy'])}{unit} right"
        return text + (
            f" where guessing gives {percent(m['accuracy_baseline'])}" if "accuracy_baseline" in m else ""
        )

    def sentences(self) -> list[str]:
        """Return on what it was judged, how sure the figure is, and where it is weakest."""
        m = self.metrics
        n = judged_on(m["n_test"], self.counted)
        if "n_test_steps" in m:
            n += f" with {m['n_test_steps']:,} {self.counted_items}"
        if "accuracy" in self.intervals:
            n += f" (95 % interval {span(*self.intervals['accuracy'], 1)})"
        else:
            n += too_few(self.counted, (int(self.confusion.trace()), int(self.confusion.sum())))
        return [n + ".", *self._weakest()]

    def _weakest(self) -> list[str]:
        rows = [r for r in self.tables["per_class"] if r["recall"] is not None]
        worst = min(rows, key=lambda r: (r["recall"], -r["support"]))
        if worst["recall"] == 1.0:
            return ["Every class is always found."]
        out = [
            f"Weakest at class '{worst['class']!s}': {worst['hits']:,} of {worst['support']:,} found "
            f"({percent(worst['recall'])})."
        ]
        pairs = charts.confused_pairs(self.confusion, classes=self.classes)
        if pairs:
            true, predicted, n, of = pairs[0]
            items = self.counted_items
            out.append(
                f"Most frequent confusion: '{true!s}' taken for '{predicted!s}', {n:,} of {of:,} {items}."
            )
        return out

    def naive_words(self) -> Markup | None:
        """Say what the naive answer is."""
        if "accuracy_baseline" not in self.metrics:
            return None
        here = (
            Markup("") if self.naive_class is None else Markup(" (here '{}')").format(str(self.naive_class))
        )
        return Markup(
            "The naive answer is always the commonest class of the training part{}; its log loss is that of the "
            "training shares."
        ).format(here)

    def task_findings(self) -> list[str]:
        """Return what speaks against the figures: no better than naive, classes not judged, poor calibration."""
        out = self._beside_naive()
        rows = self.tables["per_class"]
        if self.unknown_classes:
            n = sum(r["support"] for r in rows if r["class"] in self.unknown_classes)
            out.append(
                f"The test part has labels the model was never trained on: {listing(self.unknown_classes)} ({n:,} "
                f"items, always counted as wrong)."
            )
        absent = [r["class"] for r in rows if r["support"] == 0]
        if absent:
            out.append(f"Classes without a test item, so not judged: {listing(absent)}.")
        return [*out, *self._rare_classes(), *self._calibration()]

    def _beside_naive(self) -> list[str]:
        if self.metrics["accuracy"] > self.metrics.get("accuracy_baseline", -1.0):
            return []
        return [
            "The model is no better than the naive answer: always the commonest training class is right as "
            "often."
        ]

    def _rare_classes(self) -> list[str]:
        return []

    def _calibration(self) -> list[str]:
        error = self.metrics["calibration_error"]
        if self.metrics["n_test"] < FEW_SEQUENCES or error <= POOR_CALIBRATION:
            return []
        sure = sum(row["n"] * row["confidence"] for row in self.tables["reliability"])
        n = sum(row["n"] for row in self.tables["reliability"])
        claim = "too sure" if sure / n > self.metrics["accuracy"] else "less sure than it could be"
        return [
            f"It is {claim}: its probabilities are off by {100 * error:.0f} points on average; do not read "
            f"them as chances."
        ]

    def figures(self) -> dict[str, str]:
        """Return the drawings that a run's folder keeps, SVG by name."""
        return {"confusion": self._confusion_chart}

    @cached_property
    def _confusion_chart(self) -> str:
        return charts.confusion_chart(self.confusion, classes=self.classes, items=self.counted_items)

    def failure_pictures(self) -> list[Picture]:
        """Return the confusion chart and the reliability curve."""
        out = []
        if len(self.classes) > 1:
            caption = (
                f"Each row holds the {self.counted_items} of one true class: blue where predicted right, orange where taken "
                "for another."
            )
            out.append(Picture(Markup(self._confusion_chart), caption, wide=len(self.classes) > 12))
        if bins := self.tables.get("reliability"):
            error = self.metrics["calibration_error"]
            caption = (
                "How often the network is right when it is so sure: the larger a point, the more there are; bars are "
                "95 % intervals, where there are enough. Below the dashed line it claims too much. Expected "
                f"calibration error {percent(error, 1)}."
            )
            out.append(Picture(Markup(charts.reliability_chart(bins, error=error)), caption))
        return out

    def data_pictures(self) -> list[Picture]:
        """Return how the items are spread over the classes."""
        test = {str(r["class"]): r["support"] for r in self.tables["per_class"]}
        parts = {"test": test}
        if counts := self.context.train_counts:
            parts = {"training": {str(k): v for k, v in counts.items()}, "test": test}
        svg = charts.class_balance(parts, items=self.counted_items)
        return [
            Picture(
                Markup(svg), f"How the {self.counted_items} are spread over the classes.{self.fitted_on()}"
            )
        ]


def check_proba(who: str, proba: np.ndarray, *, items: int, classes: int) -> None:
    """Refuse probabilities that do not fit the labels, or are not finite.

    Raises
    ------
    DataError, ShapeError
    """
    if items == 0:
        raise DataError(
            f"{who}: there is nothing to judge: y_true is empty. Give at least one labelled sequence."
        )
    if proba.shape != (items, classes):
        raise ShapeError(
            f"{who}: proba must have shape (items={items}, classes={classes}); got {proba.shape}."
        )
    if not np.isfinite(proba).all():
        first = int(np.argwhere(~np.isfinite(proba).all(axis=1))[0, 0])
        raise DataError(
            f"{who}: proba must be finite; row {first} is not. The network has diverged; train it again."
        )


def with_unknown(true: np.ndarray, known: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the known classes and those of the test part that the model has never seen."""
    unknown = [label for label in dict.fromkeys(true.tolist()) if label not in set(known)]
    return [*known, *unknown], unknown


def shared_by_labels(
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    confidence: np.ndarray,
    classes: np.ndarray,
    clusters: np.ndarray | None,
    baseline: ClassBaseline | None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return metrics and fields that a result of labels has whether they are of sequences or of steps."""
    bins, error = reliability(confidence, true == predicted, clusters=clusters)
    interval = accuracy_interval(true == predicted, clusters=clusters)
    metrics = {"calibration_error": error} | (baseline.metrics(true) if baseline else {})
    return metrics, {
        "naive_class": baseline.majority if baseline else None,
        "intervals": {"accuracy": interval} if interval else {},
        "tables": {
            "per_class": per_class_table(true, predicted, classes=classes, clusters=clusters),
            "reliability": bins,
        },
        "confusion": confusion_table(true, predicted, classes=classes),
    }
