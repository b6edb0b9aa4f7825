import numpy as np
import pytest

from recurra.errors import DataError, ShapeError
from recurra.features.known import Known
from recurra.features.series import SeriesFeatures, check_known, fill, seasonal_profile


def test_missing_values_are_filled_with_the_last_and_before_the_first_with_the_first():
    values = np.array([[np.nan, 1], [2, np.nan], [np.nan, 3], [np.nan, np.nan]])
    assert fill(values).tolist() == [[2, 1], [2, 1], [2, 3], [2, 3]]
    assert fill(np.full((3, 1), np.nan)).tolist() == [[0], [0], [0]]


def test_a_season_is_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    wave = np.array([3.0, -1, 0, -2])
    values = wave[(np.arange(80) + 1) % 4] + 0.05 * np.arange(80) + 0.1 * rng.normal(size=80)
    np.testing.assert_allclose(seasonal_profile(values, 4, phase=1), wave, atol=0.1)
    assert not seasonal_profile(rng.normal(size=80), 12).any()
    assert not seasonal_profile(values[:11], 4).any()
    assert not seasonal_profile(np.ones(50), 4).any()


@pytest.mark.parametrize("scaling", ["zscore", "robust", "common", "none"])
@pytest.mark.parametrize("seasonal", ["inputs", "adjust"])
def test_scaled_values_come_back(scaling, seasonal):
    values = np.exp(np.sin(np.arange(60) * np.pi / 6)[:, None] + [[0.0, 2.0]] + 0.01 * np.arange(60)[:, None])
    known = Known(phase=5)
    features = SeriesFeatures.fit(
        [values], [known], scaling=scaling, seasonal=seasonal, seasons=(12,), transform="log"
    )
    scale = features.scale(values, known)
    scaled = features.scaled(values, scale, known)
    np.testing.assert_allclose(features.restored(scaled, scale, known), values)
    assert features.rows(scaled, scale, known, ahead=3).shape == (63, features.input_size)
    assert SeriesFeatures.from_manifest(features.to_manifest()) == features


def test_a_lag_holds_the_earlier_value_and_the_earlier_known():
    values, future = np.arange(10.0)[:, None], np.arange(100, 113.0)[:, None]
    features = SeriesFeatures.fit([values], [Known(future)], scaling="none", lags=(3,))
    rows = features.rows(values, features.scale(values, Known(future)), Known(future), ahead=3)
    assert rows[3:, 2].tolist() == list(range(10))
    assert rows[:10, 0].tolist() == list(range(10))
    np.testing.assert_allclose(rows[3:, 4], rows[:-3, 3], rtol=1e-6)


def test_a_constant_series_has_spread_1():
    values = np.full((30, 1), 7.0)
    features = SeriesFeatures.fit([values], [Known()])
    assert features.scale(values, Known()).spread.tolist() == [1.0]


def test_messages():
    values = np.array([[1.0], [0.0]])
    features = SeriesFeatures(transform="log")
    with pytest.raises(DataError, match="transform='log' needs positive values; tube has 0"):
        features.scale(values, Known(), "tube")
    features = SeriesFeatures(n_known=1, known_center=(0.0,), known_spread=(1.0,))
    with pytest.raises(DataError, match="must be known for 5 steps, those ahead among them; got 3 rows"):
        check_known(Known(np.zeros((3, 1))), steps=5, features=features, index=0, name=None)
    with pytest.raises(ShapeError, match="must have 1 column known in advance; got 2"):
        check_known(Known(np.zeros((9, 2))), steps=5, features=features, index=0, name=None)
    with pytest.raises(ValueError, match="transform must be one of"):
        SeriesFeatures.from_manifest({"transform": "root"})
