import json

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss, mean_absolute_error, r2_score, root_mean_squared_error

from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.metrics.scores import classification_metrics


def test_class_baseline_agrees_with_scikit_learns_dummy():
    rng = np.random.default_rng(0)
    classes = ["a", "bb", "c"]
    y_train = rng.choice(classes, 50, p=[0.2, 0.5, 0.3])
    y_test = rng.choice(classes, 40)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((50, 1)), y_train)
    naive = dummy.predict(np.zeros((40, 1)))
    expected = classification_metrics(y_test, naive)
    ours = ClassBaseline.fit(y_train, classes=classes).metrics(y_test)
    assert ours == pytest.approx(
        {
            **{f"{name}_baseline": value for name, value in expected.items()},
            "log_loss_baseline": log_loss(y_test, dummy.predict_proba(np.zeros((40, 1))), labels=classes),
        }
    )


def test_class_baseline_of_one_label_per_step_counts_steps():
    baseline = ClassBaseline.fit([np.array(["a", "a", "b"]), np.array(["b", "b"])], classes=["a", "b"])
    assert baseline.counts == (2.0, 3.0)
    assert baseline.majority == "b"


def test_a_label_the_training_part_did_not_have_is_counted_as_wrong():
    baseline = ClassBaseline.fit(["a", "a", "b"], classes=["a", "b"])
    ours = baseline.metrics(np.array(["a", "new"], dtype=object))
    assert ours["accuracy_baseline"] == 0.5
    assert np.isfinite(ours["log_loss_baseline"])


def test_number_baseline_agrees_with_scikit_learns_dummy():
    rng = np.random.default_rng(0)
    y_train, y_test = rng.gamma(1.0, size=(60, 2)), rng.gamma(1.0, size=(30, 2))
    x, z = np.zeros((60, 1)), np.zeros((30, 1))
    mean = DummyRegressor(strategy="mean").fit(x, y_train).predict(z)
    median = DummyRegressor(strategy="median").fit(x, y_train).predict(z)
    assert NumberBaseline.fit(y_train).metrics(y_test) == pytest.approx(
        {
            "rmse_baseline": root_mean_squared_error(y_test, mean),
            "mae_baseline": mean_absolute_error(y_test, median),
            "r2_baseline": r2_score(y_test, mean),
        }
    )


@pytest.mark.parametrize(
    "baseline",
    [ClassBaseline.fit(["a", "b", "b"], classes=["a", "b"]), NumberBaseline.fit([1.0, 2.0, 9.0])],
)
def test_a_model_file_can_keep_it(baseline):
    assert type(baseline).from_dict(json.loads(json.dumps(baseline.to_dict()))) == baseline
