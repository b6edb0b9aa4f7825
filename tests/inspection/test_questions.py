"""Data that may be read in two ways are questioned before anything is trained."""

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, ShapeError
from recurra.records import Dataset, Record
from recurra.runs.plan import prepare

rng = np.random.default_rng(0)


def labelled(labels):
    return Dataset([Record(rng.normal(size=(4, 2)), label=label) for label in labels], source="d.csv")


def plan(data, tmp_path, task=None):
    return prepare(data, task, tmp_path / "r", {}, {}, test=None, by=None, seed=0).plan.task


MANY = [int(n) for n in rng.permutation(75)]


@pytest.mark.parametrize("labels", [MANY, MANY * 3, [n + 1900 for n in MANY]])
def test_many_whole_numbers_are_questioned(labels, tmp_path):
    data = labelled(labels)
    words = f"75 different whole numbers as labels of {len(labels)} sequences"
    with pytest.raises(DataError, match=rf"{words}\. Pass task='regress' if .* task='classify' if"):
        plan(data, tmp_path)
    assert any("75 different whole numbers" in problem for problem in recurra.look(data).problems)


@pytest.mark.parametrize("task", ["regress", "classify"])
def test_who_says_which_is_not_asked(task, tmp_path):
    assert plan(labelled(MANY * 4), tmp_path, task) == task


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1] * 20,
        list(range(10)) * 4,
        list(range(30)) * 10,
        [f"p{n}" for n in MANY],
        [0.5 * n for n in MANY],
    ],
)
def test_plain_labels_are_not_questioned(labels, tmp_path):
    data = labelled(labels)
    assert data.many_numbers() == 0
    assert not any("whole numbers" in problem for problem in recurra.look(data).problems)


def test_sequences_of_other_channels_are_named():
    data = Dataset([Record(np.zeros((3, n)), label="ab"[n % 2], name=f"r{n}") for n in (2, 2, 3)], source="d")
    with pytest.raises(
        ShapeError, match=r"d: sequence 0 \('r2'\) has 2 channels, but sequence 2 \('r3'\) has 3"
    ):
        recurra.look(data)


def signals(rate, steps, missing=False):
    values = rng.normal(size=(steps, 2))
    if missing:
        values[3, 0] = np.nan
    return Dataset(
        [Record(values, label="ab"[n % 2], sample_rate_hz=rate) for n in range(24)], source="d.csv"
    )


@pytest.mark.parametrize(
    ("rate", "steps", "features"),
    [
        (400.0, 1200, "statistics,band_powers"),
        (50.0, 200, "statistics,band_powers"),
        (8000.0, 20_000, "log_mel"),
    ],
)
def test_fast_signals_are_told_which_features_to_try(rate, steps, features, tmp_path):
    data = signals(rate, steps)
    assert any(f"try features='{features}'" in remark for remark in recurra.look(data).remarks)
    model = recurra.SequenceClassifier(
        features=features, hidden_size=4, max_epochs=1, random_state=0, verbose=0
    )
    assert len(model.fit(data).predict(data.X[:2])) == 2  # what is advised can be done


@pytest.mark.parametrize(
    ("rate", "steps", "missing"),
    [(None, 1200, False), (10.0, 1200, False), (400.0, 300, False), (400.0, 1200, True)],
)
def test_other_signals_are_not(rate, steps, missing):
    assert not any("try features" in remark for remark in recurra.look(signals(rate, steps, missing)).remarks)
