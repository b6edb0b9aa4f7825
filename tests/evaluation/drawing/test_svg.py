import io
import subprocess
import sys
import threading
import warnings
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from recurra.evaluation.drawing.charts import label, legend, new_figure, plain
from recurra.evaluation.drawing.svg import PAGE, ROLES, fit, page_renderer, render, text_width

SVG = "{http://www.w3.org/2000/svg}"


def drawing(name="a name", **options):
    figure, (ax,) = new_figure()
    ax.plot([0, 1, 2], [1, 3, 2], color=PAGE["blue"], label=plain(name), marker="o")
    label(ax, x="Epoch", y="Loss")
    legend(ax)
    return render(figure, title=f"Title of {name}", description=f"About {name}", **options)


def test_it_is_one_svg_element_with_alternative_text():
    root = ET.fromstring(drawing())
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Title of a name"
    assert root.find(f"{SVG}desc").text == "About a name"
    named = {element.get("id") for element in root.iter() if element.get("id")}
    assert set(root.get("aria-labelledby").split()) <= named


def test_text_is_text():
    texts = [element.text for element in ET.fromstring(drawing()).iter(f"{SVG}text")]
    assert {"Epoch", "Loss", "a name"} <= set(texts)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "\"&'<x>", "$x^2$", "$\\frac{", "日本語の母音", "a\nb\tc\x07"]
)
def test_names_of_any_kind_stay_text(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a font without these glyphs would warn
        svg = drawing(name)
    root = ET.fromstring(svg)
    assert plain(name).replace(r"\$", "$") in [element.text for element in root.iter(f"{SVG}text")]
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in svg


def test_colours_follow_the_page_and_have_one_to_fall_back_on():
    svg = drawing()
    assert "var(--blue, #1f6fb2)" in svg
    assert not any(mark in svg for mark, _ in ROLES.values())


def test_a_name_that_looks_like_an_id_or_a_colour_is_left_alone():
    texts = [e.text for e in ET.fromstring(drawing('<g id="q"> #050505')).iter(f"{SVG}text")]
    assert '<g id="q"> #050505' in texts


def test_the_same_drawing_is_the_same_file_and_ids_differ_between_drawings():
    one, again, other = drawing("one"), drawing("one"), drawing("other")
    assert one == again
    ids = [{e.get("id") for e in ET.fromstring(svg).iter() if e.get("id")} for svg in (one, other)]
    assert not ids[0] & ids[1]
    root = ET.fromstring(one)
    pointers = [v[1:] for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
    assert pointers
    assert set(pointers) <= ids[0]


def test_process_wide_settings_are_neither_read_nor_changed():
    plainly = drawing()
    before = dict(mpl.rcParams)
    with mpl.rc_context(
        {"svg.fonttype": "none", "axes.facecolor": "red", "text.color": "red", "axes.grid": True}
    ):
        assert drawing() == plainly
    assert dict(mpl.rcParams) == before


def test_threads_may_draw_at_once():
    expected = [drawing(str(k)) for k in range(4)]
    found = [""] * 4

    def work(k):
        found[k] = drawing(str(k))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


DRAW = """
import sys
import numpy as np
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.explanations.explanation import Explanation
evaluate_classification(["a", "b"], np.eye(2), classes=["a", "b"]).to_html()
Explanation(values=np.eye(2), input=np.eye(2), method="m").plot()
print([*sys.modules])
"""


def test_drawing_loads_neither_pyplot_nor_torch():
    out = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True).stdout
    assert "'matplotlib.pyplot'" not in out
    assert "'torch'" not in out


def test_width_of_text_is_not_estimated_too_small():
    # DejaVu Sans is among the widest fonts a page is shown in.
    for text in ("Predicted class", "validation", "0.0123", "utterance_005"):
        true = (
            TextPath((0, 0), text, size=100, prop=FontProperties(family="DejaVu Sans")).get_extents().width
            / 100
        )
        assert 0.9 * true < text_width(text) < 1.3 * true
    assert text_width("日本") == 2.0
    assert np.isclose(text_width(""), 0)


@pytest.mark.parametrize("seed", range(24))
def test_every_label_is_inside_and_the_room_is_used(seed):
    rng = np.random.default_rng(seed)
    rows = (1,) if seed % 3 else (2, 1)
    figure, axes = new_figure(rng.uniform(200, 400), width=rng.uniform(150, 500), rows=rows)
    for ax in axes:
        x = np.linspace(0, 1, 30) * rng.uniform(1, 9) * 10.0 ** rng.integers(-2, 8)
        ax.plot(x, np.cumsum(rng.normal(size=(30, 2)), axis=0) * 10.0 ** rng.integers(-6, 9))
        ax.set_xlim(x[0], x[-1])
        label(ax, x="time in steps", y="value\nof two lines" if seed % 2 else "value")
    fit(figure)
    width, height = figure.get_size_inches() * 72
    renderer = page_renderer(width, height, io.StringIO())
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    margins = [
        min(b.x0 for b in boxes),
        min(b.y0 for b in boxes),
        width - max(b.x1 for b in boxes),
        height - max(b.y1 for b in boxes),
    ]
    np.testing.assert_allclose(margins, 4, atol=1.5)
