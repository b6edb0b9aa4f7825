"""Frames as aeon and sktime pass them: a Series in each cell, or an index of instances and time points."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError

LENGTHS = [5, 6] * 6
rng = np.random.default_rng(0)
VALUES = [rng.normal(loc=i % 2, size=(n, 2)) for i, n in enumerate(LENGTHS)]
LABELS = np.array(["a", "b"] * 6)
NESTED = pd.DataFrame({f"dim_{c}": [pd.Series(x[:, c]) for x in VALUES] for c in range(2)})


def of_instances(names=("instances", "timepoints"), times=None):
    steps = [np.arange(len(x)) if times is None else times[: len(x)] for x in VALUES]
    frames = [pd.DataFrame(x, columns=["ax", "ay"], index=s) for x, s in zip(VALUES, steps, strict=True)]
    return pd.concat(frames, keys=range(len(VALUES)), names=list(names))


FRAMES = {
    "nested": NESTED,
    "numbered": of_instances(),
    "dated": of_instances((None, None), pd.date_range("2024-01-01", periods=6, freq="s")),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_loaded(kind):
    data = recurra.load(FRAMES[kind])
    assert len(data) == len(VALUES)
    for found, expected in zip(data.X, VALUES, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert data.sample_rate_hz == (1.0 if kind == "dated" else None)


@pytest.mark.parametrize("kind", FRAMES)
def test_given_to_fit_and_predict(kind):
    make = recurra.SequenceClassifier(hidden_size=3, max_epochs=2, random_state=0, verbose=0)
    expected = make.fit(VALUES, LABELS).predict_proba(VALUES)
    frame = FRAMES[kind]
    clf = make.fit(frame, LABELS)
    np.testing.assert_array_equal(clf.predict_proba(frame), expected)
    turned = frame[list(frame.columns)[::-1]]  # channels are found by name
    np.testing.assert_array_equal(clf.predict_proba(turned), expected)


def test_the_only_other_column_is_the_label():
    data = recurra.load(NESTED.assign(class_vals=LABELS))
    assert data.y.tolist() == LABELS.tolist()
    assert any("label='class_vals', the only column beside the sequences" in note for note in data.notes)


def test_of_several_other_columns_none_is_guessed():
    data = recurra.load(NESTED.assign(class_vals=LABELS, person=np.arange(12)))
    assert data.y is None
    assert any(
        "not used: 'class_vals', 'person'. Say what they are with label=" in note for note in data.notes
    )
    told = recurra.load(
        NESTED.assign(class_vals=LABELS, person=np.arange(12)), label="class_vals", group="person"
    )
    assert told.groups.tolist() == list(range(12))
    assert not any("not used" in note for note in told.notes)


def test_labels_among_the_sequences_of_fit_are_named():
    with pytest.raises(DataError, match="'dim_0', 'dim_1' hold a whole sequence in each cell, 'y' does not"):
        recurra.SequenceClassifier(verbose=0).fit(NESTED.assign(y=LABELS), LABELS)


def test_a_wide_table_of_two_levels_is_one():
    index = pd.MultiIndex.from_product([["p1", "p2"], range(3)], names=["person", "trial"])
    clf = recurra.SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0, verbose=0)
    table = pd.DataFrame(rng.normal(size=(6, 20)), index=index)
    assert clf.fit(table, ["a", "b"] * 3).predict(table).shape == (6,)
