import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from recurra.evaluation.drawing.strips import MAX_FRAMES, chosen_frames, frame_strip, frames_with


@pytest.mark.parametrize(("count", "wanted"), [(1, [0]), (3, [0, 1, 2]), (15, [0, 2, 4, 6, 8, 10, 12, 14])])
def test_chosen_frames(count, wanted):
    assert chosen_frames(count).tolist() == wanted
    assert len(chosen_frames(1000)) == MAX_FRAMES


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 15, 100])
def test_marked_frames_are_among_those_shown(count):
    rng = np.random.default_rng(count)
    for _ in range(20):
        marked = rng.permutation(count)[:3].tolist()
        shown = frames_with(count, marked).tolist()
        assert set(marked) <= set(shown)
        assert shown == sorted(set(shown))
        assert len(shown) == min(count, MAX_FRAMES)


def test_a_strip_shows_frames_and_says_what_the_curves_do():
    frames = np.full((5, 300, 200, 3), 90, np.uint8)
    trace = np.linspace([0.9, 0.1], [0.2, 0.8], 5)
    words = {"true": "b<", "predicted": "a", "classes": ["a", "b<"], "name": "clip & 1"}
    svg = frame_strip(frames, trace=trace, **words)
    assert svg.startswith("<svg")
    assert "data:image/png;base64" in svg
    assert "Clip clip &amp; 1: 5 frames. True: b&lt;, predicted: a." in svg
    assert "Probability of the true class from 10 % to 80 %." in svg
    assert len(svg) < 40_000
    assert "Probability" not in frame_strip(frames[:1], **words)


def test_the_legend_stands_between_the_frames_and_the_curves():
    frames = np.full((12, 60, 80, 3), 90, np.uint8)
    how = {"true": "b", "predicted": "a", "classes": ["a", "b"], "name": "c"}
    svg = frame_strip(frames, trace=np.full((12, 2), 0.5), **how)
    root = ElementTree.fromstring(svg)
    image = next(e for e in root.iter() if e.tag.endswith("image"))
    words = {e.text: float(e.attrib["y"]) for e in root.iter() if e.tag.endswith("text")}
    legend = min(y for text, y in words.items() if text.startswith("true: "))
    # matplotlib writes an image upside down and turns it over: scale(1 -1) translate(0 -height).
    assert image.attrib["transform"].startswith("scale(1 -1)")
    bottom = float(image.attrib["height"]) - float(image.attrib["y"])
    assert legend - 8 > bottom + 1
