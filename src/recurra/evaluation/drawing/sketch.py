"""`Sketch`: boxes, lines and texts at given places, what diagrams are made with."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.svg import ROLES, text_width

# Draws one part of a sketch with matplotlib, in these colours.
Part = Callable[[Axes, Mapping[str, str]], object]

FONT = 15.0
_SUB = re.compile(r"_\{([^}]*)\}")


@dataclass(frozen=True)
class Label:
    """A text of a sketch and the box it fills, for checks that nothing overlaps."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Label") -> bool:
        """Whether the two boxes share more than an edge."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class Sketch:
    """Boxes, lines and text at given places, in units of CSS pixels at full size.

    Colours are roles of `svg.ROLES`, such as "ink" or "blue".
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._printed: list[Part] = []
        self.labels: list[Label] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = FONT,
        anchor: str = "start",
        role: str = "ink",
        bold: bool = False,
    ) -> None:
        """Write one line, its baseline at y; ``W_{ih}`` puts ih below the line."""
        width = written_width(text, size)
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        self.labels.append(Label(text, left, y - 0.76 * size, left + width, y + 0.22 * size))
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{weight} '
            f'style="fill:{_colour(role)}">{_marked(text, size)}</text>'
        )
        how: dict[str, Any] = {"ha": _ALIGNED[anchor], "va": "baseline", "fontsize": size}
        how["fontweight"] = 600 if bold else 400
        words = _in_mathtext(text)
        self._printed.append(lambda ax, colours: ax.text(x, y, words, color=colours[role], **how))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        role: str = "ink",
        fill: float = 0.0,
        round: float = 6,
    ) -> None:
        """Draw a rectangle with its upper left corner at (x, y), filled with its colour's share ``fill``."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}" '
            f'style="fill:{_colour(role)};fill-opacity:{fill:g};stroke:{_colour(role)};stroke-width:1.4"/>'
        )
        self._printed.append(
            lambda ax, colours: _print_box(ax, (x, y, width, height), round, colours[role], fill)
        )

    def circle(self, x: float, y: float, radius: float, *, role: str = "ink") -> None:
        """Draw a circle filled with the page's colour, so that lines end at it."""
        self._parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" '
            f'style="fill:none;stroke:{_colour(role)};stroke-width:1.4"/>'
        )
        self._printed.append(
            lambda ax, colours: ax.add_patch(
                Circle((x, y), radius, fill=False, edgecolor=colours[role], linewidth=1.4)
            )
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        role: str = "ink",
        arrow: bool = False,
        dashed: bool = False,
    ) -> None:
        """Draw a line through the points, with a head at its end if ``arrow``."""
        path = list(points)
        if arrow:
            (x0, y0), (x1, y1) = path[-2:]
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
            ux, uy = (x1 - x0) / length, (y1 - y0) / length
            base = (x1 - 8 * ux, y1 - 8 * uy)
            corners = [(x1, y1), (base[0] - 4 * uy, base[1] + 4 * ux), (base[0] + 4 * uy, base[1] - 4 * ux)]
            drawn = " ".join(f"{x:g},{y:g}" for x, y in corners)
            self._parts.append(f'<polygon points="{drawn}" style="fill:{_colour(role)}"/>')
            self._printed.append(
                lambda ax, colours: ax.add_patch(Polygon(corners, facecolor=colours[role], linewidth=0))
            )
            path[-1] = base
        drawn = " ".join(f"{x:g},{y:g}" for x, y in path)
        dash = ";stroke-dasharray:4 3" if dashed else ""
        self._parts.append(
            f'<polyline points="{drawn}" style="fill:none;stroke:{_colour(role)};stroke-width:1.4{dash}"/>'
        )
        style: Any = (0, (3, 2)) if dashed else "-"
        across, down = zip(*path, strict=True)
        self._printed.append(
            lambda ax, colours: ax.plot(across, down, color=colours[role], linewidth=1.4, linestyle=style)
        )

    def drawing(self, width: float, height: float, *, title: str, description: str) -> Drawing:
        """Return everything drawn so far as a picture of this size."""
        described = f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc>"
        element = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
            f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" style="max-width:100%;height:auto">'
            f"{described}\n" + "\n".join(self._parts) + "\n</svg>"
        )
        printed = list(self._printed)

        def draw(colours: Mapping[str, str]) -> Figure:
            figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none", edgecolor="none")
            ax = figure.add_axes((0, 0, 1, 1))
            ax.set_axis_off()
            for part in printed:
                part(ax, colours)
            ax.set_xlim(0, width)
            ax.set_ylim(height, 0)
            return figure

        return Drawing(element, title, description, draw)


_ALIGNED = {"start": "left", "middle": "center", "end": "right"}


def _print_box(
    ax: Axes, box: tuple[float, float, float, float], round: float, colour: str, fill: float
) -> None:
    x, y, width, height = box
    style = f"round,pad=0,rounding_size={min(round, width / 2, height / 2)}"
    for how in ({"alpha": fill, "linewidth": 0.0}, {"fill": False, "linewidth": 1.4}):
        ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, color=colour, **how))


def _in_mathtext(text: str) -> str:
    """Return a line as matplotlib reads it: nothing but the indices is mathematics."""
    return _SUB.sub(r"$_{\\mathregular{\1}}$", text.replace("$", r"\$"))


def written_width(text: str, size: float) -> float:
    """Return the width of a line with indices, rather too wide."""
    below = sum(text_width(part) for part in _SUB.findall(text))
    return (text_width(_SUB.sub("", text)) + 0.75 * below) * size


def _marked(text: str, size: float) -> str:
    out, last = "", 0
    for found in _SUB.finditer(text):
        out += html.escape(text[last : found.start()])
        low = 0.22 * size
        # The empty tspan brings the line back up; a space keeps its place even where nothing follows.
        out += f'<tspan dy="{low:.3g}" font-size="{0.75 * size:.3g}">{html.escape(found.group(1))}</tspan>'
        rest = text[found.end() :]
        if rest:
            out += f'<tspan dy="{-low:.3g}">{html.escape(rest[:1])}</tspan>'
        last = found.end() + (1 if rest else 0)
        if rest.startswith("_{"):
            raise ValueError(f"two indices in a row in {text!r}")
    return out + html.escape(text[last:])


def _colour(role: str) -> str:
    return f"var(--{role}, {ROLES[role][1]})"
