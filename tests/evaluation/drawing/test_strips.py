import numpy as np
import pytest

from recurra.evaluation.drawing.strips import MAX_FRAMES, chosen_frames, frame_strip


@pytest.mark.parametrize(("count", "wanted"), [(1, [0]), (3, [0, 1, 2]), (15, [0, 2, 4, 6, 8, 10, 12, 14])])
def test_chosen_frames(count, wanted):
    assert chosen_frames(count).tolist() == wanted
    assert len(chosen_frames(1000)) == MAX_FRAMES


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
