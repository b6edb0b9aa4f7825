"""How sure a figure is: 95 % intervals for shares, and the bootstrap over whole sequences or groups.

Items that belong together (time steps of one sequence, sequences of one person) are not independent; the
bootstrap here draws whole clusters, so that its intervals do not pretend they were.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

# Enough for two stable digits of a 95 % limit, and under 0.1 s for a thousand clusters.
N_RESAMPLES = 1000
# Draws held at once, so that a hundred thousand clusters do not take a gigabyte.
MAX_DRAWS = 2_000_000


def wilson_interval(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    r"""Interval for a share, good for small counts and for shares near 0 and 1.

    .. math:: \frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}

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
    z = float(norm.ppf(0.5 + confidence / 2))
    share = successes / n
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    # At the ends the limit is exactly 0 or 1; rounding would leave 1e-17.
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


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


def resample_sums(sums: np.ndarray, *, random_state: int = 0, n_resamples: int = N_RESAMPLES) -> np.ndarray:
    """Totals of bootstrap samples of clusters.

    Parameters
    ----------
    sums : ndarray of shape (clusters, columns)
        What each cluster adds to each total.

    Returns
    -------
    ndarray of shape (n_resamples, columns)
        As many clusters as there are are drawn with replacement; a row holds their totals.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
    """
    clusters = len(sums)
    generator = np.random.default_rng(random_state)
    shares = np.full(clusters, 1 / clusters)
    rows = max(1, MAX_DRAWS // clusters)
    parts = [
        generator.multinomial(clusters, shares, size=min(rows, n_resamples - first)) @ sums
        for first in range(0, n_resamples, rows)
    ]
    return np.concatenate(parts)


def bootstrap_interval(
    sums: np.ndarray,
    figure: Callable[[np.ndarray], np.ndarray],
    *,
    confidence: float = 0.95,
    random_state: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval of a figure computed from totals.

    Parameters
    ----------
    sums : ndarray of shape (clusters, columns)
        What each cluster adds to each total.
    figure : callable
        From totals (resamples, columns) to the figure (resamples,); NaN where it is not defined.

    Returns
    -------
    (low, high) or None
        None with fewer than two clusters: nothing can be said about others from one.
    """
    if len(sums) < 2:
        return None
    return percentiles(figure(resample_sums(sums, random_state=random_state)), confidence=confidence)


def percentiles(figures: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Middle part of resampled figures, those that are not finite left out; None if none is left."""
    figures = figures[np.isfinite(figures)]
    if not figures.size:
        return None
    low, high = np.quantile(figures, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)
