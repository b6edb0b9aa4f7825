"""A translator as two graphs: one reads a source, the other writes a symbol; see `Decoder`.

The search stands outside: it feeds the graph of one step with the symbol it chose and the state that came with it. A row is
one beginning of an answer; where there are several to a source, its memory is given once for each.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.export.model.agreement import MOST_SEQUENCES, Agreement
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.pooling import LOWEST
from recurra.export.onnx.recurrence import Stack, run, zero_state
from recurra.export.onnx.rows import Rows, with_lengths
from recurra.export.onnx.tasks.part import Part, Run, relative
from recurra.features.texts.symbols import BEGIN, END
from recurra.serving.decoder import NEVER_WRITTEN
from recurra.serving.models.translation import TranslationModel

# Sources and symbols of a check.
MOST_SYMBOLS = 40


def parts(model: TranslationModel, opset: int) -> list[Part]:
    """Return both graphs; the second is checked on the memory that recurra computes."""
    facts = {
        "task": "translation",
        "estimator": model.manifest["estimator"],
        "source": model.source.to_manifest(),
        "target": model.target.to_manifest(),
        "begin": str(BEGIN),
        "end": str(END),
        "max_length": str(model.max_length),
        "fingerprint": model.fingerprint,
        "input": "numbers of symbols",
    }

    def reads(runner: Run, texts: Sequence[Any] | None) -> Agreement:
        return _checked_reading(model, runner, texts)

    def writes(runner: Run, texts: Sequence[Any] | None) -> Agreement:
        return _checked_writing(model, runner, texts)

    return [
        Part("", reading_graph(model, opset), facts, reads),
        Part("-step", writing_graph(model, opset), facts, writes),
    ]


def _stack(model: TranslationModel, side: str) -> Stack:
    network = model.manifest["network"]
    two = bool(network["bidirectional"]) and side == "encoder"
    return Stack(network["cell"], model.weights, network["num_layers"], two, prefix=f"{side}.", name=side)


def _sizes(model: TranslationModel) -> tuple[int, int, int]:
    """Return how many numbers a value and a key of the memory have, and what is fed to the next step."""
    network, weights = model.manifest["network"], model.weights
    return (
        _stack(model, "encoder").directions * network["hidden_size"],
        network["hidden_size"],
        len(weights["combine.bias"]),
    )


def reading_graph(model: TranslationModel, opset: int) -> Graph:
    """Return the graph that reads sources.

    Inputs are ``x`` (batch, time), numbers of symbols, and ``lengths``, at least 1 each. Outputs are what the graph of one
    step takes: ``memory`` and ``keys`` (batch, time, n), and the first ``h``, ``c`` of an LSTM, and ``fed``.
    """
    graph, network, weights = Graph(opset), model.manifest["network"], model.weights
    x = graph.input("x", np.int64, ("batch", "time"))
    lengths = graph.input("lengths", np.int64, ("batch",))
    within = graph.squeeze(with_lengths(graph, x, lengths).valid or "", 2)
    symbols = graph.add("Where", within, x, graph.constant(0, np.int64))
    table = graph.constant(weights["source.weight"], name="source.weight")
    rows = with_lengths(graph, graph.add("Gather", table, symbols, axis=0), lengths)
    stack = _stack(model, "encoder")
    states, final = run(graph, rows, stack, zero_state(graph, rows.values, stack))
    seen, size, attended = _sizes(model)
    layers, hidden = network["num_layers"], network["hidden_size"]
    rows_of = graph.transpose(graph.reshape(final["h"], layers, stack.directions, -1, hidden), 0, 2, 1, 3)
    rows_of = graph.reshape(rows_of, 0, 0, -1)
    for number, name in enumerate(stack.states):
        bridge = f"bridge.{number}"
        product = graph.linear(rows_of, weights[f"{bridge}.weight"], weights[f"{bridge}.bias"], bridge)
        first = graph.add("Tanh", product)
        graph.output(name, first, np.float32, (layers, "batch", hidden))
    shape = graph.concat([graph.size(x, 0), graph.constant([attended], np.int64)], 0)
    graph.output(
        "fed", graph.add("Expand", graph.constant(0, np.float32), shape), np.float32, ("batch", attended)
    )
    graph.output("memory", states.values, np.float32, ("batch", "time", seen))
    graph.output("keys", _keys(graph, model, states.values), np.float32, ("batch", "time", size))
    return graph


def _keys(graph: Graph, model: TranslationModel, values: str) -> str:
    """Return what queries are compared with; see `Memory.lay_out`."""
    seen, size, _ = _sizes(model)
    weight = model.weights.get("attention.weight")
    if weight is not None:
        keys = graph.linear(values, weight, None, "attention")
    else:
        keys = graph.slice(values, 2, 0, size)
        for first in range(size, seen, size):
            keys = graph.add("Add", keys, graph.slice(values, 2, first, first + size))
    if model.manifest["network"]["attention"] == "additive":
        return keys
    return graph.add("Div", keys, graph.constant(size**0.5, np.float32))


def writing_graph(model: TranslationModel, opset: int) -> Graph:
    """Return the graph that takes in the last symbol of each answer and says what may follow.

    Inputs are ``symbol`` (batch,), ``lengths`` of the sources, and what the other graph gave. Outputs are
    ``log_probabilities`` (batch, symbols), the likeliest as ``label``, where it looked as ``weights`` (batch, time), and the
    state after it under its names with ``_next``.
    """
    graph, network, weights = Graph(opset), model.manifest["network"], model.weights
    seen, size, attended = _sizes(model)
    layers, hidden = network["num_layers"], network["hidden_size"]
    stack = _stack(model, "decoder")
    symbol = graph.input("symbol", np.int64, ("batch",))
    memory = graph.input("memory", np.float32, ("batch", "time", seen))
    keys = graph.input("keys", np.float32, ("batch", "time", size))
    valid = with_lengths(graph, memory, graph.input("lengths", np.int64, ("batch",))).valid or ""
    state = {part: graph.input(part, np.float32, (layers, "batch", hidden)) for part in stack.states}
    fed = graph.input("fed", np.float32, ("batch", attended))
    scale = math.sqrt(network["embedding_size"]) if network["tie_embeddings"] else 1.0
    table = np.multiply(weights["target.weight"], scale, dtype=np.float32)
    x = graph.add("Gather", graph.constant(table, name="target.scaled"), symbol, axis=0)
    x = graph.concat([x, fed], 1) if network["input_feeding"] else x
    states, after = run(graph, Rows(graph.unsqueeze(x, 1), None, None), stack, state)
    query = states.values  # (batch, 1, hidden)
    looked = _looked(graph, model, query, keys, valid)
    context = graph.add("MatMul", graph.transpose(looked, 0, 2, 1), memory)
    both = graph.squeeze(graph.concat([query, context], 2), 1)
    fed = graph.add("Tanh", graph.linear(both, weights["combine.weight"], weights["combine.bias"], "combine"))
    bias = weights["head.bias"].copy()
    bias[NEVER_WRITTEN] = -1e9
    head = weights["target.weight" if network["tie_embeddings"] else "head.weight"]
    scores = graph.linear(fed, head, bias, "head")
    graph.output(
        "log_probabilities",
        graph.add("LogSoftmax", scores, axis=-1),
        np.float32,
        ("batch", network["target_size"]),
    )
    graph.output("label", graph.add("ArgMax", scores, axis=-1, keepdims=0), np.int64, ("batch",))
    graph.output("weights", graph.squeeze(looked, 2), np.float32, ("batch", "time"))
    for part, tensor in after.items():
        graph.output(f"{part}_next", tensor, np.float32, (layers, "batch", hidden))
    graph.output("fed_next", fed, np.float32, ("batch", attended))
    return graph


def _looked(graph: Graph, model: TranslationModel, query: str, keys: str, valid: str) -> str:
    """Return how much each step of the memory weighs: (batch, time, 1)."""
    weights = model.weights
    if model.manifest["network"]["attention"] == "additive":
        asked = graph.linear(query, weights["attention.query_weight"], None, "attention.query")
        both = graph.add("Tanh", graph.add("Add", keys, asked))
        scores = graph.linear(both, weights["attention.score"][None], None, "attention.score")
    else:
        scores = graph.add("MatMul", keys, graph.transpose(query, 0, 2, 1))
    return graph.add("Softmax", graph.add("Where", valid, scores, graph.constant(LOWEST)), axis=1)


def _sources(model: TranslationModel, texts: Sequence[Any] | None) -> list[np.ndarray]:
    if texts is not None:
        chosen = sorted((model.source.encode(text) for text in texts), key=len)
        places = np.unique(np.linspace(0, len(chosen) - 1, MOST_SEQUENCES).astype(int))
        return [chosen[place][: 10 * MOST_SYMBOLS] for place in places]
    rng, size = np.random.default_rng(0), len(model.source)
    return [rng.integers(0, size, n) for n in (1, 2, 9, *rng.integers(1, 30, 4).tolist())]


def _laid_out(sources: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    x = np.full((len(sources), max(map(len, sources))), -9, np.int64)
    for own, filled in zip(sources, x, strict=True):
        filled[: len(own)] = own
    return {"x": x, "lengths": np.array([len(own) for own in sources], np.int64)}


def _memory_of(model: TranslationModel, state: Any) -> dict[str, np.ndarray]:
    """Return the state of recurra's own decoder as the inputs of a step."""
    parts = dict(zip(_stack(model, "decoder").states, state.recurrent, strict=True))
    turned = {"memory": state.memory.values, "keys": state.memory.keys}
    return {
        **parts,
        "fed": state.fed,
        **{n: np.ascontiguousarray(a.transpose(1, 0, 2)) for n, a in turned.items()},
    }


