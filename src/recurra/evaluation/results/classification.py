"""One label a sequence: its result, `ClassificationEvaluation`, and how it is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup
from scipy.stats import binomtest

from recurra.checks import listing
from recurra.evaluation.drawing import signals, strips
from recurra.evaluation.metrics.baselines import ClassBaseline
from recurra.evaluation.metrics.intervals import cluster_codes
from recurra.evaluation.metrics.paired_tests import Comparison, Totals, compare_classification, mean_of_items
from recurra.evaluation.metrics.scores import (
    as_objects,
    classification_metrics,
)
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Case, cell
from recurra.evaluation.report.wording import FEW_OF_A_CLASS, percent
from recurra.evaluation.results.cases import closing, lengths_of, name_of
from recurra.evaluation.results.label_evaluation import (
    LabelEvaluation,
    Trace,
    check_proba,
    shared_by_labels,
    with_unknown,
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ClassificationEvaluation(LabelEvaluation):
    """How good one label per sequence is; made by `evaluate_classification`.

    Parameters
    ----------
    predictions : list of dict
        A row per sequence: ``sequence`` (position), ``name``, ``length``, ``true``, ``predicted``, ``correct``,
        ``confidence``, ``true_probability``.
    trace : callable or list, optional
        See `evaluate_classification`.
    """

    task: ClassVar[str] = "classification"

    trace: Trace | None = None

    def better_than_naive(self) -> float | None:
        """Exact one-sided p-value that the model beats the naive answer on these sequences; None if it cannot be
        told.

        Sign test over the sequences on which just one of the two is right (McNemar's, exact).
        """
        if "accuracy_baseline" not in self.metrics:
            return None
        right = np.array([t == p for t, p in zip(self.y_true, self.y_pred, strict=True)])
        naive = np.array([t == self.naive_class for t in self.y_true])
        model_only, naive_only = int((right & ~naive).sum()), int((~right & naive).sum())
        if model_only + naive_only == 0:
            return 1.0
        return float(binomtest(model_only, model_only + naive_only, 0.5, alternative="greater").pvalue)

    def _beside_naive(self) -> list[str]:
        worse, p = super()._beside_naive(), self.better_than_naive()
        if worse or p is None or p <= 0.05:
            return worse
        return [f"That the model beats the naive answer may be chance (exact test, p = {p:.2g})."]

    def _rare_classes(self) -> list[str]:
        few = [r["class"] for r in self.tables["per_class"] if 0 < r["support"] < FEW_OF_A_CLASS]
        if not few:
            return []
        return [
            f"Classes with fewer than {FEW_OF_A_CLASS} test {self.counted}s, so hardly judged: {listing(few)}."
        ]

    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes, and what is drawn of them."""
        worst = self.worst_positions(1)
        drawn = self.trace is not None and worst and self.signal(worst[0]) is not None
        parts = ("the frames", "frames") if self.counted == "clip" else ("each signal", "steps")
        below = f"; below {parts[0]}, how sure it was of the true and of the predicted class after the {parts[1]} seen "
        below += "so far"
        return f"The {self.counted}s on which the network was most surely wrong{below if drawn else ''}."

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return the wrong ones, the most surely wrong first."""
        wrong = [r for r in self.predictions if not r["correct"]]
        return sorted(wrong, key=lambda r: r["true_probability"] - r["confidence"])

    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading and sentence of a mistake."""
        heading = f"{row['true']} taken for {row['predicted']}"
        sure = f"{percent(row['confidence'])} sure; {percent(row['true_probability'])} for the true class."
        return self.shown(row, heading, sure)

    def right_cases(self) -> list[Case]:
        """Return two right answers, of clips only: the median one, and the least sure."""
        if self.context.frames is None:
            return []
        sure = sorted((r for r in self.predictions if r["correct"]), key=lambda r: -r["confidence"])
        chosen = [sure[k] for k in sorted({len(sure) // 2, len(sure) - 1})] if sure else []
        return [
            Case(
                f"{row['true']}, found",
                row["name"],
                f"{percent(row['confidence'])} sure.",
                self.drawing(row["sequence"]),
            )
            for row in chosen
        ]

    def drawing(self, position: int) -> Markup | None:
        """Draw the signal, or the frames of a clip, with what the network thought over time."""
        values = self.signal(position)
        if values is None:
            return None
        trace = None
        if self.trace is not None:
            trace = np.asarray(self.trace(position) if callable(self.trace) else self.trace[position])
        row, axes = self.predictions[position], self.axes_of(position)
        answers: dict[str, Any] = {
            "true": cell(row["true"]),
            "predicted": cell(row["predicted"]),
            "trace": trace,
            "classes": self.classes,
        }
        if self.context.frames is not None:
            frames = self.context.frames(position)
            return Markup(strips.frame_strip(frames, name=axes["name"], **answers))
        return Markup(signals.worst_mistake(values, **answers, **axes))

    def figure_totals(self) -> Totals:
        """Return which sequences are right.

        Not their log loss: where all are right, that tells which network is surer of itself, and nothing of the rare
        sequences on which being sure is dear.
        """
        right = np.array([float(row["correct"]) for row in self.predictions])
        return Totals(right[:, None], np.arange(len(right)), mean_of_items, "accuracy", less_is_better=False)

    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare the labels that several runs gave."""
        return compare_classification(self.y_true, answers, groups=groups, alpha=alpha)


def evaluate_classification(
    y_true: Any,
    proba: np.ndarray,
    *,
    classes: Any,
    y_pred: Any = None,
    baseline: ClassBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    trace: Trace | None = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> ClassificationEvaluation:
    """Judge one label per sequence.

    Parameters
    ----------
    y_true : array of shape (items,)
        True labels. One that is not among ``classes`` counts as always wrong and is named in the report.
    proba : ndarray of shape (items, classes)
        Probabilities, rows summing to one.
    classes : sequence
        The label of each column of ``proba``.
    y_pred : array of shape (items,), optional
        Predicted labels; the most probable class if omitted.
    baseline : ClassBaseline, optional
        Naive answer of the training labels.
    names : sequence of str, optional
        Name of each sequence.
    sequences : list of ndarray of shape (time, channels), optional
        Signals, to draw the worst mistakes and the lengths.
    groups : array of shape (items,), optional
        Sequences of one group (a person, a machine) are not independent; intervals are then over groups.
    trace : callable or sequence, optional
        ``trace(i)`` or ``trace[i]``: what the network thought of sequence i over time, shape (time,
        classes), row t
        the probabilities after t + 1 steps. Asked only for the few sequences that are drawn.
    train_seconds : float, optional
        How long training took.
    context : ReportContext, optional
        What else the report should tell.

    Raises
    ------
    ShapeError, DataError
        If the arrays do not fit together, or there is nothing to judge.
    """
    known = np.asarray(classes).tolist()
    true = np.asarray(y_true).reshape(-1)
    proba = np.asarray(proba)
    check_proba("evaluate_classification", proba, items=len(true), classes=len(known))
    everything, unknown = with_unknown(true, known)
    pred = (
        np.asarray(everything, dtype=object)[proba.argmax(axis=1)]
        if y_pred is None
        else np.asarray(y_pred).reshape(-1)
    )
    wide = np.hstack([proba, np.zeros((len(true), len(unknown)))])
    true, pred, labels = as_objects(true.tolist()), as_objects(pred.tolist()), as_objects(everything)
    clusters = clusters_of(groups)
    confidence = proba.max(axis=1)
    more, shared = shared_by_labels(
        true, pred, confidence=confidence, classes=labels, clusters=clusters, baseline=baseline
    )
    metrics = classification_metrics(true, pred, proba=wide, classes=labels) | more
    lengths = lengths_of(sequences, len(true))
    rows = [
        {
            "sequence": i,
            "name": name_of(names, i),
            "length": lengths[i],
            "true": true[i],
            "predicted": pred[i],
            "correct": bool(true[i] == pred[i]),
            "confidence": float(confidence[i]),
            "true_probability": float(wide[i, everything.index(true[i])]),
        }
        for i in range(len(true))
    ]
    return ClassificationEvaluation(
        metrics=closing(metrics, n_test=len(true), train_seconds=train_seconds),
        y_true=true,
        y_pred=pred,
        proba=proba,
        classes=everything,
        unknown_classes=unknown,
        predictions=rows,
        sequences=sequences,
        trace=trace,
        context=context or ReportContext(),
        **shared,
    )


def clusters_of(groups: Any) -> np.ndarray | None:
    """Groups as codes; None where each item is its own group, for which Wilson's interval is right."""
    if groups is None:
        return None
    codes = cluster_codes(groups)
    return None if codes.max(initial=0) + 1 == len(codes) else codes
