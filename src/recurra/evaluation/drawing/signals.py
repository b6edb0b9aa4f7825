"""Signals drawn with what a network makes of them over time."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, MaxNLocator

from recurra.checks import counted
from recurra.evaluation.drawing.charts import (
    SMALL,
    WIDTH,
    dress,
    label,
    legend,
    new_figure,
    number,
    plain,
    step_ticks,
)
from recurra.evaluation.drawing.svg import PAGE, render, text_width
from recurra.plain_arrays import spread_of_known

# More lines than this cannot be told apart in one small picture.
MAX_LINES = 6
MAX_CHANNELS = 40  # the features of an image network are thousands
MAX_DRAWN_STEPS = 600
# So many channels without names are drawn as a picture, not as lines.
LEAST_PICTURE = 16
# Colours of a picture: above 0, below it. Both read on white and on black.
PICTURE = ("#1f6fb2", "#c2570c")
# Of so many times the range of another, a channel would make a flat line of it.
UNLIKE = 12.0
LINE_ROLES = ("blue", "orange", "green", "purple", "muted", "ink")


def time_axis(steps: int, sample_rate_hz: float | None) -> tuple[np.ndarray, str]:
    """Return the time of each step, shape (steps,), and the name of the axis with its unit."""
    if sample_rate_hz:
        return np.arange(steps) / sample_rate_hz, "Time in seconds"
    return np.arange(steps), "Time step"


def time_ticks(ax: Axes, steps: int, sample_rate_hz: float | None) -> None:
    """Put the time on the x axis, the last step among it where steps are counted."""
    if sample_rate_hz is None and steps:
        step_ticks(ax, 0, steps - 1)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(6))


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


def draw_signal(
    ax: Axes,
    values: np.ndarray,
    *,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    colours: Mapping[str, str] = PAGE,
    first: int = 0,
) -> None:
    """Draw a sequence of shape (time, channels) with its axis and legend: as a picture, or channels as lines.

    Many channels without names, such as the rows of an image, are a picture: a row of it is a channel. Channels of
    very unlike size are drawn each on its own scale, which the legend tells. ``first`` is the step it begins with.
    """
    how: dict[str, Any] = {"sample_rate_hz": sample_rate_hz, "colours": colours, "first": first}
    if is_picture(values, channel_names):
        _draw_picture(ax, values, **how)
        return
    own = _own_scales(values)
    if own:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        names = channel_names or [f"channel {k}" for k in range(values.shape[1])]
        channel_names = [
            f"{plain(name, 20)}: {number(float(a))} to {number(float(b))}"
            for name, a, b in zip(names, low, high, strict=True)
        ]
        values = (values - low) / np.where(high > low, high - low, 1)
    draw_channels(ax, values, channel_names=channel_names, **how)
    if own:
        ax.set_yticks([])
        label(ax, y="Own scales", colours=colours)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
        label(ax, y="Signal", colours=colours)
    longest = max((text_width(name) for name in channel_names or [""]), default=0.0)
    legend(ax, columns=(2 if longest * SMALL < 0.3 * WIDTH else 1) if own else 4, colours=colours)


def is_picture(values: np.ndarray, channel_names: Sequence[str] | None) -> bool:
    """Return whether a sequence is drawn as a picture: many channels, and nobody has named them."""
    return channel_names is None and values.shape[1] >= LEAST_PICTURE and len(values) > 1


def _draw_upright(ax: Axes, values: np.ndarray) -> None:
    """Draw the rows of an image as they stand in it: time downward, channels to the right, points square."""
    _draw_picture(ax, values.T, sample_rate_hz=None, colours=PAGE, first=0)
    ax.set_aspect("equal", anchor="W")
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    label(ax, x="Channel", y="Time step")


def _own_scales(values: np.ndarray) -> bool:
    """Return whether, on one scale, a channel would be a flat line beside another."""
    if not 1 < values.shape[1] <= MAX_LINES or not np.isfinite(values).any(axis=0).all():
        return False
    span = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    moving = span[span > 0]
    whole = np.nanmax(values[:, span > 0]) - np.nanmin(values[:, span > 0]) if len(moving) else 0.0
    return len(moving) > 1 and float(whole / moving.min()) > UNLIKE


def _draw_picture(
    ax: Axes, values: np.ndarray, *, sample_rate_hz: float | None, colours: Mapping[str, str], first: int
) -> None:
    """Time runs to the right, channels downward; opacity is the size of a value, so that it suits any page."""
    dress(ax, grid=None, colours=colours)
    every = math.ceil(len(values) / MAX_DRAWN_STEPS)
    shown = np.nan_to_num(np.asarray(values, dtype=float)[::every])
    scale = 1 / sample_rate_hz if sample_rate_hz else 1.0
    top = float(np.abs(shown).max(initial=0.0)) or 1.0
    ink, other = (tuple(int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)) for code in PICTURE)
    stops = [(0.0, (*other, 1.0)), (0.5, (*ink, 0.0)), (1.0, (*ink, 1.0))]
    ax.imshow(
        shown.T,
        aspect="auto",
        interpolation="nearest",
        cmap=LinearSegmentedColormap.from_list("size", stops),
        vmin=-top,
        vmax=top,
        extent=((first - 0.5) * scale, (first + len(values) - 0.5) * scale, values.shape[1] - 0.5, -0.5),
    )
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    words = f"blue {number(top)}, clear 0" + (f", orange {number(-top)}" if (shown < 0).any() else "")
    ax.set_title(words, fontsize=SMALL, color=colours["muted"], loc="left", pad=3)
    label(ax, y="Channel", colours=colours)


def draw_channels(
    ax: Axes,
    values: np.ndarray,
    *,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    colours: Mapping[str, str] = PAGE,
    first: int = 0,
) -> None:
    """Draw the channels of (time, channels) as lines: with few of them all, with many those that vary most,
    some of the rest pale and without a name.
    """
    times = time_axis(first + len(values), sample_rate_hz)[0][first:]
    channels = values.shape[1]
    spread = spread_of_known(values)
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
        name = channel_names[channel] if channel_names is not None else f"channel {channel}"
        role = next(roles)
        ax.plot(x, y, color=colours[role], linewidth=1.5, label=plain(name, 40), marker=marker, markersize=3)


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
    square = is_picture(sequence, channel_names) and 1 / 3 < sequence.shape[1] / len(sequence) < 3
    figure, axes = new_figure(
        (380 if square else 300) if with_trace else 210,
        rows=(1.3, 1) if with_trace else (1,),
        share=not square,
    )
    figure.subplots_adjust(hspace=0.6 if square else 0.32)  # room for the second legend
    if square:
        _draw_upright(axes[0], sequence)
    else:
        draw_signal(axes[0], sequence, channel_names=channel_names, sample_rate_hz=sample_rate_hz)
    words = (
        f"Sequence {name}: {counted(len(sequence), 'time step')}, {counted(sequence.shape[1], 'channel')}."
    )
    words += f" True: {true}, predicted: {predicted}."
    times, axis_name = time_axis(len(sequence), sample_rate_hz)
    if trace is not None and with_trace:
        words += draw_trace(axes[1], trace, times=times, classes=classes, true=true, predicted=predicted)
    if with_trace or not square:
        label(axes[-1], x=axis_name)
        time_ticks(axes[-1], len(sequence), sample_rate_hz)
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
    draw_signal(axes[0], sequence, channel_names=channel_names, sample_rate_hz=sample_rate_hz)
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
    time_ticks(ax, len(true), sample_rate_hz)
    words = f"Sequence {name}: {len(true)} time steps, {int((~right).sum())} of them labelled wrongly."
    return render(figure, title=f"Signal of sequence {name}", description=words)


def numbers_over_time(
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    name: str,
    target: str,
    marked: int | None = None,
    sample_rate_hz: float | None = None,
) -> str:
    """True and predicted numbers of one sequence, shape (time,) each, with a mark at one step."""
    figure, (ax,) = new_figure(210)
    times, axis_name = time_axis(len(true), sample_rate_hz)
    for values, role, words in ((true, "green", "true"), (predicted, "orange", "predicted")):
        keep = thin(values)
        marker = "o" if len(values) < 2 else ""
        ax.plot(times[keep], values[keep], color=PAGE[role], linewidth=1.5, label=words, marker=marker)
    if marked is not None:
        ax.axvline(
            times[marked], color=PAGE["muted"], linewidth=1.0, linestyle=(0, (4, 3)), label="largest error"
        )
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    label(ax, x=axis_name, y=plain(target, 24))
    time_ticks(ax, len(true), sample_rate_hz)
    legend(ax, columns=3)
    off = float(np.abs(true - predicted).mean())
    words = f"Sequence {name}: {len(true)} time steps, off by {number(off)} on average."
    return render(figure, title=f"{target} of sequence {name}", description=words)


def _runs(values: Sequence[Any]) -> list[tuple[int, int, Any]]:
    """(first, end, value) of each stretch of equal values."""
    out: list[tuple[int, int, Any]] = []
    for k, value in enumerate(values):
        if out and out[-1][2] == value:
            out[-1] = (out[-1][0], k + 1, value)
        else:
            out.append((k, k + 1, value))
    return out
