"""`GradientFlow`: do gradients vanish or explode on their way back through time, where, and what to do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from recurra.checks import counted
from recurra.errors import UsageError
from recurra.evaluation.drawing.charts import SMALL, label, legend, log_axis, new_figure, number
from recurra.evaluation.drawing.picture import Drawing, Shown
from recurra.evaluation.explanations.step_jacobians import radius_and_norm, step_jacobian
from recurra.kernels.networks.activations import DirectionInside
from recurra.nn.networks.hidden_gradients import (
    EXPLODED,
    GONE,
    LossOfOutputs,
    Setting,
    growth,
    horizon,
    look_inside,
    transported,
)
from recurra.ragged import Ragged

ROLES = ("blue", "orange", "green", "purple", "muted", "ink")
# Step Jacobians are taken at so many places of the longest sequence: eigenvalues cost far more than gradients.
PLACES = 24
# Below this a norm is drawn as this: a logarithmic axis has no zero.
FLOOR = 1e-30


@dataclass(frozen=True, eq=False, repr=False)
class LayerFlow:
    """Gradients in one layer and direction.

    Parameters
    ----------
    name : str
        Such as "layer 1".
    norms : list of ndarray of shape (length,)
        For each sequence ``|d loss / d h_t|`` by time.
    shares : list of ndarray of shape (length,)
        For each sequence what is left of a gradient at the last step after 0, 1, 2, ... steps back, through this
        layer's states alone; by h, for the LSTM by c, which carries its memory.
    steps : ndarray of shape (places,)
        Steps back from the end of the longest sequence at which the Jacobians were taken.
    radii, jacobian_norms : ndarray of shape (places,)
        Spectral radius and norm of the derivative of the state after a step by the state before it.
    horizon : float
        Steps until 1 % is left, the median; infinite if more arrives at the first step.
    growth : float
        Largest share on the way, the median.
    reverse : bool
        Whether the layer reads from the end, so that its "last" step is the first of the sequence.
    """

    name: str
    norms: list[np.ndarray]
    shares: list[np.ndarray]
    steps: np.ndarray
    radii: np.ndarray
    jacobian_norms: np.ndarray
    horizon: float
    growth: float
    reverse: bool = False

    @property
    def share_left(self) -> float:
        """What is left of the last step's gradient at the other end, the median over sequences."""
        return float(np.median([share[-1] for share in self.shares])) if self.shares else float("nan")

    def back(self) -> list[np.ndarray]:
        """Return the norms by steps back from the step the layer reads last."""
        return self.norms if self.reverse else [n[::-1] for n in self.norms]


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow(Shown):
    """How the gradient of a loss travels back through the states of a network, on real data.

    Parameters
    ----------
    layers : list of LayerFlow
        From the first layer to the last.
    loss : float
        The loss on these sequences.
    lengths : ndarray of shape (batch,)
        Their time steps.
    setting : Setting, optional
        Of the network, so that the summary advises what is not so already.
    """

    layers: list[LayerFlow]
    loss: float
    lengths: np.ndarray
    setting: Setting | None = None

    @property
    def horizon(self) -> float:
        """Memory horizon of the last layer: steps until the gradient falls to 1 %, in the median sequence."""
        return self.layers[-1].horizon

    @property
    def verdict(self) -> str:
        """One of "vanishes", "explodes", "reaches"."""
        return judge(self.horizon, self.layers[-1].growth, float(np.median(self.lengths)))

    def summary(self) -> str:
        """Say in words what was found, and what to do about it."""
        return in_words(self.horizon, self.layers[-1].growth, float(np.median(self.lengths)), self.setting)

    def plot(self) -> Drawing:
        """Draw norms, shares and step Jacobians against the steps back from the end, one below the other."""
        return Drawing.of_figure(self._draw, title="Gradient flow through time", description=self.summary())

    def _draw(self, colours: Mapping[str, str]) -> Figure:
        figure, axes = new_figure(480, rows=(1, 1, 1), colours=colours)
        figure.subplots_adjust(hspace=0.5)
        for layer, role in zip(self.layers, ROLES, strict=False):
            _curve(axes[0], middle(layer.back()), colours[role], layer.name)
            _curve(axes[1], middle(layer.shares), colours[role], layer.name)
            axes[2].plot(
                layer.steps, layer.radii, color=colours[role], linewidth=1.6, label="spectral radius"
            )
            axes[2].plot(
                layer.steps,
                layer.jacobian_norms,
                color=colours[role],
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label="norm",
            )
            if math.isfinite(layer.horizon):
                axes[1].axvline(layer.horizon, color=colours[role], linewidth=0.9, linestyle=(0, (2, 2)))
        axes[1].axhline(GONE, color=colours["muted"], linewidth=0.9, linestyle=(0, (4, 3)))
        axes[2].axhline(1.0, color=colours["muted"], linewidth=0.9)
        for ax, title in zip(axes[1:], _TITLES, strict=True):
            ax.set_title(title, fontsize=SMALL, color=colours["ink"], loc="left", pad=4)
        for ax in axes[:2]:
            _log(ax)
        label(axes[0], y="|d loss / d h|", colours=colours)
        label(axes[1], y="Share left", colours=colours)
        label(axes[2], y="Size", x="Steps back from the end", colours=colours)
        axes[2].yaxis.set_major_locator(MaxNLocator(4))
        axes[2].xaxis.set_major_locator(MaxNLocator(6, integer=True))
        several = len(self.layers) > 3
        legend(axes[0], columns=2 if several else 3, colours=colours)
        figure.align_ylabels(axes)
        return figure

    def __repr__(self) -> str:
        return f"GradientFlow({self.verdict}, horizon {_steps(self.horizon)}, {counted(len(self.layers), 'layer')})"


