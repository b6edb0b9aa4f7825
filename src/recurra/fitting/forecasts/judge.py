"""How a forecaster is trained on windows of its series, and judged from rolling origins."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra.batches.examples import Examples
from recurra.checks import check_number, where
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.fitting.forecasts import calibration as forecast_calibration
from recurra.fitting.forecasts import weighing as forecast_weighing
from recurra.fitting import resuming
from recurra.fitting.inputs.series import GivenSeries
from recurra.evaluation.backtest import Backtest, Origins
from recurra.evaluation.evaluation import ReportContext, installed_versions
from recurra.features.series import Known, SeriesFeatures, check_known
from recurra.readers.calendar import season_of
from recurra.serving.forecast_model import ForecastModel, SeriesState, padded, with_future

LEAST_CONTEXT = 24


def fit(estimator: Any, given: GivenSeries, *, resume: bool) -> ForecastModel:
    """Train the members on windows of the series and return them as data."""
    from recurra.nn.forecast import ForecastConfig, build
    from recurra.nn.network import to_arrays
    from recurra.training.loop import train
    from recurra.training.losses import observed

    seasons, lags, context = _settings(estimator, given)
    words = {word: getattr(estimator, word) for word in ("transform", "scaling", "seasonal")}
    for index, (values, known) in enumerate(zip(given.values, given.known, strict=True)):
        _check_first(given, index, known, len(values))
    features = SeriesFeatures.fit(given.values, given.known, seasons=seasons, lags=lags, **words)
    quantiles = [float(q) for q in estimator.quantiles] if estimator.loss == "quantile" else []
    config = ForecastConfig(
        cell=estimator.cell,
        input_size=features.input_size,
        n_targets=features.n_targets,
        horizon=int(estimator.horizon),
        hidden_size=int(estimator.hidden_size),
        n_outputs={"quantile": len(quantiles), "gaussian": 2}.get(estimator.loss, 1),
        num_layers=int(estimator.num_layers),
        dropout=float(estimator.dropout),
        n_lags=len(lags),
        level=int(estimator.level),
        highway=int(estimator.highway),
        noise=float(estimator.noise),
    )
    span = {"context": context, "horizon": config.horizon, "stride": int(estimator.stride)}
    learn, judge, spans = windows(given, features, held_out=float(estimator.validation_fraction), **span)

    def on_trial(part: GivenSeries, least: int, most: int) -> ForecastModel | None:
        """Return a network that learned from the beginnings of the series alone."""
        if len(learn) < least:
            return None
        own = SeriesFeatures.fit(part.values, part.known, seasons=seasons, lags=lags, **words)
        found, _, places = windows(part, own, held_out=0.0, **span)
        if len(places) < least:
            return None
        if len(places) > most:
            found = found.take(np.linspace(0, len(places) - 1, most).astype(int))
        network = build(config, seed=estimator.seed_)
        training = replace(_training(estimator, estimator.seed_), verbose=0)
        loss = observed(estimator.loss, quantiles)
        train(network, found, config=training, loss=loss, validation=None, shared_generator=False)
        arrays = {f"0.{name}": array for name, array in to_arrays(network).items()}
        facts = {"network": config.to_dict(), "members": 1, "context": context, "loss": estimator.loss}
        return ForecastModel({**facts, "quantiles": quantiles, "input": {}}, own, arrays)

    wanted = seasons if estimator.season is None else tuple(seasons) or (1,)
    statistical = forecast_weighing.decide(estimator, given, wanted, on_trial)
    # A network without weight is trained for the file's sake alone.
    shortened = {"max_epochs": 1} if statistical and statistical["weight"] == 1 else {}
    members, parts = int(estimator.members), None
    calibrated = bool(estimator.calibrate) and estimator.loss in ("quantile", "gaussian")
    if calibrated and members > 1 and judge is None:
        parts = forecast_calibration.shares(spans, given, members, config.horizon)
    held: list[tuple[Sequence[int], Examples]] = []
    if calibrated and judge is not None:
        held.append((range(members), judge))
    params = plain_params(estimator)
    weights: dict[str, np.ndarray] = {}
    results, history = [], list[dict[str, Any]]()
    for member in range(members):
        own = learn
        if parts is not None:
            own = learn.take(parts[member][0])
            held += [([member], learn.take(parts[member][1]))] if len(parts[member][1]) else []
        place = Member(estimator, member)
        found = resuming.find(place, resume)
        network = build(config, seed=estimator.seed_ + member)
        start, keepers = resuming.keep(place, found, params, own, judge, fitted=False)
        result = train(
            network,
            own,
            config=replace(_training(estimator, estimator.seed_ + member), **shortened),
            loss=observed(estimator.loss, quantiles),
            validation=judge,
            callbacks=[*(estimator.callbacks if member == 0 else ()), *keepers],
            start=start,
            shared_generator=False,
        )
        results.append(result)
        history = history or result.history
        weights |= {f"{member}.{name}": array for name, array in to_arrays(network).items()}
    manifest = {
        "estimator": type(estimator).__name__,
        "params": params,
        "task": "forecasting",
        "network": config.to_dict(),
        "members": members,
        "context": context,
        "loss": estimator.loss,
        "quantiles": quantiles,
        "statistical": statistical,
        "input": {
            "freq": given.freq,
            "one": given.one,
            "flat": given.flat,
            "channel_names": given.channel_names,
            "known_names": given.known_names,
            "attribute_names": given.attribute_names,
            "attributes": [None if c is None else list(c) for c in estimator.attributes_.columns],
        },
        "recurra": recurra.__version__,
        "versions": installed_versions(),
        "seed": estimator.seed_,
        "training": {
            "windows": len(learn),
            "lengths": [len(v) for v in given.values],
            "epochs": len(history),
            "best_epoch": results[0].best_epoch,
            "stopped": results[0].stopped,
            "seconds": sum(r.train_seconds for r in results),
            "history": history,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }
    manifest["calibration"] = forecast_calibration.learn(manifest, features, weights, held)
    return ForecastModel(manifest, features, weights)


def _settings(estimator: Any, given: GivenSeries) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return seasons, lags and context as numbers.

    Raises
    ------
    UsageError
        If a word does not fit the others.
    """
    who, horizon = type(estimator).__name__, int(estimator.horizon)
    if estimator.season is None:
        usual = season_of(given.freq)
        seasons: tuple[int, ...] = () if usual is None else (usual,)
    else:
        several = estimator.season if isinstance(estimator.season, list | tuple) else [estimator.season]
        seasons = tuple(int(s) for s in several if s > 1)
    lags = estimator.lags if isinstance(estimator.lags, list | tuple) else [estimator.lags]
    for lag in lags:
        if lag < horizon:
            raise UsageError(
                f"{who}: lags must be at least the horizon of {horizon} steps, or they would reach what is not yet "
                f"seen; got {lag}."
            )
    shortest = max(1, int(estimator.level), int(estimator.highway))
    context = estimator.context
    if context is None:
        context = max(2 * max(seasons[:1], default=0), horizon, LEAST_CONTEXT, shortest)
    if context < shortest:
        raise UsageError(
            f"{who}: context must be at least level and highway, {shortest}; got {context}. Read more steps, or lower them."
        )
    if estimator.loss == "quantile":
        quantiles = list(estimator.quantiles)
        if not quantiles or quantiles != sorted(set(quantiles)):
            raise UsageError(f"{who}: quantiles must rise; got {quantiles}.")
    return seasons, tuple(int(lag) for lag in lags), int(context)


