import json

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, permutation_test

from recurra.errors import DataError, UsageError
from recurra.evaluation.metrics.paired_tests import compare_classification, compare_regression, holm
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.comparison import compare
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression


def answers(right):
    return np.where(right, "a", "b")


def test_mcnemar_counts_only_the_disagreements():
    right = {"x": np.arange(100) < 80, "y": np.arange(100) >= 5}
    result = compare_classification(["a"] * 100, {k: answers(r) for k, r in right.items()})
    (pair,) = result.pairs
    only_x, only_y = 5, 20
    assert pair.p_value == pytest.approx(binomtest(only_y, only_x + only_y).pvalue)
    assert pair.more_than_noise
    assert str(pair) == (
        "x is right in 80.0 %, y in 95.0 %: the difference of 15.0 points is more than noise "
        "(exact McNemar test, only x is right on 5, only y on 20 of 100; p = 0.0041)."
    )
    assert [run["name"] for run in result.runs] == ["y", "x"]


def test_equal_runs_are_not_called_different():
    result = compare_classification(["a", "b"], {"x": ["a", "a"], "y": ["a", "a"]})
    assert result.pairs[0].p_value == 1.0
    assert "is not more than noise" in str(result)


def test_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        x, y = rng.random((2, 80)) < 0.7
        pair = compare_classification(["a"] * 80, {"x": answers(x), "y": answers(y)}).pairs[0]
        alarms += pair.more_than_noise
    assert alarms <= 200 * 0.05 * 1.5


def test_steps_of_one_sequence_do_not_count_as_many():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 50)
    x = np.repeat(rng.random(8) < 0.5, 50)
    y = np.repeat(rng.random(8) < 0.7, 50)
    predictions = {"x": answers(x), "y": answers(y)}
    assert compare_classification(["a"] * 400, predictions).pairs[0].more_than_noise
    grouped = compare_classification(["a"] * 400, predictions, groups=groups).pairs[0]
    assert not grouped.more_than_noise
    assert grouped.low < grouped.second_value - grouped.first_value < grouped.high


def test_regression_agrees_with_scipys_permutation_test():
    rng = np.random.default_rng(0)
    y = rng.normal(size=120)
    predictions = {"x": y + rng.normal(scale=1.0, size=120), "y": y + rng.normal(scale=0.85, size=120)}
    (pair,) = compare_regression(y, predictions).pairs

    def difference(a, b, axis=-1):
        return np.sqrt((b**2).mean(axis=axis)) - np.sqrt((a**2).mean(axis=axis))

    errors = (predictions["x"] - y, predictions["y"] - y)
    both = {"vectorized": True, "rng": np.random.default_rng(1)}
    swapped = permutation_test(errors, difference, permutation_type="samples", **both)
    assert 0.01 < pair.p_value < 0.9
    assert pair.p_value == pytest.approx(swapped.pvalue, abs=0.015)
    assert pair.first_value == pytest.approx(np.sqrt((errors[0] ** 2).mean()))


def test_few_groups_are_swapped_in_every_way():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(9), 6)
    x, y = rng.random((2, 54)) < np.array([[0.5], [0.8]])
    pair = compare_classification(["a"] * 54, {"x": answers(x), "y": answers(y)}, groups=groups).pairs[0]
    hits = [right.reshape(9, 6).sum(axis=1).astype(float) for right in (x, y)]
    exact = permutation_test(
        hits,
        lambda a, b, axis: b.sum(axis=axis) - a.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
    )
    assert pair.p_value == pytest.approx(exact.pvalue)


def test_from_four_groups_nothing_is_said():
    groups = np.repeat(np.arange(4), 25)
    predictions = {"x": answers(np.zeros(100, bool)), "y": answers(np.ones(100, bool))}
    pair = compare_classification(["a"] * 100, predictions, groups=groups).pairs[0]
    assert (pair.low, pair.high, pair.p_value) == (None, None, 1.0)
    assert "4 sequences or groups, from fewer than 5 nothing can be said" in str(pair)


def test_holm_is_stricter_than_none_and_looser_than_bonferroni():
    p = [0.01, 0.04, 0.03]
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06])
    # Never more lenient than the control of the false discovery rate.
    assert (np.array(holm(p)) >= false_discovery_control(p) - 1e-12).all()


def test_three_runs_are_corrected_for_their_pairs():
    right = [np.arange(60) < k for k in (40, 50, 55)]
    result = compare_classification(["a"] * 60, {f"run{k}": answers(r) for k, r in enumerate(right)})
    assert len(result.pairs) == 3
    plain = [binomtest(0, n).pvalue for n in (10, 15, 5)]
    assert [pair.p_value for pair in result.pairs] == pytest.approx(holm(plain))
    assert "corrected for 3 pairs" in str(result.pairs[0])


def test_compare_evaluations_of_each_task(vowels):
    good, bad = (evaluate_classification(**vowels(accuracy=a)[0]) for a in (0.97, 0.8))
    result = compare({"good": good, "bad": bad})
    assert result.pairs[0].more_than_noise
    assert result.runs[0]["name"] == "good"
    json.dumps(result.to_dict())
    y = np.linspace(0, 1, 30)
    numbers = {k: evaluate_regression(y, y + s * np.sin(9 * y)) for k, s in (("x", 0.1), ("y", 0.5))}
    assert compare(numbers).pairs[0].more_than_noise
    steps = [["a", "b"]] * 12
    labels = {
        k: evaluate_labeling(steps, [np.array([[0.9, 0.1], [1 - p, p]])] * 12, classes=["a", "b"])
        for k, p in (("x", 0.9), ("y", 0.2))
    }
    assert compare(labels).pairs[0].n == 24


def test_messages(vowels):
    e = evaluate_classification(**vowels()[0])
    other = evaluate_classification(["a", "b"], np.eye(2), classes=["a", "b"])
    renamed = evaluate_classification(["a", "b"], np.eye(2), classes=["a", "b"], names=["p", "q"])
    strangers = evaluate_classification(["c", "d"], np.eye(2), classes=["c", "d"])
    with pytest.raises(DataError) as caught:
        compare({"x": other, "y": strangers})
    assert str(caught.value) == (
        "compare: runs 'x' and 'y' tell apart other classes, 'a', 'b' and 'c', 'd'; give runs that learn the same."
    )
    swapped = evaluate_classification(["b", "a"], np.eye(2), classes=["a", "b"])
    with pytest.raises(
        UsageError, match=r"^compare: needs at least two runs of one task; got 1 of classification\.$"
    ):
        compare({"x": e})
    with pytest.raises(
        DataError, match=r"^compare: runs 'x' and 'y' were not judged on the same test sequences; eval"
    ):
        compare({"x": other, "y": renamed})
    with pytest.raises(
        DataError, match=r"^compare: runs 'x' and 'y' have different true answers; evaluate both on"
    ):
        compare({"x": other, "y": swapped})
    long, short = (
        evaluate_labeling([["a"] * n], [np.tile([0.9, 0.1], (n, 1))], classes=["a", "b"]) for n in (3, 2)
    )
    with pytest.raises(DataError, match=r"have different true answers; evaluate both on one file\.$"):
        compare({"x": long, "y": short})
    with pytest.raises(
        UsageError, match=r"^compare_classification: needs the predictions of at least two runs; got 1"
    ):
        compare_classification(["a"], {"x": ["a"]})
    with pytest.raises(
        DataError, match=r"every run must have one prediction per test sequence; run 'y' has 2, there"
    ):
        compare_regression([1.0], {"x": [1.0], "y": [1.0, 2.0]})
