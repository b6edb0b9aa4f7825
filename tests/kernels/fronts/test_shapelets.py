"""Shapelets: scipy's distances over windows that numpy slides are the reference, native gives the bits of numpy."""

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import zscore

import recurra.kernels
from recurra.kernels.fronts.shapelets import nearest_windows


def drawn(rng, shapelets, channels, seen, taps):
    values = rng.normal(size=(shapelets, seen, taps)).astype(np.float32)
    chosen = np.array([rng.choice(channels, seen, replace=False) for _ in range(shapelets)])
    values[0, seen - 1], chosen[0, seen - 1] = 0, -1 if seen > 1 else chosen[0, 0]
    return values, chosen, (taps * seen * rng.uniform(0.3, 1.2, shapelets)).astype(np.float32)


@pytest.mark.parametrize("kernels", ["auto", "reference"])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(
    ("steps", "channels", "seen", "dilation", "taps"),
    [
        (40, 1, 1, 1, 11),
        (61, 3, 2, 4, 5),
        (700, 4, 3, 9, 11),
        (11, 2, 2, 1, 11),
        (9, 2, 1, 3, 7),
        (1, 1, 1, 1, 3),
    ],
)
def test_nearest_windows_are_those_of_scipy(kernels, normalized, steps, channels, seen, dilation, taps):
    rng = np.random.default_rng(steps)
    x = np.cumsum(rng.normal(size=(steps, channels)), axis=0).astype(np.float32)
    values, chosen, limits = drawn(rng, 40, channels, seen, taps)
    reach = (taps - 1) * dilation
    longer = np.pad(x, ((0, max(0, reach + 1 - steps)), (0, 0)), mode="edge").astype(np.float64)
    slid = np.lib.stride_tricks.sliding_window_view(longer, reach + 1, axis=0)[..., ::dilation]
    if normalized:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of windows that do not move
            slid = np.nan_to_num(zscore(slid, axis=-1))
    with recurra.kernels.use(kernels):
        found = nearest_windows(
            x, channels=chosen, dilation=dilation, values=values, limits=limits, normalized=normalized
        )
    assert found.windows == len(slid)
    for i in range(40):
        own = chosen[i][chosen[i] >= 0]
        away = cdist(values[i, : len(own)].reshape(1, -1), slid[:, own].reshape(len(slid), -1), "cityblock")[
            0
        ]
        np.testing.assert_allclose(found.distance[i], away.min(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(away[found.place[i]], away.min(), rtol=1e-5, atol=1e-5)
        sure = np.abs(away - limits[i]) > 1e-4
        assert 0 <= found.within[i] - np.count_nonzero((away < limits[i]) & sure) <= np.count_nonzero(~sure)


@pytest.mark.skipif(not recurra.kernels.describe()["native"], reason="the native kernels are not built")
@pytest.mark.parametrize("seed", range(8))
def test_native_gives_the_bits_of_numpy_and_of_equal_windows_the_first(seed):
    rng = np.random.default_rng(seed)
    for steps in (1, 2, 17, 255, 256, 257, 266, 267, 522, 900):
        channels, taps, dilation = int(rng.integers(1, 4)), int(rng.integers(3, 12)), int(rng.integers(1, 30))
        x = rng.normal(size=(steps, channels)).astype(np.float32)
        values, chosen, limits = drawn(rng, 30, channels, min(2, channels), taps)
        if seed % 2:  # many equal distances
            x, values = np.round(x), np.round(values)
        for normalized in (False, True):
            words = {"channels": chosen, "dilation": dilation, "values": values, "limits": limits}
            found = nearest_windows(x, normalized=normalized, **words)
            with recurra.kernels.use("reference"):
                expected = nearest_windows(x, normalized=normalized, **words)
            assert found.windows == expected.windows
            for name in ("distance", "place", "within"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("normalized", [False, True])
def test_a_shapelet_is_found_where_it_was_cut_out(normalized):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1)).astype(np.float32)
    own = x[100:120:2, 0]
    values = ((own - own.mean()) / own.std() if normalized else own)[None, None]
    words = {"channels": np.zeros((1, 1), np.int64), "dilation": 2, "limits": np.ones(1, np.float32)}
    found = nearest_windows(x, values=values.astype(np.float32), normalized=normalized, **words)
    assert found.place == 100
    assert found.distance < 1e-5
    scaled = nearest_windows(7 * x + 3, values=values.astype(np.float32), normalized=normalized, **words)
    assert (scaled.distance < 1e-4) == normalized


@pytest.mark.parametrize("kernels", ["auto", "reference"])
def test_memory_does_not_grow_with_shapelets_times_steps(kernels):
    x = np.random.default_rng(0).normal(size=(100_000, 1)).astype(np.float32)
    values = np.random.default_rng(1).normal(size=(200, 1, 11)).astype(np.float32)
    words = {"channels": np.zeros((200, 1), np.int64), "dilation": 5, "limits": np.ones(200, np.float32)}
    tracemalloc.start()
    with recurra.kernels.use(kernels):
        nearest_windows(
            x[: 20_000 if kernels == "reference" else None], values=values, normalized=True, **words
        )
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()