def _check_first(given: GivenSeries, index: int, known: Known, steps: int) -> None:
    first = given.known[0]
    wanted = SeriesFeatures(
        n_targets=given.values[0].shape[1],
        n_known=0 if first.future is None else first.future.shape[1],
        n_static=0 if first.static is None else len(first.static),
    )
    check_known(known, steps=steps, features=wanted, index=index, name=given.names[index])


def windows(
    given: GivenSeries,
    features: SeriesFeatures,
    *,
    context: int,
    horizon: int,
    stride: int,
    held_out: float,
) -> tuple[Examples, Examples | None, np.ndarray]:
    """Return the windows to learn from, and those whose horizon lies in the newest part of each series.

    The third is where the horizons of the first begin: series and step, shape (windows, 2).

    A series shorter than context and horizon gives one window whose first steps are missing. One that has no step
    before its horizon gives none, and is named in a warning.
    """
    inputs: list[list[np.ndarray]] = [[], []]
    targets: list[list[np.ndarray]] = [[], []]
    short, spans = [], []
    for index, (values, known) in enumerate(zip(given.values, given.known, strict=True)):
        name = given.names[index]
        if len(values) <= horizon:
            short.append(where(index, given.names))
            continue
        scale = features.scale(values, known, where(index, given.names))
        scaled, moved = features.scaled(values, scale, known.phase, name or "a series"), known
        missing = context + horizon - len(values)
        if missing > 0:
            scaled, moved = padded(scaled, known, missing)
        rows = features.rows(scaled, scale, moved, ahead=0)
        first = min(context + features.reach, len(scaled) - horizon)
        border = len(values) - round(held_out * len(values)) + max(missing, 0)
        for origin in range(len(scaled) - horizon, max(first, context) - 1, -stride):
            truth = scaled[origin : origin + horizon]
            part = 0 if origin + horizon <= border else 1 if origin >= border else None
            if part is None or np.isnan(truth).all():
                continue
            inputs[part].append(rows[origin - context : origin + horizon])
            targets[part].append(truth.astype(np.float32).reshape(-1))
            if part == 0:
                spans.append((index, origin - max(missing, 0)))
    if short:
        warnings.warn(
            f"{len(short)} of {len(given)} series have no step before a horizon of {horizon} and teach nothing: "
            f"{', '.join(short[:3])}.",
            RecurraWarning,
            stacklevel=4,
        )
    if not inputs[0]:
        longest = max(len(v) for v in given.values)
        raise DataError(
            f"Forecaster: no series gives a window to learn from: the longest has {longest} steps, the horizon is "
            f"{horizon}. Give longer series or a smaller horizon."
        )
    made = [Examples(i, np.stack(t)) if i else None for i, t in zip(inputs, targets, strict=True)]
    assert made[0] is not None
    return made[0], made[1], np.array(spans)


