"""One label a time step: its result, `LabelingEvaluation`, and how it is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup

from recurra.errors import ShapeError
from recurra.evaluation.drawing import signals
from recurra.evaluation.metrics.baselines import ClassBaseline
from recurra.evaluation.metrics.intervals import cluster_codes
from recurra.evaluation.metrics.paired_tests import Comparison, Totals, compare_classification
from recurra.evaluation.metrics.scores import (
    as_objects,
    encode,
    join,
    labeling_metrics,
)
from recurra.evaluation.metrics.segment_f1 import segment_f1
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Case
from recurra.evaluation.report.wording import percent
from recurra.evaluation.results.cases import closing, name_of
from recurra.evaluation.results.label_evaluation import (
    LabelEvaluation,
    check_proba,
    shared_by_labels,
    with_unknown,
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LabelingEvaluation(LabelEvaluation):
    """How good one label per time step is; made by `evaluate_labeling`.

    Parameters
    ----------
    predictions : list of dict
        A row per sequence: ``sequence`` (position), ``name``, ``length``, ``steps_wrong``, ``share_correct``.
    """

    task: ClassVar[str] = "labeling"
    items: ClassVar[str] = "time steps"

    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes."""
        if self.counted == "sentence":
            return "The sentences with the largest share of wrong words."
        return "The sequences with the largest share of wrong steps; the marks between the two ribbons are the wrong ones."

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return the sequences with a wrong step, that with the largest share first."""
        wrong = (r for r in self.predictions if r["steps_wrong"])
        return sorted(wrong, key=lambda r: r["share_correct"])

    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading and sentence of a sequence."""
        heading = f"{row['steps_wrong']:,} of {row['length']:,} {self.counted_items} wrong"
        steps = "words" if self.counted == "sentence" else "steps"
        return self.shown(row, heading, f"{percent(row['share_correct'])} of its {steps} are right.")

    def drawing(self, position: int) -> Markup | None:
        """Draw the signal between the ribbons of true and predicted labels."""
        values = self.signal(position)
        if values is None:
            return None
        answers = {"true": self.y_true[position], "predicted": self.y_pred[position]}
        return Markup(
            signals.labelled_signal(values, classes=self.classes, **answers, **self.axes_of(position))
        )

    def figure_totals(self) -> Totals:
        """Return of each sequence how many steps are of a class, said to be of it, and both, from which macro F1 follows."""
        n, k = len(self.y_true), len(self.classes)
        columns = np.zeros((n, 3, k))
        for i, (true, predicted) in enumerate(zip(self.y_true, self.y_pred, strict=True)):
            codes, said = encode(true, self.classes), encode(predicted, self.classes)
            for row, which in enumerate((codes, said, codes[codes == said])):
                columns[i, row] = np.bincount(which, minlength=k)

        def macro_f1(totals: np.ndarray, n: np.ndarray) -> np.ndarray:
            support, claimed, hits = totals.reshape(-1, 3, k).transpose(1, 0, 2)
            there = support + claimed > 0
            f1 = np.where(there, 2 * hits / np.where(there, support + claimed, 1.0), 0.0)
            return np.asarray(f1.sum(axis=1) / there.sum(axis=1))

        return Totals(columns.reshape(n, -1), np.arange(n), macro_f1, "macro_f1", less_is_better=False)

    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare the labels that several runs gave, sequence by sequence or by groups."""
        clusters = np.repeat(np.arange(len(self.y_true)), [len(t) for t in self.y_true])
        clusters = clusters if groups is None else cluster_codes(groups)[clusters]
        flat = {name: join(labels) for name, labels in answers.items()}
        return compare_classification(join(self.y_true), flat, groups=clusters, alpha=alpha)


def evaluate_labeling(
    y_true: Sequence[Any],
    proba: Sequence[np.ndarray],
    *,
    classes: Any,
    baseline: ClassBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> LabelingEvaluation:
    """Judge one label per time step.

    Parameters
    ----------
    y_true : list of arrays of shape (time,)
        True labels of each sequence.
    proba : list of ndarray of shape (time, classes)
        Probabilities of each sequence.

    Notes
    -----
    The other parameters are those of `evaluate_classification`. Steps of one sequence are not independent,
    so every interval is over sequences (or ``groups``), and is absent where they are too few.
    """
    known = np.asarray(classes).tolist()
    if len(y_true) != len(proba) or not len(y_true):
        raise ShapeError(
            f"evaluate_labeling: y_true and proba must have one entry per sequence, at least one; got "
            f"{len(y_true)} and "
            f"{len(proba)}."
        )
    lengths = [len(t) for t in y_true]
    flat_proba = np.concatenate([np.asarray(p) for p in proba])
    flat = join(y_true)
    check_proba("evaluate_labeling", flat_proba, items=len(flat), classes=len(known))
    everything, unknown = with_unknown(flat, known)
    true, labels = as_objects(flat.tolist()), as_objects(everything)
    pred = labels[flat_proba.argmax(axis=1)]
    cuts = np.cumsum(lengths)[:-1]
    of_sequence = np.repeat(np.arange(len(lengths)), lengths)
    clusters = of_sequence if groups is None else cluster_codes(groups)[of_sequence]
    wide = np.hstack([flat_proba, np.zeros((len(true), len(unknown)))])
    metrics: dict[str, Any] = labeling_metrics(
        np.split(true, cuts), np.split(pred, cuts), proba=np.split(wide, cuts), classes=labels
    )
    confidence = flat_proba.max(axis=1)
    more, shared = shared_by_labels(
        true, pred, confidence=confidence, classes=labels, clusters=clusters, baseline=baseline
    )
    metrics |= more
    if baseline:
        always = [np.repeat(as_objects([baseline.majority]), length) for length in lengths]
        metrics["segment_f1_baseline"] = segment_f1(np.split(true, cuts), always)
    return LabelingEvaluation(
        metrics=closing(metrics, n_test=len(lengths), train_seconds=train_seconds, n_test_steps=len(true)),
        y_true=np.split(true, cuts),
        y_pred=np.split(pred, cuts),
        proba=list(proba),
        classes=everything,
        unknown_classes=unknown,
        predictions=_rows(names, np.split(true == pred, cuts)),
        sequences=sequences,
        context=context or ReportContext(),
        **shared,
    )


def _rows(names: Sequence[str] | None, correct: list[np.ndarray]) -> list[dict[str, Any]]:
    """Return how many steps of each sequence are right."""
    return [
        {
            "sequence": i,
            "name": name_of(names, i),
            "length": len(part),
            "steps_wrong": int((~part).sum()),
            "share_correct": float(part.mean()) if len(part) else 1.0,
        }
        for i, part in enumerate(correct)
    ]
