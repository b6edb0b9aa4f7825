"""A linear map found in one step, by ridge regression, and the temperature its class scores are divided by."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

STRENGTHS = np.logspace(-1, 6, 22)
TEMPERATURES = np.logspace(-2, 1, 40)


@dataclass(frozen=True)
class LinearMap:
    """What `ridge` found.

    Parameters
    ----------
    weight : float32 array of shape (outputs, features)
    bias : float32 array of shape (outputs,)
    left_out : float64 array of shape (items, outputs)
        What each training item would have been given by a map that never saw it.
    """

    weight: np.ndarray
    bias: np.ndarray
    left_out: np.ndarray

    def warmed(self, temperature: float) -> "LinearMap":
        """Return the map whose outputs are divided by a temperature."""
        scale = np.float32(1 / temperature)
        return LinearMap(self.weight * scale, self.bias * scale, self.left_out / temperature)


def ridge(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    *,
    counts: np.ndarray | None = None,
    emphasis: np.ndarray | None = None,
) -> LinearMap:
    """Return the linear map with the least squared error on items left out, among several strengths.

    Parameters
    ----------
    features : float32 array of shape (items, features)
    targets : float64 array of shape (items, outputs)
    weights : float64 array of shape (items,)
        An item of weight 2 counts as two.
    counts : float64 array of shape (items,), optional
        What the spread of the features is weighted with, where that is not the weight of the errors.
    emphasis : array of shape (features,), optional
        What each feature is worth once all have the same spread.

    References
    ----------
    .. [1] R. M. Rifkin, R. A. Lippert, "Notes on Regularized Least Squares", MIT-CSAIL-TR-2007-025, 2007.
    """
    weights = weights / weights.mean()  # so that strengths mean the same whatever the scale of the weights
    share = weights / weights.sum()
    mean = share @ features.astype(np.float64)
    x = features - mean
    by = share if counts is None else counts / counts.sum()
    spread = np.sqrt(by @ np.square(features - by @ features.astype(np.float64)))
    scale = np.where(spread > 1e-6, 1 / np.where(spread > 1e-6, spread, 1.0), 0.0)
    if emphasis is not None:
        scale = scale * emphasis
    # Weighted least squares is least squares on rows times the root of their weights.
    root = np.sqrt(weights)[:, None]
    x = x * scale * root
    middle = share @ targets
    y = (targets - middle) * root
    # Eigenvectors of the smaller of the two products give the errors left out of every strength at once.
    by_items = len(x) <= x.shape[1]
    values, vectors = np.linalg.eigh(x @ x.T if by_items else x.T @ x)
    values = np.maximum(values, 0.0)
    seen = vectors * np.sqrt(values) if by_items else x @ vectors  # (items, k), columns orthogonal
    turned = seen.T @ y
    best: tuple[float, float, np.ndarray] | None = None
    for strength in STRENGTHS:
        fitted = seen @ (turned / (values + strength)[:, None])
        # The mean is fitted too, which lends every item its own share.
        leverage = np.square(seen) @ (1 / (values + strength)) + share
        left_out = y - (y - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
        error = float(np.square(y - left_out).sum())
        if best is None or error < best[0]:
            best = error, float(strength), left_out
    assert best is not None
    _, strength, left_out = best
    if by_items:
        found = x.T @ (vectors @ ((vectors.T @ y) / (values + strength)[:, None]))
    else:
        found = vectors @ (turned / (values + strength)[:, None])
    weight = found * scale[:, None]
    bias = middle - mean @ weight
    return LinearMap(weight.T.astype(np.float32), bias.astype(np.float32), left_out / root + middle)


def best_temperature(scores: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """Return the temperature under which the softmax of scores has the least log loss.

    Parameters
    ----------
    scores : array of shape (items, classes)
        Of items that the map did not see.
    codes : int array of shape (items,)
        The true classes.
    weights : array of shape (items,)

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
    """
    rows = np.arange(len(codes))
    losses = [-(weights @ log_softmax(scores / t, axis=1)[rows, codes]) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def error_left_out(
    left_out: np.ndarray, targets: np.ndarray, codes: np.ndarray | None, weights: np.ndarray
) -> float:
    """Return the mean error of what items were given by maps that never saw them.

    Parameters
    ----------
    left_out, targets : array of shape (items, outputs)
    codes : int array of shape (items,), or None
        The true classes, where outputs are their scores: the error is the log loss. None: it is the squared one.
    weights : array of shape (items,)
    """
    if codes is None:
        return float(weights @ np.square(left_out - targets).mean(axis=1) / weights.sum())
    return float(-(weights @ log_softmax(left_out, axis=1)[np.arange(len(codes)), codes]) / weights.sum())


def best_share(
    wide: np.ndarray, deep: np.ndarray, codes: np.ndarray, weights: np.ndarray, shares: np.ndarray
) -> float:
    """Return the share of one answer in the mix of two under which the log loss is least.

    They are mixed as `recurra.serving.models.wide.Wide.mixed` does.

    Parameters
    ----------
    wide, deep : array of shape (items, classes)
        Scores, logarithms of probabilities but for a number in each row, of items that neither learned from.
    codes : int array of shape (items,)
        The true classes.
    weights : array of shape (items,)
    shares : array
        To choose from, of ``wide``; of equal ones the first wins.
    """
    rows = np.arange(len(codes))
    losses = [
        -(weights @ log_softmax(share * wide + (1 - share) * deep, axis=1)[rows, codes]) for share in shares
    ]
    return float(shares[int(np.argmin(losses))])
