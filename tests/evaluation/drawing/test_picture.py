"""One type of figure: shown by itself, saved as SVG, PNG and PDF, in the colours of the page it stands on."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from recurra.errors import UsageError
from recurra.evaluation import diagrams
from recurra.evaluation.drawing.charts import gradient_norms
from recurra.evaluation.drawing.forecast import Forecast
from recurra.evaluation.drawing.picture import DARK, INLINE, Drawing, Shown
from recurra.evaluation.drawing.svg import PLAIN, ROLES
from recurra.evaluation.drawing.word_cloud import word_clouds_drawing
from recurra.evaluation.explanations.attention_map import AttentionMap
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.gradient_flow import compare_gradient_flow, gradient_flow, gradient_reach
from recurra.evaluation.explanations.traces import trace
from recurra.nn import NetworkConfig, build

CHART = gradient_norms([{"epoch": k, "grad_norm_max": 2.0, "grad_norm_median": 1.0} for k in range(4)])


def network_and_flow():
    network = build(NetworkConfig("lstm", 2, 4, 1), seed=0)
    inputs = [np.ones((n, 2), np.float32) for n in (5, 9)]
    return network, gradient_flow(network, inputs, lambda outputs: outputs.square().sum())


def made(kind):
    """Return one of everything that is shown as a figure."""
    values = np.sin(np.arange(60.0)).reshape(20, 3)
    words = ["not", "映画", "$5_{x}"]
    if kind == "sequence":
        return Explanation(values=values, input=values, method="occlusion", name="<a> & $b$")
    if kind == "text":
        return Explanation(values=np.array([1.0, -2.0, 0.5]), input=words, method="occlusion", kind="text")
    if kind == "video":
        return Explanation(values=values[:, 0], input=values, method="occlusion", kind="video")
    if kind == "attention":
        return AttentionMap(words, ["a", "b"], np.full((2, 3), 1 / 3), np.array([-0.1, -0.2]), "x")
    if kind == "cloud":
        pytest.importorskip("wordcloud")
        return word_clouds_drawing({"good": {"fine": 1.0, "great": 0.5}})
    if kind == "forecast":
        return Forecast(
            point=values[:4, :1], history=values[:, :1], low=values[:4, :1] - 1, high=values[:4, :1] + 1
        )
    if kind in ("unrolled", "cells"):
        return diagrams.unrolled("gru") if kind == "unrolled" else diagrams.compare()
    network, flow = network_and_flow()
    if kind == "network":
        return diagrams.network(network)
    if kind == "trace":
        config = {"cell": "lstm", "num_layers": 1, "bidirectional": False}
        weights = {name: w.detach().numpy() for name, w in network.state_dict().items()}
        return trace(config, weights, np.ones((7, 2), np.float32))
    if kind == "flow":
        return flow
    return (
        compare_gradient_flow({"a": flow}) if kind == "flows" else gradient_reach({"a": {9: flow, 20: flow}})
    )


KINDS = (
    *("sequence", "text", "video", "attention", "cloud", "forecast", "unrolled", "cells"),
    *("network", "trace", "flow", "flows", "reach"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_shown_and_saved_alike(kind, tmp_path):
    shown = made(kind)
    assert isinstance(shown, Drawing | Shown)
    drawing = shown if isinstance(shown, Drawing) else shown.plot()
    assert isinstance(drawing, Drawing)
    for suffix, begin in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        path = shown.save(tmp_path / f"a{suffix}")
        assert path == tmp_path / f"a{suffix}"
        assert path.read_bytes().startswith(begin)
    first = (tmp_path / "a.png").read_bytes()
    assert shown.save(tmp_path / "b.png").read_bytes() == first  # nothing random, no date
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"), dtype=int)
    assert (pixels[0, 0] == 255).all()
    # Something of it is dark on the white paper, and none of the marks of `svg.PAGE` is left.
    assert (pixels.sum(axis=2) < 500).mean() > 0.003
    assert not ((pixels[:, :, 0] == pixels[:, :, 1]) & (pixels.max(axis=2) < 10)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_notebook_lines_and_text_take_the_colour_of_the_page(kind):
    shown = made(kind)
    page = shown._repr_html_()
    assert "prefers-color-scheme" not in page
    if kind != "text":  # shown as words, which take the colour of the page anyway
        assert "--ink:currentColor" in page
        root = ElementTree.fromstring(page)
        assert root.tag == "div"
        assert root[0].tag.endswith("svg")
    assert not re.findall(r"(?:fill|stroke): ?#0[0-9]0[0-9]0[0-9]", page)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_readable_on_a_light_and_on_a_dark_page(kind, tmp_path):
    text = made(kind).save(tmp_path / "a.svg").read_text()
    root = ElementTree.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme:light dark" in text
    assert DARK["ink"] in text
    # Below all else stands the paper, for pages whose own colour nobody can know.
    behind = next(e for e in root if e.tag.endswith("rect"))
    assert behind.attrib["style"] == "fill:var(--paper, #ffffff)"


def luminance(colour):
    shares = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("role", ["blue", "orange", "green", "purple"])
def test_colours_read_on_both_pages(role):
    assert set(INLINE) == set(DARK) == set(ROLES)
    assert contrast(INLINE[role], "#ffffff") > 4
    assert contrast(INLINE[role], "#111111") > 4
    assert contrast(PLAIN[role], PLAIN["paper"]) > 4
    assert contrast(DARK[role], DARK["paper"]) > 4


def test_a_suffix_may_be_in_capitals(tmp_path):
    assert made("forecast").save(tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_chart_gets_colours_of_its_own(tmp_path):
    drawing = Drawing.of_chart(CHART)
    assert drawing.title == "Gradient norm over the epochs"
    assert drawing.description.startswith("Largest norm from 2 to 2.")
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == drawing.svg + "\n"
    assert drawing._repr_svg_() == drawing.svg


def test_messages(tmp_path):
    with pytest.raises(
        UsageError, match=r"^Drawing\.save: the file must end in \.svg, \.png or \.pdf; got 'a\.gif'\.$"
    ):
        made("forecast").save(tmp_path / "a.gif")
    with pytest.raises(
        UsageError, match=r"'Gradient norm over the epochs' was made as SVG only; save it with"
    ):
        Drawing.of_chart(CHART).save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
