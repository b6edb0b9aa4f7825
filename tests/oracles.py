"""torch.nn as the third party: each sequence of a case run alone, with every gradient by autograd."""

import warnings

import numpy as np
import pytest
import torch

import recurra.kernels
from strategies import RecurrentCase

NATIVE = recurra.kernels.describe()["native"]
needs_native = pytest.mark.skipif(not NATIVE, reason="the compiled extension is not there")
# Both versions of the kernels; the native one is skipped where there is none.
WHICH = ("reference", pytest.param("native", marks=needs_native))

# torch.testing's own defaults
TOLERANCE = {
    np.dtype(np.float64): {"rtol": 1e-7, "atol": 1e-7},
    np.dtype(np.float32): {"rtol": 1.3e-6, "atol": 1e-5},
}


def torch_layer(case: RecurrentCase) -> torch.nn.RNNBase:
    """Return torch's layer with the weights of the case."""
    options = {
        "num_layers": case.num_layers,
        "bidirectional": case.bidirectional,
        "bias": "bias_ih_l0" in case.weights,
        "dtype": torch.from_numpy(case.x).dtype,
    }
    sizes = (case.x.shape[1], case.hidden_size)
    if case.cell == "lstm":
        layer: torch.nn.RNNBase = torch.nn.LSTM(*sizes, proj_size=case.proj_size, **options)
    elif case.cell == "gru":
        layer = torch.nn.GRU(*sizes, **options)
    else:
        layer = torch.nn.RNN(*sizes, nonlinearity="relu" if case.cell == "rnn_relu" else "tanh", **options)
    layer.load_state_dict({name: torch.from_numpy(w) for name, w in case.weights.items()})
    return layer


def torch_forward(case: RecurrentCase) -> dict[str, np.ndarray]:
    """Return output (total_steps, .), h_n and, for the LSTM, c_n of torch's layer."""
    return torch_gradients(case, cotangents=None)[0]


def torch_gradients(
    case: RecurrentCase, cotangents: dict[str, np.ndarray] | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the values, and the gradients of sum(value * cotangent) by x, h_0, c_0 and every weight."""
    with warnings.catch_warnings():
        # torch says that it is slow with a projection
        warnings.simplefilter("ignore", UserWarning)
        return _torch_gradients(case, cotangents)


def _torch_gradients(
    case: RecurrentCase, cotangents: dict[str, np.ndarray] | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    layer = torch_layer(case)
    x, h_0 = torch.from_numpy(case.x).requires_grad_(), torch.from_numpy(case.h_0).requires_grad_()
    c_0 = None if case.c_0 is None else torch.from_numpy(case.c_0).requires_grad_()
    outputs, h_n, c_n = [], [], []
    for b, part in enumerate(torch.split(x, case.lengths.tolist())):
        h, c = h_0[:, b : b + 1], None if c_0 is None else c_0[:, b : b + 1]
        if len(part):
            out, state = layer(part[:, None], h if c is None else (h, c))
            outputs.append(out[:, 0])
            h, c = (state, None) if c is None else state
        h_n.append(h)
        c_n.append(c)
    size = (case.proj_size or case.hidden_size) * case.directions
    values = {"output": torch.cat([x.new_zeros(0, size), *outputs]), "h_n": torch.cat(h_n, 1)}
    if c_0 is not None:
        values["c_n"] = torch.cat(c_n, 1)
    plain = {name: v.detach().numpy() for name, v in values.items()}
    if cotangents is None:
        return plain, {}
    loss = sum((values[name] * torch.from_numpy(cotangents[name])).sum() for name in values)
    named = {"x": x, "h_0": h_0, **({} if c_0 is None else {"c_0": c_0}), **dict(layer.named_parameters())}
    grads = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return plain, {
        name: np.zeros(value.shape) if g is None else g.numpy()
        for (name, value), g in zip(named.items(), grads, strict=True)
    }
