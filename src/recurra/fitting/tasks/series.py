"""The next steps of series: how a forecaster is trained on windows of their histories."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from recurra.batches.examples import Examples
from recurra.checks import counted, where
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.features.known import Known
from recurra.features.series import SeriesFeatures, check_known
from recurra.fitting import overlap
from recurra.fitting.manifest import kept_lengths, origin, plain_params, trained_members
from recurra.fitting.task import Member, Prepared, Start, Task, TrainingData
from recurra.fitting.train_member import training_config
from recurra.inputs import later_series
from recurra.inputs.request import Request
from recurra.inputs.series import Attributes, GivenSeries, read_series
from recurra.inputs.targets import rising_quantiles
from recurra.options import ForecasterOptions
from recurra.readers.times.calendar import seasons_of
from recurra.recipes import interval_calibration, local_clock, weighing
from recurra.serving.models.forecast_model import ForecastModel, padded
from recurra.serving.statistical import smoothing

LEAST_CONTEXT = 24
MOST_LOOKED_AT = 100  # series that are asked whether they have a week beside the day


@dataclass(frozen=True)
class SeriesTask(Task):
    """Members that forecast windows of one series or many."""

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the series, their attributes as numbers."""
        given = read_series(start.who, request.X, request.known, request.static)
        estimator.attributes_ = attributes = Attributes.fit([k.static for k in given.known])
        return TrainingData(encoded(given, attributes), given.values, attributes)

    def prepare(self, options: ForecasterOptions, data: TrainingData, start: Start) -> Prepared:
        """Cut windows, weigh the statistical forecast, and describe networks and model."""
        from recurra.training.losses import observed

        given: GivenSeries = data.given
        plan = _Plan.made(options, given)
        features = plan.features(options, given) if start.fitted is None else start.fitted.features
        config = plan.network(options, features)
        learn, judge, spans = plan.windows(given, features, held_out=float(options.validation_fraction))
        loss = observed(options.loss, plan.quantiles)
        trial = partial(_on_trial, options, start, plan, config, loss, len(learn))
        wanted = plan.seasons if options.season is None else plan.seasons or (1,)
        statistical = weighing.decide(options, given, wanted, features.clock, trial)
        if statistical is not None:
            kept = weighing.taught(options, statistical["weight"], len(learn), plan.context + plan.horizon)
            learn, spans = learn.take(kept), spans[kept]
        count = int(options.members)
        parts, held = _held(options, count, learn, judge, spans, given)
        params = plain_params(options)

        def model(members: Sequence[Member]) -> ForecastModel:
            manifest = {
                **origin(start),
                "params": params,
                "task": "forecasting",
                "network": config.to_dict(),
                "members": len(members),
                "context": plan.context,
                "loss": options.loss,
                "quantiles": plan.quantiles,
                "statistical": statistical,
                "clock": plan.clock[1],
                "input": _input(given, data.target),
                "training": {
                    "windows": len(learn),
                    "lengths": kept_lengths([len(v) for v in given.values]),
                    **trained_members(members),
                },
            }
            weights = {
                f"{number}.{name}": array
                for number, member in enumerate(members)
                for name, array in member.weights.items()
            }
            manifest["calibration"] = interval_calibration.learn(manifest, features, weights, held)
            return ForecastModel(manifest, features, weights)

        return Prepared(
            examples=learn,
            validation=judge,
            build=partial(_build, config, start),
            loss=loss,
            model=model,
            params=params,
            parts=parts,
            # A network without weight is trained for the file's sake alone.
            max_epochs=1 if statistical and statistical["weight"] == 1 else None,
            members=count,
        )

    def remember(self, estimator: Any, data: TrainingData, start: Start) -> None:
        """Keep where the series stand, and digests of all their stretches."""
        given: GivenSeries = data.given
        estimator.states_ = [
            estimator.model_.begin(v, k, n)
            for v, k, n in zip(given.values, given.known, given.names, strict=True)
        ]
        estimator.one_series_, estimator.flat_ = given.one, given.flat
        overlap.remember(estimator, data.contents, resume=start.fitted is not None, series=True)
        later_series.tell_short(estimator.model_, given)


def _build(config: Any, start: Start, number: int) -> Any:
    """Return a member with its first weights, or those to go on from."""
    import torch

    from recurra.nn.networks.forecast_network import build

    network = build(config, seed=start.seed + number)
    if start.fitted is not None:
        own = start.fitted.weights_of(number)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in own.items()})
    return network


def encoded(given: GivenSeries, attributes: Attributes) -> GivenSeries:
    """Return the series with their attributes as numbers."""
    return replace(given, known=[replace(k, static=attributes.encode(k.static)) for k in given.known])


