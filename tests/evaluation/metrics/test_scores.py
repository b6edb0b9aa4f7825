import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from recurra.errors import DataError, ShapeError
from recurra.evaluation.metrics.intervals import MIN_CLUSTERS, count_interval
from recurra.evaluation.metrics.scores import (
    classification_metrics,
    confusion_table,
    encode,
    labeling_metrics,
    per_class_table,
    per_target_table,
    regression_metrics,
    reliability,
)


@st.composite
def answers(draw):
    """True and predicted labels, probabilities and classes; every class occurs, or sklearn would warn."""
    classes = draw(st.sampled_from([["a", "b"], [0, 1, 2], ["x", "y", "z", "w " * 20]]))
    n = draw(st.integers(len(classes), 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = np.concatenate([np.arange(len(classes)), rng.integers(0, len(classes), n - len(classes))])
    proba = rng.dirichlet(np.ones(len(classes)), n)
    labels = np.array(classes)
    return labels[codes], labels[proba.argmax(axis=1)], proba, classes


@given(answers())
@settings(max_examples=60, deadline=None)
def test_classification_agrees_with_scikit_learn(case):
    y_true, y_pred, proba, classes = case
    ours = classification_metrics(y_true, y_pred, proba=proba, classes=classes)
    order = np.argsort(np.array(classes))
    assert ours == pytest.approx(
        {
            "accuracy": theirs.accuracy_score(y_true, y_pred),
            "balanced_accuracy": theirs.balanced_accuracy_score(y_true, y_pred),
            "macro_f1": theirs.f1_score(y_true, y_pred, average="macro"),
            "log_loss": theirs.log_loss(y_true, proba[:, order], labels=np.array(classes)[order]),
        },
        abs=1e-12,
    )


@given(answers())
@settings(max_examples=40, deadline=None)
def test_per_class_table_agrees_with_scikit_learn(case):
    y_true, y_pred, _, classes = case
    precision, recall, f1, support = theirs.precision_recall_fscore_support(
        y_true, y_pred, labels=classes, zero_division=0.0
    )
    for k, row in enumerate(per_class_table(y_true, y_pred, classes=classes)):
        assert row["support"] == support[k]
        assert row["recall"] == pytest.approx(recall[k])
        assert (row["precision"] or 0.0) == pytest.approx(precision[k])
        assert row["f1"] == pytest.approx(f1[k])
        few = row["support"] < MIN_CLUSTERS
        expected = (None, None) if few else count_interval(row["hits"], row["support"])
        assert (row["recall_low"], row["recall_high"]) == expected
        if row["precision"] is None:
            assert row["predicted"] == 0
            assert row["precision_low"] is None


def test_clusters_change_the_interval_not_the_share():
    y_true = np.repeat(["a", "b"], 200)
    y_pred = np.where(np.arange(400) // 20 % 4 == 0, "b", "a")
    plain = per_class_table(y_true, y_pred, classes=["a", "b"])[0]
    clustered = per_class_table(y_true, y_pred, classes=["a", "b"], clusters=np.arange(400) // 20)[0]
    assert plain["recall"] == clustered["recall"]
    assert clustered["recall_high"] - clustered["recall_low"] > 1.5 * (
        plain["recall_high"] - plain["recall_low"]
    )


def test_a_single_cluster_gives_no_interval():
    row = per_class_table(["a", "a"], ["a", "b"], classes=["a", "b"], clusters=[0, 0])[0]
    assert (row["recall"], row["recall_low"], row["recall_high"]) == (0.5, None, None)


def test_confusion_agrees_with_scikit_learn():
    y_true, y_pred = ["b", "a", "b", "c", "a"], ["b", "b", "a", "c", "b"]
    expected = theirs.confusion_matrix(y_true, y_pred, labels=["c", "a", "b", "d"])
    np.testing.assert_array_equal(confusion_table(y_true, y_pred, classes=["c", "a", "b", "d"]), expected)


def test_a_predicted_class_that_does_not_occur_is_counted_without_a_warning():
    ours = classification_metrics(["a", "a", "b"], ["a", "c", "b"])
    assert ours["balanced_accuracy"] == pytest.approx(0.75)


def test_labels_of_mixed_types_are_compared():
    mixed = np.array(["a", 1, 1], dtype=object)
    assert classification_metrics(mixed, np.array(["a", 1, "a"], dtype=object))["accuracy"] == pytest.approx(
        2 / 3
    )


def test_reliability_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1.0, 500)
    correct = rng.random(500) < confidence**2
    bins, error = reliability(confidence, correct, n_bins=10)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10, strategy="uniform")
    np.testing.assert_allclose([b["accuracy"] for b in bins], accuracy)
    np.testing.assert_allclose([b["confidence"] for b in bins], mean)
    counts = np.array([b["n"] for b in bins])
    assert error == pytest.approx((counts / 500 * np.abs(accuracy - mean)).sum())
    assert counts.sum() == 500


def test_a_bin_of_few_has_no_interval():
    bins, _ = reliability(np.repeat([0.35, 0.75], [3, 20]), np.arange(23) % 3 > 0)
    assert (bins[0]["accuracy_low"], bins[0]["accuracy_high"]) == (None, None)
    assert (bins[1]["accuracy_low"], bins[1]["accuracy_high"]) == count_interval(13, 20)


@pytest.mark.parametrize("targets", [1, 3])
def test_regression_agrees_with_scikit_learn(targets):
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=(50, targets)) * [[1, 10, 100][:targets]]
    y_pred = y_true + rng.normal(size=(50, targets))
    assert regression_metrics(y_true, y_pred) == pytest.approx(
        {
            "rmse": theirs.root_mean_squared_error(y_true, y_pred),
            "mae": theirs.mean_absolute_error(y_true, y_pred),
            "r2": theirs.r2_score(y_true, y_pred),
        }
    )
    if targets == 1:
        assert regression_metrics(y_true[:, 0], y_pred[:, 0]) == regression_metrics(y_true, y_pred)
    rows = per_target_table(y_true, y_pred, target_names=["u", "v", "w"][:targets])
    assert rows[-1]["rmse"] == pytest.approx(theirs.root_mean_squared_error(y_true[:, -1], y_pred[:, -1]))
    assert rows[-1]["bias"] == pytest.approx((y_pred - y_true)[:, -1].mean())


def test_a_single_item_has_no_r2():
    assert set(regression_metrics([1.0], [2.0])) == {"rmse", "mae"}


def test_labeling_counts_steps_not_sequences():
    y_true = [["a"] * 9, ["b"]]
    y_pred = [["a"] * 9, ["a"]]
    proba = [np.tile([0.8, 0.2], (9, 1)), np.array([[0.6, 0.4]])]
    ours = labeling_metrics(y_true, y_pred, proba=proba, classes=["a", "b"])
    assert ours["accuracy"] == 0.9
    assert ours["balanced_accuracy"] == 0.5
    assert ours["log_loss"] == pytest.approx(-(9 * np.log(0.8) + np.log(0.4)) / 10)


def test_messages():
    with pytest.raises(
        ShapeError, match=r"^metrics: sequence 1 has 2 true labels and 3 predicted ones; give one per"
    ):
        labeling_metrics([["a"], ["a", "b"]], [["a"], ["a", "b", "b"]])
    with pytest.raises(
        ShapeError, match=r"^metrics: y_true and y_pred must have one entry per item; got \(2,\) and"
    ):
        classification_metrics(["a", "b"], ["a"])
    with pytest.raises(
        ShapeError, match=r"^metrics: y_true and y_pred must have the same shape; got \(2, 1\) and"
    ):
        regression_metrics([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match=r"^labels must be among the classes 'a', 'b'; got 'c'\.$"):
        encode(["a", "c"], ["a", "b"])
