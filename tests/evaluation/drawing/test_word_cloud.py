import pytest

from recurra.errors import DataError, RecurraWarning
from recurra.evaluation.drawing import word_cloud
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


def test_signs_that_no_font_has_are_named(monkeypatch):
    monkeypatch.setattr(word_cloud, "_installed", list)  # a computer with matplotlib's own fonts alone
    with pytest.warns(
        RecurraWarning, match=r"no installed font has the signs '日', '本'; .*such as Noto Sans CJK"
    ) as said:
        word_cloud.word_clouds({"a": {"日": 1.0, "oil": 0.5}, "b": {"日本": 1.0}})
    assert len(said) == 1
    word_cloud.word_clouds({"a": {"Öl": 1.0, "масло": 0.5, "λάδι": 0.2}})  # warnings are errors


def test_an_installed_font_that_has_the_signs_is_taken(monkeypatch):
    signs = {"small.ttf": {"a", "日"}, "large.ttf": {"a", "日", "本"}}
    monkeypatch.setattr(word_cloud, "_installed", lambda: list(signs))
    known = {path: frozenset(map(ord, own)) for path, own in signs.items()}
    monkeypatch.setattr(word_cloud, "_signs_of", lambda path: known.get(path, frozenset({ord("a")})))
    assert word_cloud._font_for(["日本", "a"]) == "large.ttf"
    assert word_cloud._font_for(["日"]) == "small.ttf"
    assert word_cloud._font_for(["a"]).endswith("DejaVuSans.ttf")


def test_a_font_of_last_resort_has_no_sign_of_a_script():
    """matplotlib brings one whose only picture of kanji is a box with one kanji in it, and says it has them all."""
    from pathlib import Path

    import matplotlib
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path(), "fonts/ttf")
    (path,) = (str(path) for path in folder.glob("LastResort*"))
    assert {*map(ord, "日本か")} <= set(FT2Font(path).get_charmap())
    assert not {*map(ord, "日本かа")} & word_cloud._signs_of(path)
    own = word_cloud._signs_of(str(folder / "DejaVuSans.ttf"))
    assert {*map(ord, "aÖжλ0–")} <= own
    assert len(own) > 0.98 * len(FT2Font(str(folder / "DejaVuSans.ttf")).get_charmap())
