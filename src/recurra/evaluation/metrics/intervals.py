"""How sure a figure is: 95 % intervals for shares, for errors and for differences, over whole sequences or groups.

Items that belong together (time steps of one sequence, sequences of one person) are not independent. The intervals
here look at whole clusters, and their width knows how few there are, how unlike in size and how skewed: the coverage
of each was simulated for 2 to 100 clusters (`benchmarks/interval_coverage.py`). Below `MIN_CLUSTERS` nothing is
said; nor is anything of a root of mean squares, which hangs on the rare large errors that a sample need not hold
(simulated: 85 % in place of 95 % for Student's t with 3 degrees of freedom, of 100 as of 300 items).

`share_ends` and its like take any number of test sets at once, on the axes before that of the clusters.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import expit, gammaln, ndtri, stdtrit, xlog1py, xlogy

# From fewer clusters of even size, or fewer items, than these none of the intervals here keeps its 95 %. Of items alone
# none can: whichever counts are to hold a share, of 5 they hold 69 % of the shares from a half to 0.9 in 93 to 98 of 100
# test sets, of 8 they hold 90 %, of 17 all.
MIN_CLUSTERS = 8
# Of more items than these the interval of a count is Wilson's, from which its own differs by less than a tenth of its width.
MANY_ITEMS = 100
# Of what the interval of a count may leave out so much is kept on the safe side: its coverage jumps with the true share.
SAFE_SIDE = 0.1
# Shares that are tried to find the ends of the interval of a count.
STEPS_OF_SHARES = 2000
# Clusters are of much the same size where as many of even size as this share of them would tell as much.
EVEN = 0.5
# A spread that as many independent items as this, a cluster, would have: more, and the wrong ones hardly come in clusters.
ITEMS_A_CLUSTER = 10
# Of the mean cluster's size: added once as all right and once as all wrong, so that a spotless sample has a width.
PSEUDO_CLUSTER = 0.1
# Near 0 and 1 the skewness of the clusters lies towards the middle: of the widening for it the end at the edge needs half.
SKEWNESS_AT_THE_EDGE = 0.5
# The skewness of a sample comes out smaller than that of what it was drawn from: positive errors need more of Hall's
# widening than he derives for a known skewness. Simulated: log-normal errors.
SKEWNESS_OF_ERRORS = 3.0
# And a small sample seldom holds the rare large error at all: by this share over the number of clusters the upper end lies
# further off. Simulated: the least that keeps 93 % for log-normal errors of sigma 1.5, the most that keeps 98 % for others.
UNSEEN_ERRORS = 1.8


def count_interval(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
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

    Notes
    -----
    Under each share the likeliest counts are taken, as many as come nearest to the confidence (to a tenth of the rest
    above it); the interval holds the shares under which its own count is taken. That is Sterne's interval with the
    mid-P value. A count is a whole number, so no interval keeps 95 % under every share; where any that takes the
    likeliest counts keeps 93 to 98 %, this one does. Of more than `MANY_ITEMS` it is Wilson's.

    References
    ----------
    .. [1] T. E. Sterne, "Some remarks on confidence or fiducial limits", Biometrika 41, 1954.
    .. [2] M. P. Fay, "Two-sided exact tests and matching confidence intervals for discrete data", The R Journal 2(1),
       2010: intervals from two-sided p-values, with the mid-P value as well.
    .. [3] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    .. [4] L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial proportion", Statistical
       Science 16(2), 2001: how the coverage jumps.
    """
    if n == 0:
        return 0.0, 1.0
    if n > MANY_ITEMS:
        low, high = _wilson(successes / n, n, confidence=confidence)
        # At the edges the root is off by the last bit.
        return (float(low) if successes else 0.0), (float(high) if successes < n else 1.0)
    return _likeliest_counts(successes, n, confidence)


@lru_cache(maxsize=4096)
def _likeliest_counts(successes: int, n: int, confidence: float) -> tuple[float, float]:
    shares, chance = _chances(n)
    own = chance[successes]
    # Counts as likely as it, under a share of a half, stand or fall together with it.
    likelier, alike = chance > own * (1 + 1e-9), np.abs(chance - own) <= 1e-9 * own
    middle = (chance * likelier).sum(axis=0) + (chance * alike).sum(axis=0) / 2
    taken = shares[middle < 1 - (1 - SAFE_SIDE) * (1 - confidence)]
    return float(taken[0]), float(taken[-1])


