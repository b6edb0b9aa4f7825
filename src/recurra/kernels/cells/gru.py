r"""Gated recurrent unit: equations and numpy reference.

.. math::
    r, z &= \sigma(W x_t + b_{ih} + U h_{t-1} + b_{hh}) \\
    q &= U_n h_{t-1} + b_{hn} \\
    n &= \tanh(W_n x_t + b_{in} + r \odot q) \\
    h_t &= (1 - z) \odot n + z \odot h_{t-1}

The reset gate acts after the matrix product (arXiv:1406.1078 v1, as cuDNN and torch do), not before it (v3).
The three gates lie in torch's order r, z, n along the rows of ``weight_ih`` and ``weight_hh``.

Legend: B batch, T time, I input, H hidden, G three gates. Flat rows are sequence after sequence.

References
----------
.. [1] Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078.
"""

import dataclasses
from typing import Any

import numpy as np

from recurra.kernels import native_calls
from recurra.kernels.step_order import Steps, as_lengths, check_shapes, sigmoid, state_or_zeros


@dataclasses.dataclass(frozen=True)
class GRUSaved:
    """What the backward pass needs, and what a look inside shows.

    Attributes
    ----------
    gates : array of shape (total_steps, 3 * hidden_size)
        r, z, n after activation.
    q : array of shape (total_steps, hidden_size)
        Recurrent part of the candidate before the reset gate.
    h_prev : array of shape (total_steps, hidden_size)
        State before each step.
    """

    x: np.ndarray
    lengths: np.ndarray
    weights: dict[str, Any]
    gates: np.ndarray
    q: np.ndarray
    h_prev: np.ndarray
    steps: Steps


def _check(who: str, x: Any, batch: int, weights: dict[str, Any], states: dict[str, Any]) -> None:
    hidden_size, input_size = weights["weight_hh"].shape[-1], weights["weight_ih"].shape[-1]
    check_shapes(
        who,
        weight_hh=(weights["weight_hh"], (3 * hidden_size, hidden_size)),
        weight_ih=(weights["weight_ih"], (3 * hidden_size, input_size)),
        x=(x, (x.shape[0], input_size)),
        bias_ih=(weights["bias_ih"], (3 * hidden_size,)),
        bias_hh=(weights["bias_hh"], (3 * hidden_size,)),
        **{name: (state, (batch, hidden_size)) for name, state in states.items()},
    )


