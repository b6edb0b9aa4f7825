"""Frames of a clip in a row, with what a network makes of them over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.evaluation.drawing.charts import WIDTH, label, new_figure, step_ticks
from recurra.evaluation.drawing.signals import draw_trace
from recurra.evaluation.drawing.svg import render

MAX_FRAMES = 8
MAX_SIDE = 96  # pixels a frame is shown with at most


def chosen_frames(count: int) -> np.ndarray:
    """Return the positions of the frames to show: all of a few, else `MAX_FRAMES` from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_FRAMES)).round().astype(int))


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
