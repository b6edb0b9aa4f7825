r"""Long short-term memory: equations and numpy reference.

.. math::
    i, f, o &= \sigma(W x_t + b_{ih} + U h_{t-1} + b_{hh}), \qquad g = \tanh(\cdot) \\
    c_t &= f \odot c_{t-1} + i \odot g \\
    h_t &= o \odot \tanh(c_t), \text{ or } W_{hr} (o \odot \tanh(c_t)) \text{ with projection}

The four gates lie in torch's order i, f, g, o along the rows of ``weight_ih`` and ``weight_hh``.

Legend: B batch, T time, I input, H hidden, P projection (or H), G four gates. Flat rows are sequence after
sequence.

References
----------
.. [1] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
.. [2] Gers, Schmidhuber and Cummins, "Learning to forget", Neural Computation 12(10), 2000.
.. [3] Sak, Senior and Beaufays, "Long short-term memory based recurrent neural network architectures", 2014,
   arXiv:1402.1128 (projection).
"""

import dataclasses
from typing import Any

import numpy as np

from recurra.kernels import native_calls
from recurra.kernels.step_order import Steps, as_lengths, check_shapes, sigmoid, state_or_zeros


@dataclasses.dataclass(frozen=True)
class LSTMSaved:
    """What the backward pass needs, and what a look inside shows.

    Attributes
    ----------
    gates : array of shape (total_steps, 4 * hidden_size)
        i, f, g, o after activation.
    c, c_prev : array of shape (total_steps, hidden_size)
        Cell state after and before each step.
    h_prev : array of shape (total_steps, proj_size or hidden_size)
        State before each step.
    """

    x: np.ndarray
    lengths: np.ndarray
    weights: dict[str, Any]
    gates: np.ndarray
    c: np.ndarray
    c_prev: np.ndarray
    h_prev: np.ndarray
    steps: Steps


def _check(who: str, x: Any, batch: int, weights: dict[str, Any], states: dict[str, Any]) -> None:
    weight_ih, weight_hr = weights["weight_ih"], weights["weight_hr"]
    hidden_size = weight_ih.shape[0] // 4
    output_size = hidden_size if weight_hr is None else weight_hr.shape[0]
    check_shapes(
        who,
        weight_ih=(weight_ih, (4 * hidden_size, weight_ih.shape[-1])),
        weight_hh=(weights["weight_hh"], (4 * hidden_size, output_size)),
        x=(x, (x.shape[0], weight_ih.shape[-1])),
        bias_ih=(weights["bias_ih"], (4 * hidden_size,)),
        bias_hh=(weights["bias_hh"], (4 * hidden_size,)),
        weight_hr=(weight_hr, (output_size, hidden_size)),
        **{n: (s, (batch, output_size if n[0] == "h" else hidden_size)) for n, s in states.items()},
    )


