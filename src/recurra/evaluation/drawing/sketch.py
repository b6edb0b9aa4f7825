"""`Drawing`, a picture that follows the reader's light or dark page, and `Sketch`, what diagrams are made with."""

import html
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import UsageError
from recurra.evaluation.drawing.svg import ROLES, text_width
from recurra.store import write_text

# The report's dark colours; the light ones are in `svg.ROLES`.
DARK = {
    "ink": "#e7ebef",
    "muted": "#9aa7b4",
    "grid": "#37414c",
    "paper": "#1b2127",
    "blue": "#62a8e5",
    "orange": "#f0924a",
    "green": "#62bd86",
    "purple": "#b692e8",
    "on-blue": "#0c1a27",
}
FONT = 15.0
FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
_SUB = re.compile(r"_\{([^}]*)\}")


@dataclass(frozen=True, eq=False, repr=False)
class Drawing:
    """A picture as SVG; a notebook shows it, `save` writes it.

    Parameters
    ----------
    svg : str
        One ``<svg>`` element that carries its own colours for light and dark.
    title, description : str
        What a reader who cannot see it is told.
    """

    svg: str
    title: str
    description: str

    @classmethod
    def of_chart(cls, chart: str) -> "Drawing":
        """Return a chart of `svg.render`, which takes its colours from the page, with colours of its own."""
        title, description = (
            html.unescape(found.group(1))
            if (found := re.search(f"<{tag} [^>]*>([^<]*)</{tag}>", chart))
            else ""
            for tag in ("title", "desc")
        )
        own = chart.replace('class="chart"', 'class="chart recurra-drawing"', 1).replace(
            "font-family:inherit", "", 1
        )
        first = own.index(">") + 1
        return cls(own[:first] + _style() + own[first:], title, description)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file whose name ends in ``.svg``.

        Raises
        ------
        UsageError
            If the name ends otherwise.
        """
        if Path(path).suffix.lower() != ".svg":
            raise UsageError(f"Drawing.save: the file must end in .svg; got {Path(path).name!r}.")
        write_text(path, self.svg + "\n")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({self.title!r})"


def _style() -> str:
    def block(colours: dict[str, str]) -> str:
        return ".recurra-drawing{" + "".join(f"--{role}:{value};" for role, value in colours.items()) + "}"

    light = {role: plain for role, (_, plain) in ROLES.items()}
    dark = f"@media (prefers-color-scheme: dark){{{block(DARK)}}}"
    return f"<style>{block(light)}.recurra-drawing text{{font-family:{FAMILY}}}{dark}</style>"


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

    def circle(self, x: float, y: float, radius: float, *, role: str = "ink") -> None:
        """Draw a circle filled with the page's colour, so that lines end at it."""
        self._parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" '
            f'style="fill:none;stroke:{_colour(role)};stroke-width:1.4"/>'
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
            path[-1] = base
        drawn = " ".join(f"{x:g},{y:g}" for x, y in path)
        dash = ";stroke-dasharray:4 3" if dashed else ""
        self._parts.append(
            f'<polyline points="{drawn}" style="fill:none;stroke:{_colour(role)};stroke-width:1.4{dash}"/>'
        )

    def drawing(self, width: float, height: float, *, title: str, description: str) -> Drawing:
        """Return everything drawn so far as a picture of this size."""
        described = f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc>"
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="recurra-drawing" role="img" '
            f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" style="max-width:100%;height:auto">'
            f"{_style()}{described}\n" + "\n".join(self._parts) + "\n</svg>"
        )
        return Drawing(svg, title, description)


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
