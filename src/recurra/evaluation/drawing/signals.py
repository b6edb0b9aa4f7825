"""Signals drawn with what a network makes of them over time."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from recurra.evaluation.drawing.charts import WIDTH, dress, label, legend, new_figure, number, plain
from recurra.evaluation.drawing.svg import PAGE, render

# More lines than this cannot be told apart in one small picture.
MAX_LINES = 6
MAX_CHANNELS = 40  # the features of an image network are thousands
MAX_DRAWN_STEPS = 600
LINE_ROLES = ("blue", "orange", "green", "purple", "muted", "ink")


def time_axis(steps: int, sample_rate_hz: float | None) -> tuple[np.ndarray, str]:
    """Return the time of each step, shape (steps,), and the name of the axis with its unit."""
    if sample_rate_hz:
        return np.arange(steps) / sample_rate_hz, "Time in seconds"
    return np.arange(steps), "Time step"


def thin(values: np.ndarray) -> np.ndarray:
    """Positions to draw of a long curve of shape (time,): the lowest and the highest of each stretch, so
    that no peak is lost.
    """
    steps = len(values)
    if steps <= MAX_DRAWN_STEPS:
        return np.arange(steps)
    edges = np.linspace(0, steps, MAX_DRAWN_STEPS // 2 + 1).astype(int)
    clean = np.nan_to_num(values)
    chosen = {0, steps - 1}
    for first, last in itertools.pairwise(edges):
        chosen |= {int(first + np.argmin(clean[first:last])), int(first + np.argmax(clean[first:last]))}
    return np.array(sorted(chosen))


def draw_channels(
    ax: Axes,
    values: np.ndarray,
    *,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    colours: Mapping[str, str] = PAGE,
) -> None:
    """Draw the channels of (time, channels) as lines: with few of them all, with many those that vary most,
    some of the rest pale and without a name.
    """
    times, _ = time_axis(len(values), sample_rate_hz)
    channels = values.shape[1]
    spread = np.nanstd(values, axis=0) if len(values) else np.zeros(channels)
    by_spread = np.argsort(-spread, kind="stable")[:MAX_CHANNELS].tolist()
    named = set(by_spread[: 3 if channels > MAX_LINES else channels])
    roles = iter(LINE_ROLES)
    for channel in sorted(by_spread, key=lambda c: (c in named, c)):
        keep = thin(values[:, channel])
        x, y = times[keep], values[keep, channel]
        marker = "o" if len(values) < 2 else ""
        if channel not in named:
            ax.plot(x, y, color=colours["muted"], linewidth=0.7, alpha=0.5, marker=marker, markersize=3)
            continue
        name = channel_names[channel] if channel_names is not None else f"channel {channel + 1}"
        role = next(roles)
        ax.plot(x, y, color=colours[role], linewidth=1.5, label=plain(name, 14), marker=marker, markersize=3)


def worst_mistake(
    sequence: np.ndarray,
    *,
    true: Any,
    predicted: Any,
    name: str,
    trace: np.ndarray | None = None,
    classes: Sequence[Any] = (),
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
) -> str:
    """One sequence with what the network thought over time.

    Parameters
    ----------
    sequence : ndarray of shape (time, channels)
        The signal.
    trace : ndarray of shape (time, classes), optional
        Row t: the probabilities after the first t + 1 steps.
    """
    with_trace = trace is not None and len(trace) > 0
    figure, axes = new_figure(300 if with_trace else 210, rows=(1.3, 1) if with_trace else (1,))
    figure.subplots_adjust(hspace=0.32)  # room for the second legend
    draw_channels(axes[0], sequence, channel_names=channel_names, sample_rate_hz=sample_rate_hz)
    label(axes[0], y="Signal")
    axes[0].yaxis.set_major_locator(MaxNLocator(4))
    axes[0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    legend(axes[0], columns=4)
    words = f"Sequence {name}: {len(sequence)} time steps, {sequence.shape[1]} channels."
    words += f" True: {true}, predicted: {predicted}."
    times, axis_name = time_axis(len(sequence), sample_rate_hz)
    if trace is not None and with_trace:
        words += draw_trace(axes[1], trace, times=times, classes=classes, true=true, predicted=predicted)
    label(axes[-1], x=axis_name)
    axes[-1].xaxis.set_major_locator(MaxNLocator(6, integer=sample_rate_hz is None))
    return render(figure, title=f"Signal of sequence {name}", description=words)


def draw_trace(
    ax: Axes, trace: np.ndarray, *, times: np.ndarray, classes: Sequence[Any], true: Any, predicted: Any
) -> str:
    """Draw the probabilities after each step, those of the true and of the predicted class named; say how they went."""
    dress(ax)
    places = {str(c): k for k, c in enumerate(classes)}
    for k in range(trace.shape[1]):
        if k not in (places.get(str(true)), places.get(str(predicted))):
            ax.plot(times, 100 * trace[:, k], color=PAGE["muted"], linewidth=0.7, alpha=0.5)
    words = ""
    for what, role, dashes in ((true, "green", "-"), (predicted, "orange", (0, (4, 2)))):
        place = places.get(str(what))
        if place is None or place >= trace.shape[1]:
            continue
        kind = "true" if role == "green" else "predicted"
        curve = 100 * trace[:, place]
        marker = "o" if len(curve) < 2 else ""
        ax.plot(
            times,
            curve,
            color=PAGE[role],
            linewidth=1.9,
            linestyle=dashes,
            label=f"{kind}: {plain(what, 14)}",
            marker=marker,
        )
        words += f" Probability of the {kind} class from {curve[0]:.0f} % to {curve[-1]:.0f} %."
    ax.set_ylim(-3, 103)
    ax.set_yticks([0, 50, 100])
    label(ax, y="Sure, in %")
    legend(ax, columns=2)
    return words


def labelled_signal(
    sequence: np.ndarray,
    *,
    true: Sequence[Any],
    predicted: Sequence[Any],
    classes: Sequence[Any],
    name: str,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
) -> str:
    """One sequence with its true and predicted label at every time step as two ribbons, errors marked
    between them.
    """
    figure, axes = new_figure(290, rows=(1.6, 1))
    draw_channels(axes[0], sequence, channel_names=channel_names, sample_rate_hz=sample_rate_hz)
    label(axes[0], y="Signal")
    axes[0].yaxis.set_major_locator(MaxNLocator(4))
    axes[0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    legend(axes[0], columns=4)
    step = 1 / sample_rate_hz if sample_rate_hz else 1.0
    _, axis_name = time_axis(0, sample_rate_hz)
    ax = axes[1]
    dress(ax, grid=None)
    right = np.asarray([str(t) == str(p) for t, p in zip(true, predicted, strict=True)])
    for row, labels in ((0, true), (2, predicted)):
        for first, last, what in _runs([str(v) for v in labels]):
            k = [str(c) for c in classes].index(what) if what in [str(c) for c in classes] else 0
            role = LINE_ROLES[k % 4]
            ax.fill_between(
                [first * step, last * step],
                row - 0.45,
                row + 0.45,
                color=PAGE[role],
                alpha=0.35 + 0.3 * (k // 4 % 2),
                linewidth=0,
            )
            if (last - first) / len(true) * WIDTH * 0.8 > 6.5 * len(plain(what, 12)):
                ax.text(
                    (first + last) / 2 * step,
                    row,
                    plain(what, 12),
                    ha="center",
                    va="center",
                    fontsize=9.5,
                    color=PAGE["ink"],
                )
    for first, last, wrong in _runs((~right).tolist()):
        if wrong:
            ax.fill_between([first * step, last * step], 0.7, 1.3, color=PAGE["ink"], linewidth=0)
    ax.set_yticks([0, 1, 2], ["true", "wrong", "predicted"], fontsize=10)
    ax.set_ylim(2.6, -0.6)
    ax.tick_params(axis="y", length=0)
    label(ax, x=axis_name)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=sample_rate_hz is None))
    words = f"Sequence {name}: {len(true)} time steps, {int((~right).sum())} of them labelled wrongly."
    return render(figure, title=f"Signal of sequence {name}", description=words)


def _runs(values: Sequence[Any]) -> list[tuple[int, int, Any]]:
    """(first, end, value) of each stretch of equal values."""
    out: list[tuple[int, int, Any]] = []
    for k, value in enumerate(values):
        if out and out[-1][2] == value:
            out[-1] = (out[-1][0], k + 1, value)
        else:
            out.append((k, k + 1, value))
    return out
