"""Edit distances, rates and BLEU by hand."""

import pytest

from recurra.errors import DataError, ShapeError
from recurra.evaluation.metrics.texts import bleu, edit_distance, error_rate, nearest, text_metrics
from recurra.evaluation.results.comparison import compare
from recurra.evaluation.results.translation import evaluate_translation


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), (["K", "AE"], ["AE"], 1)],
)
def test_edit_distance(one, other, edits):
    assert edit_distance(one, other) == edit_distance(other, one) == edits


def test_a_rate_is_over_all_symbols():
    assert error_rate(["abcd", "ab"], ["abxd", "ab"]) == pytest.approx(1 / 6)


def test_the_nearest_of_several_true_answers_counts():
    assert nearest([["A", "B", "C"], ["A", "D"]], ["A", "D"]) == ["A", "D"]


def test_bleu_of_the_same_is_100_and_of_nothing_shared_0():
    pytest.importorskip("sacrebleu")
    text = ["the cat sat on the mat ."]
    assert bleu(text, text) == pytest.approx(100)
    assert bleu(text, ["a dog ran"]) < 5


def test_metrics_by_level():
    pytest.importorskip("sacrebleu")
    words = text_metrics(["a b c"], ["a b d"], level="word")
    assert words["symbol_error_rate"] == pytest.approx(1 / 3)
    assert "bleu" in words
    assert set(text_metrics(["abc"], ["abd"], level="character")) == {"exact_match", "character_error_rate"}


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"y_pred must have one entry per true answer \(2\); got 1"):
        evaluate_translation(["a", "b"], ["a"], sources=["x", "y"])
    with pytest.raises(DataError, match="there is nothing to judge"):
        evaluate_translation([], [], sources=[])


def test_every_right_answer_is_said_so():
    ev = evaluate_translation(["ab"] * 40, ["ab"] * 40, sources=["x"] * 40, baseline=["b"] * 40)
    assert ev.metrics["exact_match"] == 1
    assert ev.metrics["exact_match_baseline"] == 0
    assert ev.summary().startswith("100 % exactly right where the naive answer gives 0 %.")
    assert "Mistake by mistake" not in ev.to_html()


def test_without_a_naive_answer_nothing_is_said_of_one():
    e = evaluate_translation(["ab", "cd"], ["ab", "ce"], sources=["x", "y"])
    assert e.headline() == "50.0 % exactly right"
    assert "There is no naive answer to compare with" in e.to_html()


def test_two_translators_are_compared_by_their_exact_answers():
    true = ["ab", "cdef"] * 10
    runs = {
        name: evaluate_translation(true, said, sources=true)
        for name, said in (("half", ["ab", "x"] * 10), ("whole", true))
    }
    found = compare(runs)
    assert [run["name"] for run in found.runs] == ["whole", "half"]
    assert found.pairs[0].p_value == pytest.approx(0.5**9)  # 10 against none, two-sided
