"""The graph of a forecaster's networks: the rows of a window go in, what they forecast comes out, scaled.

What stands around the networks stays outside: the rows of a series (`ForecastModel.windows`), and behind them the weighted
mean with the statistical forecast, which is found anew in the whole history of each series.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.export.model.agreement import Agreement
from recurra.export.onnx.graph import Graph
from recurra.export.onnx.recurrence import Stack, run, zero_state
from recurra.export.onnx.rows import Rows, ragged, unanswerable
from recurra.export.onnx.tasks.part import Part, Run, relative
from recurra.serving.models.forecast_model import ForecastModel

OUTPUTS = {"quantile": "quantiles", "gaussian": "mean and logarithm of the deviation"}


def part(model: ForecastModel, opset: int) -> Part:
    """Return the one graph of a forecaster.

    Raises
    ------
    UsageError
        If its networks have no say.
    """
    manifest = model.manifest
    if (manifest.get("statistical") or {}).get("weight") == 1:
        raise UsageError(
            "export: the statistical forecast answers alone here, found anew in each history, and a file would hold a "
            "network without a say; train with statistical=False, or run it with recurra.load_model(path)."
        )
    facts = {
        "task": "forecasting",
        "estimator": manifest["estimator"],
        "input": "rows of a window: the last are those of the horizon",
        "features": model.features.to_manifest(),
        "horizon": model.horizon,
        "context": model.context,
        "outputs": OUTPUTS.get(manifest["loss"], "the forecast"),
        "quantiles": manifest["quantiles"] if manifest["loss"] == "quantile" else None,
        "channel_names": manifest["input"].get("channel_names"),
        "statistical": manifest.get("statistical"),
        "outside": "rows and scale of each series, and the weighted mean with its statistical forecast, where there is one",
    }

    def check(runner: Run, sequences: Sequence[Any] | None) -> Agreement:
        return _checked(model, runner, sequences)

    return Part("", window_graph(model, opset), facts, check)


def window_graph(model: ForecastModel, opset: int) -> Graph:
    """Return the graph: ``x`` (batch, time, input_size), ``lengths``; see `ForecastModel.of_windows` for ``outputs``."""
    graph, network, manifest = Graph(opset), model.manifest["network"], model.manifest
    x = graph.input("x", np.float32, ("batch", "time", network["input_size"]))
    given = ragged(graph, x, graph.input("lengths", np.int64, ("batch",)))
    assert given.lengths is not None
    marks = graph.unsqueeze(unanswerable(graph, given, takes_missing=False), 2, 3)
    past = graph.add("Sub", given.lengths, graph.constant(network["horizon"], np.int64))
    values, level = _leveled(graph, network, given.values, past)
    total = ""
    for member in range(manifest["members"]):
        prefix = f"{member}."
        own = {n.removeprefix(prefix): w for n, w in model.weights.items() if n.startswith(prefix)}
        one = _of_network(graph, network, own, Rows(values, past, given.valid), level, prefix)
        if manifest["loss"] == "quantile":
            one = _sorted(graph, one, network["n_outputs"])
        total = graph.add("Add", total, one) if total else one
    mean = graph.add("Div", total, graph.constant(manifest["members"], np.float32))
    found = manifest.get("calibration")
    if found is not None and manifest["loss"] == "quantile":
        center = graph.unsqueeze(_median(graph, mean, manifest["quantiles"]), 3)
        wide = graph.add("Mul", graph.add("Sub", mean, center), graph.constant(found["factors"], np.float32))
        mean = _sorted(graph, graph.add("Add", center, wide), network["n_outputs"])
    mean = graph.add("Add", mean, marks)
    value = mean
    if manifest["loss"] == "quantile":
        value = graph.unsqueeze(_median(graph, mean, manifest["quantiles"]), 3)
    value = graph.squeeze(graph.slice(value, 3, 0, 1), 3)
    targets = (network["horizon"], network["n_targets"])
    graph.output("value", value, np.float32, ("batch", *targets))
    graph.output("outputs", mean, np.float32, ("batch", *targets, network["n_outputs"]))
    return graph


def _sorted(graph: Graph, values: str, count: int) -> str:
    number = graph.constant([count], np.int64)
    return graph.several("TopK", values, number, count=2, axis=-1, largest=0, sorted=1)[0]


def _median(graph: Graph, quantiles: str, known: Sequence[float]) -> str:
    """Return the median of rising quantiles (batch, horizon, targets, quantiles), as `ForecastModel.shares` finds it."""
    if len(known) == 1:
        return graph.squeeze(quantiles, 3)
    right = int(np.clip(np.searchsorted(known, 0.5 - 1e-9), 1, len(known) - 1))
    share = (0.5 - known[right - 1]) / (known[right] - known[right - 1])
    low, high = (graph.squeeze(graph.slice(quantiles, 3, at, at + 1), 3) for at in (right - 1, right))
    low = graph.add("Mul", low, graph.constant(1 - share, np.float32))
    return graph.add("Add", low, graph.add("Mul", high, graph.constant(share, np.float32)))


def _at(graph: Graph, values: str, begin: str, first: int, last: int) -> str:
    """Return the rows from ``begin + first`` to before ``begin + last`` of each window: (batch, last - first, n)."""
    places = graph.add(
        "Add", graph.unsqueeze(begin, 1), graph.constant(np.arange(first, last)[None], np.int64)
    )
    return graph.add("GatherND", values, graph.unsqueeze(places, 2), batch_dims=1)


def _leveled(graph: Graph, network: Mapping[str, Any], values: str, past: str) -> tuple[str, str | None]:
    """Return rows whose values are counted from their window's level, and the levels (batch, n_targets)."""
    n, steps = network["n_targets"], network["level"]
    if not steps:
        return values, None
    last = graph.slice(_at(graph, values, past, -steps, 0), 2, 0, n)
    level = graph.reduce("ReduceMean", last, 1)
    each = graph.unsqueeze(level, 1)
    own = [
        graph.slice(values, 2, (2 + lag) * n, (3 + lag) * n)
        for lag in range(-2, network["n_lags"])
        if lag != -1
    ]
    own = [graph.add("Sub", part, each) for part in own]
    return graph.concat(
        [
            own[0],
            graph.slice(values, 2, n, 2 * n),
            *own[1:],
            graph.slice(values, 2, (2 + network["n_lags"]) * n, None),
        ],
        2,
    ), level


