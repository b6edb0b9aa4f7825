"""The linear part of a model: a summary of the whole sequence, with the bits of `recurra.serving.summaries`.

A share counts at how many steps a response exceeds a threshold, so a response that is off by its last bit may change it.
Every sum is therefore written out in the order of `recurra.kernels.fronts.random_kernels`: tap after tap, element by
element, which rounds alike everywhere.
"""

from collections.abc import Sequence

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.export.onnx.rows import Rows, interpolated, stretched, zeroed
from recurra.export.onnx.shapelets import nearest
from recurra.kernels.fronts.random_kernels import KERNELS, N_KERNELS, TAPS
from recurra.serving.models.wide import SUREST, Wide
from recurra.serving.random_kernels import RandomKernels
from recurra.serving.summaries import Summary


def mixed(graph: Graph, wide: Wide, outputs: str, own: str, *, probabilities: bool) -> str:
    """Return the outputs of a model (batch, outputs) for those of its network and of `scores`; see `Wide.mixed`."""
    if probabilities:
        sure = graph.add("Softmax", outputs, axis=-1)
        outputs = graph.add("Log", graph.add("Max", sure, graph.constant(SUREST)))
    share = np.float32(wide.share)
    ours = graph.add("Mul", own, graph.constant(share))
    return graph.add("Add", ours, graph.add("Mul", outputs, graph.constant(np.float32(1) - share)))


def limited(graph: Graph, wide: Wide, own: str) -> str:
    """Return the answers of a linear part (batch, outputs) within its limits, where it has some; see `Wide.scores`."""
    if wide.limits is None:
        return own
    least, largest = (graph.constant(limit, np.float32) for limit in wide.limits)
    return graph.add("Min", graph.add("Max", own, least), largest)


def scores(graph: Graph, wide: Wide, rows: Rows, static: str | None = None) -> str:
    """Return what the linear map answers, not yet within limits: (batch, outputs).

    Parameters
    ----------
    rows : Rows
        What the network reads before its front, without static inputs.
    static : str, optional
        What the network reads of static inputs: (batch, static_size).
    """
    summary = wide.features
    assert isinstance(summary, Summary)
    given, width = rows, len(summary.spread)
    if summary.view.marked:
        rows = interpolated(graph, rows, width)
    if summary.view.length is not None:
        rows = stretched(graph, rows, summary.view.length)
    parts, columns = [], []
    first = 0
    moved = _changes(graph, rows, summary.spread)
    for kernels, values in ((summary.values, rows.values), (summary.changes, moved)):
        found, own = _shares(graph, kernels, rows, values)
        parts += found
        columns += [np.where(places < 0, -1, places + first) for places in own]
        first += kernels.size
    parts += [_length(graph, given), _statistics(graph, rows)]
    if summary.view.marked:
        parts.append(graph.cast(_mean(graph, given, graph.slice(given.values, 2, width, None)), np.float32))
    size = first + 1 + (5 if summary.view.marked else 4) * width
    columns.append(np.arange(first, size))
    places = np.concatenate(columns)
    order = np.empty(size, np.int64)
    order[places[places >= 0]] = np.flatnonzero(places >= 0)
    numbers = graph.gather(graph.concat(parts, 1), order, 1)
    if static is not None:
        numbers = _beside_static(graph, summary, numbers, first, static)
    if summary.shapelets is not None:
        numbers = graph.concat([numbers, nearest(graph, summary.shapelets, rows)], 1)
    weight = graph.constant(wide.weight.T, name="wide.weight")
    return summed(graph, graph.add("Mul", graph.unsqueeze(numbers, 2), weight), wide.bias)


def _beside_static(graph: Graph, summary: Summary, numbers: str, shares: int, static: str) -> str:
    """Return numbers with what static inputs add to them; see `Summary`."""
    times = graph.gather(static, np.arange(shares) % summary.static_size, 1)
    each = graph.add("Mul", graph.slice(numbers, 1, 0, shares), times)
    statistics = graph.unsqueeze(graph.slice(numbers, 1, shares, None), 1)
    outer = graph.reshape(graph.add("Mul", graph.unsqueeze(static, 2), statistics), 0, -1)
    return graph.concat([numbers, each, static, outer], 1)


def summed(graph: Graph, products: str, bias: np.ndarray) -> str:
    """Return products (batch, features, outputs), at least one, summed as recurra sums them: the bias, then one by one.

    In any other order the sums of thousands of float32 numbers were up to 7e-5 away on the Japanese vowels.
    """
    like = graph.add("Mul", graph.slice(products, 1, 0, 1), graph.constant(0, np.float32))
    first = graph.add("Add", like, graph.constant(bias, np.float32, name="wide.bias"))
    sums = graph.add("CumSum", graph.concat([first, products], 1), graph.constant(1, np.int64))
    return graph.squeeze(graph.slice(sums, 1, -1, None), 1)


def _changes(graph: Graph, rows: Rows, spread: np.ndarray) -> str:
    """Return how far each row lies from the one before, divided by the spread; 0 for the first."""
    before = graph.concat(
        [
            graph.slice(rows.values, 1, 0, 1),
            graph.slice(graph.pad(rows.values, (0, 1, 0), (0, 0, 0)), 1, 1, -1),
        ],
        1,
    )
    away = graph.add("Div", graph.add("Sub", rows.values, before), graph.constant(spread))
    return zeroed(graph, away, rows.valid)


