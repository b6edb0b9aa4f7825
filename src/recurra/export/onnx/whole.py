"""The graphs: whole sequences, and one step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.export.model.boundary import Exported
from recurra.export.onnx import answers, ngrams, wide
from recurra.export.onnx.fronts import apply_front, step_front
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.pooling import RunningPools, pooled
from recurra.export.onnx.recurrence import Stack, run
from recurra.export.onnx.rows import (
    Rows,
    apply_features,
    beside_static,
    ragged,
    static_codes,
    unanswerable,
    unanswerable_after,
    zeroed,
)
from recurra.features.rows.missing import MissingMask


def whole_graph(exported: Exported, opset: int) -> Graph:
    """Return the graph of whole sequences.

    Inputs are ``x`` (batch, time, channels), ``lengths`` (batch,), and the initial states ``h_0`` and, for the LSTM,
    ``c_0``, which may be left out; where the model reads them also ``static``, see `static_codes`, and ``ngrams`` and
    ``counts``, see `ngrams.scores`. Outputs are the answers and ``h_n`` and ``c_n``. Of several members the states are named
    ``m0_h_0``, ``m1_h_0``, ... A sequence that holds infinity, or NaN where the model takes no missing values, is answered
    by NaN, the label -1, and hands NaN on as its state.
    """
    graph, model = Graph(opset), exported.inside
    network, features = model.manifest["network"], model.features
    x = graph.input("x", np.float32, ("batch", "time", features.n_channels))
    given = ragged(graph, x, graph.input("lengths", np.int64, ("batch",)))
    channels, _ = apply_features(graph, given, features)
    codes = None if model.static is None else static_codes(graph, model.static)
    rows = channels if codes is None else beside_static(graph, channels, codes)
    outputs: list[str] = []
    final: dict[str, str] = {}
    marks = unanswerable(graph, given, takes_missing=exported.takes_missing)
    for number, weights in enumerate(model.members):
        prefix = _prefix(exported, number)
        found, states, marks = _member(graph, network, weights, rows, prefix, marks)
        outputs.append(found)
        final |= {f"{prefix}{part}_n": state for part, state in states.items()}
    chosen = model.task != "regression"
    combined = answers.together(graph, outputs, probabilities=chosen)
    if model.wide is not None:
        texts = model.wide.reads_texts
        own = ngrams.scores(graph, model.wide) if texts else wide.scores(graph, model.wide, channels, codes)
        own = wide.limited(graph, model.wide, own)
        combined = wide.mixed(graph, model.wide, combined, own, probabilities=chosen)
    combined = graph.add("Add", combined, graph.unsqueeze(marks, 2) if exported.per_step else marks)
    _declare_answers(graph, exported, combined, given, rows)
    layers = network["num_layers"] * (2 if network["bidirectional"] else 1)
    for name, state in final.items():
        graph.output(name, state, np.float32, (layers, "batch", network["hidden_size"]))
    return graph


def _prefix(exported: Exported, number: int) -> str:
    return f"m{number}_" if len(exported.inside.members) > 1 else ""


def _stack(network: Mapping[str, Any], weights: Mapping[str, np.ndarray], prefix: str) -> Stack:
    return Stack(
        network["cell"],
        weights,
        network["num_layers"],
        network["bidirectional"],
        name=f"{prefix}recurrent",
    )


def _initial(graph: Graph, stack: Stack, like: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return the initial states, inputs that may be left out, for as many sequences as ``like`` has."""
    layers = stack.num_layers * stack.directions
    shape = graph.concat(
        [
            graph.constant([layers], np.int64),
            graph.size(like, 0),
            graph.constant([stack.hidden_size], np.int64),
        ],
        0,
    )
    zeros = np.zeros((layers, 1, stack.hidden_size), np.float32)
    found = {}
    for part, name in names.items():
        given = graph.input(name, np.float32, (layers, "state_batch", stack.hidden_size), zeros)
        found[part] = graph.add("Expand", given, shape)
    return found


def _member(
    graph: Graph,
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    rows: Rows,
    prefix: str,
    marks: str,
) -> tuple[str, dict[str, str], str]:
    """Return the outputs of one network, its final states, and the marks of what cannot be answered, initial states read."""
    stack = _stack(network, weights, prefix)
    initial = _initial(graph, stack, rows.values, {part: f"{prefix}{part}_0" for part in stack.states})
    states, final = run(graph, apply_front(graph, network, weights, rows), stack, initial)
    seen = pooled(graph, network, weights, states, final["h"], stack)
    marks = graph.add("Add", marks, unanswerable_after(graph, list(initial.values())))
    outputs = graph.linear(seen, weights["head.weight"], weights["head.bias"], f"{prefix}head")
    return outputs, _marked(graph, final, marks), marks


def _marked(graph: Graph, states: Mapping[str, str], marks: str) -> dict[str, str]:
    """Return states (layers, batch, units), NaN for a sequence that cannot be answered."""
    over = graph.unsqueeze(marks, 0)
    return {part: graph.add("Add", state, over) for part, state in states.items()}