def _of_network(
    graph: Graph,
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    rows: Rows,
    level: str | None,
    name: str,
) -> str:
    """Return what one network forecasts: (batch, horizon, n_targets, n_outputs); see `forecast_outputs`.

    Parameters
    ----------
    rows : Rows
        Their lengths are those of the part that is past; the horizon stands behind.
    """
    n, horizon = network["n_targets"], network["horizon"]
    assert rows.lengths is not None
    words = (weights, network["num_layers"], False)
    encoder = Stack(network["cell"], *words, prefix="encoder.", name=f"{name}encoder")
    decoder = Stack(network["cell"], *words, prefix="decoder.", name=f"{name}decoder")
    _, state = run(graph, rows, encoder, zero_state(graph, rows.values, encoder))
    ahead = graph.slice(_at(graph, rows.values, rows.lengths, 0, horizon), 2, 2 * n, None)
    place = np.arange(1, horizon + 1, dtype=np.float32) / np.float32(horizon)
    shape = graph.concat([graph.size(rows.values, 0), graph.constant([horizon, 1], np.int64)], 0)
    known = graph.concat([graph.add("Expand", graph.constant(place[None, :, None]), shape), ahead], 2)
    output, _ = run(graph, Rows(known, None, None), decoder, state)
    features = graph.concat([output.values, known], 2)
    out = graph.linear(features, weights["head.weight"], weights["head.bias"], f"{name}head")
    out = graph.reshape(out, 0, 0, n, network["n_outputs"])
    if level is not None:
        out = graph.add("Add", out, graph.unsqueeze(level, 1, 3))
    if not network["highway"]:
        return out
    last = graph.slice(_at(graph, rows.values, rows.lengths, -network["highway"], 0), 2, 0, n)
    named = (weights["highway.weight"], weights["highway.bias"], f"{name}highway")
    straight = graph.linear(graph.transpose(last, 0, 2, 1), *named)
    return graph.add("Add", out, graph.unsqueeze(graph.transpose(straight, 0, 2, 1), 3))


def _checked(model: ForecastModel, runner: Run, windows: Sequence[Any] | None) -> Agreement:
    """Return how far the graph is from the networks of recurra on windows, a mixed batch and one at a time."""
    if windows is None:
        rng, network = np.random.default_rng(0), model.manifest["network"]
        least = max(1, network["level"], network["highway"]) + model.horizon
        lengths = [least, least + 1, *(least + rng.integers(0, 40, 5)).tolist()]
        windows = [rng.normal(size=(n, network["input_size"])).astype(np.float32) for n in lengths]
    found = Agreement("onnxruntime", of_run=False)
    for batch in (windows, *([own] for own in windows[:3])):
        x = np.full((len(batch), max(map(len, batch)), batch[0].shape[1]), np.nan, np.float32)
        for own, filled in zip(batch, x, strict=True):
            filled[: len(own)] = own
        answers = runner(x=x, lengths=np.array([len(own) for own in batch], np.int64))
        right = model.of_windows(list(batch))
        most = max(relative(right, answers["outputs"]), relative(model.point(right), answers["value"]))
        found = found.with_difference(most, batch)
    return found
