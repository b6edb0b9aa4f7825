"""Every layout of input, state and weight gives torch's values and gradients, as written and under `torch.compile`."""

import copy

import pytest
import torch

import recurra
from recurra.nn import GRU, LSTM, RNN

OURS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
TIME, BATCH, SIZE = 4, 3, 5
TOLERANCE = {
    torch.float64: {"rtol": 1e-7, "atol": 1e-7},
    torch.float32: {"rtol": 1e-4, "atol": 1e-5},
    # torch's own kernels run, but layer by layer where it is compiled: a rounding of 2^-9 a step
    torch.bfloat16: {"rtol": 5e-2, "atol": 5e-2},
    torch.float16: {"rtol": 1e-2, "atol": 1e-2},
}


def every_other(*shape):
    return torch.randn(*(2 * s for s in shape)), lambda leaf: leaf[tuple(slice(1, None, 2) for _ in shape)]


# From a shape to a leaf and the view of it that has the shape.
LAYOUTS = {
    "contiguous": lambda *s: (torch.randn(*s), lambda leaf: leaf),
    "transposed": lambda *s: (torch.randn(s[1], s[0], *s[2:]), lambda leaf: leaf.transpose(0, 1)),
    "features first": lambda *s: (torch.randn(s[-1], *s[:-1]), lambda leaf: leaf.movedim(0, -1)),
    "features second": lambda *s: (torch.randn(*s[:-2], s[-1], s[-2]), lambda leaf: leaf.transpose(-1, -2)),
    "expanded first": lambda *s: (torch.randn(1, *s[1:]), lambda leaf: leaf.expand(*s)),
    "expanded last": lambda *s: (torch.randn(*s[:-1], 1), lambda leaf: leaf.expand(*s)),
    "expanded everywhere": lambda *s: (torch.randn(()), lambda leaf: leaf.expand(*s)),
    "sliced": every_other,
    "padded features": lambda *s: (torch.randn(*s[:-1], s[-1] + 3), lambda leaf: leaf[..., 1:-2]),
    "real part": lambda *s: (torch.randn(*s, 2), lambda leaf: torch.view_as_complex(leaf).real),
    "negative view": lambda *s: (torch.randn(*s, 2), lambda leaf: torch.view_as_complex(leaf).conj().imag),
    "overlapping": lambda *s: (
        torch.randn(s[0] + s[1], *s[2:]),
        lambda leaf: torch.stack([leaf[i : i + s[1]] for i in range(s[0])])
        if len(s) < 3
        else leaf.unfold(0, s[1], 1)[: s[0]].movedim(-1, 1),
    ),
}
MORE_LAYOUTS = [name for name in LAYOUTS if name not in ("contiguous", "overlapping")]


def view(layout, shape, dtype):
    """Return a leaf of a dtype and its view."""
    torch.manual_seed(sum(shape) + len(layout))
    leaf, look = LAYOUTS[layout](*shape)
    if leaf.is_complex() or "part" in layout or "view" in layout:
        dtype = torch.float64 if dtype is torch.float64 else torch.float32
    leaf = leaf.to(dtype).div(2).requires_grad_()
    return leaf, look


def case(name, role, layout, dtype, *, time=TIME, batch=BATCH, batch_first=False, **options):
    """Return torch's layer, leaves and a function from a layer to its values, with one role in a layout."""
    torch.manual_seed(0)
    layer = getattr(torch.nn, name)(SIZE, SIZE, batch_first=batch_first, **options).to(dtype)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (batch, time, SIZE) if batch_first else (time, batch, SIZE)
    shapes = {"input": shape, "h_0": (count, batch, layer.proj_size or SIZE), "c_0": (count, batch, SIZE)}
    shapes |= {key: tuple(weight.shape) for key, weight in layer.named_parameters()}
    leaves, looks = {}, {}
    for key, its in shapes.items():
        if key == "c_0" and name != "LSTM":
            continue
        chosen = key.startswith(role)
        leaves[key], looks[key] = view(layout if chosen else "contiguous", its, dtype)

    def values(layer, given):
        seen = {key: looks[key](leaf).to(dtype) for key, leaf in given.items()}
        x = seen.pop("input")
        states = [seen.pop(key) for key in ("h_0", "c_0") if key in seen]
        output, final = torch.func.functional_call(
            layer, seen, (x, tuple(states) if len(states) == 2 else states[0])
        )
        return (output, *final) if name == "LSTM" else (output, final)

    return layer, leaves, values


def ours_of(layer):
    ours = copy.deepcopy(layer)
    recurra.accelerate(ours)
    return ours


def gradients(found, leaves):
    """Return gradients of a loss in which every number counts otherwise."""
    loss = sum((v.float() * torch.arange(1.0, v.numel() + 1).reshape(v.shape).cos()).sum() for v in found)
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {k: torch.zeros_like(leaves[k]) if g is None else g for k, g in zip(leaves, grads, strict=True)}


def compare(found, grads, expected, expected_grads, dtype):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, **TOLERANCE[dtype])
    for key, gradient in expected_grads.items():
        assert grads[key].dtype == gradient.dtype
        torch.testing.assert_close(grads[key], gradient, msg=lambda m, k=key: f"{k}: {m}", **TOLERANCE[dtype])


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("role", ["input", "h_0", "c_0", "weight_ih", "weight_hh"])
def test_layouts_as_written(role, layout, dtype):
    if layout == "overlapping" and role != "input":
        pytest.skip("states and weights have no window")
    for name in OURS if role != "c_0" else ["LSTM"]:
        for options in ({}, {"batch_first": True, "bidirectional": True, "num_layers": 2}):
            if role == "weight_ih" and layout == "transposed" and options:
                continue
            layer, leaves, values = case(name, role, layout, dtype, **options)
            expected = values(layer, leaves)
            found = values(ours_of(layer), leaves)
            compare(found, gradients(found, leaves), expected, gradients(expected, leaves), dtype)


class Whole(torch.nn.Module):
    """A layer and the views of its input, compiled together."""

    def __init__(self, layer, values):
        super().__init__()
        self.layer, self.values = layer, values

    def forward(self, given):
        return self.values(self.layer, given)


COMPILED = [(role, layout, "float32") for role in ("input", "h_0") for layout in MORE_LAYOUTS]
COMPILED += [("weight_hh", layout, "float32") for layout in ("transposed", "expanded first", "sliced")]
COMPILED += [("input", layout, "bfloat16") for layout in ("features second", "expanded first", "sliced")]
COMPILED += [("input", "features second", "float64"), ("c_0", "expanded everywhere", "float16")]


@pytest.mark.parametrize(("role", "layout", "dtype"), COMPILED)
def test_layouts_compiled(role, layout, dtype):
    torch._dynamo.reset()
    dtype = getattr(torch, dtype)
    layer, leaves, values = case("LSTM", role, layout, dtype)
    expected = values(layer, leaves)
    compiled = torch.compile(Whole(ours_of(layer), values), backend="aot_eager", fullgraph=True)
    found = compiled(leaves)
    compare(found, gradients(found, leaves), expected, gradients(expected, leaves), dtype)
