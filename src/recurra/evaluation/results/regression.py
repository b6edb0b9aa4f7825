"""One or several numbers a sequence: their result, `RegressionEvaluation`, and how they are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from markupsafe import Markup

from recurra.checks import counted
from recurra.errors import DataError, ShapeError
from recurra.evaluation.drawing import charts, signals
from recurra.evaluation.drawing.charts import number
from recurra.evaluation.metrics.baselines import NumberBaseline
from recurra.evaluation.metrics.intervals import (
    cluster_codes,
    error_interval,
    sum_by_cluster,
)
from recurra.evaluation.metrics.paired_tests import Comparison, Totals, compare_regression, mean_root
from recurra.evaluation.metrics.scores import per_target_table, regression_metrics
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Case, Picture, cell
from recurra.evaluation.report.wording import judged_on, percent, too_few
from recurra.evaluation.results.cases import CaseEvaluation, closing, lengths_of, name_of

# Targets drawn in a report; a run's folder keeps them all.
DRAWN = 8


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NumberEvaluation(CaseEvaluation):
    """How good numbers are, in the unit of their targets.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (items, targets)
    tables : dict of str to list of dict
        ``per_target``.
    predictions : list of dict
        A row per item: ``sequence`` (position), ``name``, ``length``, ``true``, ``predicted``, ``error``.
    """

    compared_by = "rmse"
    less_is_better: ClassVar[bool] = True
    item: ClassVar[str] = "sequence"

    def figure_totals(self) -> Totals:
        """Return the squared errors of each item."""
        cases = np.array([row["sequence"] for row in self.predictions])
        return Totals((self.y_pred - self.y_true) ** 2, cases, mean_root, "rmse")

    def headline(self) -> str:
        """Return the mean absolute error beside that of the median."""
        m = self.metrics
        naive = f" where always answering the median is off by {number(m.get('mae_baseline', np.nan))}"
        return f"Off by {number(m['mae'])} on average{naive if 'mae_baseline' in m else ''}"

    def sentences(self) -> list[str]:
        """Return on what it was judged, how sure the figure is, and how much it explains."""
        m = self.metrics
        n = judged_on(m["n_test"], self.counted)
        if "n_test_steps" in m:
            n += f" with {m['n_test_steps']:,} time steps"
        low, high = self.intervals.get("mae", (0.0, 0.0))
        n += (
            f" (95 % interval {number(low)} to {number(high)})"
            if "mae" in self.intervals
            else too_few(self.counted)
        )
        explained = f"It explains {percent(max(0.0, m.get('r2', 0.0)))} of the variance."
        held = ""
        if "coverage" in m:
            held = (
                f"The {percent(m['coverage_nominal'])} interval holds {percent(m['coverage'])} of the truth."
            )
        return [n + ".", *([explained] if "r2" in m else []), *([held] if held else [])]

    def naive_words(self) -> Markup | None:
        """Say what the naive answer is."""
        if "rmse_baseline" not in self.metrics:
            return None
        return Markup(
            "The naive answer is always the mean of the training part (for the absolute error its median)."
        )

    def task_findings(self) -> list[str]:
        """Return whether it is no better than the naive answer."""
        m = self.metrics
        if "rmse_baseline" not in m or m["rmse"] < m["rmse_baseline"]:
            return []
        return ["The model is no better than the naive answer: always the training mean has no larger error."]

    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes."""
        return f"The {self.items} with the largest errors."

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return all, the largest error first."""
        return sorted(self.predictions, key=lambda r: -abs(r["error"]))

    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading and sentence of an error."""
        heading = f"{cell(row['true'])} predicted as {cell(row['predicted'])}"
        unit = " standard deviations of its worst target." if self.y_true.shape[1] > 1 else "."
        return self.shown(row, heading, f"Off by {number(abs(row['error']))}{unit}")

    def figures(self) -> dict[str, str]:
        """Return the drawings that a run's folder keeps, SVG by name."""
        name = "predicted-against-true"
        return {
            name + (f"-{column + 1}" if column else ""): self._scatter(column)
            for column in range(len(self.tables["per_target"]))
        }

    def _scatter(self, column: int) -> str:
        target = self.tables["per_target"][column]["target"]
        return charts.predicted_against_true(
            self.y_true[:, column], self.y_pred[:, column], target=target, item=self.item
        )

    def failure_pictures(self) -> list[Picture]:
        """Return predicted against true numbers of each target."""
        caption = f"Each point is one {self.item}; on the dashed line the prediction is exactly right."
        drawn = range(min(len(self.tables["per_target"]), DRAWN))
        return [Picture(Markup(self._scatter(column)), caption) for column in drawn]


