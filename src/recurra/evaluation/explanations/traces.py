"""`Trace`: every gate and state of a network while it reads one sequence, from the kernels themselves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from recurra.checks import check_choice, counted
from recurra.errors import UsageError
from recurra.evaluation.drawing.charts import SMALL, dress, label, new_figure, number, plain
from recurra.evaluation.drawing.picture import Drawing, Shown
from recurra.evaluation.drawing.signals import draw_signal, time_axis, time_ticks
from recurra.evaluation.explanations.explanation import HEAT
from recurra.kernels.cell import CELLS
from recurra.kernels.fronts.front import apply_front
from recurra.kernels.networks.activations import DirectionInside, stack_inside
from recurra.ragged import Ragged

NAMES: Mapping[str, str] = {
    "i": "input gate i",
    "f": "forget gate f",
    "g": "candidate g",
    "o": "output gate o",
    "r": "reset gate r",
    "z": "keep gate z",
    "n": "candidate n",
    "c": "cell state c",
    "h": "state h",
}
# Words side by side that can still be read.
MOST_WORDS = 44
# Gates that squash to [0, 1]; the rest is drawn around zero.
SHARES = ("i", "f", "o", "r", "z")


@dataclass(frozen=True, eq=False, repr=False)
class LayerTrace:
    """One layer in one direction over one sequence.

    Parameters
    ----------
    name : str
        Such as "layer 1" or "layer 2, backward".
    gates : dict of str to ndarray of shape (time, units)
        After activation: i, f, g, o of the LSTM; r, z, n of the GRU; none of the plain RNN.
    cell_state : ndarray of shape (time, units) or None
        c of the LSTM.
    state : ndarray of shape (time, units)
        h, the layer's output.
    half_life : ndarray of shape (units,) or None
        Steps after which half of a unit's content is left: log 2 over the mean of -log of the gate that keeps it
        (f, or z); None for the plain RNN, which has no such gate.
    """

    name: str
    gates: dict[str, np.ndarray]
    cell_state: np.ndarray | None
    state: np.ndarray
    half_life: np.ndarray | None

    @property
    def order(self) -> np.ndarray:
        """Units by falling memory span, shape (units,); in their own order without half-lives."""
        if self.half_life is None:
            return np.arange(self.state.shape[1])
        return np.argsort(-self.half_life, kind="stable")

    def rows(self) -> dict[str, np.ndarray]:
        """Return gates, cell state and state by name, each of shape (time, units)."""
        cell_state = {} if self.cell_state is None else {"c": self.cell_state}
        return {**self.gates, **cell_state, "h": self.state}


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Shown):
    """What happened inside while a network read one sequence.

    Parameters
    ----------
    input : ndarray of shape (time, channels)
        The sequence as it was given.
    layers : sequence of LayerTrace
        From the first layer to the last, each direction on its own.
    channel_names : sequence of str, optional
        One per channel.
    sample_rate_hz : float, optional
        Time steps per second.
    name : str
        Of the sequence.
    words : sequence of str, optional
        Of a text: its tokens, one per step, shown in place of the input.
    """

    input: np.ndarray
    layers: Sequence[LayerTrace]
    channel_names: Sequence[str] | None = None
    sample_rate_hz: float | None = None
    name: str = ""
    words: Sequence[str] = ()

    def layer(self, which: int | str = -1) -> LayerTrace:
        """Return a layer by its place or name; the last by default.

        Raises
        ------
        UsageError
            If there is none.
        """
        if isinstance(which, str):
            names = [layer.name for layer in self.layers]
            check_choice("Trace.layer", "which", which, names)
            return self.layers[names.index(which)]
        if not -len(self.layers) <= which < len(self.layers):
            raise UsageError(f"Trace.layer: there are {len(self.layers)} layers and directions; got {which}.")
        return self.layers[which]

    def summary(self, which: int | str = -1) -> str:
        """Say how long the units of a layer remember."""
        layer = self.layer(which)
        units = layer.state.shape[1]
        step = "token" if self.words else "step"
        steps = "tokens" if self.words else "time steps"
        head = f"{layer.name.capitalize()}: {counted(units, 'unit')} over {len(self.input)} {steps}"
        if layer.half_life is None:
            return f"{head}; without gates nothing says how long they remember."
        low, middle, high = np.quantile(layer.half_life, [0.1, 0.5, 0.9]).tolist()
        return (
            f"{head}; half of what a unit holds is gone after {number(middle)} "
            f"{step if middle == 1 else step + 's'} in the median, {number(low)} at one unit in ten, {number(high)} at the "
            "longest tenth."
        )

    def plot(self, which: int | str = -1) -> Drawing:
        """Draw the input and below it, on the same time axis, every gate and state of a layer as a heat map.

        Units are sorted by memory span, the longest on top.
        """
        layer = self.layer(which)
        return Drawing.of_figure(
            lambda colours: self._draw(layer, colours),
            title=f"Inside {layer.name}" + (f" on {self.name}" if self.name else ""),
            description=self.summary(which),
        )

    def _draw(self, layer: LayerTrace, colours: Mapping[str, str]) -> Figure:
        rows = layer.rows()
        heights = (1.15, *(1.0,) * len(rows))
        figure, axes = new_figure(128 + 88 * len(rows), rows=heights, colours=colours)
        figure.subplots_adjust(hspace=0.42)
        if self.words:
            _write_words(axes[0], self.words, colours)
        else:
            draw_signal(
                axes[0],
                np.asarray(self.input, float),
                channel_names=self.channel_names,
                sample_rate_hz=self.sample_rate_hz,
                colours=colours,
            )
        for ax, (symbol, values) in zip(axes[1:], rows.items(), strict=True):
            _heat(ax, symbol, values[:, layer.order], self.sample_rate_hz, colours)
        label(axes[-1], x="Token" if self.words else time_axis(0, self.sample_rate_hz)[1], colours=colours)
        time_ticks(axes[-1], len(layer.state), self.sample_rate_hz)
        figure.align_ylabels(axes)
        return figure

    def __repr__(self) -> str:
        return f"Trace({counted(len(self.input), 'step')}, {', '.join(layer.name for layer in self.layers)})"


def trace(
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    sequence: np.ndarray,
    *,
    raw: np.ndarray | None = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    name: str = "",
    words: Sequence[str] = (),
) -> Trace:
    """Run a network over one sequence and keep every gate and state.

    Parameters
    ----------
    network : mapping
        `recurra.nn.networks.sequence_network.NetworkConfig` as a dictionary.
    weights : mapping of str to ndarray
        The network's state dict.
    sequence : ndarray of shape (time, input_size)
        What the network receives: after scaling and other features.
    raw : ndarray of shape (time, channels), optional
        What to show as the input; ``sequence`` if omitted.
    words : sequence of str, optional
        Of a text: its tokens, one per row, shown in place of the input.

    Returns
    -------
    Trace
    """
    read = apply_front(network, weights, Ragged.from_list([sequence]))
    layers = stack_inside(
        read.values,
        lengths=read.lengths,
        cell=network["cell"],
        weights=weights,
        num_layers=network["num_layers"],
        bidirectional=network["bidirectional"],
        prefix="recurrent.",
    )
    several = network["bidirectional"]
    traced = [
        _layer_trace(
            d,
            f"layer {d.layer + 1}" + (f", {'backward' if d.reverse else 'forward'}" if several else ""),
            sequence.dtype,
        )
        for directions in layers
        for d in directions
    ]
    return Trace(
        input=sequence if raw is None else raw,
        layers=traced,
        channel_names=channel_names,
        sample_rate_hz=sample_rate_hz,
        name=name,
        words=words,
    )


def _layer_trace(inside: DirectionInside, name: str, dtype: Any) -> LayerTrace:
    gates, cell = inside.gates(), CELLS[inside.cell]
    return LayerTrace(
        name=name,
        gates={symbol: values.astype(dtype, copy=False) for symbol, values in gates.items()},
        cell_state=inside.saved.c.astype(dtype, copy=False) if "c" in cell.states else None,
        state=inside.output.astype(dtype, copy=False),
        half_life=None if cell.keeping_gate is None else half_life(gates[cell.keeping_gate]),
    )


def half_life(kept: np.ndarray) -> np.ndarray:
    """Return the steps after which half is left, shape (units,), where ``kept`` of it stays at each step.

    Parameters
    ----------
    kept : ndarray of shape (time, units)
        Shares in [0, 1]. What is left after a while is their product, so their logarithms are averaged.
    """
    kept = np.clip(np.asarray(kept, np.float64), 1e-12, 1 - 1e-9)  # sigmoid rounds to 0 and 1
    return math.log(2) / -np.log(kept).mean(axis=0)


def _write_words(ax: Axes, words: Sequence[str], colours: Mapping[str, str]) -> None:
    """Write the tokens above their steps, words upwards; of many only as many as have room."""
    dress(ax, grid=None, colours=colours)
    ax.spines[:].set_visible(False)
    every = math.ceil(len(words) / MOST_WORDS)
    turned = 90 if max(map(len, words)) > 1 else 0
    for place in range(0, len(words), every):
        shown = plain(words[place].replace("\n", "⏎"), 14)
        ax.text(
            place,
            0.06,
            shown,
            rotation=turned,
            fontsize=SMALL,
            color=colours["ink"],
            ha="center",
            va="bottom",
        )
    ax.set_xlim(-0.5, len(words) - 0.5)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    if every > 1:
        title = f"One token in {every} is written"
        ax.set_title(title, fontsize=SMALL, color=colours["muted"], loc="left", pad=3)


def _heat(
    ax: Axes, symbol: str, values: np.ndarray, sample_rate_hz: float | None, colours: Mapping[str, str]
) -> None:
    """Units by time; opacity is the value, so that the picture suits a light and a dark page."""
    dress(ax, grid=None, colours=colours)
    steps, units = values.shape
    scale = 1 / sample_rate_hz if sample_rate_hz else 1.0
    blue, clear, orange = (_rgba(HEAT[2], 1.0), _rgba(HEAT[1], 0.0), _rgba(HEAT[0], 1.0))
    if symbol in SHARES:
        top, low, stops = 1.0, 0.0, [(0.0, _rgba(HEAT[2], 0.0)), (1.0, blue)]
        words = "clear 0, blue 1"
    else:
        top = float(np.abs(values).max(initial=0.0)) or 1.0
        low, stops = -top, [(0.0, orange), (0.5, clear), (1.0, blue)]
        words = f"orange {number(-top)}, blue {number(top)}"
    ax.imshow(
        _thinned(values).T,
        aspect="auto",
        interpolation="nearest",
        cmap=LinearSegmentedColormap.from_list("kept", stops),
        vmin=low,
        vmax=top,
        extent=(-0.5 * scale, (steps - 0.5) * scale, units - 0.5, -0.5),
        origin="upper",
    )
    ax.set_yticks([])
    ax.set_title(f"{NAMES[symbol]}  ({words})", fontsize=SMALL, color=colours["ink"], loc="left", pad=3)
    label(ax, y=counted(units, "unit"), colours=colours)


def _thinned(values: np.ndarray, most: int = 1500) -> np.ndarray:
    """Average neighbouring steps where there are more than a screen has points."""
    every = math.ceil(len(values) / most)
    if every == 1:
        return values
    whole = len(values) // every * every
    return values[:whole].reshape(-1, every, values.shape[1]).mean(axis=1)


def _rgba(code: str, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue, alpha
