"""Stacked layers in one or both directions, from weights with torch's names; whole or step by step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.errors import ShapeError, UsageError
from recurra.kernels.dispatch import current
from recurra.kernels.gru import gru_forward, gru_step
from recurra.kernels.lstm import lstm_forward, lstm_step
from recurra.kernels.rnn import rnn_forward, rnn_step

CELLS = ("rnn", "rnn_relu", "lstm", "gru")
_WORDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
_REQUIRED = ("weight_ih", "weight_hh")


def layer_weights(
    weights: Mapping[str, np.ndarray], *, layer: int, reverse: bool = False, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Return the weights of one layer and direction by their kernel names; absent biases stay absent.

    Raises
    ------
    ShapeError
        If ``weight_ih`` or ``weight_hh`` of the layer is missing.
    """
    found = {}
    for word in _WORDS:
        name = f"{prefix}{word}_l{layer}{'_reverse' if reverse else ''}"
        if name in weights:
            found[word] = weights[name]
        elif word in _REQUIRED:
            raise ShapeError(
                f"layer_weights: the array {name!r} is missing; give every layer and direction its weights."
            )
    return found


def _forward(
    cell: str,
    x: np.ndarray,
    lengths: Any,
    weights: dict[str, Any],
    reverse: bool,
    states: dict[str, Any],
) -> tuple[np.ndarray, ...]:
    """Return output, h_n and, for the LSTM, c_n."""
    if cell == "lstm":
        return lstm_forward(x, lengths=lengths, reverse=reverse, **weights, **states)[:3]
    if cell == "gru":
        return gru_forward(x, lengths=lengths, reverse=reverse, **weights, **states)[:2]
    nonlinearity = "relu" if cell == "rnn_relu" else "tanh"
    named = {**weights, **states, "nonlinearity": nonlinearity}
    return rnn_forward(x, lengths=lengths, reverse=reverse, **named)[:2]


def stack_forward(
    x: np.ndarray,
    *,
    lengths: Any,
    cell: str,
    weights: Mapping[str, np.ndarray],
    num_layers: int = 1,
    bidirectional: bool = False,
    prefix: str = "",
    h_0: np.ndarray | None = None,
    c_0: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run every sequence through every layer.

    Parameters
    ----------
    x : array of shape (total_steps, input_size)
        Sequence after sequence.
    lengths : int array of shape (batch,)
        Steps of each sequence, each at least 0.
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
    weights : mapping of str to array
        torch's names after ``prefix``: ``weight_ih_l0``, ``bias_hh_l1_reverse``, ...
    num_layers : int, default=1
    bidirectional : bool, default=False
    prefix : str, default=""
        What stands before torch's names, such as ``"recurrent."``.
    h_0, c_0 : array of shape (num_layers * num_directions, batch, hidden_size), optional
        Initial states; zeros if omitted.

    Returns
    -------
    output : array of shape (total_steps, num_directions * hidden_size)
        Of the last layer.
    h_n : array of shape (num_layers * num_directions, batch, hidden_size)
        State after the last step computed, in each direction of each layer.

    Raises
    ------
    ShapeError
        If a weight is missing or shapes disagree.
    """
    check_choice("stack_forward", "cell", cell, CELLS)
    dtype = x.dtype
    if current() == "reference":
        # numpy's matrix products sum in an order that depends on the batch; computed in double, rounding hides it.
        x = x.astype(np.float64)
        weights = {
            name: array.astype(np.float64) for name, array in weights.items() if name.startswith(prefix)
        }
    directions = (False, True) if bidirectional else (False,)
    final = []
    for layer in range(num_layers):
        outputs = []
        for reverse in directions:
            named = layer_weights(weights, layer=layer, reverse=reverse, prefix=prefix)
            index = layer * len(directions) + int(reverse)
            states = {n: s[index] for n, s in (("h_0", h_0), ("c_0", c_0)) if s is not None}
            output, h_n, *_ = _forward(cell, x, lengths, named, reverse, states)
            outputs.append(output)
            final.append(h_n)
        x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
    return x.astype(dtype, copy=False), np.stack(final).astype(dtype, copy=False)


class StackStep:
    """Layers upon each other fed one time step at a time; one direction only.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
    weights : mapping of str to array
        torch's names after ``prefix``.
    num_layers : int, default=1
    prefix : str, default=""
    batch : int, default=1
        Sequences that go on side by side.

    Attributes
    ----------
    h : array of shape (num_layers, batch, proj_size or hidden_size)
    c : array of shape (num_layers, batch, hidden_size) or None
        Cell state, for the LSTM.

    Raises
    ------
    UsageError
        If the weights hold a backward direction, which cannot be streamed.
    """

    def __init__(
        self,
        cell: str,
        weights: Mapping[str, np.ndarray],
        *,
        num_layers: int = 1,
        prefix: str = "",
        batch: int = 1,
    ) -> None:
        check_choice("StackStep", "cell", cell, CELLS)
        if f"{prefix}weight_ih_l0_reverse" in weights:
            raise UsageError(
                "StackStep: a bidirectional network needs the end of a sequence before it can answer; "
                "stream a network with bidirectional=False."
            )
        self.cell = cell
        self._layers = [layer_weights(weights, layer=layer, prefix=prefix) for layer in range(num_layers)]
        first = self._layers[0]
        dtype, gates = first["weight_hh"].dtype, {"lstm": 4, "gru": 3}.get(cell, 1)
        self.h = np.zeros((num_layers, batch, first["weight_hh"].shape[1]), dtype)
        hidden_size = first["weight_hh"].shape[0] // gates
        self.c = np.zeros((num_layers, batch, hidden_size), dtype) if cell == "lstm" else None

    def step(self, x: np.ndarray) -> np.ndarray:
        """Feed one step of each sequence, x of shape (batch, input_size); return the last layer's state."""
        x = np.asarray(x, self.h.dtype)
        for layer, named in enumerate(self._layers):
            if self.c is not None:
                self.h[layer], self.c[layer] = lstm_step(x, h=self.h[layer], c=self.c[layer], **named)
            elif self.cell == "gru":
                self.h[layer] = gru_step(x, h=self.h[layer], **named)
            else:
                nonlinearity = "relu" if self.cell == "rnn_relu" else "tanh"
                self.h[layer] = rnn_step(x, h=self.h[layer], nonlinearity=nonlinearity, **named)
            x = self.h[layer]
        return x.copy()

    def reset(self) -> None:
        """Set every state to zero."""
        self.h[:] = 0
        if self.c is not None:
            self.c[:] = 0
