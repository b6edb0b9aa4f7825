"""The ONNX file: graph, metadata, and its check by onnxruntime before it is handed over."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra import store
from recurra.checks import check_number, missing_extra
from recurra.errors import RecurraError
from recurra.export.model.agreement import (
    TOLERANCE,
    Agreement,
    batches,
    besides,
    difference,
    expected,
    expected_steps,
)
from recurra.export.model.boundary import Exported, check_one_step, cut
from recurra.export.onnx.graph import DEFAULT_OPSET, HIGHEST_OPSET, LOWEST_OPSET, Graph
from recurra.export.onnx.ngrams import MEANING
from recurra.export.onnx.whole import step_graph, whole_graph


@dataclass(frozen=True)
class OnnxFile:
    """What was written.

    Parameters
    ----------
    path : Path
    size : int
        Bytes.
    nodes : int
        Operators of the graph.
    inputs, outputs : dict of str to list
        Names and shapes; an axis of any length is a word.
    agreement : Agreement or None
        How near onnxruntime comes to recurra; None where onnxruntime is not installed.
    """

    path: Path
    size: int
    nodes: int
    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]
    agreement: Agreement | None


def write_onnx(
    model: Any,
    path: str | os.PathLike[str],
    *,
    step: bool = False,
    opset: int = DEFAULT_OPSET,
    sequences: Sequence[Any] | None = None,
) -> list[OnnxFile]:
    """Write a model as an ONNX file, and the graph of one step beside it.

    Parameters
    ----------
    model : FittedModel
    path : path
        The file; the graph of one step is written beside it, with ``-step`` before its ending.
    step : bool, default=False
        Whether the graph of one step is written too.
    opset : int, default=17
        Version of the standard operators, 14 to 22.
    sequences : list, optional
        Raw sequences on which the graph is checked; random ones by default.

    Returns
    -------
    list of OnnxFile

    Raises
    ------
    UsageError
        If the model cannot be exported.
    MissingExtraError
        If the package onnx is not installed.
    RecurraError
        If onnxruntime answers otherwise than recurra; no file is written.
    """
    check_number("export", "opset", opset, integer=True, low=LOWEST_OPSET, high=HIGHEST_OPSET)
    exported = cut(model)
    if step:
        check_one_step(exported)
    data = model_bytes(exported, whole_graph(exported, opset))
    made = [(Path(path), data, _checked(exported, data, sequences))]
    if step:
        file = Path(path)
        data = model_bytes(exported, step_graph(exported, opset))
        beside = file.with_name(f"{file.stem}-step{file.suffix}")
        made.append((beside, data, _checked_steps(exported, data, sequences)))
    written = []
    for file, data, agreement in made:
        store.write_bytes(file, data)
        written.append(_described(file, data, agreement))
    return written


def model_bytes(exported: Exported, graph: Graph) -> bytes:
    """Return a graph as the bytes of an ONNX file, checked by `onnx.checker`."""
    try:
        from onnx import checker, helper
    except ImportError:
        raise missing_extra("onnx", "onnx", "export to ONNX") from None
    made = helper.make_graph(
        graph.nodes, "recurra", graph.inputs, graph.outputs, initializer=graph.initializers
    )
    opset = helper.make_opsetid("", graph.opset)
    model = helper.make_model(
        made,
        opset_imports=[opset],
        ir_version=helper.find_min_ir_version_for([opset]),
        producer_name="recurra",
        producer_version=recurra.__version__,
    )
    helper.set_model_props(model, metadata(exported))
    checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def metadata(exported: Exported) -> dict[str, str]:
    """Return what a file says of its model, as strings; what is no string is JSON."""
    manifest = exported.model.manifest
    facts: dict[str, Any] = {
        "task": exported.model.task,
        "estimator": manifest["estimator"],
        "classes": manifest["target"].get("classes"),
        "quantiles": manifest["target"].get("quantiles"),
        "channel_names": exported.channel_names,
        "sample_rate_hz": manifest.get("sample_rate_hz"),
        "missing_values": manifest["params"].get("missing") == "mask",
        "recurra": recurra.__version__,
        "fingerprint": exported.model.fingerprint,
        "input": "raw sequences" if exported.outside is None else "rows of features",
    }
    if exported.outside is not None:
        facts["features"] = exported.outside.to_manifest()[0]
    if exported.model.static is not None:
        facts["static"] = exported.model.static.to_manifest()["columns"]
    if exported.model.wide is not None and exported.model.wide.reads_texts:
        facts["ngrams"] = MEANING
    return {
        name: fact if isinstance(fact, str) else json.dumps(fact)
        for name, fact in facts.items()
        if fact is not None and fact != []
    }


class Runner:
    """A graph run by onnxruntime.

    Parameters
    ----------
    data : bytes
        Of an ONNX file.
    """

    def __init__(self, data: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0") or 0)
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs by name."""
        return dict(zip(self._names, self._session.run(None, inputs), strict=True))


