"""`Forecast`: the next steps of one series with an interval, and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recurra.checks import counted
from recurra.evaluation.drawing import series_charts
from recurra.evaluation.drawing.picture import Drawing, Shown

# History that is drawn, as a multiple of what is forecast.
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Forecast(Shown):
    """The next steps of one series.

    Parameters
    ----------
    point : ndarray of shape (horizon, targets)
        In the unit of the series.
    low, high : ndarray of shape (horizon, targets), optional
        Bounds that shall hold ``coverage`` of the truth.
    coverage : float, optional
        That share.
    history : ndarray of shape (time, targets)
        The newest values before, NaN where missing.
    times : ndarray of datetime64, shape (time + horizon,), optional
        Time stamps of history and forecast, as the clock of the zone shows them; `index` has them with the zone.
    zone : str, optional
        Time zone of the stamps, such as "Europe/Berlin" or "+01:00".
    utc_offsets : ndarray of int, shape (time + horizon,), optional
        Seconds that clock is ahead of universal time.
    name : str
    target_names : sequence of str, optional
    """

    point: np.ndarray
    history: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    coverage: float | None = None
    times: np.ndarray | None = None
    name: str = ""
    target_names: Sequence[str] | None = None
    zone: str | None = None
    utc_offsets: np.ndarray | None = None

    @property
    def index(self) -> Any:
        """Time stamps of the steps ahead as a pandas.DatetimeIndex in the zone; their numbers, from 1, without dates."""
        import pandas as pd

        steps = len(self.point)
        if self.times is None:
            return pd.RangeIndex(1, steps + 1, name="step")
        times = pd.DatetimeIndex(self.times[len(self.times) - steps :], name="time")
        if self.zone is None or self.utc_offsets is None:
            return times
        universal = times - pd.to_timedelta(self.utc_offsets[len(self.times) - steps :], unit="s")
        return universal.tz_localize("UTC").tz_convert(self.zone)

    def stamps(self) -> list[str] | None:
        """Return the time stamps of the steps ahead as text in ISO 8601, with offset where there is a zone.

        Days alone where no stamp of history and forecast has a time of day.
        """
        if self.times is None:
            return None
        first = len(self.times) - len(self.point)
        if self.utc_offsets is None:
            days = self.times.astype("datetime64[D]")
            return [str(stamp) for stamp in (days if (days == self.times).all() else self.times)[first:]]
        texts = [str(stamp) for stamp in self.times[first:]]
        return [
            text + _offset(int(ahead)) for text, ahead in zip(texts, self.utc_offsets[first:], strict=True)
        ]

    def to_frame(self) -> Any:
        """Return the steps ahead as a pandas.DataFrame: a column per target and, with intervals, two of bounds."""
        import pandas as pd

        n = self.point.shape[1]
        names = self.target_names or (["forecast"] if n == 1 else [f"target_{i + 1}" for i in range(n)])
        columns = {}
        for place, name in enumerate(names):
            columns[name] = self.point[:, place]
            if self.low is not None and self.high is not None:
                columns[f"{name}_low"], columns[f"{name}_high"] = self.low[:, place], self.high[:, place]
        return pd.DataFrame(columns, index=self.index)

    def plot(self, *, truth: Any = None, target: int = 0) -> Drawing:
        """Return a figure: history, forecast with its interval, and the truth where it is given.

        Parameters
        ----------
        truth : array of shape (horizon,) or (horizon, targets), optional
        target : int, default=0
        """
        return Drawing.of_figure(
            lambda colours: self._draw(truth, target, colours),
            title="Forecast",
            description=self._words(target),
        )

    def svg(self, *, truth: Any = None, target: int = 0) -> str:
        """Return the figure as SVG whose colours follow the page."""
        return self.plot(truth=truth, target=target).element

    def _draw(self, truth: Any, target: int, colours: Any) -> Figure:
        steps = len(self.point)
        shown = min(len(self.history), max(SHOWN * steps, 24))
        true = None if truth is None else np.asarray(truth, dtype=float).reshape(steps, -1)[:, target]
        times = None if self.times is None else self.times[len(self.times) - steps - shown :]
        return series_charts.forecast_figure(
            self.history[len(self.history) - shown :, target],
            self.point[:, target],
            low=None if self.low is None else self.low[:, target],
            high=None if self.high is None else self.high[:, target],
            truth=true,
            times=times,
            coverage=self.coverage,
            label=str(self.target_names[target]) if self.target_names else self.name or "value",
            colours=colours,
        )

    def _words(self, target: int) -> str:
        first, last = self.point[0, target], self.point[-1, target]
        return f"{counted(len(self.point), 'step')} ahead, from {first:g} to {last:g}."

    def __repr__(self) -> str:
        return f"Forecast({counted(len(self.point), 'step')} of {self.name or 'one series'})"


def _offset(seconds: int) -> str:
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    return f"{sign}{size // 3600:02d}:{size // 60 % 60:02d}"
