"""Random kernels: torch's convolutions are the reference, the native path gives the bits of numpy's."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch

import recurra.kernels
from recurra.errors import StoreError
from recurra.kernels.fronts.random_kernels import KERNELS, N_KERNELS, convolved, shares_above
from recurra.serving.random_kernels import MAX_CHANNELS, CompetingKernels, RandomKernels, quantiles
from recurra.serving.summaries import RunningSums, Summary


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


def test_competing_kernels_are_drawn_by_the_seed_and_kept_in_a_file():
    data = recordings(9, 5)
    first, again, other = (CompetingKernels.fit(data, random_state=seed) for seed in (1, 1, 2))
    found = first.transform(data[0])
    assert found.shape == (first.size,)
    np.testing.assert_array_equal(found, again.transform(data[0]))
    assert (found != other.transform(data[0])).any()
    for weights in first.weights:
        np.testing.assert_allclose(weights.sum(axis=-1), 0, atol=1e-6)
        np.testing.assert_allclose(np.abs(weights).sum(axis=-1), 1, rtol=1e-5)
    kept = CompetingKernels.from_arrays(first.to_arrays(), 5)
    np.testing.assert_array_equal(found, kept.transform(data[0]))


@pytest.mark.parametrize(
    "change",
    [
        {"dilations": None},
        {"dilations": np.array([0])},
        {"dilations": np.array([2**24 - 1])},
        {"dilations": np.array([2, 4, 8])},
        {"channels.0": np.full((32, 1), 3)},
        {"channels.0": np.zeros((31, 1), np.int64)},
        {"channels.0": np.zeros((64, 1), np.int64)},
        {"weights.0": np.zeros((64, 8, 9), np.float32)},
        {"weights.0": np.full((32, 8, 9), 1e38, np.float32)},
        {"channels.0": np.zeros((32, 9), np.int64)},
        {"weights.0": np.full((32, 8, 9), np.nan, np.float32)},
        {"weights.0": np.zeros((32, 7, 9), np.float32)},
        {"weights.0": np.zeros((32, 8, 9))},
        {"weights.0": None},
    ],
)
def test_a_file_of_competing_kernels_that_makes_no_sense_is_refused(change):
    arrays = CompetingKernels.fit(recordings(4, 3), random_state=0).to_arrays() | change
    with pytest.raises(StoreError, match="kernels"):
        CompetingKernels.from_arrays({n: a for n, a in arrays.items() if a is not None}, 3)


def test_running_sums_are_those_of_pandas_and_zero_for_what_does_not_move():
    data = [*recordings(9, 3), np.full((7, 3), 2.5, np.float32), np.ones((1, 3), np.float32)]
    sums = RunningSums.fit(data, random_state=1, n_features=300)
    theirs = [((frame := pd.DataFrame(x, dtype=float)) - frame.mean()).cumsum() / len(x) ** 0.5 for x in data]
    np.testing.assert_allclose(sums.spread, np.std(pd.concat(theirs), axis=0), rtol=1e-5)
    for x, own in zip(data, theirs, strict=True):
        expected = sums.kernels.transform((own / sums.spread).to_numpy(np.float32))
        np.testing.assert_allclose(sums.transform(x), expected, atol=1.5 / len(x))
    still = sums.kernels.transform(np.zeros((7, 3), np.float32))
    np.testing.assert_array_equal(sums.transform(data[9]), still)


@pytest.mark.parametrize("spread", [None, np.ones(2, np.float32), np.ones(3), np.zeros(3, np.float32)])
def test_a_file_of_running_sums_that_makes_no_sense_is_refused(spread):
    sums = RunningSums.fit(recordings(4, 3), random_state=0, n_features=84)
    np.testing.assert_array_equal(RunningSums.from_arrays(sums.to_arrays(), 3).spread, sums.spread)
    arrays = {n: a for n, a in (sums.to_arrays() | {"spread": spread}).items() if a is not None}
    with pytest.raises(StoreError, match="spread of the running sums"):
        RunningSums.from_arrays(arrays, 3)


@pytest.mark.parametrize("static_size", [0, 2])
def test_a_summary_with_further_kernels_begins_as_one_without(static_size):
    data = recordings(9, 3 + static_size)
    words = {"random_state": 4, "n_features": 500, "static_size": static_size}
    plain, more = (Summary.fit(data, further=further, **words) for further in (False, True))
    assert plain.size < more.without_competing < more.size == len(more.emphasis())
    np.testing.assert_array_equal(more.emphasis()[: plain.size], plain.emphasis())
    assert (more.emphasis()[plain.size :] == 1).all()
    kept = Summary.from_arrays(more.to_arrays(), 3, static_size)
    for x in data:
        found = more.transform(x)
        np.testing.assert_array_equal(found[: plain.size], plain.transform(x))
        np.testing.assert_array_equal(found, kept.transform(x))
        own = np.ascontiguousarray(x[:, :3])
        np.testing.assert_allclose(found[plain.statistics][1:4], own.mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(found[plain.size : more.without_competing], more.sums.transform(own))
        np.testing.assert_array_equal(
            found[more.without_competing :][: more.competing[0].size], more.competing[0].transform(own)
        )
