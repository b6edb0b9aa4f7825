"""16 bits by the kernels in float32, or by torch's own fused layers: ragged, with every gradient, and torch's dtypes."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.utils.checkpoint import checkpoint

import recurra
from recurra.nn import GRU, LSTM, RNN

OURS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
TOLERANCE = {torch.bfloat16: {"rtol": 5e-2, "atol": 5e-2}, torch.float16: {"rtol": 1e-2, "atol": 1e-2}}
LENGTHS = [2, 0, 5, 3, 0]
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def pair(name, dtype, **options):
    torch.manual_seed(1)
    plain = getattr(torch.nn, name)(3, 4, **options).to(dtype)
    ours = copy.deepcopy(plain)
    recurra.accelerate(ours)
    return plain, ours


def each_alone(layer, x, hx, lengths):
    """Return output (time, batch, .) and final states of torch's layer over every sequence by itself."""
    outputs, finals = [], []
    for b, length in enumerate(lengths):
        state = tuple(s[:, b : b + 1] for s in hx)
        padding = x.new_zeros(len(x) - length, 1, 4 * (2 if layer.bidirectional else 1))
        output = x[:0, :1].new_zeros(0, *padding.shape[1:])
        if length:
            output, state = layer(x[:length, b : b + 1], state if len(state) == 2 else state[0])
            state = state if isinstance(state, tuple) else (state,)
        outputs.append(torch.cat([output, padding]))
        finals.append(state)
    return torch.cat(outputs, 1), *(torch.cat(final, 1) for final in zip(*finals, strict=True))


@pytest.fixture
def no_loop(monkeypatch):
    """Forbid the loop over time in Python."""

    def never(*args, **kwargs):
        raise AssertionError("the loop over time ran")

    monkeypatch.setattr("recurra.nn.layers.reference.scan", never)


