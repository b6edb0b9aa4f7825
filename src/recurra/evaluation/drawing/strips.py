"""Frames of a clip in a row, with what a network makes of them over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch, Rectangle

from recurra.checks import counted
from recurra.evaluation.drawing.charts import SMALL, WIDTH, dress, label, new_figure, step_ticks
from recurra.evaluation.drawing.signals import draw_trace
from recurra.evaluation.drawing.svg import render

MAX_FRAMES = 8
MAX_SIDE = 96  # pixels a frame is shown with at most


def chosen_frames(count: int) -> np.ndarray:
    """Return the positions of the frames to show: all of a few, else `MAX_FRAMES` from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_FRAMES)).round().astype(int))


def frames_with(count: int, marked: Sequence[int]) -> np.ndarray:
    """Return the positions of `chosen_frames`, those nearest to the marked ones exchanged for them.

    Parameters
    ----------
    count : int
        Frames of the clip.
    marked : sequence of int
        At most `MAX_FRAMES` positions that must be among those shown.
    """
    shown = chosen_frames(count).tolist()
    for position in marked:
        if position not in shown:
            shown.remove(min((s for s in shown if s not in marked), key=lambda s: abs(s - position)))
            shown.append(position)
    return np.array(sorted(shown))


def is_clip(frames: Any) -> bool:
    """Return whether something is frames that can be shown, shape (time, height, width, 3)."""
    return np.ndim(frames) == 4 and np.shape(frames)[-1] == 3


def strip_height(frames: np.ndarray) -> float:
    """Return how high, in points, `draw_frames` is with the numbers above and the lines below, at the usual width."""
    shown = len(chosen_frames(len(frames)))
    return min(WIDTH * 0.85 / shown * frames.shape[1] / frames.shape[2], 120.0) + 40.0


def draw_frames(
    ax: Axes, below: Axes, frames: np.ndarray, marks: Mapping[int, str], *, times: np.ndarray, colours: Any
) -> None:
    """Draw frames in a row, each with its number and a line to its time in the axes below.

    Parameters
    ----------
    ax, below : Axes
        Where the frames stand, and where the curve over time does.
    frames : ndarray, shape (time, height, width, 3)
        uint8, or numbers from 0 to 1.
    marks : mapping of int to str
        Positions that are framed, with the role of the colour of each, such as "blue".
    times : ndarray of shape (time,)
        When each frame is, in the unit of the axes below.
    colours : mapping of str to str
        A colour for each role.
    """
    dress(ax, grid=None, colours=colours)
    shown = frames_with(len(frames), list(marks))
    wide = min(1.0, _widest(frames, len(shown)))  # of the place of a frame, with a gap beside it
    for place, position in enumerate(shown.tolist()):
        middle, colour = place + 0.5, colours[marks.get(position, "muted")]
        left, marked = middle - 0.46 * wide, position in marks
        picture = _small(_coloured(frames[position]))
        ax.imshow(
            picture, aspect="auto", interpolation="none", extent=(left, left + 0.92 * wide, 0, 1), zorder=2
        )
        thick = 2.5 if marked else 0.5
        ax.add_patch(
            Rectangle(
                (left, 0),
                0.92 * wide,
                1,
                fill=False,
                edgecolor=colour,
                linewidth=thick,
                clip_on=False,
                zorder=3,
            )
        )
        above = ax.text(middle, 1.06, str(position), ha="center", va="bottom", fontsize=SMALL)
        above.set_fontweight("bold" if marked else "normal")
        above.set_color(colour if marked else colours["ink"])
        line = ConnectionPatch(
            (middle, -0.03), (times[position], 1.0), coordsA=ax.transData, coordsB=below.get_xaxis_transform()
        )
        line.set(color=colour, linewidth=1.4 if marked else 0.6, clip_on=False)
        ax.add_artist(line)
    ax.set_xlim(0, len(shown))
    ax.set_ylim(0, 1)
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    label(ax, y="Frame", colours=colours)


def _widest(frames: np.ndarray, shown: int) -> float:
    """Return the share of its place that a frame fills where the strip is as high as it may be."""
    place = WIDTH * 0.85 / shown
    return (strip_height(frames) - 40.0) * frames.shape[2] / frames.shape[1] / place


def _coloured(frame: np.ndarray) -> np.ndarray:
    """Return a frame as uint8."""
    if frame.dtype == np.uint8:
        return frame
    return (np.clip(np.nan_to_num(frame.astype(float)), 0, 1) * 255).round().astype(np.uint8)


def frame_strip(
    frames: np.ndarray,
    *,
    true: Any,
    predicted: Any,
    name: str,
    trace: np.ndarray | None = None,
    classes: Sequence[Any] = (),
) -> str:
    """Return frames in a row as SVG, below them how sure the network was after each frame.

    Parameters
    ----------
    frames : ndarray of uint8, shape (time, height, width, 3)
        As the network saw them.
    true, predicted : label
        The class it has, and the one it was given.
    name : str
        Of the clip.
    trace : ndarray of shape (time, classes), optional
        Probabilities after each frame.
    classes : sequence
        Labels in the order of the probabilities.
    """
    shown = chosen_frames(len(frames))
    with_trace = trace is not None and len(frames) > 1
    high = WIDTH / len(shown) * frames.shape[1] / frames.shape[2]
    figure, axes = new_figure(
        high + (194 if with_trace else 40), rows=(high, 110.0) if with_trace else (1.0,)
    )
    if with_trace:  # room for the legend of what is below, between two axes of this height on average
        figure.subplots_adjust(hspace=2 * 28 / (high + 110.0))
    picture = np.concatenate([_small(frames[position]) for position in shown], axis=1)
    # Each frame stands above the time it was seen at.
    axes[0].imshow(picture, aspect="auto", interpolation="nearest", extent=(-0.5, len(frames) - 0.5, 0, 1))
    axes[0].set_yticks([])
    axes[0].grid(False)
    axes[0].tick_params(length=0)
    for side in axes[0].spines.values():
        side.set_visible(False)
    words = f"Clip {name}: {counted(len(frames), 'frame')}. True: {true}, predicted: {predicted}."
    if trace is not None and with_trace:
        times = np.arange(len(frames))
        words += draw_trace(axes[1], trace, times=times, classes=classes, true=true, predicted=predicted)
    axes[-1].set_xlim(-0.5, len(frames) - 0.5)
    step_ticks(axes[-1], 0, len(frames) - 1)
    label(axes[-1], x="Frame")
    return render(figure, title=f"Frames of clip {name}", description=words)


def _small(frame: np.ndarray) -> np.ndarray:
    """Shrink by leaving pixels out, so that a report of many clips stays small."""
    step = -(-max(frame.shape[:2]) // MAX_SIDE)
    return frame[::step, ::step]
