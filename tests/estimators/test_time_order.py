"""Frames whose dates fall or are mixed are refused: their rows would be read in the order they lie in, without a word."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError

RNG = np.random.default_rng(0)
QUICK = {"max_epochs": 1, "hidden_size": 2, "random_state": 0, "verbose": 0}
INDEXES = {
    "dates": pd.date_range("2024-03-30", periods=9, freq="h", tz="Europe/Berlin"),
    "months": pd.period_range("2024-01", periods=9, freq="M"),
    "durations": pd.timedelta_range("0s", periods=9, freq="10ms"),
}
# of a local clock without its zone: the hour from 2 comes twice
HOURS = ("01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30", "04:00")
CASES = {
    "classifier": (recurra.SequenceClassifier, list("ab") * 6),
    "regressor": (recurra.SequenceRegressor, list(range(12))),
    "labeler": (recurra.SequenceLabeler, [list("abcabcabc")] * 12),
    "detector": (recurra.AnomalyDetector, None),
}


def frames(index, make):
    return [make(RNG.normal(size=(9, 2)), index) for _ in range(12)]


def answers(fitted, X):
    return [np.asarray(own).tolist() for own in fitted.predict(X)]


def frame(values, index):
    return pd.DataFrame(values, columns=["a", "b"], index=index)


def unnamed(values, index):
    return pd.DataFrame(values, index=index)


def one_channel(values, index):
    return pd.Series(values[:, 0], index=index)


@pytest.mark.parametrize("make", [frame, unnamed, one_channel])
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
@pytest.mark.parametrize(("estimator", "y"), CASES.values(), ids=CASES)
def test_dates_that_go_back_are_refused(estimator, y, index, make):
    X = frames(index, make)
    given = (X,) if y is None else (X, y)
    fitted = estimator(**QUICK).fit(*given)
    says = r"X: sequence 3: the dates of its index must rise, .*; .* comes after .*\. Sort it with frame\.sort_index\(\)"
    for turned in (X[3][::-1], X[3].iloc[[1, 0, 5, 4, 3, 2, 6, 8, 7]]):
        odd = [*X[:3], turned, *X[4:]]
        with pytest.raises(DataError, match=says):
            estimator(**QUICK).fit(odd, *given[1:])
        with pytest.raises(DataError, match=says):
            fitted.predict(odd)
        asked = [*X[:3], turned.sort_index(), *X[4:]]
        assert answers(fitted, asked) == answers(fitted, X)


def test_rows_of_a_table_and_labels_may_have_dates_in_any_order():
    days = pd.date_range("2024-01-01", periods=12, freq="D")[::-1]
    table = pd.DataFrame(RNG.normal(size=(12, 5)), index=days)
    fitted = recurra.SequenceRegressor(**QUICK).fit(table, pd.Series(np.arange(12.0), index=days))
    assert len(fitted.predict(table)) == 12


def test_other_indexes_say_nothing_of_time():
    X = frames(list("ihgfedcba"), frame)
    recurra.SequenceClassifier(**QUICK).fit(X, list("ab") * 6).predict(X)
    X = [own.reset_index(drop=True)[::-1] for own in X]
    recurra.SequenceClassifier(**QUICK).fit(X, list("ab") * 6).predict(X)
    autumn = frames(pd.to_datetime([f"2024-10-27 {h}" for h in HOURS]), frame)
    recurra.SequenceClassifier(**QUICK).fit(autumn, list("ab") * 6).predict(autumn)
    gap = frames(INDEXES["dates"].where(np.arange(9) != 4), frame)
    recurra.SequenceClassifier(**QUICK).fit(gap, list("ab") * 6).predict(gap)
    twice = frames(INDEXES["dates"][[0, 0, 1, 2, 3, 3, 3, 4, 5]], frame)  # ticks that agree
    recurra.SequenceClassifier(**QUICK).fit(twice, list("ab") * 6).predict(twice)