def padded(rows: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the inputs of a graph for sequences (time, channels); after the ends stands NaN, which must not matter."""
    longest = max(1, *(len(own) for own in rows)) if rows else 1
    x = np.full((len(rows), longest, rows[0].shape[1]), np.nan, np.float32)
    for index, own in enumerate(rows):
        x[index, : len(own)] = own
    return {"x": x, "lengths": np.array([len(own) for own in rows], np.int64)}


def _runner(data: bytes) -> Runner | None:
    try:
        return Runner(data)
    except ImportError:
        return None


def _checked(exported: Exported, data: bytes, sequences: Sequence[Any] | None) -> Agreement | None:
    """Return how far onnxruntime is from recurra on batches of sequences."""
    runner = _runner(data)
    if runner is None:
        return None
    parts = batches(exported, sequences)
    beside, told = besides(exported, parts)
    found = Agreement("onnxruntime", of_run=sequences is not None, beside=told)
    for batch, own_beside in zip(parts, beside, strict=True):
        outputs = runner(**padded(batch), **own_beside.inputs(exported))
        for name, own in expected(exported, batch, own_beside).items():
            each = [one[: len(right)] if right.ndim == outputs[name].ndim - 1 else one
                    for one, right in zip(outputs[name], own, strict=True)]  # fmt: skip
            found = found.with_difference(difference(exported, name, own, each), batch)
    return _near(found)


def _checked_steps(exported: Exported, data: bytes, sequences: Sequence[Any] | None) -> Agreement | None:
    """Return how far the graph of one step is from a stream."""
    runner = _runner(data)
    if runner is None:
        return None
    parts = batches(exported, sequences)[0][:3]
    beside, told = besides(exported, [[rows] for rows in parts])
    found = Agreement("onnxruntime, step by step,", of_run=sequences is not None, beside=told)
    for rows, own_beside in zip(parts, beside, strict=True):
        state: dict[str, np.ndarray] = {}
        given = own_beside.inputs(exported)
        for index, right in enumerate(expected_steps(exported, rows[:50], own_beside)):
            outputs = runner(x=rows[index : index + 1], **given, **state)
            state = {n.removesuffix("_next"): a for n, a in outputs.items() if n.endswith("_next")}
            for name, own in right.items():
                found = found.with_difference(difference(exported, name, [own], list(outputs[name])), [])
        found = found.with_difference(0.0, [rows[:50]])
    return _near(found)


def _near(found: Agreement) -> Agreement:
    if not found.largest <= TOLERANCE:
        raise RecurraError(
            f"export: {found.who} differs from recurra by {found.largest:.2g}, more than {TOLERANCE:g}, so no file was "
            "written; please report it with the model file, and predict with recurra.load_model meanwhile."
        )
    return found


def _described(path: Path, data: bytes, agreement: Agreement | None) -> OnnxFile:
    import onnx

    graph = onnx.load_model_from_string(data).graph

    def shapes(values: Any) -> dict[str, list[int | str]]:
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}

    return OnnxFile(path, len(data), len(graph.node), shapes(graph.input), shapes(graph.output), agreement)
