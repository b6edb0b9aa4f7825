"""Two or more runs on the same test sequences: is the difference more than noise?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError, UsageError
from recurra.evaluation.metrics.paired_tests import ALPHA, Comparison, compare_regression
from recurra.evaluation.results.backtest import Backtest
from recurra.evaluation.results.cases import CaseEvaluation
from recurra.evaluation.results.evaluation import Evaluation


def compare(evaluations: Mapping[str, Evaluation], *, groups: Any = None, alpha: float = ALPHA) -> Comparison:
    """Compare evaluations of the same task on the same test sequences; see `recurra.evaluation.metrics.paired_tests`.

    Raises
    ------
    UsageError
        With fewer than two runs, runs of different tasks, or a task whose runs are not compared.
    DataError
        If the test sequences or their true answers differ.
    """
    tasks = {e.task for e in evaluations.values()}
    if len(evaluations) < 2 or len(tasks) > 1:
        raise UsageError(
            f"compare: needs at least two runs of one task; got {len(evaluations)} of "
            f"{', '.join(sorted(tasks)) or 'none'}."
        )
    forecasts = {name: e for name, e in evaluations.items() if isinstance(e, Backtest)}
    if len(forecasts) == len(evaluations):
        return _compare_forecasts(forecasts, alpha=alpha)
    judged = {name: e for name, e in evaluations.items() if isinstance(e, CaseEvaluation)}
    if len(judged) < len(evaluations):
        raise UsageError(
            f"compare: needs runs that answer case by case; got {', '.join(tasks)}. Put their metrics side by side."
        )
    (first_name, first), *others = judged.items()
    for name, other in others:
        _check_same(first_name, first, name, other)
    answers = {name: e.y_pred for name, e in judged.items()}
    pairs = first.compare_answers(answers, groups=groups, alpha=alpha).pairs
    runs: list[dict[str, Any]] = [{"name": name, **e.metrics} for name, e in judged.items()]
    runs.sort(key=lambda run: run[first.compared_by], reverse=not first.less_is_better)
    return Comparison(runs, pairs)


def _compare_forecasts(evaluations: Mapping[str, Backtest], *, alpha: float) -> Comparison:
    """Compare forecasts of the same steps, origin by origin: the steps after one origin err together."""
    (first_name, first), *others = evaluations.items()
    for name, other in others:
        if first.origins.truth.shape != other.origins.truth.shape:
            raise DataError(
                f"compare: runs {first_name!r} and {name!r} forecast other steps: {_steps_of(first)}, {_steps_of(other)}. "
                "Train both on the same series with one horizon, or evaluate both on one file."
            )
        if not np.array_equal(_spacing(first), _spacing(other)) or not np.array_equal(
            first.origins.truth, other.origins.truth, equal_nan=True
        ):
            raise DataError(
                f"compare: runs {first_name!r} and {name!r} were judged on other values, {_steps_of(first)} each. Train "
                "both on the same series, or evaluate both on one file."
            )
    truth = first.origins.truth
    there = np.isfinite(truth)
    origins = np.broadcast_to(np.arange(len(truth))[:, None, None], truth.shape)[there]
    answers = {name: e.origins.point[there] for name, e in evaluations.items()}
    pairs = compare_regression(truth[there], answers, groups=origins, alpha=alpha).pairs
    runs: list[dict[str, Any]] = [{"name": name, **e.metrics} for name, e in evaluations.items()]
    runs.sort(key=lambda run: run["rmse"])
    return Comparison(runs, pairs)


def _spacing(found: Backtest) -> np.ndarray:
    """Return series and place of each origin, shape (origins, 2), places counted from the first of a series.

    How many steps stand before that one depends on how much of the history a network keeps.
    """
    series, places = found.origins.series, found.origins.places
    first = {one: places[series == one].min() for one in np.unique(series).tolist()}
    return np.stack([series, places - np.array([first[one] for one in series.tolist()])], axis=1)


def _steps_of(found: Backtest) -> str:
    origins, horizon = found.origins.truth.shape[:2]
    return f"{origins} times {counted(horizon, 'step')}"


def _check_same(first_name: str, first: CaseEvaluation, name: str, other: CaseEvaluation) -> None:
    own, others_classes = ([*getattr(found, "classes", ())] for found in (first, other))
    if own and others_classes and not set(own) & set(others_classes):
        raise DataError(
            f"compare: runs {first_name!r} and {name!r} tell apart other classes, {listing(own, 3)} and "
            f"{listing(others_classes, 3)}; give runs that learn the same."
        )
    names, others = ([row["name"] for row in found.predictions] for found in (first, other))
    if names != others:
        raise DataError(
            f"compare: runs {first_name!r} and {name!r} were not judged on the same test sequences; "
            f"evaluate both on one file."
        )
    if len(first.y_true) != len(other.y_true) or not all(
        np.array_equal(a, b) for a, b in zip(first.y_true, other.y_true, strict=True)
    ):
        raise DataError(
            f"compare: runs {first_name!r} and {name!r} have different true answers; evaluate both on one "
            f"file."
        )
