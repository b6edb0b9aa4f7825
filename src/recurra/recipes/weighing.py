"""How much of a forecast the statistical part gives and how much the network, by rolling origins inside the histories."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.checks import by_hand, counted
from recurra.features import local_clock
from recurra.features.known import Known
from recurra.inputs.series import GivenSeries
from recurra.options import ESTIMATORS, options_of
from recurra.serving.models.forecast_model import ForecastModel
from recurra.serving.statistical import dynamic_regression
from recurra.serving.statistical.smoothing import StatisticalForecast

# Options that say what is asked for, not how the network is made.
ASKED = {
    "horizon", "season", "loss", "quantiles", "calibrate", "validation_fraction", "patience", "statistical", "device",
    "callbacks", "checkpoint_dir", "checkpoint_every", "random_state", "shards", "verbose",
}  # fmt: skip
MOST_SERIES = 8  # that the weight is decided on
ORIGINS = 3
LEAST_WINDOWS = 200  # a network that learns from fewer is not tried
# The same with inputs known in advance, of which a network may read more than a regression tells.
LEAST_WINDOWS_KNOWN = 50
MOST_WINDOWS = 2000  # that the network on trial learns from, and one that has no say
# Steps that the windows of an epoch have together at most, unless those are fewer windows than the network on trial had: of
# 300,000 minutes, with 121 steps a window, a fourteenth.
STEPS_OF_EPOCH = 2_500_000
WEIGHTS = (1.0, 0.75, 0.5, 0.25, 0.0)  # of the statistical part
GAIN = 0.98  # the network's share grows only where the error falls below this share of the former


@dataclass(frozen=True)
class Trial:
    """The origins that decide.

    Parameters
    ----------
    first : list of int
        First origin of each series; the network on trial learns from what lies before.
    places : list of (int, int)
        Series and origin.
    """

    first: list[int]
    places: list[tuple[int, int]]


def wanted(estimator: Any, given: GivenSeries) -> bool:
    """Return whether there is to be a statistical part."""
    if estimator.statistical != "auto":
        return bool(estimator.statistical)
    return not _of_network(estimator) and given.values[0].shape[1] == 1


def _of_network(estimator: Any) -> list[str]:
    """Return the options of the network and its training that are set by hand."""
    options = options_of(ESTIMATORS["Forecaster"])
    values = {name: getattr(estimator, name) for name in options}
    return by_hand(values, options, [name for name in options if name not in ASKED])


def decide(
    estimator: Any,
    given: GivenSeries,
    seasons: Sequence[int],
    clock: str,
    learned: Callable[[GivenSeries, int, int], ForecastModel | None],
) -> dict[str, Any] | None:
    """Return the manifest's ``statistical``: weight, seasons, whether to search for one, and a sentence that says why.

    Parameters
    ----------
    clock : str
        Step between time stamps where seasons follow the local clock; empty where they count steps.
    learned : callable
        From series, the fewest and the most windows: a network that learned from them, or None if there are too few.
    """
    if not wanted(estimator, given):
        return None
    horizon = int(estimator.horizon)
    part = {"seasons": [int(s) for s in seasons], "search": estimator.season is None}
    part["known"] = given.known[0].future is not None
    trial = _trial(given, horizon, max(seasons, default=1))
    model = None
    least = LEAST_WINDOWS if given.known[0].future is None else LEAST_WINDOWS_KNOWN
    if trial is not None:
        history = [v[:first] for v, first in zip(given.values, trial.first, strict=True)]
        model = learned(replace(given, values=history), least, MOST_WINDOWS)
    if trial is None or model is None:
        why = f"the series are too short for a network to learn from (fewer than {least} windows before the last origins)"
        return {"weight": 1.0, **part, "sentence": _sentence(estimator, given, part, clock, 1.0, why)}
    truth, statistical, network, sizes = _tried(model, given, trial, horizon, part)
    errors = {w: float((np.abs(truth - w * statistical - (1 - w) * network) / sizes).mean()) for w in WEIGHTS}
    weight = WEIGHTS[0]
    for less in WEIGHTS[1:]:
        if errors[less] < GAIN * errors[weight]:
            weight = less
    why = (
        f"at {counted(len(trial.places), 'origin')} inside the history the statistical forecast alone erred by "
        f"{errors[1.0]:.3g}, the network alone by {errors[0.0]:.3g} and the mix by {errors[weight]:.3g} of the last value's "
        "error"
    )
    return {"weight": weight, **part, "sentence": _sentence(estimator, given, part, clock, weight, why)}


def taught(estimator: Any, weight: float, windows: int, steps: int) -> np.ndarray:
    """Return which windows a network learns from: all but where nothing was given and they are very many.

    Parameters
    ----------
    weight : float
        Of the statistical part; with 1 the network has no say and is trained for the file's sake.
    windows, steps : int
        How many there are, and the steps of each.
    """
    most = MOST_WINDOWS if weight == 1 else max(MOST_WINDOWS, STEPS_OF_EPOCH // steps)
    if estimator.statistical != "auto" or windows <= most:
        return np.arange(windows)
    return spread(windows, most)


def spread(windows: int, most: int) -> np.ndarray:
    """Return some of many windows: one of each of ``most`` equal stretches, drawn, or all might be of the same hour."""
    edges = np.linspace(0, windows, most + 1).astype(int)
    return np.random.default_rng(0).integers(edges[:-1], edges[1:])


def _trial(given: GivenSeries, horizon: int, season: int) -> Trial | None:
    """Return origins in a few series, or None where none has room for them."""
    first = [len(v) for v in given.values]
    least = max(2 * season + 1, 2 * horizon, 20)
    roomy = [i for i, v in enumerate(given.values) if len(v) - horizon >= least]
    if not roomy:
        return None
    chosen = sorted({roomy[int(at)] for at in np.linspace(0, len(roomy) - 1, min(MOST_SERIES, len(roomy)))})
    # Every series ends as many steps earlier, or the network would read of one what is to be forecast of another.
    back = min(ORIGINS, *((len(given.values[i]) - least) // horizon for i in chosen))
    first = [max(n - back * horizon, 1) for n in first]
    places = [(i, len(given.values[i]) - k * horizon) for i in chosen for k in range(back, 0, -1)]
    return Trial(first, places)


def _tried(
    model: ForecastModel, given: GivenSeries, trial: Trial, horizon: int, part: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return truth and both forecasts, shape (origins, horizon, targets), and the last value's error (origins, 1, targets).

    A missing value is as the series around it says.
    """
    states, truth, statistical, sizes = [], [], [], []
    for index, origin in trial.places:
        values, known = given.values[index], given.known[index]
        scale = model.features.scale(values[: trial.first[index]], known)
        states.append(model.at(values[:origin], known, scale, origin))
        rows = [
            _statistical(column, known, horizon, part, model.features.clock).point
            for column in values[:origin].T
        ]
        statistical.append(np.array(rows).T)
        truth.append(values[origin : origin + horizon])
        usual = np.nanmean(np.abs(values[horizon:] - values[:-horizon]), axis=0)
        sizes.append(np.where(usual > 0, usual, 1.0)[None])
    network = [
        model.restored(model.point(o), s) for o, s in zip(model.outputs(states, horizon), states, strict=True)
    ]
    true = np.stack(truth)
    there = np.isfinite(true)
    mean = np.stack(statistical)
    return np.where(there, true, mean), mean, np.where(there, np.stack(network), mean), np.stack(sizes)


