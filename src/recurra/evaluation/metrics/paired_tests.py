"""Paired tests: is the difference between two or more runs on the same items more than noise?"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from recurra.checks import check_number
from recurra.errors import DataError, UsageError
from recurra.evaluation.metrics.intervals import (
    cluster_codes,
    difference_interval,
    sum_by_cluster,
)
from recurra.evaluation.metrics.scores import as_objects, encode

# Differences below a 5 % chance of being noise are called more than noise.
ALPHA = 0.05
N_SWAPS = 10_000
# From fewer sequences or groups no swap is rare enough to tell anything from noise.
MIN_TO_SWAP = 5
# Swaps held at once, so that a hundred thousand clusters do not take a gigabyte.
MAX_SWAPS = 2_000_000


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


@dataclass(frozen=True, eq=False)
class Totals:
    """What each item adds to the totals from which a figure of one run is computed.

    Parameters
    ----------
    columns : ndarray of shape (items, columns)
    cases : ndarray of shape (items,)
        To which sequence, origin of a forecast or piece of text an item belongs.
    figure : callable
        From totals (any number, columns) and items (any number,) to the figure of each.
    name : str
        Of the figure.
    less_is_better : bool
    """

    columns: np.ndarray
    cases: np.ndarray
    figure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    name: str
    less_is_better: bool = True

    def value(self) -> float:
        """Return the figure of all items."""
        return float(self.figure(self.columns.sum(axis=0)[None], np.array([float(len(self.cases))]))[0])


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


def compare_classification(
    y_true: Any, predictions: Mapping[str, Any], *, groups: Any = None, alpha: float = ALPHA
) -> Comparison:
    """Compare accuracies by McNemar's exact test, or with ``groups`` by swapping the two runs group by group.

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
    classes = as_objects(labels)
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
            columns = (a[:, None].astype(float), b[:, None].astype(float))
            interval, p, how = _swap_test(columns, groups, lambda totals, n: totals[:, 0] / n)
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
    """Compare RMSEs (mean over targets) by swapping the two runs sequence by sequence, or by ``groups``.

    Parameters
    ----------
    y_true : array of shape (items,) or (items, targets)
        True numbers.
    predictions : mapping of str to array of that shape
        Predicted numbers of each run, at least two.

    Notes
    -----
    The other parameters are those of `compare_classification`. The p-value is the share of swaps that part the two
    runs as far: equally good runs might as well have given each other's answers.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 15: permutation tests.
    """
    _check_runs("compare_regression", predictions, len(y_true), alpha)
    true = np.asarray(y_true, dtype=float).reshape(len(y_true), -1)
    squares = {
        name: (np.asarray(p, dtype=float).reshape(true.shape) - true) ** 2 for name, p in predictions.items()
    }
    rmse = {name: float(np.sqrt(s.mean(axis=0)).mean()) for name, s in squares.items()}

    pairs = []
    for first, second in itertools.combinations(squares, 2):
        clusters = np.arange(len(true)) if groups is None else groups
        columns = (squares[first], squares[second])
        # No interval: that of a root of mean squares does not keep its 95 % where errors are heavy-tailed.
        _, p, how = _swap_test(columns, clusters, mean_root, random_state=random_state)
        pairs.append((first, second, rmse[first], rmse[second], None, p, how))
    runs = [{"name": name, "rmse": rmse[name]} for name in sorted(rmse, key=lambda name: rmse[name])]
    return Comparison(runs, _finish(pairs, figure="rmse", n=len(true), alpha=alpha))


