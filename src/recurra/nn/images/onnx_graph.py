"""A published image network as an ONNX graph from frames to features, its batch normalisations folded.

onnxruntime gives each frame of such a graph the same bits whatever the batch around it; benchmarks/bench_frames.py holds its
speed against torch's.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from recurra.checks import missing_extra
from recurra.nn.images.published_weights import PerChannel

OPSET = 17
_IR_VERSION = 9


class _Tracer(torch.fx.Tracer):
    """Follows `_Part` down to the layers this file knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, PerChannel))


class _Part(nn.Module):
    """What is asked of a network: the maps of a layer, or its features."""

    def __init__(self, network: Any, layer: str | None, *, pooled: bool) -> None:
        super().__init__()
        self.network = network
        self._layer, self._pooled = layer, pooled

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.network.maps(images, self._layer)
        return maps.mean(dim=(2, 3)) if self._pooled else maps


class _Graph:
    """Nodes and constants in the making; names are numbers in order."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._make_node, self._make_tensor = helper.make_node, numpy_helper.from_array
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        name = output or f"value_{len(self.nodes)}"
        self.nodes.append(self._make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self._make_tensor(np.ascontiguousarray(array), name))
        return name


def frames_graph(network: Any, layer: str | None = None, *, pooled: bool = True) -> bytes:
    """Return the graph of a network's ``features``, or of the maps of a layer, its pixels prepared inside.

    Parameters
    ----------
    network : GoogLeNet or EfficientNetLite0
        With the weights to use.
    layer : str, optional
        One of its ``layers``; by default the last.
    pooled : bool, default=True
        Whether the maps are averaged over their places.

    Returns
    -------
    bytes
        An ONNX model with one input ``frames``, uint8 of shape (frames, height, width, 3), and one output
        ``features``, float32 of shape (frames, channels), or (frames, channels, height, width) if not pooled.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError:
        raise missing_extra("onnx", "onnx", "An image network as an ONNX graph") from None
    graph = _Graph()
    values: dict[Any, str] = {}
    part = _Part(network, layer, pooled=pooled)
    traced = _Tracer().trace(part)
    modules = dict(part.named_modules())
    for node in traced.nodes:
        if node.op == "placeholder":
            images = graph.node(
                "Transpose", [graph.node("Cast", ["frames"], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2]
            )
            values[node] = _per_channel(graph, network.pixels, images)
        elif node.op == "call_module":
            values[node] = _layer(graph, modules, node, values)
        elif node.op == "output":
            graph.node("Identity", [values[node.args[0]]], "features")
        else:
            values[node] = _OPERATIONS[node.target](graph, node, values)
    shape = ["count", "channels"] if pooled else ["count", "channels", "rows", "columns"]
    made = helper.make_graph(
        graph.nodes,
        type(network).__name__,
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["count", "height", "width", 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        graph.constants,
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=_IR_VERSION).SerializeToString()


def _layer(graph: _Graph, modules: Mapping[str, Any], node: Any, values: Mapping[Any, str]) -> str:
    layer, inputs = modules[node.target], [values[node.args[0]]]
    if isinstance(layer, PerChannel):
        return _per_channel(graph, layer, inputs[0])
    if isinstance(layer, nn.MaxPool2d):
        return _max_pool(graph, inputs[0], layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, nn.BatchNorm2d):
        return inputs[0]  # folded into the convolution before it
    after = next(iter(node.users))
    weight, bias = _folded(layer, modules[after.target])
    strides, kernel = list(layer.stride), list(layer.kernel_size)
    padding: dict[str, Any] = {"pads": [*layer.padding, *layer.padding]}
    if hasattr(layer, "pads_as_same") and layer.stride != (1, 1):
        padding = {"auto_pad": "SAME_UPPER"}
    inputs += [graph.constant(weight), graph.constant(bias)]
    return graph.node("Conv", inputs, kernel_shape=kernel, strides=strides, group=layer.groups, **padding)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of a convolution with the normalisation after it, computed in double."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = convolution.weight.double() * scale[:, None, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return weight.detach().float().numpy(), bias.detach().float().numpy()


def _per_channel(graph: _Graph, layer: PerChannel, images: str) -> str:
    scale, shift = (
        graph.constant(np.array(v, np.float32)[:, None, None]) for v in (layer.scale, layer.shift)
    )
    return graph.node("Add", [graph.node("Mul", [images, scale]), shift])


def _max_pool(graph: _Graph, images: str, kernel: Any, stride: Any, padding: Any = 0) -> str:
    sizes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
    return graph.node("MaxPool", [images], ceil_mode=1, **sizes)


def _function_max_pool(graph: _Graph, node: Any, values: Mapping[Any, str]) -> str:
    return _max_pool(graph, values[node.args[0]], node.args[1], node.kwargs["stride"])


def _relu6(graph: _Graph, node: Any, values: Mapping[Any, str]) -> str:
    bounds = [graph.constant(np.array(bound, np.float32)) for bound in (0, 6)]
    return graph.node("Clip", [values[node.args[0]], *bounds])


def _concatenated(graph: _Graph, node: Any, values: Mapping[Any, str]) -> str:
    return graph.node("Concat", [values[part] for part in node.args[0]], axis=1)


def _average(graph: _Graph, node: Any, values: Mapping[Any, str]) -> str:
    return graph.node("Flatten", [graph.node("GlobalAveragePool", [values[node.args[0]]])])


_OPERATIONS: Mapping[Any, Callable[[_Graph, Any, Mapping[Any, str]], str]] = {
    F.relu: lambda graph, node, values: graph.node("Relu", [values[node.args[0]]]),
    F.relu6: _relu6,
    F.max_pool2d: _function_max_pool,
    torch.cat: _concatenated,
    operator.add: lambda graph, node, values: graph.node("Add", [values[part] for part in node.args]),
    "mean": _average,
}
