"""The statistical forecast against what simple series must give, and beside both naive forecasts."""

import warnings

import numpy as np
import pytest
from scipy import stats

from recurra.serving.statistical import smoothing
from recurra.serving.statistical.smoothing import candidate_seasons, forecast, interpolated, recurs


def passengers(seed, n=144):
    """Return a monthly series whose trend and season multiply."""
    rng = np.random.default_rng(seed)
    time = np.arange(n)
    season = 0.2 * np.sin(2 * np.pi * time / 12 + seed) + 0.1 * np.cos(np.pi * time / 3)
    return np.exp(4.7 + 0.008 * time + season + 0.03 * rng.normal(size=n))


@pytest.mark.parametrize("season", [4, 7, 12, 48])
@pytest.mark.parametrize("times", [2, 5])
def test_a_pure_season_goes_on_exactly(season, times):
    pattern = np.random.default_rng(season).normal(size=season)
    steps = times * season + 3
    found = forecast(np.resize(pattern, steps), 2 * season, seasons=[season])
    np.testing.assert_array_equal(found.point, np.resize(pattern, steps + 2 * season)[steps:])
    assert found.season == season
    assert (found.scale == 0).all()


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 40])
def test_a_constant_stays(value, n):
    found = forecast(np.full(n, value), 5)
    np.testing.assert_array_equal(found.point, value)
    np.testing.assert_array_equal(found.scale, 0)


def test_a_straight_line_goes_on():
    found = forecast(3 + 0.5 * np.arange(80), 4)
    np.testing.assert_allclose(found.point, 3 + 0.5 * np.arange(80, 84), atol=0.05)


def test_random_walks_are_forecast_like_their_last_value():
    ours = naive = 0.0
    for seed in range(60):
        walk = np.cumsum(np.random.default_rng(seed).normal(size=166))
        ours += np.abs(forecast(walk[:160], 6).point - walk[160:]).mean()
        naive += np.abs(walk[159] - walk[160:]).mean()
    assert ours < 1.08 * naive


@pytest.mark.parametrize("n", [60, 100, 144])
def test_seasons_and_trends_are_forecast_better_than_naively(n):
    ours, better = [], []
    for seed in range(10):
        values = passengers(seed, n)
        history, truth = values[:-12], values[-12:]
        ours.append(np.abs(forecast(history, 12, seasons=[12]).point - truth).mean())
        naive = np.abs(history[-1] - truth).mean(), np.abs(history[-12:] - truth).mean()
        better.append(min(naive))
    assert np.mean(ours) < 0.75 * np.mean(better)


def test_every_length_gives_finite_numbers():
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in [*range(1, 40), 61]:
            for values in (rng.normal(size=n), np.exp(rng.normal(size=n)), np.r_[np.zeros(n), 1.0]):
                found = forecast(values, 7, seasons=[4])
                assert found.point.shape == found.scale.shape == (7,)
                assert np.isfinite(found.point).all()
                assert np.isfinite(found.quantile(0.9)).all()
                assert (found.quantile(0.1) <= found.quantile(0.9)).all()
        assert (forecast(np.full(9, np.nan), 3).point == 0).all()


def test_missing_values_are_interpolated():
    np.testing.assert_array_equal(interpolated(np.array([np.nan, 1, np.nan, 3, np.nan])), [1, 2, 3, 3])
    values = passengers(0)
    holes = values.copy()
    holes[[5, 40, 41, 100]] = np.nan
    whole, patched = forecast(values, 12, seasons=[12]).point, forecast(holes, 12, seasons=[12]).point
    np.testing.assert_allclose(patched, whole, rtol=0.1)


def test_a_season_is_found_where_no_frequency_tells_it():
    wave = np.sin(2 * np.pi * np.arange(200) / 17) + 0.1 * np.random.default_rng(0).normal(size=200)
    assert candidate_seasons(wave, ()) == [1, 17]
    assert candidate_seasons(wave, (), search=False) == [1]
    assert candidate_seasons(wave, (12,)) == [1, 12]
    assert candidate_seasons(np.random.default_rng(0).normal(size=200), ()) == [1]


