"""How what comes later goes on from the series a forecaster was trained on: by its dates, where there are any."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import counted, where
from recurra.errors import DataError, RecurraWarning, ShapeError
from recurra.inputs.series import (
    GivenSeries,
    check_step,
    future_of,
    ordered,
    places_of,
    read_series,
    warn_of_counts,
)
from recurra.readers.tables.series import columns_of_frame, is_dated
from recurra.readers.times.calendar import seconds_of, stamps, written
from recurra.readers.times.frequency import read_grid
from recurra.records import Dataset
from recurra.serving.models.forecast_model import ForecastModel, SeriesState

States = Sequence[SeriesState]


def tell_short(model: ForecastModel, given: GivenSeries) -> None:
    """Warn of series that are shorter than what the network reads, where its forecast counts."""
    if (model.manifest.get("statistical") or {}).get("weight") == 1:
        return
    short = [index for index, values in enumerate(given.values) if len(values) < model.context]
    if short:
        length = len(given.values[short[0]])
        warnings.warn(
            f"Forecaster: {len(short)} of {len(given)} series {'is' if len(short) == 1 else 'are'} shorter than the "
            f"{counted(model.context, 'step')} the network reads, such as {where(short[0], given.names)} of {length}; the "
            "steps before are read as missing. Give a longer history, or train with a smaller context.",
            RecurraWarning,
            stacklevel=4,
        )


def dated(model: ForecastModel, state: SeriesState, steps: int) -> dict[str, Any]:
    """Return time stamps of history and forecast, their zone and its offsets; nothing where there are no dates."""
    freq, known = model.manifest["input"]["freq"], state.known
    if not freq or known.start is None:
        return {}
    index = stamps(known.start, freq, known.zone, known.phase - known.begin, len(state.tail) + steps)
    wall = index if index.tz is None else index.tz_localize(None)
    times = wall.to_numpy()
    if (times == times.astype("datetime64[s]")).all():
        times = times.astype("datetime64[s]")
    if index.tz is None:
        return {"times": times}
    ahead = np.round(seconds_of(wall) - seconds_of(index)).astype(np.int64)
    return {"times": times, "zone": known.zone, "utc_offsets": ahead}


def next_stamp(model: ForecastModel, state: SeriesState) -> float | None:
    """Return the time stamp of the first step that is not yet seen, in seconds since 1970; None without dates."""
    freq, known = model.manifest["input"]["freq"], state.known
    if not freq or known.start is None:
        return None
    return float(seconds_of(stamps(known.start, freq, known.zone, state.phase_ahead - known.begin, 1))[0])


def known_ahead(
    model: ForecastModel, states: States, known: Any
) -> list[tuple[np.ndarray, list[str] | None]]:
    """Return what is known of each training series' steps ahead, and the names of its columns.

    Raises
    ------
    DataError, ShapeError
        If there are other columns than in training, or not one array for each series.
    """
    several = isinstance(known, list | tuple) and len(states) == len(known)
    listed = list(known) if several else [known]
    if len(listed) != len(states):
        raise DataError(
            f"Forecaster: known must have one array per training series, {len(states)}; got {len(listed)}."
        )
    trained = model.manifest["input"]
    freq, names = str(trained["freq"]), trained.get("known_names")
    out = []
    for index, (given, state) in enumerate(zip(listed, states, strict=True)):
        start = next_stamp(model, state) if freq and is_dated(given) else None
        out.append(
            future_of(f"Forecaster: known of {where(index)}", given, names, start, freq, state.known.zone)
        )
    return out


def known_next(model: ForecastModel, states: States, known: Any) -> list[tuple[np.ndarray, list[str] | None]]:
    """Return `known_ahead` of rows that must begin with the first step ahead.

    Raises
    ------
    DataError
        If rows begin with those of the history, as they did in ``fit``.
    """
    found = known_ahead(model, states, known)
    for index, ((rows, _), state) in enumerate(zip(found, states, strict=True)):
        if is_dated(known[index] if len(states) > 1 or isinstance(known, list | tuple) else known):
            continue  # placed by their dates
        _check_begins_ahead(f"Forecaster: known of {where(index)}", rows, state)
    return found


def _check_begins_ahead(place: str, rows: np.ndarray, state: SeriesState) -> None:
    seen = state.phase_ahead - state.known.begin
    held = state.known.future
    if held is None or not 0 < seen < len(rows):
        return
    real = min(seen, len(state.tail))
    own, ahead = held[len(state.tail) - real : len(state.tail)], rows[seen:]
    # Rows that come again after the history, such as days of a week, say the same wherever they begin; a stretch without
    # any holiday is like many others.
    again = np.array_equal(ahead, rows[: len(ahead)]) or bool((own == own[0]).all())
    if np.array_equal(rows[seen - real : seen], own) and not again:
        raise DataError(
            f"{place}: the first row must be of the first step ahead; these begin with the "
            f"{counted(seen, 'step')} of the history. Give known[{seen}:], or nothing where fit was told."
        )


def update(model: ForecastModel, states: States, observed: Any, known: Any) -> None:
    """Move the states on by what was observed since; see `Forecaster.update`."""
    if isinstance(observed, Dataset):
        _update_by_dataset(model, states, observed, known)
        return
    several = (
        isinstance(observed, list | tuple)
        and len(observed)
        and (is_dated(observed[0]) or np.ndim(observed[0]) > 0)
    )
    listed = [observed] if len(states) == 1 and not several else list(observed)
    if len(listed) != len(states):
        raise DataError(
            f"Forecaster.update: observed must have one array per training series, {len(states)}; got {len(listed)}."
        )
    futures = [(None, None)] * len(listed) if known is None else known_next(model, states, known)
    taken = [_observed(model, state, values) for state, values in zip(states, listed, strict=True)]
    for state, rows, (future, names) in zip(states, taken, futures, strict=True):
        model.advance(state, rows, future, names)


def _update_by_dataset(model: ForecastModel, states: States, data: Dataset, known: Any) -> None:
    """Take in the records of a table that go on from the training series."""
    later = read_series("Forecaster.update", data, trained=model.manifest["input"])
    check_same_series(model, states, "update", later)
    futures = [(k.future, None) for k in later.known] if known is None else known_next(model, states, known)
    for state, values, own, (future, names) in zip(states, later.values, later.known, futures, strict=True):
        lag = _lag(model, "update", state, own.start, own.zone)
        if lag < 0:
            raise DataError(_overlap(model, state, own.start))
        gap = np.full((lag, values.shape[1]), np.nan)
        rows = None if future is None else _with_gap(state, future, lag)
        model.advance(state, np.concatenate([gap, values]), rows, names)


def _with_gap(state: SeriesState, future: np.ndarray, lag: int) -> np.ndarray:
    """Return what is known from the next step on, of a series that begins so many steps later; NaN where it is not."""
    there = state.known.future
    between = (
        np.zeros((0, future.shape[1])) if there is None else there[len(state.tail) : len(state.tail) + lag]
    )
    return np.concatenate([between, np.full((lag - len(between), future.shape[1]), np.nan), future])


def check_same_series(model: ForecastModel, states: States, verb: str, later: GivenSeries) -> None:
    """Raise ShapeError unless these may be the training series' next steps."""
    n = model.features.n_targets
    if len(later) != len(states) or later.values[0].shape[1] != n:
        raise ShapeError(
            f"Forecaster.{verb}: X must hold what followed the {len(states)} training series, with {n} targets; got "
            f"{len(later)} series with {later.values[0].shape[1]}."
        )


