"""Stacked layers against torch.nn, and step by step against the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

import oracles
import recurra.kernels
from recurra.errors import ShapeError, UsageError
from recurra.kernels.networks.stack import StackStep, stack_forward
from strategies import make_case, recurrent_case


@pytest.mark.parametrize("which", oracles.WHICH)
@settings(deadline=None, max_examples=30)
@given(case=recurrent_case(max_layers=3, directions=(False, True), max_size=9))
def test_stack_agrees_with_torch(case, which):
    weights = {"recurrent." + name: w for name, w in case.weights.items()}
    with recurra.kernels.use(which):
        output, h_n = stack_forward(
            case.x,
            lengths=case.lengths,
            cell=case.cell,
            weights=weights,
            num_layers=case.num_layers,
            bidirectional=case.bidirectional,
            prefix="recurrent.",
            h_0=case.h_0,
            c_0=case.c_0,
        )
    expected = oracles.torch_forward(case)
    assert_allclose(output, expected["output"], rtol=1e-7, atol=1e-9)
    assert_allclose(h_n, expected["h_n"], rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("proj_size", [0, 2])
def test_stack_step_equals_the_whole(cell, proj_size):
    if proj_size and cell != "lstm":
        pytest.skip("only the LSTM has a projection")
    case = make_case(
        cell, batch_lengths=[6, 6], input_size=3, hidden_size=5, num_layers=2, proj_size=proj_size
    )
    whole, h_n = stack_forward(case.x, lengths=case.lengths, cell=cell, weights=case.weights, num_layers=2)
    stack = StackStep(cell, case.weights, num_layers=2, batch=2)
    for _ in range(2):
        stack.reset()
        for t in range(6):
            h = stack.step(case.x.reshape(2, 6, 3)[:, t])
            assert_allclose(h, whole.reshape(2, 6, -1)[:, t], rtol=1e-9)
        assert_allclose(stack.h, h_n, rtol=1e-9)


def test_messages():
    case = make_case("gru", batch_lengths=[1], input_size=1, hidden_size=1, bidirectional=True)
    with pytest.raises(UsageError, match="a bidirectional network needs the end of a sequence"):
        StackStep("gru", case.weights)
    with pytest.raises(ShapeError, match=r"the array 'weight_ih_l1' is missing"):
        stack_forward(case.x, lengths=[1], cell="gru", weights=case.weights, num_layers=2)
    with pytest.raises(UsageError, match=r"cell must be one of .* Did you mean 'gru'"):
        stack_forward(case.x, lengths=[1], cell="gruu", weights=case.weights)
    assert np.isfinite(case.x).all()
