r"""LSTM and GRU with something more: equations and numpy reference; what there is stands in `recurra.kernels.cell`.

With :math:`\hat a` for a vector less its mean, over its standard deviation, layer normalization [1]_ is

.. math::
    a &= \gamma_{ih} \odot \widehat{W x_t} + b_{ih} + \gamma_{hh} \odot \widehat{U h_{t-1}} + b_{hh} \\
    h_t &= o \odot \tanh(\gamma_c \odot \hat c_t + b_c) \text{ in the LSTM}

over all four gates of an LSTM together, over r and z of a GRU together and over its n alone, as published; the biases of
the gates are the biases of the normalizations. The others are

.. math::
    a_{i,f} &\mathrel{+}= p_{i,f} \odot c_{t-1}, \quad a_o \mathrel{+}= p_o \odot c_t \text{ (peepholes [2]_)} \\
    n &= \tanh(W_n x_t + b_n + U_n (r \odot h_{t-1})) \text{ (GRU, reset before the product [3]_)} \\
    \sigma(x) &= \min(1, \max(0, s x + 1/2)) \text{ (hard sigmoid, s = 1/6 or 0.2)} \\
    h_t &= d \odot h_{t-1} + (1 - d) \odot \tilde h_t, \text{ and } c_t \text{ likewise (zoneout [4]_)}

where d is drawn while training, and is its expectation otherwise.

References
----------
.. [1] Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450, appendix.
.. [2] Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent networks", JMLR 3, 2002.
.. [3] Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078 v3.
.. [4] Krueger et al., "Zoneout: Regularizing RNNs by randomly preserving hidden activations", 2017, arXiv:1606.01305.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.kernels.cell import EPSILON, SLOPES, Variant
from recurra.kernels.step_order import Steps, sigmoid, state_or_zeros


def _activation(variant: Variant, x: np.ndarray) -> np.ndarray:
    slope = SLOPES[variant.recurrent_activation]
    return np.clip(x.dtype.type(slope) * x + x.dtype.type(0.5), 0, 1) if slope else sigmoid(x)


def _normalized(a: np.ndarray) -> np.ndarray:
    return (a - a.mean(axis=1, keepdims=True)) / np.sqrt(a.var(axis=1, keepdims=True) + a.dtype.type(EPSILON))


def _biases(weights: Mapping[str, Any]) -> tuple[Any, Any]:
    return tuple(0 if weights.get(name) is None else weights[name] for name in ("bias_ih", "bias_hh"))  # type: ignore[return-value]


def _lstm(
    variant: Variant, a: np.ndarray, h: np.ndarray, c: np.ndarray, weights: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gates after activation, and the new states, from the product of the input with its weights."""
    u = h @ weights["weight_hh"].T
    if variant.layer_norm:
        a, u = weights["gain_ih"] * _normalized(a), weights["gain_hh"] * _normalized(u)
    i, f, g, o = np.split(a + u + sum(_biases(weights)), 4, axis=1)
    if variant.peepholes:
        p_i, p_f, p_o = np.split(weights["peephole"], 3)
        i, f = i + p_i * c, f + p_f * c
    i, f, g = _activation(variant, i), _activation(variant, f), np.tanh(g)
    c_new = f * c + i * g
    o = _activation(variant, o + p_o * c_new if variant.peepholes else o)
    inside = c_new
    if variant.layer_norm:
        inside = weights["gain_c"] * _normalized(c_new) + weights["bias_c"]
    h_new = o * np.tanh(inside)
    if weights.get("weight_hr") is not None:
        h_new = h_new @ weights["weight_hr"].T
    z_h, z_c = (c.dtype.type(z) for z in variant.zoneout)
    return np.concatenate([i, f, g, o], axis=1), h_new + z_h * (h - h_new), c_new + z_c * (c - c_new)


