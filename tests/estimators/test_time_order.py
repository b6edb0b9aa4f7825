"""Frames whose dates fall or are mixed are refused: their rows would be read in the order they lie in, without a word."""

import re
import warnings
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, RecurraWarning

RNG = np.random.default_rng(0)
QUICK = {"max_epochs": 1, "hidden_size": 2, "random_state": 0, "verbose": 0}
INDEXES = {
    "dates": pd.date_range("2024-03-30", periods=9, freq="h", tz="Europe/Berlin"),
    "months": pd.period_range("2024-01", periods=9, freq="M"),
    "durations": pd.timedelta_range("0s", periods=9, freq="10ms"),
    "dates of Python": pd.Index(
        [date(2024, 2, 25 + day) if day < 5 else date(2024, 3, day) for day in range(9)]
    ),
    "moments of Python": pd.Index([datetime(2024, 1, 1, hour) for hour in range(9)], dtype=object),
    "texts": pd.date_range("2024-02-27", periods=9, freq="D").strftime("%Y-%m-%d"),
    "texts with hours": pd.date_range("2024-02-27", periods=9, freq="h").strftime("%Y-%m-%dT%H:%M"),
    "a name beside dates": pd.MultiIndex.from_product(
        [["a"], pd.date_range("2024-01-01", periods=9, freq="D")]
    ),
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


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_labels_and_numbers_of_each_step_whose_dates_go_back_are_refused(index):
    X = frames(index, frame)
    says = r"y: sequence 3: the dates of its index must rise"
    for estimator, own in (
        (recurra.SequenceLabeler, list("abcabcabc")),
        (recurra.SequenceRegressor, range(9)),
    ):
        y = [pd.Series(own, index=index) for _ in X]
        estimator(**QUICK).fit(X, y)
        with pytest.raises(DataError, match=says):
            estimator(**QUICK).fit(X, [*y[:3], y[3][::-1], *y[4:]])


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_rows_pushed_into_a_stream_whose_dates_go_back_are_refused(index):
    X = frames(index, frame)
    fitted = recurra.SequenceLabeler(**QUICK).fit(X, [list("abcabcabc")] * 12)
    stream, ahead, several = fitted.stream(), fitted.stream(look_ahead=1), recurra.Streams(fitted)
    for push in (stream.push, ahead.push, lambda rows: several.push("a", rows)):
        push(X[0])
        with pytest.raises(DataError, match="stream: the rows: the dates of its index must rise"):
            push(X[0][::-1])
    assert stream.steps == 9


# Indexes of whole numbers of a series' rows, and whether something is said.
COUNTS = {
    "rows": (pd.RangeIndex(60), None),
    "from 300 on": (pd.RangeIndex(300, 360), None),
    "every third": (pd.Index(range(0, 180, 3)), None),
    "two tables": (pd.Index([*range(30), *range(30)]), None),
    "of several series": (pd.Index(np.cumsum(np.random.default_rng(3).integers(1, 4, 60))), None),
    "all alike": (pd.Index([7] * 60), None),
    "mixed": (pd.Index(RNG.permutation(60)), "not the order of its index"),
    "newest first": (pd.RangeIndex(59, -1, -1), "not the order of its index"),
    "unsigned": (pd.Index(RNG.permutation(60).astype("u1")), "not the order of its index"),
    "left out": (
        pd.Index(np.delete(np.arange(65), [3, 9, 10, 31, 50])),
        r"2\. If steps are missing, .*reindex\(range\(0, 65, 1\)",
    ),
    "a hole": (
        pd.Index([*range(0, 60, 2), *range(200, 260, 2)]),
        r"200 comes after 58\. .*reindex\(range\(0, 260, 2\)",
    ),
}


@pytest.mark.parametrize(("index", "says"), COUNTS.values(), ids=COUNTS)
def test_an_index_of_whole_numbers_that_is_passed_over_is_told(index, says):
    values = np.sin(np.arange(60.0))
    small = {"horizon": 2, "context": 4, **QUICK}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted = recurra.Forecaster(**small).fit(pd.Series(values, index=index))
    told = [str(one.message) for one in told if issubclass(one.category, RecurraWarning)]
    assert len(told) == (says is not None), told
    if says is not None:
        assert re.search(says, told[0])
    plain = recurra.Forecaster(**small).fit(values)
    assert np.array_equal(fitted.predict(), plain.predict())


# Indexes of what comes after the series or stands beside it.
LATER = {
    "goes on": (range(60, 66), None),
    "from 0 on": (range(6), None),
    "every second": (range(60, 72, 2), None),
    "one row": ([75], None),
    "all alike": ([7] * 6, None),
    "uneven": ([60, 63, 64, 68, 70, 75], None),
    "newest first": (range(65, 59, -1), "64 comes after 65. .*sort_index"),
    "two, newest first": ([61, 60], "60 comes after 61. .*sort_index"),
    "mixed": ([60, 61, 63, 62, 64, 65], "62 comes after 63. .*sort_index"),
    "left out": ([60, 61, 63, 64, 65, 66], r"63 comes after 61. .*reindex\(range\(60, 67, 1\)"),
    "twice": ([60, 61, 61, 62, 63, 64], "has 61 twice. .*duplicated"),
    "unsigned": (np.array([3, 2, 1], "u1"), "2 comes after 3"),
}


@pytest.mark.parametrize("what", ["update", "known"])
@pytest.mark.parametrize(("index", "says"), LATER.values(), ids=LATER)
def test_an_index_that_is_passed_over_later_is_told_too(index, says, what):
    values, known = np.sin(np.arange(60.0)), np.arange(60.0) % 7
    known = known if what == "known" else None
    fitted = recurra.Forecaster(horizon=1, context=4, **QUICK).fit(values, known=known)
    later = pd.DataFrame({"value": 1.0 + np.arange(len(index))}, index=pd.Index(index))

    def asked(rows):
        if what == "known":
            return fitted.predict(known=rows)
        return fitted.update(rows)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = asked(later)
    told = [str(one.message) for one in told if issubclass(one.category, RecurraWarning)]
    assert len(told) == (says is not None), told
    if says is not None:
        assert re.search(says, told[0])
    if what == "known":
        assert np.array_equal(found, asked(later.to_numpy()))


def test_a_date_column_is_the_order_whatever_the_index_counts():
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    table = pd.DataFrame({"day": days, "y": np.sin(np.arange(60.0))}, index=RNG.permutation(60))
    recurra.Forecaster(horizon=2, context=4, **QUICK).fit(table)  # a warning is an error in these tests


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


DAYS = pd.date_range("2024-01-01", periods=9, freq="D")
NO_ORDER = {
    "several series, each in order": pd.MultiIndex.from_product([list("abcde"), DAYS[:2]])[:9],
    "a second date": pd.MultiIndex.from_arrays([DAYS, DAYS[::-1]]),
    "steps, and dates that fall": pd.MultiIndex.from_arrays([range(9), DAYS[::-1]]),
    "numbers of articles": pd.Index([f"1999-{n}" for n in range(19, 10, -1)]),
    "months, or no months": pd.Index([f"1998-{n:02}" for n in range(12, 3, -1)]),
    "offsets of several zones": pd.Index(
        [f"2024-01-01 {12 + h // 2 - h % 2}:00+{2 - h % 2:02}:00" for h in range(9)]
    ),
}


@pytest.mark.parametrize("index", NO_ORDER.values(), ids=NO_ORDER)
def test_what_is_not_the_order_of_the_rows_is_not_taken_for_it(index):
    X = frames(index, frame)
    recurra.SequenceClassifier(**QUICK).fit(X, list("ab") * 6).predict(X)


def test_days_that_fall_are_no_change_of_the_clock():
    days = pd.date_range("2024-09-05", periods=60, freq="D")[::-1]
    with pytest.raises(
        DataError, match=r"time stamps must rise; .* Sort the rows by time, or give sort=True\.\Z"
    ):
        recurra.Forecaster(horizon=2, context=4, **QUICK).fit(pd.Series(np.arange(60.0), index=days))
