"""Whether seasons follow the local clock, told from the series."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.inputs.series import read_series
from recurra.recipes import local_clock

QUICK = {
    "statistical": True,
    "max_epochs": 1,
    "hidden_size": 4,
    "context": 24,
    "stride": 24,
    "random_state": 0,
    "verbose": 0,
}
CHANGES = {
    "Europe/Berlin": "2024-03-31",
    "America/New_York": "2024-11-03",
    "Australia/Sydney": "2024-04-07",
    # half hours beside universal time, ahead of it and behind
    "Australia/Adelaide": "2024-04-07",
    "America/St_Johns": "2024-11-03",
}


def people(index: pd.DatetimeIndex) -> pd.Series:
    rng = np.random.default_rng(0)
    hour, week = np.asarray(index.hour), np.asarray(index.day_of_week)
    daily = 20 + 5 * np.sin(hour * np.pi / 12) + 3 * (hour == 8)
    return pd.Series(daily - 4 * (week >= 5) + 0.05 * rng.normal(size=len(index)), index)


def shop(index: pd.DatetimeIndex) -> pd.Series:
    """Return what follows the clock and knows no week."""
    rng = np.random.default_rng(0)
    hour = np.asarray(index.hour)
    return pd.Series(5 * ((hour > 8) & (hour < 19)) + 0.3 * rng.normal(size=len(index)), index)


def sun(index: pd.DatetimeIndex) -> pd.Series:
    rng = np.random.default_rng(0)
    hour = np.asarray(index.tz_convert("UTC").hour)
    return pd.Series(np.maximum(np.sin(hour * np.pi / 12), 0) + 0.05 * rng.normal(size=len(index)), index)


def span(zone: str, before: int, after: int) -> pd.DatetimeIndex:
    day = pd.Timestamp(CHANGES[zone])
    first, last = (day + pd.Timedelta(days=d) for d in (-before, after))
    return pd.date_range(first, last, freq="h", tz=zone, inclusive="left")


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("after", [2, 4, 12])
@pytest.mark.parametrize(("made", "local"), [(people, True), (shop, True), (sun, False)])
def test_a_change_in_the_history_tells(zone, after, made, local):
    given = read_series("Forecaster", made(span(zone, 40, after)))
    freq, sentence = local_clock.decide(given, (24, 168))
    assert freq == ("h" if local else "")
    assert f"the local clock of {zone}: over 1 change days differ" in sentence


@pytest.mark.parametrize(
    ("zone", "freq"), [("Europe/Berlin", "2h"), ("Europe/Berlin", "3h"), ("Australia/Lord_Howe", "h")]
)
def test_a_clock_that_moves_by_a_part_of_a_step_is_not_followed(zone, freq):
    """No step after the change is what one before it was: by steps it is an hour off, by the clock up to two."""
    index = pd.date_range("2024-02-20", "2024-04-20", freq=freq, tz=zone)
    for made in (people(index[:300]), people(index)):
        assert local_clock.decide(read_series("Forecaster", made), (24, 168)) == ("", "")


@pytest.mark.parametrize(("made", "local"), [(people, True), (shop, False), (sun, False)])
def test_without_a_change_the_week_tells(made, local):
    given = read_series("Forecaster", made(span("Europe/Berlin", 50, -3)))
    freq, sentence = local_clock.decide(given, (24, 168))
    assert freq == ("h" if local else "")
    assert "their history shows no change of the clock" in sentence


@pytest.mark.parametrize("zone", ["UTC", "+01:00", "Asia/Tokyo", None])
def test_without_changes_of_the_clock_nothing_is_said(zone):
    index = pd.date_range("2024-01-01", periods=1000, freq="h", tz=zone)
    assert local_clock.decide(read_series("Forecaster", people(index)), (24,)) == ("", "")
    daily = pd.Series(
        np.arange(100.0), pd.date_range("2024-01-01", periods=100, freq="D", tz="Europe/Berlin")
    )
    assert local_clock.decide(read_series("Forecaster", daily), (7,)) == ("", "")
    later = people(pd.date_range("2024-01-01", periods=1000, freq="h", tz="Europe/Berlin"))
    assert local_clock.decide(read_series("Forecaster", later), ()) == ("", "")
    tens = pd.Series(
        np.arange(900.0) % 6, pd.date_range("2024-01-01", periods=900, freq="10min", tz="Europe/Berlin")
    )
    assert local_clock.decide(read_series("Forecaster", tens), (6,)) == (
        "",
        "",
    )  # an hour: a change moves it by itself
    assert local_clock.decide(read_series("Forecaster", tens), (6, 144))[1]


@pytest.mark.parametrize(
    ("zone", "after"), [("Europe/Berlin", -2), ("America/New_York", 0), ("Australia/Sydney", 3)]
)
def test_a_bare_forecast_follows_the_clock(zone, after, tmp_path):
    index = span(zone, 28, 6)
    series = people(index)
    seen = series[: pd.Timestamp(CHANGES[zone], tz=zone) + pd.Timedelta(days=after)]
    forecaster = recurra.Forecaster(horizon=48, **QUICK).fit(seen)
    found = forecaster.predict()
    truth = series.iloc[len(seen) : len(seen) + 48]
    assert np.abs(found[: len(truth)] - truth).mean() < 0.2
    assert f"Seasons follow the local clock of {zone}" in forecaster.recipe_
    forecaster.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    np.testing.assert_array_equal(again.predict(), found)
    assert again.recipe_ == forecaster.recipe_


def test_seasonal_naive_of_a_backtest_follows_the_clock():
    series = people(span("Europe/Berlin", 30, 5)).round(0)
    forecaster = recurra.Forecaster(horizon=24, **QUICK).fit(series[:-144])
    judged = forecaster.backtest(series, test=144)
    hours = series.index.hour + 100 * (series.index.day_of_week >= 5)
    level = series.groupby(np.asarray(hours)).median()
    wanted = level.reindex(np.asarray(hours)).to_numpy()
    for place, seasonal in zip(judged.origins.places, judged.seasonal, strict=True):
        assert np.abs(seasonal[:, 0] - wanted[place : place + 24]).max() <= 1