def _shares(
    graph: Graph, kernels: RandomKernels, rows: Rows, values: str
) -> tuple[list[str], list[np.ndarray]]:
    """Return tensors of shares (batch, n), and of each which number of the vector stands where; -1 for none."""
    assert rows.valid is not None
    assert rows.lengths is not None
    x = graph.transpose(values, 0, 2, 1)
    # One channel more, of zeros: it is the last, and so the one of number -1, which stands for none.
    x = graph.pad(x, (0, 0, 0), (0, 1, 0))
    valid = graph.unsqueeze(graph.transpose(rows.valid, 0, 2, 1), 3)
    steps = graph.cast(graph.add("Max", rows.lengths, graph.constant(1, np.int64)), np.float32)
    steps = graph.unsqueeze(steps, 1)
    firsts = np.cumsum([0, *(limits.size for limits in kernels.thresholds)])
    found, columns = [], []
    for dilation in dict.fromkeys(kernels.dilations):
        banks = [bank for bank, own in enumerate(kernels.dilations) if own == dilation]
        channels = _filled([kernels.channels[bank] for bank in banks], -1).astype(np.int64)
        limits = _filled([kernels.thresholds[bank] for bank in banks], np.inf)
        places = _filled(
            [
                firsts[bank] + np.arange(kernels.thresholds[bank].size).reshape(N_KERNELS, -1)
                for bank in banks
            ],
            -1,
        ).astype(np.int64)
        response = _responses(graph, x, channels, int(dilation))
        above = graph.add(
            "Greater", graph.unsqueeze(response, 3), graph.constant(limits[:, None], np.float32)
        )
        counted = graph.cast(graph.add("And", above, valid), np.float32)
        shares = graph.reshape(graph.reduce("ReduceSum", counted, 2), 0, -1)
        found.append(graph.add("Div", shares, steps))
        columns.append(places.reshape(-1))
    return found, columns


def _filled(arrays: Sequence[np.ndarray], value: float) -> np.ndarray:
    """Return arrays (84, n) of unequal n one below the other, filled up at their ends."""
    width = max(array.shape[1] for array in arrays)
    padded = [
        np.pad(a.astype(np.float64), ((0, 0), (0, width - a.shape[1])), constant_values=value) for a in arrays
    ]
    return np.concatenate(padded)


def _responses(graph: Graph, x: str, channels: np.ndarray, dilation: int) -> str:
    """Return the kernels over x (batch, channels, time), summed as `convolved` does: (batch, kernels, time)."""
    reach = dilation * (TAPS // 2)
    padded = graph.pad(x, (0, 0, reach), (0, 0, reach))
    seen = graph.gather(padded, channels[:, 0], 1)
    for place in range(1, channels.shape[1]):
        seen = graph.add("Add", seen, graph.gather(padded, channels[:, place], 1))
    large = np.zeros((N_KERNELS, TAPS), np.float32)
    large[np.arange(N_KERNELS)[:, None], KERNELS] = 1
    large = np.tile(large, (len(channels) // N_KERNELS, 1))
    total, three = "", ""
    for tap in range(TAPS):
        stop = None if tap == TAPS - 1 else (tap - TAPS + 1) * dilation
        one = graph.slice(seen, 2, tap * dilation, stop)
        total = graph.add("Add", total, one) if total else one
        # Adding 0 changes no number: this is the sum of the three taps in their order.
        chosen = graph.add("Mul", one, graph.constant(large[:, tap, None]))
        three = graph.add("Add", three, chosen) if three else chosen
    return graph.add("Sub", graph.add("Mul", three, graph.constant(3, np.float32)), total)


def _steps(graph: Graph, rows: Rows) -> str:
    """Return how many steps each sequence has, at least one: float64 of shape (batch, 1)."""
    assert rows.lengths is not None
    steps = graph.cast(graph.add("Max", rows.lengths, graph.constant(1, np.int64)), np.float64)
    return graph.unsqueeze(steps, 1)


def _length(graph: Graph, rows: Rows) -> str:
    """Return the logarithm of the length of each sequence: (batch, 1)."""
    return graph.cast(graph.add("Log", _steps(graph, rows)), np.float32)


def _mean(graph: Graph, rows: Rows, values: str) -> str:
    """Return the mean of values that are zero after the end: float64 of shape (batch, channels)."""
    exact = graph.cast(values, np.float64)
    return graph.add("Div", graph.reduce("ReduceSum", exact, 1), _steps(graph, rows))


def _statistics(graph: Graph, rows: Rows) -> str:
    """Return mean, deviation, smallest and largest of each channel: (batch, 4 * channels)."""
    assert rows.valid is not None
    exact = graph.cast(rows.values, np.float64)
    mean = _mean(graph, rows, rows.values)
    away = zeroed(graph, graph.add("Sub", exact, graph.unsqueeze(mean, 1)), rows.valid, np.float64)
    squares = graph.reduce("ReduceSum", graph.add("Mul", away, away), 1)
    deviation = graph.add("Sqrt", graph.add("Div", squares, _steps(graph, rows)))
    ends = []
    for operator, end in (("ReduceMin", np.inf), ("ReduceMax", -np.inf)):
        inside = graph.add("Where", rows.valid, rows.values, graph.constant(end, np.float32))
        ends.append(graph.reduce(operator, inside, 1))
    return graph.concat([graph.cast(mean, np.float32), graph.cast(deviation, np.float32), *ends], 1)
