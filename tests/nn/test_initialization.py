"""How weights begin, by each of the published ways."""

import math

import numpy as np
import pytest
import torch

from recurra.errors import UsageError
from recurra.nn import LSTM, RNN, NetworkConfig, build, initialize
from recurra.nn.initialization import recurrent_weights


def network(cell, initialization, hidden_size=64, **words):
    return build(
        NetworkConfig(cell, 3, hidden_size, 2, num_layers=2), seed=0, initialization=initialization, **words
    )


def generator():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_default_is_orthogonal_gate_by_gate_with_forget_bias_one(cell, gates):
    layer = network(cell, "default").recurrent
    for gate in layer.weight_hh_l1.detach().chunk(gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(64), atol=1e-5, rtol=0)
    limit = math.sqrt(6 / (3 + 64))  # Glorot's
    assert 0.9 * limit < layer.weight_ih_l0.detach().abs().max() <= limit
    total = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().reshape(gates, 64)
    expected = torch.zeros(gates, 64)
    if cell == "lstm":
        expected[1] = 1
    assert torch.equal(total, expected)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_chrono_spreads_memories_up_to_the_longest(cell):
    """A gate held open by bias b keeps for about 1 / (1 - sigmoid(b)) = e^b + 1 steps."""
    layer = network(cell, "chrono", hidden_size=1000, max_length=200).recurrent
    blocks = layer.bias_ih_l0.detach().chunk(4 if cell == "lstm" else 3)
    spans = np.exp(blocks[1].numpy())
    assert 1 <= spans.min() < 3
    assert 195 < spans.max() <= 199
    assert abs(np.mean(spans) - 100) < 4
    if cell == "lstm":
        assert torch.equal(blocks[0], -blocks[1])
    assert not layer.bias_hh_l0.any()


def test_identity_keeps_a_state_as_it_is():
    layer = network("rnn_relu", "identity").recurrent
    assert torch.equal(layer.weight_hh_l0.detach(), torch.eye(64))
    assert 0.0008 < layer.weight_ih_l0.detach().std() < 0.0012
    h_0 = torch.rand(1, 2, 64)
    one = RNN(3, 64, nonlinearity="relu")
    initialize(one, generator(), initialization="identity")
    kept, _ = one(torch.zeros(50, 2, 3), h_0)
    torch.testing.assert_close(kept[-1], h_0[0])


def test_torch_is_torchs_own_distribution():
    net = network("lstm", "torch")
    for weight in net.recurrent.parameters():
        assert 0.9 / 8 < weight.detach().abs().max() <= 1 / 8
    assert net.head.weight.detach().abs().max() <= 1 / 8
    assert net.head.bias.detach().any()


def test_a_layer_alone_and_equal_seeds():
    one, other = LSTM(3, 5), LSTM(3, 5)
    for layer in (one, other):
        initialize(layer, generator(), initialization="chrono", max_length=50)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("cell", "words", "message"),
    [
        (
            "rnn",
            {"initialization": "chrono", "max_length": 9},
            r"'chrono' sets the gates .* RNN.* has none\. Use",
        ),
        ("lstm", {"initialization": "chrono"}, r"'chrono' needs max_length, .* got None"),
        (
            "lstm",
            {"initialization": "chrono", "max_length": 2},
            r"max_length must be a whole number of at least 3; got 2",
        ),
        ("rnn", {"initialization": "identity"}, r"'identity' is for the plain RNN with ReLU; got RNN_TANH"),
        ("gru", {"initialization": "crono"}, r"initialization must be one of .* Did you mean 'chrono'\?"),
    ],
)
def test_messages(cell, words, message):
    with pytest.raises(UsageError, match=message):
        build(NetworkConfig(cell, 3, 4, 2), seed=0, **words)


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (40, 40), (40, 12), (12, 40), (130, 130)])
def test_orthogonal_weights_are_torchs_and_the_thread_count_is_never_set(shape, monkeypatch):
    monkeypatch.setattr(
        torch, "set_num_threads", None
    )  # one number for the process: other threads would keep it
    found, expected = torch.empty(shape), torch.empty(shape)
    recurrent_weights([found], torch.Generator().manual_seed(3), identity=False)
    torch.nn.init.orthogonal_(expected, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=5e-6)
