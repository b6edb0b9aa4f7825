import numpy as np
import pytest
from scipy.stats import binomtest

from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.wording import percent, span
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression


def judged(true, pred, *, classes=("a", "b"), train=("a", "a", "b"), sure=0.99, context=None, **more):
    proba = np.full((len(true), len(classes)), (1 - sure) / (len(classes) - 1))
    proba[np.arange(len(true)), [classes.index(p) for p in pred]] = sure
    baseline = ClassBaseline.fit(list(train), classes=classes)
    return evaluate_classification(
        list(true), proba, classes=list(classes), baseline=baseline, context=context, **more
    )


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.999, "99.9 %"),
        (0.0004, "0.04 %"),
        (0.874, "87 %"),
        (0.99999, "100.00 %"),
    ],
)
def test_percent_claims_perfection_only_of_the_perfect(share, expected):
    assert percent(share) == expected


def test_span():
    assert span(0.871, 0.931, 1) == "87.1 to 93.1 %"


def test_headline_sets_the_figure_beside_the_naive_one():
    e = judged("aaaabbbb", "aaabbbbb")
    assert e.headline() == "88 % right where guessing gives 50 %"
    assert e.summary() == (
        "88 % right where guessing gives 50 %. Judged on 8 test sequences (95 % interval 50.1 to 98.9 %). "
        "Weakest at class 'a': 3 of 4 found (75 %). Most frequent confusion: 'a' taken for 'b', 1 of 4 sequences."
    )


def test_a_perfect_model():
    e = judged("ab" * 30, "ab" * 30)
    assert "Every class is always found." in e.summary()
    assert e.findings() == []


def test_regression_in_words():
    y = np.linspace(0, 10, 50)
    e = evaluate_regression(y, y + 0.5, baseline=NumberBaseline.fit(y))
    assert e.headline() == "Off by 0.5 on average where always answering the median is off by 2.55"
    worse = evaluate_regression(y, y[::-1], baseline=NumberBaseline.fit(y))
    assert worse.findings() == [
        "The model is no better than the naive answer: always the training mean has no larger error."
    ]


def test_labeling_in_words():
    e = evaluate_labeling([["a", "b"]] * 4, [np.array([[0.9, 0.1], [0.9, 0.1]])] * 4, classes=["a", "b"])
    assert e.headline() == "50 % of the time steps right"
    assert "Weakest at class 'b': 0 of 4 found (0 %)." in e.summary()


def test_no_better_than_naive():
    assert any(
        f.startswith("The model is no better than the naive answer")
        for f in judged("aab" * 20, "a" * 60).findings()
    )


def test_better_than_naive_by_chance_alone():
    true = "a" * 30 + "b" * 30
    pred = "a" * 30 + "b" * 2 + "a" * 28
    e = judged(true, pred)
    assert e.better_than_naive() == pytest.approx(binomtest(2, 2, alternative="greater").pvalue)
    assert any("may be chance (exact test, p = 0.25)" in f for f in e.findings())


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        (
            judged("ab" * 5, "ab" * 5),
            "The test part has only 10 sequences; another part could give quite another figure.",
        ),
        (
            judged("ab" * 10, "aa" * 10),
            "The 95 % interval of the accuracy is 40 points wide; more test data would narrow it.",
        ),
        (
            judged("ab" * 40, "aa" * 10 + "ab" * 30),
            "It is too sure: its probabilities are off by 12 points on average;",
        ),
        (
            judged("ab" * 40, "ab" * 40, sure=0.6),
            "It is less sure than it could be: its probabilities are off by 40 points",
        ),
        (
            judged("ab" * 40, "ab" * 40, classes=("a", "b", "c")),
            "Classes without a test item, so not judged: 'c'.",
        ),
        (
            judged("ab" * 40 + "c", "ab" * 40 + "c", classes=("a", "b", "c")),
            "Classes with fewer than 5 test sequences, so",
        ),
        (
            judged("ab" * 40 + "z", "ab" * 40 + "a"),
            "The test part has labels the model was never trained on: 'z' (1 items",
        ),
    ],
)
def test_findings(e, expected):
    assert any(f.startswith(expected) for f in e.findings()), e.findings()


def test_what_was_warned_of_comes_first_and_training_is_looked_at():
    history = [{"epoch": k, "train_loss": 1.0, "valid_loss": 1.0, "clipped_share": 0.9} for k in range(1, 11)]
    context = ReportContext(history=history, best_epoch=10, warnings=["w"], leaks=["l"])
    found = judged("ab" * 40, "ab" * 40, context=context).findings()
    assert found == [
        "l",
        "w",
        "The last epoch was the best: training longer may help.",
        "90 % of the gradients were clipped: try a smaller learning rate.",
    ]


def test_the_last_epoch_is_only_called_the_best_where_something_judged_it():
    history = [{"epoch": k, "train_loss": 1.0} for k in range(1, 11)]
    found = judged("ab" * 40, "ab" * 40, context=ReportContext(history=history, best_epoch=10)).findings()
    assert not [finding for finding in found if "training longer" in finding]
