"""Straight lines over gaps and to another length, against numpy's and scipy's interpolation."""

import numpy as np
import pytest
from scipy.interpolate import interp1d

from recurra.kernels.fronts.resampling import interpolated, stretched


@pytest.mark.parametrize("seed", range(12))
def test_gaps_are_crossed_on_straight_lines(seed):
    rng = np.random.default_rng(seed)
    steps, channels = int(rng.integers(1, 40)), int(rng.integers(1, 5))
    values = rng.normal(size=(steps, channels)).astype(np.float32)
    missing = rng.random((steps, channels)) < rng.uniform(0, 0.95, channels)
    whatever = np.where(missing, np.float32(np.nan), values)
    found = interpolated(whatever, missing)
    assert found.dtype == np.float32
    assert found.shape == values.shape
    np.testing.assert_array_equal(found[~missing], values[~missing])
    for c in range(channels):
        there = np.flatnonzero(~missing[:, c])
        expected = np.interp(np.arange(steps), there, values[there, c]) if len(there) else np.zeros(steps)
        np.testing.assert_allclose(found[:, c], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(interpolated(whatever[::-1], missing[::-1])[::-1], found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_a_sequence_is_stretched_from_its_first_step_to_its_last(seed):
    rng = np.random.default_rng(seed)
    steps, length = int(rng.integers(2, 60)), int(rng.integers(2, 60))
    values = rng.normal(size=(steps, 3)).astype(np.float32)
    found = stretched(values, length)
    assert found.dtype == np.float32
    assert found.shape == (length, 3)
    expected = interp1d(np.arange(steps), values, axis=0)(np.linspace(0, steps - 1, length))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[[0, -1]], values[[0, -1]])
    np.testing.assert_array_equal(stretched(values, steps), values)


def test_one_step_is_that_step_throughout():
    np.testing.assert_array_equal(stretched(np.float32([[2, 3]]), 9), np.tile(np.float32([2, 3]), (9, 1)))
