"""Word clouds: the words that speak for a class, sized by how far, laid out by the ``wordcloud`` library."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from recurra.checks import check_number, listing, missing_extra
from recurra.errors import DataError, RecurraWarning
from recurra.evaluation.drawing.charts import SMALL, WIDTH
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.svg import PLAIN

HEIGHT = 300
MAX_WORDS = 60
# The library lays out whole pixels: at twice the drawn size the words keep their proportions.
_SCALE = 2
FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
# Signs that look alike share a picture, so many of them at most.
_SIGNS_OF_A_PICTURE = 20
# Parts of the names of fonts that have Chinese, Japanese or Korean signs.
MANY_SCRIPTS = (
    "cjk",
    "noto",
    "unicode",
    "gothic",
    "wqy",
    "droid",
    "unifont",
    "pingfang",
    "hiragino",
    "yahei",
)
COLOURS = ("blue", "orange", "green", "purple")


def word_clouds(
    scores: Mapping[str, Mapping[str, float]], *, max_words: int = MAX_WORDS, colours: Any = PLAIN
) -> Figure:
    """Draw one cloud below another.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Heading of each cloud, and its words with how far each speaks for it; only those above 0 are drawn.
    max_words : int, default=60
        Words of a cloud at most, the highest scores.
    colours : mapping, default=PLAIN
        Of `recurra.evaluation.drawing.svg`; ``PAGE`` for a page in light and dark.

    Raises
    ------
    DataError
        If no word of a cloud has a score above 0.
    MissingExtraError
        If the package wordcloud is not installed.

    Warns
    -----
    RecurraWarning
        Naming signs that no installed font has; they are drawn as boxes.
    """
    check_number("word_clouds", "max_words", max_words, integer=True, low=1)
    figure = Figure(
        figsize=(WIDTH / 72, len(scores) * HEIGHT / 72), dpi=72, facecolor="none", edgecolor="none"
    )
    tall = len(scores) * HEIGHT
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=4 / tall, top=1 - 22 / tall, hspace=24 / (HEIGHT - 24)
    )
    missing: set[int] = set()
    for place, (heading, own) in enumerate(scores.items()):
        chosen = {word: score for word, score in own.items() if score > 0}
        if not chosen:
            raise DataError(f"word_clouds: no word speaks for {heading!r}. Give more texts.")
        ax = figure.add_subplot(len(scores), 1, place + 1)
        colour = COLOURS[place % len(COLOURS)]
        words = sorted(chosen, key=lambda word: (-chosen[word], word))[:max_words]
        font = _font_for(words)
        missing |= _needed(words) - _signs_of(font)
        _draw(ax, _layout(chosen, max_words, font), colours[colour], font)
        ax.set_title(heading, fontsize=SMALL + 2, color=colours["ink"], loc="left", pad=3)
    if missing:
        shown = listing(sorted(map(chr, missing)), 5)
        warnings.warn(
            f"word_clouds: no installed font has the signs {shown}; they are drawn as boxes. Install a font of this "
            "script, such as Noto Sans CJK.",
            RecurraWarning,
            stacklevel=3,
        )
    return figure


def word_clouds_drawing(scores: Mapping[str, Mapping[str, float]], *, max_words: int = MAX_WORDS) -> Drawing:
    """Return the clouds as a figure to show and to save; see `word_clouds`."""
    strongest = {heading: sorted(own, key=lambda word: -own[word])[:10] for heading, own in scores.items()}
    told = "; ".join(f"{heading}: {', '.join(words)}" for heading, words in strongest.items())
    return Drawing.of_figure(
        lambda colours: word_clouds(scores, max_words=max_words, colours=colours),
        title="Word clouds",
        description=f"The strongest words. {told}.",
    )


def _layout(
    scores: Mapping[str, float], max_words: int, font: str
) -> list[tuple[str, float, float, float, bool]]:
    """Return word, size, left, top and whether it stands upright, in drawn pixels; the same for the same scores."""
    try:
        from wordcloud import WordCloud
    except ImportError:
        raise missing_extra("wordcloud", "text", "a word cloud") from None
    strongest = sorted(scores, key=lambda word: (-scores[word], word))[:max_words]
    cloud = WordCloud(
        font_path=font,
        width=WIDTH * _SCALE,
        height=(HEIGHT - 24) * _SCALE,
        margin=2 * _SCALE,
        max_words=max_words,
        prefer_horizontal=0.9,
        max_font_size=44 * _SCALE,
        min_font_size=6 * _SCALE,
        random_state=0,
    ).generate_from_frequencies({word: scores[word] for word in strongest})
    return [
        (word, size / _SCALE, left / _SCALE, top / _SCALE, turn is not None)
        for (word, _), size, (top, left), turn, _ in cloud.layout_
    ]


def _font_for(words: Sequence[str]) -> str:
    """Return the path of the font that has most of the signs of the words, the one of matplotlib where it has them."""
    own = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    best, missing = own, _needed(words) - _signs_of(own)
    for path in _installed() if missing else ():
        left = _needed(words) - _signs_of(path)
        if len(left) < len(missing):
            best, missing = path, left
        if not missing:
            break
    return best


def _needed(words: Sequence[str]) -> set[int]:
    """Return the numbers of the signs of words."""
    return {ord(sign) for word in words for sign in word if not sign.isspace()}


def _installed() -> list[str]:
    """Return the fonts that matplotlib finds on this computer, those of many scripts first."""
    found = {entry.fname for entry in font_manager.fontManager.ttflist if entry.fname.endswith(FONT_SUFFIXES)}
    return sorted(found, key=lambda path: (not any(hint in path.lower() for hint in MANY_SCRIPTS), path))


@lru_cache(maxsize=512)
def _signs_of(path: str) -> frozenset[int]:
    """Return the numbers of the signs that a font has; none where it cannot be read.

    A font of last resort, as matplotlib brings one, has one picture for all signs of a script: it has none of them.
    """
    try:
        pictures = FT2Font(path).get_charmap()
    except (RuntimeError, OSError):
        return frozenset()
    signs = Counter(pictures.values())
    return frozenset(sign for sign, picture in pictures.items() if signs[picture] <= _SIGNS_OF_A_PICTURE)


def _draw(
    ax: Any, words: list[tuple[str, float, float, float, bool]], colour: str, path_of_font: str
) -> None:
    """Draw the words as outlines, so that they fit whatever fonts the reader has."""
    font = FontProperties(fname=path_of_font)
    for word, size, left, top, upright in words:
        path = TextPath((0, 0), word, size=size, prop=font, usetex=False)
        box = path.get_extents()
        turn = Affine2D()
        if upright:
            turn = turn.rotate_deg(90)
            box = path.transformed(turn).get_extents()
        move = turn.translate(left - box.x0, (HEIGHT - 24) - top - box.y1)
        ax.add_patch(PathPatch(path.transformed(move), facecolor=colour, edgecolor="none", linewidth=0))
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(0, HEIGHT - 24)
    ax.set_axis_off()
