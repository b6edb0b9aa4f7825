"""How near shapelets come to windows of a sequence, with the bits of `recurra.kernels.fronts.shapelets`.

A window is near or not, and the nearest or not, by the last bit of its distance, so all sums are written out in one order:
channel after channel, tap after tap, as running sums of which the last is taken.
"""

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.export.onnx.rows import Rows
from recurra.kernels.fronts.shapelets import LEAST_DEVIATION
from recurra.serving.shapelets import Bank, Shapelets


def nearest(graph: Graph, shapelets: Shapelets, rows: Rows) -> str:
    """Return the vectors of `Shapelets.transform`: (batch, size).

    Parameters
    ----------
    rows : Rows
        What the network reads before its front, without static inputs.
    """
    assert rows.lengths is not None
    lengths = graph.unsqueeze(graph.add("Max", rows.lengths, graph.constant(1, np.int64)), 1, 2)
    furthest = max(_reach(bank) for bank in shapelets.banks)
    x = _with_last_row(graph, rows.values, lengths, furthest)
    places = graph.add(
        "Range",
        graph.constant(0, np.int64),
        graph.squeeze(graph.size(rows.values, 1), 0),
        graph.constant(1, np.int64),
    )
    parts, seen, of = [], "", (0, 0)
    for bank in shapelets.banks:
        taps = bank.values.shape[2]
        if of != (bank.dilation, taps):
            of, seen = (bank.dilation, taps), _windows(graph, x, bank.dilation, taps, furthest)
        count = graph.add(
            "Max",
            graph.add("Sub", lengths, graph.constant(_reach(bank), np.int64)),
            graph.constant(1, np.int64),
        )
        inside = graph.add("Less", places, count)
        own = _alike(graph, seen, taps) if bank.normalized else seen
        parts += _numbers(graph, _distances(graph, own, bank), inside, count, bank.limits)
    return graph.concat(parts, 1)


def _reach(bank: Bank) -> int:
    return (bank.values.shape[2] - 1) * bank.dilation


def _with_last_row(graph: Graph, values: str, lengths: str, steps: int) -> str:
    """Return (batch, channels + 1, time + steps): after the end the last row again, and one channel more, of zeros."""
    x = graph.pad(graph.transpose(values, 0, 2, 1), (0, 0, 0), (0, 1, steps))
    places = graph.add(
        "Range", graph.constant(0, np.int64), graph.squeeze(graph.size(x, 2), 0), graph.constant(1, np.int64)
    )
    at_end = graph.add("Equal", places, graph.add("Sub", lengths, graph.constant(1, np.int64)))
    nothing = graph.constant(0, np.float32)
    last = graph.reduce("ReduceSum", graph.add("Where", at_end, x, nothing), 2, keep=True)
    return graph.add("Where", graph.add("Less", places, lengths), x, last)


def _windows(graph: Graph, x: str, dilation: int, taps: int, furthest: int) -> str:
    """Return (batch, channels + 1, taps, time), of which those that begin too late mean nothing."""
    steps = []
    for tap in range(taps):
        moved = tap * dilation
        one = graph.slice(x, 2, moved, moved - furthest if moved < furthest else None)
        steps.append(graph.unsqueeze(one, 2))
    return graph.concat(steps, 2)


def _alike(graph: Graph, seen: str, taps: int) -> str:
    """Return windows with mean 0 and deviation 1."""
    exact, count = graph.cast(seen, np.float64), graph.constant(taps, np.float64)
    away = graph.add("Sub", exact, graph.add("Div", _summed(graph, exact), count))
    variance = graph.add("Div", _summed(graph, graph.add("Mul", away, away)), count)
    deviation = graph.add("Sqrt", variance)
    moves = graph.add("Greater", deviation, graph.constant(LEAST_DEVIATION, np.float64))
    deviation = graph.add("Where", moves, deviation, graph.constant(1, np.float64))
    return graph.cast(graph.add("Div", away, deviation), np.float32)


def _summed(graph: Graph, tensor: str) -> str:
    """Return the sum over axis 2, one by one, with that axis kept."""
    return graph.slice(graph.add("CumSum", tensor, graph.constant(2, np.int64)), 2, -1, None)


def _distances(graph: Graph, seen: str, bank: Bank) -> str:
    """Return the distance of each shapelet to each window: (batch, shapelets, time)."""
    total = ""
    for place in range(bank.channels.shape[1]):
        # The channel of number -1 is the last, of zeros, and stands for none.
        own = graph.gather(seen, bank.channels[:, place], 1)
        away = graph.add("Sub", graph.constant(bank.values[:, place, :, None]), own)
        away = graph.add("Abs", away)
        total = _summed(graph, graph.concat([total, away], 2) if total else away)
    return graph.squeeze(total, 2)


def _numbers(graph: Graph, distances: str, inside: str, count: str, limits: np.ndarray) -> list[str]:
    """Return how near the nearest windows are, where they stand, and the share nearer than the limit, each (batch, n)."""
    windows = graph.cast(graph.squeeze(count, 2), np.float32)
    limit = graph.constant(limits)
    within = graph.add("Where", inside, distances, graph.constant(np.inf, np.float32))
    least = graph.reduce("ReduceMin", within, 2)
    nearness = graph.add("Div", limit, graph.add("Add", limit, least))
    place = graph.cast(graph.add("ArgMin", within, axis=2, keepdims=0), np.float32)
    near = graph.cast(graph.add("Less", within, graph.constant(limits[:, None])), np.float32)
    shares = graph.reduce("ReduceSum", near, 2)
    return [nearness, graph.add("Div", place, windows), graph.add("Div", shares, windows)]
