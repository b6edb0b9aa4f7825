"""Layer-normalized LSTM and GRU, for which ONNX has no operator: the cell spelled out inside of a Scan over the steps.

Equations in `recurra.kernels.cells.cell_variants`. What does not depend on the state is computed for all steps before. A
step beyond the end of its sequence hands the state on, so a Scan that goes backwards begins each sequence at its own end.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.kernels.cell import EPSILON, Variant

Weights = Mapping[str, np.ndarray]


def scanned(
    graph: Graph,
    variant: Variant,
    values: str,
    weights: Weights,
    states: Sequence[str],
    *,
    valid: str | None,
    reverse: bool,
    name: str,
) -> tuple[str, list[str]]:
    """Run a layer in one direction.

    Parameters
    ----------
    variant : Variant
        With ``layer_norm``.
    values : str
        Of shape (time, batch, input_size).
    weights : mapping of str to ndarray
        By their kernel names.
    states : list of str
        h and, of the LSTM, c before the first step: (batch, hidden_size).
    valid : str or None
        bool of shape (time, batch, 1); None where every step counts.
    name : str
        What the constants are called in the file.

    Returns
    -------
    str
        h after each step: (time, batch, hidden_size).
    list of str
        ``states`` after the last step.
    """
    from onnx import TensorProto, ValueInfoProto, helper

    size = weights["weight_hh"].shape[1]
    product = graph.linear(values, weights["weight_ih"], None, f"{name}.W")
    gates = variant.cell.blocks
    blocks = [(gates - 1) * size, size] if variant.cell.split_candidate else [gates * size]
    product = _normalized_blocks(graph, product, weights["gain_ih"], blocks)
    product = graph.add("Add", product, graph.constant(weights["bias_ih"]))
    body = graph.inner()
    before = [f"{name}.{part}" for part in ("h", "c")[: len(states)]]
    step = _lstm if variant.base == "lstm" else _gru
    after = step(body, weights, before, f"{name}.product", f"{name}.R")
    scans = [f"{name}.product"]
    if valid is not None:
        scans.append(f"{name}.valid")
        after = [body.add("Where", scans[1], new, old) for new, old in zip(after, before, strict=True)]
    shown = body.add("Identity", after[0])

    def info(tensor: str, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
        return helper.make_tensor_value_info(tensor, kind, [None, None])

    inputs = [info(one) for one in [*before, scans[0]]]
    inputs += [info(one, TensorProto.BOOL) for one in scans[1:]]
    inner = helper.make_graph(body.nodes, name, inputs, [info(one) for one in [*after, shown]])
    *last, along = graph.several(
        "Scan",
        *states,
        product,
        *([] if valid is None else [valid]),
        count=len(states) + 1,
        body=inner,
        num_scan_inputs=len(scans),
        scan_input_directions=[int(reverse)] * len(scans),
        scan_output_directions=[int(reverse)],
    )
    return along, last


def _normalized(graph: Graph, tensor: str) -> str:
    """Return a tensor (..., n) less its mean, over its standard deviation, along the last axis."""
    away = graph.add("Sub", tensor, graph.reduce("ReduceMean", tensor, -1, keep=True))
    variance = graph.reduce("ReduceMean", graph.add("Mul", away, away), -1, keep=True)
    root = graph.add("Sqrt", graph.add("Add", variance, graph.constant(EPSILON, np.float32)))
    return graph.add("Div", away, root)


def _normalized_blocks(graph: Graph, tensor: str, gain: np.ndarray, blocks: Sequence[int]) -> str:
    """Return blocks of so many columns, each normalized by itself, times the gain."""
    parts, first = [], 0
    for size in blocks:
        one = tensor if len(blocks) == 1 else graph.slice(tensor, -1, first, first + size)
        parts.append(_normalized(graph, one))
        first += size
    return graph.add("Mul", graph.concat(parts, -1), graph.constant(gain))


def _parts(graph: Graph, tensor: str, count: int, size: int) -> list[str]:
    return [graph.slice(tensor, 1, place * size, (place + 1) * size) for place in range(count)]


def _lstm(graph: Graph, weights: Weights, states: Sequence[str], product: str, name: str) -> list[str]:
    """Return h and c after a step from those before it and the product of its input."""
    h, c = states
    size = weights["weight_hh"].shape[1]
    own = graph.linear(h, weights["weight_hh"], None, name)
    own = _normalized_blocks(graph, own, weights["gain_hh"], [4 * size])
    own = graph.add("Add", own, graph.constant(weights["bias_hh"]))
    i, f, g, o = _parts(graph, graph.add("Add", product, own), 4, size)
    i, f, o = (graph.add("Sigmoid", gate) for gate in (i, f, o))
    kept, new = graph.add("Mul", f, c), graph.add("Mul", i, graph.add("Tanh", g))
    c = graph.add("Add", kept, new)
    inside = graph.add("Mul", _normalized(graph, c), graph.constant(weights["gain_c"]))
    inside = graph.add("Add", inside, graph.constant(weights["bias_c"]))
    return [graph.add("Mul", o, graph.add("Tanh", inside)), c]


def _gru(graph: Graph, weights: Weights, states: Sequence[str], product: str, name: str) -> list[str]:
    """Return h after a step from that before it and the product of its input."""
    (h,) = states
    size = weights["weight_hh"].shape[1]
    own = graph.linear(h, weights["weight_hh"], None, name)
    own = _normalized_blocks(graph, own, weights["gain_hh"], [2 * size, size])
    own = graph.add("Add", own, graph.constant(weights["bias_hh"]))
    (r, z, n), (r_own, z_own, n_own) = (_parts(graph, one, 3, size) for one in (product, own))
    r, z = (graph.add("Sigmoid", graph.add("Add", a, b)) for a, b in ((r, r_own), (z, z_own)))
    n = graph.add("Tanh", graph.add("Add", n, graph.add("Mul", r, n_own)))
    away = graph.add("Mul", z, graph.add("Sub", h, n))
    return [graph.add("Add", n, away)]
