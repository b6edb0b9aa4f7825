"""`Drawing`, the one type of figure: a notebook shows it in the page's colours, `save` writes SVG, PNG or PDF.

`Shown` gives what can be drawn (an explanation, a trace, a forecast) the same two manners.
"""

import html
import io
import os
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text

from recurra.errors import UsageError
from recurra.evaluation.drawing.svg import PAGE, PLAIN, ROLES, render
from recurra.store import write_bytes, write_text

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
# Inside somebody else's page nothing says whether it is light or dark but the colour of its text. Lines and text
# take that; the colours are of a middle brightness, a contrast of 4 to 1 and more on white and on black.
INLINE = {
    "ink": "currentColor",
    "muted": "color-mix(in srgb, currentColor 70%, transparent)",
    "grid": "color-mix(in srgb, currentColor 20%, transparent)",
    "paper": "#ffffff",
    "blue": "#2b7cc2",
    "orange": "#c8601a",
    "green": "#33875a",
    "purple": "#8a63bd",
    "on-blue": "#ffffff",
}
FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
# Fonts that have what DejaVu Sans has not; those that are installed are asked in turn.
OTHER_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Hiragino Sans",
    "Yu Gothic",
    "PingFang SC",
    "Microsoft YaHei",
    "IPAGothic",
    "IPAexGothic",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
)
SUFFIXES = (".svg", ".png", ".pdf")
DOTS_PER_INCH = 200  # of a PNG; a figure is drawn with 72 points to the inch

Draw = Callable[[Mapping[str, str]], Figure]


@dataclass(frozen=True, eq=False, repr=False)
class Drawing:
    """A figure: a notebook shows it, `save` writes it.

    Parameters
    ----------
    element : str
        One ``<svg>`` element whose colours are variables of the page, such as ``var(--ink, #1d2329)``.
    title, description : str
        What a reader who cannot see it is told.
    draw : function of colours, optional
        Returns the same as a matplotlib figure, for PNG and PDF.
    """

    element: str
    title: str
    description: str
    draw: Draw | None = field(default=None)

    @classmethod
    def of_figure(cls, draw: Draw, *, title: str, description: str, scroll: bool = False) -> "Drawing":
        """Return a drawing of what ``draw`` draws with the colours it is given; the others are those of `svg.render`."""
        return cls.of_chart(render(draw(PAGE), title=title, description=description, scroll=scroll), draw)

    @classmethod
    def of_chart(cls, chart: str, draw: Draw | None = None) -> "Drawing":
        """Return a chart of `svg.render` as a drawing."""
        title, description = (
            html.unescape(found.group(1))
            if (found := re.search(f"<{tag} [^>]*>([^<]*)</{tag}>", chart))
            else ""
            for tag in ("title", "desc")
        )
        return cls(chart, title, description, draw)

    @property
    def svg(self) -> str:
        """The picture for a file: it carries its colours for light and for dark, and the paper below them."""
        own = self.element.replace('class="chart"', 'class="chart recurra-drawing"', 1).replace(
            "font-family:inherit", "", 1
        )
        first = own.index(">") + 1
        paper = '<rect class="recurra-paper" width="100%" height="100%" style="fill:var(--paper, #ffffff)"/>'
        return own[:first] + _style() + paper + own[first:]

    def figure(self) -> Figure:
        """Return the picture as a figure of matplotlib, to be changed or set beside others.

        Raises
        ------
        UsageError
            If the drawing is an SVG element alone.
        """
        if self.draw is None:
            raise UsageError(f"Drawing: {self.title!r} was made as SVG only; save it with a name in .svg.")
        return self.draw(PLAIN)

    @property
    def axes(self) -> list[Axes]:
        """Axes of a new `figure`, to look at."""
        return self.figure().axes

    def savefig(self, target: Any, **options: Any) -> None:
        """Write a new `figure` as matplotlib does: to a file or a buffer, with its options."""
        self.figure().savefig(target, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, in one step, and return its path.

        Parameters
        ----------
        path : path
            Its ending says the format: ``.svg``, which follows a light or a dark page, ``.png`` or ``.pdf``.

        Raises
        ------
        UsageError
            If the name ends otherwise.
        OSError
            If the folder is not there, cannot be written, or the disk is full.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise UsageError(f"Drawing.save: the file must end in .svg, .png or .pdf; got {target.name!r}.")
        if suffix == ".svg":
            write_text(target, self.svg + "\n")
        else:
            write_bytes(target, _printed(self.figure(), suffix[1:]))
        return target

    def _repr_html_(self) -> str:
        colours = "".join(f"--{role}:{value};" for role, value in INLINE.items())
        return f'<div style="overflow-x:auto;font-family:{FAMILY};{colours}">{self.element}</div>'

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({self.title!r})"


class Shown(ABC):
    """What a notebook shows as a figure, and what `save` writes as one."""

    @abstractmethod
    def plot(self) -> Drawing:
        """Return the figure."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure to a file in ``.svg``, ``.png`` or ``.pdf``; see `Drawing.save`."""
        return self.plot().save(path)

    def _repr_html_(self) -> str:
        return self.plot()._repr_html_()

    def _repr_svg_(self) -> str | None:
        return self.plot().svg


def _style() -> str:
    def block(colours: Mapping[str, str]) -> str:
        return ".recurra-drawing{" + "".join(f"--{role}:{value};" for role, value in colours.items()) + "}"

    light = {role: plain for role, (_, plain) in ROLES.items()}
    dark = f"@media (prefers-color-scheme: dark){{{block(DARK)}}}"
    words = f".recurra-drawing text{{font-family:{FAMILY}}}"
    return f"<style>.recurra-drawing{{color-scheme:light dark}}{block(light)}{words}{dark}</style>"


def _printed(figure: Figure, kind: str) -> bytes:
    """Return a figure as PNG or PDF on white paper, letters that DejaVu Sans has not in a font that has them."""
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"CreationDate": None}
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # matplotlib warns of each letter that no font here has; it is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.draw_without_rendering()  # makes the labels of the ticks
        texts = figure.findobj(Text)
        if not all(str(text.get_text()).isascii() for text in texts):
            families = ["DejaVu Sans", *other_fonts()]
            for text in texts:
                text.set_fontfamily(families)
        figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, facecolor=PLAIN["paper"], metadata=metadata)
    return buffer.getvalue()


def other_fonts() -> list[str]:
    """Return the fonts of `OTHER_FONTS` that are installed."""
    installed: Any = {font.name for font in fontManager.ttflist}
    return [name for name in OTHER_FONTS if name in installed]
