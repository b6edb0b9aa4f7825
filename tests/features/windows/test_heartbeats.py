import numpy as np
import pytest

from recurra.errors import UsageError
from recurra.features.windows.heartbeats import COLUMNS, BeatIntervals
from signal_files import message


def heart(beats_s, rate=250.0, noise=0.02, seconds=None, seed=0):
    """A crude electrocardiogram: a QRS complex and a T wave at each beat, baseline wander, noise."""
    t = np.arange(int((seconds or beats_s[-1] + 1) * rate)) / rate
    out = 0.3 * np.sin(2 * np.pi * 0.2 * t) + np.random.default_rng(seed).normal(size=len(t)) * noise
    for beat in beats_s:
        out += np.exp(-(((t - beat) / 0.012) ** 2)) - 0.2 * np.exp(-(((t - beat - 0.03) / 0.012) ** 2))
        out += 0.25 * np.exp(-(((t - beat - 0.28) / 0.05) ** 2))
    return out


@pytest.mark.parametrize("rate", [100.0, 250.0, 360.0])
def test_every_beat_is_found_where_it_is(rate):
    beats = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.3, size=40)) + 0.5
    found = BeatIntervals(rate).beats(heart(beats, rate)) / rate
    near = np.abs(found[:, None] - beats).min(axis=0)
    assert (near[:-1] < 0.03).all()  # the last may not be known yet
    assert len(found) in (39, 40)
    assert np.abs(found - beats[: len(found)]).max() < 0.03


def test_intervals_are_those_between_beats():
    beats = 1 + np.cumsum(np.tile([0.7, 0.9], 20))
    rows = BeatIntervals(250.0).transform(heart(beats)[:, None])
    assert rows.shape[1] == len(COLUMNS)
    np.testing.assert_allclose(rows[:, 0], np.tile([0.9, 0.7], 20)[: len(rows)], atol=0.03)
    np.testing.assert_allclose(rows[1:, 1], np.diff(rows[:, 0]), atol=1e-12)
    np.testing.assert_array_equal(rows[:, 2], np.abs(rows[:, 1]))


def test_a_weak_beat_is_found_on_looking_back():
    beats = 1 + 0.8 * np.arange(20)
    signal = heart(beats)
    place = slice(int((beats[10] - 0.1) * 250), int((beats[10] + 0.1) * 250))
    signal[place] *= 0.45
    rows = BeatIntervals(250.0).transform(signal[:, None])
    assert rows[:, 0].max() < 0.9


def test_the_amplitude_does_not_matter():
    beats = 1 + 0.8 * np.arange(20)
    small, large = (BeatIntervals(250.0).beats(heart(beats) * k) for k in (0.001, 1000))
    np.testing.assert_array_equal(small, large)


def test_without_a_beat_there_is_a_row_all_the_same():
    finder = BeatIntervals(250.0)
    rows = finder.transform(np.zeros((finder.least_steps, 1)))
    assert rows[:, 0].tolist() == [3.0]
    assert np.isfinite(rows).all()


def test_a_rate_too_low_for_beats():
    said = message(lambda: BeatIntervals(50.0), UsageError)
    assert said == "beat_intervals: sample_rate_hz must be a number of at least 60; got 50.0."


def test_rates_of_real_hearts(real_data):
    import recurra

    real_data("cinc2017-validation/validation.zip")
    data = recurra.load("cinc2017-validation")
    normal = [r for r in data.records if r.label == "normal"][:25]
    finder = BeatIntervals(300.0)
    per_minute = [60 * len(finder.beats(r.values[:, 0])) / (len(r.values) / 300) for r in normal]
    assert min(per_minute) > 45
    assert max(per_minute) < 120
    assert 65 < np.median(per_minute) < 85