def _gru(
    variant: Variant, a: np.ndarray, h: np.ndarray, weights: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return gates after activation, and the new state, from the product of the input with its weights."""
    two = 2 * h.shape[1]
    b_ih, b_hh = (np.broadcast_to(b, a.shape[1]) for b in _biases(weights))
    u = h @ weights["weight_hh"][:two].T
    q = None if variant.reset == "before" else h @ weights["weight_hh"][two:].T
    a_g, a_n = a[:, :two], a[:, two:]
    if variant.layer_norm:
        gain_ih, gain_hh = weights["gain_ih"], weights["gain_hh"]
        a_g, a_n = gain_ih[:two] * _normalized(a_g), gain_ih[two:] * _normalized(a_n)
        u, q = gain_hh[:two] * _normalized(u), gain_hh[two:] * _normalized(q)  # type: ignore[arg-type]
    gates = _activation(variant, a_g + u + b_ih[:two] + b_hh[:two])
    r, z = np.split(gates, 2, axis=1)
    if q is None:
        n = np.tanh(a_n + b_ih[two:] + b_hh[two:] + (r * h) @ weights["weight_hh"][two:].T)
    else:
        n = np.tanh(a_n + b_ih[two:] + r * (q + b_hh[two:]))
    h_new = (1 - z) * n + z * h
    return np.concatenate([gates, n], axis=1), h_new + h.dtype.type(variant.zoneout[0]) * (h - h_new)


def variant_step(
    variant: Variant, x: np.ndarray, states: tuple[np.ndarray, ...], weights: Mapping[str, Any]
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the gates after activation, (batch, gates * hidden_size), and the states after one step.

    Parameters
    ----------
    variant : Variant
    x : array of shape (batch, input_size)
    states : (h, c) of an LSTM, (h,) of a GRU
        Before the step; not changed.
    weights : mapping of str to array
        By their kernel names, checked by the caller.
    """
    return _from_product(variant, x @ weights["weight_ih"].T, states, weights)


def _from_product(
    variant: Variant, a: np.ndarray, states: tuple[np.ndarray, ...], weights: Mapping[str, Any]
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    if variant.base == "lstm":
        h, c = states
        gates, *after = _lstm(variant, a, h, c, weights)
    else:
        gates, *after = _gru(variant, a, states[0], weights)
    return gates, tuple(after)


def variant_forward(
    variant: Variant,
    x: np.ndarray,
    *,
    lengths: np.ndarray,
    weights: Mapping[str, Any],
    states: Mapping[str, Any],
    reverse: bool = False,
) -> tuple[np.ndarray, ...]:
    """Run every sequence to its own end, as `recurra.kernels.cells.lstm.lstm_forward` does, with numpy.

    Parameters
    ----------
    variant : Variant
    x : array of shape (total_steps, input_size)
    lengths : int64 array of shape (batch,)
    weights : mapping of str to array
        By their kernel names, checked by the caller.
    states : mapping of str to array
        ``h_0`` and, for the LSTM, ``c_0``; zeros where there is none.
    reverse : bool, default=False

    Returns
    -------
    output, h_n and, for the LSTM, c_n
        As of the plain cells.
    """
    steps = Steps(lengths, reverse=reverse)
    hidden_size = weights["weight_ih"].shape[0] // variant.cell.blocks
    sizes = [weights["weight_hh"].shape[1], hidden_size][: len(variant.cell.states)]
    running = [
        steps.sort(state_or_zeros(states.get(name), len(lengths), size, x.dtype))
        for name, size in zip(("h_0", "c_0"), sizes, strict=False)
    ]
    product = x @ weights["weight_ih"].T
    output = np.empty((len(x), sizes[0]), x.dtype)
    for rows in steps:
        count = len(rows)
        _, after = _from_product(variant, product[rows], tuple(s[:count] for s in running), weights)
        for state, new in zip(running, after, strict=True):
            state[:count] = new
        output[rows] = running[0][:count]
    return output, *(steps.unsort(state) for state in running)
