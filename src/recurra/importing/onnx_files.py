"""ONNX files as `recurra.nn.imported.graph.ImportedGraph`; weights are those in the file, and no other file is opened."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.checks import counted, missing_extra
from recurra.errors import DataError, RecurraError
from recurra.importing.containers import reason
from recurra.nn.imported.graph import READ_BY_LAYERS, Body, ImportedGraph, Node, evaluated
from recurra.nn.imported.operators import OPERATORS
from recurra.nn.imported.recurrent_nodes import BLOCKS, RecurrentNode

MOST_NODES = 100_000
MOST_DEPTH = 8
# Numbers a constant of the file may be unfolded to, times those in the file.
MOST_GROWTH, SMALL_NUMBERS = 4, 1 << 22
AS_MANY = ("Constant", "Identity", "Cast", "Shape", "Size", "Slice", "Concat", "Reshape", "Transpose", "Squeeze",
           "Unsqueeze", "Flatten", "Neg", "Dropout")  # fmt: skip
GROWING = ("ConstantOfShape", "Expand", "Tile", "Pad", "Range")


def read_onnx(path: Path, data: bytes) -> ImportedGraph:
    """Return the network of an ONNX file.

    Raises
    ------
    DataError
        If it is damaged, or holds an operator that cannot be taken; the message names it.
    MissingExtraError
        If the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise missing_extra("onnx", "onnx", f"{path}: reading ONNX") from None
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own, which is no subclass of another
        raise DataError(
            f"{path}: cannot be read as ONNX: {reason(error)}. It may be cut; get it again."
        ) from None
    if not model.graph.node:
        raise DataError(f"{path}: holds no graph of ONNX. It may be cut; get it again.")
    opset = max([one.version for one in model.opset_import if one.domain in ("", "ai.onnx")], default=0)
    reader = _Reader(path, int(opset), len(data))
    try:
        return reader.graph(model.graph)
    except RecurraError:
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        RuntimeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise DataError(f"{path}: its graph makes no sense: {reason(error)}. Get it again.") from None


