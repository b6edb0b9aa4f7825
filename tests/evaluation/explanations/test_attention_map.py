"""The picture of where a translator looked."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from recurra.evaluation.explanations.attention_map import AttentionMap

SVG = "{http://www.w3.org/2000/svg}"


def drawn(source, target, weights):
    logs = np.log(np.full(len(target), 0.5))
    return ElementTree.fromstring(AttentionMap(source, target, np.array(weights), logs, "<x>").to_svg())


def test_every_weight_that_can_be_seen_is_a_square_in_its_place():
    svg = drawn(["a", "b", "c"], ["X", "(end)"], [[0.7, 0.3, 0.0], [0.001, 0.099, 0.9]])
    *cells, frame = svg.iter(f"{SVG}rect")
    shown = [float(cell.get("style").rpartition("opacity: ")[2]) for cell in cells]
    assert shown == [0.7, 0.3, 0.099, 0.9]
    columns = [round((float(c.get("x")) - float(frame.get("x"))) / 21) for c in cells]
    rows = [round((float(c.get("y")) - float(frame.get("y"))) / 21) for c in cells]
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (0, 1), (1, 1), (1, 2)]


@pytest.mark.parametrize("source", [["<b>", "&"], ["彼", "ら"], ["a\x00", " "], ["a long word indeed", "x"]])
def test_symbols_stand_inside_as_text(source):
    svg = drawn(source, ["<script>", "y"], [[0.5, 0.5], [1.0, 0.0]])
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert "<script>" in texts
    assert len(texts) == 6
    _, _, width, height = map(float, svg.get("viewBox").split())
    for text in svg.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= width
        assert 0 <= float(text.get("y")) <= height