@pytest.fixture(params=["kernels", "torch"])
def computed_by(request, monkeypatch):
    """Let the kernels compute, or torch's operators as on other devices and without the extension."""
    if request.param == "torch":
        monkeypatch.setattr("recurra.nn.layers.autograd_bridge.current", lambda: "reference")
    return request.param


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("form", ["padded", "batch_first", "ragged"])
@pytest.mark.parametrize("name", OURS)
def test_ragged_batches_are_each_sequence_alone(name, form, dtype, bidirectional, computed_by, no_loop):
    options = {"num_layers": 2, "bidirectional": bidirectional}
    plain, ours = pair(name, dtype, **options)
    ours.batch_first = form == "batch_first"
    x = torch.randn(5, 5, 3).to(dtype).requires_grad_()
    hx = tuple(
        torch.randn(2 * (1 + bidirectional), 5, 4).to(dtype).requires_grad_()
        for _ in range(1 + (name == "LSTM"))
    )
    expected = each_alone(plain, x, hx, LENGTHS)
    passed = hx if name == "LSTM" else hx[0]
    if form == "ragged":
        rows = torch.cat([x[:n, b] for b, n in enumerate(LENGTHS)])
        output, states = ours(recurra.Ragged(rows, LENGTHS), passed)
        whole = [torch.nn.functional.pad(part, (0, 0, 0, 5 - len(part))) for part in output]
        output = torch.stack(whole, 1)
    elif form == "batch_first":
        output, states = ours(x.transpose(0, 1), passed, lengths=LENGTHS)
        output = output.transpose(0, 1)
    else:
        output, states = ours(x, passed, lengths=LENGTHS)
    found = (output, *states) if name == "LSTM" else (output, states)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, **TOLERANCE[dtype])
    for index in (1, 4):
        for final, first in zip(found[1:], hx, strict=True):
            assert torch.equal(final[:, index], first[:, index])
    sums = [sum((v.float() * v.detach().float().cos()).sum() for v in values) for values in (found, expected)]
    ones = torch.autograd.grad(sums[0], [x, *hx, *ours.parameters()])
    others = torch.autograd.grad(sums[1], [x, *hx, *plain.parameters()])
    for a, b in zip(ones, others, strict=True):
        torch.testing.assert_close(a, b, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", OURS)
def test_without_the_extension_torch_runs(name, no_loop, monkeypatch):
    monkeypatch.setattr("recurra.nn.layers.autograd_bridge.current", lambda: "reference")
    plain, ours = pair(name, torch.float64, bidirectional=True)
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x), plain(x))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "options"), [("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {}), ("RNN", {})]
)
def test_autocast_gives_torchs_dtypes(name, options, inputs, weights, packed, computed_by, no_loop):
    plain, ours = pair(name, weights, num_layers=2, bidirectional=True, **options)
    x = torch.randn(5, 3, 3).to(inputs)
    if packed:
        x = pack_sequence([x[:5, 0], x[:3, 1], x[:1, 2]])
    with torch.autocast("cpu", torch.bfloat16):
        results = [layer(x) for layer in (plain, ours)]
    flat = [[y.data if packed else y, *(s if isinstance(s, tuple) else (s,))] for y, s in results]
    for expected, found in zip(*flat, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)
    sums = [sum(v.float().sum() for v in values) for values in flat]
    grads = [torch.autograd.grad(s, list(m.parameters())) for s, m in zip(sums, (plain, ours), strict=True)]
    for expected, found in zip(*grads, strict=True):
        torch.testing.assert_close(found, expected, rtol=5e-2, atol=5e-2)


@pytest.mark.parametrize("name", OURS)
def test_second_derivatives_in_bfloat16_are_those_of_double(name):
    plain, ours = pair(name, torch.float64, num_layers=2, bidirectional=True)
    found = []
    for layer, dtype in ((plain, torch.float64), (copy.deepcopy(ours).bfloat16(), torch.bfloat16)):
        x = torch.linspace(-1, 1, 30).reshape(5, 2, 3).to(dtype).requires_grad_()
        (first,) = torch.autograd.grad(layer(x)[0].pow(2).sum(), x, create_graph=True)
        grads = torch.autograd.grad(first.pow(2).sum(), [x, *layer.parameters()])
        found.append(torch.cat([g.double().flatten() for g in grads]))
    assert (found[0] - found[1]).norm() < 0.05 * found[0].norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", OURS)
def test_many_gradients_at_once(name, dtype):
    plain, ours = pair(name, dtype)
    x = torch.randn(3, 2, 3).to(dtype).requires_grad_()
    lengths = [3, 2]
    y = plain(x)[0]
    expected = torch.stack([torch.autograd.grad(v, x, retain_graph=True)[0] for v in y.flatten()])
    y = ours(x)[0].flatten()
    eye = torch.eye(len(y), dtype=dtype)
    tolerance = TOLERANCE.get(dtype, {"rtol": 1e-4, "atol": 1e-5})
    at_once = torch.autograd.grad(y, x, eye, is_grads_batched=True, retain_graph=True)[0]
    torch.testing.assert_close(at_once, expected, **tolerance)
    mapped = torch.func.vmap(lambda v: torch.autograd.grad(y, x, v, retain_graph=True)[0])(eye)
    torch.testing.assert_close(mapped, expected, **tolerance)
    jacobian = torch.autograd.functional.jacobian(lambda z: ours(z)[0], x, vectorize=True)
    torch.testing.assert_close(jacobian.reshape(expected.shape), expected, **tolerance)
    whole = torch.autograd.functional.jacobian(lambda z: ours(z, lengths=lengths)[0], x)
    at_once = torch.autograd.functional.jacobian(lambda z: ours(z, lengths=lengths)[0], x, vectorize=True)
    torch.testing.assert_close(at_once, whole, **tolerance)


@pytest.mark.parametrize("name", OURS)
def test_transforms_of_torch_func(name):
    plain, ours = pair(name, torch.float32)
    x, lengths = torch.randn(4, 3, 2, 3), torch.tensor([3, 1])
    value = lambda layer, z: layer(z)[0].pow(2).sum()  # noqa: E731
    z = x.clone().requires_grad_()
    expected = torch.autograd.grad(sum(value(plain, one) for one in z), z)[0]
    torch.testing.assert_close(
        torch.func.vmap(torch.func.grad(lambda z: value(ours, z)))(x), expected, rtol=1e-4, atol=1e-5
    )
    hessian = torch.autograd.functional.hessian(lambda z: value(plain.double(), z), x[0].double()).float()
    torch.testing.assert_close(
        torch.func.hessian(lambda z: value(ours, z))(x[0]), hessian, rtol=1e-4, atol=1e-4
    )
    # an argument of a transform is wrapped, lengths too
    of_lengths = torch.func.grad(lambda z, n: ours(z, lengths=n)[0].pow(2).sum())(x[0], lengths)
    z = x[0].clone().requires_grad_()
    torch.testing.assert_close(
        of_lengths, torch.autograd.grad(ours(z, lengths=lengths)[0].pow(2).sum(), z)[0], rtol=1e-4, atol=1e-5
    )
    with pytest.raises(recurra.errors.UsageError, match="lengths must be numbers that are known now"):
        torch.func.vmap(lambda z, n: ours(z, lengths=n)[0])(x[:2], torch.tensor([[3, 1], [2, 2]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_retained_graphs_checkpoints_and_hooks_on_saved_tensors(dtype):
    _, ours = pair("LSTM", dtype, num_layers=2)
    x = torch.randn(5, 2, 3).to(dtype).requires_grad_()

    def value(z):
        return ours(z, lengths=[5, 2])[0].float().pow(2).sum()

    once = value(x)
    expected = torch.autograd.grad(once, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(once, x)[0], expected)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(once, x)
    assert torch.equal(torch.autograd.grad(checkpoint(value, x, use_reentrant=False), x)[0], expected)
    checkpoint(value, x, use_reentrant=True).backward()
    assert torch.equal(x.grad, expected)
    with torch.autograd.graph.save_on_cpu():
        again = value(x)
    assert torch.equal(torch.autograd.grad(again, x)[0], expected)


def test_dropout_is_torchs():
    plain, ours = pair("GRU", torch.bfloat16, num_layers=2, dropout=0.5)
    x = torch.randn(5, 2, 3).bfloat16()
    torch.manual_seed(3)
    expected = plain(x)[0]
    torch.manual_seed(3)
    torch.testing.assert_close(ours(x)[0], expected, **TOLERANCE[torch.bfloat16])
    torch.testing.assert_close(ours.eval()(x)[0], plain.eval()(x)[0], **TOLERANCE[torch.bfloat16])


def test_no_steps_still_give_every_gradient():
    for name in OURS:
        for shape in ((0, 2, 3), (5, 0, 3)):
            for dtype in (torch.float32, torch.bfloat16):
                _, ours = pair(name, dtype, num_layers=2)
                output, states = ours(torch.zeros(shape, dtype=dtype))
                states = states if isinstance(states, tuple) else (states,)
                (output.sum() + sum(s.sum() for s in states)).backward()
                assert all(p.grad is not None and not p.grad.any() for p in ours.parameters())


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", OURS)
def test_what_stands_past_the_end_moves_nothing(name, bidirectional, computed_by, no_loop):
    _, ours = pair(name, torch.bfloat16, num_layers=2, bidirectional=bidirectional, batch_first=True)
    found = []
    for past in (0.0, 7.0, float("nan")):
        x = torch.linspace(-1, 1, 75).reshape(5, 5, 3).bfloat16()
        for row, length in zip(x, LENGTHS, strict=True):
            row[length:] = past
        x.requires_grad_()
        output, states = ours(x, lengths=LENGTHS)
        values = [output, *(states if isinstance(states, tuple) else (states,))]
        grads = torch.autograd.grad(sum(v.float().pow(2).sum() for v in values), [x, *ours.parameters()])
        found.append([*values, *grads])
    for other in found[1:]:
        for expected, one in zip(found[0], other, strict=True):
            assert torch.equal(one, expected)
    for row, length in zip(found[0][0], LENGTHS, strict=True):
        assert not row[length:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cell_state_is_held_to_the_end_of_the_longest(dtype, monkeypatch):
    monkeypatch.setattr("recurra.nn.layers.autograd_bridge.current", lambda: "reference")
    plain, ours = pair("LSTM", dtype)
    x = torch.randn(400, 2, 3).to(dtype)
    _, (_, c_n) = ours(x, lengths=[3, 400])
    _, (_, alone) = plain(x[:3, :1])
    torch.testing.assert_close(c_n[:, :1], alone)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize(
    ("name", "units", "lengths", "matrix_units", "by_torch"),
    [
        ("LSTM", 128, None, True, True),
        ("LSTM", 128, None, False, False),
        ("LSTM", 128, [3, 1], True, False),
        ("LSTM", 127, None, True, False),
        ("GRU", 128, None, True, False),
        ("GRU", 512, None, True, True),
        ("RNN", 512, [3, 3], True, True),
        ("RNN", 512, [2, 2], True, False),
    ],
)
def test_who_computes_16_bits(name, units, lengths, matrix_units, by_torch, autocast, monkeypatch):
    operators = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}
    operator, called = getattr(torch._VF, operators[name]), []
    monkeypatch.setattr(
        torch._VF, operators[name], lambda *a: called.append(1) or operator(*a), raising=False
    )
    monkeypatch.setattr("recurra.nn.layers.widened._matrix_units", lambda: matrix_units)
    layer = OURS[name](3, units, batch_first=True)
    x = torch.randn(2, 3, 3)
    if not autocast:
        layer, x = layer.bfloat16(), x.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        layer(x, lengths=lengths)  # what autocast gives is asked once, and kept
        called.clear()
        output, _ = layer(x, lengths=lengths)
    assert bool(called) == by_torch
    assert output.shape == (2, 3, units)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", OURS)
def test_the_kernels_are_nearer_to_double_than_torch_in_16_bits(name, dtype):
    torch.manual_seed(4)
    plain = getattr(torch.nn, name)(6, 40, num_layers=2, bidirectional=True)
    x = torch.randn(30, 8, 6)
    lower, ours, exact = copy.deepcopy(plain).to(dtype), copy.deepcopy(plain).to(dtype), copy.deepcopy(plain)
    exact = exact.double()
    exact.load_state_dict({k: v.double() for k, v in lower.state_dict().items()})
    recurra.accelerate(ours)
    grads = []
    for layer in (exact, lower, ours):
        loss = layer(x.to(dtype).to(next(layer.parameters()).dtype))[0].double().pow(2).sum()
        grads.append([g.double() for g in torch.autograd.grad(loss, list(layer.parameters()))])
    error = [sum((a - b).pow(2).sum() for a, b in zip(found, grads[0], strict=True)) for found in grads[1:]]
    assert error[1] < 0.6 * error[0]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("states", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "options"), [("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {}), ("RNN", {})]
)
def test_autocast_gives_torchs_dtypes_whatever_the_initial_states(name, options, inputs, states, compiled):
    torch._dynamo.reset()
    plain, ours = pair(name, torch.float32, batch_first=True, **options)
    x = torch.randn(2, 5, 3).to(inputs)
    hx = tuple(torch.randn(1, 2, s).to(states) for s in (options.get("proj_size", 4), 4))
    hx = hx if name == "LSTM" else hx[0]
    run = torch.compile(ours, backend="aot_eager") if compiled else ours
    with torch.autocast("cpu", torch.bfloat16):
        expected, found = plain(x, hx), run(x, hx)
    flat = [(y, *(s if isinstance(s, tuple) else (s,))) for y, s in (expected, found)]
    for one, other in zip(*flat, strict=True):
        assert other.dtype == one.dtype
        torch.testing.assert_close(other, one, rtol=2e-2, atol=2e-2)


def test_a_batch_of_no_sequence_under_autocast():
    for name in OURS:
        for rows in (torch.randn(0, 3), torch.randn(0, 3).bfloat16()):
            with torch.autocast("cpu", torch.bfloat16):
                output, states = OURS[name](3, 4)(recurra.Ragged(rows, []))
            assert output.values.shape == (0, 4)
            assert all(s.shape[1] == 0 for s in (states if isinstance(states, tuple) else (states,)))


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_tensor_left_over_from_a_transform_is_read_as_torch_reads_it(name, grad):
    ours, theirs = getattr(recurra.nn, name)(3, 4), getattr(torch.nn, name)(3, 4)
    theirs.load_state_dict(ours.state_dict())
    left_over = []

    def value(x, h):
        left_over[:] = [2 * x, 3 * h]
        return x.pow(2).sum() + h.sum()

    torch.func.grad(value)(torch.randn(5, 2, 3), torch.randn(1, 2, 4))
    x, h = left_over
    hx = (h, h) if name == "LSTM" else h
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(ours(x, hx)[0], theirs(x, hx)[0])
