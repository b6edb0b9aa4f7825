"""The LSTM's equations, step by step, in numpy and with torch's gate order."""

import numpy as np
import torch

from recurra.nn import LSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_one_step_is_the_published_equations():
    torch.manual_seed(0)
    layer = LSTM(3, 4, proj_size=2).double()
    w = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}
    x, h, c = (torch.randn(1, 1, size, dtype=torch.float64) for size in (3, 2, 4))
    gates = (
        w["weight_ih_l0"] @ x[0, 0].numpy()
        + w["bias_ih_l0"]
        + w["weight_hh_l0"] @ h[0, 0].numpy()
        + w["bias_hh_l0"]
    )
    i, f, g, o = np.split(gates, 4)
    c_1 = sigmoid(f) * c[0, 0].numpy() + sigmoid(i) * np.tanh(g)
    h_1 = w["weight_hr_l0"] @ (sigmoid(o) * np.tanh(c_1))
    output, (h_n, c_n) = layer(x, (h, c))
    np.testing.assert_allclose(c_n.detach()[0, 0], c_1, rtol=1e-12)
    np.testing.assert_allclose(h_n.detach()[0, 0], h_1, rtol=1e-12)
    assert torch.equal(output[0], h_n[0])


def test_states_of_ragged_sequences_with_projection_have_their_own_sizes():
    layer = LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2, batch_first=True)
    output, (h_n, c_n) = layer(torch.randn(5, 7, 3), lengths=[7, 0, 1, 3, 3])
    assert output.shape == (5, 7, 4)
    assert h_n.shape == (4, 5, 2)
    assert c_n.shape == (4, 5, 4)
    assert (c_n[:, 1] == 0).all()
