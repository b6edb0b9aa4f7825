"""Channels with names are found by name, in every estimator of sequences, every method and stream, saved and loaded."""

import itertools

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError
from recurra.records import Dataset, Record

NAMES = ["speed", "heat", "load"]
QUICK = {"hidden_size": 3, "max_epochs": 1, "verbose": 0, "random_state": 0}
rng = np.random.default_rng(0)
FRAMES = [pd.DataFrame(rng.normal(size=(12, 3)) * [1, 20, 300], columns=NAMES) for _ in range(12)]
ORDERS = [list(order) for order in itertools.permutations(NAMES)][1:]
FITTED = {
    "SequenceClassifier": lambda X: recurra.SequenceClassifier(wide=False, **QUICK).fit(X, ["a", "b"] * 6),
    "SequenceRegressor": lambda X: recurra.SequenceRegressor(wide=False, **QUICK).fit(X, np.arange(12.0)),
    "SequenceLabeler": lambda X: recurra.SequenceLabeler(**QUICK).fit(X, [["a", "b"] * 6] * 12),
    "AnomalyDetector": lambda X: recurra.AnomalyDetector(window=6, block=2, **QUICK).fit(X),
}


def as_dataset(frames):
    records = [Record(frame.to_numpy()) for frame in frames]
    return Dataset(records, channel_names=list(frames[0].columns))


def answers(estimator, X):
    method = next(m for m in ("score_samples", "predict_proba", "predict") if hasattr(estimator, m))
    return [np.asarray(answer).tolist() for answer in getattr(estimator, method)(X)]


@pytest.mark.parametrize("kind", [list, as_dataset])
@pytest.mark.parametrize("name", FITTED)
def test_columns_in_another_order_give_the_same_answers(tmp_path, name, kind):
    estimator = FITTED[name](kind(FRAMES))
    expected = answers(estimator, kind(FRAMES))
    estimator.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    for order in ORDERS:
        other = kind([frame[order] for frame in FRAMES])
        assert answers(estimator, other) == expected
        assert answers(loaded, other) == expected
        assert answers(estimator, kind([frame[order].assign(more=1.0) for frame in FRAMES])) == expected
    for one in (estimator, loaded):
        with pytest.raises(DataError, match="no channel 'heat'"):
            answers(one, kind([frame.rename(columns={"heat": "rain"}) for frame in FRAMES]))


@pytest.mark.parametrize("name", FITTED)
def test_frames_of_several_orders_train_what_one_order_trains(name):
    mixed = [frame[ORDERS[i % 5]] if i else frame for i, frame in enumerate(FRAMES)]
    assert answers(FITTED[name](mixed), FRAMES) == answers(FITTED[name](FRAMES), FRAMES)


@pytest.mark.parametrize("method", ["segments", "predict", "evaluate", "trace"])
@pytest.mark.parametrize("order", ORDERS)
def test_every_method_of_a_detector(method, order):
    detector = FITTED["AnomalyDetector"](FRAMES)
    other = [frame[order] for frame in FRAMES]
    if method == "trace":
        assert detector.trace(other[0]).summary() == detector.trace(FRAMES[0]).summary()
    elif method == "evaluate":
        assert detector.evaluate(other).summary() == detector.evaluate(FRAMES).summary()
    else:
        assert repr(getattr(detector, method)(other)) == repr(getattr(detector, method)(FRAMES))


def streams(model, look_ahead):
    return model.stream(look_ahead=look_ahead) if look_ahead else model.stream()


@pytest.mark.parametrize("look_ahead", [0, 2])
@pytest.mark.parametrize("order", ORDERS)
def test_labelled_rows_of_a_stream(order, look_ahead):
    model = recurra.SequenceClassifier(wide=False, bidirectional=bool(look_ahead), **QUICK)
    model.fit(FRAMES, ["a", "b"] * 6)
    plain, rows, chunk = streams(model, look_ahead), streams(model, look_ahead), streams(model, look_ahead)
    for step in range(12):
        want = plain.step(FRAMES[0].to_numpy()[step])
        got = rows.step(FRAMES[0][order].iloc[step])
    assert np.array_equal(got.probabilities, want.probabilities)
    assert np.allclose(chunk.push(FRAMES[0][order]).probabilities, want.probabilities)
    with pytest.raises(DataError, match="no channel 'heat'"):
        rows.step(FRAMES[0].iloc[0].rename({"heat": "rain"}))


@pytest.mark.parametrize("order", ORDERS)
def test_labelled_rows_of_many_streams(order):
    model = FITTED["SequenceClassifier"](FRAMES)
    plain, named = recurra.Streams(model), recurra.Streams(model)
    for step in range(12):
        want = plain.step({"a": FRAMES[0].to_numpy()[step], "b": FRAMES[1].to_numpy()[step]})
        got = named.step({"a": FRAMES[0][order].iloc[step], "b": FRAMES[1].iloc[step]})
    assert np.array_equal(got.probabilities, want.probabilities)
