"""The histogram against all times in order."""

import math

import numpy as np
import pytest

from recurra.serving.streams.latency import Latency


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_at_most_two_percent_too_high(seed):
    times = np.random.default_rng(seed).lognormal(-11, 2, size=5000)
    latency = Latency()
    for seconds in times:
        latency.record(seconds)
    for percent in (1, 50, 90, 99, 99.9, 100):
        exact = np.sort(times)[math.ceil(len(times) * percent / 100) - 1]
        assert exact <= latency.percentile(percent) * (1 + 1e-9)
        assert latency.percentile(percent) <= exact * 1.02 * (1 + 1e-9)
    assert latency.max_seconds == times.max()
    assert latency.count == 5000


def test_nothing_yet():
    assert math.isnan(Latency().percentile(50))
    assert math.isnan(Latency().summary()["max_seconds"])
    assert repr(Latency()) == "Latency(no answers yet)"


def test_times_beyond_the_histogram():
    latency = Latency()
    for seconds in (0.0, 1e-9, 1e9):
        latency.record(seconds)
    assert latency.percentile(50) <= 1e-7
    assert latency.percentile(100) == latency.max_seconds == 1e9


def test_memory_is_bounded():
    latency = Latency()
    size = len(latency._counts)
    for exponent in np.linspace(-12, 12, 1000):
        latency.record(10.0**exponent)
    assert len(latency._counts) == size


def test_reads_as_a_line():
    latency = Latency()
    latency.record(1e-5)
    assert repr(latency) == "Latency(1 answer, p50 10.0 us, p99 10.0 us, max 10.0 us)"
