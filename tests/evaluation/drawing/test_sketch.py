"""Sketches and standalone pictures."""

import xml.etree.ElementTree as ElementTree

import pytest

from recurra.errors import UsageError
from recurra.evaluation.drawing.charts import gradient_norms
from recurra.evaluation.drawing.sketch import DARK, Drawing, Label, Sketch, written_width


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


def test_a_chart_gets_colours_of_its_own(tmp_path):
    chart = gradient_norms([{"epoch": k, "grad_norm_max": 2.0, "grad_norm_median": 1.0} for k in range(4)])
    drawing = Drawing.of_chart(chart)
    assert drawing.title == "Gradient norm over the epochs"
    assert drawing.description.startswith("Largest norm from 2 to 2.")
    ElementTree.fromstring(drawing.svg)
    assert "<style>" in drawing.svg
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == drawing.svg + "\n"
    assert drawing._repr_svg_() == drawing.svg


def test_only_svg_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"Drawing\.save: the file must end in \.svg; got 'a\.png'"):
        Drawing("<svg/>", "t", "d").save(tmp_path / "a.png")
