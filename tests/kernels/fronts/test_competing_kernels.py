"""Competing kernels: torch's convolutions and a plain count are the reference."""

import numpy as np
import pytest
import torch

import recurra.kernels
from recurra.kernels.fronts.competing_kernels import RIVALS, contests

GROUPS = 5


def drawn(rng, channels, seen):
    weights = rng.normal(size=(GROUPS, RIVALS, 9)).astype(np.float32)
    chosen = np.array([rng.choice(channels, seen, replace=False) for _ in range(GROUPS)])
    return weights, chosen


@pytest.mark.parametrize(
    ("steps", "channels", "seen", "dilation"), [(40, 1, 1, 1), (61, 3, 2, 4), (3, 2, 2, 7), (1, 1, 1, 1)]
)
def test_wins_and_losses_are_those_of_torchs_convolution(steps, channels, seen, dilation):
    rng = np.random.default_rng(steps)
    x = rng.normal(size=(steps, channels)).astype(np.float32)
    weights, chosen = drawn(rng, channels, seen)
    dense = np.zeros((GROUPS * RIVALS, channels, 9), np.float32)
    for group in range(GROUPS):
        dense[group * RIVALS : (group + 1) * RIVALS, chosen[group]] = weights[group][:, None]
    responses = torch.nn.functional.conv1d(
        torch.from_numpy(x.T[None].copy()), torch.from_numpy(dense), dilation=dilation, padding=4 * dilation
    )[0]
    responses = responses.numpy().reshape(GROUPS, RIVALS, steps)
    expected = np.zeros((2, GROUPS, RIVALS))
    for group in range(GROUPS):
        for step in range(steps):
            own = responses[group, :, step]
            expected[0, group, own.argmax()] += max(own.max(), 0)
            expected[1, group, own.argmin()] += 1
    found = contests(x, channels=chosen, dilation=dilation, weights=weights)
    np.testing.assert_allclose(found, expected / steps, atol=1e-5)
    # A channel filled up with -1 is no channel.
    padded = np.concatenate([chosen, np.full((GROUPS, 1), -1)], axis=1)
    np.testing.assert_array_equal(contests(x, channels=padded, dilation=dilation, weights=weights), found)


def test_of_equal_responses_the_first_wins_and_loses():
    weights = np.ones((1, RIVALS, 9), np.float32)
    found = contests(np.ones((4, 1), np.float32), channels=np.zeros((1, 1), int), dilation=1, weights=weights)
    np.testing.assert_array_equal(found[0, 0, 1:], 0)
    np.testing.assert_array_equal(found[1, 0], [1, *[0] * (RIVALS - 1)])
    assert found[0, 0, 0] == 4  # each of the four steps sees all four


def test_the_bits_are_the_same_with_and_without_native_kernels():
    rng = np.random.default_rng(3)
    x = np.repeat(rng.normal(size=(20, 2)), 5, axis=0).astype(np.float32)  # flat stretches
    weights, chosen = drawn(rng, 2, 2)
    found = contests(x, channels=chosen, dilation=2, weights=weights)
    with recurra.kernels.use("reference"):
        again = contests(x, channels=chosen, dilation=2, weights=weights)
    np.testing.assert_array_equal(found, again)
