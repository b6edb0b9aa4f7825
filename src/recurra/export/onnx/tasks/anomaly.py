"""The graph of an anomaly detector: raw samples go in, a score for each step comes out; see `AnomalyModel`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.export.model.agreement import MOST_SEQUENCES, MOST_STEPS, Agreement
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.pooling import LOWEST
from recurra.export.onnx.recurrence import Stack, run, zero_state
from recurra.export.onnx.rows import Rows, ragged, unanswerable, with_lengths, zeroed
from recurra.export.onnx.tasks.part import Part, Run, relative
from recurra.features.windows.sample_blocks import LEAST_ROUGHNESS, Blocks
from recurra.serving.models.anomaly_model import AnomalyModel


def part(model: AnomalyModel, opset: int) -> Part:
    """Return the one graph of a detector.

    Raises
    ------
    UsageError
        If distances to normal windows count beside the network, or it does not look at values.
    """
    if model.neighbours is not None:
        raise UsageError(
            "export: the distances to normal windows that this detector keeps beside its network have no graph; train with "
            "neighbours=False to export it."
        )
    if model.blocks.view != "values":
        raise UsageError(
            f"export: what this detector looks at, {model.blocks.view}, has no graph; train with view='values' to export it."
        )
    manifest = model.manifest
    facts = {
        "task": "anomaly",
        "estimator": manifest["estimator"],
        "threshold": model.threshold,
        "channel_names": manifest.get("channel_names"),
        "input": "raw sequences",
    }

    def check(runner: Run, sequences: Sequence[Any] | None) -> Agreement:
        return _checked(model, runner, sequences)

    return Part("", detector_graph(model, opset), facts, check)


def detector_graph(model: AnomalyModel, opset: int) -> Graph:
    """Return the graph: ``x`` (batch, time, channels), ``lengths``; ``score`` and ``label`` (batch, time).

    A label is 1 where the score is above the threshold, 0 where not, -1 after the end. A sequence that holds NaN or infinity
    is scored NaN, and its labels are -1.
    """
    graph, blocks, manifest = Graph(opset), model.blocks, model.manifest
    x = graph.input("x", np.float32, ("batch", "time", blocks.n_channels))
    given = ragged(graph, x, graph.input("lengths", np.int64, ("batch",)))
    exact = graph.cast(given.values, np.float64)
    moved = graph.add("Sub", exact, graph.constant(blocks.center, np.float64, name="blocks.center"))
    scaled = graph.add("Div", moved, graph.constant(blocks.spread, np.float64, name="blocks.spread"))
    said = _said(graph, model, _rows(graph, blocks, given, scaled))
    if manifest["method"] == "planted":
        shape = graph.concat([graph.add("Shape", said), graph.constant([blocks.size], np.int64)], 0)
        each = graph.reshape(graph.add("Expand", graph.unsqueeze(said, 3), shape), 0, -1, 1)
        score = graph.squeeze(graph.cast(_steps_of(graph, each, given), np.float64), 2)
    else:
        said = graph.cast(said, np.float64)
        score = _errors(graph, blocks, given, scaled, said, ahead=manifest["method"] == "forecaster")
        score = graph.add("Div", score, graph.constant(float(manifest["error_spread"]), np.float64))
        score = _mean_around(graph, given, score, int(manifest["smooth"]))
    score = _highest_around(graph, given, score, int(manifest["reach"]))
    assert given.valid is not None
    above = graph.add("Greater", score, graph.constant(model.threshold, np.float32))
    within = graph.squeeze(given.valid, 2)
    marks = unanswerable(graph, given, takes_missing=False)
    score = graph.add("Where", within, graph.add("Add", score, marks), score)
    answered = graph.add("And", within, graph.add("Not", graph.add("IsNaN", marks)))
    label = graph.add("Where", answered, graph.cast(above, np.int64), graph.constant(-1, np.int64))
    graph.output("score", score, np.float32, ("batch", "time"))
    graph.output("label", label, np.int64, ("batch", "time"))
    return graph


def _said(graph: Graph, model: AnomalyModel, rows: Rows) -> str:
    """Return what the network says of every block: (batch, blocks, outputs)."""
    network, weights = model.manifest["network"], model.weights
    stack = Stack(network["cell"], weights, network["num_layers"], network["bidirectional"])
    states, _ = run(graph, rows, stack, zero_state(graph, rows.values, stack))
    return graph.linear(states.values, weights["head.weight"], weights["head.bias"], "head")


def _rows(graph: Graph, blocks: Blocks, given: Rows, scaled: str) -> Rows:
    """Return what the network reads: the samples of each block, the last filled up, and how rough it is."""
    assert given.lengths is not None
    size, one, zero = (graph.constant(number, np.int64) for number in (blocks.size, 1, 0))

    def count(steps: str) -> str:
        return graph.add("Div", graph.add("Add", steps, graph.constant(blocks.size - 1, np.int64)), size)

    steps = graph.squeeze(graph.size(given.values, 1), 0)
    samples = graph.add("Range", zero, graph.add("Mul", count(steps), size), one)
    last = graph.add("Max", graph.add("Sub", given.lengths, one), zero)
    places = graph.unsqueeze(graph.add("Min", graph.unsqueeze(samples, 0), graph.unsqueeze(last, 1)), 2)
    before = graph.concat([graph.slice(scaled, 1, 0, 1), graph.slice(scaled, 1, 0, -1)], 1)
    changes = graph.add("Abs", graph.add("Sub", scaled, before))
    samples, changes = (graph.add("GatherND", all_, places, batch_dims=1) for all_ in (scaled, changes))
    changes = graph.reshape(changes, 0, -1, blocks.size, blocks.n_channels)
    rough = graph.add("Div", graph.reduce("ReduceMean", changes, 2), graph.constant(blocks.rough, np.float64))
    rough = graph.add("Log", graph.add("Max", rough, graph.constant(LEAST_ROUGHNESS, np.float64)))
    rough = graph.add("Div", rough, graph.constant(np.log(10.0), np.float64))
    rows = graph.concat([graph.reshape(samples, 0, -1, blocks.size * blocks.n_channels), rough], 2)
    found = with_lengths(graph, graph.cast(rows, np.float32), count(given.lengths))
    return found.within(graph, found.values)


def _errors(graph: Graph, blocks: Blocks, given: Rows, scaled: str, said: str, *, ahead: bool) -> str:
    """Return how far the network's samples are from the sequences: (batch, time), zero after the end."""
    said = graph.reshape(said, 0, -1, blocks.n_channels)
    if ahead:  # of the first block nothing was said
        said = graph.concat([graph.slice(scaled, 1, 0, blocks.size), said], 1)
    away = graph.add("Sub", _steps_of(graph, said, given), scaled)
    squares = graph.reduce("ReduceMean", graph.add("Mul", away, away), 2, keep=True)
    error = zeroed(graph, graph.add("Sqrt", squares), given.valid, np.float64)
    return graph.squeeze(error, 2)


