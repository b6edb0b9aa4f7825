"""Gradient flow: autograd's norms, known decays, words and picture."""

import math
import re

import numpy as np
import pytest
import torch

from recurra.errors import UsageError
from recurra.evaluation.explanations.gradient_flow import (
    compare_gradient_flow,
    gradient_flow,
    gradient_reach,
    in_words,
    judge,
    middle,
)
from recurra.nn import NetworkConfig, build
from recurra.nn.networks.hidden_gradients import look_inside
from recurra.ragged import Ragged


def sequences(lengths=(30, 12, 50), channels=2, scale=1.0):
    rng = np.random.default_rng(0)
    return [(scale * rng.normal(size=(n, channels))).astype(np.float32) for n in lengths]


def square(outputs):
    return (outputs**2).mean()


def known(cell="rnn", factor=0.5):
    network = build(NetworkConfig(cell, 2, 4, 1), seed=0)
    with torch.no_grad():
        network.recurrent.weight_hh_l0.copy_(factor * torch.eye(4))
    return network


def test_norms_are_those_of_the_hidden_gradients():
    network = build(NetworkConfig("lstm", 2, 6, 3, num_layers=2, bidirectional=True, pooling="mean"), seed=0)
    flow = gradient_flow(network, sequences(), square)
    hidden = look_inside(network, Ragged.from_list(sequences()), square).hidden_gradients()
    for layer, gradient in zip(flow.layers, [g for pair in hidden for g in pair], strict=True):
        assert [len(n) for n in layer.norms] == [30, 12, 50]
        np.testing.assert_allclose(np.concatenate(layer.norms), np.linalg.norm(gradient, axis=1), rtol=1e-5)
    assert [layer.reverse for layer in flow.layers] == [False, True, False, True]


def test_known_decay():
    flow = gradient_flow(known(), sequences(scale=0), torch.sum)
    assert flow.horizon == 7
    assert flow.verdict == "vanishes"
    np.testing.assert_allclose(flow.layers[0].radii, 0.5, rtol=1e-6)
    np.testing.assert_allclose(flow.layers[0].jacobian_norms, 0.5, rtol=1e-6)
    np.testing.assert_allclose(
        middle(flow.layers[0].back())[:5] / flow.layers[0].norms[0][-1], 0.5 ** np.arange(5)
    )
    assert flow.summary() == (
        "The gradient vanishes: after 7 steps of 30 only 1 % is left, so nothing further back is learned. Take "
        "cell='lstm' or 'gru', initialization='identity', a pooling over all steps (pooling='mean' or 'attention'), "
        "lengths that grow (curriculum), or shorter sequences."
    )


def test_known_explosion():
    flow = gradient_flow(known(factor=1.5), sequences(scale=0), torch.sum)
    assert flow.verdict == "explodes"
    assert flow.summary().startswith(
        "The gradient explodes: on its way back it grows 127,834 times. Set grad_clip=1.0, "
    )


def test_textbook_before_training():
    """With the usual start all three cells lose the gradient within 300 steps; chrono keeps the LSTM's."""
    data = sequences((300,) * 4)
    left = {}
    for cell, initialization in (
        ("rnn", "default"),
        ("lstm", "default"),
        ("gru", "default"),
        ("lstm", "chrono"),
    ):
        network = build(NetworkConfig(cell, 2, 32, 1), seed=0, initialization=initialization, max_length=300)
        left[cell, initialization] = gradient_flow(network, data, square).horizon
    assert left.pop(("lstm", "chrono")) == math.inf
    assert all(horizon < 150 for horizon in left.values())


def test_words_and_verdicts():
    assert judge(math.inf, 1, 30) == "reaches"
    assert judge(40, 1, 30) == "reaches"
    assert judge(20, 1, 30) == "vanishes"
    assert judge(20, 1001, 30) == "explodes"
    assert in_words(math.inf, 1, 400) == (
        "The gradient reaches: more than 1 % of it arrives at the first of 400 steps."
    )


def test_pictures():
    flows = {"RNN": gradient_flow(known(), sequences(), square), "LSTM": gradient_flow(build(
        NetworkConfig("lstm", 2, 4, 1), seed=0), sequences(), square)}  # fmt: skip
    one, both = flows["RNN"].plot(), compare_gradient_flow(flows)
    assert "Steps back from the end" in one.svg
    assert "spectral radius" in one.svg
    assert "RNN" in both.svg
    assert "LSTM" in both.svg
    assert both.description.startswith("RNN: 1 % is left after")
    assert flows["RNN"]._repr_svg_() == one.svg


def test_a_network_of_ones_own_is_refused():
    with pytest.raises(
        UsageError, match=r"gradient_flow: needs a network of recurra\.nn\.build .* got Linear"
    ):
        gradient_flow(torch.nn.Linear(2, 1), sequences(), square)


def test_reach_by_length():
    flows = {"RNN": {n: gradient_flow(known(), sequences((n,), scale=0), torch.sum) for n in (3, 5)}}
    assert flows["RNN"][5].layers[-1].share_left == pytest.approx(0.5**4)
    picture = gradient_reach(flows)
    assert picture.description == "RNN: 0.25 at 3 steps, 0.0625 at 5 steps."
    assert "Length of the sequence, in steps" in picture.svg


def test_names_of_lengths_keep_apart():
    lengths = (10, 300, 330, 1000)
    flows = {"RNN": {n: gradient_flow(known(), sequences((n,), scale=0), torch.sum) for n in lengths}}
    shown = re.findall(r">(\d+)</text>", gradient_reach(flows).svg)
    assert {"10", "300", "1000"} <= set(shown)
    assert "330" not in shown
