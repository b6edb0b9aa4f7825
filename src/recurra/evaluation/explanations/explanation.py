"""`Explanation`: how much each part of an input spoke for an answer, one type for signals, text and video."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from recurra.checks import check_choice
from recurra.errors import ShapeError
from recurra.evaluation.drawing.charts import SMALL, WIDTH, dress, label, number, plain
from recurra.evaluation.drawing.picture import INLINE, Drawing, Shown
from recurra.evaluation.drawing.signals import draw_signal, time_axis, time_ticks
from recurra.evaluation.drawing.strips import draw_frames, is_clip, strip_height
from recurra.evaluation.drawing.svg import fit

KINDS = ("sequence", "text", "video")
# Colours of the heat map: against, nothing, for. The middle is grey so that it reads on white and on black.
HEAT = ("#c2570c", "#8a939c", "#1f6fb2")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """What each part of an input contributed to one output of a network.

    Parameters
    ----------
    values : ndarray
        Contributions in the unit of the output, aligned with ``input``: (time, channels) for a sequence,
        (tokens,) for
        a text, (frames,) or (frames, ...) for a video. Positive speaks for the target, negative against it.
    input : ndarray of shape (time, channels), sequence of str, or ndarray of shape (frames, ...)
        What was explained.
    method : str
        Such as "gradient_times_input".
    kind : {"sequence", "text", "video"}, default="sequence"
        What the input is.
    target : Any, optional
        The label, or the number of the output, that was explained.
    output : float, optional
        The network's output for the target (a logit for a class).
    error : float or None
        Completeness error: the sum of ``values`` and of what ``static`` contributed minus the change of the output they
        ought to add up to; None where a method promises no sum.
    channel_names : sequence of str, optional
        One name per channel of a sequence.
    sample_rate_hz : float, optional
        Time steps, or frames, per second.
    name : str
        Of the sequence.
    static : sequence of (str, value, float)
        Static inputs of the sequence: the name of each, its value and what it contributed beside the steps.

    Raises
    ------
    ShapeError
        If ``values`` and ``input`` do not have the same number of steps (and, for a sequence, channels).
    """

    values: np.ndarray
    input: Any
    method: str
    kind: str = "sequence"
    target: Any = None
    output: float | None = None
    error: float | None = None
    channel_names: Sequence[str] | None = None
    sample_rate_hz: float | None = None
    name: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    static: Sequence[tuple[str, Any, float]] = ()

    def __post_init__(self) -> None:
        check_choice("Explanation", "kind", self.kind, KINDS)
        same = len(self.values) == len(self.input)
        if self.kind == "sequence":
            same = np.ndim(self.values) == 2 and np.shape(self.values) == np.shape(self.input)
        if not same:
            raise ShapeError(
                f"Explanation: values must be aligned with the input of kind {self.kind!r}; got shapes "
                f"{np.shape(self.values)} and {np.shape(self.input)}."
            )

    @property
    def per_step(self) -> np.ndarray:
        """Contribution of each time step, token or frame: the sum over everything else, shape (steps,)."""
        return np.asarray(self.values).reshape(len(self.values), -1).sum(axis=1)

    @property
    def per_channel(self) -> np.ndarray:
        """Contribution of each channel of a sequence, summed over time, shape (channels,)."""
        return np.asarray(self.values).reshape(len(self.values), -1).sum(axis=0)

    @property
    def _static_shares(self) -> np.ndarray:
        return np.array([share for _, _, share in self.static])

    @property
    def _strongest(self) -> list[int]:
        """The three steps that contributed most, for or against."""
        return [int(step) for step in np.argsort(-np.abs(self.per_step), kind="stable")[:3]]

    def summary(self) -> str:
        """Say what was explained, by which method, and how far its parts add up."""
        parts = f"Contributions by {self.method.replace('_', ' ')}"
        if self.target is not None:
            parts += f" to '{self.target}'"
        if self.output is not None:
            parts += f" (output {number(self.output)})"
        strongest = self._strongest
        unit = {"sequence": "time steps", "video": "frames"}.get(self.kind) or {
            "character": "characters",
            "bpe": "tokens",
        }.get(str(self.details.get("level")), "words")
        named = [str(self.input[i]) if self.kind == "text" else str(i) for i in strongest]
        parts += f"; strongest {unit}: {', '.join(named)}"
        if self.static:
            told = [f"{name} ({_cell(value)}) {number(share)}" for name, value, share in self.static]
            parts += f"; static inputs: {', '.join(told)}"
        if self.error is not None:
            parts += f"; {self._adding_up(self.error)}"
        return parts + "."

    def _adding_up(self, error: float) -> str:
        if self.method == "gradient_times_input":
            return (
                "they say which values matter most at this input and, by their nature, need not add up "
                f"to the output's change (sum less change: {number(error)})"
            )
        return f"their sum differs from the output's change by {number(error)}"

    def plot(self) -> Drawing:
        """Return a figure: the input, and below it what each part contributed.

        Of a clip some frames are shown, each with its number, the three strongest framed: blue for, orange against.
        """
        title = f"Explanation of {self.name}" if self.name else "Explanation"
        return Drawing.of_figure(self._draw, title=title, description=self.summary())

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, as JSON holds them."""
        given = list(self.input) if self.kind == "text" else np.asarray(self.input).tolist()
        return {
            "kind": self.kind,
            "method": self.method,
            "target": self.target.item() if isinstance(self.target, np.generic) else self.target,
            "output": self.output,
            "error": self.error,
            "values": np.asarray(self.values).tolist(),
            "input": given,
            "channel_names": None if self.channel_names is None else list(self.channel_names),
            "sample_rate_hz": self.sample_rate_hz,
            "name": self.name,
            "details": dict(self.details),
            "static": [{"name": n, "value": value, "contribution": share} for n, value, share in self.static],
        }

    def _repr_svg_(self) -> str | None:
        """Return the picture for a notebook; a text is shown as words by `_repr_html_`."""
        return None if self.kind == "text" else super()._repr_svg_()

    def _repr_html_(self) -> str:
        if self.kind != "text":
            return super()._repr_html_()
        top = float(np.abs(self.per_step).max(initial=0.0)) or 1.0
        words = []
        for word, value in zip(self.input, self.per_step.tolist(), strict=True):
            share = round(70 * abs(value) / top)
            colour = INLINE["blue"] if value > 0 else INLINE["orange"]
            style = f"background:color-mix(in srgb, {colour} {share}%, transparent);border-radius:3px"
            words.append(f'<span style="{style}" title="{value:.3g}">{html.escape(str(word))}</span>')
        return f'<p style="line-height:1.8">{" ".join(words)}</p><p>{html.escape(self.summary())}</p>'

    def __repr__(self) -> str:
        shape = tuple(np.shape(self.values))
        what = f"{self.kind}, {self.method}, target={self.target!r}"
        return f"Explanation({what}, values {shape}, error={self.error})"

    def _draw(self, colours: Any) -> Figure:
        bars = self.kind == "text"
        channels = self.values.shape[1] if self.kind == "sequence" else 1
        heat = self.kind == "sequence" and channels > 1
        beside = 40 + 18 * len(self.static) if self.static else 0
        strip = strip_height(self.input) if self.kind == "video" and is_clip(self.input) else 0.0
        height = (
            40 + 18 * len(self.values) if bars else 200 + (min(14 * channels, 200) if heat else 0) + strip
        )
        figure = Figure(
            figsize=(WIDTH / 72, (max(120, height) + beside) / 72), dpi=72, facecolor="none", edgecolor="none"
        )
        if bars:
            _draw_words(figure.add_subplot(), self, colours)
        elif self.kind == "video":
            _draw_video(figure, self, strip, colours)
        else:
            ratios = [1, 0.7 + 0.09 * channels if heat else 0.9]
            if self.static:
                ratios.append(sum(ratios) * beside / height)
            grid = figure.add_gridspec(
                len(ratios), 1, height_ratios=ratios, hspace=0.5 if self.static else 0.25
            )
            signal = figure.add_subplot(grid[0])
            below = figure.add_subplot(grid[1], sharex=signal)
            _draw_signal(signal, self, colours)
            (_draw_heat if heat else _draw_steps)(below, self, colours)
            label(below, x=time_axis(0, self.sample_rate_hz)[1], colours=colours)
            figure.align_ylabels([signal, below])
            if self.static:
                names = [f"{name} {_cell(value)}" for name, value, _ in self.static]
                _draw_bars(figure.add_subplot(grid[2]), names, self._static_shares, colours)
        fit(figure)
        return figure