class Member:
    """Where a member's checkpoints are."""

    def __init__(self, estimator: Any, member: int) -> None:
        folder = estimator.checkpoint_dir
        if folder is not None and member:
            folder = Path(folder) / f"member-{member}"
            folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint_dir = folder
        self.seed_ = estimator.seed_ + member


def _training(estimator: Any, seed: int) -> Any:
    from recurra.training.config import TrainingConfig

    words = (
        "max_epochs", "batch_size", "optimizer", "learning_rate", "lr_schedule", "weight_decay", "grad_clip",
        "patience", "device", "verbose",
    )  # fmt: skip
    return TrainingConfig(**{word: getattr(estimator, word) for word in words}, seed=seed)


def plain_params(estimator: Any) -> dict[str, Any]:
    """Return the words a file can hold."""
    from recurra.estimators.base import plain_params as plain

    params = plain(estimator.get_params(deep=False))
    return {name: list(v) if isinstance(v, tuple) else v for name, v in params.items()}


# --------------------------------------------------------------------- judge


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
                f"Forecaster.backtest: {where(index, given.names)} must be longer than the {test} steps tested; "
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
        past = model.features.restored(state.tail, state.scale, state.known.phase)
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
        context=_told(model, context),
    )


def _told(model: ForecastModel, context: ReportContext | None) -> ReportContext:
    manifest = model.manifest
    network = manifest["network"]
    size = sum(int(w.size) for w in model.weights.values())
    words = (
        f"{manifest['members']} member{'s' if manifest['members'] > 1 else ''}: {network['cell'].upper()} encoder and "
        f"decoder of {network['hidden_size']} units, context {manifest['context']}, horizon {network['horizon']}, "
        f"{size:,} weights"
    )
    if manifest.get("calibration"):
        words += f"; intervals calibrated on {manifest['calibration']['windows']:,} windows held out"
    if manifest.get("statistical"):
        words += f". {manifest['statistical']['sentence']}"
    return replace(
        context or ReportContext(title=manifest["estimator"]),
        history=manifest["training"]["history"],
        best_epoch=manifest["training"]["best_epoch"],
        seed=manifest["seed"],
        versions=manifest["versions"],
        network=words,
        parameters=manifest["params"],
    )
