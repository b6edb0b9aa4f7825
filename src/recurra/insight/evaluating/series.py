"""A forecaster judged from rolling origins."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import check_number, counted, where
from recurra.errors import DataError
from recurra.evaluation.report.context import ReportContext, report_context
from recurra.evaluation.results.backtest import Backtest, Origins
from recurra.features import local_clock
from recurra.inputs.series import GivenSeries
from recurra.readers.times.calendar import stamps
from recurra.serving.models.forecast_model import ForecastModel, SeriesState, with_future


def backtest(
    model: ForecastModel,
    given: GivenSeries,
    *,
    test: int,
    horizon: int | None,
    step: int | None,
    coverage: float,
    context: ReportContext | None = None,
) -> Backtest:
    """Forecast the end of whole series from rolling origins; see `Forecaster.backtest`."""
    check_number("Forecaster.backtest", "test", test, integer=True, low=1)
    for index, values in enumerate(given.values):
        if len(values) <= test:
            raise DataError(
                f"Forecaster.backtest: {where(index, given.names)} must be longer than the {counted(test, 'step')} tested; "
                f"got {len(values)}."
            )
    scales = [
        model.features.scale(v[:-test], k, n or "a series")
        for v, k, n in zip(given.values, given.known, given.names, strict=True)
    ]
    firsts = [len(v) - test for v in given.values]
    return _roll(model, given, scales, firsts, horizon, step, coverage, context)


def judge_after(
    model: ForecastModel,
    states: Sequence[SeriesState],
    later: GivenSeries,
    futures: Sequence[Any],
    *,
    horizon: int | None,
    step: int | None,
    context: ReportContext | None,
) -> Backtest:
    """Forecast what followed the states' series."""
    values, known = [], []
    for state, more, future in zip(states, later.values, futures, strict=True):
        past = model.features.restored(state.tail, state.scale, state.known)
        values.append(np.concatenate([past, more]))
        own = state.known
        known.append(own if future is None else with_future(own, len(state.tail), future))
    whole = replace(later, values=values, known=known, names=[s.name for s in states])
    firsts = [len(s.tail) for s in states]
    coverage = 0.8
    return _roll(model, whole, [s.scale for s in states], firsts, horizon, step, coverage, context)


def _roll(
    model: ForecastModel,
    given: GivenSeries,
    scales: Sequence[Any],
    firsts: Sequence[int],
    horizon: int | None,
    step: int | None,
    coverage: float,
    context: ReportContext | None,
) -> Backtest:
    steps = model.horizon if horizon is None else horizon
    check_number("Forecaster.backtest", "horizon", steps, integer=True, low=1)
    check_number("Forecaster.backtest", "step", 1 if step is None else step, integer=True, low=1)
    intervals = model.manifest["loss"] in ("quantile", "gaussian")
    states, places = [], []
    for index, (values, known, first) in enumerate(zip(given.values, given.known, firsts, strict=True)):
        for origin in range(first, len(values) - steps + 1, step or steps):
            # Only what lies before the origin is handed over, so that nothing after it can be read.
            state = model.at(values[:origin], known, scales[index], origin, name=given.names[index])
            states.append(state)
            places.append((index, origin))
    if not states:
        raise DataError(
            f"Forecaster.backtest: the part tested has fewer steps than the horizon of {steps}. "
            "Give more steps, or a smaller horizon."
        )
    outputs = model.outputs(states, steps)
    points = [model.restored(model.point(o), s) for o, s in zip(outputs, states, strict=True)]
    low = high = None
    if intervals:
        bands = [
            model.restored(model.shares(o, [(1 - coverage) / 2, (1 + coverage) / 2]), s)
            for o, s in zip(outputs, states, strict=True)
        ]
        low, high = np.stack([b[..., 0] for b in bands]), np.stack([b[..., 1] for b in bands])
    origins = Origins(
        series=np.array([i for i, _ in places]),
        places=np.array([o for _, o in places]),
        truth=np.stack([given.values[i][o : o + steps] for i, o in places]),
        point=np.stack(points),
        low=low,
        high=high,
    )
    names = [n or str(i) for i, n in enumerate(given.names)]
    return Backtest.made(
        given.values,
        origins,
        season=max(model.features.seasons, default=1),
        coverage=coverage if intervals else None,
        names=names,
        target_names=model.manifest["input"]["channel_names"],
        context=report_context(model.manifest, context, _in_words(model)),
        times=[_stamps(given, index) for index in range(len(given))],
        clocks=[
            local_clock.places(known, model.features.clock, len(values))
            for values, known in zip(given.values, given.known, strict=True)
        ],
    )


def _stamps(given: GivenSeries, index: int) -> np.ndarray | None:
    """Return the time stamps of a series, as the clock of its zone shows them; None where there are none."""
    known = given.known[index]
    if not given.freq or known.start is None:
        return None
    dates = stamps(known.start, given.freq, known.zone, known.phase - known.begin, len(given.values[index]))
    return np.asarray(dates.tz_localize(None), dtype="datetime64[s]")


def _in_words(model: ForecastModel) -> str:
    """Return the network in one sentence."""
    manifest = model.manifest
    network = manifest["network"]
    size = sum(int(w.size) for w in model.weights.values())
    words = (
        f"{manifest['members']} member{'s' if manifest['members'] > 1 else ''}: {network['cell'].upper()} encoder and "
        f"decoder of {counted(network['hidden_size'], 'unit')}, context {manifest['context']}, horizon "
        f"{network['horizon']}, {size:,} weights"
    )
    if manifest.get("calibration"):
        words += f"; intervals calibrated on {manifest['calibration']['windows']:,} windows held out"
    if manifest.get("statistical"):
        words += f". {manifest['statistical']['sentence']}"
    if manifest.get("clock"):
        words += f"{'' if words.endswith('.') else '.'} {manifest['clock']}"
    return words
