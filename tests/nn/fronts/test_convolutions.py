"""Convolutions over ragged rows: torch's own on each sequence alone, and the numpy twin that predicts and streams."""

import numpy as np
import pytest
import torch

from recurra.errors import UsageError
from recurra.kernels.fronts.front import FRONTS
from recurra.kernels.fronts.step_by_step import RunningFront
from recurra.nn.fronts.front import make_front
from recurra.ragged import Ragged

LAYERS = [
    {"filters": 5, "kernel": 8, "dilation": 1},
    {"filters": 4, "kernel": 5, "dilation": 3},
    {"filters": 6, "kernel": 1, "dilation": 2},
]
LENGTHS = [7, 1, 30, 2, 18]


def made(causal, seed=0):
    """A front with statistics of its own, its description, and weights as numpy arrays."""
    description = {"name": "convolutions", "layers": LAYERS, "causal": causal}
    front = make_front(description, 3)
    generator = torch.Generator().manual_seed(seed)
    front.initialize(generator)
    for norm in front.norms:
        for name, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -1.0), ("running_var", 0.3)):
            getattr(norm, name).data.uniform_(low, low + 1, generator=generator)
    for bias in front.biases:
        bias.data.uniform_(-0.5, 0.5, generator=generator)
    return front, description, {n: w.detach().numpy() for n, w in front.state_dict().items()}


def batch(seed=0, lengths=LENGTHS):
    rng = np.random.default_rng(seed)
    return Ragged.from_list([rng.normal(size=(n, 3)).astype(np.float32) for n in lengths])


def alone(front, sequence):
    """Each sequence by torch's own layers, padded by hand."""
    x = torch.from_numpy(sequence).T[None]
    for weight, bias, norm, dilation in zip(
        front.weights, front.biases, front.norms, front.dilations, strict=True
    ):
        span = (weight.shape[2] - 1) * dilation
        before = span if front.causal else span // 2
        x = torch.nn.functional.pad(x, (before, span - before))
        x = torch.nn.functional.conv1d(x, weight, bias, dilation=dilation)
        x = torch.nn.functional.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias
        ).relu()
    return x[0].T


@pytest.mark.parametrize("causal", [False, True])
def test_each_sequence_is_convolved_as_if_alone(causal):
    front, _, _ = made(causal)
    front.eval()
    data = batch()
    found = front(data.replace(torch.from_numpy(data.values))).values
    for got, sequence in zip(
        found.split(LENGTHS), np.split(data.values, np.cumsum(LENGTHS)[:-1]), strict=True
    ):
        torch.testing.assert_close(got, alone(front, sequence))


@pytest.mark.parametrize("causal", [False, True])
def test_numpy_computes_what_torch_does(causal):
    front, description, weights = made(causal)
    front.eval()
    data = batch()
    ours = FRONTS["convolutions"].forward(description, weights, data)
    theirs = front(data.replace(torch.from_numpy(data.values))).values
    np.testing.assert_allclose(ours.values, theirs.detach().numpy(), rtol=2e-5, atol=2e-5)
    shapes = FRONTS["convolutions"].shapes(description, 3)
    assert {n: w.shape for n, w in weights.items()} == shapes


def test_statistics_are_of_valid_steps_only():
    front, _, _ = made(False)
    front.train()
    data = batch()
    values = torch.from_numpy(data.values)
    front(data.replace(values))
    # The first layer without its normalization, on each sequence alone.
    first = torch.cat(
        [
            torch.nn.functional.conv1d(
                torch.nn.functional.pad(part.T[None], (3, 4)), front.weights[0], front.biases[0]
            )[0].T
            for part in values.split(LENGTHS)
        ]
    )
    again, _, _ = made(False)
    expected = 0.9 * again.norms[0].running_mean + 0.1 * first.mean(dim=0)
    torch.testing.assert_close(front.norms[0].running_mean, expected)
    expected = 0.9 * again.norms[0].running_var + 0.1 * first.var(dim=0)
    torch.testing.assert_close(front.norms[0].running_var, expected)


def test_a_single_row_can_be_trained_on():
    front, _, _ = made(False)
    front.train()
    out = front(Ragged(torch.ones(1, 3), [1])).values
    assert torch.isfinite(out).all()
    out.sum().backward()


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_do_not_cross_sequences(causal):
    front, _, _ = made(causal)
    front.eval()
    values = torch.from_numpy(batch().values).requires_grad_()
    out = front(Ragged(values, LENGTHS)).values
    out[8:38].sum().backward()  # the third sequence
    assert values.grad[8:38].any()
    assert not values.grad[:8].any()
    assert not values.grad[38:].any()


@pytest.mark.parametrize("causal", [False, True])
def test_batch_mates_and_order_move_no_bit(causal):
    _, description, weights = made(causal)
    data = batch()
    whole = np.split(
        FRONTS["convolutions"].forward(description, weights, data).values, np.cumsum(LENGTHS)[:-1]
    )
    parts = np.split(data.values, np.cumsum(LENGTHS)[:-1])
    for k in (0, 1, 2, 3, 4):
        single = FRONTS["convolutions"].forward(description, weights, Ragged.from_list([parts[k]]))
        np.testing.assert_array_equal(single.values, whole[k])
    turned = FRONTS["convolutions"].forward(description, weights, Ragged.from_list(parts[::-1])).values
    np.testing.assert_array_equal(turned, np.concatenate(whole[::-1]))


def test_portions_of_rows_move_no_bit(monkeypatch):
    _, description, weights = made(False)
    whole = FRONTS["convolutions"].forward(description, weights, batch()).values
    monkeypatch.setattr("recurra.kernels.fronts.convolutions.ROWS_AT_ONCE", 5)
    np.testing.assert_array_equal(FRONTS["convolutions"].forward(description, weights, batch()).values, whole)


def test_step_by_step_equals_the_whole():
    _, description, weights = made(True)
    data = batch(lengths=[25, 25])
    whole = FRONTS["convolutions"].forward(description, weights, data).values.reshape(2, 25, 6)
    running = FRONTS["convolutions"].running(description, weights, 2)
    assert isinstance(running, RunningFront)
    rows = data.values.reshape(2, 25, 3)
    for _ in range(2):
        for t in range(25):
            np.testing.assert_array_equal(running.step(rows[:, t]), whole[:, t])
        running.reset()


def test_one_that_looks_ahead_is_not_fed_step_by_step():
    _, description, weights = made(False)
    with pytest.raises(ValueError, match="look ahead"):
        FRONTS["convolutions"].running(description, weights, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": []}, "layers must be a list of at least one layer"),
        ({"causal": None}, "causal"),
        ({"layers": [{"filters": 0, "kernel": 3, "dilation": 1}]}, "filters must be"),
        ({"layers": [{"filters": 2, "kernel": 3}]}, "dilation must be"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change, words):
    description = {"name": "convolutions", "layers": LAYERS, "causal": False, **change}
    with pytest.raises(UsageError, match=words):
        make_front(description, 3)
    with pytest.raises((ValueError, KeyError)):
        FRONTS["convolutions"].shapes(description, 3)
