"""Two or more runs on the same test sequences: is the difference more than noise?"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from recurra.checks import check_number
from recurra.errors import DataError, UsageError
from recurra.evaluation.evaluation import Evaluation
from recurra.evaluation.intervals import cluster_codes, percentiles, resample_sums, sum_by_cluster
from recurra.evaluation.metrics import encode, join

# Differences below a 5 % chance of being noise are called more than noise.
ALPHA = 0.05
N_RESAMPLES = 10_000


@dataclass(frozen=True)
class Pair:
    """Two runs compared.

    Parameters
    ----------
    first, second : str
        Names of the runs.
    figure : str
        What is compared: "accuracy" (more is better) or "rmse" (less is better).
    first_value, second_value : float
        The figure of each.
    low, high : float or None
        95 % interval of ``second_value - first_value``; None where the test gives none.
    p_value : float
        Chance of so large a difference between two equally good runs, corrected for the number of pairs.
    n : int
        Test sequences.
    alpha : float
        Limit below which a difference is called more than noise.
    detail : str
        What the test counted, in words.
    """

    first: str
    second: str
    figure: str
    first_value: float
    second_value: float
    low: float | None
    high: float | None
    p_value: float
    n: int
    alpha: float
    detail: str

    @property
    def more_than_noise(self) -> bool:
        """Whether the difference is called real."""
        return self.p_value < self.alpha

    def __str__(self) -> str:
        if self.figure == "accuracy":
            first, second = 100 * self.first_value, 100 * self.second_value
            values = f"{self.first} is right in {first:.1f} %, {self.second} in {second:.1f} %"
            size = f"{abs(second - first):.1f} points"
        else:
            first, second = self.first_value, self.second_value
            values = f"{self.first} has an RMSE of {first:.4g}, {self.second} of {second:.4g}"
            size = f"{abs(second - first):.3g}"
        verdict = "is more than noise" if self.more_than_noise else "is not more than noise"
        return f"{values}: the difference of {size} {verdict} ({self.detail})."


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Parameters
    ----------
    runs : list of dict
        A row per run, the best first: ``name`` and its figures.
    pairs : list of Pair
        Every two runs, in the order given.
    """

    runs: list[dict[str, Any]]
    pairs: list[Pair]

    def __str__(self) -> str:
        return "\n".join(str(pair) for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds."""
        pairs = [
            {**vars(pair), "more_than_noise": pair.more_than_noise, "words": str(pair)} for pair in self.pairs
        ]
        return {"runs": self.runs, "pairs": pairs}


def compare(evaluations: Mapping[str, Evaluation], *, groups: Any = None, alpha: float = ALPHA) -> Comparison:
    """Compare evaluations of the same task on the same test sequences; see the two functions below.

    Raises
    ------
    UsageError
        With fewer than two runs, or runs of different tasks.
    DataError
        If the test sequences or their true answers differ.
    """
    tasks = {e.task for e in evaluations.values()}
    if len(evaluations) < 2 or len(tasks) > 1:
        raise UsageError(
            f"compare: needs at least two runs of one task; got {len(evaluations)} of "
            f"{', '.join(sorted(tasks)) or 'none'}."
        )
    (task,) = tasks
    (first_name, first), *others = evaluations.items()
    for name, other in others:
        _check_same(first_name, first, name, other)
    if task == "regression":
        result = compare_regression(
            first.y_true, {k: e.y_pred for k, e in evaluations.items()}, groups=groups, alpha=alpha
        )
    elif task == "classification":
        predictions = {k: e.y_pred for k, e in evaluations.items()}
        result = compare_classification(first.y_true, predictions, groups=groups, alpha=alpha)
    else:
        clusters = np.repeat(np.arange(len(first.y_true)), [len(t) for t in first.y_true])
        clusters = clusters if groups is None else cluster_codes(groups)[clusters]
        predictions = {k: join(e.y_pred) for k, e in evaluations.items()}
        result = compare_classification(join(first.y_true), predictions, groups=clusters, alpha=alpha)
    runs = [{"name": name, **e.metrics} for name, e in evaluations.items()]
    key, sign = ("rmse", 1) if task == "regression" else ("accuracy", -1)
    return Comparison(sorted(runs, key=lambda run: sign * run[key]), result.pairs)


def compare_classification(
    y_true: Any, predictions: Mapping[str, Any], *, groups: Any = None, alpha: float = ALPHA
) -> Comparison:
    """Compare accuracies by McNemar's exact test, or with ``groups`` by a paired bootstrap over them.

    Parameters
    ----------
    y_true : array of shape (items,)
        True labels.
    predictions : mapping of str to array of shape (items,)
        Predicted labels of each run, at least two.
    groups : array of shape (items,), optional
        Items of one group (steps of a sequence, sequences of a person) are not independent.
    alpha : float, default=0.05
        See `Pair`; with more than two runs the p-values are corrected by Holm's method.

    References
    ----------
    .. [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
       percentages", Psychometrika 12, 1947.
    .. [2] T. G. Dietterich, "Approximate statistical tests for comparing supervised classification learning
       algorithms", Neural Computation 10, 1998, which recommends it for one test set.
    .. [3] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. of Statistics
       6, 1979.
    """
    _check_runs("compare_classification", predictions, len(y_true), alpha)
    labels = list(
        dict.fromkeys(itertools.chain(*([*np.asarray(v).tolist()] for v in (y_true, *predictions.values()))))
    )
    classes = np.empty(len(labels), dtype=object)
    classes[:] = labels
    true = encode(y_true, classes)
    right = {name: encode(p, classes) == true for name, p in predictions.items()}
    pairs: list[tuple] = []
    for first, second in itertools.combinations(right, 2):
        a, b = right[first], right[second]
        only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
        p = 1.0
        counts = f"only {first} is right on {only_a}, only {second} on {only_b} of {len(true)}"
        if groups is None:
            if only_a + only_b:
                p = float(binomtest(only_b, only_a + only_b, 0.5).pvalue)
            pairs.append((first, second, a.mean(), b.mean(), None, p, f"exact McNemar test, {counts}"))
        else:
            columns = np.stack([a, b, np.ones(len(true))], axis=1).astype(float)
            interval, p, how = _paired_bootstrap(columns, groups, lambda t: (t[:, 1] - t[:, 0]) / t[:, 2])
            pairs.append((first, second, a.mean(), b.mean(), interval, p, f"{how}, {counts}"))
    runs: list[dict[str, Any]] = [{"name": name, "accuracy": float(r.mean())} for name, r in right.items()]
    runs.sort(key=lambda run: -run["accuracy"])
    return Comparison(runs, _finish(pairs, figure="accuracy", n=len(true), alpha=alpha))


def compare_regression(
    y_true: Any,
    predictions: Mapping[str, Any],
    *,
    groups: Any = None,
    alpha: float = ALPHA,
    random_state: int = 0,
) -> Comparison:
    """Compare RMSEs (mean over targets) by a paired bootstrap over sequences, or over ``groups``.

    Parameters
    ----------
    y_true : array of shape (items,) or (items, targets)
        True numbers.
    predictions : mapping of str to array of that shape
        Predicted numbers of each run, at least two.

    Notes
    -----
    The other parameters are those of `compare_classification`. The p-value is twice the smaller share of
    bootstrap differences on either side of zero.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 15.
    """
    _check_runs("compare_regression", predictions, len(y_true), alpha)
    true = np.asarray(y_true, dtype=float).reshape(len(y_true), -1)
    squares = {
        name: (np.asarray(p, dtype=float).reshape(true.shape) - true) ** 2 for name, p in predictions.items()
    }
    rmse = {name: float(np.sqrt(s.mean(axis=0)).mean()) for name, s in squares.items()}
    targets = true.shape[1]

    def difference(totals: np.ndarray) -> np.ndarray:
        roots = np.sqrt(totals[:, : 2 * targets] / totals[:, -1:])
        return np.asarray(roots[:, targets:].mean(axis=1) - roots[:, :targets].mean(axis=1))

    pairs = []
    for first, second in itertools.combinations(squares, 2):
        columns = np.hstack([squares[first], squares[second], np.ones((len(true), 1))])
        clusters = np.arange(len(true)) if groups is None else groups
        interval, p, how = _paired_bootstrap(columns, clusters, difference, random_state=random_state)
        pairs.append((first, second, rmse[first], rmse[second], interval, p, how))
    runs = [{"name": name, "rmse": rmse[name]} for name in sorted(rmse, key=lambda name: rmse[name])]
    return Comparison(runs, _finish(pairs, figure="rmse", n=len(true), alpha=alpha))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number, so that the chance of any false alarm stays below alpha (Holm
    1979).
    """
    order = np.argsort(p_values, kind="stable")
    out = [0.0] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[int(k)]))
        out[int(k)] = largest
    return out


