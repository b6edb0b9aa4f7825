"""Integrated gradients: completeness, known integrals, messages."""

import numpy as np
import pytest
import torch

from recurra.errors import ShapeError, UsageError
from recurra.evaluation.explanations.integrated_gradients import integrated_gradients
from recurra.nn import NetworkConfig, build


class Polynomial(torch.nn.Module):
    """Sum over time of x0 squared times x1, for each sequence."""

    def forward(self, ragged):
        each = ragged.values[:, 0] ** 2 * ragged.values[:, 1]
        return torch.stack([part.sum() for part in each.split(ragged.lengths.tolist())])[:, None]


def test_a_known_integral():
    """Along t x the slope by x0 is 2 t^2 x0 x1: two thirds of the whole go to x0, one third to x1."""
    x = np.array([[2.0, 3.0], [-1.0, 4.0]])
    found = integrated_gradients(Polynomial(), x)
    np.testing.assert_allclose(found.values, [[8.0, 4.0], [8 / 3, 4 / 3]], rtol=1e-6)
    assert abs(found.error) < 1e-6
    assert found.output == pytest.approx(16)


def test_from_another_baseline():
    x, start = np.array([[2.0, 3.0]]), np.array([1.0, 3.0])
    found = integrated_gradients(Polynomial(), x, baseline=start)
    np.testing.assert_allclose(found.values, [[9.0, 0.0]], atol=1e-6)
    assert found.details["change"] == pytest.approx(9)


@pytest.mark.parametrize("pooling", ["last", "mean", "attention", "none"])
def test_parts_add_up_to_the_change(pooling):
    config = NetworkConfig("lstm", 3, 16, 4, bidirectional=True, pooling=pooling, dropout=0.5)
    network = build(config, seed=0).train()
    x = 3 * np.random.default_rng(0).normal(size=(40, 3))
    found = integrated_gradients(network, x, target=2)
    assert abs(found.error) < 1e-4 * max(1.0, abs(found.details["change"]))
    assert found.values.sum() - found.error == pytest.approx(found.details["change"])
    assert network.training
    assert all(p.grad is None for p in network.parameters())


def test_few_points_miss_more_and_say_so():
    network = build(NetworkConfig("lstm", 3, 16, 4), seed=0)
    x = 5 * np.random.default_rng(0).normal(size=(60, 3))
    coarse, fine = (abs(integrated_gradients(network, x, points=n).error) for n in (1, 32))
    assert fine < 1e-3
    assert coarse > 10 * fine


def test_one_step_of_a_labelled_sequence_ignores_what_comes_later():
    network = build(NetworkConfig("gru", 3, 8, 4, pooling="none"), seed=0)
    x = np.random.default_rng(0).normal(size=(10, 3))
    found = integrated_gradients(network, x, step=4)
    assert not found.values[5:].any()
    assert found.values[4].any()
    assert found.details["step"] == 4


class Step(torch.nn.Module):
    """Of sequences of one value: rises by one in a short stretch of the way, which 32 points nearly miss."""

    def forward(self, ragged):
        return torch.sigmoid(400 * (ragged.values - 0.51))


def test_without_a_number_points_are_doubled_until_little_is_missed():
    network, x = Step(), np.ones((1, 1), np.float32)
    assert abs(integrated_gradients(network, x, points=32).error) > 0.05
    found = integrated_gradients(network, x)
    assert found.details["points"] > 32
    assert abs(found.error) <= 0.05


def test_points_in_batches_give_the_same(monkeypatch):
    import recurra.evaluation.explanations.integrated_gradients as module

    network = build(NetworkConfig("lstm", 3, 8, 4), seed=0).double()
    x = np.random.default_rng(0).normal(size=(10, 3))
    at_once = integrated_gradients(network, x).values
    monkeypatch.setattr(module, "STEPS_AT_ONCE", 30)
    np.testing.assert_allclose(integrated_gradients(network, x).values, at_once, rtol=1e-9)


def test_messages():
    network = build(NetworkConfig("lstm", 3, 8, 4), seed=0)
    x = np.zeros((5, 3))
    with pytest.raises(
        ShapeError, match=r"integrated_gradients: the network must give .* more than target=4\)"
    ):
        integrated_gradients(network, x, target=4)
    with pytest.raises(
        ShapeError, match=r"baseline must have the shape of the input, \(5, 3\), .* got \(2,\)"
    ):
        integrated_gradients(network, x, baseline=[0, 0])
    with pytest.raises(UsageError, match=r"points must be a whole number in \[1, 1000\]; got 0"):
        integrated_gradients(network, x, points=0)
