"""The ONNX file: graph, metadata, and its check by onnxruntime before it is handed over."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra import store
from recurra.checks import check_number, missing_extra
from recurra.errors import RecurraError, UsageError
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
from recurra.export.onnx.tasks import anomaly, forecasting, translation
from recurra.export.onnx.tasks.part import Part, Run
from recurra.export.onnx.whole import step_graph, whole_graph
from recurra.serving.models.anomaly_model import AnomalyModel
from recurra.serving.models.forecast_model import ForecastModel
from recurra.serving.models.translation import TranslationModel


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
    model : FittedModel, AnomalyModel, ForecastModel or TranslationModel
    path : path
        The file; the graph of one step is written beside it, with ``-step`` before its ending. A translator always is two
        graphs: one reads a source, that of one step writes a symbol.
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
    if "onnx" not in sys.modules and find_spec("onnx") is None:  # told before anything is built with it
        raise missing_extra("onnx", "onnx", "export to ONNX")
    file, made = Path(path), []
    for part in _parts(model, step, opset):
        data = _bytes(part.graph, part.facts)
        runner = _runner(data)
        agreement = None if runner is None else _near(part.check(runner, sequences))
        made.append((file.with_name(f"{file.stem}{part.ending}{file.suffix}"), data, agreement))
    written = []
    for beside, data, agreement in made:
        store.write_bytes(beside, data)
        written.append(_described(beside, data, agreement))
    return written


def _parts(model: Any, step: bool, opset: int) -> list[Part]:
    """Return the graphs of a model."""
    if isinstance(model, TranslationModel):
        return translation.parts(model, opset)
    if isinstance(model, AnomalyModel | ForecastModel):
        if step:
            what = (
                "forecast from a whole window"
                if isinstance(model, ForecastModel)
                else "score of whole blocks"
            )
            raise UsageError(f"export: a step cannot hold a {what}; export without step.")
        return [
            anomaly.part(model, opset) if isinstance(model, AnomalyModel) else forecasting.part(model, opset)
        ]
    exported = cut(model)
    facts = metadata(exported)

    def whole(runner: Run, sequences: Sequence[Any] | None) -> Agreement:
        return _checked(exported, runner, sequences)

    def steps(runner: Run, sequences: Sequence[Any] | None) -> Agreement:
        return _checked_steps(exported, runner, sequences)

    found = [Part("", whole_graph(exported, opset), facts, whole)]
    if step:
        check_one_step(exported)
        found.append(Part("-step", step_graph(exported, opset), facts, steps))
    return found


def model_bytes(exported: Exported, graph: Graph) -> bytes:
    """Return the graph of a model of sequences as the bytes of an ONNX file, checked by `onnx.checker`."""
    return _bytes(graph, metadata(exported))


def _bytes(graph: Graph, facts: Mapping[str, Any]) -> bytes:
    from onnx import checker, helper

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
    named = {name: fact for name, fact in facts.items() if fact is not None and fact != []}
    named = {name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in named.items()}
    helper.set_model_props(model, {**named, "recurra": recurra.__version__})
    checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def metadata(exported: Exported) -> dict[str, Any]:
    """Return what a file says of its model."""
    manifest = exported.model.manifest
    facts: dict[str, Any] = {
        "task": exported.model.task,
        "estimator": manifest["estimator"],
        "classes": manifest["target"].get("classes"),
        "quantiles": manifest["target"].get("quantiles"),
        "channel_names": exported.channel_names,
        "sample_rate_hz": manifest.get("sample_rate_hz"),
        "missing_values": exported.takes_missing,
        "fingerprint": exported.model.fingerprint,
        "input": "raw sequences" if exported.outside is None else "rows of features",
    }
    if exported.outside is not None:
        facts["features"] = exported.outside.to_manifest()[0]
    if exported.model.static is not None:
        facts["static"] = exported.model.static.to_manifest()["columns"]
    if exported.model.wide is not None and exported.model.wide.reads_texts:
        facts["ngrams"] = MEANING
    return facts


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


def _checked(exported: Exported, runner: Run, sequences: Sequence[Any] | None) -> Agreement:
    """Return how far onnxruntime is from recurra on batches of sequences."""
    parts = batches(exported, sequences)
    beside, told = besides(exported, parts)
    found = Agreement("onnxruntime", of_run=sequences is not None, beside=told)
    for batch, own_beside in zip(parts, beside, strict=True):
        outputs = runner(**padded(batch), **own_beside.inputs(exported))
        for name, own in expected(exported, batch, own_beside).items():
            each = [one[: len(right)] if right.ndim == outputs[name].ndim - 1 else one
                    for one, right in zip(outputs[name], own, strict=True)]  # fmt: skip
            found = found.with_difference(difference(exported, name, own, each), batch)
    return found


def _checked_steps(exported: Exported, runner: Run, sequences: Sequence[Any] | None) -> Agreement:
    """Return how far the graph of one step is from a stream."""
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
    return found


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