def _lag(model: ForecastModel, verb: str, state: SeriesState, start: float | None, zone: str | None) -> int:
    """Return how many steps lie between the last step seen and a series that follows, below 0 for an overlap."""
    upcoming = next_stamp(model, state)
    if start is None or upcoming is None:
        return 0
    freq = model.manifest["input"]["freq"]
    index = stamps(start, freq, zone, 0, 1)
    return int(places_of(f"Forecaster.{verb}: X", index, upcoming, freq, state.known.zone)[0])


def _overlap(model: ForecastModel, state: SeriesState, start: float | None) -> str:
    upcoming, zone = next_stamp(model, state), state.known.zone
    assert start is not None
    assert upcoming is not None
    return (
        f"Forecaster.update: observed begins at {written(start, zone)}, which was seen already; the next step is "
        f"{written(upcoming, zone)}. Give the rows from there on."
    )


def _observed(model: ForecastModel, state: SeriesState, values: Any) -> np.ndarray:
    """Return observed values of one series as rows that follow the last step seen."""
    n, trained, index = model.features.n_targets, model.manifest["input"], None
    if is_dated(values):
        rows, own, index = columns_of_frame("Forecaster.update", values)
        if index is None:
            warn_of_counts("Forecaster.update: observed", values)
        if trained.get("channel_names") and len(own) > 1:
            rows = rows[:, ordered("Forecaster.update: observed", own, trained["channel_names"])]
    else:
        rows = np.asarray(values, dtype=np.float64)
        rows = rows.reshape(-1, n) if rows.ndim < 2 and (rows.size % n == 0) else rows
    if rows.ndim != 2 or rows.shape[1] != n:
        raise ShapeError(
            f"Forecaster.update: observed must have shape (steps, targets={n}); got {np.shape(values)}."
        )
    if np.isinf(rows).any():
        raise DataError("Forecaster.update: observed contains infinity. Use NaN for a missing value.")
    upcoming = next_stamp(model, state)
    if index is None or upcoming is None:
        return rows
    try:
        places = places_of("Forecaster.update: observed", index, upcoming, trained["freq"], state.known.zone)
    except DataError:
        # only where rows do not lie on the step of the training is it asked which step they have
        if len(index) > 2:
            check_step(
                "Forecaster.update", read_grid("Forecaster.update: observed", index).freq, trained["freq"]
            )
        raise
    if places[0] < 0:
        raise DataError(_overlap(model, state, float(seconds_of(index)[0])))
    spread = np.full((int(places[-1]) + 1, n), np.nan)
    spread[places] = rows
    return spread