def _input(given: GivenSeries, attributes: Attributes) -> dict[str, Any]:
    """Return what the model file keeps of how series are given."""
    return {
        "freq": given.freq,
        "one": given.one,
        "flat": given.flat,
        "channel_names": given.channel_names,
        "known_names": given.known_names,
        "attribute_names": given.attribute_names,
        "attributes": [None if c is None else list(c) for c in attributes.columns],
    }


def _held(
    options: ForecasterOptions,
    members: int,
    learn: Examples,
    judge: Examples | None,
    spans: np.ndarray,
    given: GivenSeries,
) -> tuple[list[np.ndarray] | None, list[tuple[Sequence[int], Examples]]]:
    """Return which windows each member learns from, None for all, and which it is judged on for the intervals."""
    if not options.calibrate or options.loss not in ("quantile", "gaussian"):
        return None, []
    if judge is not None:
        return None, [(range(members), judge)]
    shares = interval_calibration.shares(spans, given, members, int(options.horizon)) if members > 1 else None
    if shares is None:
        return None, []
    held = [([number], learn.take(left)) for number, (_, left) in enumerate(shares) if len(left)]
    return [learned for learned, _ in shares], held  # type: ignore[return-value] # a list of one is a sequence


def _on_trial(
    options: ForecasterOptions,
    start: Start,
    plan: "_Plan",
    config: Any,
    loss: Any,
    windows: int,
    part: GivenSeries,
    least: int,
    most: int,
) -> ForecastModel | None:
    """Return a network that learned from the beginnings of the series alone; None if they give fewer than ``least``."""
    from recurra.nn.networks.forecast_network import build
    from recurra.nn.networks.sequence_network import to_arrays
    from recurra.training.loop import train

    if windows < least:
        return None
    features = plan.features(options, part)
    found, _, places = plan.windows(part, features, held_out=0.0)
    if len(places) < least:
        return None
    if len(places) > most:
        found = found.take(weighing.spread(len(places), most))
    network = build(config, seed=start.seed)
    training = replace(training_config(options, start.seed), verbose=0)
    train(network, found, config=training, loss=loss, validation=None, shared_generator=False)
    arrays = {f"0.{name}": array for name, array in to_arrays(network).items()}
    facts = {"network": config.to_dict(), "members": 1, "context": plan.context, "loss": options.loss}
    return ForecastModel({**facts, "quantiles": plan.quantiles, "input": {}}, features, arrays)


