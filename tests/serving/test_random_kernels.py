"""Random kernels: torch's convolutions are the reference, the native path gives the bits of numpy's."""

import tracemalloc

import numpy as np
import pytest
import torch

import recurra.kernels
from recurra.errors import StoreError
from recurra.kernels.fronts.random_kernels import KERNELS, N_KERNELS, convolved, shares_above
from recurra.serving import random_kernels
from recurra.serving.random_kernels import MAX_CHANNELS, RandomKernels, quantiles


def recordings(n, channels, seed=0, longest=60):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(1, longest), channels)).astype(np.float32) for _ in range(n)]


@pytest.mark.parametrize(("steps", "channels", "dilation"), [(40, 1, 1), (40, 3, 4), (3, 2, 7), (1, 1, 1)])
def test_responses_are_those_of_torchs_convolution(steps, channels, dilation):
    rng = np.random.default_rng(steps)
    x = rng.normal(size=(steps, channels)).astype(np.float32)
    seen = np.full((N_KERNELS, channels), -1)
    weight = np.zeros((N_KERNELS, channels, 9), np.float32)
    for kernel in range(N_KERNELS):
        own = rng.choice(channels, rng.integers(1, channels + 1), replace=False)
        seen[kernel, : len(own)] = own
        taps = np.full(9, -1.0)
        taps[KERNELS[kernel]] = 2
        weight[kernel, own] = taps
    theirs = torch.nn.functional.conv1d(
        torch.from_numpy(x.T[None].copy()), torch.from_numpy(weight), dilation=dilation, padding=4 * dilation
    )[0].numpy()
    np.testing.assert_allclose(convolved(x, channels=seen, dilation=dilation), theirs, atol=1e-4)
    limits = rng.normal(size=(N_KERNELS, 3)).astype(np.float32)
    shares = shares_above(x, channels=seen, dilation=dilation, thresholds=limits)
    expected = (theirs[:, None] > limits[:, :, None]).mean(axis=2)
    np.testing.assert_allclose(shares, expected, atol=1e-6)


@pytest.mark.parametrize("native", [False, True])
def test_a_dilation_beyond_a_sequence_takes_no_memory(native):
    rng = np.random.default_rng(0)
    x, seen = rng.normal(size=(5, 2)).astype(np.float32), rng.integers(0, 2, size=(N_KERNELS, 1))
    limits = rng.normal(size=(N_KERNELS, 3)).astype(np.float32)
    with recurra.kernels.use("auto" if native else "reference"):
        expected = shares_above(x, channels=seen, dilation=7, thresholds=limits)
        tracemalloc.start()
        found = shares_above(x, channels=seen, dilation=2**24 - 1, thresholds=limits)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(not recurra.kernels.describe()["native"], reason="the native kernels are not built")
@pytest.mark.parametrize("channels", [1, 2, 12])
def test_native_gives_the_bits_of_numpy(channels):
    data = recordings(12, channels)
    kernels = RandomKernels.fit(data, random_state=3, n_features=2000)
    for x in data:
        with recurra.kernels.use("reference"):
            expected = kernels.transform(x)
        np.testing.assert_array_equal(kernels.transform(x), expected)


def test_seed_decides_and_a_file_keeps_all():
    data = recordings(9, 3)
    first = RandomKernels.fit(data, random_state=1, n_features=500)
    again = RandomKernels.fit(data, random_state=1, n_features=500)
    other = RandomKernels.fit(data, random_state=2, n_features=500)
    np.testing.assert_array_equal(first.transform(data[0]), again.transform(data[0]))
    assert (first.transform(data[0]) != other.transform(data[0])).any()
    kept = RandomKernels.from_arrays(first.to_arrays(), 3)
    np.testing.assert_array_equal(first.transform(data[4]), kept.transform(data[4]))
    assert kept.size == first.transform(data[0]).size
    assert (
        max(own.shape[1] for own in RandomKernels.fit(recordings(3, 40), random_state=0).channels)
        <= MAX_CHANNELS
    )


@pytest.mark.parametrize(
    "change",
    [
        {"dilations": None},
        {"dilations": np.array([0])},
        {"dilations": np.array([], np.int64)},
        {"channels.0": np.full((84, 1), 3)},
        {"channels.0": np.full((84, 1), -2)},
        {"channels.0": np.zeros((83, 1), np.int64)},
        {"thresholds.0": np.full((84, 1), np.nan, np.float32)},
        {"thresholds.0": np.zeros((84, 1))},
    ],
)
def test_a_file_that_makes_no_sense_is_refused(change):
    arrays = RandomKernels.fit(recordings(4, 3), random_state=0, n_features=84).to_arrays() | change
    with pytest.raises(StoreError, match="random kernels"):
        RandomKernels.from_arrays({n: a for n, a in arrays.items() if a is not None}, 3)


@pytest.mark.parametrize("steps", [1, 2, 3, 17, 60])
def test_quantiles_are_numpys_row_by_row(steps):
    rng = np.random.default_rng(steps)
    rows = rng.normal(size=(9, steps)).astype(np.float32)
    rows[4] = np.round(rows[4])  # ties
    shares = rng.random((9, 6))
    shares[:, :3] = 0, 0.5, 1
    expected = np.stack([np.quantile(row, own) for row, own in zip(rows, shares, strict=True)])
    np.testing.assert_array_equal(quantiles(rows, shares), expected)


@pytest.mark.parametrize("longest", [2, 30])
def test_how_many_sequences_are_read_at_once_changes_no_bit(longest, monkeypatch):
    data = recordings(40, 3, longest=longest)
    at_once = RandomKernels.fit(data, random_state=1, n_features=500).to_arrays()
    monkeypatch.setattr(random_kernels, "_AT_ONCE", 1)
    alone = RandomKernels.fit(data, random_state=1, n_features=500).to_arrays()
    assert at_once.keys() == alone.keys()
    for name, array in at_once.items():
        np.testing.assert_array_equal(array, alone[name])
