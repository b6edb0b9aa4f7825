"""How sure a figure is: 95 % intervals for shares, for errors and for differences, over whole sequences or groups.

Items that belong together (time steps of one sequence, sequences of one person) are not independent. The intervals
here look at whole clusters, and their width knows how few there are, how unlike in size and how skewed: the coverage
of each was simulated for 2 to 100 clusters (`tests/evaluation/test_coverage.py`). Below `MIN_CLUSTERS` nothing is
said; nor is anything of a root of mean squares, which hangs on the rare large errors that a sample need not hold
(simulated: 85 % in place of 95 % for Student's t with 3 degrees of freedom, of 100 as of 300 items).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import binomtest, norm, t

# From fewer clusters of even size than these no method tried kept its 95 %: simulated, intervals were either far too
# narrow or said nothing.
MIN_CLUSTERS = 5
# Clusters are of much the same size where as many of even size as this share of them would tell as much.
EVEN = 0.5
# A spread that as many independent items as this, a cluster, would have: more, and the wrong ones hardly come in clusters.
ITEMS_A_CLUSTER = 10
# Of the mean cluster's size: added once as all right and once as all wrong, so that a spotless sample has a width.
PSEUDO_CLUSTER = 0.1
# The skewness of a sample comes out smaller than that of what it was drawn from: positive errors need more of Hall's
# widening than he derives for a known skewness. Simulated: log-normal errors.
SKEWNESS_OF_ERRORS = 3.0
# And a small sample seldom holds the rare large error at all: by this share over the number of clusters the upper end lies
# further off. Simulated: the least that keeps 93 % for log-normal errors of sigma 1.5, the most that keeps 98 % for others.
UNSEEN_ERRORS = 1.8


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


def effective_clusters(counts: np.ndarray) -> float:
    """Return Kish's effective number: how many clusters of even size tell as much as these, of ``counts`` items each."""
    return float(np.square(counts.sum()) / np.square(counts).sum()) if counts.any() else 0.0


def enough_clusters(counts: np.ndarray) -> bool:
    """Return whether an interval from clusters of so many items each keeps what it promises."""
    return effective_clusters(counts) > MIN_CLUSTERS - 1e-6


def share_interval(
    hits: np.ndarray, counts: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float] | None:
    r"""Interval for a share of items that come in clusters.

    .. math:: \operatorname{logit} p \pm w \, t_{\tilde G - 1} s, \qquad
        s^2 = \frac{G-1}{G} \sum_g (\operatorname{logit} p_{-g} - \operatorname{logit} p)^2

    Parameters
    ----------
    hits, counts : ndarray of shape (clusters,)
        Items that are right, and all items, of each cluster; clusters without an item say nothing and are left out.
    confidence : float, default=0.95
        In (0, 1).

    Returns
    -------
    (low, high) or None
        Inside [0, 1]; None with too few clusters, or with a few that hold nearly all items (`effective_clusters`
        below `MIN_CLUSTERS`).

    Notes
    -----
    The spread is the jackknife's, of the share without each cluster; the degrees of freedom are those of the
    effective number of clusters; the quantile is widened for the skewness of the clusters. Two small clusters, one
    all right and one all wrong, are added first, so that clusters that happen to agree nearly do not claim to know
    everything. Where all items are right, or none, the interval is Wilson's of so many items as there are effective
    clusters. The interval is never wider than that one of clusters of much the same size: items that hang together
    entirely tell as much as one item a cluster, and none tell less. Near 0 and 1 only one end can miss the truth, since
    no sample is better than spotless; where items hang together so that this counts, the far end leaves out 5 %, not
    2.5 %, of samples, as far as the spotless sample's own interval reaches (Blyth and Still).

    Simulated (`benchmarks/interval_coverage.py`), intervals hold the truth in 93 to 98 of 100 test sets, in up to 99.8 of
    100 where the true share is 0.99 and most items lie in a few clusters. Fewer than `MIN_CLUSTERS` get none.

    References
    ----------
    .. [1] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in clustered
       surveys", Journal of Survey Statistics and Methodology 3(4), 2015.
    .. [2] A. Agresti, B. A. Coull, "Approximate is better than exact for interval estimation of binomial
       proportions", The American Statistician 52(2), 1998: added items.
    .. [3] R. M. Bell, D. F. McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage
       samples", Survey Methodology 28(2), 2002: the jackknife over clusters and its degrees of freedom.
    .. [4] L. Kish, "Survey Sampling", 1965: the effective number.
    .. [5] C. R. Blyth, H. A. Still, "Binomial confidence intervals", JASA 78, 1983: near 0 and 1 all that may be left
       out is left out at one end.
    """
    there = counts > 0
    hits, counts = hits[there].astype(float), counts[there].astype(float)
    if not enough_clusters(counts):
        return None
    share = float(hits.sum() / counts.sum())
    if share in (0.0, 1.0):
        # Clusters that all agree show no spread; what they tell is how many they are, as if each were one item.
        n, z = effective_clusters(counts), norm.ppf(0.5 + confidence / 2)
        return (float(n / (n + z**2)), 1.0) if share else (0.0, float(z**2 / (n + z**2)))
    added = PSEUDO_CLUSTER * counts.mean()
    right, items = hits.sum() + added, counts.sum() + 2 * added
    middle = _logit(right / items)
    without = _logit((right - hits) / (items - counts))
    # What the added two would shift the share by, in first order: without either the logit may be infinite.
    p, n = right / items, len(counts)
    alone = np.array([added * (1 - p), added * p]) / (items * p * (1 - p))
    spread = np.sqrt((n - 1) / n * np.square(without - middle).sum() + np.square(alone).sum())
    quantile = _quantile(counts, without, confidence=confidence)
    low, high = (_share(middle + sign * quantile * spread) for sign in (-1, 1))
    low, high = _one_end_near_the_edge(
        (low, high), middle, quantile * spread, 1 / (spread**2 * p * (1 - p)), counts, confidence=confidence
    )
    if effective_clusters(counts) > EVEN * n:
        low, high = _at_most(low, high, share, effective_clusters(counts), confidence=confidence)
    return min(float(low), share), max(float(high), share)


