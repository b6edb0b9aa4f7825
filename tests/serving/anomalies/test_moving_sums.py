"""Sums over windows: every one as if the rest of the sequence were not there."""

import numpy as np
import pytest

from recurra.serving.anomalies.moving_sums import moving_sums
from recurra.serving.models.anomaly_model import mean_around


@pytest.mark.parametrize("length", [1, 2, 7, 30])
@pytest.mark.parametrize("n", [0, 1, 6, 7, 50])
def test_sums_are_those_of_each_window(n, length):
    values = np.random.default_rng(n).normal(size=n)
    expected = [values[max(end - length + 1, 0) : end + 1].sum() for end in range(n + length - 1)]
    np.testing.assert_allclose(moving_sums(values, length), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [1, 7])
def test_an_absurd_value_leaves_no_trace_behind_its_windows(length):
    values = np.random.default_rng(0).random(100)
    odd = values.copy()
    odd[40] = 9.96921e36  # what netCDF writes where a value is missing
    ours, usual = moving_sums(odd, length), moving_sums(values, length)
    held = (np.arange(len(ours)) >= 40) & (np.arange(len(ours)) < 40 + length)
    np.testing.assert_array_equal(ours[~held], usual[~held])
    assert (ours[held] > 1e36).all()


@pytest.mark.parametrize("steps", [0, 2, 10**9])
def test_means_around_a_step_likewise(steps):
    odd = np.array([1.0, 2, 3, 1e30, 4, 5, 6, 7])
    expected = [odd[max(i - steps, 0) : i + steps + 1].mean() for i in range(len(odd))]
    np.testing.assert_allclose(mean_around(odd, steps), expected, rtol=1e-12)