def _statistical(
    column: np.ndarray, known: Known, horizon: int, part: dict[str, Any], clock: str
) -> StatisticalForecast:
    """Forecast one channel; what is not known of the steps ahead before they are asked for is as in the last row."""
    rows = known.future
    lacking = 0 if rows is None else len(column) + horizon - len(rows)
    if rows is not None and lacking > 0:
        rows = np.concatenate([rows, np.repeat(rows[-1:], lacking, axis=0)])
    words = {"seasons": part["seasons"], "search": part["search"]}
    places = local_clock.places(known, clock, len(column) + horizon)
    return dynamic_regression.forecast(column, horizon, known=rows, places=places, **words)


def _sentence(
    estimator: Any, given: GivenSeries, part: dict[str, Any], clock: str, weight: float, why: str
) -> str:
    """Return in words what is decided for good, the weight, and what at every forecast, with one instance of it."""
    if weight == 0:
        return f"Recipe: the network alone, because {why}."
    one = _statistical(given.values[0][:, 0], given.known[0], int(estimator.horizon), part, clock)
    season = f", season {one.season}" if one.season > 1 else ""
    channel = "" if given.values[0].shape[1] == 1 else ", first channel"
    end = f"at the end of the {'history' if len(given) == 1 else 'first series'}{channel}"
    share = "alone" if weight == 1 else f"with weight {weight:g}, the network with {1 - weight:g}"
    # The weight is of this model; what the statistical part is follows from each history that a forecast goes on from.
    anew = f"chosen anew from each history that is forecast from ({end}: {one.method}{season})"
    idle = ""
    if weight == 1 and given.known[0].static is not None:
        idle = " Static inputs change nothing there: each series is forecast by itself."
    if weight == 1 and (idle_options := _of_network(estimator)):
        # given beside statistical=True; "auto" leaves such a network its say
        idle += f" What is given of the network changes nothing: {', '.join(idle_options)}."
    return f"Recipe: the statistical forecast {share}, {anew}, because {why}.{idle}"