_TITLES = (
    "Share of the last step's gradient left (dashed: 1 %)",
    "One step's Jacobian: spectral radius (line), norm (dashes)",
)


def gradient_flow(
    network: Any, inputs: Sequence[np.ndarray], loss: LossOfOutputs, *, setting: Setting | None = None
) -> GradientFlow:
    """Measure how gradients travel through a network.

    Parameters
    ----------
    network : SequenceNetwork
        Trained or not; not changed.
    inputs : sequence of ndarray of shape (time, input_size)
        What the network receives: after scaling and other features. Some dozens of sequences are enough.
    loss : function
        Of outputs of shape (batch, output_size), or (total_steps, output_size) with an output per step; returns a
        scalar tensor.
    setting : Setting, optional
        Of the training, where more is known of it than the network tells.

    Returns
    -------
    GradientFlow

    Raises
    ------
    UsageError
        If it is a network of the user's own design, whose states recurra does not know.
    """
    if not hasattr(network, "pooled"):
        raise UsageError(
            "gradient_flow: needs a network of recurra.nn.build or an estimator's own; got "
            f"{type(network).__name__}, whose states are not known. Leave out network= to look inside."
        )
    inside = look_inside(network, Ragged.from_list(list(inputs)), loss)
    hidden = inside.hidden_gradients()
    layers = []
    for directions, gradients in zip(inside.layers, hidden, strict=True):
        for place, (direction, gradient) in enumerate(zip(directions, gradients, strict=True)):
            last = directions is inside.layers[-1]
            seed = inside.last_seed(place) if last else _at_last_step(direction, gradient)
            layers.append(_layer_flow(direction, gradient, seed, several=len(directions) > 1))
    return GradientFlow(
        layers, inside.loss, np.array([len(x) for x in inputs]), setting or Setting.of(network)
    )


def _at_last_step(direction: DirectionInside, gradient: np.ndarray) -> np.ndarray:
    seed = np.zeros_like(direction.h_n)
    seed[direction.lengths > 0] = gradient[direction.last_rows()]
    return seed


def _layer_flow(
    direction: DirectionInside, gradient: np.ndarray, seed: np.ndarray, *, several: bool
) -> LayerFlow:
    norms = np.linalg.norm(gradient.astype(np.float64), axis=1)
    shares = transported(direction, seed)
    ends = np.cumsum(direction.lengths)
    longest = int(np.argmax(direction.lengths))
    first, length = int(ends[longest] - direction.lengths[longest]), int(direction.lengths[longest])
    steps = np.unique(np.linspace(0, length - 1, min(length, PLACES)).astype(int))
    rows = first + steps if direction.reverse else first + length - 1 - steps
    measured = [radius_and_norm(step_jacobian(direction, int(row))) for row in rows]
    kind = f", {'backward' if direction.reverse else 'forward'}" if several else ""
    return LayerFlow(
        name=f"layer {direction.layer + 1}{kind}",
        norms=np.split(norms, ends[:-1]),
        shares=shares,
        steps=steps,
        radii=np.array([radius for radius, _ in measured]),
        jacobian_norms=np.array([norm for _, norm in measured]),
        horizon=horizon(shares),
        growth=growth(shares),
        reverse=direction.reverse,
    )


def compare_gradient_flow(flows: Mapping[str, GradientFlow]) -> Drawing:
    """Draw what is left of the last step's gradient, in the last layer, for several networks in one picture.

    Parameters
    ----------
    flows : mapping of str to GradientFlow
        By what to call them; at most six can be told apart.
    """
    kept = dict(flows)

    def draw(colours: Mapping[str, str]) -> Figure:
        figure, (ax,) = new_figure(270, colours=colours)
        for (name, flow), role in zip(kept.items(), ROLES, strict=False):
            _curve(ax, middle(flow.layers[-1].shares), colours[role], name)
        ax.axhline(GONE, color=colours["muted"], linewidth=0.9, linestyle=(0, (4, 3)))
        _log(ax)
        label(ax, x="Steps back from the end", y="Share of gradient left", colours=colours)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend(ax, columns=3, colours=colours)
        return figure

    words = [f"{name}: 1 % is left after {_steps(flow.horizon)}." for name, flow in kept.items()]
    title = "What is left of a gradient on its way back"
    return Drawing.of_figure(draw, title=title, description=" ".join(words))