def _draw_signal(ax: Axes, e: Explanation, colours: Any) -> None:
    dress(ax, colours=colours)
    values = np.asarray(e.input, dtype=float)
    draw_signal(ax, values, channel_names=e.channel_names, sample_rate_hz=e.sample_rate_hz, colours=colours)
    ax.tick_params(labelbottom=False)


def _draw_heat(ax: Axes, e: Explanation, colours: Any) -> None:
    """Channels by time, each cell's opacity its contribution: nothing is see-through, so it suits any
    background.
    """
    dress(ax, grid=None, colours=colours)
    values = np.asarray(e.values, dtype=float)
    steps, channels = values.shape
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    scale = 1 / e.sample_rate_hz if e.sample_rate_hz else 1.0
    # (1 - opacity) runs to zero in the middle.
    stops = [(0.0, (*_rgb(HEAT[0]), 1.0)), (0.5, (*_rgb(HEAT[1]), 0.0)), (1.0, (*_rgb(HEAT[2]), 1.0))]
    ax.imshow(
        values.T,
        aspect="auto",
        interpolation="nearest",
        cmap=LinearSegmentedColormap.from_list("against_for", stops),
        vmin=-top,
        vmax=top,
        extent=(-0.5 * scale, (steps - 0.5) * scale, channels - 0.5, -0.5),
        origin="upper",
    )
    names = e.channel_names or [str(k) for k in range(channels)]
    shown = np.arange(0, channels, max(1, channels // 14))
    ax.set_yticks(shown, [plain(names[int(k)], 14) for k in shown], fontsize=min(SMALL, 9.0))
    ax.tick_params(axis="y", length=0)
    time_ticks(ax, steps, e.sample_rate_hz)
    label(ax, y="Channel", colours=colours)
    ax.set_title("blue for, orange against", fontsize=SMALL, color=colours["muted"], loc="left", pad=3)


def _draw_steps(ax: Axes, e: Explanation, colours: Any) -> None:
    dress(ax, colours=colours)
    share = e.per_step
    # A bar is as wide as a step, the first and the last too.
    edges = (np.arange(len(share) + 1) - 0.5) / (e.sample_rate_hz or 1.0)
    ax.axhline(0.0, color=colours["muted"], linewidth=0.8)
    for part, role in ((np.maximum(share, 0), "blue"), (np.minimum(share, 0), "orange")):
        ax.stairs(part, edges, color=colours[role], alpha=0.6, linewidth=0, fill=True)
    ax.set_xlim(edges[0], edges[-1])
    time_ticks(ax, len(share), e.sample_rate_hz)
    label(ax, y="Contribution", colours=colours)


def _draw_video(figure: Figure, e: Explanation, strip: float, colours: Any) -> None:
    """Draw what each frame contributed, above it some frames where there is room for a strip of them, in points."""
    # The lines from the frames to their times cross the gap between the two.
    grid = figure.add_gridspec(2, 1, height_ratios=(strip - 40, 180), hspace=0.3) if strip else None
    below = figure.add_subplot() if grid is None else figure.add_subplot(grid[1])
    _draw_steps(below, e, colours)
    label(below, x="Time in seconds" if e.sample_rate_hz else "Frame", colours=colours)
    if grid is not None:
        # An SVG keeps each frame with all its pixels; put together they would have one for each point.
        figure.suppressComposite = True
        share = e.per_step
        marks = {step: "blue" if share[step] > 0 else "orange" for step in e._strongest if share[step] != 0}
        times = np.arange(len(share)) / (e.sample_rate_hz or 1.0)
        draw_frames(
            figure.add_subplot(grid[0]), below, np.asarray(e.input), marks, times=times, colours=colours
        )


def _cell(value: Any) -> str:
    """Return the value of a static input in words."""
    return "missing" if value is None else number(value) if isinstance(value, float) else str(value)


def _draw_words(ax: Axes, e: Explanation, colours: Any) -> None:
    _draw_bars(ax, e.input, e.per_step, colours)


def _draw_bars(ax: Axes, names: Sequence[str], share: np.ndarray, colours: Any) -> None:
    dress(ax, grid="x", colours=colours)
    bar_colours = [colours["blue"] if v > 0 else colours["orange"] for v in share]
    ax.barh(np.arange(len(share)), share, color=bar_colours, height=0.75, linewidth=0)
    ax.axvline(0.0, color=colours["muted"], linewidth=0.8)
    ax.set_yticks(range(len(share)), [plain(name) for name in names], fontsize=SMALL)
    ax.set_ylim(len(share) - 0.5, -0.5)
    label(ax, x="Contribution", colours=colours)


def _rgb(code: str) -> tuple[float, float, float]:
    red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue
