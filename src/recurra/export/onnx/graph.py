"""`Graph`: nodes and constants of an ONNX graph while it is built; tensors are known by their names."""

import itertools
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

# Operator sets that are written; what differs between them is here and nowhere else.
LOWEST_OPSET, HIGHEST_OPSET = 14, 22
DEFAULT_OPSET = 17
_AXES_AS_INPUT = (
    18  # since then the axes of these reductions are an input, as those of ReduceSum are since 13
)
_REDUCTIONS = ("ReduceMax", "ReduceMin", "ReduceMean")


class Graph:
    """An ONNX graph while it is built.

    Parameters
    ----------
    opset : int
        Version of the standard operators.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    initializers : list of onnx.TensorProto
    inputs, outputs : list of onnx.ValueInfoProto
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._numbers = itertools.count(1)

    def several(self, operator: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """Add a node with so many outputs; return their names."""
        from onnx import helper

        number = next(self._numbers)
        names = [f"{operator.lower()}_{number}" + (f"_{i}" if count > 1 else "") for i in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=names[0], **attributes))
        return names

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        return self.several(operator, *inputs, count=1, **attributes)[0]

    def inner(self) -> "Graph":
        """Return a graph for the body of an operator: its constants and its numbering are those of this one."""
        found = copy(self)
        found.nodes, found.inputs, found.outputs = [], [], []
        return found

    def constant(self, array: Any, dtype: Any = None, *, name: str | None = None) -> str:
        """Return the name of a constant, which stands in the file once however often it is asked for."""
        from onnx import numpy_helper

        array = np.array(array, dtype, order="C")  # ascontiguousarray would make a number an array of one
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            taken = set(self._constants.values())
            name = name or "constant"
            # Members have weights of the same name.
            numbered = name if name not in taken and name != "constant" else f"{name}_{len(taken)}"
            self._constants[key] = numbered
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def input(self, name: str, dtype: Any, shape: Sequence[int | str], default: Any = None) -> str:
        """Declare an input; with a default it may be left out."""
        from onnx import helper, numpy_helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        if default is not None:
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(default, dtype), name))
        return name

    def output(self, name: str, tensor: str, dtype: Any, shape: Sequence[int | str]) -> None:
        """Declare a tensor as an output under a name."""
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.nodes.append(helper.make_node("Identity", [tensor], [name], name=f"output_{name}"))
        self.outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))

    # ------------------------------------------------- operators whose arguments are constants, spelled as in numpy

    def cast(self, tensor: str, dtype: Any) -> str:
        """Return a tensor as another type."""
        from onnx import helper

        return self.add("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, tensor: str, *shape: int) -> str:
        """Return a tensor in another shape: 0 keeps an axis, -1 is what is left."""
        return self.add("Reshape", tensor, self.constant(shape, np.int64))

    def transpose(self, tensor: str, *order: int) -> str:
        """Return a tensor with its axes in another order."""
        return self.add("Transpose", tensor, perm=list(order))

    def unsqueeze(self, tensor: str, *axes: int) -> str:
        """Return a tensor with new axes of one."""
        return self.add("Unsqueeze", tensor, self.constant(axes, np.int64))

    def squeeze(self, tensor: str, *axes: int) -> str:
        """Return a tensor without axes of one."""
        return self.add("Squeeze", tensor, self.constant(axes, np.int64))

    def slice(self, tensor: str, axis: int, start: int, stop: int | None, step: int = 1) -> str:
        """Return a part along one axis; a stop of None is its end."""
        end = np.iinfo(np.int64).max if stop is None else stop
        numbers = [self.constant([number], np.int64) for number in (start, end, axis, step)]
        return self.add("Slice", tensor, *numbers)

    def concat(self, tensors: Sequence[str], axis: int) -> str:
        """Return tensors side by side; one alone is returned as it is."""
        return tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, axis=axis)

    def gather(self, tensor: str, index: Any, axis: int) -> str:
        """Return the entries of constant places along one axis."""
        return self.add("Gather", tensor, self.constant(index, np.int64), axis=axis)

    def size(self, tensor: str, axis: int) -> str:
        """Return the length of an axis, int64 of shape (1,)."""
        return self.slice(self.add("Shape", tensor), 0, axis, axis + 1)

    def reduce(self, operator: str, tensor: str, axis: int, *, keep: bool = False) -> str:
        """Return ReduceSum, ReduceMax, ReduceMin or ReduceMean over one axis."""
        if operator in _REDUCTIONS and self.opset < _AXES_AS_INPUT:
            return self.add(operator, tensor, axes=[axis], keepdims=int(keep))
        return self.add(operator, tensor, self.constant([axis], np.int64), keepdims=int(keep))

    def pad(self, tensor: str, before: Sequence[int], after: Sequence[int]) -> str:
        """Return a tensor of float32 with zeros before and after, so many along each axis."""
        return self.add(
            "Pad", tensor, self.constant([*before, *after], np.int64), self.constant(0, np.float32)
        )

    def linear(self, rows: str, weight: np.ndarray, bias: np.ndarray | None, name: str) -> str:
        """Return ``rows @ weight.T + bias`` over the last axis."""
        product = self.add("MatMul", rows, self.constant(weight.T, name=f"{name}.weight"))
        return product if bias is None else self.add("Add", product, self.constant(bias, name=f"{name}.bias"))