@dataclass(frozen=True)
class _Plan:
    """Seasons, lags, context and quantiles as numbers, and what follows from them.

    ``clock`` is the step where seasons follow the local clock, else empty, and the sentence that says why.
    """

    horizon: int
    stride: int
    seasons: tuple[int, ...]
    lags: tuple[int, ...]
    context: int
    quantiles: list[float]
    clock: tuple[str, str]

    @classmethod
    def made(cls, options: ForecasterOptions, given: GivenSeries) -> "_Plan":
        """Return the plan for these series.

        Raises
        ------
        UsageError
            If an option does not fit the others.
        """
        who, horizon = type(options).__name__, int(options.horizon)
        if options.season is None:
            seasons = _seen(seasons_of(given.freq), given)
        else:
            several = [options.season] if isinstance(options.season, int | np.integer) else options.season
            seasons = tuple(int(s) for s in several if s > 1)
        if options.seasonal == "adjust" and not seasons:
            raise UsageError(
                f"{who}: seasonal='adjust' takes a season out, and none is known of these series; got "
                f"season={options.season!r}. Give its steps as season=, or leave seasonal= out."
            )
        lags = [options.lags] if isinstance(options.lags, int | np.integer) else options.lags
        for lag in lags:
            if lag < horizon:
                raise UsageError(
                    f"{who}: lags must be at least the horizon of {counted(horizon, 'step')}, or they would reach what is "
                    f"not yet seen; got {lag}."
                )
        shortest = max(1, int(options.level), int(options.highway))
        context = options.context
        if context is None:
            context = max(2 * max(seasons[:1], default=0), horizon, LEAST_CONTEXT, shortest)
        if context < shortest:
            raise UsageError(
                f"{who}: context must be at least level and highway, {shortest}; got {context}. Read more steps, or "
                "lower them."
            )
        quantiles = rising_quantiles(options, who)
        for index, (values, known) in enumerate(zip(given.values, given.known, strict=True)):
            _check_first(given, index, known, len(values))
        clock = local_clock.decide(given, seasons)
        reach = tuple(int(lag) for lag in lags)
        return cls(horizon, int(options.stride), seasons, reach, int(context), quantiles, clock)

    def features(self, options: ForecasterOptions, given: GivenSeries) -> SeriesFeatures:
        """Learn how series are scaled."""
        words = {word: getattr(options, word) for word in ("transform", "scaling", "seasonal")}
        words |= {"seasons": self.seasons, "lags": self.lags, "clock": self.clock[0]}
        return SeriesFeatures.fit(given.values, given.known, **words)

    def network(self, options: ForecasterOptions, features: SeriesFeatures) -> Any:
        """Describe the network of a member."""
        from recurra.nn.networks.forecast_network import ForecastConfig

        return ForecastConfig(
            cell=options.cell,
            input_size=features.input_size,
            n_targets=features.n_targets,
            horizon=self.horizon,
            hidden_size=int(options.hidden_size),
            n_outputs={"quantile": len(self.quantiles), "gaussian": 2}.get(options.loss, 1),
            num_layers=int(options.num_layers),
            dropout=float(options.dropout),
            n_lags=len(self.lags),
            level=int(options.level),
            highway=int(options.highway),
            noise=float(options.noise),
        )

    def windows(
        self, given: GivenSeries, features: SeriesFeatures, *, held_out: float
    ) -> tuple[Examples, Examples | None, np.ndarray]:
        """Return the windows to learn from, and those whose horizon lies in the newest part of each series.

        The third is where the horizons of the first begin: series and step, shape (windows, 2).

        A series shorter than context and horizon gives one window whose first steps are missing. One that has no step
        before its horizon gives none, and is named in a warning.
        """
        context, horizon = self.context, self.horizon
        inputs: list[list[np.ndarray]] = [[], []]
        targets: list[list[np.ndarray]] = [[], []]
        short, spans = [], []
        for index, (values, known) in enumerate(zip(given.values, given.known, strict=True)):
            name = given.names[index]
            if len(values) <= horizon:
                short.append(where(index, given.names))
                continue
            scale = features.scale(values, known, where(index, given.names))
            scaled, moved = features.scaled(values, scale, known, name or "a series"), known
            missing = context + horizon - len(values)
            if missing > 0:
                scaled, moved = padded(scaled, known, missing)
            rows = features.rows(scaled, scale, moved, ahead=0)
            first = min(context + features.reach, len(scaled) - horizon)
            border = len(values) - round(held_out * len(values)) + max(missing, 0)
            for start in range(len(scaled) - horizon, max(first, context) - 1, -self.stride):
                truth = scaled[start : start + horizon]
                part = 0 if start + horizon <= border else 1 if start >= border else None
                if part is None or np.isnan(truth).all():
                    continue
                inputs[part].append(rows[start - context : start + horizon])
                targets[part].append(truth.astype(np.float32).reshape(-1))
                if part == 0:
                    spans.append((index, start - max(missing, 0)))
        if short:
            warnings.warn(
                f"{len(short)} of {len(given)} series {'has' if len(short) == 1 else 'have'} no step before a horizon of "
                f"{horizon} and {'teaches' if len(short) == 1 else 'teach'} nothing: "
                f"{', '.join(short[:3])}.",
                RecurraWarning,
                stacklevel=5,
            )
        if not inputs[0]:
            longest = max(len(v) for v in given.values)
            raise DataError(
                f"Forecaster: no series gives a window to learn from: the longest has {counted(longest, 'step')}, the "
                f"horizon is {horizon}. Give longer series or a smaller horizon."
            )
        learn, judge = (Examples(i, np.stack(t)) if i else None for i, t in zip(inputs, targets, strict=True))
        assert learn is not None
        return learn, judge, np.array(spans)


def _seen(usual: tuple[int, ...], given: GivenSeries) -> tuple[int, ...]:
    """Return the first of the usual seasons, and of the longer ones those that at least half of the series show."""
    columns = [column for values in given.values[:MOST_LOOKED_AT] for column in values.T]
    seen = [
        longer
        for longer in usual[1:]
        if 2 * sum(smoothing.recurs(c, usual[0], longer) for c in columns) >= len(columns)
    ]
    return (*usual[:1], *seen)


def _check_first(given: GivenSeries, index: int, known: Known, steps: int) -> None:
    first = given.known[0]
    wanted = SeriesFeatures(
        n_targets=given.values[0].shape[1],
        n_known=0 if first.future is None else first.future.shape[1],
        n_static=0 if first.static is None else len(first.static),
    )
    check_known(known, steps=steps, features=wanted, index=index, name=given.names[index])
