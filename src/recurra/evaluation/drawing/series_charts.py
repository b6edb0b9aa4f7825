"""Charts of time series: history, forecast and truth; errors by horizon; errors beside the naive ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from recurra.evaluation.drawing.charts import (
    SMALL,
    dress,
    label,
    legend,
    new_figure,
    number,
    plain,
    step_ticks,
)
from recurra.evaluation.drawing.svg import PAGE, render


def forecast_figure(
    history: np.ndarray,
    point: np.ndarray,
    *,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    times: np.ndarray | None = None,
    coverage: float | None = None,
    label: str = "value",
    colours: Mapping[str, str] = PAGE,
) -> Figure:
    """Return a figure of a history (time,), the forecast (horizon,) after it, its interval and the truth.

    ``times`` are the stamps of both, shape (time + horizon,); without, steps are counted from the origin.
    """
    figure, (ax,) = new_figure(colours=colours)
    steps = np.arange(-len(history) + 1, len(point) + 1)
    x: Any = steps if times is None else times.astype("datetime64[s]")
    past, ahead = x[: len(history)], x[len(history) :]
    if low is not None and high is not None:
        name = f"{100 * (coverage or 0):.0f} % interval"
        ax.fill_between(ahead, low, high, color=colours["blue"], alpha=0.18, linewidth=0, label=name)
    ax.plot(past, history, color=colours["muted"], linewidth=1.3, label="history")
    if truth is not None:
        ax.plot(ahead, truth, color=colours["ink"], linewidth=1.3, label="truth", **_marked(point))
    ax.plot(ahead, point, color=colours["blue"], linewidth=1.8, label="forecast", **_marked(point))
    if len(past):
        ax.axvline(past[-1], color=colours["muted"], linewidth=0.8, linestyle=(0, (4, 3)))
    _name_axes(ax, times is not None, label, colours)
    if times is None:
        step_ticks(ax, int(steps[0]), int(steps[-1]))
    legend(ax, columns=4, colours=colours)
    return figure


def _marked(values: np.ndarray) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3} if len(values) < 3 else {}


def _name_axes(ax: Any, dates: bool, name: str, colours: Mapping[str, str]) -> None:
    if dates:
        # From two ticks a longer unit takes over before the longest step of a shorter one gives more than six.
        locator = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
        label(ax, y=plain(name, 30), colours=colours)
    else:
        label(ax, x="Steps after the origin", y=plain(name, 30), colours=colours)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))


def error_by_horizon(
    rows: Sequence[Mapping[str, Any]], *, names: Mapping[str, str], figure_name: str = "Mean absolute error"
) -> str:
    """Mean absolute error by steps ahead: ``rows`` have ``step`` and a column for each of ``names``."""
    figure, (ax,) = new_figure()
    roles = ("blue", "orange", "green", "purple")
    words = []
    for (column, name), role in zip(names.items(), roles, strict=False):
        points = [(row["step"], row[column]) for row in rows if np.isfinite(row[column])]
        if not points:
            continue
        x, y = zip(*points, strict=True)
        marker = "o" if len(points) < 20 else ""
        ax.plot(x, y, color=PAGE[role], linewidth=1.8, label=name, marker=marker, markersize=3)
        words.append(f"{name}: from {number(y[0])} to {number(y[-1])}.")
    label(ax, x="Steps ahead", y=figure_name)
    ax.set_ylim(bottom=0)
    step_ticks(ax, 1, max(row["step"] for row in rows))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    legend(ax, columns=2)
    return render(figure, title="Error by steps ahead", description=" ".join(words))


def error_bars(figures: Mapping[str, float], *, figure_name: str) -> str:
    """One figure of several forecasts, the first ours: horizontal bars, shorter is better."""
    figure, (ax,) = new_figure(70 + 26 * len(figures))
    dress(ax, grid="x")
    names = list(figures)
    for place, name in enumerate(names):
        role = "blue" if place == 0 else "muted"
        ax.barh([place], [figures[name]], height=0.6, color=PAGE[role], linewidth=0)
        style: dict[str, Any] = {"va": "center", "ha": "left", "color": PAGE["ink"], "fontsize": SMALL}
        ax.text(figures[name], place, f" {number(figures[name])}", **style)
    ax.set_yticks(range(len(names)), [plain(n, 24) for n in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1.2 * max(figures.values()))
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    label(ax, x=figure_name)
    words = ", ".join(f"{name} {number(value)}" for name, value in figures.items()) + "."
    return render(figure, title=figure_name, description=words)
