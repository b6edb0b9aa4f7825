"""The next steps of series."""

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from recurra.checks import check_number
from recurra.errors import DataError, ShapeError, UsageError
from recurra.estimators import forecast_fitting
from recurra.estimators.base import NotFittedError, _seed
from recurra.estimators.series_inputs import Attributes, GivenSeries, read_series
from recurra.estimators.words import check_params, from_file
from recurra.evaluation.backtest import Backtest
from recurra.evaluation.forecast import Forecast
from recurra.records import Dataset
from recurra.serving.forecast_model import ForecastModel, SeriesState, with_future


class Forecaster(BaseEstimator):
    """Recurrent network that forecasts one series, or many with one set of weights.

    Parameters
    ----------
    horizon : int, default=1
        Steps forecast at once. More are forecast in a closed loop, the forecasts taking the place of what is not yet
        seen; with ``horizon=1`` that is the classical recursive forecast.
    context : int or None, default=None
        Last steps the network reads; None is two seasons, at least the horizon and 24. A shorter series is read as one
        whose first steps are missing.
    season : int, sequence of int or None, default=None
        Steps of a season, or of several, the main one first. None takes what is usual for the frequency of the time
        stamps (12 for months), where there are any; 1 says there is none.
    seasonal : {"inputs", "adjust", "none"}, default="inputs"
        The place in each season as inputs; or the first season is taken out of each series before the network sees it
        and put back into the forecast; or neither.
    lags : int or sequence of int, default=()
        Values this many steps before stand beside every step, those ahead included; at least ``horizon``.
    transform : {"none", "log"}, default="none"
        Before scaling; "log" is for positive values whose errors grow with their size.
    scaling : {"zscore", "robust", "common", "none"}, default="zscore"
        Of each series by its own history, or one scale for all.
    level : int, default=0
        Each window counts from the mean of its last so many values, so that the forecast follows a level that moves;
        0 leaves it out.
    highway : int, default=0
        Last values that also reach the forecast in a straight line; 0 for none.
    loss : {"mae", "mse", "gaussian", "quantile"}, default="mae"
        What is minimised; "gaussian" and "quantile" give intervals.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        With loss="quantile".
    members : int, default=1
        Networks trained from different first weights, whose mean is the forecast.
    calibrate : bool, default=True
        With a loss that gives intervals, make them as wide as the errors on held out values say (conformal
        calibration). Held out is the ``validation_fraction``; without it, and with several ``members``, a part of the
        history from each member, another one for each. With one member and no validation there is nothing to judge
        by, and intervals stay as they were trained: usually too narrow.
    stride : int, default=1
        Steps between the training windows of a series.
    noise : float, default=0.0
        Deviation of noise added to the values read while training, in scaled units; steadies a closed loop.
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell of encoder and decoder.
    hidden_size : int, default=32
        Hidden units.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass, default="adam"
        How weights are changed.
    learning_rate : float, default=0.003
        Its step.
    lr_schedule : {"constant", "step", "cosine", "plateau", "onecycle", "warmup"} or dict, default="cosine"
        How the learning rate changes.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_epochs : int, default=20
        Passes over the training windows at most.
    batch_size : int, default=64
        Windows per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    validation_fraction : float, default=0.0
        Share of each series, its newest part, held out for early stopping. Off by default: the newest part is what a
        forecast depends on most.
    patience : int or None, default=10
        Epochs without a better validation loss before training stops; the best weights are kept.
    callbacks : sequence of recurra.training.callbacks.Callback, default=()
        Called during training.
    checkpoint_dir : path or None, default=None
        Folder for checkpoints of the training; ``fit(..., resume=True)`` goes on from the newest.
    device : str, default="cpu"
        torch device to train on; prediction is on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Decides everything random; global generators are never touched.
    verbose : {0, 1, 2}, default=1
        Silent; a progress line on a terminal; one log line per epoch.

    Attributes
    ----------
    model_ : ForecastModel
        The trained networks as data; forecasts without torch.
    states_ : list of SeriesState
        Where the training series stand; `update` moves them on.
    calibration_ : dict or None
        By how much the intervals were moved (``factors``) and the number of held out ``windows`` that says so.
    history_ : list of dict
        One flat record per epoch, of the first member.

    Examples
    --------
    >>> import numpy as np, recurra
    >>> wave = np.sin(np.arange(200) / 4)
    >>> f = recurra.Forecaster(horizon=4, max_epochs=2, random_state=0, verbose=0).fit(wave)
    >>> f.predict(horizon=10).shape
    (10,)
    """

    def __init__(
        self,
        *,
        horizon: int = 1,
        context: int | None = None,
        season: int | Sequence[int] | None = None,
        seasonal: str = "inputs",
        lags: int | Sequence[int] = (),
        transform: str = "none",
        scaling: str = "zscore",
        level: int = 0,
        highway: int = 0,
        loss: str = "mae",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        members: int = 1,
        calibrate: bool = True,
        stride: int = 1,
        noise: float = 0.0,
        cell: str = "lstm",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: float = 0.003,
        lr_schedule: Any = "cosine",
        weight_decay: float = 0.0,
        max_epochs: int = 20,
        batch_size: int = 64,
        grad_clip: float | None = 1.0,
        validation_fraction: float = 0.0,
        patience: int | None = 10,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.horizon = horizon
        self.context = context
        self.season = season
        self.seasonal = seasonal
        self.lags = lags
        self.transform = transform
        self.scaling = scaling
        self.level = level
        self.highway = highway
        self.loss = loss
        self.quantiles = quantiles
        self.members = members
        self.calibrate = calibrate
        self.stride = stride
        self.noise = noise
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fit

    def fit(
        self, X: Any, y: Any = None, *, known: Any = None, static: Any = None, resume: bool = False
    ) -> Self:
        """Train on the history of one or many series.

        Parameters
        ----------
        X : Dataset of kind "series", ndarray of shape (time,), or list of ndarray of shape (time,) or (time, targets)
            NaN where a value is missing. A two-dimensional array holds one series a row.
        y : ignored
            There for scikit-learn's tools.
        known : ndarray, or list of ndarray of shape (time or more, columns), optional
            What is known in advance of every step, from the first on; rows beyond the history serve `predict`.
        static : array-like of shape (series, attributes), optional
            Attributes of each series, numbers or text.
        resume : bool, default=False
            Go on from the newest checkpoint in ``checkpoint_dir``, or from the beginning if there is none yet.

        Raises
        ------
        DataError, ShapeError, UsageError
            Naming the value that cannot be used.
        TrainingError
            If the loss stops being finite.
        """
        who = type(self).__name__
        check_params(who, self.get_params(deep=False))
        given = read_series(who, X, known, static)
        self.seed_ = _seed(self.random_state)
        self.attributes_ = Attributes.fit([k.static for k in given.known])
        given = self._encoded(given)
        self.model_ = forecast_fitting.fit(self, given, resume=resume)
        self._learned()
        self.states_ = [
            self.model_.begin(v, k, n) for v, k, n in zip(given.values, given.known, given.names, strict=True)
        ]
        self.one_series_, self.flat_ = given.one, given.flat
        return self

    def _encoded(self, given: GivenSeries) -> GivenSeries:
        from dataclasses import replace

        known = [replace(k, static=self.attributes_.encode(k.static)) for k in given.known]
        return replace(given, known=known)

    def _learned(self) -> None:
        training = self.model_.manifest["training"]
        self.history_, self.best_epoch_ = training["history"], training["best_epoch"]
        self.seed_ = self.model_.manifest["seed"]
        self.calibration_ = self.model_.manifest.get("calibration")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training data first."
            )

    # ------------------------------------------------------------- forecast

    def predict(
        self, X: Any = None, *, horizon: int | None = None, known: Any = None, static: Any = None
    ) -> Any:
        """Forecast the next steps.

        Parameters
        ----------
        X : as in ``fit``, or int, optional
            Histories to forecast from; by default the training series, as far as `update` has moved them. A number is
            the horizon.
        horizon : int, optional
            Steps; the constructor's by default. Beyond it the forecast is a closed loop.
        known : ndarray or list of ndarray, optional
            With X as in ``fit``; without, what is known of the steps ahead: shape (horizon, columns).
        static : array-like, optional
            With X, as in ``fit``.

        Returns
        -------
        ndarray of shape (horizon,) or (horizon, targets), or a list of them
            As the series were given: one, or several.
        """
        states, steps, one, flat = self._states(X, horizon, known, static)
        outputs = self.model_.outputs(states, steps)
        points = [self.model_.restored(self.model_.point(o), s) for o, s in zip(outputs, states, strict=True)]
        points = [p[:, 0] if flat else p for p in points]
        return points[0] if one else points

    def forecast(
        self,
        X: Any = None,
        *,
        horizon: int | None = None,
        known: Any = None,
        static: Any = None,
        coverage: float = 0.8,
    ) -> Any:
        """Forecast with intervals.

        Parameters
        ----------
        X, horizon, known, static
            As in `predict`.
        coverage : float, default=0.8
            Share of the truth that shall lie inside.

        Returns
        -------
        Forecast, or list of Forecast
            ``.point``, ``.low``, ``.high``, ``.times``, ``.plot()``.
        """
        check_number(
            "Forecaster.forecast", "coverage", coverage, low=0, high=1, low_open=True, high_open=True
        )
        states, steps, one, _ = self._states(X, horizon, known, static)
        outputs = self.model_.outputs(states, steps)
        made = [self._forecast(state, o, coverage) for state, o in zip(states, outputs, strict=True)]
        return made[0] if one else made

    def _forecast(self, state: SeriesState, outputs: np.ndarray, coverage: float) -> Forecast:
        model = self.model_
        low = high = None
        if model.manifest["loss"] in ("quantile", "gaussian"):
            shares = model.shares(outputs, [(1 - coverage) / 2, (1 + coverage) / 2])
            both = model.restored(shares, state)
            low, high = both[..., 0], both[..., 1]
        point = model.restored(model.point(outputs), state)
        phase = state.known.phase
        return Forecast(
            point=point,
            low=low,
            high=high,
            coverage=coverage if low is not None else None,
            history=model.features.restored(state.tail, state.scale, phase),
            name=state.name or "",
            times=self._times(state, len(point)),
            target_names=model.manifest["input"]["channel_names"],
        )

    def _times(self, state: SeriesState, steps: int) -> np.ndarray | None:
        freq = self.model_.manifest["input"]["freq"]
        if not freq:
            return None
        from recurra.readers.calendar import time_at

        offset = np.timedelta64(round(state.known.offset), "s")
        return time_at(state.known.phase + np.arange(len(state.tail) + steps), freq) + offset

    def _states(
        self, X: Any, horizon: int | None, known: Any, static: Any
    ) -> tuple[list[SeriesState], int, bool, bool]:
        self._check_fitted()
        if isinstance(X, int | np.integer) and not isinstance(X, bool):
            if horizon is not None:
                raise UsageError("Forecaster: the horizon is given twice. Give horizon= alone.")
            X, horizon = None, int(X)
        steps = self.model_.horizon if horizon is None else horizon
        if X is None:
            states = self.states_
            if known is not None:
                states = [
                    SeriesState(s.scale, s.tail, with_future(s.known, len(s.tail), f), s.name)
                    for s, f in zip(states, self._each(known), strict=True)
                ]
            return states, steps, self.one_series_, self.flat_
        given = self._read(X, known, static)
        states = [
            self.model_.begin(v, k, n) for v, k, n in zip(given.values, given.known, given.names, strict=True)
        ]
        return states, steps, given.one, given.flat and self.flat_

    def _read(self, X: Any, known: Any = None, static: Any = None) -> GivenSeries:
        who = type(self).__name__
        given = self._encoded(read_series(who, X, known, static))
        wanted = self.model_.features.n_targets
        if given.values[0].shape[1] != wanted:
            raise ShapeError(
                f"{who}: X must have the {wanted} targets of the training series; got {given.values[0].shape[1]}."
            )
        return given

    def _each(self, known: Any) -> list[Any]:
        listed = known if isinstance(known, list | tuple) and len(self.states_) == len(known) else [known]
        if len(listed) != len(self.states_):
            raise DataError(
                f"Forecaster: known must have one array per training series, {len(self.states_)}; got {len(listed)}."
            )
        return list(listed)

    def update(self, observed: Any, *, known: Any = None) -> Self:
        """Take in what was observed since: the state moves on, nothing is trained, the scale stays.

        Parameters
        ----------
        observed : ndarray of shape (steps,) or (steps, targets), number, or list of ndarray
            The next values of each training series; NaN where missing.
        known : ndarray or list of ndarray, optional
            What is known from the first of these steps on, where `fit` was not told.
        """
        self._check_fitted()
        one = len(self.states_) == 1 and not (isinstance(observed, list | tuple) and np.ndim(observed[0]) > 0)
        listed = [observed] if one else list(observed)
        if len(listed) != len(self.states_):
            raise DataError(
                f"Forecaster.update: observed must have one array per training series, {len(self.states_)}; "
                f"got {len(listed)}."
            )
        n = self.model_.features.n_targets
        futures = [None] * len(listed) if known is None else self._each(known)
        for state, values, future in zip(self.states_, listed, futures, strict=True):
            rows = np.asarray(values, dtype=np.float64)
            rows = rows.reshape(-1, n) if rows.ndim < 2 and (rows.size % n == 0) else rows
            if rows.ndim != 2 or rows.shape[1] != n:
                raise ShapeError(
                    f"Forecaster.update: observed must have shape (steps, targets={n}); got {np.shape(values)}."
                )
            if np.isinf(rows).any():
                raise DataError("Forecaster.update: observed contains infinity. Use NaN for a missing value.")
            self.model_.advance(state, rows, future)
        return self

    # ---------------------------------------------------------------- judge

    def backtest(
        self,
        X: Any,
        *,
        test: int,
        horizon: int | None = None,
        step: int | None = None,
        known: Any = None,
        static: Any = None,
        coverage: float = 0.8,
    ) -> Backtest:
        """Forecast from rolling origins in the last ``test`` steps of whole series, without training again.

        The scale of a series is learned before the first origin; a forecast reads nothing at or after its own.

        Parameters
        ----------
        X, known, static : as in ``fit``
            Whole series, their end being what is judged on.
        test : int
            Steps at the end of each series.
        horizon : int, optional
            Steps of each forecast; the constructor's by default.
        step : int, optional
            Steps between origins; the horizon by default.
        coverage : float, default=0.8
            Of the intervals, where the model gives any.
        """
        self._check_fitted()
        given = self._read(X, known, static)
        return forecast_fitting.backtest(
            self.model_, given, test=test, horizon=horizon, step=step, coverage=coverage
        )

    def evaluate(
        self,
        X: Any,
        *,
        known: Any = None,
        horizon: int | None = None,
        step: int | None = None,
        context: Any = None,
    ) -> Backtest:
        """Judge on what came after the training series: the first forecast begins where they end.

        Parameters
        ----------
        X : as in ``fit``
            The steps that follow each training series.
        known : ndarray or list of ndarray, optional
            What is known from the first of these steps on, where `fit` was not told.
        horizon, step
            As in `backtest`.
        context : ReportContext, optional
            What the report should tell beside what the model knows.
        """
        self._check_fitted()
        later = read_series(type(self).__name__, X)
        futures = [None] * len(later) if known is None else self._each(known)
        if isinstance(X, Dataset) and known is None:
            futures = [record.known for record in X]
        return forecast_fitting.judge_after(
            self.model_, self.states_, later, futures, horizon=horizon, step=step, context=context
        )

    def score(self, X: Any, y: Any = None) -> float:
        """Return 1 minus the mean absolute error over that of the naive forecast, on what followed the training series."""
        return float(self.evaluate(X).metrics["skill"])

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, with where the series stand; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path, self.states_)

    @classmethod
    def _from_parts(cls, path: Any, manifest: dict[str, Any], arrays: Any) -> Self:
        model, states = ForecastModel.from_parts(path, manifest, arrays)
        known = cls._get_param_names()
        estimator = cls(**from_file(model.manifest["params"], known))
        estimator.model_, estimator.states_ = model, states
        given = model.manifest["input"]
        estimator.one_series_, estimator.flat_ = given["one"], given["flat"]
        estimator.attributes_ = Attributes(
            tuple(None if c is None else tuple(c) for c in given["attributes"])
        )
        estimator._learned()
        return estimator
