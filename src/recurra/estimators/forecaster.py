"""The next steps of series."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_number
from recurra.errors import ShapeError, UsageError
from recurra.estimators.base import Estimator
from recurra.evaluation.drawing.forecast import Forecast
from recurra.evaluation.results.backtest import Backtest
from recurra.fitting import overlap
from recurra.fitting.fit import fit
from recurra.fitting.tasks.series import SeriesTask, encoded
from recurra.inputs import later_series
from recurra.inputs.request import Request
from recurra.inputs.series import Attributes, GivenSeries, read_series
from recurra.insight.evaluating import series as judge
from recurra.options import ForecasterOptions
from recurra.serving.models.forecast_model import ForecastModel, SeriesState, with_future


class Forecaster(ForecasterOptions, Estimator):
    """Recurrent network that forecasts one series, or many with one set of weights.

    Attributes
    ----------
    model_ : ForecastModel
        The trained networks as data; forecasts without torch.
    states_ : list of SeriesState
        Where the training series stand; `update` moves them on.
    calibration_ : dict or None
        By how much the intervals were moved (``factors``) and the number of held out ``windows`` that says so.
    recipe_ : str
        Which part the statistical forecast has and which the network, and why; whether seasons follow the local clock,
        where its changes make a difference. Empty where neither was decided.
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

    task = SeriesTask()
    instead: ClassVar[Mapping[str, str]] = {
        "explain": "is for networks that answer about a sequence; of a forecast recipe_ says which part the statistical "
        "forecast has, forecast(X).plot() shows it with its intervals, and backtest(X, test=...) how far off it was.",
        "trace": "is for networks with one recurrence; this one reads with one and writes with another. "
        "recurra.draw.network(forecaster) shows both, torch_network() has the layers.",
        "gradient_flow": "is for networks with one recurrence; of a Forecaster history_ has grad_norm_median and "
        "grad_norm_max of every epoch.",
    }
    model_: ForecastModel
    states_: list[SeriesState]
    attributes_: Attributes
    one_series_: bool
    flat_: bool

    # ------------------------------------------------------------------ fit

    def fit(
        self, X: Any, y: Any = None, *, known: Any = None, static: Any = None, resume: bool = False
    ) -> Self:
        """Train on the history of one or many series.

        Parameters
        ----------
        X : Dataset of kind "series", Series, DataFrame, ndarray of shape (time,) or (time, 1), or list of such
            NaN where a value is missing. A DataFrame holds one series, a row per time step and a column per target; the
            dates of its index are kept, and tell the season. In a list arrays may be of shape (time, targets). Any other
            two-dimensional array holds one series a row.
        y : ignored
            There for scikit-learn's tools.
        known : ndarray or DataFrame of shape (time or more, columns), or list of them, optional
            What is known in advance of every step, from the first on; rows beyond the history serve `predict`. Columns of
            a DataFrame are known by their names from then on.
        static : array-like or DataFrame of shape (series, attributes), optional
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
        return fit(self, Request(X, known=known, static=static), resume=resume)

    def _learned(self) -> None:
        super()._learned()
        self.calibration_ = self.model_.manifest.get("calibration")
        manifest = self.model_.manifest
        said = [(manifest.get("statistical") or {}).get("sentence", ""), manifest.get("clock", "")]
        self.recipe_ = " ".join(sentence for sentence in said if sentence)

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
        return Forecast(
            point=point,
            low=low,
            high=high,
            coverage=coverage if low is not None else None,
            history=model.features.restored(state.tail, state.scale, state.known),
            name=state.name or "",
            **later_series.dated(model, state, len(point)),
            target_names=model.manifest["input"]["channel_names"],
        )

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
                    SeriesState(s.scale, s.tail, with_future(s.known, len(s.tail), f, names), s.name)
                    for s, (f, names) in zip(
                        states, later_series.known_next(self.model_, self.states_, known), strict=True
                    )
                ]
            return states, steps, self.one_series_, self.flat_
        given = self._read(X, known, static)
        later_series.tell_short(self.model_, given)
        states = [
            self.model_.begin(v, k, n) for v, k, n in zip(given.values, given.known, given.names, strict=True)
        ]
        return states, steps, given.one, given.flat and self.flat_

    def _read(self, X: Any, known: Any = None, static: Any = None) -> GivenSeries:
        who = type(self).__name__
        trained = self.model_.manifest["input"]
        given = encoded(read_series(who, X, known, static, trained=trained), self.attributes_)
        wanted = self.model_.features.n_targets
        if given.values[0].shape[1] != wanted:
            raise ShapeError(
                f"{who}: X must have the {wanted} targets of the training series; got {given.values[0].shape[1]}."
            )
        return given

    def update(self, observed: Any, *, known: Any = None) -> Self:
        """Take in what was observed since: the state moves on, nothing is trained, the scale stays.

        Parameters
        ----------
        observed : ndarray of shape (steps,) or (steps, targets), number, Series, DataFrame, Dataset, or list of them
            The next values of each training series; NaN where missing. The dates of a frame must go on from the last
            step seen; steps left out are missing.
        known : ndarray or DataFrame, or list of them, optional
            What is known from the first of these steps on, where `fit` was not told.

        Raises
        ------
        DataError, ShapeError
            If they are other series, have another step, or begin before the last step seen.
        """
        self._check_fitted()
        later_series.update(self.model_, self.states_, observed, known)
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
        return judge.backtest(self.model_, given, test=test, horizon=horizon, step=step, coverage=coverage)

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
        later = read_series("Forecaster.evaluate", X, trained=self.model_.manifest["input"])
        later_series.check_same_series(self.model_, self.states_, "evaluate", later)
        futures: list[Any] = [own.future for own in later.known]
        if known is not None:
            futures = [f for f, _ in later_series.known_ahead(self.model_, self.states_, known)]
        everything = later.values
        later, futures = later_series.after(self.model_, self.states_, later, futures)
        cut = any(len(own) < len(whole) for own, whole in zip(later.values, everything, strict=True))
        found = judge.judge_after(
            self.model_, self.states_, later, futures, horizon=horizon, step=step, context=context
        )
        return overlap.told(self, found, everything, "steps", left_out=cut)

    def score(self, X: Any, y: Any = None) -> float:
        """Return 1 minus the mean absolute error over that of the naive forecast, on what followed the training series."""
        return float(self.evaluate(X).metrics["skill"])

    def torch_network(self, member: int = 0) -> Any:
        """Return a trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights.

        Parameters
        ----------
        member : int, default=0
            Which of ``members``.
        """
        from recurra.nn.networks.forecast_network import ForecastConfig, forecaster_from_arrays

        self._check_fitted()
        manifest = self.model_.manifest
        check_number("torch_network", "member", member, integer=True, low=0, high=manifest["members"] - 1)
        config = ForecastConfig.from_dict(manifest["network"])
        return forecaster_from_arrays(config, self.model_.weights_of(member)).eval()

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, with where the series stand; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path, self.states_)

    @classmethod
    def _from_parts(cls, path: Any, manifest: dict[str, Any], arrays: Any) -> Self:
        model, states = ForecastModel.from_parts(path, manifest, arrays)
        estimator = cls._with_params(model.manifest["params"])
        estimator.model_, estimator.states_ = model, states
        given = model.manifest["input"]
        estimator.one_series_, estimator.flat_ = given["one"], given["flat"]
        estimator.attributes_ = Attributes(
            tuple(None if c is None else tuple(c) for c in given["attributes"])
        )
        estimator._learned()
        return estimator