@lru_cache(maxsize=4)
def _chances(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shares from 0 to 1, and under each the chance of every count of ``n``: (shares,) and (n + 1, shares)."""
    shares = np.linspace(0.0, 1.0, STEPS_OF_SHARES + 1)
    counts = np.arange(n + 1)[:, None]
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    return shares, np.exp(ways + xlogy(counts, shares) + xlog1py(n - counts, -shares))


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


def effective_clusters(counts: np.ndarray) -> Any:
    """Return Kish's effective number: how many clusters of even size tell as much as these, of ``counts`` items each on
    the last axis.
    """
    squares = np.square(counts).sum(axis=-1)
    return np.square(counts.sum(axis=-1)) / np.where(squares > 0, squares, 1.0)


def enough_clusters(counts: np.ndarray) -> Any:
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
    entirely tell as much as one item a cluster, and none tell less. Near 0 and 1 only one end can miss the
    truth, since no sample is better than spotless; where items hang together so that this counts, the far end leaves out
    5 %, not 2.5 %, of samples, as far as the spotless sample's own interval reaches (Blyth and Still).

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
    return _one(share_ends(hits[None], counts[None], confidence=confidence))


def share_ends(hits: np.ndarray, counts: np.ndarray, *, confidence: float = 0.95) -> np.ndarray:
    """Return the ends of `share_interval` of each test set, nan where it has none: (sets, clusters) to (sets, 2)."""
    out = np.full((len(hits), 2), np.nan)
    enough = enough_clusters(counts)
    hits, counts = hits[enough].astype(float), counts[enough].astype(float)
    if not len(hits):
        return out
    there, n = counts > 0, (counts > 0).sum(axis=-1)
    effective, share = effective_clusters(counts), hits.sum(axis=-1) / counts.sum(axis=-1)
    added = PSEUDO_CLUSTER * counts.sum(axis=-1) / n
    right, items = hits.sum(axis=-1) + added, counts.sum(axis=-1) + 2 * added
    p, middle = right / items, _logit(right / items)
    without = _logit((right[:, None] - hits) / (items[:, None] - counts))
    # What the added two would shift the share by, in first order: without either the logit may be infinite.
    alone = np.square(added / (items * p * (1 - p))) * (np.square(p) + np.square(1 - p))
    spread = np.sqrt((n - 1) / n * np.square(without - middle[:, None]).sum(axis=-1) + alone)
    wider = _wider(without, there, confidence=confidence)
    half = wider * stdtrit(effective - 1, 0.5 + confidence / 2) * spread
    # Near the edge the far end is drawn in, if a spotless sample of as many independent items would hold it too.
    independent = 1 / (spread**2 * p * (1 - p))
    edge = independent / (independent + ndtri(0.5 + confidence / 2) ** 2)
    nearer = (1 + SKEWNESS_AT_THE_EDGE * (wider - 1)) * stdtrit(effective - 1, confidence) * spread
    nearer = np.where(independent < ITEMS_A_CLUSTER * effective, nearer, half)
    # Items that hang together entirely tell as much as one item a cluster, where these are of much the same size.
    known = np.where(effective > EVEN * n, effective, np.nan)
    widest = _wilson(share, known, confidence=confidence)
    ends = []
    for sign, far in ((-1, 1 - edge), (1, edge)):
        end = expit(middle + sign * half)
        drawn_in = sign * np.maximum(sign * far, sign * expit(middle + sign * nearer))
        end = sign * np.fmin.reduce([sign * end, sign * drawn_in, sign * widest[sign > 0]])
        ends.append(sign * np.maximum(sign * end, sign * share))
    # Clusters that all agree show no spread; what they tell is how many they are, as if each were one item.
    spotless = _wilson(share, effective, confidence=confidence)
    agree = (share == 0) | (share == 1)
    low = np.where(agree, np.where(share == 0, 0.0, spotless[0]), ends[0])
    high = np.where(agree, np.where(share == 1, 1.0, spotless[1]), ends[1])
    out[enough] = np.stack([low, high], axis=-1)
    return out


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def _one(ends: np.ndarray) -> tuple[float, float] | None:
    low, high = ends[0].tolist()
    return None if np.isnan(low) else (low, high)


def _wilson(share: Any, n: Any, *, confidence: float) -> tuple[Any, Any]:
    """Return the ends of Wilson's interval for ``n`` items, which need not be a whole number."""
    z = ndtri(0.5 + confidence / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


def _wider(without: np.ndarray, there: np.ndarray, *, confidence: float, factor: float = 1.0) -> np.ndarray:
    """Return by what the skewness of the figures ``without`` each cluster makes a quantile larger."""
    n = there.sum(axis=-1)
    off = np.where(there, without - (np.where(there, without, 0).sum(axis=-1) / n)[:, None], 0.0)
    variance = np.square(off).sum(axis=-1) / n
    skewness = (off**3).sum(axis=-1) / n / np.where(variance > 0, variance, 1.0) ** 1.5
    z = ndtri(0.5 + confidence / 2)
    return np.asarray(1 + factor * (z**4 + 2 * z**2 - 3) / 18 * skewness**2 / n)


def _of_all_and_without(
    sums: np.ndarray, figure: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the figure of all clusters (sets,), and without each (sets, clusters)."""
    whole = sums.sum(axis=1)
    rest = whole[:, None] - sums
    return figure(whole), figure(rest.reshape(-1, sums.shape[-1])).reshape(rest.shape[:2])


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

    Notes
    -----
    No interval of a mean keeps its confidence for every distribution, however many are measured (Bahadur and Savage): of
    errors of which one in ten or fewer is many times the others, it holds the mean in 88 to 93 of 100 test sets.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11: the jackknife.
    .. [2] P. Hall, "The Bootstrap and Edgeworth Expansion", 1992, section 2.4: what skewness costs a t interval.
    .. [3] R. R. Bahadur, L. J. Savage, "The nonexistence of certain statistical procedures in nonparametric problems",
       Annals of Mathematical Statistics 27, 1956.
    """
    return _one(error_ends(sums[None], figure, confidence=confidence))


def error_ends(
    sums: np.ndarray, figure: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> np.ndarray:
    """Return the ends of `error_interval` of each test set, nan where it has none: (sets, clusters, columns) to
    (sets, 2).
    """
    out = np.full((len(sums), 2), np.nan)
    there = enough_clusters(sums[..., -1])
    whole, without = _of_all_and_without(sums[there], figure)
    positive = (whole > 0) & ((without > 0) & np.isfinite(without)).all(axis=1)
    there[there] = positive
    counts, logs = sums[there, :, -1], np.log(without[positive])
    spread = np.sqrt((sums.shape[1] - 1) * logs.var(axis=1))
    wider = _wider(logs, np.ones_like(logs, bool), confidence=confidence, factor=SKEWNESS_OF_ERRORS)
    half = wider * stdtrit(effective_clusters(counts) - 1, 0.5 + confidence / 2) * spread
    upper = half * (1 + UNSEEN_ERRORS / effective_clusters(counts))
    ends = whole[positive, None] * np.exp(np.stack([-half, upper], axis=-1))
    out[there] = np.where(spread[:, None] > 0, ends, np.nan)
    return out


def difference_interval(
    sums: np.ndarray, difference: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student's t interval of a difference computed from totals, its spread by the jackknife over clusters.

    Parameters and result are those of `error_interval`; the difference may have any sign. None as well where all
    clusters differ alike, from which no spread can be told.
    """
    return _one(difference_ends(sums[None], difference, confidence=confidence))


def difference_ends(
    sums: np.ndarray, difference: Callable[[np.ndarray], np.ndarray], *, confidence: float = 0.95
) -> np.ndarray:
    """Return the ends of `difference_interval` of each test set, nan where it has none: (sets, clusters, columns) to
    (sets, 2).
    """
    out = np.full((len(sums), 2), np.nan)
    there = enough_clusters(sums[..., -1])
    middle, without = _of_all_and_without(sums[there], difference)
    spread = np.sqrt((sums.shape[1] - 1) * without.var(axis=1))
    wider = _wider(without, np.ones_like(without, bool), confidence=confidence)
    half = wider * stdtrit(effective_clusters(sums[there, :, -1]) - 1, 0.5 + confidence / 2) * spread
    ends = middle[:, None] + np.stack([-half, half], axis=-1)
    out[there] = np.where(spread[:, None] > 0, ends, np.nan)
    return out
