"""What is drawn is the least and greatest of every point, of any stretch, as found one by one."""

import time

import numpy as np
import pytest

from recurra.errors import DataError
from recurra.studio.recordings import BLOCK, Recordings


def write(path, steps, channels=2, seed=0, missing=False):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(steps, channels)).cumsum(axis=0).astype(np.float32)
    if missing:
        values[steps // 3 : steps // 2, 0] = np.nan
    np.save(path, values)
    return values


@pytest.mark.parametrize("steps", [1, 5, 300, 70_000, 1_100_003])
def test_every_extreme_is_on_the_screen(tmp_path, steps):
    values = write(tmp_path / "a.npy", steps, missing=steps > 1000)
    found = Recordings().open(tmp_path / "a.npy")
    rng = np.random.default_rng(1)
    for _ in range(25 if steps < 100_000 else 6):
        start = int(rng.integers(0, steps))
        stop = int(rng.integers(start + 1, steps + 1))
        pixels = int(rng.integers(1, 900))
        view = found.view(start, stop, pixels)
        part = values[start:stop]
        if "values" in view:
            assert np.allclose(np.array(view["values"], float).T, part, equal_nan=True, rtol=1e-5)
            continue
        low, high = np.array(view["low"], float), np.array(view["high"], float)
        assert low.shape[1] <= pixels
        near = 1e-5 * np.nanmax(np.abs(values))
        # a block at either end may reach over it, by less than a point on the screen
        around = values[max(0, start - BLOCK) : stop + BLOCK]
        for channel in range(2):
            if np.isnan(part[:, channel]).all():
                continue
            assert (
                np.nanmin(around[:, channel]) - near
                <= np.nanmin(low[channel])
                <= np.nanmin(part[:, channel]) + near
            )
            assert (
                np.nanmax(part[:, channel]) - near
                <= np.nanmax(high[channel])
                <= np.nanmax(around[:, channel]) + near
            )


def test_a_single_spike_is_never_lost(tmp_path):
    values = np.zeros((2_000_000, 1), np.float32)
    values[1_234_567] = 9
    np.save(tmp_path / "a.npy", values)
    found = Recordings().open(tmp_path / "a.npy")
    for pixels in (50, 333, 1000, 2000):
        assert max(found.view(0, 2_000_000, pixels)["high"][0]) == 9
        assert max(found.view(1_200_000, 1_300_000, pixels)["high"][0]) == 9


@pytest.mark.parametrize(("start", "stop"), [(10, 10), (20, 10), (5_000, 6_000)])
def test_an_empty_stretch_is_refused(tmp_path, start, stop):
    write(tmp_path / "a.npy", 100)
    with pytest.raises(DataError, match="has 100 samples"):
        Recordings().open(tmp_path / "a.npy").view(start, stop, 50)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"x" * 100])
def test_a_broken_array_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as an array"):
        Recordings().open(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2, 2)), np.array([["a"]]), np.zeros((0, 2)), np.array([{}], dtype=object)]
)
def test_what_is_no_recording_is_refused(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError):
        Recordings().open(tmp_path / "a.npy")


@pytest.mark.slow
def test_ten_million_samples_are_drawn_in_a_second(tmp_path):
    write(tmp_path / "a.npy", 10_000_000, channels=1)
    recordings = Recordings()
    began = time.process_time()
    recordings.open(tmp_path / "a.npy").view(0, 10_000_000, 1500)
    first = time.process_time() - began
    began = time.process_time()
    for at in range(20):
        recordings.open(tmp_path / "a.npy").view(at * 100_000, 5_000_000 + at * 100_000, 1500)
    again = (time.process_time() - began) / 20
    print(f"10 million samples: first picture {first:.2f} s, panning {again * 1000:.1f} ms a picture")
    assert first < 1
    assert again < 0.05