class _Reader:
    """One file being read: its constants as buffers, its recurrences as layers.

    Parameters
    ----------
    path : Path
        For messages.
    opset : int
        Version of the operators.
    size : int
        Bytes of the file, which bounds what constants may unfold to.
    """

    def __init__(self, path: Path, opset: int, size: int) -> None:
        self._path, self._opset = path, opset
        self._left = max(MOST_GROWTH * size, SMALL_NUMBERS)
        self._nodes = 0
        self._buffers: dict[str, Tensor] = {}
        self._layers: dict[str, RecurrentNode] = {}

    def graph(self, graph: Any) -> ImportedGraph:
        """Return the whole."""
        given = {one.name for one in graph.initializer}
        inputs = [one.name for one in graph.input if one.name not in given]
        optional = [one.name for one in graph.input if one.name in given]
        body = self._body(graph, set(inputs) | set(optional), {}, 0)
        return ImportedGraph(body, inputs, self._layers, self._used(body), optional=optional)

    def _body(self, graph: Any, known: set[str], outer: Mapping[str, Tensor], depth: int) -> Body:
        if depth > MOST_DEPTH:
            raise DataError(f"{self._path}: holds graphs in graphs, more than {MOST_DEPTH} deep.")
        changing = set(known)
        fixed: dict[str, Tensor] = dict(outer)
        own: dict[str, Tensor] = {}
        for one in graph.initializer:
            own[one.name] = self._tensor(one)
        fixed |= {name: tensor for name, tensor in own.items() if name not in known}
        nodes = []
        for proto in graph.node:
            node = self._node(proto, changing, fixed, depth)
            if isinstance(node, Tensor):
                fixed[proto.output[0]] = own[proto.output[0]] = node
                changing.discard(proto.output[0])
                continue
            nodes.append(node)
            changing |= set(node.outputs)
        outputs = [one.name for one in graph.output]
        absent = [name for name in outputs if name not in changing and name not in fixed and name not in own]
        if absent or not outputs:
            raise DataError(f"{self._path}: its graph never computes its output {absent[:1]}. Get it again.")
        return Body(nodes, outputs, {name: self._buffer(tensor) for name, tensor in own.items()})

    def _buffer(self, tensor: Tensor) -> str:
        name = f"constant_{len(self._buffers)}"
        self._buffers[name] = tensor
        return name

    def _used(self, body: Body) -> dict[str, Tensor]:
        """Return the constants that an operator reads; weights of layers are no constants any more."""
        read: set[str] = set()

        def walk(one: Body) -> None:
            read.update(one.outputs)
            for node in one.nodes:
                kept = range(len(node.inputs)) if node.layer is None else READ_BY_LAYERS
                read.update(node.inputs[at] for at in kept if at < len(node.inputs))
                for branch in (node.branches or {}).values():
                    walk(branch)

        def prune(one: Body) -> None:
            unused = [name for name in one.constants if name not in read]
            for name in unused:
                self._buffers.pop(one.constants[name], None)
                del one.constants[name]  # type: ignore[attr-defined]
            for node in one.nodes:
                for branch in (node.branches or {}).values():
                    prune(branch)

        walk(body)
        prune(body)
        return self._buffers

    def _node(self, proto: Any, changing: set[str], fixed: Mapping[str, Tensor], depth: int) -> Node | Tensor:
        """Return a node, or the tensor that it always gives."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise DataError(f"{self._path}: holds more than {MOST_NODES:,} operators.")
        kind, name = proto.op_type, proto.name or (proto.output[0] if proto.output else "")
        who = f"{self._path}: layer {name!r} ({kind}) cannot be taken:"
        if proto.domain not in ("", "ai.onnx") or (
            kind not in OPERATORS and kind not in BLOCKS and kind != "If"
        ):
            where = f" of {proto.domain}" if proto.domain not in ("", "ai.onnx") else ""
            raise DataError(f"{who} recurra has nothing that stands for this operator{where}.")
        for one in proto.input:
            if one and one not in changing and one not in fixed:
                raise DataError(f"{who} it reads {one!r}, which nothing gives.")
        attributes, graphs = self._attributes(proto)
        inputs, outputs = list(proto.input), list(proto.output)
        if kind == "If":
            if set(graphs) != {"then_branch", "else_branch"} or len(inputs) != 1:
                raise DataError(f"{who} it lacks a branch.")
            branches = {
                word: self._body(graph, set(changing), fixed, depth + 1) for word, graph in graphs.items()
            }
            return Node(kind, name, inputs, outputs, attributes, branches=branches)
        if kind in BLOCKS:
            return Node(
                kind,
                name,
                inputs,
                outputs,
                attributes,
                layer=self._layer(who, kind, attributes, inputs, fixed),
            )
        if len(outputs) == 1 and all(one in fixed and one not in changing for one in inputs if one):
            given = [fixed[one] if one else None for one in inputs]
            # What could make many numbers of few is left to run, where it is bounded.
            if kind in AS_MANY or (kind not in GROWING and _most(given) <= self._left):
                return self._always(who, kind, attributes, given)
        return Node(kind, name, inputs, outputs, attributes)

    def _always(
        self, who: str, kind: str, attributes: Mapping[str, Any], given: Sequence[Tensor | None]
    ) -> Tensor:
        try:
            found = evaluated(kind, attributes, given)
        except (
            RuntimeError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            OverflowError,
        ) as error:
            raise DataError(f"{who} its constants do not fit it: {reason(error)}.") from None
        self._count(found.numel())
        return found

    def _count(self, numbers: int) -> None:
        self._left -= numbers
        if self._left < 0:
            raise DataError(
                f"{self._path}: its constants unfold to far more numbers than the file holds; it is refused."
            )

    def _layer(
        self,
        who: str,
        kind: str,
        attributes: Mapping[str, Any],
        inputs: list[str],
        fixed: Mapping[str, Tensor],
    ) -> str:
        def weight(at: int) -> Tensor | None:
            name = inputs[at] if at < len(inputs) else ""
            if name and name not in fixed:
                raise DataError(f"{who} its weights are computed while it runs.")
            return fixed[name].float() if name else None

        W, R = weight(1), weight(2)
        if W is None or R is None:
            raise DataError(f"{who} it has no weights.")
        try:
            made = RecurrentNode(kind, attributes, W, R, weight(3), weight(7) if kind == "LSTM" else None)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise DataError(f"{who} {reason(error)}.") from None
        name = f"{kind.lower()}_{len(self._layers)}"
        self._layers[name] = made
        return name

    def _attributes(self, proto: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return attributes as plain values, and those that are graphs."""
        from onnx import AttributeProto, helper

        values: dict[str, Any] = {"opset": self._opset, "outputs": len(proto.output)}
        graphs = {}
        for one in proto.attribute:
            if one.type == AttributeProto.GRAPH:
                graphs[one.name] = one.g
            elif one.type == AttributeProto.TENSOR:
                values[one.name] = self._tensor(one.t)
            elif one.type in (AttributeProto.SPARSE_TENSOR, AttributeProto.GRAPHS, AttributeProto.TENSORS):
                raise DataError(
                    f"{self._path}: layer {proto.name!r} has an attribute {one.name!r} that is not read."
                )
            else:
                value = helper.get_attribute_value(one)
                if isinstance(value, bytes):
                    value = value.decode()
                elif isinstance(value, list | tuple) or not isinstance(value, int | float | str):
                    value = [item.decode() if isinstance(item, bytes) else item for item in value]
                values[one.name] = value
        return values, graphs

    def _tensor(self, proto: Any) -> Tensor:
        from onnx import TensorProto, numpy_helper

        if proto.data_location == TensorProto.EXTERNAL or len(proto.external_data):
            raise DataError(
                f"{self._path}: keeps the weight {proto.name[:80]!r} in another file, which is not opened; save it as one "
                "file with onnx.save_model(model, path)."
            )
        array = np.array(numpy_helper.to_array(proto), order="C")  # a copy that may be written
        if (
            array.dtype.kind not in "biuf"
            or array.dtype.itemsize > 8
            or (array.dtype.kind == "u" and array.dtype.itemsize > 1)
        ):
            raise DataError(
                f"{self._path}: the weight {proto.name[:80]!r} is of {array.dtype}, which is not read."
            )
        self._count(array.size)
        return torch.from_numpy(array)


def _most(given: Sequence[Tensor | None]) -> int:
    """Return how many numbers an operator can make of its inputs at most."""
    return math.prod(max(one.numel(), 1) for one in given if one is not None)


def recurrences(module: nn.Module) -> list[str]:
    """Return a line for each recurrent layer of a module, such as ``lstm: LSTM, 12 channels, 64 units, both directions``."""
    return [
        f"{name or 'the layer'}: {type(layer).__name__}, {counted(layer.input_size, 'channel')}, "
        f"{counted(layer.hidden_size, 'unit')}"
        + (f", {layer.num_layers} layers" if layer.num_layers > 1 else "")
        + (", both directions" if layer.bidirectional else "")
        for name, layer in module.named_modules()
        if isinstance(layer, nn.RNNBase)
    ]
