"""What inputs known in advance add, against least squares of scipy, and nothing where they say nothing."""

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
from scipy.signal import lfilter

from recurra.serving.statistical import smoothing
from recurra.serving.statistical.dynamic_regression import MOST_COLUMNS, effects, forecast


def errors(rng, share, n):
    """Return errors of which a share is left in the next."""
    return scipy.signal.lfilter([1], [1, -share], rng.normal(size=n))


def effect_and_truth(seed, share, n=150, season=1):
    rng = np.random.default_rng(seed)
    known = np.column_stack([rng.random(n + 10) < 0.2, rng.normal(size=n + 10)]).astype(float)
    truth = known @ [4.0, -2.0]
    pattern = np.resize(3 * rng.normal(size=season), n)
    series = 20 + 0.05 * np.arange(n) + pattern + truth[:n] + errors(rng, share, n)
    return series, known, truth - truth[:n].mean()


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.parametrize("share", [0.0, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_an_effect_is_found_whatever_is_left_of_an_error(seed, share, season):
    series, known, truth = effect_and_truth(seed, share, season=season)
    found = effects(series, known, [season])
    assert found.shape == truth.shape
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.15 * truth.std()
    assert abs(found[: len(series)].mean()) < 0.02 * truth.std()


@pytest.mark.parametrize("seed", range(10))
def test_of_independent_errors_it_is_least_squares(seed):
    series, known, _ = effect_and_truth(seed, 0.0)
    n = len(series)
    table = np.column_stack([known[:n], np.ones(n), np.arange(n)])
    weights = scipy.linalg.lstsq(table, series)[0][:2]
    expected = known @ weights
    np.testing.assert_allclose(effects(series, known), expected - expected[:n].mean(), atol=0.2)


@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("columns", [1, 3])
def test_inputs_that_say_nothing_are_left_out(share, columns):
    """Two series that drift by chance look alike; regressed as they are, four pairs in five seem to belong together."""
    taken = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        known = np.column_stack([errors(rng, share, 110) for _ in range(columns)])
        taken += effects(errors(rng, share, 100), known) is not None
    assert taken <= 9


def test_what_the_season_or_a_line_tells_is_no_effect():
    rng = np.random.default_rng(0)
    days = np.resize(np.eye(7), (120, 7))
    series = np.resize(5 * rng.normal(size=7), 110) + 0.3 * np.arange(110) + rng.normal(size=110)
    assert effects(series, days, [7]) is None
    assert effects(series, np.arange(120.0)[:, None], [7]) is None
    assert effects(series, days) is not None


@pytest.mark.parametrize("unit", [(1000.0, 0.0), (1e-6, 3.0), (-1.0, 1e4), ([1e3, 1e-3], 0.0)])
def test_units_do_not_matter(unit):
    series, known, _ = effect_and_truth(3, 0.6)
    np.testing.assert_allclose(
        effects(series, known * np.array(unit[0]) + unit[1]), effects(series, known), atol=1e-6
    )
    np.testing.assert_allclose(effects(1e5 * series + 7, known) / 1e5, effects(series, known), atol=1e-6)


def test_an_effect_that_bends_or_comes_a_step_later_is_found():
    rng = np.random.default_rng(0)
    heat = np.column_stack([rng.uniform(-1, 1, 210)])
    bent, later = 5 * heat[:, 0] ** 2, 5 * np.r_[heat[:1, 0], heat[:-1, 0]]
    for truth in (bent, later):
        found = effects(truth[:200] + 0.1 * rng.normal(size=200), heat)
        assert np.corrcoef(found, truth)[0, 1] > 0.99


def test_ahead_an_effect_goes_a_quarter_of_its_range_beyond_at_most():
    series, known, _ = effect_and_truth(1, 0.0)
    known[150:] = 1000.0
    found = effects(series, known)
    low, high = found[:150].min(), found[:150].max()
    assert found[150:].max() == pytest.approx(high + 0.25 * (high - low))


@pytest.mark.parametrize("n", [1, 5, 12, 40])
def test_few_values_and_many_columns_give_a_forecast(n):
    rng = np.random.default_rng(n)
    known = np.column_stack([rng.normal(size=(n + 4, 30)), np.ones(n + 4), np.repeat(1e-300, n + 4)])
    for series in (rng.normal(size=n), np.ones(n), np.full(n, np.nan)):
        assert np.isfinite(forecast(series, 4, known=known).point).all()


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_what_lies_before_the_first_value_changes_nothing(missing):
    series, known, truth = effect_and_truth(2, 0.6)
    series[np.random.default_rng(0).random(len(series)) < missing] = np.nan
    first = int(np.flatnonzero(np.isfinite(series))[0])
    series, known = series[first:], known[first:]
    alone = forecast(series, 10, known=known, seasons=[7])
    longer = np.r_[np.full(9, np.nan), series], np.concatenate([np.repeat(known[:1], 9, axis=0), known])
    padded = forecast(longer[0], 10, known=longer[1], seasons=[7])
    np.testing.assert_array_equal(alone.point, padded.point)
    assert "known in advance" in alone.method
    assert np.corrcoef(alone.point, truth[-10:])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("steps", "columns", "correlation"), [(40, 4, 0.0), (60, 1, 0.6), (60, 10, 0.6), (200, 4, 0.9)]
)
def test_intervals_hold_what_they_promise(steps, columns, correlation):
    inside = {0.8: [], 0.95: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        known = rng.normal(size=(steps + 7, columns))
        left = lfilter([1.0], [1.0, -correlation], rng.normal(size=steps + 7))
        series = left + known.sum(axis=1)
        found = forecast(series[:steps], 7, known=known, seasons=[7])
        for coverage, hits in inside.items():
            low, high = (found.point + found.quantile((1 + side * coverage) / 2) for side in (-1, 1))
            hits.append(((series[steps:] >= low) & (series[steps:] <= high)).mean())
    assert 0.7 < np.mean(inside[0.8]) < 0.92
    assert np.mean(inside[0.95]) > 0.91


def test_forecasts_of_one_horizon_agree_in_their_common_steps():
    series, known, _ = effect_and_truth(4, 0.6)
    short, whole = (forecast(series, steps, known=known, horizon=10).point for steps in (3, 10))
    np.testing.assert_array_equal(short, whole[:3])


def test_without_inputs_it_is_the_smoothed_forecast():
    series, known, _ = effect_and_truth(5, 0.9)
    nothing = np.random.default_rng(1).normal(size=known.shape)
    plain = smoothing.forecast(series, 6)
    for rows in (None, nothing):
        np.testing.assert_array_equal(forecast(series, 6, known=rows).point, plain.point)


@pytest.mark.parametrize(
    ("columns", "bent"), [(5, True), (MOST_COLUMNS // 2, True), (MOST_COLUMNS // 2 + 1, False)]
)
def test_of_many_columns_squares_are_not_tried(columns, bent):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(910, columns))
    square = 5 * known[:, 0] ** 2
    found = effects(square[:900] + rng.normal(size=900), known)
    correlation = 0.0 if found is None else np.corrcoef(found, square)[0, 1]
    assert (correlation > 0.9) == bent
