"""`Rows`: a ragged batch inside of a graph, and the features of a model over it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.export.onnx.graph import Graph
from recurra.features.chain import Chain
from recurra.features.rows.missing import FilledGaps, MissingMask
from recurra.features.rows.scaling import Scaling
from recurra.features.static import StaticInputs
from recurra.features.windows.sliding import Windows
from recurra.features.windows.statistics import Samples


@dataclass(frozen=True)
class Rows:
    """Names of the tensors of a ragged batch.

    Parameters
    ----------
    values : str
        Of shape (batch, time, channels); zero after the end of each sequence.
    lengths : str or None
        int64 of shape (batch,); None in the graph of one step, where every row counts.
    valid : str or None
        bool of shape (batch, time, 1): whether a row lies before the end; None in the graph of one step.
    """

    values: str
    lengths: str | None
    valid: str | None

    def within(self, graph: Graph, values: str, dtype: Any = np.float32) -> "Rows":
        """Return other values for the same rows, zero after the end."""
        return replace(self, values=zeroed(graph, values, self.valid, dtype))


def zeroed(graph: Graph, values: str, valid: str | None, dtype: Any = np.float32) -> str:
    """Return values (batch, time, channels) that are zero, whatever stood there, after the end."""
    return values if valid is None else graph.add("Where", valid, values, graph.constant(0, dtype))


def ragged(graph: Graph, values: str, lengths: str) -> Rows:
    """Return the rows of an input (batch, time, channels) of float32 and its lengths, int64 of shape (batch,)."""
    found = with_lengths(graph, values, lengths)
    return replace(found, values=zeroed(graph, values, found.valid))


def with_lengths(graph: Graph, values: str, lengths: str) -> Rows:
    """Return values that may be anything after the end, with the marks of what lies before it."""
    time = graph.squeeze(graph.size(values, 1), 0)
    places = graph.add("Range", graph.constant(0, np.int64), time, graph.constant(1, np.int64))
    valid = graph.add("Less", graph.unsqueeze(places, 0), graph.unsqueeze(lengths, 1))
    return Rows(values, lengths, graph.unsqueeze(valid, 2))


def apply_features(graph: Graph, rows: Rows, features: Chain, last: str | None = None) -> tuple[Rows, str]:
    """Return what the network reads, and what stands in for missing values after the last row.

    Parameters
    ----------
    features : Chain
        Filling and scaling, the mark of missing values and windows of samples; others are computed outside.
    last : str, optional
        In the graph of one step: what stands in for missing values, float32 of shape (batch, channels).
    """
    filled = ""
    for step in features.steps:
        if isinstance(step, Scaling):
            rows = _scaled(graph, rows, step)
        elif isinstance(step, MissingMask):
            rows, filled = _filled(graph, rows, last)
        elif isinstance(step, FilledGaps):
            rows, filled = _without_gaps(graph, rows, step, last)
        elif isinstance(step, Windows) and len(step.parts) == 1 and isinstance(step.parts[0], Samples):
            rows = _windows(graph, rows, step)
        else:
            raise UsageError(
                f"export: the feature {step.to_manifest()[0]['name']!r} stands behind the scaling, where no exporter "
                "knows it; update recurra."
            )
    return rows, filled


def static_codes(graph: Graph, static: StaticInputs) -> str:
    """Declare the input ``static`` (batch, columns) and return what the network reads of it: (batch, static_size).

    A number goes in as it is, NaN where it is missing; a category as its place among those of its column.
    """
    given = graph.input("static", np.float64, ("batch", len(static.columns)))
    parts = []
    for at, column in enumerate(static.columns):
        values = graph.slice(given, 1, at, at + 1)
        if column.categories is not None:
            places = graph.constant(np.arange(len(column.categories), dtype=np.float64)[None])
            parts.append(graph.cast(graph.add("Equal", values, places), np.float32))
            continue
        missing = graph.add("IsNaN", values)
        moved = graph.add("Sub", values, graph.constant(column.center, np.float64))
        scaled = graph.add("Div", moved, graph.constant(column.spread, np.float64))
        scaled = graph.add("Where", missing, graph.constant(0, np.float64), scaled)
        parts.append(graph.cast(scaled, np.float32))
        if column.marks_missing:
            parts.append(graph.cast(missing, np.float32))
    return graph.concat(parts, 1)


def beside_static(graph: Graph, rows: Rows, codes: str) -> Rows:
    """Return rows with what is read of static inputs behind each of them."""
    shape = graph.concat([graph.slice(graph.add("Shape", rows.values), 0, 0, 2), graph.size(codes, 1)], 0)
    behind = graph.add("Expand", graph.unsqueeze(codes, 1), shape)
    return rows.within(graph, graph.concat([rows.values, behind], 2))


def _scaled(graph: Graph, rows: Rows, scaling: Scaling) -> Rows:
    if scaling.kind == "none":
        return rows.within(graph, graph.cast(rows.values, np.float32))
    # In double, as recurra does it: a channel far from 0 would lose its digits.
    exact = graph.cast(rows.values, np.float64)
    moved = graph.add("Sub", exact, graph.constant(scaling.center, np.float64, name="scaling.center"))
    scaled = graph.add("Div", moved, graph.constant(scaling.spread, np.float64, name="scaling.spread"))
    return rows.within(graph, graph.cast(scaled, np.float32))


def _filled(graph: Graph, rows: Rows, last: str | None) -> tuple[Rows, str]:
    """Return the rows with missing values filled and their marks beside, and the last values of each sequence."""
    missing = graph.add("IsNaN", rows.values)
    filled, after = _last_values(graph, rows, missing, last, 0.0)
    marked = graph.concat([filled, graph.cast(missing, np.float32)], 2)
    return rows.within(graph, marked), after


def _without_gaps(graph: Graph, rows: Rows, step: FilledGaps, last: str | None) -> tuple[Rows, str]:
    """Return the rows, in double, with missing values filled, and the last values of each sequence, NaN before the first."""
    known, after = _last_values(graph, rows, graph.add("IsNaN", rows.values), last, np.nan)
    before = graph.add("IsNaN", known)
    center = graph.constant(step.center, np.float64, name="gaps.center")
    filled = graph.add("Where", before, center, graph.cast(known, np.float64))
    return rows.within(graph, filled, np.float64), after


def _last_values(graph: Graph, rows: Rows, missing: str, last: str | None, first: float) -> tuple[str, str]:
    """Return rows in which the last value stands in for a missing one, and the last values: (batch, channels)."""
    if rows.valid is None:
        assert last is not None
        filled = graph.add("Where", missing, graph.unsqueeze(last, 1), rows.values)
        return filled, graph.squeeze(filled, 1)
    counts = graph.reduce("ReduceSum", graph.cast(missing, np.float32), 1)
    begin = graph.add("Mul", counts, graph.constant(0, np.float32))
    begin = graph.add("Add", begin, graph.constant(first, np.float32)) if np.isnan(first) else begin
    along = graph.transpose(rows.values, 1, 0, 2)
    after, shown = graph.several("Scan", begin, along, count=2, body=_filling(), num_scan_inputs=1)
    return graph.transpose(shown, 1, 0, 2), after


def unanswerable(graph: Graph, rows: Rows, *, takes_missing: bool) -> str:
    """Return float32 (batch, 1) to be added to answers: NaN for a sequence that no answer can be given to, else 0.

    It holds infinity, or NaN where that is no missing value. Runtimes compute the gates of such rows as if they were
    numbers, and answer.
    """
    values = rows.values
    if takes_missing:
        values = graph.add("Where", graph.add("IsNaN", values), graph.constant(0, np.float32), values)
    marks = graph.add("Mul", values, graph.constant(0, np.float32))  # 0 times infinity is NaN
    return graph.reduce("ReduceSum", graph.reduce("ReduceSum", marks, 2), 1, keep=True)


def unanswerable_after(graph: Graph, states: Sequence[str]) -> str:
    """Return the same (batch, 1) for what goes on from states (layers, batch, units): NaN where one of them is."""
    marks = [graph.add("Mul", state, graph.constant(0, np.float32)) for state in states]
    sums = [graph.reduce("ReduceSum", graph.reduce("ReduceSum", mark, 2), 0) for mark in marks]
    total = sums[0]
    for own in sums[1:]:
        total = graph.add("Add", total, own)
    return graph.unsqueeze(total, 1)


def _filling() -> Any:
    """Return the body of the scan over the steps: a missing value becomes the last that was there."""
    from onnx import TensorProto, helper

    def info(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None])

    nodes = [
        helper.make_node("IsNaN", ["row"], ["gap"]),
        helper.make_node("Where", ["gap", "last", "row"], ["kept"]),
        helper.make_node("Identity", ["kept"], ["shown"]),
    ]
    return helper.make_graph(nodes, "fill", [info("last"), info("row")], [info("kept"), info("shown")])


def interpolated(graph: Graph, rows: Rows, width: int) -> Rows:
    """Return the first ``width`` channels on straight lines where as many behind them mark missing values.

    With the bits of `recurra.kernels.fronts.resampling.interpolated`.
    """
    assert rows.valid is not None
    values = graph.slice(rows.values, 2, 0, width)
    marks = graph.add("Greater", graph.slice(rows.values, 2, width, None), graph.constant(0, np.float32))
    missing = graph.add("Or", marks, graph.add("Not", rows.valid))
    time = graph.squeeze(graph.size(values, 1), 0)
    steps = graph.add("Range", graph.constant(0, np.int64), time, graph.constant(1, np.int64))
    steps = graph.unsqueeze(graph.cast(steps, np.float32), 0, 2)
    nothing = graph.constant(np.nan, np.float32)
    known = [graph.add("Where", missing, nothing, each) for each in (values, steps)]
    there = graph.transpose(graph.concat(known, 2), 1, 0, 2)
    none_yet = graph.add("Mul", graph.reduce("ReduceSum", there, 0), nothing)
    ends = []
    for backward in (0, 1):
        _, along = graph.several(
            "Scan",
            none_yet,
            there,
            count=2,
            body=_filling(),
            num_scan_inputs=1,
            scan_input_directions=[backward],
            scan_output_directions=[backward],
        )
        along = graph.transpose(along, 1, 0, 2)
        ends.append((graph.slice(along, 2, 0, width), graph.slice(along, 2, width, None)))
    # A gap that has one end alone is as that end, and one that has none is 0.
    start, low, end, high = (
        graph.add("Where", graph.add("IsNaN", ends[side][part]), ends[1 - side][part], ends[side][part])
        for side in (0, 1)
        for part in (0, 1)
    )
    apart = graph.add("Max", graph.add("Sub", high, low), graph.constant(1, np.float32))
    share = graph.add("Div", graph.add("Sub", steps, low), apart)
    found = graph.add("Where", missing, _between(graph, start, end, share), values)
    return rows.within(
        graph, graph.add("Where", graph.add("IsNaN", found), graph.constant(0, np.float32), found)
    )


def stretched(graph: Graph, rows: Rows, length: int) -> Rows:
    """Return rows of so many steps each, evenly from the first to the last.

    With the bits of `recurra.kernels.fronts.resampling.stretched`.
    """
    assert rows.lengths is not None
    one, steps = graph.constant(1, np.int64), graph.constant(length - 1, np.int64)
    last = graph.unsqueeze(graph.add("Sub", graph.add("Max", rows.lengths, one), one), 1)
    places = graph.add("Mul", graph.constant(np.arange(length)[None], np.int64), last)
    low = graph.add("Div", places, steps)
    left = graph.cast(graph.add("Sub", places, graph.add("Mul", low, steps)), np.float32)
    share = graph.unsqueeze(graph.add("Div", left, graph.cast(steps, np.float32)), 2)
    start, end = (
        graph.add("GatherND", rows.values, graph.unsqueeze(at, 2), batch_dims=1)
        for at in (low, graph.add("Min", graph.add("Add", low, one), last))
    )
    lengths = graph.add("Mul", rows.lengths, graph.constant(0, np.int64))
    lengths = graph.add("Add", lengths, graph.constant(length, np.int64))
    return with_lengths(graph, _between(graph, start, end, share), lengths)


def _between(graph: Graph, start: str, end: str, share: str) -> str:
    return graph.add("Add", start, graph.add("Mul", share, graph.add("Sub", end, start)))


def _windows(graph: Graph, rows: Rows, windows: Windows) -> Rows:
    """Return a row for each window: the samples of one channel after those of another."""
    size, hop = windows.window, windows.hop
    if size == 1:
        return rows
    assert rows.lengths is not None
    # Filled up by a window, so that a batch shorter than one is no special case; such rows lie after the end.
    padded = graph.pad(rows.values, (0, 0, 0), (0, size, 0))
    steps = graph.squeeze(graph.size(rows.values, 1), 0)
    count = graph.add(
        "Add", graph.add("Div", steps, graph.constant(hop, np.int64)), graph.constant(1, np.int64)
    )
    starts = graph.add("Range", graph.constant(0, np.int64), count, graph.constant(1, np.int64))
    starts = graph.unsqueeze(graph.add("Mul", starts, graph.constant(hop, np.int64)), 1)
    places = graph.add("Add", starts, graph.constant(np.arange(size)[None], np.int64))
    cut = graph.transpose(graph.add("Gather", padded, places, axis=1), 0, 1, 3, 2)
    shape = graph.concat([graph.slice(graph.add("Shape", cut), 0, 0, 2), graph.constant([-1], np.int64)], 0)
    values = graph.add("Reshape", cut, shape)
    left = graph.add("Sub", rows.lengths, graph.constant(size, np.int64))
    whole = graph.add(
        "Add", graph.add("Div", left, graph.constant(hop, np.int64)), graph.constant(1, np.int64)
    )
    short = graph.add("Less", left, graph.constant(0, np.int64))
    lengths = graph.add("Where", short, graph.constant(0, np.int64), whole)
    found = with_lengths(graph, values, lengths)
    return replace(found, values=zeroed(graph, values, found.valid))
