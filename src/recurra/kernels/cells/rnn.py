r"""Elman network: equations and numpy reference.

.. math:: h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}), \qquad \phi \in \{\tanh, \max(0, \cdot)\}

Backward, with :math:`g_t = \partial L / \partial h_t` and :math:`a_t` the argument of :math:`\phi`:

.. math:: \partial L / \partial a_t = g_t \phi'(a_t), \qquad
          g_{t-1} \mathrel{+}= W_{hh}^T \, \partial L / \partial a_t

Legend: B batch, T time, I input, H hidden. Flat rows are sequence after sequence.

References
----------
.. [1] Elman, "Finding structure in time", Cognitive Science 14, 1990.
"""

import dataclasses
from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.kernels import native_calls
from recurra.kernels.step_order import Steps, as_lengths, check_shapes, state_or_zeros

NONLINEARITIES = ("tanh", "relu")


@dataclasses.dataclass(frozen=True)
class RNNSaved:
    """What the backward pass needs.

    Attributes
    ----------
    h : array of shape (total_steps, hidden_size)
        State after each step.
    h_prev : array of shape (total_steps, hidden_size)
        State before each step.
    """

    x: np.ndarray
    lengths: np.ndarray
    weights: dict[str, Any]
    h: np.ndarray
    h_prev: np.ndarray
    steps: Steps
    nonlinearity: str


def _check(who: str, x: Any, batch: int, weights: dict[str, Any], states: dict[str, Any], word: str) -> None:
    hidden_size = weights["weight_hh"].shape[-1]
    check_choice(who, "nonlinearity", word, NONLINEARITIES)
    check_shapes(
        who,
        weight_hh=(weights["weight_hh"], (hidden_size, hidden_size)),
        weight_ih=(weights["weight_ih"], (hidden_size, weights["weight_ih"].shape[-1])),
        x=(x, (x.shape[0], weights["weight_ih"].shape[-1])),
        bias_ih=(weights["bias_ih"], (hidden_size,)),
        bias_hh=(weights["bias_hh"], (hidden_size,)),
        **{name: (state, (batch, hidden_size)) for name, state in states.items()},
    )


def _activate(a: np.ndarray, nonlinearity: str) -> np.ndarray:
    return np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)


def rnn_forward(
    x: np.ndarray,
    *,
    lengths: Any,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    h_0: np.ndarray | None = None,
    reverse: bool = False,
    nonlinearity: str = "tanh",
    save: bool = False,
) -> tuple[np.ndarray, np.ndarray, RNNSaved | native_calls.NativeSaved | None]:
    """Run every sequence to its own end.

    Parameters
    ----------
    x : array of shape (total_steps, input_size)
        Sequence after sequence; float32 or float64 decides the arithmetic.
    lengths : int array of shape (batch,)
        Steps of each sequence, each at least 0.
    weight_ih, weight_hh : array of shape (hidden_size, input_size) and (hidden_size, hidden_size)
    bias_ih, bias_hh : array of shape (hidden_size,), optional
    h_0 : array of shape (batch, hidden_size), optional
        Initial state; zeros if omitted.
    reverse : bool, default=False
        Run each sequence from its own last step to its first.
    nonlinearity : {"tanh", "relu"}
    save : bool, default=False
        Keep what `rnn_backward` needs.

    Returns
    -------
    output : array of shape (total_steps, hidden_size)
    h_n : array of shape (batch, hidden_size)
        State after the last step computed; ``h_0`` for a sequence of length 0.
    saved : RNNSaved or None

    Raises
    ------
    ShapeError
        If shapes disagree with each other or with the lengths.
    """
    lengths = as_lengths("rnn_forward", lengths, total_steps=x.shape[0])
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    _check("rnn_forward", x, len(lengths), weights, {"h_0": h_0}, nonlinearity)
    if native_calls.runs_native(x.dtype):
        cell = "rnn_relu" if nonlinearity == "relu" else "rnn"
        output, h_n, native = native_calls.forward(
            cell, x, lengths=lengths, directions=[weights], states=[{"h_0": h_0}], reverse=reverse, save=save
        )
        return output, h_n[0], native
    hidden_size = weight_hh.shape[-1]
    steps = Steps(lengths, reverse=reverse)
    projected = _project(x, weight_ih, bias_ih, bias_hh)
    h = steps.sort(state_or_zeros(h_0, len(lengths), hidden_size, x.dtype))
    output = np.empty((x.shape[0], hidden_size), x.dtype)
    h_prev = np.empty_like(output) if save else None
    for rows in steps:
        running = len(rows)
        if h_prev is not None:
            h_prev[rows] = h[:running]
        h[:running] = _activate(projected[rows] + h[:running] @ weight_hh.T, nonlinearity)
        output[rows] = h[:running]
    saved = None
    if h_prev is not None:
        saved = RNNSaved(x, lengths, weights, output, h_prev, steps, nonlinearity)
    return output, steps.unsort(h), saved