def _cell(
    a: np.ndarray, c: np.ndarray, weight_hr: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gates after activation (B, 4H), the new cell state (B, H) and the new state (B, P)."""
    hidden_size = c.shape[-1]
    gates = sigmoid(a)
    gates[:, 2 * hidden_size : 3 * hidden_size] = np.tanh(a[:, 2 * hidden_size : 3 * hidden_size])
    i, f, g, o = np.split(gates, 4, axis=1)
    c_new = f * c + i * g
    m = o * np.tanh(c_new)
    return gates, c_new, m if weight_hr is None else m @ weight_hr.T


def _project(x: np.ndarray, weight_ih: np.ndarray, *biases: np.ndarray | None) -> np.ndarray:
    projected = x @ weight_ih.T
    for bias in biases:
        if bias is not None:
            projected += bias
    return projected


def lstm_forward(
    x: np.ndarray,
    *,
    lengths: Any,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    weight_hr: np.ndarray | None = None,
    h_0: np.ndarray | None = None,
    c_0: np.ndarray | None = None,
    reverse: bool = False,
    save: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, LSTMSaved | native_calls.NativeSaved | None]:
    """Run every sequence to its own end.

    Parameters
    ----------
    x : array of shape (total_steps, input_size)
        Sequence after sequence; float32 or float64 decides the arithmetic.
    lengths : int array of shape (batch,)
        Steps of each sequence, each at least 0.
    weight_ih : array of shape (4 * hidden_size, input_size)
    weight_hh : array of shape (4 * hidden_size, proj_size or hidden_size)
    bias_ih, bias_hh : array of shape (4 * hidden_size,), optional
    weight_hr : array of shape (proj_size, hidden_size), optional
        Projection of the state.
    h_0, c_0 : array of shape (batch, proj_size or hidden_size) and (batch, hidden_size), optional
        Initial states; zeros if omitted.
    reverse : bool, default=False
        Run each sequence from its own last step to its first.
    save : bool, default=False
        Keep what `lstm_backward` needs.

    Returns
    -------
    output : array of shape (total_steps, proj_size or hidden_size)
    h_n, c_n : array of shape (batch, proj_size or hidden_size) and (batch, hidden_size)
        States after the last step computed; the initial ones for a sequence of length 0.
    saved : LSTMSaved or None

    Raises
    ------
    ShapeError
        If shapes disagree with each other or with the lengths.
    """
    lengths = as_lengths("lstm_forward", lengths, total_steps=x.shape[0])
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    weights["weight_hr"] = weight_hr
    _check("lstm_forward", x, len(lengths), weights, {"h_0": h_0, "c_0": c_0})
    if native_calls.runs_native(x.dtype):
        output, h_n, c_n, native = native_calls.forward(
            "lstm",
            x,
            lengths=lengths,
            directions=[weights],
            states=[{"h_0": h_0, "c_0": c_0}],
            reverse=reverse,
            save=save,
        )
        return output, h_n[0], c_n[0], native
    total, hidden_size, output_size = x.shape[0], weight_ih.shape[0] // 4, weight_hh.shape[1]
    steps = Steps(lengths, reverse=reverse)
    projected = _project(x, weight_ih, bias_ih, bias_hh)
    h = steps.sort(state_or_zeros(h_0, len(lengths), output_size, x.dtype))
    c = steps.sort(state_or_zeros(c_0, len(lengths), hidden_size, x.dtype))
    output = np.empty((total, output_size), x.dtype)
    saved = None
    if save:
        gates, cells, c_prev = (np.empty((total, n * hidden_size), x.dtype) for n in (4, 1, 1))
        saved = LSTMSaved(x, lengths, weights, gates, cells, c_prev, np.empty_like(output), steps)
    for rows in steps:
        running = len(rows)
        if saved is not None:
            saved.h_prev[rows], saved.c_prev[rows] = h[:running], c[:running]
        a = projected[rows] + h[:running] @ weight_hh.T
        activated, c[:running], h[:running] = _cell(a, c[:running], weight_hr)
        output[rows] = h[:running]
        if saved is not None:
            saved.gates[rows], saved.c[rows] = activated, c[:running]
    return output, steps.unsort(h), steps.unsort(c), saved


def lstm_backward(
    grad_output: np.ndarray | None,
    *,
    grad_h_n: np.ndarray | None = None,
    grad_c_n: np.ndarray | None = None,
    saved: LSTMSaved | native_calls.NativeSaved,
) -> dict[str, np.ndarray]:
    """Return the gradient of every input of `lstm_forward`.

    Parameters
    ----------
    grad_output : array of shape (total_steps, proj_size or hidden_size) or None
    grad_h_n, grad_c_n : array shaped as ``h_n`` and ``c_n``, optional
    saved : LSTMSaved
        From `lstm_forward` with ``save=True``.

    Returns
    -------
    dict
        ``x``, ``h_0``, ``c_0``, ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh`` (and ``weight_hr``)
        shaped as the inputs, and ``hidden``, shaped as the output: the whole derivative by each state.
    """
    total, batch = saved.x.shape[0], len(saved.lengths)
    hidden_size, output_size = saved.weights["weight_ih"].shape[0] // 4, saved.weights["weight_hh"].shape[1]
    weight_hr = saved.weights.get("weight_hr")
    check_shapes(
        "lstm_backward",
        grad_output=(grad_output, (total, output_size)),
        grad_h_n=(grad_h_n, (batch, output_size)),
        grad_c_n=(grad_c_n, (batch, hidden_size)),
    )
    if isinstance(saved, native_calls.NativeSaved):
        return native_calls.backward(grad_output, grad_h_n=grad_h_n, grad_c_n=grad_c_n, saved=saved)
    steps, dtype = saved.steps, saved.x.dtype
    g_h = steps.sort(state_or_zeros(grad_h_n, batch, output_size, dtype))
    g_c = steps.sort(state_or_zeros(grad_c_n, batch, hidden_size, dtype))
    hidden, grad_a = np.zeros((total, output_size), dtype), np.zeros((total, 4 * hidden_size), dtype)
    for rows in reversed(steps):
        running = len(rows)
        g_t = g_h[:running] if grad_output is None else g_h[:running] + grad_output[rows]
        hidden[rows] = g_t
        g_m = g_t if weight_hr is None else g_t @ weight_hr
        i, f, g, o = np.split(saved.gates[rows], 4, axis=1)
        tanh_c = np.tanh(saved.c[rows])
        d_c = g_c[:running] + g_m * o * (1 - tanh_c * tanh_c)
        d_f = d_c * saved.c_prev[rows] * f * (1 - f)
        d_o = g_m * tanh_c * o * (1 - o)
        a = np.concatenate([d_c * g * i * (1 - i), d_f, d_c * i * (1 - g * g), d_o], axis=1)
        grad_a[rows] = a
        g_c[:running] = d_c * f
        g_h[:running] = a @ saved.weights["weight_hh"]
    bias = grad_a.sum(axis=0)
    result = {
        "x": grad_a @ saved.weights["weight_ih"],
        "h_0": steps.unsort(g_h),
        "c_0": steps.unsort(g_c),
        "weight_ih": grad_a.T @ saved.x,
        "weight_hh": grad_a.T @ saved.h_prev,
        "bias_ih": bias,
        "bias_hh": bias.copy(),
        "hidden": hidden,
    }
    if weight_hr is not None:
        result["weight_hr"] = hidden.T @ (saved.gates[:, 3 * hidden_size :] * np.tanh(saved.c))
    return result


def lstm_step(
    x: np.ndarray,
    *,
    h: np.ndarray,
    c: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    weight_hr: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return h and c after one step of each sequence.

    Parameters
    ----------
    x : array of shape (batch, input_size)
    h, c : array of shape (batch, proj_size or hidden_size) and (batch, hidden_size)
        States before the step; not changed.
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
        As in `lstm_forward`.
    """
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    _check("lstm_step", x, x.shape[0], {**weights, "weight_hr": weight_hr}, {"h": h, "c": c})
    a = _project(x, weight_ih, bias_ih, bias_hh) + h @ weight_hh.T
    _, c, h = _cell(a, c, weight_hr)
    return h, c