def _paired_bootstrap(
    columns: np.ndarray, clusters: Any, difference: Any, *, random_state: int = 0
) -> tuple[tuple[float, float] | None, float, str]:
    """Interval of the difference, p-value, and how they were found."""
    sums = sum_by_cluster(columns, cluster_codes(np.asarray(clusters)))
    if len(sums) < 2:
        return None, 1.0, "a single group, from which nothing can be said"
    drawn = difference(resample_sums(sums, random_state=random_state, n_resamples=N_RESAMPLES))
    # One is added so that no p-value is exactly zero (Davison and Hinkley 1997, section 4.2).
    side = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    p = min(1.0, 2 * (side + 1) / (len(drawn) + 1))
    return percentiles(drawn), p, f"paired bootstrap over {len(sums)} sequences or groups"


def _finish(pairs: Sequence[tuple], *, figure: str, n: int, alpha: float) -> list[Pair]:
    corrected = holm([pair[5] for pair in pairs])
    out = []
    for (first, second, a, b, interval, _, how), p in zip(pairs, corrected, strict=True):
        low, high = interval or (None, None)
        detail = f"{how}; p = {p:.2g}" + (f", corrected for {len(pairs)} pairs" if len(pairs) > 1 else "")
        out.append(Pair(first, second, figure, float(a), float(b), low, high, p, n, alpha, detail))
    return out


def _check_runs(who: str, predictions: Mapping[str, Any], n: int, alpha: float) -> None:
    check_number(who, "alpha", alpha, low=0.0, high=1.0, low_open=True, high_open=True)
    if len(predictions) < 2:
        raise UsageError(f"{who}: needs the predictions of at least two runs; got {len(predictions)}.")
    for name, pred in predictions.items():
        if len(pred) != n or n == 0:
            raise DataError(
                f"{who}: every run must have one prediction per test sequence; run {name!r} has "
                f"{len(pred)}, there are {n}."
            )


def _check_same(first_name: str, first: Evaluation, name: str, other: Evaluation) -> None:
    names = [[row["name"] for row in e.predictions] for e in (first, other)]
    if names[0] != names[1]:
        raise DataError(
            f"compare: runs {first_name!r} and {name!r} were not judged on the same test sequences; "
            f"evaluate both on one file."
        )
    a, b = (
        join(e.y_true) if e.task == "labeling" else np.asarray(e.y_true).reshape(-1) for e in (first, other)
    )
    if len(a) != len(b) or any(x != y for x, y in zip(a.tolist(), b.tolist(), strict=True)):
        raise DataError(
            f"compare: runs {first_name!r} and {name!r} have different true answers; evaluate both on one "
            f"file."
        )