def _project(x: np.ndarray, weight_ih: np.ndarray, *biases: np.ndarray | None) -> np.ndarray:
    projected = x @ weight_ih.T
    for bias in biases:
        if bias is not None:
            projected += bias
    return projected


def rnn_backward(
    grad_output: np.ndarray | None,
    *,
    grad_h_n: np.ndarray | None = None,
    saved: RNNSaved | native_calls.NativeSaved,
) -> dict[str, np.ndarray]:
    """Return the gradient of every input of `rnn_forward`.

    Parameters
    ----------
    grad_output : array of shape (total_steps, hidden_size) or None
    grad_h_n : array of shape (batch, hidden_size), optional
    saved : RNNSaved
        From `rnn_forward` with ``save=True``.

    Returns
    -------
    dict
        ``x``, ``h_0``, ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh`` shaped as the inputs, and
        ``hidden`` of shape (total_steps, hidden_size): the whole derivative by the state after each step.
    """
    shape = saved.h.shape
    batch = len(saved.lengths)
    check_shapes("rnn_backward", grad_output=(grad_output, shape), grad_h_n=(grad_h_n, (batch, shape[1])))
    if isinstance(saved, native_calls.NativeSaved):
        return native_calls.backward(grad_output, grad_h_n=grad_h_n, saved=saved)
    steps, dtype = saved.steps, saved.x.dtype
    hidden_size = saved.weights["weight_hh"].shape[-1]
    g = steps.sort(state_or_zeros(grad_h_n, len(steps.order), hidden_size, dtype))
    hidden = np.zeros(saved.h.shape, dtype)
    grad_a = np.zeros(saved.h.shape, dtype)
    for rows in reversed(steps):
        running = len(rows)
        g_t = g[:running] if grad_output is None else g[:running] + grad_output[rows]
        h = saved.h[rows]
        a = g_t * (1 - h * h if saved.nonlinearity == "tanh" else (h > 0))
        hidden[rows], grad_a[rows] = g_t, a
        g[:running] = a @ saved.weights["weight_hh"]
    bias = grad_a.sum(axis=0)
    return {
        "x": grad_a @ saved.weights["weight_ih"],
        "h_0": steps.unsort(g),
        "weight_ih": grad_a.T @ saved.x,
        "weight_hh": grad_a.T @ saved.h_prev,
        "bias_ih": bias,
        "bias_hh": bias.copy(),
        "hidden": hidden,
    }


def rnn_step(
    x: np.ndarray,
    *,
    h: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    nonlinearity: str = "tanh",
) -> np.ndarray:
    """Return the state after one step of each sequence, shape (batch, hidden_size).

    Parameters
    ----------
    x : array of shape (batch, input_size)
    h : array of shape (batch, hidden_size)
        State before the step; not changed.
    weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity
        As in `rnn_forward`.
    """
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    _check("rnn_step", x, x.shape[0], weights, {"h": h}, nonlinearity)
    return _activate(_project(x, weight_ih, bias_ih, bias_hh) + h @ weight_hh.T, nonlinearity)
