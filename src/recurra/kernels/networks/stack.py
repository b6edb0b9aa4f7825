"""Stacked layers from weights with torch's names; whole, or step by step with states kept (`StackStep`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.errors import ShapeError, UsageError
from recurra.kernels import native_calls
from recurra.kernels.cell import CELLS, EXTRAS, VARIANTS
from recurra.kernels.cells.functions import FUNCTIONS
from recurra.kernels.dispatch import current, native_module
from recurra.kernels.step_order import as_lengths, check_shapes

_WORDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", *EXTRAS)
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


def check_layer(
    who: str, cell: str, x: np.ndarray, batch: int, weights: dict[str, Any], states: dict[str, Any]
) -> None:
    """Raise ShapeError unless weights, states and x of one layer and direction agree."""
    gates, weight_ih, weight_hr = CELLS[cell].blocks, weights["weight_ih"], weights.get("weight_hr")
    hidden_size, input_size = weight_ih.shape[0] // gates, weight_ih.shape[-1]
    output_size = hidden_size if weight_hr is None else weight_hr.shape[0]
    rows = gates * hidden_size
    extras = VARIANTS[cell].extras(hidden_size) if cell in VARIANTS else {}
    for name in extras:
        if name not in weights:
            raise ShapeError(
                f"{who}: the weight {name!r} of the cell {cell!r} is missing; give every layer and direction one."
            )
    check_shapes(
        who,
        weight_ih=(weight_ih, (rows, input_size)),
        weight_hh=(weights["weight_hh"], (rows, output_size)),
        x=(x, (x.shape[0], input_size)),
        bias_ih=(weights.get("bias_ih"), (rows,)),
        bias_hh=(weights.get("bias_hh"), (rows,)),
        weight_hr=(weight_hr, (output_size, hidden_size)),
        h_0=(states.get("h_0"), (batch, output_size)),
        c_0=(states.get("c_0"), (batch, hidden_size)),
        **{name: (weights[name], (size,)) for name, size in extras.items()},
    )


def _native_layer(
    cell: str,
    x: np.ndarray,
    lengths: np.ndarray,
    weights: Mapping[str, np.ndarray],
    layer: int,
    directions: int,
    prefix: str,
    **states: np.ndarray | None,
) -> tuple[np.ndarray, ...]:
    """Return output, h_n and, for the LSTM, c_n (directions, batch, .) of one layer, its directions side by side."""
    named = [layer_weights(weights, layer=layer, reverse=d == 1, prefix=prefix) for d in range(directions)]
    given = []
    for d in range(directions):
        index = layer * directions + d
        given.append({name: s[index] for name, s in states.items() if s is not None})
        check_layer("stack_forward", cell, x, len(lengths), named[d], given[d])
    return native_calls.forward(cell, x, lengths=lengths, directions=named, states=given)[:-1]


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
    cell : {"rnn", "rnn_relu", "lstm", "gru", "lstm_peephole", "lstm_norm", "gru_norm", "gru_before"}
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
    output, h_n, _ = stack_states(
        x,
        lengths=lengths,
        cell=cell,
        weights=weights,
        num_layers=num_layers,
        bidirectional=bidirectional,
        prefix=prefix,
        h_0=h_0,
        c_0=c_0,
    )
    return output, h_n


def stack_states(
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
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Run every sequence as `stack_forward` does, and return the cell state as well: what a decoder begins with.

    Returns
    -------
    output, h_n
        As of `stack_forward`.
    c_n : array of the shape of h_n, or None
        Final cell state, for the LSTM.
    """
    check_choice("stack_forward", "cell", cell, tuple(CELLS))
    dtype = x.dtype
    if current() == "reference":
        # numpy's matrix products sum in an order that depends on the batch; computed in double, rounding hides it
        x = x.astype(np.float64)
        weights = {
            name: array.astype(np.float64) for name, array in weights.items() if name.startswith(prefix)
        }
    directions = (False, True) if bidirectional else (False,)
    final: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    lengths = as_lengths("stack_forward", lengths, total_steps=x.shape[0])
    for layer in range(num_layers):
        if native_calls.runs_native(x.dtype):
            x, h_n, *c_n = _native_layer(
                cell, x, lengths, weights, layer, len(directions), prefix, h_0=h_0, c_0=c_0
            )
            final.extend(h_n)
            cells.extend(c_n[0] if c_n else ())
            continue
        outputs = []
        for reverse in directions:
            named = layer_weights(weights, layer=layer, reverse=reverse, prefix=prefix)
            index = layer * len(directions) + int(reverse)
            states = {n: s[index] for n, s in (("h_0", h_0), ("c_0", c_0)) if s is not None}
            check_layer("stack_forward", cell, x, len(lengths), named, states)
            output, h_n, *c_n, _ = FUNCTIONS[cell].forward(
                x, lengths=lengths, reverse=reverse, **named, **states
            )
            outputs.append(output)
            final.append(h_n)
            cells.extend(c_n)
        x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
    c_last = np.stack(cells).astype(dtype, copy=False) if cells else None
    return x.astype(dtype, copy=False), np.stack(final).astype(dtype, copy=False), c_last