def hours(seed, weeks=6, *, week=0.0, drift=0.3, noise=1.0):
    """Hours with a day, a level that wanders, and free days of the week that are lower."""
    rng = np.random.default_rng(seed)
    time = np.arange(weeks * 168)
    free = np.isin(time // 24 % 7, rng.choice(7, size=1 + seed % 3, replace=False))
    day = 10 * np.sin(2 * np.pi * (time % 24) / 24 + seed)
    return (
        50
        + day
        - week * free
        + drift * rng.normal(size=len(time)).cumsum()
        + noise * rng.normal(size=len(time))
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_week_is_told_from_days_that_are_alike(seed):
    assert recurs(hours(seed, week=6.0), 24, 168)
    assert not recurs(hours(seed), 24, 168)
    assert not recurs(hours(seed, drift=3.0), 24, 168)
    yearly = np.sin(2 * np.pi * np.arange(6 * 168) / 8766) * 20
    assert not recurs(hours(seed, drift=0.02) + yearly, 24, 168)
    growing = (1 + np.arange(6 * 168) / 300) * (hours(seed, drift=0.0, noise=0.0) - 50)
    assert not recurs(growing + np.random.default_rng(seed).normal(0, 0.3, len(growing)), 24, 168)
    holed = hours(seed, week=6.0)
    holed[np.random.default_rng(seed).random(len(holed)) < 0.1] = np.nan
    assert recurs(holed, 24, 168)


@pytest.mark.parametrize("length", [0, 1, 24, 168, 359])
def test_less_than_two_weeks_and_a_day_show_no_week(length):
    assert not recurs(hours(0, week=6.0)[:length], 24, 168)
    assert not recurs(np.ones(length), 24, 168)
    assert not recurs(np.full(length, np.nan), 24, 168)


def test_a_season_that_divides_a_longer_one_is_in_it():
    weeks = hours(1, week=6.0)
    assert candidate_seasons(weeks, (24, 168)) == [1, 168]
    assert candidate_seasons(weeks, (24, 100)) == [1, 24, 100]
    assert candidate_seasons(weeks[: 3 * 168], (24, 168)) == [1, 24, 168]  # of few weeks a day is surer


def test_of_long_seasons_more_steps_are_read():
    assert [smoothing.most_steps(s) for s in ((), (12,), (24, 168), (48, 336), (288, 2016))] == [
        1500, 1500, 1680, 3360, 4000,
    ]  # fmt: skip
    values, odd = hours(2, 12, week=6.0), hours(2, 12, week=6.0)
    odd[: -smoothing.most_steps((24, 168))] += 100
    same, other = (forecast(v, 24, seasons=(24, 168)).point for v in (values, odd))
    np.testing.assert_array_equal(same, other)


@pytest.mark.parametrize("seed", range(4))
def test_days_of_the_week_are_forecast(seed):
    values = hours(seed, 8, week=8.0, drift=0.1)
    day, week = [], []
    for end in range(len(values) - 168, len(values), 24):
        day.append(np.abs(forecast(values[:end], 24, seasons=(24,)).point - values[end : end + 24]).mean())
        week.append(
            np.abs(forecast(values[:end], 24, seasons=(24, 168)).point - values[end : end + 24]).mean()
        )
    assert np.mean(week) < 0.8 * np.mean(day)
    assert np.mean(week) < 1.25  # the noise alone errs by 0.8


def test_a_longer_forecast_begins_like_a_shorter_one():
    values = passengers(1)
    short, long = (forecast(values, steps, horizon=6, seasons=[12]) for steps in (3, 30))
    np.testing.assert_array_equal(long.point[:3], short.point)
    np.testing.assert_array_equal(long.scale[:3], short.scale)


def noise(seed, n):
    return np.random.default_rng(seed).normal(size=n)


def walk(seed, n):
    return np.cumsum(noise(seed, n))


def half_walk(seed, n):
    return walk(seed, n) + 2 * noise(seed + 1000, n)


def week(seed, n):
    return 3 * np.resize(noise(seed + 1000, 7), n) + noise(seed, n)


@pytest.mark.parametrize(
    ("kind", "n", "seasons"),
    [(noise, 40, ()), (noise, 200, ()), (walk, 60, ()), (half_walk, 90, ()), (week, 60, (7,)), (passengers, 144, (12,))],
)  # fmt: skip
def test_intervals_hold_what_they_promise(kind, n, seasons):
    """The choice among hundreds of forecasts and a scale of six origins must not make them narrow."""
    inside = {0.8: [], 0.95: []}
    for seed in range(100):
        values = kind(seed, n)
        found = forecast(values[:-6], 6, seasons=seasons)
        for coverage, hits in inside.items():
            low, high = (found.point + found.quantile((1 + side * coverage) / 2) for side in (-1, 1))
            hits.append(((values[-6:] >= low) & (values[-6:] <= high)).mean())
    assert 0.7 < np.mean(inside[0.8]) < 0.92
    assert np.mean(inside[0.95]) > 0.9


@pytest.mark.parametrize(("n", "horizon"), [(3, 2), (5, 2), (8, 2), (9, 1), (10, 2), (12, 4), (16, 8)])
def test_intervals_of_a_few_steps_hold_most_of_what_they_promise(n, horizon):
    """With one origin they held as little as 17 % of 80: what was chosen there also told how far it is off."""
    inside = {0.8: [], 0.95: []}
    for kind in (noise, walk):
        for seed in range(60):
            values = kind(seed, n + horizon)
            found = forecast(values[:n], horizon)
            for coverage, hits in inside.items():
                off = np.abs(values[n:] - found.point)
                hits.append((off <= found.quantile((1 + coverage) / 2)).mean())
    assert 0.65 < np.mean(inside[0.8]) < 0.92
    assert np.mean(inside[0.95]) > 0.86


def test_an_origin_is_judged_by_what_was_best_at_the_others():
    """Twelve forecasts for each of three origins that are right there and far off elsewhere; the last is the simple one."""
    right_at = np.repeat(np.arange(3), smoothing.AVERAGED)
    forecasts = np.where(np.arange(3)[:, None] == right_at, 0.0, 10.0)
    forecasts = np.concatenate([forecasts, np.full((3, 1), 100.0)], axis=1)
    forecasts = np.concatenate([np.zeros((1, forecasts.shape[1])), forecasts])[:, :, None]
    count = forecasts.shape[1]
    tried = smoothing._Tried(
        forecasts, np.ones((4, count)), np.ones(count), [], np.zeros((3, 1)), [1], np.arange(9.0)
    )
    np.testing.assert_array_equal(tried.answer([0, 1, 2])[0][1:, 0], [0.0, 10.0, 10.0])
    np.testing.assert_array_equal(tried.unseen(), np.full((3, 1), 10.0))


def test_an_interval_of_few_origins_is_wider_than_one_of_many():
    few, many = (smoothing._judged(np.zeros(2), np.ones((6, 2)), freedom, "", 1) for freedom in (3.5, 1e9))
    for share, of_normal in ((0.1, -1.2815516), (0.025, -1.959964)):
        np.testing.assert_allclose(many.quantile(share), -1.0)  # errors of 1, on either side alike
        np.testing.assert_allclose(few.quantile(share) * of_normal, stats.t(3.5).ppf(share) * -1.0, rtol=1e-6)
    np.testing.assert_array_equal(few.quantile(0.5), 0.0)
    np.testing.assert_allclose(few.deviation * 1.2815516, few.quantile(0.9), rtol=1e-6)


def test_a_season_that_was_found_is_used():
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=17)
    wave = np.resize(pattern, 217) + 0.1 * rng.normal(size=217)
    found = forecast(wave[:200], 17)
    assert found.season == 17
    assert np.abs(found.point - wave[200:]).mean() < 0.2


@pytest.mark.parametrize("season", [1, 4])
def test_the_grid_is_the_smoothing_of_the_textbook(season):
    # Every row of the grid beside a plain loop over one set of parameters, from the same start.
    values = passengers(0, 40)
    ends = [40, 31]
    rows, _, grid = smoothing._smoothings(values, ends, 6, season)
    for at, end in enumerate(ends):
        profile, slope = smoothing._profile(values[:end], season), smoothing._slope(values[:end])
        first = max(season, 4)
        for place in range(0, len(grid), 7):
            alpha, beta, damping, drift, gamma = grid[place]
            seasonal = list(profile)
            trend = slope * drift
            level = np.mean([values[i] - profile[i % season] for i in range(first)]) - trend * (first - 1) / 2
            for i in range(end):
                error = values[i] - (level + damping * trend) - seasonal[i % season]
                level = level + damping * trend + alpha * error
                trend = (damping if beta or not drift else 1.0) * trend + beta * alpha * error
                seasonal[i % season] += gamma * (1 - alpha) * error
            expected = [
                level + trend * sum(damping**k for k in (range(1, step + 1) if damping < 1 else [0] * step))
                + seasonal[(end + step - 1) % season]
                for step in range(1, 7)
            ]  # fmt: skip
            np.testing.assert_allclose(rows[at, place], expected, rtol=1e-9)


@pytest.mark.parametrize("where", [-1, -2, -6])
def test_an_odd_change_moves_no_forecast_of_changes(where):
    calm = 0.8 + 0.5 * np.random.default_rng(3).normal(size=160)
    odd = calm.copy()
    odd[where] += 9
    with_it, without = (forecast(values, 4, seasons=[4]) for values in (odd, calm))
    np.testing.assert_allclose(with_it.point, without.point, atol=0.4)
    # Its errors at the origins count as they were: the intervals are no narrower than what happened.
    assert with_it.scale.max() > 2 * without.scale.max()


def test_what_is_high_every_season_and_levels_that_jump_are_no_outliers():
    rng = np.random.default_rng(0)
    decembers = 10 + rng.normal(size=120)
    decembers[11::12] += 30
    expected = np.resize(np.r_[np.full(11, 10.0), 40.0], 12)
    np.testing.assert_allclose(forecast(decembers, 12, seasons=[12]).point, expected, atol=1.2)
    level = np.r_[np.zeros(60), np.full(60, 40.0)] + rng.normal(size=120)
    np.testing.assert_allclose(forecast(level, 4).point, 40, atol=3)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_rare_event_at_the_very_end_does_not_go_on(share):
    rng = np.random.default_rng(3)
    values = (rng.random(300) < share).astype(float)
    values[-20:] = 0
    values[-1] = 1
    found = smoothing.forecast(values, 14, seasons=[7])
    assert found.point.max() < 0.5
    assert smoothing.usual_value(values) == 0.0
    assert smoothing.usual_value(1 - values) == 1.0


def test_what_stays_where_it_went_has_no_usual_value():
    rng = np.random.default_rng(0)
    price = np.repeat([5.0, 5.5, 6.0], [200, 60, 40])
    assert smoothing.usual_value(price) is None
    first_step = np.r_[np.full(100, 2.0), 3.0]  # as likely a new price as an event
    assert smoothing.usual_value(first_step) is None
    np.testing.assert_array_equal(smoothing.forecast(price, 5).point, np.full(5, 6.0))
    assert smoothing.usual_value(rng.normal(size=100)) is None
