"""What the kernels keep inside: the same numbers as without keeping, and autograd's gradients by every state."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import oracles
from recurra.kernels.cell import VARIANTS
from recurra.kernels.networks.activations import stack_hidden_gradients, stack_inside
from recurra.kernels.networks.stack import stack_forward
from strategies import make_case

CELLS = ("rnn", "rnn_relu", "lstm", "gru")


def case_of(cell, bidirectional=True, dtype=np.float32):
    return make_case(
        cell,
        batch_lengths=[5, 0, 9, 1],
        input_size=3,
        hidden_size=6,
        num_layers=2,
        bidirectional=bidirectional,
        dtype=dtype,
    )


def words(case):
    return {
        "lengths": case.lengths,
        "cell": case.cell,
        "weights": case.weights,
        "num_layers": case.num_layers,
        "bidirectional": case.bidirectional,
    }


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_are_those_of_prediction_bit_for_bit(cell, bidirectional):
    case = case_of(cell, bidirectional)
    layers = stack_inside(case.x, **words(case))
    output, h_n = stack_forward(case.x, **words(case))
    traced = np.concatenate([d.output for d in layers[-1]], axis=1).astype(np.float32)
    assert_array_equal(traced, output)
    assert_array_equal(np.stack([d.h_n for layer in layers for d in layer]).astype(np.float32), h_n)


@pytest.mark.usefixtures("kernels")
def test_gates_make_the_states():
    case = case_of("lstm", dtype=np.float64)
    for directions in stack_inside(case.x, **words(case)):
        for d in directions:
            gates = d.gates()
            assert list(gates) == ["i", "f", "g", "o"]
            c = gates["f"] * d.saved.c_prev + gates["i"] * gates["g"]
            assert_allclose(d.saved.c, c, rtol=1e-9)
            assert_allclose(d.output, gates["o"] * np.tanh(c), rtol=1e-9)


@pytest.mark.parametrize("cell", ["lstm_norm", "lstm_peephole"])
def test_gates_of_a_variant_make_its_cell_states_before_and_after_backward(cell):
    pytest.importorskip("recurra.kernels._native")
    case = case_of("lstm", bidirectional=False, dtype=np.float64)
    rng = np.random.default_rng(0)
    sizes = VARIANTS[cell].extras(6).items()
    extras = {f"{word}_l{layer}": rng.normal(size=size) for layer in range(2) for word, size in sizes}
    given = words(case) | {"cell": cell, "weights": case.weights | extras}
    for (d,) in stack_inside(case.x, **given):
        before = d.gates()
        assert_allclose(d.saved.c, before["f"] * d.saved.c_prev + before["i"] * before["g"], rtol=1e-9)
        d.backward(np.ones_like(d.output))
        for name, gate in d.gates().items():
            assert_array_equal(gate, before[name])


@pytest.mark.usefixtures("kernels")
def test_last_rows_hold_the_final_states():
    case = case_of("gru")
    for directions in stack_inside(case.x, **words(case)):
        for d in directions:
            assert_array_equal(d.output[d.last_rows()], d.h_n[d.lengths > 0])


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_by_every_state_agree_with_autograd(cell):
    """The oracle adds a zero to every state, one layer after the other, and asks torch for its derivative."""
    case = case_of(cell, dtype=np.float64)
    rng = np.random.default_rng(0)
    grad_output = rng.normal(size=(len(case.x), 12))
    grad_h_n = rng.normal(size=(2, len(case.lengths), 6))
    found = stack_hidden_gradients(
        stack_inside(case.x, **words(case)), grad_output=grad_output, grad_h_n=grad_h_n
    )
    expected = hidden_by_autograd(case, grad_output, grad_h_n)
    for layer, layer_expected in zip(found, expected, strict=True):
        for mine, theirs in zip(layer, layer_expected, strict=True):
            assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def hidden_by_autograd(case, grad_output, grad_h_n):
    """d loss / d h_t from torch's own cells, stepped one sequence at a time, with every state kept as a leaf."""
    x = torch.from_numpy(case.x)
    ends = np.cumsum(case.lengths)
    rows = [range(end - n, end) for end, n in zip(ends, case.lengths, strict=True)]
    below, states = x, []
    for layer in range(case.num_layers):
        outputs = []
        for suffix in ["", "_reverse"][: 1 + case.bidirectional]:
            cell = torch_cell(case, f"l{layer}{suffix}")
            by_row = {}
            for order in rows:
                h = (torch.zeros(1, 6, dtype=torch.float64),) * (2 if case.cell == "lstm" else 1)
                for row in reversed(order) if suffix else order:
                    h = cell(below[row : row + 1], h if case.cell == "lstm" else h[0])
                    h = h if isinstance(h, tuple) else (h,)
                    h[0].retain_grad()
                    by_row[row] = h[0]
            outputs.append(by_row)
        states.append(outputs)
        below = torch.cat([torch.cat([o[row] for row in range(len(x))]) for o in outputs], dim=1)
    loss = (below * torch.from_numpy(grad_output)).sum()
    for place, by_row in enumerate(states[-1]):
        for b, order in enumerate(rows):
            if len(order):
                last = order[0] if place else order[-1]
                loss = loss + (by_row[last][0] * torch.from_numpy(grad_h_n[place, b])).sum()
    loss.backward()
    return [
        [np.concatenate([by_row[row].grad.numpy() for row in range(len(x))]) for by_row in outputs]
        for outputs in states
    ]


def torch_cell(case, name):
    kinds = {
        "lstm": torch.nn.LSTMCell,
        "gru": torch.nn.GRUCell,
        "rnn": torch.nn.RNNCell,
        "rnn_relu": torch.nn.RNNCell,
    }
    options = {"nonlinearity": "relu"} if case.cell == "rnn_relu" else {}
    weights = {
        word: torch.from_numpy(case.weights[f"{word}_{name}"].copy())
        for word in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        if f"{word}_{name}" in case.weights
    }
    bias = "bias_ih" in weights
    cell = kinds[case.cell](weights["weight_ih"].shape[1], 6, bias=bias, dtype=torch.float64, **options)
    cell.load_state_dict(weights)
    return cell


@pytest.mark.parametrize("which", oracles.WHICH)
def test_the_layer_of_recurra_nn_gives_the_same_states(which):
    """Bit for bit on the native path; the references of torch and numpy sum in another order."""
    import recurra.kernels
    from recurra.nn import LSTM

    case = case_of("lstm")
    layer = LSTM(3, 6, num_layers=2, bidirectional=True, bias="bias_ih_l0" in case.weights)
    layer.load_state_dict({name: torch.from_numpy(w) for name, w in case.weights.items()})
    from recurra.ragged import Ragged

    with recurra.kernels.use(which), torch.no_grad():
        output, _ = layer(Ragged(torch.from_numpy(case.x), case.lengths))
        layers = stack_inside(case.x, **words(case))
    traced = np.concatenate([d.output for d in layers[-1]], axis=1)
    if which == "native":
        assert_array_equal(traced, output.values.numpy())
    else:
        assert_allclose(traced, output.values.numpy(), rtol=1e-5, atol=1e-6)
