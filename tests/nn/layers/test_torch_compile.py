"""Every layout of input, state and weight gives torch's values and gradients, as written and under `torch.compile`."""

import copy
import shutil

import pytest
import torch

import recurra
from recurra.nn import GRU, LSTM, RNN

# the compiler looks at every attribute of an input, leaf or not
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
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
    "negated where it lies": lambda *s: (torch.randn(*s), torch._neg_view),
    "overlapping": lambda *s: (
        torch.randn(s[0] + s[1], *s[2:]),
        lambda leaf: (
            torch.stack([leaf[i : i + s[1]] for i in range(s[0])])
            if len(s) < 3
            else leaf.unfold(0, s[1], 1)[: s[0]].movedim(-1, 1)
        ),
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
        own = next(layer.parameters()).dtype
        seen = {key: looks[key](leaf).to(own) for key, leaf in given.items()}
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


def expected_of(layer, leaves, values):
    """Return values and gradients of torch's layer; of 16 bits computed in double, since sums in 16 bits are far off."""
    if next(layer.parameters()).dtype not in (torch.bfloat16, torch.float16):
        expected = values(layer, leaves)
        return expected, gradients(expected, leaves)
    exact = {k: leaf.detach().double().requires_grad_() for k, leaf in leaves.items()}
    found = values(copy.deepcopy(layer).double(), exact)
    grads = {k: g.to(leaves[k].dtype) for k, g in gradients(found, exact).items()}
    return [v.to(next(layer.parameters()).dtype) for v in found], grads


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
            found = values(ours_of(layer), leaves)
            compare(found, gradients(found, leaves), *expected_of(layer, leaves, values), dtype)


class Whole(torch.nn.Module):
    """A layer and the views of its input, compiled together."""

    def __init__(self, layer, values):
        super().__init__()
        self.layer, self.values = layer, values

    def forward(self, given):
        return self.values(self.layer, given)


COMPILED = [("input", layout, "float32") for layout in MORE_LAYOUTS]
COMPILED += [("h_0", layout, "float32") for layout in ("features second", "expanded everywhere", "sliced")]
COMPILED += [("weight_hh", layout, "float32") for layout in ("transposed", "expanded first", "sliced")]
COMPILED += [("input", layout, "bfloat16") for layout in ("features second", "expanded first", "sliced")]
COMPILED += [("input", "features second", "float64"), ("c_0", "expanded everywhere", "float16")]


@pytest.mark.parametrize(("role", "layout", "dtype"), COMPILED)
def test_layouts_compiled(role, layout, dtype):
    torch._dynamo.reset()
    dtype = getattr(torch, dtype)
    layer, leaves, values = case("LSTM", role, layout, dtype)
    compiled = torch.compile(Whole(ours_of(layer), values), backend="aot_eager", fullgraph=True)
    found = compiled(leaves)
    compare(found, gradients(found, leaves), *expected_of(layer, leaves, values), dtype)


def check_compiled(name, call, *, dtype=torch.float32, wide=False, backend="aot_eager", **options):
    """Compare values and gradients of a layer as written and compiled; return what it gave."""
    torch.manual_seed(2)
    torch._dynamo.reset()
    layer = getattr(torch.nn, name)(SIZE, SIZE, **options).to(dtype)
    written, compiled = ours_of(layer), ours_of(layer)
    x = torch.randn(TIME, BATCH, SIZE, dtype=dtype, requires_grad=True)
    results = []
    for each, run in (
        (written, written),
        (compiled, torch.compile(compiled, backend=backend, fullgraph=True)),
    ):
        output, states = call(run, x)
        values = (output, *states) if name == "LSTM" else (output, states)
        results.append((values, gradients(values, {"x": x, **dict(each.named_parameters())})))
    (expected, expected_grads), (found, grads) = results
    compare(found, grads, expected, expected_grads, torch.bfloat16 if wide else dtype)
    return found


@pytest.mark.parametrize("name", OURS)
def test_autocast_compiled_gives_torchs_dtypes(name):
    def call(run, x):
        with torch.autocast("cpu", torch.bfloat16):
            return run(x)

    found = check_compiled(name, call, wide=True, num_layers=2, bidirectional=True)
    with torch.autocast("cpu", torch.bfloat16):
        plain = getattr(torch.nn, name)(SIZE, SIZE)(torch.zeros(TIME, BATCH, SIZE))[0]
    assert found[0].dtype == plain.dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", OURS)
def test_lengths_compiled(name, dtype):
    lengths = torch.tensor([2, 0, 4])
    check_compiled(
        name, lambda run, x: run(x, lengths=lengths), dtype=dtype, num_layers=2, bidirectional=True
    )


def test_reference_compiled():
    with recurra.kernels.use("reference"):
        check_compiled("GRU", lambda run, x: run(x, lengths=torch.tensor([2, 0, 4])))


def test_inductor():
    if shutil.which("c++") is None:
        pytest.skip("inductor needs a compiler")
    check_compiled("LSTM", lambda run, x: run(x.transpose(0, 1)), backend="inductor")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_and_empty_batches_share_a_compiled_layer(dtype):
    torch._dynamo.reset()
    layer = ours_of(torch.nn.GRU(1, 1).to(dtype))
    compiled = torch.compile(layer, backend="aot_eager", dynamic=True)
    for time, batch in ((5, 4), (1, 3), (3, 1), (1, 1), (0, 2), (2, 0)):
        x = torch.randn(time, batch, 1).to(dtype).requires_grad_()
        leaves = {"x": x, **dict(layer.named_parameters())}
        expected, found = layer(x), compiled(x)
        compare(found, gradients(found, leaves), expected, gradients(expected, leaves), dtype)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tied_weights(dtype, compile):
    torch.manual_seed(0)
    torch._dynamo.reset()
    layer = torch.nn.LSTM(SIZE, SIZE, num_layers=2).to(dtype)
    layer.weight_hh_l1 = layer.weight_ih_l0 = layer.weight_hh_l0
    layer.bias_hh_l1 = layer.bias_ih_l0
    ours = ours_of(layer)
    run = torch.compile(ours, backend="aot_eager", fullgraph=True) if compile else ours
    x = torch.randn(TIME, BATCH, SIZE, dtype=dtype, requires_grad=True)
    results = []
    for each, call in ((layer, layer), (ours, run)):
        output, states = call(x)
        values = (output, *states)
        results += [values, gradients(values, {"x": x, **dict(each.named_parameters())})]
    compare(results[2], results[3], results[0], results[1], dtype)


def test_packed_sequences_run_outside_of_the_compiled_graph():
    torch._dynamo.reset()
    layer = torch.nn.LSTM(SIZE, SIZE)
    ours = ours_of(layer)
    x = torch.randn(TIME, BATCH, SIZE, requires_grad=True)

    def value(each, x):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x * 2, torch.tensor([2, 4, 1]), enforce_sorted=False)
        return each(packed)[1][0].pow(2).sum()

    compiled = torch.compile(lambda x: value(ours, x), backend="aot_eager")
    expected = torch.autograd.grad(value(layer, x), x)
    torch.testing.assert_close(torch.autograd.grad(compiled(x), x), expected)


def test_a_wrong_state_is_named_when_compiled():
    torch._dynamo.reset()
    layer = ours_of(torch.nn.GRU(SIZE, SIZE))
    with pytest.raises(recurra.errors.ShapeError, match="hx must have shape"):
        torch.compile(layer, backend="aot_eager")(
            torch.zeros(TIME, BATCH, SIZE), torch.zeros(1, BATCH - 1, SIZE)
        )
