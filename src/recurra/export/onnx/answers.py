"""What the outputs of the members become: probabilities and labels, numbers and quantiles, scores of a chain of labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.export.onnx.rows import Rows
from recurra.features.rows.alignment import Alignment
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.streams.ensemble import LEAST


@dataclass(frozen=True)
class Answered:
    """An output of the graph.

    Parameters
    ----------
    name : str
    tensor : str
    dtype : type
    shape : tuple
        Behind the batch, or behind batch and time.
    past_end : number
        What stands after the end of a sequence, where there is an answer per step.
    """

    name: str
    tensor: str
    dtype: type
    shape: tuple[int, ...]
    past_end: float = 0


def together(graph: Graph, outputs: Sequence[str], *, probabilities: bool) -> str:
    """Return what several members answer, in the form of one network's outputs; see `mean_of`."""
    if len(outputs) == 1:
        return outputs[0]
    if probabilities:
        outputs = [graph.add("Softmax", own, axis=-1) for own in outputs]
    total = graph.cast(outputs[0], np.float64)
    for own in outputs[1:]:
        total = graph.add("Add", total, graph.cast(own, np.float64))
    mean = graph.add("Div", total, graph.constant(len(outputs), np.float64))
    if probabilities:
        mean = graph.add("Log", graph.add("Max", mean, graph.constant(LEAST, np.float64)))
    return graph.cast(mean, np.float32)


def at_steps(graph: Graph, outputs: str, given: Rows, rows: Rows, alignment: Alignment) -> str:
    """Return for each row of the input the outputs (batch, rows, n) of the window whose middle is nearest to it."""
    assert given.lengths is not None
    assert rows.lengths is not None
    time = graph.squeeze(graph.size(given.values, 1), 0)
    zero = graph.constant(0, np.int64)
    steps = graph.add("Range", zero, time, graph.constant(1, np.int64))
    twice = graph.add("Mul", steps, graph.constant(2, np.int64))
    moved = graph.add("Add", twice, graph.constant(alignment.hop - alignment.window + 1, np.int64))
    # Before the first middle the first row stands; a division that rounds towards 0 changes nothing above it.
    nearest = graph.add("Div", graph.add("Max", moved, zero), graph.constant(2 * alignment.hop, np.int64))
    last = graph.add("Max", graph.add("Sub", rows.lengths, graph.constant(1, np.int64)), zero)
    places = graph.add("Min", graph.unsqueeze(nearest, 0), graph.unsqueeze(last, 1))
    return graph.add("GatherND", outputs, graph.unsqueeze(places, 2), batch_dims=1)


def answers(graph: Graph, model: FittedModel, outputs: str) -> list[Answered]:
    """Return what a model answers.

    Parameters
    ----------
    outputs : str
        Of the network, before softmax or scaling: (batch, outputs), or (batch, time, outputs).
    """
    network = model.manifest["network"]
    size = int(network["output_size"])
    if network.get("crf"):
        tables = []
        for name in ("transitions", "begin", "end"):
            array = model.weights[f"crf.{name}"]
            tables.append(Answered(name, graph.constant(array, np.float32), np.float32, array.shape))
        return [Answered("scores", outputs, np.float32, (size,)), *tables]
    if model.task != "regression":
        shares = graph.add("Softmax", outputs, axis=-1)
        label = graph.add("ArgMax", outputs, axis=-1, keepdims=0)
        no_answer = graph.squeeze(graph.add("IsNaN", graph.slice(outputs, -1, 0, 1)), -1)
        label = graph.add("Where", no_answer, graph.constant(-1, np.int64), label)
        return [
            Answered("probabilities", shares, np.float32, (size,)),
            Answered("label", label, np.int64, (), past_end=-1),
        ]
    return _numbers(graph, model, outputs, leading=2 if network["pooling"] == "none" else 1)


def _numbers(graph: Graph, model: FittedModel, outputs: str, leading: int) -> list[Answered]:
    target = model.manifest["target"]
    center, spread = (np.asarray(target[word], np.float64) for word in ("center", "spread"))
    quantiles = target.get("quantiles", ())
    found: list[Answered] = []
    if len(quantiles):
        count = len(quantiles)
        each = graph.reshape(outputs, *[0] * leading, -1, count)
        each = graph.several(
            "TopK", each, graph.constant([count], np.int64), count=2, axis=-1, largest=0, sorted=1
        )[0]
        named = _in_units(graph, each, center[:, None], spread[:, None])
        found.append(Answered("quantiles", named, np.float32, (len(center), count)))
        outputs = _middle(graph, each, quantiles, leading + 1)
    return [
        Answered("value", _in_units(graph, outputs, center, spread), np.float32, (len(center),)),
        *found,
    ]


def _middle(graph: Graph, each: str, quantiles: Sequence[float], axis: int) -> str:
    """Return the median of rising quantiles along an axis, interpolated; see `middle` of the model."""
    at = float(np.interp(0.5, quantiles, np.arange(len(quantiles))))
    low, high = int(np.floor(at)), int(np.ceil(at))
    share = np.float32(at - low)
    parts = [graph.squeeze(graph.slice(each, axis, place, place + 1), axis) for place in (low, high)]
    if low == high:
        return parts[0]
    lower = graph.add("Mul", parts[0], graph.constant(np.float32(1) - share))
    return graph.add("Add", lower, graph.add("Mul", parts[1], graph.constant(share)))


def _in_units(graph: Graph, outputs: str, center: np.ndarray, spread: np.ndarray) -> str:
    exact = graph.add("Mul", graph.cast(outputs, np.float64), graph.constant(spread))
    return graph.cast(graph.add("Add", exact, graph.constant(center)), np.float32)
