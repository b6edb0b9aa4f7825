"""Stacked recurrent layers as ONNX's LSTM, GRU and RNN operators, and as a Scan where there is no operator for the cell.

ONNX wants time first, all directions of a layer in one operator, both biases side by side, and its own order of gates:
i, o, f, c (peepholes i, o, f) and z, r, h where torch has i, f, g, o and r, z, n. A GRU has ``linear_before_reset=1``, the
reset gate after the product, and "gru_before" 0. The operators run each sequence to its own end; for a length of 0 runtimes
give the state 0 in place of the initial one, which is mended here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import UsageError
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.rows import Rows
from recurra.export.onnx.scanned_cells import scanned
from recurra.kernels.cell import CELLS, VARIANTS, Cell
from recurra.kernels.networks.stack import layer_weights

# The operator of a plain cell, and its order of torch's blocks of gates.
OPERATORS: Mapping[str, tuple[str, Sequence[int]]] = {
    "lstm": ("LSTM", (0, 3, 1, 2)),
    "gru": ("GRU", (1, 0, 2)),
    "rnn": ("RNN", (0,)),
    "rnn_relu": ("RNN", (0,)),
}


@dataclass(frozen=True)
class Stack:
    """Layers upon each other.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru", "lstm_peephole", "gru_before", "lstm_norm", "gru_norm"}
    weights : mapping of str to ndarray
        torch's names after ``prefix``.
    num_layers : int
    bidirectional : bool
    prefix : str
    name : str
        What its constants are called in the file.
    """

    cell: str
    weights: Mapping[str, np.ndarray]
    num_layers: int
    bidirectional: bool
    prefix: str = "recurrent."
    name: str = "recurrent"

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def hidden_size(self) -> int:
        """Units of one direction."""
        return int(self.weights[f"{self.prefix}weight_hh_l0"].shape[1])

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the parts of the state."""
        return CELLS[self.cell].states

    @property
    def plain(self) -> Cell:
        """The cell, or that of which it is a variant."""
        cell = CELLS[self.cell]
        return cell if cell.variant is None else cell.variant.cell

    @property
    def has_operator(self) -> bool:
        """Whether ONNX has an operator for the cell."""
        variant = CELLS[self.cell].variant
        return self.plain.name in OPERATORS and not (variant is not None and variant.layer_norm)


def run(graph: Graph, rows: Rows, stack: Stack, initial: Mapping[str, str]) -> tuple[Rows, dict[str, str]]:
    """Run every sequence to its own end.

    Parameters
    ----------
    initial : mapping of str to str
        For each part of the state its tensor, of shape (num_layers * directions, batch, hidden_size).

    Returns
    -------
    Rows
        States of the last layer: (batch, time, directions * hidden_size).
    dict of str to str
        The parts of the state after the last row, as ``initial``.
    """
    values = graph.transpose(rows.values, 1, 0, 2)
    lengths = "" if rows.lengths is None else graph.cast(rows.lengths, np.int32)
    some = None
    if rows.lengths is not None:
        some = graph.unsqueeze(graph.add("Greater", rows.lengths, graph.constant(0, np.int64)), 0, 2)
    final: dict[str, list[str]] = {part: [] for part in stack.states}
    for layer in range(stack.num_layers):
        first = layer * stack.directions
        before = [graph.slice(initial[part], 0, first, first + stack.directions) for part in stack.states]
        if stack.has_operator:
            found = _operator(graph, values, stack, layer, lengths, before)
        elif stack.plain.name not in OPERATORS:
            raise UsageError(
                f"export: ONNX has no operator for cell={stack.cell!r}; train with 'lstm' or 'gru', or run the model with "
                "recurra.load_model(path)."
            )
        else:
            found = _scans(graph, values, rows, stack, layer, before)
        for part, own, after in zip(stack.states, before, found[1:], strict=True):
            final[part].append(after if some is None else graph.add("Where", some, after, own))
        # (time, directions, batch, hidden) -> (time, batch, directions * hidden)
        values = graph.reshape(graph.transpose(found[0], 0, 2, 1, 3), 0, 0, -1)
    states = rows.within(graph, graph.transpose(values, 1, 0, 2))
    return states, {part: graph.concat(each, 0) for part, each in final.items()}


def _operator(
    graph: Graph, values: str, stack: Stack, layer: int, lengths: str, before: Sequence[str]
) -> list[str]:
    parts: dict[str, list[np.ndarray]] = {"W": [], "R": [], "B": []}
    peepholes: list[np.ndarray] = []  # i, o, f
    cell, variant = stack.plain, CELLS[stack.cell].variant
    operator, order = OPERATORS[cell.name]
    for direction in range(stack.directions):
        own = layer_weights(stack.weights, layer=layer, reverse=direction == 1, prefix=stack.prefix)
        parts["W"].append(_ordered(own["weight_ih"], order))
        parts["R"].append(_ordered(own["weight_hh"], order))
        biases = [_ordered(own[f"bias_{side}"], order) for side in ("ih", "hh")]
        parts["B"].append(np.concatenate(biases))
        if "peephole" in own:
            peepholes.append(_ordered(own["peephole"], (0, 2, 1)))
    named = [
        graph.constant(np.stack(arrays), np.float32, name=f"{stack.name}.l{layer}.{letter}")
        for letter, arrays in parts.items()
    ]
    more: dict[str, object] = {}
    if operator == "GRU":
        more["linear_before_reset"] = int(variant is None or variant.reset == "after")
    if stack.cell == "rnn_relu":
        more["activations"] = ["Relu"] * stack.directions
    return graph.several(
        operator,
        values,
        *named,
        lengths,
        *before,
        *(
            [graph.constant(np.stack(peepholes), np.float32, name=f"{stack.name}.l{layer}.P")]
            if peepholes
            else []
        ),
        count=1 + len(stack.states),
        hidden_size=stack.hidden_size,
        direction="bidirectional" if stack.bidirectional else "forward",
        **more,
    )


def _scans(
    graph: Graph, values: str, rows: Rows, stack: Stack, layer: int, before: Sequence[str]
) -> list[str]:
    """Return what an operator would: states (time, directions, batch, hidden), and each part of the state after."""
    valid = None if rows.valid is None else graph.transpose(rows.valid, 1, 0, 2)
    along, after = [], []
    for direction in range(stack.directions):
        own = layer_weights(stack.weights, layer=layer, reverse=direction == 1, prefix=stack.prefix)
        first = [graph.squeeze(graph.slice(part, 0, direction, direction + 1), 0) for part in before]
        states, last = scanned(
            graph,
            VARIANTS[stack.cell],
            values,
            own,
            first,
            valid=valid,
            reverse=direction == 1,
            name=f"{stack.name}.l{layer}{'.reverse' * direction}",
        )
        along.append(graph.unsqueeze(states, 1))
        after.append([graph.unsqueeze(state, 0) for state in last])
    return [graph.concat(along, 1), *(graph.concat(parts, 0) for parts in zip(*after, strict=True))]


def _ordered(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[block] for block in order])


def zero_state(graph: Graph, like: str, stack: Stack) -> dict[str, str]:
    """Return zeros for every part of the state, for as many sequences as ``like`` (batch, ...) has."""
    shape = graph.concat(
        [
            graph.constant([stack.num_layers * stack.directions], np.int64),
            graph.size(like, 0),
            graph.constant([stack.hidden_size], np.int64),
        ],
        0,
    )
    zeros = graph.add("Expand", graph.constant(0, np.float32), shape)
    return dict.fromkeys(stack.states, zeros)
