"""Pooling over the steps of a ragged batch, whole and one step at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.export.onnx.recurrence import Stack
from recurra.export.onnx.rows import Rows
from recurra.kernels.heads.pooling import split_pooling

# Stands for minus infinity, which would become NaN where it is subtracted from itself.
LOWEST = np.float32(-3e38)


def pooled(
    graph: Graph,
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    rows: Rows,
    final: str,
    stack: Stack,
) -> str:
    """Return what the head reads: (batch, features), or (batch, time, features) with an answer per step.

    Parameters
    ----------
    rows : Rows
        States of the last layer.
    final : str
        State h after the last row: (num_layers * directions, batch, hidden_size).
    """
    if network["pooling"] == "none":
        return rows.values
    parts = []
    for name in split_pooling(network["pooling"]):
        if name == "last":
            parts.append(last_state(graph, final, stack))
        elif name == "mean":
            count = graph.cast(graph.unsqueeze(_at_least_one(graph, rows), 1), np.float32)
            parts.append(graph.add("Div", graph.reduce("ReduceSum", rows.values, 1), count))
        elif name == "max":
            assert rows.valid is not None
            masked = graph.add("Where", rows.valid, rows.values, graph.constant(LOWEST))
            # States of a recurrence may lie below 0, so zeros after the end must not take part.
            parts.append(_or_zero(graph, rows, graph.reduce("ReduceMax", masked, 1)))
        else:
            parts.append(_attention(graph, weights, rows))
    return graph.concat(parts, 1)


def last_state(graph: Graph, final: str, stack: Stack) -> str:
    """Return the state of the last layer, its directions side by side: (batch, directions * hidden_size)."""
    last = graph.slice(final, 0, -stack.directions, None)
    return graph.reshape(graph.transpose(last, 1, 0, 2), 0, -1)


def attention_scores(graph: Graph, weights: Mapping[str, np.ndarray], values: str) -> str:
    """Return the score of each row: (batch, time, 1)."""
    hidden = graph.add(
        "Tanh", graph.linear(values, weights["pooling.weight"], weights["pooling.bias"], "pooling")
    )
    return graph.linear(hidden, weights["pooling.context"][None], None, "pooling.context")


def _attention(graph: Graph, weights: Mapping[str, np.ndarray], rows: Rows) -> str:
    assert rows.valid is not None
    scores = graph.add(
        "Where", rows.valid, attention_scores(graph, weights, rows.values), graph.constant(LOWEST)
    )
    top = graph.reduce("ReduceMax", scores, 1, keep=True)
    shares = graph.add(
        "Mul", graph.add("Exp", graph.add("Sub", scores, top)), graph.cast(rows.valid, np.float32)
    )
    mass = graph.reduce("ReduceSum", shares, 1)
    total = graph.reduce("ReduceSum", graph.add("Mul", shares, rows.values), 1)
    none = graph.add("Equal", mass, graph.constant(0, np.float32))
    return graph.add("Div", total, graph.add("Where", none, graph.constant(1, np.float32), mass))


def _at_least_one(graph: Graph, rows: Rows) -> str:
    assert rows.lengths is not None
    return graph.add("Max", rows.lengths, graph.constant(1, np.int64))


def _or_zero(graph: Graph, rows: Rows, values: str) -> str:
    """Return values (batch, features), zero for a length of 0."""
    assert rows.lengths is not None
    some = graph.unsqueeze(graph.add("Greater", rows.lengths, graph.constant(0, np.int64)), 1)
    return graph.add("Where", some, values, graph.constant(0, np.float32))


class RunningPools:
    """The poolings of a network fed one step at a time; every part of their state begins at zero.

    Parameters
    ----------
    graph : Graph
    prefix : str
        Before the names of the parts in the file.
    network, weights : mapping
        As in `recurra.serving.prediction.network_outputs`.

    Attributes
    ----------
    after : dict of str to (str, int)
        Name of each part of the state: its tensor after the step, of shape (batch, size), and its size.
    """

    def __init__(
        self, graph: Graph, prefix: str, network: Mapping[str, Any], weights: Mapping[str, np.ndarray]
    ) -> None:
        self._graph, self._prefix, self._weights = graph, prefix, weights
        self._size = int(network["hidden_size"])
        self._names = split_pooling(network["pooling"])
        self.after: dict[str, tuple[str, int]] = {}
        self._before: dict[str, str] = {}
        for name in self._names:
            sizes = {"mean": {"total": self._size}, "max": {"highest": self._size}, "last": {}}
            parts = sizes.get(name, {"weighted": self._size, "mass": 1, "top": 1})
            for part, size in parts.items():
                self._declare(part, size)
        if set(self._names) - {"last"}:
            self._declare("count", 1)

    def _declare(self, part: str, size: int) -> None:
        name = f"{self._prefix}{part}"
        self._before[part] = self._graph.input(
            name, np.float32, ("state_batch", size), np.zeros((1, size), np.float32)
        )

    def step(self, state: str) -> str:
        """Take in the last layer's state (batch, hidden_size); return what the head reads, (batch, features)."""
        graph, parts = self._graph, []
        one, begun = graph.constant(1, np.float32), ""
        if "count" in self._before:
            begun = graph.add("Greater", self._before["count"], graph.constant(0, np.float32))
            # for as many sequences as the row has, also where the state is left out
            ones = graph.add("Mul", graph.slice(state, 1, 0, 1), graph.constant(0, np.float32))
            count = graph.add("Add", graph.add("Add", self._before["count"], one), ones)
            self._leave("count", count)
        for name in self._names:
            if name == "last":
                parts.append(state)
            elif name == "mean":
                total = self._leave("total", graph.add("Add", self._before["total"], state))
                parts.append(graph.add("Div", total, count))
            elif name == "max":
                higher = graph.add("Max", self._before["highest"], state)
                parts.append(self._leave("highest", graph.add("Where", begun, higher, state)))
            else:
                parts.append(self._attend(state, begun))
        return graph.concat(parts, 1)

    def _attend(self, state: str, begun: str) -> str:
        graph = self._graph
        score = graph.squeeze(attention_scores(graph, self._weights, graph.unsqueeze(state, 1)), 1)
        before = graph.add("Where", begun, self._before["top"], score)
        top = self._leave("top", graph.add("Max", before, score))
        keep = graph.add("Exp", graph.add("Sub", before, top))
        new = graph.add("Exp", graph.add("Sub", score, top))
        mass = self._leave("mass", graph.add("Add", graph.add("Mul", self._before["mass"], keep), new))
        kept = graph.add("Mul", self._before["weighted"], keep)
        total = self._leave("weighted", graph.add("Add", kept, graph.add("Mul", new, state)))
        return graph.add("Div", total, mass)

    def _leave(self, part: str, tensor: str) -> str:
        size = 1 if part in ("count", "mass", "top") else self._size
        self.after[f"{self._prefix}{part}"] = (tensor, size)
        return tensor
