"""How sure a figure is: 95 % intervals for shares, for errors and for differences, over whole sequences or groups.

Items that belong together (time steps of one sequence, sequences of one person) are not independent. The intervals
here look at whole clusters, and their width knows how few there are: the coverage of each was simulated for 2 to 100
clusters (`tests/evaluation/test_coverage.py`). Below `MIN_CLUSTERS` nothing is said.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest, norm, t

# From fewer clusters than these no method tried kept its 95 %: simulated, intervals were either far too narrow or said
# nothing. A root of mean squares hangs on the rare large errors, which fewer than fifty clusters need not hold.
MIN_CLUSTERS = 5
MIN_CLUSTERS_OF_SQUARES = 50
# Of the mean cluster's size: added once as all right and once as all wrong, so that a spotless sample has a width.
PSEUDO_CLUSTER = 0.1


def wilson_interval(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share of independent items, good for small counts and for shares near 0 and 1.

    Parameters
    ----------
    successes, n : int
        0 <= successes <= n.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    low, high : float
        In [0, 1]; (0, 1), which says nothing, if n is 0.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
       1927.
    .. [2] L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial proportion", Statistical
       Science 16(2), 2001, which recommends it.
    """
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(successes, n).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)


def cluster_codes(clusters: np.ndarray) -> np.ndarray:
    """Return whole numbers 0, 1, ... in the order in which the clusters first appear, shape (items,)."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(c, len(seen)) for c in np.asarray(clusters).tolist()], dtype=np.int64)


def sum_by_cluster(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sum rows of each cluster: values of shape (items, columns), codes (items,), result (clusters,
    columns).
    """
    out = np.zeros((int(codes.max()) + 1, values.shape[1]))
    np.add.at(out, codes, values)
    return out


def share_interval(
    hits: np.ndarray, counts: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float] | None:
    r"""Interval for a share of items that come in clusters.

    .. math:: \operatorname{logit} p \pm t_{G-1} \frac{s}{p (1 - p)}, \qquad
        s^2 = \frac{G}{G-1} \frac{\sum_g (h_g - p n_g)^2}{(\sum_g n_g)^2}

    Parameters
    ----------
    hits, counts : ndarray of shape (clusters,)
        Items that are right, and all items, of each cluster; clusters without an item say nothing and are left out.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    (low, high) or None
        Inside [0, 1]; None with fewer than `MIN_CLUSTERS` clusters that have an item.

    Notes
    -----
    Two small clusters, one all right and one all wrong, are added before the spread is computed, so that clusters
    that happen to agree exactly do not claim to know everything.

    References
    ----------
    .. [1] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in clustered
       surveys", Journal of Survey Statistics and Methodology 3(4), 2015.
    .. [2] A. Agresti, B. A. Coull, "Approximate is better than exact for interval estimation of binomial
       proportions", The American Statistician 52(2), 1998: added items.
    """
    there = counts > 0
    hits, counts = hits[there].astype(float), counts[there].astype(float)
    n = len(counts)
    if n < MIN_CLUSTERS:
        return None
    share = float(hits.sum() / counts.sum())
    added = PSEUDO_CLUSTER * counts.mean()
    hits, counts = np.append(hits, [added, 0.0]), np.append(counts, [added, added])
    p = hits.sum() / counts.sum()
    spread = np.sqrt(n / (n - 1) * np.square(hits - p * counts).sum()) / counts.sum()
    half = t.ppf(0.5 + confidence / 2, n - 1) * spread / (p * (1 - p))
    low, high = (1 / (1 + np.exp(-(np.log(p / (1 - p)) + sign * half))) for sign in (-1, 1))
    return min(float(low), share), max(float(high), share)


def error_interval(
    sums: np.ndarray,
    figure: Callable[[np.ndarray], np.ndarray],
    *,
    min_clusters: int = MIN_CLUSTERS,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Interval of a positive figure computed from totals, such as a mean error.

    The jackknife over clusters gives the spread of its logarithm; the quantile of Student's t is made larger by what
    the skewness of the clusters costs.

    Parameters
    ----------
    sums : ndarray of shape (clusters, columns)
        What each cluster adds to each total.
    figure : callable
        From totals (any number, columns) to the figure of each, at least 0.
    min_clusters : int, default=5
        With fewer nothing is said.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    (low, high) or None
        None with too few clusters, or where the figure of all, or of all but one, is 0.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11: the jackknife.
    .. [2] P. Hall, "The Bootstrap and Edgeworth Expansion", 1992, section 2.4: what skewness costs a t interval.
    """
    n = len(sums)
    if n < max(min_clusters, 2):
        return None
    whole, without = figure(sums.sum(axis=0)[None])[0], figure(sums.sum(axis=0) - sums)
    if not (np.isfinite(without).all() and (without > 0).all() and whole > 0):
        return None
    logs = np.log(without) - np.log(without).mean()
    variance = np.square(logs).mean()
    if variance == 0:
        return None
    skewness = (logs**3).mean() / variance**1.5
    z = norm.ppf(0.5 + confidence / 2)
    wider = 1 + (z**4 + 2 * z**2 - 3) / 18 * skewness**2 / n
    half = t.ppf(0.5 + confidence / 2, n - 1) * wider * np.sqrt((n - 1) * variance)
    return float(whole * np.exp(-half)), float(whole * np.exp(half))


def difference_interval(
    sums: np.ndarray, difference: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student's t interval of a difference computed from totals, its spread by the jackknife over clusters.

    Parameters and result are those of `error_interval`; the difference may have any sign. None as well where all
    clusters differ alike, from which no spread can be told.
    """
    n = len(sums)
    if n < MIN_CLUSTERS:
        return None
    without = difference(sums.sum(axis=0) - sums)
    spread = np.sqrt((n - 1) * np.square(without - without.mean()).mean())
    if spread == 0:
        return None
    half = t.ppf(0.5 + confidence / 2, n - 1) * spread
    middle = float(difference(sums.sum(axis=0)[None])[0])
    return middle - float(half), middle + float(half)
