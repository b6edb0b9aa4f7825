"""Intervals as wide as the errors on what was held out say: factors that are learned once and stored as numbers."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from recurra.errors import StoreError

# Coverages for which the width of a Gaussian interval is calibrated; between them it is interpolated.
LEVELS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
# A distance below this, in scaled units, is no distance to measure errors by.
LEAST = 1e-9


def quantile_factors(
    quantiles: np.ndarray, median: np.ndarray, truth: np.ndarray, shares: Sequence[float]
) -> list[float]:
    """Return by how much each quantile has to move away from the median to hold its share of the truth [1]_.

    Parameters
    ----------
    quantiles : ndarray of shape (n, len(shares))
        Forecast of values that were not learned from.
    median, truth : ndarray of shape (n,)
    shares : sequence of float
        In (0, 1), rising.

    References
    ----------
    .. [1] Romano, Patterson and Candès, "Conformalized Quantile Regression", NeurIPS 2019; here the errors are
       measured by the width forecast, so that what is less sure stays wider.
    """
    out = []
    for column, share in enumerate(shares):
        side = 1.0 if share > 0.5 else -1.0
        width = side * (quantiles[:, column] - median)
        inside = share if share > 0.5 else 1 - share
        moved = side * (truth - median) / np.maximum(width, LEAST)
        out.append(1.0 if math.isclose(share, 0.5) else max(_conformal(moved, inside), 0.0))
    return out


def spread_factors(z: np.ndarray) -> list[float]:
    """Return, for each of `LEVELS`, the width that holds that share over the width of a normal distribution.

    Parameters
    ----------
    z : ndarray of shape (n,)
        Errors over the deviation forecast.
    """
    size = np.abs(z)
    return [_conformal(size, level) / NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]


def _conformal(scores: np.ndarray, share: float) -> float:
    """Return the score that a further one does not exceed with at least this probability."""
    rank = min(math.ceil((len(scores) + 1) * share), len(scores))
    return float(np.partition(scores, rank - 1)[rank - 1])


def moved(outputs: np.ndarray, median: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """Return quantiles (..., n) moved away from the median (...) by their factors, rising."""
    wide = median[..., None] + (outputs - median[..., None]) * np.asarray(factors, dtype=outputs.dtype)
    return np.sort(wide, axis=-1)


def widened(quantile: float, factors: Sequence[float]) -> float:
    """Return the quantile of a normal distribution times the factor for an interval that ends there.

    Between two levels it lies between theirs, so that an interval of more coverage holds one of less.
    """
    level, usual = abs(2 * quantile - 1), NormalDist().inv_cdf(quantile)
    ends = [NormalDist().inv_cdf((1 + one) / 2) * factor for one, factor in zip(LEVELS, factors, strict=True)]
    right = int(np.searchsorted(LEVELS, level))
    low, high = ends[right - 1] if right else 0.0, ends[right] if right < len(ends) else np.inf
    size = float(np.clip(abs(usual) * np.interp(level, LEVELS, factors), low, high))
    return float(np.copysign(size, usual))


def check(manifest: Mapping[str, Any]) -> None:
    """Raise StoreError unless what a file says about calibration can be used."""
    found = manifest.get("calibration")
    if found is None:
        return
    wanted = len(LEVELS) if manifest["loss"] == "gaussian" else len(manifest["quantiles"])
    factors = found["factors"]
    if len(factors) != wanted or not all(type(f) is float and math.isfinite(f) and f >= 0 for f in factors):
        raise StoreError(f"the calibration must have {wanted} factors of at least 0.")
