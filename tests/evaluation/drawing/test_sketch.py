"""Sketches, as SVG and as matplotlib prints them."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from recurra.evaluation.drawing.picture import DARK
from recurra.evaluation.drawing.sketch import Label, Sketch, written_width
from recurra.evaluation.drawing.svg import PLAIN


def test_a_sketch_is_valid_svg_with_colours_for_light_and_dark():
    sketch = Sketch()
    sketch.box(1, 1, 20, 10, role="blue", fill=0.1)
    sketch.circle(5, 5, 2)
    sketch.line([(0, 0), (10, 0)], arrow=True)
    sketch.text(3, 20, "a < b & W_{ih} x")
    drawing = sketch.drawing(100, 50, title="T & t", description="d")
    root = ElementTree.fromstring(drawing.svg)
    assert root.attrib["viewBox"] == "0 0 100 50"
    assert "".join(root.itertext()).endswith("a < b & Wih x\n")
    assert "prefers-color-scheme: dark" in drawing.svg
    assert DARK["ink"] in drawing.svg
    assert "var(--blue, #1f6fb2)" in drawing.svg


def test_indices_go_down_and_come_back():
    sketch = Sketch()
    sketch.text(0, 0, "W_{i} x", size=20)
    svg = sketch.drawing(9, 9, title="", description="").svg
    assert '<tspan dy="4.4" font-size="15">i</tspan><tspan dy="-4.4"> </tspan>x' in svg
    assert written_width("W_{i}", 20) == pytest.approx(written_width("W", 20) + 0.75 * written_width("i", 20))


def test_labels_know_what_they_cover():
    one = Label("a", 0, 0, 10, 10)
    assert one.overlaps(Label("b", 9, 9, 20, 20))
    assert not one.overlaps(Label("b", 10, 0, 20, 10))
    assert not one.overlaps(Label("b", 0, 11, 20, 20))


def test_a_sketch_is_printed_as_it_is_drawn():
    sketch = Sketch()
    sketch.box(10, 10, 40, 20, role="blue", fill=1.0)
    sketch.line([(60, 40), (90, 40)], role="orange", arrow=True)
    sketch.circle(75, 15, 5, role="green")
    sketch.text(10, 45, "$a$ W_{ih} x_i", role="ink")
    figure = sketch.drawing(100, 50, title="t", description="d").figure()
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [r"\$a\$ W$_{\mathregular{ih}}$ x_i"]
    figure.set_dpi(72)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    assert pixels.shape[:2] == (50, 100)
    assert to_hex(pixels[20, 30] / 255) == PLAIN["blue"]  # inside of the box
    assert to_hex(pixels[40, 88] / 255) != PLAIN["blue"]
    orange = np.abs(pixels[:, :, :3].astype(int) - [0xC2, 0x57, 0x0C]).sum(axis=2) < 60
    rows, columns = np.nonzero(orange & (pixels[:, :, 3] > 200))
    assert 36 <= rows.min() <= rows.max() <= 44
    assert columns.max() >= 86
