"""What stands before the recurrence: the fronts of `recurra.kernels.fronts.front`, whole and one step at a time."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.recurrence import Stack, run, zero_state
from recurra.export.onnx.rows import Rows, with_lengths
from recurra.kernels.fronts.convolutions import folded
from recurra.kernels.fronts.front import front_weights
from recurra.kernels.fronts.small_cnn import WIDTHS
from recurra.kernels.fronts.text import LONGEST_RUN, MIX

Weights = Mapping[str, np.ndarray]


def apply_front(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    """Return what the recurrence reads."""
    front = network.get("front")
    if front is None:
        return rows
    if front["name"] not in FRONTS:
        raise UsageError(
            f"export: the front {front['name']!r} is not known to the exporter; update recurra, or train without it."
        )
    return FRONTS[front["name"]](graph, network, front_weights(weights), rows)


def _embedding(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    table = graph.constant(weights["weight"], name="front.weight")
    numbers = graph.cast(graph.squeeze(rows.values, 2), np.int64)
    return rows.within(graph, graph.add("Gather", table, numbers, axis=0))


def _patches(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    return rows.within(graph, graph.linear(rows.values, weights["weight"], weights["bias"], "front"))


def _convolution(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    """Two convolutions inside of each window, which is a row: channel after channel."""
    front, channels = network["front"], weights["weight"].shape[1]
    x = graph.reshape(rows.values, -1, channels, network["input_size"] // channels)
    for end, stride in (("", front["stride"]), ("_2", front["stride_2"])):
        x = _convolved(graph, x, weights[f"weight{end}"], weights[f"bias{end}"], strides=[stride])
    return rows.within(graph, _rows_again(graph, graph.reduce("ReduceMax", x, 2), rows))


def _convolved(graph: Graph, x: str, weight: np.ndarray, bias: np.ndarray, **attributes: Any) -> str:
    named = [graph.constant(weight, np.float32), graph.constant(bias, np.float32)]
    return graph.add("Relu", graph.add("Conv", x, *named, **attributes))


def _rows_again(graph: Graph, flat: str, rows: Rows) -> str:
    """Return values (batch * time, size) as (batch, time, size)."""
    first = graph.slice(graph.add("Shape", rows.values), 0, 0, 2)
    return graph.add("Reshape", flat, graph.concat([first, graph.constant([-1], np.int64)], 0))


def _convolutions(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    front = network["front"]
    for layer in folded(front, weights):
        before = layer.span if front["causal"] else layer.span // 2
        x = _convolved(
            graph,
            graph.transpose(rows.values, 0, 2, 1),
            _kernel(layer.weight, layer.kernel),
            layer.bias,
            dilations=[layer.dilation],
            pads=[before, layer.span - before],
        )
        # Zero after the end before the next layer looks there.
        rows = rows.within(graph, graph.transpose(x, 0, 2, 1))
    return rows


def _kernel(flat: np.ndarray, kernel: int) -> np.ndarray:
    """Return weights (filters, kernel * channels), step by step of the kernel, as (filters, channels, kernel)."""
    return flat.reshape(len(flat), kernel, -1).transpose(0, 2, 1)


def _text(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    front = network["front"]
    first = 1 if front["words"] else int(front["size"])
    parts = []
    if front["words"]:
        numbers = graph.cast(graph.squeeze(graph.slice(rows.values, 2, 0, 1), 2), np.int64)
        table = graph.constant(weights["words"], name="front.words")
        parts.append(graph.add("Gather", table, numbers, axis=0))
    elif first:
        parts.append(graph.slice(rows.values, 2, 0, first))
    if front["letters"] or front.get("subwords"):
        codes = graph.cast(graph.slice(rows.values, 2, first, None), np.int64)
        if front["letters"]:
            parts.append(_spelled(graph, weights, codes, rows))
        if front.get("subwords"):
            parts.append(_runs(graph, weights["subwords"], codes))
    return rows.within(graph, graph.concat(parts, 2))


def _spelled(graph: Graph, weights: Weights, codes: str, rows: Rows) -> str:
    """Return what the network that spells says of the letters (batch, time, letters) of each token."""
    shape = graph.concat([graph.constant([-1], np.int64), graph.size(codes, 2)], 0)
    flat = graph.add("Reshape", codes, shape)
    there = graph.cast(graph.add("Greater", flat, graph.constant(0, np.int64)), np.int64)
    lengths = graph.add("Max", graph.reduce("ReduceSum", there, 1), graph.constant(1, np.int64))
    letters = graph.add("Gather", graph.constant(weights["letters"], name="front.letters"), flat, axis=0)
    stack = Stack("gru", weights, 1, True, prefix="spelling.", name="front.spelling")
    read = with_lengths(graph, letters, lengths)
    _, final = run(graph, read, stack, zero_state(graph, letters, stack))
    return _rows_again(graph, graph.reshape(graph.transpose(final["h"], 1, 0, 2), 0, -1), rows)


def _runs(graph: Graph, table: np.ndarray, codes: str) -> str:
    """Return the mean vector of the runs of 1 to 5 letters of each token, as `runs_of_letters` finds their rows."""
    named = graph.constant(table, name="front.subwords")
    zero, one = (graph.constant(number, np.int64) for number in (0, 1))
    rows_of_table = graph.constant(len(table) - 1, np.int64)
    hashed, total, count = graph.add("Mul", codes, zero), "", ""
    for length in range(1, LONGEST_RUN + 1):
        letters = graph.slice(codes, 2, length - 1, None)
        if length > 1:
            hashed = graph.slice(hashed, 2, 0, -1)
        hashed = _times(graph, _exclusive_or(graph, hashed, letters))
        hashed = _exclusive_or(graph, hashed, graph.add("Div", hashed, graph.constant(2**15, np.int64)))
        row = graph.add("Add", graph.add("Mod", hashed, rows_of_table), one)
        there = graph.add("Greater", letters, zero)
        # Row 0 of the table is that of nothing.
        found = graph.add("Gather", named, graph.add("Where", there, row, zero), axis=0)
        own = graph.reduce("ReduceSum", found, 2)
        some = graph.reduce("ReduceSum", graph.cast(there, np.float32), 2, keep=True)
        total = graph.add("Add", total, own) if total else own
        count = graph.add("Add", count, some) if count else some
    return graph.add("Div", total, graph.add("Max", count, graph.constant(1, np.float32)))


def _times(graph: Graph, number: str) -> str:
    """Return number * MIX modulo 2 ** 32, in parts that fit signed numbers of 64 bits."""
    low, high = int(MIX) % 2**16, int(MIX) // 2**16
    half, whole = graph.constant(2**16, np.int64), graph.constant(2**32, np.int64)
    upper = graph.add("Mod", graph.add("Mul", number, graph.constant(high, np.int64)), half)
    lower = graph.add("Mul", number, graph.constant(low, np.int64))
    return graph.add("Mod", graph.add("Add", lower, graph.add("Mul", upper, half)), whole)


def _exclusive_or(graph: Graph, a: str, b: str) -> str:
    """Return the bits in which whole numbers of 32 bits differ; the operator for it came with opset 18."""
    powers = graph.constant(2 ** np.arange(32, dtype=np.int64))
    two = graph.constant(2, np.int64)
    bits = [graph.add("Mod", graph.add("Div", graph.unsqueeze(number, 3), powers), two) for number in (a, b)]
    differ = graph.add("Mod", graph.add("Add", *bits), two)
    return graph.reduce("ReduceSum", graph.add("Mul", differ, powers), 3)


def _small_cnn(graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows) -> Rows:
    size = int(network["front"]["image_size"])
    x = graph.transpose(graph.reshape(rows.values, -1, size, size, 3), 0, 3, 1, 2)
    for layer in range(1, len(WIDTHS)):
        named = weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"]
        x = _convolved(graph, x, *named, strides=[2, 2], pads=[1, 1, 1, 1])
    flat = graph.reshape(x, 0, -1)
    seen = graph.add(
        "Relu", graph.linear(flat, weights["linear.weight"], weights["linear.bias"], "front.linear")
    )
    return rows.within(graph, _rows_again(graph, seen, rows))


FRONTS: Mapping[str, Callable[[Graph, Mapping[str, Any], Weights, Rows], Rows]] = {
    "embedding": _embedding,
    "patches": _patches,
    "convolution": _convolution,
    "convolutions": _convolutions,
    "text": _text,
    "small_cnn": _small_cnn,
}


def step_front(
    graph: Graph, network: Mapping[str, Any], weights: Weights, rows: Rows, prefix: str
) -> tuple[Rows, dict[str, tuple[str, tuple[int, ...]]]]:
    """Return what the recurrence reads of one row (batch, 1, channels), and what the front remembers after it.

    Returns
    -------
    Rows
    dict of str to (str, tuple of int)
        Each part of the state, which begins at zero: its tensor and its shape without the batch.
    """
    front = network.get("front")
    if front is None or front["name"] != "convolutions":
        return apply_front(graph, network, weights, rows), {}
    after: dict[str, tuple[str, tuple[int, ...]]] = {}
    values = rows.values
    for index, layer in enumerate(folded(front, front_weights(weights))):
        channels = layer.weight.shape[1] // layer.kernel
        shape = (layer.span, channels)
        if layer.span:
            name = f"{prefix}seen_{index}"
            before = graph.input(name, np.float32, ("state_batch", *shape), np.zeros((1, *shape), np.float32))
            batch = graph.concat([graph.size(values, 0), graph.constant(shape, np.int64)], 0)
            values = graph.concat([graph.add("Expand", before, batch), values], 1)
            after[name] = (graph.slice(values, 1, 1, None), shape)
        kernel = _kernel(layer.weight, layer.kernel)
        x = _convolved(
            graph, graph.transpose(values, 0, 2, 1), kernel, layer.bias, dilations=[layer.dilation]
        )
        values = graph.transpose(x, 0, 2, 1)
    return Rows(values, None, None), after