def gradient_reach(flows: Mapping[str, Mapping[int, GradientFlow]]) -> Drawing:
    """Draw against the length of the sequences what is left at one end of a gradient at the other.

    Parameters
    ----------
    flows : mapping of str to mapping of int to GradientFlow
        By what to call the network, and by the length its gradient flow was measured at, in time steps; at most six
        networks can be told apart.
    """
    kept = {name: {n: by_length[n] for n in sorted(by_length)} for name, by_length in flows.items()}
    left = {
        name: np.array([flow.layers[-1].share_left for flow in by_length.values()])
        for name, by_length in kept.items()
    }

    def draw(colours: Mapping[str, str]) -> Figure:
        figure, (ax,) = new_figure(270, colours=colours)
        for (name, by_length), role in zip(kept.items(), ROLES, strict=False):
            style: dict[str, Any] = {"marker": "o", "markersize": 4, "label": name, "color": colours[role]}
            ax.plot([*by_length], np.maximum(left[name], FLOOR), linewidth=1.7, **style)
        ax.set_xscale("log")
        ax.axhline(GONE, color=colours["muted"], linewidth=0.9, linestyle=(0, (4, 3)))
        _log(ax)
        every = sorted({length for by_length in kept.values() for length in by_length})
        ax.xaxis.set_major_locator(FixedLocator(_apart(every)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        label(ax, x="Length of the sequence, in steps", y="Share of gradient left", colours=colours)
        legend(ax, columns=3, colours=colours)
        return figure

    words = []
    for name, by_length in kept.items():
        shown = ", ".join(
            f"{number(share)} at {n} steps" for share, n in zip(left[name], by_length, strict=True)
        )
        words.append(f"{name}: {shown}.")
    title = "What is left at the first step of the gradient at the last"
    return Drawing.of_figure(draw, title=title, description=" ".join(words))


def _apart(lengths: Sequence[int]) -> list[int]:
    """Return the lengths whose names have room on a logarithmic axis: a tenth of it from one to the next."""
    room = (lengths[-1] / lengths[0]) ** 0.1
    kept = [lengths[0]]
    for length in lengths[1:]:
        if length >= kept[-1] * room:
            kept.append(length)
    return kept


def middle(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Return the median by position of curves of unequal length, as far as half of them reach."""
    if not curves:
        return np.zeros(0)
    reach = int(np.sort([len(c) for c in curves])[(len(curves) - 1) // 2])
    table = np.full((len(curves), reach), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: min(reach, len(curve))] = curve[:reach]
    return np.nanmedian(table, axis=0)


def judge(horizon: float, growth: float, length: float) -> str:
    """Return "explodes", "vanishes" or "reaches", for sequences of this length."""
    if growth > 1 / EXPLODED:
        return "explodes"
    return "vanishes" if horizon < length else "reaches"


def in_words(horizon: float, growth: float, length: float, setting: Setting | None = None) -> str:
    """Return what a memory horizon means for sequences of this length, and what to do where the setting is known."""
    verdict = judge(horizon, growth, length)
    if verdict == "explodes":
        return (
            f"The gradient explodes: on its way back it grows {number(growth)} times."
            f"{'' if setting is None else f' {setting.against_explosion()}'}"
        )
    if verdict == "vanishes":
        return (
            f"The gradient vanishes: after {_steps(horizon)} of {number(length)} only 1 % is left, so nothing "
            f"further back is learned.{'' if setting is None else f' {setting.against_vanishing()}'}"
        )
    return f"The gradient reaches: more than 1 % of it arrives at the first of {number(length)} steps."


def _steps(horizon: float) -> str:
    return f"{number(horizon)} steps" if math.isfinite(horizon) else "more steps than there are"


def _curve(ax: Axes, values: np.ndarray, colour: str, name: str) -> None:
    ax.plot(np.arange(len(values)), np.maximum(values, FLOOR), color=colour, linewidth=1.7, label=name)


def _log(ax: Axes) -> None:
    """Make the y axis logarithmic around the curves; lines that span the axes do not count."""
    curves = [np.asarray(line.get_ydata(), float) for line in ax.get_lines()]
    curves = [curve for curve in curves if len(curve) > 2]
    smallest = min((float(curve.min()) for curve in curves), default=GONE)
    largest = max((float(curve.max()) for curve in curves), default=1.0)
    ax.set_ylim(smallest / 3, max(largest, 10 * smallest) * 1.2)
    log_axis(ax)
