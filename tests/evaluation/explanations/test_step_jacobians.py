"""Step Jacobians against autograd through torch's own cells."""

import numpy as np
import pytest
import torch

from recurra.evaluation.explanations.step_jacobians import radius_and_norm, step_jacobian
from recurra.kernels.networks.activations import stack_inside
from strategies import make_case

CELLS = {
    "rnn": (torch.nn.RNNCell, {}),
    "rnn_relu": (torch.nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTMCell, {}),
    "gru": (torch.nn.GRUCell, {}),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
def test_jacobian_agrees_with_autograd(cell, reverse):
    case = make_case(cell, batch_lengths=[4, 6], input_size=3, hidden_size=5, bidirectional=True)
    inside = stack_inside(case.x, lengths=case.lengths, cell=cell, weights=case.weights, bidirectional=True)
    direction = inside[0][int(reverse)]
    kind, options = CELLS[cell]
    module = kind(3, 5, dtype=torch.float64, **options)
    end = "_l0_reverse" if reverse else "_l0"
    module.load_state_dict(
        {w: torch.from_numpy(case.weights[w + end]) for w in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    for row in (1, 7):
        before = [direction.saved.h_prev[row]] + ([direction.saved.c_prev[row]] if cell == "lstm" else [])
        state = torch.from_numpy(np.concatenate(before))

        def step(state, row=row):
            x = torch.from_numpy(case.x[row])[None]
            if cell != "lstm":
                return module(x, state[None])[0]
            return torch.cat(module(x, (state[None, :5], state[None, 5:])), dim=1)[0]

        expected = torch.autograd.functional.jacobian(step, state)
        np.testing.assert_allclose(step_jacobian(direction, row), expected.numpy(), rtol=1e-7, atol=1e-10)


def test_radius_and_norm():
    radius, norm = radius_and_norm(np.array([[0.5, 3.0], [0.0, -0.8]]))
    assert radius == pytest.approx(0.8)
    assert norm == pytest.approx(np.linalg.norm([[0.5, 3.0], [0.0, -0.8]], 2))
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])  # a rotation: eigenvalues i and -i
    assert radius_and_norm(turned)[0] == pytest.approx(1)