N = TypeVar("N", bound=NumberEvaluation)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RegressionEvaluation(NumberEvaluation):
    """How good one or several numbers per sequence are; made by `evaluate_regression`."""

    task: ClassVar[str] = "regression"

    def drawing(self, position: int) -> Markup | None:
        """Draw the signal with the true and the predicted number."""
        values = self.signal(position)
        if values is None:
            return None
        row = self.predictions[position]
        true, predicted = cell(row["true"]), cell(row["predicted"])
        return Markup(
            signals.worst_mistake(
                values, true=true, predicted=predicted, trace=None, classes=[], **self.axes_of(position)
            )
        )

    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare the numbers that several runs gave."""
        return compare_regression(self.y_true, answers, groups=groups, alpha=alpha)


def evaluate_regression(
    y_true: Any,
    y_pred: Any,
    *,
    baseline: NumberBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> RegressionEvaluation:
    """Judge one or several numbers per sequence.

    Parameters
    ----------
    y_true, y_pred : array of shape (items,) or (items, targets)
        In the target's unit.

    Notes
    -----
    The other parameters are those of `evaluate_classification`. The intervals are those of
    `error_interval` over sequences or groups.
    """
    context = context or ReportContext()
    true, pred = checked_numbers("evaluate_regression", y_true, y_pred)
    metrics: dict[str, Any] = regression_metrics(true, pred) | (baseline.metrics(true) if baseline else {})
    lengths = lengths_of(sequences, len(true))
    rows = [
        {"sequence": i, "name": name_of(names, i), "length": lengths[i], **answer}
        for i, answer in enumerate(number_rows(true, pred))
    ]
    return RegressionEvaluation(
        metrics=closing(metrics, n_test=len(true), train_seconds=train_seconds),
        y_true=true,
        y_pred=pred,
        intervals=error_intervals(true, pred, groups),
        tables={"per_target": per_target_table(true, pred, target_names=target_names(context, true))},
        predictions=rows,
        sequences=sequences,
        context=context,
    )


def with_coverage(found: N, answers: np.ndarray, quantiles: Sequence[float]) -> N:
    """Return an evaluation that says how much of the truth lies between the lowest and the highest quantile.

    Parameters
    ----------
    answers : ndarray of shape (items, targets, quantiles)
        In the target's unit, rising.
    quantiles : sequence of float
        Their shares; nothing is said unless the median lies between the first and the last.
    """
    if not quantiles or not quantiles[0] < 0.5 < quantiles[-1]:
        return found
    inside = (answers[..., 0] <= found.y_true) & (found.y_true <= answers[..., -1])
    told = {"coverage": float(inside.mean()), "coverage_nominal": round(quantiles[-1] - quantiles[0], 9)}
    return replace(found, metrics={**found.metrics, **told})


def checked_numbers(who: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted numbers, each of shape (items, targets).

    Raises
    ------
    DataError, ShapeError
        If there is none, the shapes differ, or one is not finite.
    """
    true, pred = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    if {true.ndim, pred.ndim} == {1, 2} and true.size == pred.size == len(true) == len(pred):
        true, pred = true.reshape(-1), pred.reshape(-1)  # one target, as a column or not
    if true.shape != pred.shape or true.ndim not in (1, 2) or not len(true):
        raise ShapeError(
            f"{who}: y_true and y_pred must have the same shape (items,) or (items, targets), at least one "
            f"item; got {true.shape} and {pred.shape}."
        )
    both = np.concatenate([true.reshape(-1), pred.reshape(-1)])
    if not np.isfinite(both).all():
        raise DataError(
            f"{who}: y_true and y_pred must be finite; "
            f"{counted(int((~np.isfinite(both)).sum()), 'value is', 'values are')} not."
        )
    return true.reshape(len(true), -1), pred.reshape(len(true), -1)


def target_names(context: ReportContext, true: np.ndarray) -> list[str]:
    """Return the names of the targets, made up where the context has none."""
    several = [f"target {j + 1}" for j in range(true.shape[1])]
    return list(context.target_names or (several if len(several) > 1 else ["target"]))


def number_rows(true: np.ndarray, pred: np.ndarray) -> list[dict[str, Any]]:
    """Return ``true``, ``predicted`` and ``error`` of each item; with several targets the error is in deviations."""
    if true.shape[1] == 1:
        return [
            {"true": float(t), "predicted": float(p), "error": float(p - t)}
            for t, p in zip(true[:, 0], pred[:, 0], strict=True)
        ]
    # Targets of different units are made comparable before the largest error is looked for.
    errors = (np.abs(pred - true) / np.maximum(true.std(axis=0), 1e-12)).max(axis=1)
    return [
        {"true": t.tolist(), "predicted": p.tolist(), "error": float(error)}
        for t, p, error in zip(true, pred, errors, strict=True)
    ]


def error_intervals(true: np.ndarray, pred: np.ndarray, groups: Any) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of the mean absolute error over items or groups, where there are enough."""
    columns = np.hstack([np.abs(pred - true), np.ones((len(true), 1))])
    sums = sum_by_cluster(columns, cluster_codes(np.arange(len(true)) if groups is None else groups))
    interval = error_interval(sums, lambda t: (t[:, :-1] / t[:, -1:]).mean(axis=1))
    return {"mae": interval} if interval else {}
