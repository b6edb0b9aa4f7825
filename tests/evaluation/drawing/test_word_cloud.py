import pytest

from recurra.errors import DataError
from recurra.evaluation.drawing.word_cloud import word_clouds, word_clouds_drawing

pytest.importorskip("wordcloud")
SCORES = {"good": {"fine": 0.9, "nice": 0.3, "poor": -0.2}, "bad": {"awful": 0.8}}


def test_one_patch_a_word_and_larger_for_the_stronger():
    figure = word_clouds(SCORES)
    good, bad = figure.axes
    assert good.get_title(loc="left") == "good"
    boxes = [patch.get_path().get_extents() for patch in good.patches]
    fine, nice = (box.width * box.height for box in boxes)  # one of them may stand upright
    assert fine > nice
    assert len(bad.patches) == 1


def test_words_do_not_overlap_and_stay_inside():
    many = {"all": {f"word{i}": 1 / (1 + i) for i in range(25)}}
    (ax,) = word_clouds(many).axes
    boxes = [patch.get_path().get_extents() for patch in ax.patches]
    for i, box in enumerate(boxes):
        assert box.x0 >= -2
        assert box.x1 <= ax.get_xlim()[1] + 2
        assert not any(box.shrunk(0.7, 0.7).overlaps(other.shrunk(0.7, 0.7)) for other in boxes[:i])


def test_a_page_gets_colours_that_follow_it():
    svg = word_clouds_drawing(SCORES).element
    assert svg == word_clouds_drawing(SCORES).element
    assert "var(--blue" in svg
    assert "The strongest words. good: fine, nice" in svg


def test_nothing_to_draw():
    with pytest.raises(DataError, match="no word speaks for 'x'"):
        word_clouds({"x": {"a": -1.0}})
