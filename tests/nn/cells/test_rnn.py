"""The plain recurrent network's equation, step by step, in numpy."""

import numpy as np
import pytest
import torch

from recurra.nn import RNN


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_one_step_is_the_published_equation(nonlinearity):
    torch.manual_seed(0)
    layer = RNN(3, 9, nonlinearity=nonlinearity).double()
    w = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}
    x, h = torch.randn(1, 1, 3, dtype=torch.float64), torch.randn(1, 1, 9, dtype=torch.float64)
    total = (
        w["weight_ih_l0"] @ x[0, 0].numpy()
        + w["bias_ih_l0"]
        + w["weight_hh_l0"] @ h[0, 0].numpy()
        + w["bias_hh_l0"]
    )
    output, h_n = layer(x, h)
    expected = np.tanh(total) if nonlinearity == "tanh" else np.maximum(total, 0)
    assert (total < 0).any()
    np.testing.assert_allclose(output.detach()[0, 0], expected, rtol=1e-12)
    assert torch.equal(output[0], h_n[0])
