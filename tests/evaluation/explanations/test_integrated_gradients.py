"""Integrated gradients: completeness, known integrals, messages."""

import numpy as np
import pytest
import torch

from recurra.errors import ShapeError, UsageError
from recurra.evaluation.explanations.integrated_gradients import integrated_gradients
from recurra.nn import NetworkConfig, build
from recurra.ragged import Ragged


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


class Jumps(torch.nn.Module):
    """Rises and falls by sizes in channel 0 plus a smooth share of channel 1: sigmoids of a slope too steep to meet."""

    def __init__(self, jumps, slope):
        super().__init__()
        self.jumps, self.slope = jumps, slope

    def forward(self, ragged):
        x = ragged.values.double()
        rises = sum(size * torch.sigmoid(self.slope * (x[:, :1] - place)) for place, size in self.jumps)
        return rises + torch.tanh(x[:, 1:])


# Where along the way and by how much; the last is steeper than 32-bit numbers can tell from a step.
JUMPS = [
    ([(0.51, 1.0)], 400),
    ([(0.37123, 3.4)], 17_000),
    ([(0.2, 2.0), (0.7001, -5.0)], 17_000),
    ([(0.01, 1.0), (0.43, 1.0), (0.435, -2.5), (0.99, 4.0)], 100_000),
    ([(0.61803, 3.4)], 1_000_000),
]


@pytest.mark.parametrize(("jumps", "slope"), JUMPS)
def test_a_jump_on_the_way_is_found(jumps, slope):
    """Attributions against integrals by scipy, which is told where the jumps are."""
    from scipy.integrate import quad

    network, x = Jumps(jumps, slope), np.array([[1.0, 0.8]])
    found = integrated_gradients(network, x)
    assert abs(found.error) <= 0.01 * abs(found.details["change"])
    assert 32 < found.details["points"] <= 2048

    def steep(share):
        each = [
            size / np.cosh(np.clip(slope * (share - place) / 2, -300, 300)) ** 2 / 4 for place, size in jumps
        ]
        return slope * sum(each)

    near = sorted(
        place + side / slope for place, _ in jumps for side in (-40, 0, 40) if 0 < place + side / slope < 1
    )
    first = quad(steep, 0, 1, points=near, limit=500)[0]
    second = quad(lambda share: 0.8 / np.cosh(0.8 * share) ** 2, 0, 1)[0]
    allowed = 0.01 * abs(found.details["change"])
    np.testing.assert_allclose(found.values, [[first, second]], atol=allowed)
    ends = network(Ragged(torch.from_numpy(np.concatenate([x, 0 * x])), [1, 1])).tolist()
    assert found.details["change"] == pytest.approx(ends[0][0] - ends[1][0])


def test_evenly_placed_points_miss_a_jump_and_state_it():
    places = (np.polynomial.legendre.leggauss(512)[0] + 1) / 2
    between = float(places[200:202].mean())  # farthest from any place where the slope is taken
    network, x = Jumps([(between, 3.4)], 17_000), np.array([[1.0, 0.8]])
    found = integrated_gradients(network, x, points=512)
    assert found.error == pytest.approx(-3.4, abs=0.05)
    assert found.details["points"] == 512


def test_a_step_without_slope_ends_the_search_and_is_stated():
    class Hard(torch.nn.Module):
        def forward(self, ragged):
            return (ragged.values > 0.3).to(ragged.values) + 0.01 * ragged.values

    found = integrated_gradients(Hard(), np.ones((1, 1), np.float32))
    assert found.error == pytest.approx(-1, abs=1e-3)
    assert found.details["points"] < 1000


def test_a_smooth_way_takes_no_more_points():
    network = build(NetworkConfig("gru", 3, 16, 4), seed=0)
    x = np.random.default_rng(0).normal(size=(40, 3))
    assert integrated_gradients(network, x, target=1).details["points"] == 32


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