def _checked_reading(model: TranslationModel, runner: Run, texts: Sequence[Any] | None) -> Agreement:
    sources = _sources(model, texts)
    found = Agreement("onnxruntime", of_run=texts is not None)
    for batch in (sources, *([own] for own in sources[:3])):
        answers = runner(**_laid_out(batch))
        right = _memory_of(model, model.decoder.read(batch))
        found = found.with_difference(max(relative(a, answers[n]) for n, a in right.items()), batch)
    return found


def _checked_writing(model: TranslationModel, runner: Run, texts: Sequence[Any] | None) -> Agreement:
    """Return how far the graph of one step is from recurra's decoder along its likeliest answers."""
    sources = _sources(model, texts)
    found = Agreement("onnxruntime, symbol by symbol,", of_run=texts is not None)
    for batch in (sources, sources[:1]):
        state, last = model.decoder.read(batch), model.decoder.begin(len(batch))
        given: Mapping[str, np.ndarray] = _memory_of(model, state)
        lengths, most = state.memory.lengths, 0.0
        for _ in range(min(model.max_length, MOST_SYMBOLS)):
            answers = runner(symbol=last, lengths=lengths, **given)
            scores, state, looked = model.decoder.write(last, state)
            exact = scores.astype(np.float64)
            exact -= exact.max(axis=1, keepdims=True)
            logs = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
            most = max(
                most,
                relative(logs, answers["log_probabilities"]),
                relative(looked[:, :, 0].T, answers["weights"]),
            )
            after = {n.removesuffix("_next"): a for n, a in answers.items() if n.endswith("_next")}
            given, last = {**given, **after}, scores.argmax(axis=1)
        found = found.with_difference(most, batch)
    return found