def _steps_of(graph: Graph, values: str, given: Rows) -> str:
    """Return the first steps (batch, time, n) of values for at least as many."""
    ends = graph.size(given.values, 1)
    zero, axis = graph.constant([0], np.int64), graph.constant([1], np.int64)
    return graph.add("Slice", values, zero, ends, axis)


def _mean_around(graph: Graph, given: Rows, scores: str, steps: int) -> str:
    """Return the mean of each score and those up to ``steps`` steps on either side: (batch, time)."""
    assert given.lengths is not None
    nothing = graph.add("Mul", graph.slice(scores, 1, 0, 1), graph.constant(0, np.float64))
    sums = graph.add("CumSum", graph.concat([nothing, scores], 1), graph.constant(1, np.int64))
    time = graph.squeeze(graph.size(given.values, 1), 0)
    zero, one = (graph.constant(number, np.int64) for number in (0, 1))
    places = graph.add("Range", zero, time, one)
    first = graph.add("Max", graph.add("Sub", places, graph.constant(steps, np.int64)), zero)
    last = graph.add("Add", places, graph.constant(steps + 1, np.int64))
    total = graph.add(
        "Sub",
        graph.add("Gather", sums, graph.add("Min", last, time), axis=1),
        graph.add("Gather", sums, first, axis=1),
    )
    ends = graph.add("Min", graph.unsqueeze(last, 0), graph.unsqueeze(given.lengths, 1))
    count = graph.add("Max", graph.add("Sub", ends, graph.unsqueeze(first, 0)), one)
    return graph.add("Div", total, graph.cast(count, np.float64))


def _highest_around(graph: Graph, given: Rows, scores: str, steps: int) -> str:
    """Return the highest of each score and those up to ``steps`` steps on either side: float32 (batch, time), then 0."""
    assert given.valid is not None
    within = graph.squeeze(given.valid, 2)
    found = graph.add("Where", within, graph.cast(scores, np.float32), graph.constant(LOWEST))
    if steps:
        pool = {"kernel_shape": [2 * steps + 1], "pads": [steps, steps]}
        found = graph.squeeze(graph.add("MaxPool", graph.unsqueeze(found, 1), **pool), 1)
    return graph.add("Where", within, found, graph.constant(0, np.float32))


def _checked(model: AnomalyModel, runner: Run, sequences: Sequence[Any] | None) -> Agreement:
    """Return how far the graph is from the scores of recurra, on a mixed batch and one at a time."""
    if sequences is None:
        rng, blocks = np.random.default_rng(0), model.blocks
        lengths = [1, blocks.size, blocks.size + 1, *rng.integers(2, 9 * blocks.size + 9, 4).tolist()]
        center, spread = np.array(blocks.center), np.array(blocks.spread)
        rows = [center + spread * np.cumsum(rng.normal(size=(n, len(center))), axis=0) / 3 for n in lengths]
    else:
        by_length = sorted(sequences, key=len)
        chosen = np.unique(np.linspace(0, len(by_length) - 1, MOST_SEQUENCES).astype(int))
        rows = [by_length[index][:MOST_STEPS] for index in chosen]
    rows = [np.ascontiguousarray(own, np.float32) for own in rows]
    found = Agreement("onnxruntime", of_run=sequences is not None)
    for batch in (rows, *([own] for own in rows[:3])):
        x = np.full((len(batch), max(map(len, batch)), rows[0].shape[1]), np.nan, np.float32)
        for own, filled in zip(batch, x, strict=True):
            filled[: len(own)] = own
        scores = runner(x=x, lengths=np.array([len(own) for own in batch], np.int64))["score"]
        right = model.scores([own.astype(np.float64) for own in batch])
        most = max(relative(one, own[: len(one)]) for one, own in zip(right, scores, strict=True))
        found = found.with_difference(most, batch)
    return found
