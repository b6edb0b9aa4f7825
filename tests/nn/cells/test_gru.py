"""The GRU's equations, step by step, in numpy and with torch's gate order."""

import numpy as np
import torch

from recurra.nn import GRU


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_one_step_is_the_published_equations():
    torch.manual_seed(0)
    layer = GRU(3, 4).double()
    w = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}
    x, h = torch.randn(1, 1, 3, dtype=torch.float64), torch.randn(1, 1, 4, dtype=torch.float64)
    i_r, i_z, i_n = np.split(w["weight_ih_l0"] @ x[0, 0].numpy() + w["bias_ih_l0"], 3)
    h_r, h_z, h_n = np.split(w["weight_hh_l0"] @ h[0, 0].numpy() + w["bias_hh_l0"], 3)
    z = sigmoid(i_z + h_z)
    n = np.tanh(i_n + sigmoid(i_r + h_r) * h_n)
    output, final = layer(x, h)
    np.testing.assert_allclose(output.detach()[0, 0], (1 - z) * n + z * h[0, 0].numpy(), rtol=1e-12)
    assert torch.equal(output[0], final[0])
