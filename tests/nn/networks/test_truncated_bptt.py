import numpy as np
import pytest
import torch

from recurra.nn import GRU, LSTM
from recurra.nn.networks import truncated_bptt
from recurra.nn.networks.truncated_bptt import in_pieces
from recurra.ragged import Ragged


@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_numbers_of_the_whole_and_a_gradient_that_is_cut(kind):
    torch.manual_seed(0)
    layer = kind(3, 4)
    lengths = np.array([7, 1, 12, 5])
    values = torch.randn(int(lengths.sum()), 3, requires_grad=True)
    ragged = Ragged(values, lengths)
    whole, states = layer(ragged)
    output, last = in_pieces(layer, ragged, 5)
    torch.testing.assert_close(output.values, whole.values)
    for a, b in zip(last, states, strict=True):
        torch.testing.assert_close(a, b)
    # The last row of the third sequence is in its third piece, rows 10 and 11.
    third = slice(8, 20)
    output.values[19].sum().backward()
    reached = values.grad[third].abs().sum(dim=1) > 0
    assert reached.tolist() == [False] * 10 + [True] * 2
    assert not values.grad[:8].any()


def test_one_piece_is_the_whole():
    torch.manual_seed(0)
    layer = GRU(2, 3)
    ragged = Ragged(torch.randn(9, 2, requires_grad=True), np.array([4, 5]))
    grads = []
    for call in (lambda: layer(ragged), lambda: in_pieces(layer, ragged, 5)):
        ragged.values.grad = None
        call()[0].values.square().sum().backward()
        grads.append(ragged.values.grad.clone())
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("kind", [GRU, LSTM])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_pieces_computed_again_have_the_same_bits(kind, num_layers, monkeypatch):
    torch.manual_seed(0)
    layer = kind(3, 8, num_layers=num_layers)
    lengths = np.array([7, 1, 12, 5])
    values = torch.randn(int(lengths.sum()), 3)
    found, calls = [], []
    layer.register_forward_hook(lambda *_: calls.append(1))
    for most in (1 << 28, 0):
        monkeypatch.setattr(truncated_bptt, "_MOST_KEPT", most)
        own = values.clone().requires_grad_()
        layer.zero_grad()
        output, _ = in_pieces(layer, Ragged(own, lengths), 5)
        (output.values.square().sum()).backward()
        gradients = [p.grad.clone() for p in layer.parameters()]
        found.append([output.values.detach(), own.grad, *gradients])
    assert len(calls) == 3 + 6
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
