"""``score`` takes what ``fit`` and ``evaluate`` take, for each of the ten estimators."""

import warnings

import numpy as np
import pandas as pd
import pytest

import recurra
from every_task import TASKS, fit, make
from recurra.errors import DataError, RecurraWarning
from recurra.records import Dataset, Record

KINDS = {"TextClassifier": "text", "TextRegressor": "text", "VideoClassifier": "video", "Translator": "pairs"}
LABELLED = [name for name in TASKS if name not in ("TextGenerator", "Forecaster", "AnomalyDetector")]


@pytest.mark.parametrize("name", LABELLED)
def test_a_dataset_is_scored_as_its_parts_are(name):
    estimator, (X, y) = fit(make(name, max_epochs=1)), TASKS[name][1]
    data = Dataset(
        [Record(x, label=label) for x, label in zip(X, y, strict=True)], kind=KINDS.get(name, "sequence")
    )
    if name == "VideoClassifier":
        data = Dataset(data.records)  # frames in memory
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RecurraWarning
        )  # a translator that hardly learned does not come to an end
        assert estimator.score(data) == estimator.score(X, y)
    other = [y[0]] * len(y) if name != "SequenceLabeler" else y
    if name not in ("Translator", "SequenceRegressor", "TextRegressor"):
        assert estimator.score(data, other) == estimator.score(X, other)


@pytest.mark.parametrize("name", [name for name in LABELLED if name != "Translator"])
def test_what_has_no_labels_is_named(name):
    estimator, (X, _) = fit(make(name, max_epochs=1)), TASKS[name][1]
    with pytest.raises(
        DataError, match=f"{name}: score needs y, one label per sequence, or a Dataset with labels"
    ):
        estimator.score(X)


def test_texts_and_series_of_a_dataset():
    texts = Dataset([Record("the cat sat on the mat. " * 9)], kind="text")
    writer = fit(make("TextGenerator", max_epochs=1))
    assert writer.score(texts) == writer.score(texts.X)
    wave = TASKS["Forecaster"][1][0]
    forecaster = make("Forecaster", max_epochs=1).fit(wave[:150])
    later = Dataset([Record(wave[150:, None])], kind="series")
    assert forecaster.score(later) == forecaster.score(wave[150:])
    assert np.isfinite(forecaster.score(later))
    assert recurra.Dataset is Dataset


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("loss", ["mse", "quantile"])
@pytest.mark.parametrize("fitted_on_column", [False, True])
def test_one_number_is_judged_alike_as_a_row_and_as_a_column(loss, fitted_on_column):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 1)) for n in rng.integers(5, 9, 20)]
    y = np.array([x.sum() for x in X])
    shapes = [y, y.tolist(), y[:, None], y[:, None].tolist(), pd.DataFrame({"sum": y}), pd.Series(y)]
    model = recurra.SequenceRegressor(loss=loss, hidden_size=3, max_epochs=2, verbose=0, random_state=0)
    model.fit(X, y[:, None] if fitted_on_column else y)
    assert model.predict(X).shape == (20,)
    found = [
        (model.score(X, one), model.evaluate(X, one).metrics, model.evaluate(X, one).intervals)
        for one in shapes
    ]
    assert all(one == found[0] for one in found)
    with pytest.raises(recurra.errors.ShapeError, match=r"got \(20, 2\) and \(20,\)"):
        model.evaluate(X, np.stack([y, y], axis=1))