def _one_end_near_the_edge(
    ends: tuple[float, float],
    middle: float,
    half: float,
    n_independent: float,
    counts: np.ndarray,
    *,
    confidence: float,
) -> tuple[float, float]:
    """Return the ends with the far one drawn in where a spotless sample of ``n_independent`` items would hold it too."""
    low, high = ends
    effective = effective_clusters(counts)
    if n_independent >= ITEMS_A_CLUSTER * effective:
        return ends
    edge = n_independent / (n_independent + norm.ppf(0.5 + confidence / 2) ** 2)
    one, both = (t.ppf(level, effective - 1) for level in (confidence, 0.5 + confidence / 2))
    if high > edge:
        high = min(high, max(edge, _share(middle + half * one / both)))
    if low < 1 - edge:
        low = max(low, min(1 - edge, _share(middle - half * one / both)))
    return low, high


def _at_most(low: float, high: float, share: float, n: float, *, confidence: float) -> tuple[float, float]:
    """Return the ends no further off than Wilson's for ``n`` items, which need not be a whole number."""
    z = norm.ppf(0.5 + confidence / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(low, middle - half), min(high, middle + half)


def _logit(p: Any) -> Any:
    return np.log(p / (1 - p))


def _share(logit: Any) -> float:
    return float(expit(logit))


def _quantile(
    counts: np.ndarray, without: np.ndarray, *, confidence: float, skewness_factor: float = 1.0
) -> float:
    """Student's t with the degrees of freedom of the effective clusters, wider by what the skewness of the figures
    ``without`` each cluster costs.
    """
    off = without - without.mean()
    variance = np.square(off).mean()
    skewness = (off**3).mean() / variance**1.5 if variance > 0 else 0.0
    z = norm.ppf(0.5 + confidence / 2)
    wider = 1 + skewness_factor * (z**4 + 2 * z**2 - 3) / 18 * skewness**2 / len(without)
    return float(wider * t.ppf(0.5 + confidence / 2, effective_clusters(counts) - 1))


def error_interval(
    sums: np.ndarray, figure: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of a positive figure computed from totals, such as a mean error.

    The jackknife over clusters gives the spread of its logarithm; the quantile of Student's t is made larger by what
    the skewness of the clusters costs, upwards also by what so few have not shown.

    Parameters
    ----------
    sums : ndarray of shape (clusters, columns)
        What each cluster adds to each total; the last column counts the items.
    figure : callable
        From totals (any number, columns) to the figure of each, at least 0.
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
    if not enough_clusters(sums[:, -1]):
        return None
    whole, without = figure(sums.sum(axis=0)[None])[0], figure(sums.sum(axis=0) - sums)
    if not (np.isfinite(without).all() and (without > 0).all() and whole > 0):
        return None
    logs = np.log(without)
    variance = logs.var()
    if variance == 0:
        return None
    quantile = _quantile(sums[:, -1], logs, confidence=confidence, skewness_factor=SKEWNESS_OF_ERRORS)
    half = quantile * np.sqrt((n - 1) * variance)
    upper = half * (1 + UNSEEN_ERRORS / effective_clusters(sums[:, -1]))
    return float(whole * np.exp(-half)), float(whole * np.exp(upper))


def difference_interval(
    sums: np.ndarray, difference: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student's t interval of a difference computed from totals, its spread by the jackknife over clusters.

    Parameters and result are those of `error_interval`; the difference may have any sign. None as well where all
    clusters differ alike, from which no spread can be told.
    """
    n = len(sums)
    if not enough_clusters(sums[:, -1]):
        return None
    without = difference(sums.sum(axis=0) - sums)
    spread = np.sqrt((n - 1) * without.var())
    if spread == 0:
        return None
    half = _quantile(sums[:, -1], without, confidence=confidence) * spread
    middle = float(difference(sums.sum(axis=0)[None])[0])
    return middle - half, middle + half
