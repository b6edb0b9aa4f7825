"""ONNX's operators as functions of torch: each takes its inputs, None where one is left out, and its attributes.

Shapes are tensors of int64 as in ONNX. What an operator could blow up (`Expand`, `Tile`, `Pad`, ...) is bounded.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.errors import DataError

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]

# Numbers that one operator may make out of fewer.
MOST_NUMBERS = 2**28

_DTYPES = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64,
           9: torch.bool, 10: torch.float16, 11: torch.float64}  # fmt: skip


def _bounded(shape: list[int]) -> list[int]:
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_NUMBERS:
        raise DataError(f"ImportedGraph: an operator asks for the shape {tuple(shape)}, which is not made.")
    return shape


def _numbers(found: Tensor | None, default: list[int] | None = None) -> list[int]:
    """Return a tensor of whole numbers, or an attribute, as a list."""
    if found is None:
        return default or []
    return [int(n) for n in (found.reshape(-1).tolist() if isinstance(found, Tensor) else found)]


def _constant(a: Attributes) -> Tensor:
    for name, kind in (("value_float", torch.float32), ("value_floats", torch.float32), ("value_int", torch.int64),
                       ("value_ints", torch.int64)):  # fmt: skip
        if name in a:
            return torch.tensor(a[name], dtype=kind)
    return a["value"]


def _constant_of_shape(a: Attributes, shape: Tensor) -> Tensor:
    value = a.get("value", torch.zeros(1))
    return value.reshape(()).expand(_bounded(_numbers(shape))).clone()


def _cast(a: Attributes, x: Tensor) -> Tensor:
    if a["to"] not in _DTYPES:
        raise DataError(f"ImportedGraph: Cast to ONNX's type {a['to']} is not known.")
    return x.to(_DTYPES[a["to"]])


def _shape(a: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape[a.get("start", 0) : a.get("end", x.ndim)], dtype=torch.int64)


def _gather(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0) % max(x.ndim, 1)
    flat = index.reshape(-1).long()
    if flat.numel() and not -x.shape[axis] <= int(flat.min()) <= int(flat.max()) < x.shape[axis]:
        raise DataError(f"ImportedGraph: Gather asks for place {int(flat.max())} of {x.shape[axis]}.")
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    return x.index_select(axis, flat).reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _gather_nd(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    if a.get("batch_dims", 0):
        rows = torch.arange(len(x), device=x.device).reshape(-1, *[1] * (index.ndim - 2))
        return x[(rows.expand(index.shape[:-1]), *index.unbind(-1))]
    return x[tuple(index.unbind(-1))]


def _slice(
    a: Attributes, x: Tensor, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None
) -> Tensor:
    first = _numbers(a.get("starts") if starts is None else starts)
    last = _numbers(a.get("ends") if ends is None else ends)
    places = _numbers(a.get("axes") if axes is None else axes, list(range(len(first))))
    strides = _numbers(steps, [1] * len(first))
    for begin, end, axis, stride in zip(first, last, places, strides, strict=True):
        size = x.shape[axis]
        chosen = range(size)[slice(begin, None if stride < 0 and end < -size else end, stride)]
        if stride > 0:
            x = x.narrow(axis, chosen.start, 0) if not len(chosen) else _strided(x, axis, chosen)
        else:
            x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64, device=x.device))
    return x


def _strided(x: Tensor, axis: int, chosen: range) -> Tensor:
    narrow = x.narrow(axis, chosen.start, chosen[-1] + 1 - chosen.start)
    return (
        narrow
        if chosen.step == 1
        else narrow[(slice(None),) * (axis % x.ndim) + (slice(None, None, chosen.step),)]
    )


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    wanted = _numbers(shape)
    if not a.get("allowzero", 0):
        wanted = [x.shape[at] if size == 0 and at < x.ndim else size for at, size in enumerate(wanted)]
    if -1 in wanted and not x.numel():  # torch cannot guess; what is left over is 0, or 1 of nothing
        known = math.prod(size for size in wanted if size != -1)
        wanted = [(0 if known else 1) if size == -1 else size for size in wanted]
    return x.reshape(wanted)


def _squeeze(a: Attributes, x: Tensor, axes: Any = None) -> Tensor:
    places = _numbers(a.get("axes") if axes is None else axes, [i for i, n in enumerate(x.shape) if n == 1])
    return x.squeeze(tuple(places)) if places else x


def _unsqueeze(a: Attributes, x: Tensor, axes: Any = None) -> Tensor:
    places = _numbers(a.get("axes") if axes is None else axes)
    for place in sorted(place % (x.ndim + len(places)) for place in places):
        x = x.unsqueeze(place)
    return x


def _expand(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(_bounded(list(torch.broadcast_shapes(x.shape, _bounded(_numbers(shape))))))


def _tile(a: Attributes, x: Tensor, repeats: Tensor) -> Tensor:
    times = _numbers(repeats)
    _bounded([size * n for size, n in zip(x.shape, times, strict=True)])
    return x.repeat(times)


def _pad(a: Attributes, x: Tensor, pads: Any = None, value: Tensor | None = None, axes: Any = None) -> Tensor:
    ends = _numbers(a.get("pads") if pads is None else pads)
    places = _numbers(axes, list(range(x.ndim)))
    half = len(ends) // 2
    both = {place % x.ndim: (ends[i], ends[half + i]) for i, place in enumerate(places)}
    _bounded([size + sum(both.get(axis, (0, 0))) for axis, size in enumerate(x.shape)])
    mode = a.get("mode", "constant")
    if mode == "constant":
        order = [n for axis in reversed(range(x.ndim)) for n in both.get(axis, (0, 0))]
        return F.pad(x, order, value=a.get("value", 0.0) if value is None else value.item())
    how: Any = {"reflect": "reflect", "edge": "edge"}[mode]
    for axis, (before, after) in both.items():  # one axis after another, by places
        size = x.shape[axis]
        where = np.pad(
            np.arange(size),
            (max(before, 0), max(after, 0)),
            mode=how,
        )
        where = where[max(-before, 0) : len(where) - max(-after, 0)]
        x = x.index_select(axis, torch.from_numpy(where).to(x.device))
    return x


def _split(a: Attributes, x: Tensor, split: Any = None) -> list[Tensor]:
    axis = a.get("axis", 0)
    sizes = _numbers(a.get("split") if split is None else split)
    if not sizes:
        parts = a.get("num_outputs", a["outputs"])
        each = -(-x.shape[axis] // parts)
        sizes = [each] * (parts - 1) + [x.shape[axis] - each * (parts - 1)]
    return list(x.split(sizes, dim=axis))


def _range(a: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    count = max(math.ceil((limit.item() - start.item()) / delta.item()), 0)
    _bounded([count])
    return start + delta * torch.arange(count, dtype=start.dtype)


def _division(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _mod(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return torch.fmod(x, y) if a.get("fmod", 0) else torch.remainder(x, y)


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def joined(a: Attributes, *xs: Tensor) -> Tensor:
        found = xs[0]
        for x in xs[1:]:
            found = function(found, x)
        return found

    return joined


def _gemm(a: Attributes, x: Tensor, y: Tensor, c: Tensor | None = None) -> Tensor:
    x, y = (m.T if a.get(word, 0) else m for m, word in ((x, "transA"), (y, "transB")))
    found = a.get("alpha", 1.0) * (x @ y)
    return found if c is None else found + a.get("beta", 1.0) * c


def _clip(a: Attributes, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    low, high = (
        a.get(word) if given is None else given.item() for word, given in (("min", low), ("max", high))
    )
    return x if low is None and high is None else x.clamp(low, high)


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def reduce(a: Attributes, x: Tensor, axes: Any = None) -> Tensor:
        places = _numbers(a.get("axes") if axes is None else axes)
        if not places:
            if a.get("noop_with_empty_axes", 0):
                return x
            places = list(range(x.ndim))
        return function(x, dim=tuple(places), keepdim=bool(a.get("keepdims", 1)))

    return reduce


def _place_of(function: Callable[..., Tensor]) -> Operator:
    def place(a: Attributes, x: Tensor) -> Tensor:
        if a.get("select_last_index", 0):
            raise DataError("ImportedGraph: ArgMax and ArgMin with select_last_index are not known.")
        return function(x, dim=a.get("axis", 0), keepdim=bool(a.get("keepdims", 1)))

    return place


def _top_k(a: Attributes, x: Tensor, count: Tensor) -> list[Tensor]:
    return list(x.topk(int(count.item()), dim=a.get("axis", -1), largest=bool(a.get("largest", 1))))


def _cumsum(a: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    place = int(axis.item())
    if a.get("reverse", 0):
        x = x.flip(place)
    found = x.cumsum(place)
    if a.get("exclusive", 0):
        found = found - x
    return found.flip(place) if a.get("reverse", 0) else found


def _batch_norm(
    a: Attributes, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=a.get("epsilon", 1e-5))


def _layer_norm(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axis = a.get("axis", -1) % x.ndim
    return F.layer_norm(x, x.shape[axis:], weight, bias, a.get("epsilon", 1e-5))


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    count = x.ndim - 2
    if count not in (1, 2, 3):
        raise DataError(f"ImportedGraph: Conv over {count} axes is not known.")
    strides, dilations = (_numbers(a.get(word), [1] * count) for word in ("strides", "dilations"))
    sizes = [d * (n - 1) for d, n in zip(dilations, weight.shape[2:], strict=True)]
    how = a.get("auto_pad", "NOTSET")
    pads = _numbers(a.get("pads"), [0] * 2 * count)
    if how.startswith("SAME"):
        needed = [
            max((-(-n // s) - 1) * s + size + 1 - n, 0)
            for n, s, size in zip(x.shape[2:], strides, sizes, strict=True)
        ]
        less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
        pads = [*less, *more] if how == "SAME_UPPER" else [*more, *less]
    order = [pads[at + half * count] for at in reversed(range(count)) for half in (0, 1)]
    _bounded(
        [
            x.shape[0],
            weight.shape[0],
            *(n + p + q for n, p, q in zip(x.shape[2:], pads[:count], pads[count:], strict=True)),
        ]
    )
    run = (F.conv1d, F.conv2d, F.conv3d)[count - 1]
    return run(F.pad(x, order), weight, bias, tuple(strides), 0, tuple(dilations), a.get("group", 1))


def _softmax(function: Callable[..., Tensor]) -> Operator:
    def run(a: Attributes, x: Tensor) -> Tensor:
        axis = a.get("axis", -1 if a["opset"] >= 13 else 1)
        if a["opset"] >= 13:
            return function(x, dim=axis)
        return function(x.flatten(axis % x.ndim), dim=-1).reshape(
            x.shape
        )  # before 13 over all axes from this one on

    return run


def _elementwise(function: Callable[..., Tensor]) -> Operator:
    return lambda a, *xs: function(*xs)


OPERATORS: Mapping[str, Operator] = {
    "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Cast": _cast, "Shape": _shape, "Gather": _gather,
    "GatherND": _gather_nd, "Slice": _slice, "Reshape": _reshape, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Expand": _expand, "Tile": _tile, "Pad": _pad, "Split": _split, "Range": _range, "Div": _division, "Mod": _mod,
    "Gemm": _gemm, "Clip": _clip, "CumSum": _cumsum, "TopK": _top_k, "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm, "Conv": _conv, "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax), "Identity": _elementwise(lambda x: x), "Size":
    _elementwise(lambda x: torch.tensor(x.numel())),
    "Transpose": lambda a, x: x.permute(a.get("perm", list(range(x.ndim))[::-1])),
    "Concat": lambda a, *xs: torch.cat(xs, dim=a["axis"]), "Flatten": lambda a, x: x.reshape(
        math.prod(x.shape[: a.get("axis", 1)]), -1), "Dropout": lambda a, x, *_: x,
    "Add": _elementwise(torch.add), "Sub": _elementwise(torch.sub), "Mul": _elementwise(torch.mul),
    "Pow": _elementwise(lambda x, y: torch.pow(x, y.to(x.dtype)).to(x.dtype)), "MatMul": _elementwise(torch.matmul),
    "Max": _many(torch.maximum), "Min": _many(torch.minimum), "Sum": _many(torch.add),
    "Neg": _elementwise(torch.neg), "Abs": _elementwise(torch.abs), "Sqrt": _elementwise(torch.sqrt),
    "Exp": _elementwise(torch.exp), "Log": _elementwise(torch.log), "Erf": _elementwise(torch.erf),
    "Floor": _elementwise(torch.floor), "Ceil": _elementwise(torch.ceil), "Reciprocal": _elementwise(torch.reciprocal),
    "Relu": _elementwise(torch.relu), "Sigmoid": _elementwise(torch.sigmoid), "Tanh": _elementwise(torch.tanh),
    "Softplus": _elementwise(F.softplus), "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "Elu": lambda a, x: F.elu(x, a.get("alpha", 1.0)),
    "HardSigmoid": lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "Equal": _elementwise(torch.eq), "Greater": _elementwise(torch.gt), "Less": _elementwise(torch.lt),
    "GreaterOrEqual": _elementwise(torch.ge), "LessOrEqual": _elementwise(torch.le), "And": _elementwise(torch.logical_and),
    "Or": _elementwise(torch.logical_or), "Not": _elementwise(torch.logical_not), "IsNaN": _elementwise(torch.isnan),
    "Where": _elementwise(torch.where), "ReduceSum": _reduced(torch.sum), "ReduceMean": _reduced(torch.mean),
    "ReduceMax": _reduced(torch.amax), "ReduceMin": _reduced(torch.amin), "ArgMax": _place_of(torch.argmax),
    "ArgMin": _place_of(torch.argmin),
    "ReduceL2": _reduced(lambda x, **how: x.square().sum(**how).sqrt()),
}  # fmt: skip
