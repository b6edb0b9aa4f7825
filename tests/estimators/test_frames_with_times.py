"""Columns of times in frames of any library are no numbers, tables of pyarrow are refused, and y holds no times."""

import datetime

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, UsageError

RNG = np.random.default_rng(0)
QUICK = {"max_epochs": 1, "hidden_size": 2, "random_state": 0, "verbose": 0}
DAYS = pd.date_range("2024-01-01", periods=12, freq="D")
TIMES = {
    "moments": DAYS,
    "in a zone": DAYS.tz_localize("Europe/Berlin"),
    "durations": DAYS - DAYS[0],
    "days": pd.Index([day.date() for day in DAYS]),
    "hours": pd.Index([datetime.time(hour) for hour in range(12)]),
}
CASES = {
    "classifier": (recurra.SequenceClassifier, list("ab") * 6),
    "regressor": (recurra.SequenceRegressor, list(range(12))),
    "labeler": (recurra.SequenceLabeler, [list("abcabcabcabc")] * 12),
    "detector": (recurra.AnomalyDetector, None),
}


def frame(library, times=None):
    made = pd.DataFrame(RNG.normal(size=(12, 2)), columns=["a", "b"])
    if times is not None:
        made["t"] = times
    return made if library == "pandas" else pytest.importorskip("polars").from_pandas(made)


def fitted(name, X):
    estimator, y = CASES[name]
    return estimator(**QUICK).fit(X) if y is None else estimator(**QUICK).fit(X, y)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("name", CASES)
def test_a_column_of_times_is_no_channel(name, times, library):
    X = [frame(library) for _ in range(12)]
    timed = [frame(library, times) for _ in X]
    model = fitted(name, X)
    says = r"sequence 0 must hold numbers; (its column 't' holds times|got '(2024|0|1))"
    with pytest.raises(DataError, match=says):
        fitted(name, timed)
    answers = [np.asarray(own).tolist() for own in model.predict([own[["a", "b"]] for own in timed])]
    assert [
        np.asarray(own).tolist() for own in model.predict(timed)
    ] == answers  # the channels are found by name
    if name == "detector":  # which does not stream
        return
    pushed = [model.stream().push(timed[0][names]) for names in (["b", "t", "a"], ["a", "b"])]
    assert len({str(own) for own in pushed}) == 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("times", [DAYS, DAYS - DAYS[0]], ids=["moments", "durations"])
def test_a_column_of_times_in_a_table_of_one_sequence_a_row(times, library):
    with pytest.raises(DataError, match=r"X must hold numbers; its column 't' holds times, of type"):
        recurra.SequenceClassifier(**QUICK).fit(frame(library, times), list("ab") * 6)


@pytest.mark.parametrize("name", CASES)
def test_tables_of_pyarrow_are_refused(name):
    """Their columns were taken by position, whatever their names."""
    pa = pytest.importorskip("pyarrow")
    X = [frame("pandas") for _ in range(12)]
    model = fitted(name, X)
    swapped = [pa.Table.from_pandas(own[["b", "a"]]) for own in X]
    for asked in (lambda: fitted(name, swapped), lambda: model.predict(swapped)):
        with pytest.raises(DataError, match=r"sequence 0 is a table of pyarrow; .* table\.to_pandas\(\)"):
            asked()
    with pytest.raises(DataError, match="is a table of pyarrow"):
        recurra.SequenceClassifier(**QUICK).fit(swapped[0], list("ab") * 6)
    with pytest.raises(DataError, match="is a table of pyarrow"):
        recurra.Forecaster(horizon=2, context=4, **QUICK).fit(swapped[0])


@pytest.mark.filterwarnings("ignore:Determining the column names of a LazyFrame")
def test_frames_that_are_not_computed_are_refused():
    lazy = frame("polars").lazy()
    with pytest.raises(DataError, match=r"not yet computed; pass frame\.collect\(\)"):
        recurra.Forecaster(horizon=2, context=4, **QUICK).fit(lazy)
    with pytest.raises(DataError, match=r"not yet computed; pass frame\.collect\(\)"):
        recurra.SequenceClassifier(**QUICK).fit([lazy] * 12, list("ab") * 6)
    with pytest.raises(UsageError, match=r"got LazyFrame\. Pass frame\.collect\(\)"):
        recurra.load(lazy)


NO_NUMBERS = {
    "array": DAYS.to_numpy(),
    "Series": pd.Series(DAYS),
    "in a zone": pd.Series(TIMES["in a zone"]),
    "durations": pd.Series(TIMES["durations"]),
    "list": list(DAYS),
    "days": list(TIMES["days"]),
    "durations of Python": [datetime.timedelta(day) for day in range(12)],
}


@pytest.mark.parametrize("y", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_times_are_no_numbers_to_predict(y):
    X = [RNG.normal(size=(12, 2)) for _ in range(12)]
    for given in (y, [y] * 12):
        with pytest.raises(DataError, match=r"y must hold (real )?numbers; "):
            recurra.SequenceRegressor(**QUICK).fit(X, given)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_one_column_of_dates_in_a_zone_is_the_time_of_a_series(library):
    hours = pd.date_range(
        "2024-03-25", periods=200, freq="h", tz="Europe/Berlin"
    )  # the clock is put forward within
    values = np.sin(np.arange(200.0))
    table = pd.DataFrame({"t": hours, "y": values})
    given = table if library == "pandas" else pytest.importorskip("polars").from_pandas(table)
    small = {"horizon": 2, "context": 4, **QUICK}
    found, true = (recurra.Forecaster(**small).fit(one) for one in (given, pd.Series(values, index=hours)))
    assert np.array_equal(np.ravel(found.predict()), np.ravel(true.predict()))
    assert found.model_.manifest["input"]["freq"] == true.model_.manifest["input"]["freq"] == "h"
