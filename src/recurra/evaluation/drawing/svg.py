"""A matplotlib figure as inline SVG for a page: real text, colours that follow the page, nothing random.

matplotlib's own SVG writer turns text into outlines and takes its options from process-wide settings. This
renderer writes text as text (searchable, in the reader's font, any script), never reads it as mathematics (a
class may be called ``$x$``), names colours by their role so that one file serves light, dark and paper, and
numbers the ids.
"""

import hashlib
import html
import io
import re
import unicodedata
from typing import Any

from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure

# Role -> (colour written by matplotlib, colour where the page defines none). The first is a mark that nothing
# else uses; the page's style sheet sets --ink and so on, for light and for dark.
ROLES = {
    "ink": ("#010101", "#1d2329"),
    "muted": ("#020202", "#5b6672"),
    "grid": ("#030303", "#d9dee4"),
    "paper": ("#040404", "#ffffff"),
    "blue": ("#050505", "#1f6fb2"),
    "orange": ("#060606", "#c2570c"),
    "green": ("#070707", "#2e7d4f"),
    "purple": ("#080808", "#7a4fb0"),
    "on-blue": ("#090909", "#ffffff"),
}
PAGE = {role: mark for role, (mark, _) in ROLES.items()}
PLAIN = {role: colour for role, (_, colour) in ROLES.items()}


class _PageRenderer(RendererSVG):
    """Writes text as ``<text>`` and measures it without asking a font for glyphs it may not have."""

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        style = f"font-size: {prop.get_size_in_points():.4g}px; fill: {_hex(gc.get_rgb())}"
        if str(prop.get_weight()) in ("bold", "600", "700"):
            style += "; font-weight: 600"
        attributes = {}
        if mtext is not None and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            # Anchored by its alignment, so that a reader's font of another width does not shift it.
            anchor_x, anchor_y = mtext.get_transform().transform(mtext.get_unitless_position())
            x, y = (anchor_x, y) if angle == 0 else (x, self.height - anchor_y)
            style += f"; text-anchor: {({'left': 'start', 'right': 'end'}).get(mtext.get_ha(), 'middle')}"
        attributes["x"], attributes["y"] = f"{x:.2f}", f"{y:.2f}"
        if angle:
            attributes["transform"] = f"rotate({-angle:g} {x:.2f} {y:.2f})"
        writer: Any = self.writer
        writer.element("text", s, attrib={"style": style, **attributes})

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        size = prop.get_size_in_points()
        # Where the reader has DejaVu Sans alone, words are wider than in the common fonts.
        return 1.07 * text_width(s) * size, 0.95 * size, 0.22 * size


def text_width(text: str) -> float:
    """Width of one line in units of the font size, for a common sans-serif font; rather too wide."""
    total = 0.0
    for char in text:
        if unicodedata.east_asian_width(char) in "WF":
            total += 1.0
        elif char in "iljtfrI.,:;|!'()[] ":
            total += 0.34
        elif char in "mwMW%@—…":
            total += 0.9
        else:
            total += 0.66 if char.isupper() else 0.57
    return total


def render(figure: Figure, *, title: str, description: str, scroll: bool = False) -> str:
    """Return one ``<svg>`` element.

    Parameters
    ----------
    figure : Figure
        Drawn with the colours of `PAGE`, at 72 dots per inch. Its margins are set to fit its labels.
    title, description : str
        Read out where the picture cannot be seen.
    scroll : bool, default=False
        Keep the text readable on a phone by not shrinking below the drawn size.
    """
    fit(figure)
    width, height = figure.get_size_inches() * 72
    buffer = io.StringIO()
    renderer = page_renderer(width, height, buffer)
    figure.draw(renderer)
    renderer.finalize()
    body = buffer.getvalue()
    body = body[body.index(">", body.index("<svg")) + 1 : body.rindex("</svg>")]
    body = _colours(_ids(re.sub(r"<style type=\"text/css\">.*?</style>", "", body, flags=re.DOTALL)))
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    return element(body, width, height, title=title, description=description, scroll=scroll)


