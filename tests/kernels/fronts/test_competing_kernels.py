"""Competing kernels: torch's convolutions and a plain count are the reference."""

import tracemalloc

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_what_lies_beyond_a_sequence_changes_no_bit_and_takes_no_memory(steps):
    rng = np.random.default_rng(steps)
    for x in (rng.normal(size=(steps, 2)), np.round(rng.normal(size=(steps, 2))), np.zeros((steps, 2))):
        x = x.astype(np.float32)
        weights, chosen = drawn(rng, 2, 1)
        for dilation in (1, 3, 7, 50):
            around = np.zeros((4 * dilation, 2), np.float32)
            padded = np.concatenate([around, x, around])
            seen = padded.T[chosen[:, 0]]
            response = weights[:, :, 0, None] * seen[:, None, :steps]
            for k in range(1, 9):
                response = (
                    response + weights[:, :, k, None] * seen[:, None, k * dilation : k * dilation + steps]
                )
            best, worst = response.argmax(axis=1), response.argmin(axis=1)
            most = np.maximum(response.max(axis=1), 0).astype(np.float64)
            found = contests(x, channels=chosen, dilation=dilation, weights=weights)
            for rival in range(RIVALS):
                won = np.where(best == rival, most, 0.0).sum(axis=1) / steps
                np.testing.assert_array_equal(found[0, :, rival], won.astype(np.float32))
                lost = (worst == rival).sum(axis=1) / steps
                np.testing.assert_array_equal(found[1, :, rival], lost.astype(np.float32))
    tracemalloc.start()
    contests(x, channels=chosen, dilation=2**40, weights=weights)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_of_equal_responses_the_first_wins_and_loses():
    weights = np.ones((1, RIVALS, 9), np.float32)
    found = contests(np.ones((4, 1), np.float32), channels=np.zeros((1, 1), int), dilation=1, weights=weights)
    np.testing.assert_array_equal(found[0, 0, 1:], 0)
    np.testing.assert_array_equal(found[1, 0], [1, *[0] * (RIVALS - 1)])
    assert found[0, 0, 0] == 4  # each of the four steps sees all four
