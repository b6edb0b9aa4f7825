"""`Forecast`: the next steps of one series with an interval, and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recurra.evaluation import series_charts
from recurra.evaluation.svg import PAGE, PLAIN, render

# History that is drawn, as a multiple of what is forecast.
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Forecast:
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
        Time stamps of history and forecast.
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

    def plot(self, *, truth: Any = None, target: int = 0) -> Figure:
        """Return a figure: history, forecast with its interval, and the truth where it is given.

        Parameters
        ----------
        truth : array of shape (horizon,) or (horizon, targets), optional
        target : int, default=0
        """
        return self._draw(truth, target, PLAIN)

    def svg(self, *, truth: Any = None, target: int = 0) -> str:
        """Return the figure as SVG whose colours follow the page."""
        return render(self._draw(truth, target, PAGE), title="Forecast", description=self._words(target))

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
        return f"{len(self.point)} steps ahead, from {first:g} to {last:g}."

    def __repr__(self) -> str:
        return f"Forecast({len(self.point)} steps of {self.name or 'one series'})"