def element(
    body: str, width: float, height: float, *, title: str, description: str, scroll: bool = False
) -> str:
    """Return the ``<svg>`` element around a body; ``@chart@`` in it becomes a name that no other chart has.

    Parameters
    ----------
    body : str
        Elements of the picture, colours as ``var(--role, colour)``.
    width, height : float
        In points.
    title, description, scroll
        See `render`.
    """
    title, description = _printable(title), _printable(description)
    key = "c" + hashlib.sha256((title + description + body).encode()).hexdigest()[:10]
    body = body.replace("@chart@", key)
    size = f"max-width:{1.45 * width:.0f}px;" + (f"min-width:{width:.0f}px;" if scroll else "")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="chart" '
        f'role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'style="{size}font-family:inherit" stroke-linejoin="round" stroke-linecap="butt" '
        f'aria-labelledby="{key}-title {key}-text">\n'
        f'<title id="{key}-title">{html.escape(title)}</title>\n'
        f'<desc id="{key}-text">{html.escape(description)}</desc>\n'
        f"{body}\n</svg>"
    )


def fit(figure: Figure, *, pad: float = 4.0) -> None:
    """Set the margins so that every label is inside; ``pad`` in points."""
    width, height = figure.get_size_inches() * 72
    figure.set_dpi(72)
    renderer = page_renderer(width, height, io.StringIO())
    for _ in range(2):
        boxes = [box for axes in figure.axes if (box := axes.get_tightbbox(renderer)) is not None]
        left, bottom = min(b.x0 for b in boxes), min(b.y0 for b in boxes)
        right, top = max(b.x1 for b in boxes), max(b.y1 for b in boxes)
        now, before = figure.subplotpars, _ticks(figure)
        figure.subplots_adjust(
            left=now.left + (pad - left) / width,
            bottom=now.bottom + (pad - bottom) / height,
            right=now.right - (right - (width - pad)) / width,
            top=now.top - (top - (height - pad)) / height,
        )
        if _ticks(figure) == before:  # else other labels, of other widths, stand where the axes have moved
            return


def _ticks(figure: Figure) -> list[list[float]]:
    return [axis.get_ticklocs().tolist() for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def page_renderer(width: float, height: float, buffer: io.StringIO) -> Any:
    """A renderer that writes no metadata: the date would differ from call to call."""
    make: Any = _PageRenderer  # matplotlib's class has no types
    return make(width, height, buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))


def _printable(text: str) -> str:
    """Without control characters, which XML forbids."""
    return "".join(c if c.isprintable() else " " for c in text)


def _hex(rgb: Any) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb[:3])


def _colours(body: str) -> str:
    """Replace each mark inside style attributes by the page's variable and the colour to fall back on."""
    marks = {mark: f"var(--{role}, {plain})" for role, (mark, plain) in ROLES.items()}

    def named(style: re.Match[str]) -> str:
        return re.sub("#0[0-9]0[0-9]0[0-9]", lambda m: marks.get(m.group(), m.group()), style.group())

    return re.sub(r' style="[^"<>]*"', named, body)


def _ids(body: str) -> str:
    """Keep the ids that something points at, numbered; matplotlib's are random or repeat in each chart."""
    used = re.findall(r'(?:url\(#|xlink:href="#)([\w-]+)', body)
    numbers = {name: f"@chart@-{k}" for k, name in enumerate(dict.fromkeys(used))}

    def renamed(found: re.Match[str]) -> str:
        before, name = found.groups()
        if name in numbers:
            return f"{before}{numbers[name]}"
        return before.removesuffix(' id="') + "\0"  # nothing points at it; the rest goes below

    body = re.sub(r'(url\(#|xlink:href="#|<[a-zA-Z]+ id=")([\w.-]+)', renamed, body)
    return body.replace('\0"', "")
