"""Gradients by the states: against autograd on the torch reference, and what is read from them."""

import math

import numpy as np
import pytest
import torch

import oracles
import recurra.kernels
from recurra.nn import NetworkConfig, build
from recurra.nn.networks.hidden_gradients import (
    LARGEST,
    carried_gradients,
    growth,
    horizon,
    look_inside,
    transported,
)
from recurra.ragged import Ragged

LENGTHS = [7, 3, 11]


def made(cell, pooling, dtype, *, bidirectional=True, num_layers=2):
    config = NetworkConfig(
        cell, 3, 6, 2, num_layers=num_layers, bidirectional=bidirectional, pooling=pooling, dropout=0.5
    )
    network = build(config, seed=1).to(dtype)
    values = np.random.default_rng(2).normal(size=(sum(LENGTHS), 3))
    return network, Ragged(values, LENGTHS)


def loss(outputs):
    return (outputs**2).sum() + outputs[0, 0]


def output_gradient(network, ragged):
    """d loss / d output of the last layer by autograd, with the layer's output replaced by a leaf."""
    network = network.eval()
    dtype = network.head.weight.dtype
    tensor = ragged.replace(torch.tensor(ragged.values, dtype=dtype))
    output, states = network.recurrent(tensor)
    h_n = states[0] if network.config.cell == "lstm" else states
    leaf, final = output.values.detach().requires_grad_(), h_n.detach().requires_grad_()
    value = loss(network.head(network.pooled(Ragged(leaf, ragged.lengths), final)))
    by_leaf, by_final = torch.autograd.grad(value, [leaf, final], allow_unused=True)
    return value, by_leaf, by_final


@pytest.mark.parametrize("which", oracles.WHICH)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "none"])
def test_norms_agree_with_autograd_on_the_reference(cell, pooling, which):
    """To 1e-5 relative in float32: one layer, whose states torch shows as the rows of its output."""
    network, ragged = made(cell, pooling, torch.float32, bidirectional=False, num_layers=1)
    with recurra.kernels.use(which):
        found = look_inside(network, ragged, loss).hidden_gradients()[0][0]
    expected = autograd_hidden(network.double().eval(), ragged)
    ours, theirs = (np.linalg.norm(np.asarray(g, np.float64), axis=1) for g in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def autograd_hidden(network, ragged):
    """The whole derivative by every state, from the states themselves as leaves' sums."""
    config = network.config
    cell = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[config.cell](3, 6)
    cell = cell.double()
    cell.load_state_dict({name: getattr(network.recurrent, f"{name}_l0") for name in cell.state_dict()})
    states, finals = [], []
    for sequence in ragged:
        h = (torch.zeros(1, 6).double(), torch.zeros(1, 6).double())
        for row in torch.tensor(sequence):
            h = cell(row[None], h) if config.cell == "lstm" else (cell(row[None], h[0]),)
            h[0].retain_grad()
            states.append(h[0])
        finals.append(h[0])
    output = Ragged(torch.cat(states), ragged.lengths)
    loss(network.head(network.pooled(output, torch.cat(finals)[None]))).backward()
    return np.concatenate([state.grad.numpy() for state in states])


@pytest.mark.parametrize("pooling", ["last", "mean", "none"])
def test_what_the_loss_says_to_the_last_layer(pooling):
    network, ragged = made("lstm", pooling, torch.float64)
    inside = look_inside(network, ragged, loss)
    value, by_output, by_final = output_gradient(network, ragged)
    assert inside.loss == pytest.approx(float(value.detach()), rel=1e-9)
    if pooling == "last":
        assert inside.grad_output is None
        np.testing.assert_allclose(inside.grad_h_n, by_final[-2:].numpy(), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(inside.last_seed(1), by_final[-1].numpy(), rtol=1e-8, atol=1e-12)
    else:
        assert inside.grad_h_n is None
        np.testing.assert_allclose(inside.grad_output, by_output.numpy(), rtol=1e-8, atol=1e-12)
        ends = np.cumsum(LENGTHS)
        np.testing.assert_allclose(inside.last_seed(0), by_output.numpy()[ends - 1, :6], rtol=1e-8)
        np.testing.assert_allclose(inside.last_seed(1), by_output.numpy()[ends - LENGTHS, 6:], rtol=1e-8)


def test_network_is_left_as_it_was():
    network, ragged = made("gru", "attention", torch.float32)
    network.train()
    before = {name: t.clone() for name, t in network.state_dict().items()}
    drawn = torch.random.get_rng_state()
    look_inside(network, ragged, loss)
    assert network.training
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert torch.equal(drawn, torch.random.get_rng_state())


def test_gradients_by_the_cell_state_agree_with_autograd():
    network, ragged = made("lstm", "none", torch.float64, bidirectional=False, num_layers=1)
    inside = look_inside(network, ragged, loss)
    found = carried_gradients(inside.layers[0][0], inside.hidden_gradients()[0][0])
    cell = torch.nn.LSTMCell(3, 6).double()
    cell.load_state_dict({name: getattr(network.recurrent, f"{name}_l0") for name in cell.state_dict()})
    states, cells = [], []
    for sequence in ragged:
        h = c = torch.zeros(1, 6).double()
        for row in torch.tensor(sequence):
            h, c = cell(row[None], (h, c))
            c.retain_grad()
            states.append(h)
            cells.append(c)
    loss(network.eval().head(torch.cat(states))).backward()
    np.testing.assert_allclose(found, np.concatenate([c.grad.numpy() for c in cells]), rtol=1e-8, atol=1e-12)


def scaled_rnn(factor, length):
    """A linear-like network: tiny inputs, a multiple of the identity, so that each step multiplies by factor."""
    network = build(NetworkConfig("rnn", 1, 4, 1), seed=0)
    with torch.no_grad():
        network.recurrent.weight_hh_l0.copy_(factor * torch.eye(4))
    inside = look_inside(network, Ragged(np.zeros((length, 1), np.float32), [length]), torch.sum)
    return transported(inside.layers[0][0], inside.last_seed())


def test_horizon_of_a_known_decay():
    """0.5 to the 7th is the first power of 0.5 below 1 %."""
    shares = scaled_rnn(0.5, 30)
    np.testing.assert_allclose(shares[0][:8], 0.5 ** np.arange(8), rtol=1e-6)
    assert horizon(shares) == 7
    assert growth(shares) == 1


def test_horizon_is_infinite_where_the_gradient_arrives():
    assert horizon(scaled_rnn(0.9, 20)) == math.inf
    assert horizon([np.array([1.0])]) == math.inf


def test_growth_of_a_known_explosion():
    assert growth(scaled_rnn(1.5, 11)) == pytest.approx(1.5**10, rel=1e-5)


def test_beyond_the_range_of_numbers_is_large_and_finite():
    assert growth(scaled_rnn(1e10, 60)) == LARGEST


def test_horizon_is_the_median_of_the_sequences():
    shares = [0.5 ** np.arange(20.0), 0.5 ** np.arange(4.0), 0.1 ** np.arange(20.0)]
    assert horizon(shares) == 7  # of 3 (0.1 cubed), 7 and never
    assert math.isnan(horizon([]))
