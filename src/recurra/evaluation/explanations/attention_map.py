"""`AttentionMap`: where a translator looked while it wrote an answer, as a picture and in words."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recurra.checks import counted
from recurra.evaluation.drawing.charts import FONT, SMALL, dress, label, number, plain
from recurra.evaluation.drawing.picture import Drawing, Shown
from recurra.evaluation.drawing.svg import ROLES, element, fit, text_width

# Points a cell of the map takes.
CELL = 21

# The least weight that is drawn; less would not be seen.
LEAST = 0.005


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMap(Shown):
    """The weights of every source symbol at every symbol of the answer.

    Parameters
    ----------
    source, target : sequence of str
        Symbols read and written.
    weights : ndarray of shape (target, source)
        Each row sums to one.
    log_probabilities : ndarray of shape (target,)
        Of each symbol written, in nats.
    name : str
        What to call the source.
    """

    source: Sequence[str]
    target: Sequence[str]
    weights: np.ndarray
    log_probabilities: np.ndarray
    name: str = ""

    method = "attention"
    error = None

    @property
    def output(self) -> float:
        """Log-probability of the whole answer, in nats."""
        return float(np.sum(self.log_probabilities))

    def summary(self) -> str:
        """Say how sure the network was, and of which symbol least."""
        least = int(np.argmin(self.log_probabilities))
        probability = float(np.exp(self.log_probabilities[least]))
        where = self.source[int(np.argmax(self.weights[least]))]
        return (
            f"Attention: log-probability {number(self.output)} of the whole answer; least sure of "
            f"'{self.target[least]}' ({100 * probability:.3g} %), looking most at '{where}'."
        )

    def plot(self) -> Drawing:
        """Return a figure: source symbols across, the answer downward, the darker the more it looked there."""
        return Drawing.of_chart(self.to_svg(), self._draw)

    def to_svg(self) -> str:
        """Return the picture as one ``<svg>`` element for a page."""
        source, target = ([_shown(s) for s in side] for side in (self.source, self.target))
        turned = max(len(s) for s in source) > 2
        longest = SMALL * max(text_width(s) for s in source) if turned else SMALL
        left = FONT + 12 + SMALL * max(text_width(s) for s in target)
        top = FONT + 12 + longest
        width, height = CELL * len(source), CELL * len(target)
        written = [
            *_cells(np.asarray(self.weights, dtype=float), left, top),
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{width}" height="{height}" style="fill: none; '
            f'stroke: {_role("grid")}; stroke-width: 0.8"/>',
            _text("read", left + width / 2, FONT, size=FONT),
            _text("written", FONT, top + height / 2, size=FONT, turned=True),
        ]
        for column, symbol in enumerate(source):
            x = left + CELL * (column + 0.5)
            anchor = "start" if turned else "middle"
            written.append(_text(symbol, x + 0.35 * SMALL * turned, top - 4, anchor=anchor, turned=turned))
        for row, symbol in enumerate(target):
            y = top + CELL * (row + 0.5) + 0.35 * SMALL
            written.append(_text(symbol, left - 4, y, anchor="end"))
        return element(
            "\n".join(written),
            round(max(left + width + 4, 120), 1),
            round(top + height + 4, 1),
            title=f"Attention for {self.name}" if self.name else "Attention",
            description=self.summary(),
            scroll=len(source) > 14,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, as JSON holds them."""
        return {
            "kind": "attention",
            "method": self.method,
            "name": self.name,
            "source": list(self.source),
            "target": list(self.target),
            "weights": np.asarray(self.weights, dtype=float).tolist(),
            "log_probabilities": np.asarray(self.log_probabilities, dtype=float).tolist(),
        }

    def __repr__(self) -> str:
        return f"AttentionMap({counted(len(self.target), 'symbol')} written, {len(self.source)} read)"

    def _draw(self, colours: Any) -> Figure:
        source, target = ([_shown(s) for s in side] for side in (self.source, self.target))
        left = 12 + SMALL * max(text_width(s) for s in target)
        turned = max(len(s) for s in source) > 2
        top = 14 + (SMALL * max(text_width(s) for s in source) if turned else SMALL)
        width, height = left + 24 + CELL * len(source), top + 24 + CELL * len(target)
        figure = Figure(
            figsize=(max(width, 120) / 72, max(height, 90) / 72), dpi=72, facecolor="none", edgecolor="none"
        )
        ax = figure.add_subplot()
        dress(ax, grid=None, colours=colours)
        from matplotlib.patches import Rectangle

        for row, weights in enumerate(np.asarray(self.weights, dtype=float)):
            for column, weight in enumerate(weights):
                if weight >= LEAST:
                    corner = (column - 0.5, row - 0.5)
                    ax.add_patch(
                        Rectangle(
                            corner, 1, 1, facecolor=colours["blue"], alpha=min(1.0, weight), linewidth=0
                        )
                    )
        ax.set_xlim(-0.5, len(source) - 0.5)
        ax.set_ylim(len(target) - 0.5, -0.5)
        ax.xaxis.tick_top()
        ax.xaxis.set_label_position("top")
        how: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "bottom"} if turned else {}
        ax.set_xticks(range(len(source)), source, fontsize=SMALL, **how)
        ax.set_yticks(range(len(target)), target, fontsize=SMALL)
        ax.tick_params(length=0)
        for side in ("left", "top", "right", "bottom"):
            ax.spines[side].set_visible(True)
            ax.spines[side].set_color(colours["grid"])
        label(ax, x="read", y="written", colours=colours)
        fit(figure)
        return figure


def _cells(weights: np.ndarray, left: float, top: float) -> Iterator[str]:
    """Yield a square for every weight that would be seen."""
    for row, column in zip(*np.nonzero(weights >= LEAST), strict=True):
        yield (
            f'<rect x="{left + CELL * column:.1f}" y="{top + CELL * row:.1f}" width="{CELL}" height="{CELL}" '
            f'style="fill: {_role("blue")}; opacity: {min(1.0, weights[row, column]):.3g}"/>'
        )


def _text(
    text: str, x: float, y: float, *, size: float = SMALL, anchor: str = "middle", turned: bool = False
) -> str:
    """Return a text that stands on y, or, turned by a quarter, upward from y with its feet on x."""
    how = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}"{how} style="font-size: {size:g}px; fill: {_role("ink")}; '
        f'text-anchor: {anchor}">{html.escape(text)}</text>'
    )


def _role(name: str) -> str:
    return f"var(--{name}, {ROLES[name][1]})"


def _shown(symbol: str) -> str:
    """Return a symbol that can be seen: a blank has no ink."""
    return "\u2423" if symbol.isspace() else plain(symbol, 16)
