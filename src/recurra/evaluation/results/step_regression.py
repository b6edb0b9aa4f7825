"""Numbers a time step: their result, `StepRegressionEvaluation`, and how they are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup

from recurra.checks import where
from recurra.errors import DataError
from recurra.evaluation.drawing import signals
from recurra.evaluation.metrics.baselines import NumberBaseline
from recurra.evaluation.metrics.paired_tests import Comparison, compare_regression
from recurra.evaluation.metrics.scores import per_target_table, regression_metrics
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Case
from recurra.evaluation.results.cases import closing, name_of
from recurra.evaluation.results.regression import (
    NumberEvaluation,
    checked_numbers,
    error_intervals,
    number_rows,
    target_names,
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StepRegressionEvaluation(NumberEvaluation):
    """How good one or several numbers per time step are; made by `evaluate_step_regression`.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (steps, targets)
        The steps of all sequences, one after the other.
    predictions : list of dict
        A row per time step: ``sequence`` (position), ``step``, ``name``, ``length`` (None), ``true``,
        ``predicted``, ``error``.
    """

    task: ClassVar[str] = "regression"
    items: ClassVar[str] = "time steps"
    item: ClassVar[str] = "time step"

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return of each sequence the step with its largest error, the largest of all first."""
        first: dict[int, dict[str, Any]] = {}
        for row in super().worst_rows():
            first.setdefault(row["sequence"], row)
        return list(first.values())

    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes."""
        return "The sequences with the largest errors, each at the step where it is largest."

    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading and sentence of an error, with its step, and the numbers of the whole sequence."""
        found = super().case(row)
        return Case(found.heading, found.name, f"Step {row['step']:,}. {found.text}", self._over_time(row))

    def _over_time(self, row: Mapping[str, Any]) -> Markup:
        """Draw true and predicted numbers of a sequence, of the target that is furthest off at a step."""
        lengths = self.lengths()
        first = int(np.sum(lengths[: row["sequence"]]))
        part = slice(first, first + lengths[row["sequence"]])
        off = np.abs(self.y_true[part][row["step"]] - self.y_pred[part][row["step"]])
        target = int(np.argmax(off))
        return Markup(
            signals.numbers_over_time(
                self.y_true[part][:, target],
                self.y_pred[part][:, target],
                name=row["name"],
                target=self.tables["per_target"][target]["target"],
                marked=row["step"],
                sample_rate_hz=self.context.sample_rate_hz,
            )
        )

    def lengths(self) -> list[int]:
        """Return the time steps of each sequence."""
        return np.bincount([row["sequence"] for row in self.predictions]).tolist()

    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare the numbers that several runs gave; steps of one sequence are not independent."""
        of_sequence = np.array([row["sequence"] for row in self.predictions])
        clusters = of_sequence if groups is None else np.asarray(groups, dtype=object)[of_sequence]
        return compare_regression(self.y_true, answers, groups=clusters, alpha=alpha)


def evaluate_step_regression(
    y_true: Sequence[Any],
    y_pred: Any,
    *,
    baseline: NumberBaseline | None = None,
    names: Sequence[str] | None = None,
    groups: Any = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> StepRegressionEvaluation:
    """Judge one or several numbers per time step: the items are steps, the intervals are over sequences or groups.

    Parameters
    ----------
    y_true, y_pred : list of arrays of shape (time,) or (time, targets)
        Of each sequence, in the target's unit.

    Notes
    -----
    The other parameters are those of `evaluate_classification`.

    Raises
    ------
    DataError, ShapeError
        If a sequence has not one number per time step, or a number is not finite.
    """
    context = context or ReportContext()
    lengths = [len(answers) for answers in y_pred]
    for index, (own, steps) in enumerate(zip(y_true, lengths, strict=True)):
        if len(own) != steps:
            raise DataError(
                f"evaluate: y: {where(index, names)} must have one number per time step; got {len(own)} for {steps} steps."
            )
    true, pred = checked_numbers(
        "evaluate_step_regression",
        np.concatenate([np.asarray(own, dtype=float) for own in y_true]),
        np.concatenate([np.asarray(own, dtype=float) for own in y_pred]),
    )
    of_sequence = np.repeat(np.arange(len(lengths)), lengths)
    steps_of = np.concatenate([np.arange(n) for n in lengths])
    clusters = of_sequence if groups is None else np.asarray(groups, dtype=object)[of_sequence]
    metrics: dict[str, Any] = regression_metrics(true, pred) | (baseline.metrics(true) if baseline else {})
    rows = [
        {"sequence": int(i), "step": int(t), "name": name_of(names, int(i)), "length": None, **answer}
        for i, t, answer in zip(of_sequence, steps_of, number_rows(true, pred), strict=True)
    ]
    return StepRegressionEvaluation(
        metrics=closing(metrics, n_test=len(lengths), train_seconds=train_seconds, n_test_steps=len(true)),
        y_true=true,
        y_pred=pred,
        intervals=error_intervals(true, pred, clusters),
        tables={"per_target": per_target_table(true, pred, target_names=target_names(context, true))},
        predictions=rows,
        context=context,
    )
