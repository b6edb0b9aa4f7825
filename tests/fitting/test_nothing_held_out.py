"""A share to hold out that was given and holds nothing out is told of, in every estimator that has one and by `train`."""

import inspect

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import RecurraWarning
from recurra.options import ESTIMATORS, options_of

RNG = np.random.default_rng(0)
QUICK = {"max_epochs": 1, "hidden_size": 2, "random_state": 0, "verbose": 0}
X = [RNG.normal(size=(8, 2)) for _ in range(120)]
STEPS = [["ab"[i % 2] for i in range(8)] for _ in X]
TEXTS = [f"word{i} and {i * i}" for i in range(120)]
SHORT = 40
# Estimator, X, y; a third of these are too few.
CASES = [
    (recurra.SequenceClassifier, X, list("ab") * 60),
    (recurra.SequenceRegressor, X, list(range(120))),
    (recurra.SequenceLabeler, X, STEPS),
    (recurra.TextClassifier, TEXTS, list("ab") * 60),
    (recurra.TextRegressor, TEXTS, list(range(120))),
    (recurra.Translator, TEXTS, TEXTS[::-1]),
]


@pytest.mark.parametrize(("estimator", "inputs", "y"), CASES, ids=lambda own: getattr(own, "__name__", ""))
def test_too_few(estimator, inputs, y):
    says = rf"{estimator.__name__}: validation_fraction=0.3 holds nothing out of the 40 records: equal ones and groups stay"
    with pytest.warns(RecurraWarning, match=says):
        estimator(**QUICK, validation_fraction=0.3).fit(inputs[:SHORT], y[:SHORT])
    for share, many in (
        (0.3, 120),
        (0.0, SHORT),
        (options_of(estimator)["validation_fraction"].default, SHORT),
    ):
        fitted = estimator(**QUICK, validation_fraction=share).fit(inputs[:many], y[:many])
        assert ("valid_loss" in fitted.history_[0]) == (many == 120)


@pytest.mark.parametrize(
    ("estimator", "inputs", "y"),
    [case for case in CASES if "groups" in inspect.signature(case[0].fit).parameters],
    ids=lambda own: getattr(own, "__name__", ""),
)
def test_one_group(estimator, inputs, y):
    says = "holds nothing out of the 120 records in 1 group: .* as with validation_fraction=0"
    with pytest.warns(RecurraWarning, match=says):
        estimator(**QUICK, validation_fraction=0.3).fit(inputs, y, groups=[1] * 120)
    fitted = estimator(**QUICK, validation_fraction=0.3).fit(inputs, y, groups=[i % 12 for i in range(120)])
    assert "valid_loss" in fitted.history_[0]
    assert estimator(**QUICK, validation_fraction=0).fit(inputs, y, groups=[1] * 120).history_


def test_a_short_text_and_a_short_series():
    text = "all work and no play makes a dull boy. " * 40
    with pytest.warns(
        RecurraWarning,
        match=r"validation_fraction=0.2 .*: fewer than 500 tokens are not enough\. Training goes on",
    ):
        recurra.TextGenerator(**QUICK, validation_fraction=0.2).fit([text])
    assert "valid_loss" in recurra.TextGenerator(**QUICK, validation_fraction=0.4).fit([text]).history_[0]
    words = {**QUICK, "horizon": 12, "context": 12}
    series = np.sin(np.arange(100) / 3)
    with pytest.warns(
        RecurraWarning, match=r"of the 1 record: its part of each series is shorter than the horizon\."
    ):
        recurra.Forecaster(**words, validation_fraction=0.05).fit(series)
    assert "valid_loss" in recurra.Forecaster(**words, validation_fraction=0.2).fit(series).history_[0]


def test_every_estimator_with_such_a_share_is_tried():
    tried = {case[0].__name__ for case in CASES} | {"TextGenerator", "Forecaster"}
    have = {name for name in ESTIMATORS if "validation_fraction" in options_of(getattr(recurra, name))}
    assert have - tried <= {"VideoClassifier"}  # trains as SequenceClassifier does, on features


def test_data_given_for_it_are_held_out():
    y = list("ab") * 60
    model = recurra.SequenceClassifier(**QUICK, validation_fraction=0.3)
    assert "valid_loss" in model.fit(X[:SHORT], y[:SHORT], validation=(X[80:], y[80:])).history_[0]


@pytest.mark.usefixtures("no_charts")
def test_by_the_verb(tmp_path):
    rows = [{"id": i, "x": x, "label": "ab"[i % 2]} for i, own in enumerate(X[:50]) for x in own[:, 0]]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    words = {
        "id": "id",
        "label": "label",
        "test": 0,
        "seed": 0,
        "max_epochs": 1,
        "hidden_size": 2,
        "verbose": 0,
    }
    with pytest.warns(RecurraWarning, match="validation_fraction=0.3 holds nothing out of the 50 records"):
        recurra.train(tmp_path / "t.csv", out=tmp_path / "run", validation_fraction=0.3, **words)