class StackStep:
    """Layers upon each other fed one time step at a time; one direction only.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru", "lstm_peephole", "lstm_norm", "gru_norm", "gru_before"}
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
        check_choice("StackStep", "cell", cell, tuple(CELLS))
        if f"{prefix}weight_ih_l0_reverse" in weights:
            raise UsageError(
                "StackStep: a bidirectional network needs the end of a sequence before it can answer; "
                "stream a network with bidirectional=False."
            )
        self.cell = cell
        self._layers = [layer_weights(weights, layer=layer, prefix=prefix) for layer in range(num_layers)]
        first = self._layers[0]
        dtype, gates = first["weight_hh"].dtype, CELLS[cell].blocks
        self._h = np.zeros((num_layers, batch, first["weight_hh"].shape[1]), dtype)
        hidden_size = first["weight_hh"].shape[0] // gates
        self._c = np.zeros((num_layers, batch, hidden_size), dtype) if "c" in CELLS[cell].states else None
        self._native: Any = None
        for layer, named in enumerate(self._layers):
            x = self._h[0] if layer else np.empty((batch, first["weight_ih"].shape[-1]), dtype)
            check_layer("StackStep", cell, x, batch, named, {})
        if native_calls.runs_native(dtype):
            packed = [native_calls.pack(cell, named, dtype=dtype, back=False) for named in self._layers]
            if self._c is not None:
                # the kernels keep the cell state in whole vectors; the units beyond hidden_size stay zero
                padded = np.zeros((num_layers, batch, packed[0].padded), dtype)
                self._c = padded[..., :hidden_size]
            self._native = native_module().Step(
                packed, batch, self._h, None if self._c is None else self._c.base, self._h[-1]
            )

    @property
    def h(self) -> np.ndarray:
        """State of every layer; a view, so that writing into it sets the state."""
        return self._h

    @h.setter
    def h(self, value: np.ndarray) -> None:
        self._h[:] = value

    @property
    def c(self) -> np.ndarray | None:
        """Cell state of every layer; a view. None unless the cell is an LSTM."""
        return self._c

    @c.setter
    def c(self, value: np.ndarray) -> None:
        if self._c is None:
            raise UsageError(f"StackStep: a {self.cell!r} has no cell state c; set h alone.")
        self._c[:] = value

    def step(self, x: np.ndarray) -> np.ndarray:
        """Feed one step of each sequence.

        Parameters
        ----------
        x : array of shape (batch, input_size)

        Returns
        -------
        array of shape (batch, proj_size or hidden_size)
            The last layer's state: the same array each time, overwritten by the next step.

        Raises
        ------
        ShapeError
            If x has another shape.
        """
        if self._native is not None:
            # None: x is not contiguous or of another dtype
            result = self._native.step(x)
            if result is not None:
                return result
        x = np.ascontiguousarray(x, self._h.dtype)
        shape = (self._h.shape[1], self._layers[0]["weight_ih"].shape[-1])
        check_shapes("StackStep.step", x=(x, shape))
        return self._native.step(x) if self._native is not None else self._reference(x)

    def _reference(self, x: np.ndarray) -> np.ndarray:
        states = [self._h] if self._c is None else [self._h, self._c]
        for layer, named in enumerate(self._layers):
            after = FUNCTIONS[self.cell].step(x, [state[layer] for state in states], named)
            for state, new in zip(states, after, strict=True):
                state[layer] = new
            x = self._h[layer]
        return x

    def reset(self) -> None:
        """Set every state to zero."""
        self._h[:] = 0
        if self._c is not None:
            self._c[:] = 0
