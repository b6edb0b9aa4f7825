"""Occlusion: what is left out of a linear network, by stretch and channel."""

import numpy as np
import pytest
import torch

from recurra.errors import UsageError
from recurra.evaluation.explanations.occlusion import occlusion
from recurra.nn import NetworkConfig, build


class Weighted(torch.nn.Module):
    """Sum over time of x0 + 10 x1, for each sequence."""

    def forward(self, ragged):
        each = ragged.values @ torch.tensor([1.0, 10.0])
        return torch.stack([part.sum() for part in each.split(ragged.lengths.tolist())])[:, None]


def test_linear_network_gives_each_stretch_its_own_sum():
    x = np.arange(14.0).reshape(7, 2)
    found = occlusion(Weighted(), x, window=3)
    expected = np.empty((7, 2))
    for first, last in ((0, 3), (3, 6), (6, 7)):
        expected[first:last] = x[first:last].mean(axis=0) * [1, 10]
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert found.values.sum() == pytest.approx(found.output)
    assert found.error is None


def test_channels_left_out_together():
    x = np.ones((4, 2))
    found = occlusion(Weighted(), x, window=4, channel_groups=[[0, 1]])
    np.testing.assert_allclose(found.values, np.full((4, 2), 44 / 8))


def test_another_baseline_and_many_batches(monkeypatch):
    import recurra.evaluation.explanations.occlusion as module

    x = np.random.default_rng(0).normal(size=(40, 2))
    at_once = occlusion(Weighted(), x, baseline=x.mean(axis=0)).values
    monkeypatch.setattr(module, "STEPS_AT_ONCE", 100)
    np.testing.assert_allclose(occlusion(Weighted(), x, baseline=x.mean(axis=0)).values, at_once)
    assert occlusion(Weighted(), x).details["window"] == 2  # a twentieth


def test_what_comes_after_a_labelled_step_counts_nothing():
    network = build(NetworkConfig("lstm", 3, 8, 4, pooling="none"), seed=0)
    found = occlusion(network, np.random.default_rng(0).normal(size=(10, 3)), step=3, target=1)
    assert not found.values[4:].any()
    assert found.values[:4].all()


def test_messages():
    with pytest.raises(UsageError, match=r"occlusion: window must be a whole number of at least 1; got 0"):
        occlusion(Weighted(), np.ones((4, 2)), window=0)
