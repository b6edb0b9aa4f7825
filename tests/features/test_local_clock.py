"""Series on the clock of their zone, beside pandas."""

import numpy as np
import pandas as pd
import pytest

from recurra.features import local_clock
from recurra.features.known import Known
from recurra.features.series import SeriesFeatures
from recurra.readers.times.calendar import place_of
from recurra.serving.statistical import dynamic_regression

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago")


def known_of(index: pd.DatetimeIndex, freq: str) -> Known:
    start = index[0].timestamp()
    place = place_of(start, freq, str(index.tz))
    return Known(phase=place, start=start, begin=place, zone=str(index.tz))


def changes(index: pd.DatetimeIndex) -> np.ndarray:
    return np.flatnonzero(np.diff(index.tz_localize(None) - index.tz_convert("UTC").tz_localize(None))) + 1


def law(index: pd.DatetimeIndex) -> np.ndarray:
    hour = np.asarray(index.hour + index.minute / 60)
    return (
        20
        + 5 * np.sin(hour * np.pi / 12)
        + np.where(hour == 8, 4, 0)
        - 3 * np.asarray(index.day_of_week >= 5)
    )


@pytest.mark.parametrize("zone", [*ZONES, "UTC", "+01:00", "Asia/Tokyo"])
@pytest.mark.parametrize("freq", ["h", "30min", "15min"])
def test_places_are_those_of_the_wall_clock(zone, freq):
    index = pd.date_range("2024-02-20 03:00", "2024-12-01", freq=freq, tz=zone)
    found = local_clock.places(known_of(index, freq), freq, len(index))
    wall = index.tz_localize(None)
    wanted = ((wall - wall[0]) / pd.Timedelta(1, "h" if freq == "h" else "min")).to_numpy()
    wanted = np.round(wanted / {"h": 1, "30min": 30, "15min": 15}[freq]).astype(int)
    if (wanted == np.arange(len(index))).all():
        assert found is None
    else:
        np.testing.assert_array_equal(found, wanted)


def test_an_hour_that_comes_twice_is_one_place_and_one_left_out_is_as_a_season_before():
    values = np.array([0.0, 1, 5, 3, 10, 11, 12.5, 13.5, 20, 21, 23])[:, None]
    at = np.array([0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 11])
    grid = local_clock.laid(values, at, seasons=[4])[:, 0]
    np.testing.assert_allclose(grid[[7, 8]], [13.0, 20.0])
    np.testing.assert_allclose(
        grid[6], 5 + (10 + 10) / 2
    )  # one season before, and by how much its neighbours moved
    np.testing.assert_allclose(grid[10], 15 + 10)  # that of the place before it, which was filled itself
    np.testing.assert_allclose(local_clock.laid(values, at)[6, 0], 12.0)
    values[6] = np.nan
    assert local_clock.laid(values, at)[7, 0] == 13.5


@pytest.mark.parametrize(("zone", "freq"), [("Europe/Berlin", "h"), ("Australia/Sydney", "h")])
def test_a_law_of_the_clock_is_forecast_over_both_changes(zone, freq):
    index = pd.date_range("2024-01-03", "2024-12-28", freq=freq, tz=zone)
    values, day = law(index), 24
    rng = np.random.default_rng(0)
    noisy = values + 0.05 * rng.normal(size=len(values))
    seen = [c for c in changes(index) if 40 * day < c < len(index) - 6 * day]
    assert seen
    for change in seen:
        for origin in (change - day, change, change + 1, change + 3 * day):
            first = origin - 22 * day
            part = index[first : origin + 2 * day]
            places = local_clock.places(known_of(part, freq), freq, len(part))
            words = {"places": places, "seasons": (day, 7 * day)}
            found = dynamic_regression.forecast(noisy[first:origin], 2 * day, **words)
            assert np.abs(found.point - values[origin : origin + 2 * day]).mean() < 0.1
            assert (np.diff(found.scale) >= 0).all()


def test_without_a_change_the_bits_are_those_of_steps():
    rng = np.random.default_rng(1)
    index = pd.date_range("2024-05-01", periods=400, freq="h", tz="Europe/Berlin")
    known = known_of(index, "h")
    assert local_clock.places(known, "h", len(index)) is None
    values = rng.normal(size=(300, 1))
    steps = SeriesFeatures(seasons=(24, 168))
    clock = SeriesFeatures(seasons=(24, 168), clock="h")
    scale = steps.scale(values, known)
    assert steps.to_manifest().keys() | {"clock"} == clock.to_manifest().keys()
    for features in (steps, clock):
        assert SeriesFeatures.from_manifest(features.to_manifest()) == features
        np.testing.assert_array_equal(
            features.rows(values, scale, known, ahead=9)[:, :2],
            steps.rows(values, scale, known, ahead=9)[:, :2],
        )


@pytest.mark.parametrize("zone", ZONES)
def test_the_network_reads_the_hour_of_the_clock(zone):
    index = pd.date_range("2024-01-01", "2024-12-20", freq="h", tz=zone)
    known, values = known_of(index, "h"), np.zeros((len(index), 1))
    features = SeriesFeatures(seasons=(24,), clock="h")
    rows = features.rows(values, features.scale(values, known), known, ahead=0)[:, 2:]
    for hour in range(24):
        same = rows[np.asarray(index.hour) == hour]
        assert np.ptp(same, axis=0).max() == 0
    assert len(np.unique(np.round(rows, 4), axis=0)) == 24


@pytest.mark.parametrize("zone", ZONES)
def test_a_profile_taken_out_is_that_of_the_clock(zone):
    index = pd.date_range("2024-01-01", "2024-12-20", freq="h", tz=zone)
    known, hour = known_of(index, "h"), np.asarray(index.hour)
    wave = np.sin(hour * np.pi / 12) + (hour == 7)
    values = wave[:, None] + 0.01 * np.random.default_rng(0).normal(size=(len(index), 1))
    left = {}
    for clock in ("", "h"):
        features = SeriesFeatures(seasons=(24,), seasonal="adjust", scaling="none", clock=clock)
        scale = features.scale(values, known)
        scaled = features.scaled(values, scale, known)
        np.testing.assert_allclose(features.restored(scaled, scale, known), values)
        left[clock] = scaled.std()
    assert left["h"] < 0.02 < 0.1 < left[""]