def after(
    model: ForecastModel, states: States, later: GivenSeries, futures: list[Any]
) -> tuple[GivenSeries, list[Any]]:
    """Return what followed the steps seen, by its dates: steps seen are left out, steps between are missing.

    Raises
    ------
    DataError
        If nothing followed them.
    """
    values, ahead, seen = [], [], 0
    for index, (state, own) in enumerate(zip(states, later.known, strict=True)):
        lag = _lag(model, "evaluate", state, own.start, own.zone)
        rows, future = later.values[index], futures[index]
        if lag <= -len(rows):
            raise DataError(
                f"Forecaster.evaluate: {where(index, later.names)} holds no step after those the network has seen; the next "
                f"would be {written(next_stamp(model, state) or 0.0, own.zone)}. Give what came then."
            )
        if lag < 0:
            seen += 1
            rows, future = rows[-lag:], None if future is None else future[-lag:]
        elif lag > 0:
            rows = np.concatenate([np.full((lag, rows.shape[1]), np.nan), rows])
            future = None if future is None else _with_gap(state, future, lag)
        values.append(rows)
        ahead.append(future)
    if seen:
        warnings.warn(
            f"Forecaster.evaluate: {seen} of {len(later)} series {'begins' if seen == 1 else 'begin'} with steps the "
            "network was trained on or has seen; they are left out, only what came after is judged.",
            RecurraWarning,
            stacklevel=3,
        )
    return replace(later, values=values), ahead
