"""What each member of a forecaster leaves out, and how wide its intervals have to be by its errors there."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.batches.examples import Examples
from recurra.errors import RecurraWarning
from recurra.inputs.series import GivenSeries
from recurra.serving.models import interval_factors
from recurra.serving.models.forecast_model import LOG_SPREAD, ForecastModel

# With so many series a member leaves out whole ones, with fewer stretches of time of each.
SERIES_PER_MEMBER = 10
# A stretch is at least so many horizons long where the series has room for it, and a member's stretches lie all over it, so
# that none does without a season; except where they recur just once a season, which then costs each its own part of it.
HORIZONS_PER_STRETCH = 10
# Fewer numbers held out say nothing about the tenth of them that lies outside.
LEAST_HELD = 100


def shares(
    spans: np.ndarray, given: GivenSeries, members: int, horizon: int
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Return for each member the windows it learns from and those held out from it.

    No step that a member is judged on was its target; every window is held out from one member at most.

    Parameters
    ----------
    spans : ndarray of shape (windows, 2)
        Series, and step at which the horizon begins.

    Returns
    -------
    list of (ndarray, ndarray), or None
        Indices of windows. None, with a warning, if the series are too short to leave anything out.
    """
    series, begins = spans.T
    out = []
    for member in range(members):
        if len(given) >= SERIES_PER_MEMBER * members:
            held = series % members == member
            learned = ~held
        else:
            lengths = np.array([len(v) for v in given.values])[series]
            first, last = (_owner(at, lengths, members, horizon) for at in (begins, begins + horizon - 1))
            held = (first == member) & (last == member)
            learned = (first != member) & (last != member)
        out.append((np.flatnonzero(learned), np.flatnonzero(held)))
    if any(len(learned) == 0 for learned, _ in out) or sum(len(h) for _, h in out) * horizon < LEAST_HELD:
        warnings.warn(
            "Forecaster: the series are too short for members to leave a part out, so the intervals are not calibrated. "
            "Give longer series, or calibrate=False.",
            RecurraWarning,
            stacklevel=5,
        )
        return None
    return out


def _owner(at: np.ndarray, lengths: np.ndarray, members: int, horizon: int) -> np.ndarray:
    """Return the member that leaves out each step of a series: stretch after stretch, one member after the other."""
    rounds = np.maximum(lengths // (members * HORIZONS_PER_STRETCH * horizon), 1)
    return at * members * rounds // lengths % members


def learn(
    manifest: Mapping[str, Any],
    features: Any,
    weights: Mapping[str, np.ndarray],
    held: Sequence[tuple[Sequence[int], Examples]],
) -> dict[str, Any] | None:
    """Return how the intervals are to be widened.

    Parameters
    ----------
    manifest, features, weights
        Of the model, not yet calibrated.
    held : sequence of (members, Examples)
        Windows, and which members did not learn from them.

    Returns
    -------
    dict
        ``factors`` and the number of ``windows``; None if too little was held out.
    """
    outputs, truth = [], []
    for members, examples in held:
        own = {
            f"{place}.{name.partition('.')[2]}": array
            for place, member in enumerate(members)
            for name, array in weights.items()
            if name.startswith(f"{member}.")
        }
        model = ForecastModel({**manifest, "members": len(members)}, features, own)
        found = model.of_windows(list(examples.inputs))
        outputs.append(found.reshape(-1, found.shape[-1]).astype(np.float64))
        truth.append(np.asarray(examples.targets, dtype=np.float64).reshape(-1))
    if not outputs:
        return None
    numbers, true = np.concatenate(outputs), np.concatenate(truth)
    there = np.isfinite(true)
    numbers, true = numbers[there], true[there]
    if len(true) < LEAST_HELD:
        return None
    if manifest["loss"] == "gaussian":
        spread = np.exp(np.clip(numbers[:, 1], *LOG_SPREAD))
        factors = interval_factors.spread_factors((true - numbers[:, 0]) / spread)
    else:
        bare = ForecastModel(manifest, features, weights)
        factors = interval_factors.quantile_factors(numbers, bare.point(numbers), true, manifest["quantiles"])
    return {"factors": factors, "windows": sum(len(examples) for _, examples in held)}