def mean_of_items(totals: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the mean of the first column, from totals."""
    return np.asarray(totals[:, 0] / n)


def mean_root(totals: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the root of the mean square of each target, and of these the mean, from totals of squares."""
    return np.asarray(np.sqrt(totals / n[:, None]).mean(axis=1))


def chance_of_difference(
    first: Totals, second: Totals, *, groups: Any = None, tries: int = 1
) -> tuple[float, str]:
    """Return the chance of so large a difference in a figure between two equally good runs, and how it was found.

    Parameters
    ----------
    first, second : Totals
        Of the same items.
    groups : array of shape (cases,), optional
        Cases of one group are not independent.
    tries : int, default=1
        Of how many runs ``second`` is the best: chance had as many tries, and the p-value is as many times larger
        (Bonferroni).

    Raises
    ------
    DataError
        If the items are not the same.
    """
    if not np.array_equal(first.cases, second.cases) or first.columns.shape != second.columns.shape:
        raise DataError(
            f"chance_of_difference: both runs must be judged on the same items; got {len(first.cases)} and "
            f"{len(second.cases)}."
        )
    clusters = first.cases if groups is None else cluster_codes(groups)[first.cases]
    # The least p-value that drawn swaps can give must be far below the limit after the correction.
    n_swaps = max(N_SWAPS, math.ceil(4 * tries / ALPHA))
    _, p, how = _swap_test((first.columns, second.columns), clusters, first.figure, n_swaps=n_swaps)
    of_many = f", the best of {tries}" if tries > 1 else ""
    return min(1.0, p * tries), how + of_many


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


def _swap_test(
    columns: tuple[np.ndarray, np.ndarray],
    clusters: Any,
    figure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    random_state: int = 0,
    n_swaps: int = N_SWAPS,
) -> tuple[tuple[float, float] | None, float, str]:
    """Interval of the difference between two runs, p-value, and how they were found.

    ``columns`` holds what each item adds to the totals of each run, shape (items, k); ``figure`` makes a figure of
    totals (any number, k) and items (any number,).
    """
    codes = cluster_codes(np.asarray(clusters))
    ones = np.ones((len(codes), 1))
    width = columns[0].shape[1]
    sums = sum_by_cluster(np.hstack([*columns, ones]), codes)
    if len(sums) < MIN_TO_SWAP:
        return (
            None,
            1.0,
            f"{len(sums)} sequences or groups, from fewer than {MIN_TO_SWAP} nothing can be said",
        )

    def difference(totals: np.ndarray) -> np.ndarray:
        n = totals[:, -1]
        return figure(totals[:, width:-1], n) - figure(totals[:, :width], n)

    totals, change = sums.sum(axis=0), sums[:, width:-1] - sums[:, :width]
    observed = abs(float(difference(totals[None])[0]))
    further, n = 0, 0
    for swap in _swaps(len(sums), random_state, n_swaps=n_swaps, width=width):
        moved = swap @ change
        swapped = np.hstack(
            [totals[:width] + moved, totals[width:-1] - moved, np.full((len(swap), 1), totals[-1])]
        )
        # A swap of equal answers must count as equal, whatever the order in which it was summed.
        further += int((np.abs(difference(swapped)) >= observed * (1 - 1e-9)).sum())
        n += len(swap)
    # Among drawn swaps the one that was observed counts as well, so that no p-value is exactly zero.
    p = further / n if len(sums) <= math.log2(N_SWAPS) else (further + 1) / (n + 1)
    return difference_interval(sums, difference), p, f"swap test over {len(sums)} sequences or groups"


def _swaps(clusters: int, random_state: int, *, n_swaps: int, width: int) -> Iterator[np.ndarray]:
    """Which clusters change sides, float arrays of shape (some, clusters): all ways if they are few, else ``n_swaps``
    drawn.
    """
    if clusters <= math.log2(N_SWAPS):
        yield np.array(list(itertools.product((0.0, 1.0), repeat=clusters)))
        return
    generator = np.random.default_rng(random_state)
    rows = max(1, MAX_SWAPS // max(clusters, width))
    for first in range(0, n_swaps, rows):
        yield generator.integers(0, 2, size=(min(rows, n_swaps - first), clusters)).astype(float)


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
