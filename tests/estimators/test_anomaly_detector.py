"""Anomalies: scores per time step, scikit-learn's conventions, files that give the same numbers."""

import random

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import recurra
from recurra import AnomalyDetector, store
from recurra.errors import DataError, ShapeError, StoreError, UsageError
from recurra.serving.models.anomaly_model import highest_around, mean_around

QUICK = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "verbose": 0, "window": 60, "block": 4}


def normal(n=3, seed=0):
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 6, size=n)
    return [
        np.sin(np.arange(300 + 7 * i)[:, None] / 5 + [phases[i], 1.0])
        + 0.05 * rng.normal(size=(300 + 7 * i, 2))
        for i in range(n)
    ]


def broken():
    """A normal sequence with a held value, a spike and a jump; and which steps these are."""
    values, labels = normal(1, seed=9)[0], np.zeros(300, dtype=int)
    values[60:90, 0], labels[60:90] = values[60, 0], 1
    values[150, 1] += 5
    labels[150] = 1
    values[220:250] += 2
    labels[220:250] = 1
    return values, labels


@pytest.fixture(scope="module", params=["planted", "autoencoder", "forecaster"])
def fitted(request):
    return AnomalyDetector(**QUICK, method=request.param).fit(normal())


@pytest.mark.parametrize(("method", "least"), [("planted", 0.7), ("autoencoder", 0.5), ("forecaster", 0.4)])
def test_faults_are_found(method, least):
    words = {**QUICK, "hidden_size": 16, "max_epochs": 12, "learning_rate": 0.01, "windows": 150}
    smooth = {} if method == "planted" else {"smooth": 4}
    detector = AnomalyDetector(**words, method=method, longest=40, **smooth).fit(normal(6))
    values, labels = broken()
    judged = detector.evaluate([values], [labels])
    assert judged.metrics["average_precision"] > least
    assert judged.metrics["average_precision"] > judged.metrics["average_precision_baseline"]


def test_conventions_of_scikit_learn(fitted):
    X = [broken()[0], *normal()]
    scores, decisions, marks = fitted.score_samples(X), fitted.decision_function(X), fitted.predict(X)
    assert [s.shape for s in scores] == [(len(x),) for x in X]
    for score, decision, mark in zip(scores, decisions, marks, strict=True):
        np.testing.assert_allclose(decision, score - fitted.offset_)
        assert set(np.unique(mark)) <= {-1, 1}
        np.testing.assert_array_equal(mark == -1, decision < 0)
    for segments, mark in zip(fitted.segments(X), marks, strict=True):
        covered = np.ones(len(mark))
        for segment in segments:
            covered[segment.start : segment.stop] = -1
            assert segment.peak > fitted.model_.threshold
        np.testing.assert_array_equal(covered, mark)


def test_contamination_is_the_share_of_the_training_steps():
    detector = AnomalyDetector(**QUICK, contamination=0.1)
    marks = np.concatenate(list(detector.fit_predict(normal())))
    assert np.mean(marks == -1) == pytest.approx(0.1, abs=0.02)


def test_a_file_gives_the_same_scores(fitted, tmp_path):
    fitted.save(tmp_path / "d.recurra")
    again = recurra.load_model(tmp_path / "d.recurra")
    values, _ = broken()
    np.testing.assert_array_equal(again.score_samples([values])[0], fitted.score_samples([values])[0])
    assert again.offset_ == fitted.offset_
    manifest, arrays = store.load(tmp_path / "d.recurra")
    for word, value in (("method", "magic"), ("reach", -1), ("blocks", {"size": 10**9})):
        store.save(tmp_path / "bad.recurra", {**manifest, word: value}, arrays)
        with pytest.raises(StoreError):
            recurra.load_model(tmp_path / "bad.recurra")
    store.save(tmp_path / "bad.recurra", manifest, {k: a for k, a in arrays.items() if "head.bias" not in k})
    with pytest.raises(StoreError, match="names and shapes of this network"):
        recurra.load_model(tmp_path / "bad.recurra")


def test_same_seed_any_order_any_container_same_scores():
    X = normal()
    first = AnomalyDetector(**QUICK).fit(X)
    boxed = np.empty(3, dtype=object)
    boxed[:] = X[::-1]
    second = clone(first).fit(boxed)
    np.testing.assert_array_equal(first.score_samples(X)[1], second.score_samples(X)[1])
    np.testing.assert_array_equal(first.score_samples(X[1:2])[0], first.score_samples(X)[1])


def test_works_in_a_pipeline_and_leaves_global_generators_alone():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is checked
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    halved = FunctionTransformer(lambda sequences: [x / 2 for x in sequences], check_inverse=False)
    detector = AnomalyDetector(**QUICK | {"random_state": None, "dropout": 0.3})
    assert len(Pipeline([("halve", halved), ("net", detector)]).fit(normal()).predict(normal())) == 3
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])


def test_training_goes_on_to_the_same_weights(tmp_path):
    from recurra.training.callbacks import Callback

    class Stop(Callback):
        def on_batch_end(self, run):
            if run.epoch == 2:
                raise KeyboardInterrupt

    words = QUICK | {"windows": 40}
    whole = AnomalyDetector(**words).fit(normal())
    with pytest.raises(KeyboardInterrupt):
        AnomalyDetector(**words, checkpoint_dir=tmp_path, callbacks=[Stop()]).fit(normal())
    resumed = AnomalyDetector(**words, checkpoint_dir=tmp_path).fit(normal(), resume=True)
    np.testing.assert_array_equal(whole.score_samples(normal())[0], resumed.score_samples(normal())[0])


def test_the_report_draws_the_segments(fitted, tmp_path):
    values, labels = broken()
    page = fitted.evaluate([values], [labels]).save(tmp_path / "report.html").read_text()
    assert "Average precision" in page
    assert page.count("<svg") >= 2
    unlabelled = fitted.evaluate([values])
    assert "average_precision" not in unlabelled.metrics
    assert "segment" in unlabelled.summary()
    outlier_marks = fitted.evaluate([values], [np.where(labels == 1, -1, 1)])
    assert outlier_marks.metrics["share_labelled"] == pytest.approx(labels.mean())


def test_scores_around():
    assert mean_around(np.array([0.0, 3, 0, 0]), 1).tolist() == [1.5, 1, 1, 0]
    assert highest_around(np.array([0.0, 3, 0, 0]), 1).tolist() == [3, 3, 3, 0]


def test_messages(fitted):
    with pytest.raises(ShapeError, match="the fitted network expects 2 channels, but sequence 0 has 1"):
        fitted.predict([np.zeros((30, 1))])
    with pytest.raises(DataError, match=r"contains NaN .* or leave the sequence out\."):
        fitted.predict([np.full((30, 2), np.nan)])
    with pytest.raises(DataError, match=r"contains NaN .* or leave the sequence out\."):
        AnomalyDetector().fit([np.full((30, 2), np.nan)])
    with pytest.raises(DataError, match="must have one label per time step, 300; got"):
        fitted.evaluate([broken()[0]], [[0, 1]])
    with pytest.raises(
        UsageError, match="method must be one of 'planted', 'autoencoder', 'forecaster'; got 'magic'"
    ):
        AnomalyDetector(**QUICK, method="magic").fit(normal())
    with pytest.raises(UsageError, match=r"contamination must be a number in \(0, 0.5\]; got 0.7"):
        AnomalyDetector(**QUICK, contamination=0.7).fit(normal())
    with pytest.raises(DataError, match="no sequence is longer than a block of 4 steps"):
        AnomalyDetector(**QUICK, method="forecaster").fit([np.zeros((3, 1))])