def _add(product: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    return product if bias is None else product + bias


def _cell(a: np.ndarray, u: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gates (B, 3H), q (B, H) and the new state (B, H) from the input part a and recurrent part u."""
    hidden_size = h.shape[-1]
    two = 2 * hidden_size
    gates = np.empty_like(a)
    gates[:, :two] = sigmoid(a[:, :two] + u[:, :two])
    q = u[:, two:]
    gates[:, two:] = np.tanh(a[:, two:] + gates[:, :hidden_size] * q)
    z, n = gates[:, hidden_size:two], gates[:, two:]
    return gates, q, (1 - z) * n + z * h


def gru_forward(
    x: np.ndarray,
    *,
    lengths: Any,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    h_0: np.ndarray | None = None,
    reverse: bool = False,
    save: bool = False,
) -> tuple[np.ndarray, np.ndarray, GRUSaved | native_calls.NativeSaved | None]:
    """Run every sequence to its own end.

    Parameters
    ----------
    x : array of shape (total_steps, input_size)
        Sequence after sequence; float32 or float64 decides the arithmetic.
    lengths : int array of shape (batch,)
        Steps of each sequence, each at least 0.
    weight_ih, weight_hh : array of shape (3 * hidden_size, input_size) and (3 * hidden_size, hidden_size)
    bias_ih, bias_hh : array of shape (3 * hidden_size,), optional
    h_0 : array of shape (batch, hidden_size), optional
        Initial state; zeros if omitted.
    reverse : bool, default=False
        Run each sequence from its own last step to its first.
    save : bool, default=False
        Keep what `gru_backward` needs.

    Returns
    -------
    output : array of shape (total_steps, hidden_size)
    h_n : array of shape (batch, hidden_size)
        State after the last step computed; ``h_0`` for a sequence of length 0.
    saved : GRUSaved or None

    Raises
    ------
    ShapeError
        If shapes disagree with each other or with the lengths.
    """
    lengths = as_lengths("gru_forward", lengths, total_steps=x.shape[0])
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    _check("gru_forward", x, len(lengths), weights, {"h_0": h_0})
    if native_calls.runs_native(x.dtype):
        output, h_n, native = native_calls.forward(
            "gru", x, lengths=lengths, directions=[weights], states=[{"h_0": h_0}], reverse=reverse, save=save
        )
        return output, h_n[0], native
    total, hidden_size = x.shape[0], weight_hh.shape[-1]
    steps = Steps(lengths, reverse=reverse)
    projected = _add(x @ weight_ih.T, bias_ih)
    h = steps.sort(state_or_zeros(h_0, len(lengths), hidden_size, x.dtype))
    output = np.empty((total, hidden_size), x.dtype)
    saved = None
    if save:
        gates = np.empty((total, 3 * hidden_size), x.dtype)
        saved = GRUSaved(x, lengths, weights, gates, np.empty_like(output), np.empty_like(output), steps)
    for rows in steps:
        running = len(rows)
        if saved is not None:
            saved.h_prev[rows] = h[:running]
        u = _add(h[:running] @ weight_hh.T, bias_hh)
        activated, q, h[:running] = _cell(projected[rows], u, h[:running])
        output[rows] = h[:running]
        if saved is not None:
            saved.gates[rows], saved.q[rows] = activated, q
    return output, steps.unsort(h), saved


def gru_backward(
    grad_output: np.ndarray | None,
    *,
    grad_h_n: np.ndarray | None = None,
    saved: GRUSaved | native_calls.NativeSaved,
) -> dict[str, np.ndarray]:
    """Return the gradient of every input of `gru_forward`.

    Parameters
    ----------
    grad_output : array of shape (total_steps, hidden_size) or None
    grad_h_n : array of shape (batch, hidden_size), optional
    saved : GRUSaved
        From `gru_forward` with ``save=True``.

    Returns
    -------
    dict
        ``x``, ``h_0``, ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh`` shaped as the inputs, and
        ``hidden`` of shape (total_steps, hidden_size): the whole derivative by the state after each step.
    """
    total, hidden_size = saved.x.shape[0], saved.weights["weight_hh"].shape[1]
    batch = len(saved.lengths)
    check_shapes(
        "gru_backward",
        grad_output=(grad_output, (total, hidden_size)),
        grad_h_n=(grad_h_n, (batch, hidden_size)),
    )
    if isinstance(saved, native_calls.NativeSaved):
        return native_calls.backward(grad_output, grad_h_n=grad_h_n, saved=saved)
    steps, dtype = saved.steps, saved.x.dtype
    g_h = steps.sort(state_or_zeros(grad_h_n, batch, hidden_size, dtype))
    hidden = np.zeros((total, hidden_size), dtype)
    grad_a, grad_u = (np.zeros((total, 3 * hidden_size), dtype) for _ in range(2))
    for rows in reversed(steps):
        running = len(rows)
        g_t = g_h[:running] if grad_output is None else g_h[:running] + grad_output[rows]
        r, z, n = np.split(saved.gates[rows], 3, axis=1)
        d_n = g_t * (1 - z) * (1 - n * n)
        d_z = g_t * (saved.h_prev[rows] - n) * z * (1 - z)
        d_r = d_n * saved.q[rows] * r * (1 - r)
        u = np.concatenate([d_r, d_z, d_n * r], axis=1)
        hidden[rows], grad_u[rows] = g_t, u
        grad_a[rows] = np.concatenate([d_r, d_z, d_n], axis=1)
        g_h[:running] = g_t * z + u @ saved.weights["weight_hh"]
    return {
        "x": grad_a @ saved.weights["weight_ih"],
        "h_0": steps.unsort(g_h),
        "weight_ih": grad_a.T @ saved.x,
        "weight_hh": grad_u.T @ saved.h_prev,
        "bias_ih": grad_a.sum(axis=0),
        "bias_hh": grad_u.sum(axis=0),
        "hidden": hidden,
    }


def gru_step(
    x: np.ndarray,
    *,
    h: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
) -> np.ndarray:
    """Return the state after one step of each sequence, shape (batch, hidden_size).

    Parameters
    ----------
    x : array of shape (batch, input_size)
    h : array of shape (batch, hidden_size)
        State before the step; not changed.
    weight_ih, weight_hh, bias_ih, bias_hh
        As in `gru_forward`.
    """
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    _check("gru_step", x, x.shape[0], weights, {"h": h})
    return _cell(_add(x @ weight_ih.T, bias_ih), _add(h @ weight_hh.T, bias_hh), h)[2]