def _declare_answers(graph: Graph, exported: Exported, outputs: str, given: Rows, rows: Rows) -> None:
    model = exported.inside
    if not exported.per_step:
        for one in answers.answers(graph, model, outputs):
            graph.output(one.name, one.tensor, one.dtype, ("batch", *one.shape))
        return
    chain, alignment = bool(model.manifest["network"].get("crf")), model.features.alignment
    if chain:  # decoded outside, row by row
        assert rows.lengths is not None
        graph.output("score_lengths", rows.lengths, np.int64, ("batch",))
        outputs = zeroed(graph, outputs, rows.valid)
    elif alignment is not None and not model.features.keeps_steps:
        outputs = answers.at_steps(graph, outputs, given, rows, alignment)
    assert given.valid is not None
    for one in answers.answers(graph, model, outputs):
        if chain:
            scores = one.name == "scores"
            graph.output(
                one.name, one.tensor, one.dtype, ("batch", "rows", *one.shape) if scores else one.shape
            )
            continue
        valid = given.valid
        if not one.shape:
            valid = graph.squeeze(valid, 2)
        elif len(one.shape) > 1:
            valid = graph.unsqueeze(valid, 3)
        within = graph.add("Where", valid, one.tensor, graph.constant(one.past_end, one.dtype))
        graph.output(one.name, within, one.dtype, ("batch", "time", *one.shape))


def step_graph(exported: Exported, opset: int) -> Graph:
    """Return the graph of one step.

    Inputs are ``x`` (batch, channels), ``static`` where the model reads it, and every part of the state, zeros where it is
    left out; outputs are the answer after this row and every part of the state under its name with ``_next``.
    """
    graph, model = Graph(opset), exported.inside
    network, features = model.manifest["network"], model.features
    x = graph.input("x", np.float32, ("batch", features.n_channels))
    rows = Rows(graph.unsqueeze(x, 1), None, None)
    after: dict[str, tuple[str, tuple[int | str, ...]]] = {}
    last = None
    marks = unanswerable(graph, rows, takes_missing=exported.takes_missing)
    if exported.takes_missing:
        marked = any(isinstance(step, MissingMask) for step in features.steps)
        nothing = np.full((1, features.n_channels), 0 if marked else np.nan, np.float32)
        known = graph.input("filled", np.float32, ("state_batch", features.n_channels), nothing)
        last = graph.add("Expand", known, graph.add("Shape", x))
    rows, filled = apply_features(graph, rows, features, last)
    if last is not None:
        after["filled"] = (filled, ("batch", features.n_channels))
    if model.static is not None:
        rows = beside_static(graph, rows, static_codes(graph, model.static))
    outputs = []
    for number, weights in enumerate(model.members):
        found, own, marks = _step_member(graph, network, weights, rows, _prefix(exported, number), marks)
        outputs.append(found)
        after |= own
    combined = answers.together(graph, outputs, probabilities=model.task != "regression")
    combined = graph.add("Add", combined, marks)
    for one in answers.answers(graph, _of_step(model), combined):
        graph.output(one.name, one.tensor, one.dtype, ("batch", *one.shape))
    for name, (tensor, shape) in after.items():
        graph.output(f"{name}_next", tensor, np.float32, shape)
    return graph


def _of_step(model: Any) -> Any:
    """Return a model whose answers are those of one step: (batch, outputs)."""
    from dataclasses import replace

    network = {**model.manifest["network"], "pooling": "last"}
    return replace(model, manifest={**model.manifest, "network": network})


def _step_member(
    graph: Graph,
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    rows: Rows,
    prefix: str,
    marks: str,
) -> tuple[str, dict[str, tuple[str, tuple[int | str, ...]]], str]:
    """Return the outputs (batch, outputs) of one network after a row, its state (tensors, shapes), and `_member`'s marks."""
    stack = _stack(network, weights, prefix)
    read, remembered = step_front(graph, network, weights, rows, prefix)
    initial = _initial(graph, stack, rows.values, {part: f"{prefix}{part}" for part in stack.states})
    states, final = run(graph, read, stack, initial)
    marks = graph.add("Add", marks, unanswerable_after(graph, list(initial.values())))
    final = _marked(graph, final, marks)
    shape = (stack.num_layers, "batch", stack.hidden_size)
    after: dict[str, tuple[str, tuple[int | str, ...]]] = {
        f"{prefix}{part}": (state, shape) for part, state in final.items()
    }
    after |= {name: (tensor, ("batch", *own)) for name, (tensor, own) in remembered.items()}
    seen = graph.squeeze(states.values, 1)
    if network["pooling"] != "none":
        pools = RunningPools(graph, prefix, network, weights)
        seen = pools.step(seen)
        after |= {name: (tensor, ("batch", size)) for name, (tensor, size) in pools.after.items()}
    return graph.linear(seen, weights["head.weight"], weights["head.bias"], f"{prefix}head"), after, marks
