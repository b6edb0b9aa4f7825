"""`Backtest`: forecasts from rolling origins beside what came true and beside the naive forecasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup

from recurra.checks import counted
from recurra.evaluation.drawing import series_charts
from recurra.evaluation.drawing.charts import number
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.metrics.paired_tests import Totals, mean_of_items
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Picture
from recurra.evaluation.report.series_page import Table, series_page, series_tiles
from recurra.evaluation.report.wording import percent
from recurra.evaluation.results.evaluation import Evaluation
from recurra.plain_arrays import mean_of_known

# Forecasts drawn in a report, and the history before them as a multiple of the horizon.
DRAWN = 4
SHOWN = 3
# Series listed in a report, the worst.
MOST_SERIES = 50


@dataclass(frozen=True, eq=False)
class Origins:
    """Forecasts and truth of every origin.

    Parameters
    ----------
    series : ndarray of shape (origins,)
        Which series.
    places : ndarray of shape (origins,)
        First step forecast.
    truth, point : ndarray of shape (origins, horizon, targets)
    low, high : ndarray of the same shape, optional
    """

    series: np.ndarray
    places: np.ndarray
    truth: np.ndarray
    point: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def last_value(values: np.ndarray, origin: int, horizon: int) -> np.ndarray:
    """Return the last value seen, again and again: shape (horizon, targets); NaN where none was seen."""
    return seasonal_naive(values, origin, horizon, season=1)


def seasonal_naive(
    values: np.ndarray, origin: int, horizon: int, *, season: int, clock: np.ndarray | None = None
) -> np.ndarray:
    """Return the value of the same place in the last season: shape (horizon, targets).

    Parameters
    ----------
    values : ndarray of shape (time, targets)
        Steps from ``origin`` on are not looked at. A missing value is taken from a season before.
    clock : ndarray of shape (time,), int64, optional
        Place of each step on the clock that seasons follow, from `recurra.features.local_clock.places`; by default its own
        number. A place without a step is a missing value.
    """
    if clock is not None and season > 1:
        seen = int(clock[:origin].max(initial=-1)) + 1
        grid = np.full((seen, values.shape[1]), np.nan)
        grid[clock[:origin]] = values[:origin]
        ahead = clock[origin : origin + horizon] - seen
        made = seasonal_naive(grid, seen, max(int(ahead.max()) + 1, 1), season=season)
        return np.asarray(np.concatenate([grid, made])[ahead + seen])
    out = np.full((horizon, values.shape[1]), np.nan)
    for step in range(horizon):
        at = origin + step - season * (step // season + 1)
        while at >= 0 and np.isnan(out[step]).any():
            out[step] = np.where(np.isnan(out[step]), values[at], out[step])
            at -= season
    return out


def smape(truth: np.ndarray, point: np.ndarray) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 200, over what is there."""
    size = np.abs(truth) + np.abs(point)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(size > 0, 200 * np.abs(point - truth) / size, 0.0)
    return float(np.nanmean(np.where(np.isnan(truth), np.nan, each)))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Backtest(Evaluation):
    """What a backtest found; made by `Forecaster.backtest` and `Forecaster.evaluate`.

    Parameters
    ----------
    metrics : dict
        Flat: ``skill`` (1 - mae / mae_baseline) first, ``mae``, ``rmse``, ``smape``, each with ``_baseline`` (seasonal
        naive where there is a season, else the last value), ``mae_last_value``, ``rmse_last_value``,
        ``mae_seasonal_naive``, ``rmse_seasonal_naive``, ``coverage`` and ``coverage_nominal``, ``n_series``,
        ``n_origins``, ``n_test``.
    by_horizon : list of dict
        A row for each step ahead: ``step``, ``mae``, ``rmse``, ``last_value``, ``seasonal_naive`` (mean absolute
        errors), ``coverage``.
    origins : Origins
    values : list of ndarray
        The whole series.
    naive, seasonal : ndarray of shape (origins, horizon, targets)
    times : list of ndarray of datetime64, shape (time,), or None, optional
        Time stamps of each series, as the clock of its zone shows them.
    """

    task: ClassVar[str] = "forecast"

    by_horizon: list[dict[str, Any]]
    origins: Origins
    values: Sequence[np.ndarray]
    naive: np.ndarray
    seasonal: np.ndarray
    season: int = 1
    names: Sequence[str] = ()
    target_names: Sequence[str] | None = None
    times: Sequence[np.ndarray | None] | None = None

    @classmethod
    def made(
        cls,
        values: Sequence[np.ndarray],
        origins: Origins,
        *,
        season: int,
        coverage: float | None,
        names: Sequence[str],
        target_names: Sequence[str] | None,
        context: ReportContext,
        times: Sequence[np.ndarray | None] | None = None,
        clocks: Sequence[np.ndarray | None] | None = None,
    ) -> "Backtest":
        """Judge forecasts beside the naive ones; ``clocks`` as `seasonal_naive` reads them, of each series."""
        horizon = origins.point.shape[1]
        where = list(zip(origins.series.tolist(), origins.places.tolist(), strict=True))
        naive = np.stack([last_value(values[i], o, horizon) for i, o in where])
        clocks = clocks or [None] * len(values)
        seasonal = np.stack(
            [seasonal_naive(values[i], o, horizon, season=season, clock=clocks[i]) for i, o in where]
        )
        seasonal = np.where(np.isnan(seasonal), naive, seasonal)
        metrics = _metrics(origins, naive, seasonal, season, coverage)
        rows = [_row(origins, naive, seasonal, step, coverage) for step in range(horizon)]
        context = context if context.title else replace(context, title="Forecaster")
        return cls(
            metrics=metrics,
            by_horizon=rows,
            origins=origins,
            values=values,
            naive=naive,
            seasonal=seasonal,
            season=season,
            names=names,
            target_names=target_names,
            context=context,
            times=times,
        )

    def figure_totals(self) -> Totals:
        """Return the absolute error of each value forecast; the steps after one origin err together."""
        errors = np.abs(self.origins.truth - self.origins.point)
        there = np.isfinite(errors)
        origins = np.broadcast_to(np.arange(len(errors))[:, None, None], errors.shape)
        return Totals(errors[there][:, None], origins[there], mean_of_items, "mae")

    def headline(self) -> str:
        """Return the skill."""
        return f"Skill {_skill(self.metrics['skill'])}"

    def sentences(self) -> list[str]:
        """Return how good, compared with what; the skill first."""
        m = self.metrics
        base = f"seasonal naive (period {self.season} steps)" if self.season > 1 else "the last value"
        direction = "less" if m["skill"] >= 0 else "more"
        compared = (
            f"{100 * abs(m['skill']):.0f} % {direction} than that of {base} ({number(m['mae_baseline'])})"
        )
        if not np.isfinite(m["skill"]):
            compared = f"where {base} makes none, so that no skill can be told"
        words = (
            f"Skill {_skill(m['skill'])}: a mean absolute error of {number(m['mae'])}, {compared}; "
            f"the last value gives {number(m['mae_last_value'])}. "
            f"RMSE {number(m['rmse'])} (naive {number(m['rmse_baseline'])})."
        )
        if "coverage" in m:
            words += f" The {100 * m['coverage_nominal']:.0f} % interval holds {100 * m['coverage']:.1f} % of the truth."
        count = f"{m['n_origins']:,} origin{'s' if m['n_origins'] > 1 else ''}"
        return [f"{words} {count}, {counted(len(self.by_horizon), 'step')} ahead."]

    def plot(self, origin: int = 0, *, target: int = 0) -> Drawing:
        """Return a figure of the forecast from one origin, with history and truth."""
        errors = self._errors()
        return Drawing.of_figure(
            lambda colours: self._figure(origin, target, colours),
            title="Forecast",
            description=self._caption(origin, errors),
        )

    def _errors(self) -> np.ndarray:
        """Return the mean absolute error of each origin, shape (origins,)."""
        return mean_of_known(np.abs(self.origins.point - self.origins.truth), (1, 2))

    def _figure(self, origin: int, target: int, colours: Mapping[str, str]) -> Any:
        o, horizon = self.origins, self.origins.point.shape[1]
        values = self.values[int(o.series[origin])]
        place = int(o.places[origin])
        first = max(0, place - max(SHOWN * horizon, 24))
        history = values[first:place, target]
        stamps = self._stamps(origin)
        name = self.target_names[target] if self.target_names else "value"
        return series_charts.forecast_figure(
            history,
            o.point[origin, :, target],
            low=None if o.low is None else o.low[origin, :, target],
            high=None if o.high is None else o.high[origin, :, target],
            truth=o.truth[origin, :, target],
            times=None if stamps is None else stamps[first : place + horizon],
            coverage=self.metrics.get("coverage_nominal"),
            label=str(name),
            colours=colours,
        )

    def drawn(self) -> list[int]:
        """Return the origins a report draws: the best, the median and the worst, and the newest."""
        errors = self._errors()
        order = np.argsort(errors, kind="stable")
        chosen = [int(order[-1]), int(order[len(order) // 2]), int(order[0]), len(errors) - 1]
        return list(dict.fromkeys(chosen))[:DRAWN]

    def pictures(self) -> list[Picture]:
        """Return svg, caption and width of every chart of the report."""
        errors = self._errors()
        out = [
            Picture(Markup(self.plot(origin).element), self._caption(origin, errors))
            for origin in self.drawn()
        ]
        names = {"mae": "network", "last_value": "last value"}
        if self.season > 1:
            names["seasonal_naive"] = "seasonal naive"
        svg = series_charts.error_by_horizon(self.by_horizon, names=names)
        out.append(Picture(Markup(svg), f"Mean absolute error by how far ahead{self._unit()}."))
        bars = {"network": self.metrics["mae"], "last value": self.metrics["mae_last_value"]}
        if self.season > 1:
            bars["seasonal naive"] = self.metrics["mae_seasonal_naive"]
        svg = series_charts.error_bars(bars, figure_name="Mean absolute error")
        out.append(Picture(Markup(svg), "The error beside those of the naive forecasts."))
        if curves := self.context.learning_curves:
            out.append(Picture(Markup(curves), "Loss by epoch."))
        return out

    def _stamps(self, origin: int) -> np.ndarray | None:
        """Return the time stamps of the whole series an origin lies in."""
        return None if self.times is None else self.times[int(self.origins.series[origin])]

    def _caption(self, origin: int, errors: np.ndarray) -> str:
        name = self.names[int(self.origins.series[origin])]
        place, stamps = int(self.origins.places[origin]), self._stamps(origin)
        when = f"step {place:,}" if stamps is None else _date(stamps[place])
        rank = "a common one"
        if errors[origin] in (np.nanmin(errors), np.nanmax(errors)):
            rank = "the smallest" if errors[origin] == np.nanmin(errors) else "the largest"
        if len(errors) == 1:
            rank = "the only origin"
        begin = f"{name}, forecast" if len(self.names) > 1 else "Forecast"
        return f"{begin} from {when} on: mean absolute error {number(float(errors[origin]))} ({rank})."

    def by_series(self) -> list[dict[str, Any]]:
        """Return a row for each series: ``series``, ``origins``, ``mae``, ``mae_baseline`` and ``skill``."""
        base = self.seasonal if self.season > 1 else self.naive
        rows = []
        for index in dict.fromkeys(self.origins.series.tolist()):
            own = self.origins.series == index
            mae, naive = (
                _mae(self.origins.truth[own], self.origins.point[own]),
                _mae(self.origins.truth[own], base[own]),
            )
            own_skill = skill(mae, naive, self.origins.truth[own])
            row = {"series": self.names[index], "origins": int(own.sum()), "mae": mae}
            rows.append({**row, "mae_baseline": naive, "skill": own_skill})
        return rows

    def figures(self) -> dict[str, str]:
        """Return the drawings of a run's folder by name."""
        names = ("forecast-worst", "forecast-median", "forecast-best", "forecast-newest")
        return {name: self.plot(origin).element for name, origin in zip(names, self.drawn(), strict=False)}

    def tiles(self) -> list[dict[str, str]]:
        """Return name, value and naive value of each figure, as text."""
        return series_tiles(self.metrics)

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        return series_page(
            self.context,
            headline=self.headline(),
            sentences=self.sentences(),
            figures=self.tiles(),
            sections=[("Forecasts and errors", self.pictures())],
            tables=[*self._series_table(), self._horizon_table()],
        )

    def _unit(self) -> str:
        """Say in which unit errors are."""
        names = self.target_names or []
        return f", in the unit of {names[0]}" if len(names) == 1 else ""

    def _horizon_table(self) -> Table:
        columns = {"step": "Steps ahead", "mae": "Network", "last_value": "Last value"}
        if self.season > 1:
            columns["seasonal_naive"] = "Seasonal naive"
        if "coverage" in self.metrics:
            columns["coverage"] = "Coverage"
        shown = [
            {k: percent(v) if k == "coverage" else number(float(v)) for k, v in row.items()}
            for row in self.by_horizon
        ]
        return Table(f"Mean absolute error by steps ahead{self._unit()}", columns, shown)

    def _series_table(self) -> list[Table]:
        """Return how good each series is, the worst first; nothing where there is one."""
        rows = self.by_series()
        if len(rows) < 2:
            return []
        rows.sort(key=lambda row: row["skill"] if np.isfinite(row["skill"]) else -np.inf)
        columns = {
            "series": "Series",
            "origins": "Origins",
            "mae": "Network",
            "mae_baseline": "Naive",
            "skill": "Skill",
        }
        shown = [
            {k: v if k == "series" else number(float(v)) for k, v in row.items()}
            for row in rows[:MOST_SERIES]
        ]
        more = f", the {MOST_SERIES} worst of {len(rows):,}" if len(rows) > MOST_SERIES else ""
        return [Table(f"Mean absolute error of each series{more}{self._unit()}", columns, shown)]

    def _sizes(self) -> str:
        return counted(self.metrics["n_origins"], "origin")


# Errors below this share of the values are those of rounding.
ROUNDING = 1e-12


def skill(mae: float, naive: float, truth: np.ndarray) -> float:
    """Return 1 - mae / naive; where the naive forecast is right but for rounding, 0 if this one is too, else NaN."""
    least = ROUNDING * float(np.nanmax(np.abs(truth), initial=0.0))
    if naive > least:
        return 1 - mae / naive
    return 0.0 if mae <= least else float("nan")


def _skill(value: float) -> str:
    """Return a skill with three digits, more where it would look perfect."""
    return number(value) if 0.9995 <= value < 1 else f"{value:.3f}"


def _date(stamp: np.datetime64) -> str:
    """Return a time stamp without what is zero anyway."""
    text = str(stamp.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(":00").removesuffix(" 00:00")


def _metrics(
    o: Origins, naive: np.ndarray, seasonal: np.ndarray, season: int, coverage: float | None
) -> dict[str, Any]:
    base = seasonal if season > 1 else naive
    mae = _mae(o.truth, o.point)
    mae_base = _mae(o.truth, base)
    out: dict[str, Any] = {
        "skill": skill(mae, mae_base, o.truth),
        "mae": mae,
        "rmse": _rmse(o.truth, o.point),
        "smape": smape(o.truth, o.point),
        "mae_baseline": mae_base,
        "rmse_baseline": _rmse(o.truth, base),
        "smape_baseline": smape(o.truth, base),
        "mae_last_value": _mae(o.truth, naive),
        "rmse_last_value": _rmse(o.truth, naive),
        "mae_seasonal_naive": _mae(o.truth, seasonal),
        "rmse_seasonal_naive": _rmse(o.truth, seasonal),
    }
    if coverage is not None:
        out |= {"coverage": _coverage(o, slice(None)), "coverage_nominal": coverage}
    return out | {
        "n_series": len(set(o.series.tolist())),
        "n_origins": len(o.series),
        "n_test": int(np.isfinite(o.truth).sum()),
    }


def _row(
    o: Origins, naive: np.ndarray, seasonal: np.ndarray, step: int, coverage: float | None
) -> dict[str, Any]:
    truth, point = o.truth[:, step], o.point[:, step]
    row: dict[str, Any] = {
        "step": step + 1,
        "mae": _mae(truth, point),
        "rmse": _rmse(truth, point),
        "last_value": _mae(truth, naive[:, step]),
        "seasonal_naive": _mae(truth, seasonal[:, step]),
    }
    return row if coverage is None else row | {"coverage": _coverage(o, step)}


def _mae(truth: np.ndarray, point: np.ndarray) -> float:
    return _mean(np.abs(truth - point))


def _rmse(truth: np.ndarray, point: np.ndarray) -> float:
    return float(np.sqrt(_mean((truth - point) ** 2)))


def _mean(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else float("nan")


def _coverage(o: Origins, step: Any) -> float:
    if o.low is None or o.high is None:
        return float("nan")
    truth = o.truth[:, step]
    inside = (truth >= o.low[:, step]) & (truth <= o.high[:, step])
    there = np.isfinite(truth)
    return float(inside[there].mean()) if there.any() else float("nan")
