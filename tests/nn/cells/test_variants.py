"""LSTM and GRU with something more: against plain loops over each sequence, onnxruntime, and what they promise."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

import recurra
import recurra.kernels
from oracles import WHICH, needs_native
from recurra.errors import UsageError
from recurra.nn import GRU, LSTM
from recurra.nn.layers.cell_variants import draw
from recurra.nn.layers.layouts import Steps
from recurra.ragged import Ragged

KINDS = {
    "peepholes": (LSTM, {"peepholes": True}),
    "norm": (LSTM, {"layer_norm": True}),
    "norm and peepholes": (LSTM, {"layer_norm": True, "peepholes": True}),
    "hard": (LSTM, {"recurrent_activation": "hard_sigmoid"}),
    "hard, peepholes": (LSTM, {"recurrent_activation": "hard_sigmoid_0.2", "peepholes": True}),
    "dropout": (LSTM, {"recurrent_dropout": 0.4}),
    "zoneout": (LSTM, {"zoneout": (0.2, 0.5), "peepholes": True}),
    "everything": (LSTM, {"zoneout": 0.3, "peepholes": True, "layer_norm": True, "recurrent_dropout": 0.2}),
    "GRU before": (GRU, {"reset": "before"}),
    "GRU before, hard": (GRU, {"reset": "before", "recurrent_activation": "hard_sigmoid_0.2"}),
    "GRU before, zoneout": (GRU, {"reset": "before", "zoneout": 0.3, "recurrent_dropout": 0.3}),
    "GRU norm": (GRU, {"layer_norm": True}),
    "GRU norm, zoneout": (GRU, {"layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.3}),
    "GRU hard": (GRU, {"recurrent_activation": "hard_sigmoid"}),
}
PROJECTED = ("peepholes", "norm", "norm and peepholes", "hard", "dropout")


def activation(name):
    slope = {"hard_sigmoid": 1 / 6, "hard_sigmoid_0.2": 0.2}.get(name)
    return torch.sigmoid if slope is None else lambda x: torch.clamp(slope * x + 0.5, 0, 1)


def normal(v, gain):
    mean = v.mean()
    return gain * (v - mean) / torch.sqrt(((v - mean) ** 2).mean() + 1e-5)


def lstm_step(v, w, x, h, c, drop):
    """One step of one sequence, from the formulas."""
    act, a, u = activation(v.recurrent_activation), w["weight_ih"] @ x, w["weight_hh"] @ h
    if v.layer_norm:
        a, u = normal(a, w["gain_ih"]), normal(u, w["gain_hh"])
    i, f, g, o = (a + w.get("bias_ih", 0) + u + w.get("bias_hh", 0)).chunk(4)
    p = w["peephole"].chunk(3) if v.peepholes else (0.0, 0.0, 0.0)
    c_new = act(f + p[1] * c) * c + act(i + p[0] * c) * torch.tanh(g) * drop
    seen = normal(c_new, w["gain_c"]) + w["bias_c"] if v.layer_norm else c_new
    h_new = act(o + p[2] * c_new) * torch.tanh(seen)
    return (w["weight_hr"] @ h_new if "weight_hr" in w else h_new), c_new


def gru_step(v, w, x, h, drop):
    """One step of one sequence, from the formulas."""
    act, n = activation(v.recurrent_activation), 2 * len(h)
    a, b_ih, b_hh = (
        w["weight_ih"] @ x,
        w.get("bias_ih", x.new_zeros(3 * len(h))),
        w.get("bias_hh", x.new_zeros(3 * len(h))),
    )
    u = w["weight_hh"][:n] @ h
    a_g, a_n = a[:n], a[n:]
    if v.layer_norm:
        a_g, a_n, u = (
            normal(a_g, w["gain_ih"][:n]),
            normal(a_n, w["gain_ih"][n:]),
            normal(u, w["gain_hh"][:n]),
        )
    r, z = act(a_g + b_ih[:n] + u + b_hh[:n]).chunk(2)
    if v.reset == "before":
        new = torch.tanh(a_n + b_ih[n:] + w["weight_hh"][n:] @ (r * h) + b_hh[n:])
    else:
        q = w["weight_hh"][n:] @ h
        new = torch.tanh(
            a_n + b_ih[n:] + r * ((normal(q, w["gain_hh"][n:]) if v.layer_norm else q) + b_hh[n:])
        )
    return (z * h + (1 - z) * new * drop,)


def plain_loop(layer, rows, lengths, states, masks):
    """Run one layer over each sequence alone, step by step; returns output rows and final states."""
    v, count = layer.variant, 2 if layer.bidirectional else 1
    finals, outputs = [[] for _ in states], []
    for d in range(count):
        end = "_l0_reverse" if d else "_l0"
        w = {n[: -len(end)]: p for n, p in layer.named_parameters() if n.endswith(end)}
        own, first = masks.of(d, count), 0
        output = []
        ended = [[] for _ in states]
        for b, length in enumerate(lengths):
            now = [s[d, b] for s in states]
            drop = 1.0 if own.drop is None else own.drop[b]
            found = [None] * length
            for t in range(length)[:: -1 if d else 1]:
                x = rows[first + t]
                new = lstm_step(v, w, x, *now, drop) if v.base == "lstm" else gru_step(v, w, x, *now, drop)
                zones = v.zoneout[: len(now)] if own.zone is None else own.zone[first + t].chunk(len(now))
                now = [k * old + (1 - k) * fresh for k, old, fresh in zip(zones, now, new, strict=True)]
                found[t] = now[0]
            output += found
            for place, state in enumerate(now):
                ended[place].append(state)
            first += length
        outputs.append(torch.stack(output))
        for place, own_states in enumerate(ended):
            finals[place].append(torch.stack(own_states))
    return torch.cat(outputs, 1), tuple(torch.stack(f) for f in finals)


def random_case(kind, seed, dtype, *, training=True):
    """Return a layer, rows, lengths and states of random sizes."""
    make, options = KINDS[kind]
    rng = np.random.default_rng(seed)
    hidden = int(rng.integers(2, 40))
    options = {**options, "bidirectional": bool(rng.integers(2)), "bias": bool(rng.integers(4))}
    if kind in PROJECTED and rng.integers(2):
        options["proj_size"] = int(rng.integers(1, hidden))
    torch.manual_seed(seed)
    layer = make(int(rng.integers(1, 60)), hidden, dtype=dtype, **options).train(training)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if name.startswith(("gain", "bias_c")):
                weight.add_(0.3 * torch.randn_like(weight))
    lengths = rng.integers(0, 9, int(rng.integers(1, 14)))
    lengths[0] = 5
    rows = torch.randn(int(lengths.sum()), layer.input_size, dtype=dtype)
    sizes = [getattr(layer, "proj_size", 0) or hidden, hidden][: 2 if make is LSTM else 1]
    states = [torch.randn(1 + layer.bidirectional, len(lengths), s, dtype=dtype) for s in sizes]
    return layer, rows, lengths, states


def flat(layer, rows, lengths, states):
    """Return output rows and final states of our layer over ragged rows."""
    output, finals = layer(Ragged(rows, lengths), tuple(states) if len(states) == 2 else states[0])
    return output.values, finals if isinstance(finals, tuple) else (finals,)


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_every_gradient_are_those_of_a_plain_loop(kind, which):
    with recurra.kernels.use(which):
        for seed in (0, 1, 2, 3) if which == "native" else (0, 3):
            layer, rows, lengths, states = random_case(kind, seed, torch.float64, training=seed != 3)
            layer.generator = torch.Generator().manual_seed(seed)
            again = torch.Generator().manual_seed(seed)
            leaves = [t.requires_grad_() for t in (rows, *states)] + list(layer.parameters())
            output, finals = flat(layer, rows, lengths, states)
            layer.generator = again
            masks = draw(layer, layer.variant, rows, Steps(lengths, rows.device))
            expected = plain_loop(layer, rows, lengths, states, masks)
            cotangents = [torch.randn_like(t) for t in (output, *finals)]
            ours = torch.autograd.grad((output, *finals), leaves, cotangents, materialize_grads=True)
            theirs = torch.autograd.grad(
                (expected[0], *expected[1]), leaves, cotangents, materialize_grads=True
            )
            for mine, other in zip(
                (output, *finals, *ours), (expected[0], *expected[1], *theirs), strict=True
            ):
                torch.testing.assert_close(mine, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("kind", KINDS)
def test_padded_input_lengths_of_zero_and_layers(kind, which):
    make, options = KINDS[kind]
    torch.manual_seed(0)
    layer = make(3, 5, num_layers=2, bidirectional=True, batch_first=True, **options).eval()
    x = torch.randn(4, 7, 3)
    lengths = [7, 0, 3, 5]
    state = torch.randn(4, 4, 5)
    hx = (state, state + 1) if make is LSTM else state
    with recurra.kernels.use(which), torch.no_grad():
        output, finals = layer(x, hx, lengths=lengths)
        finals = finals if isinstance(finals, tuple) else (finals,)
        for b, length in enumerate(lengths):
            assert not output[b, length:].any()
            own = tuple(s[:, b] for s in hx) if make is LSTM else hx[:, b]
            alone, ended = layer(x[b, :length], own)
            ended = ended if isinstance(ended, tuple) else (ended,)
            torch.testing.assert_close(alone, output[b, :length])
            for mine, other in zip(ended, finals, strict=True):
                torch.testing.assert_close(mine, other[:, b])
    assert torch.equal(finals[0][:, 1], state[:, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_saved_copied_and_pickled_layers_are_the_same(kind):
    make, options = KINDS[kind]
    layer = make(3, 5, num_layers=2, **options).eval()
    x, file = torch.randn(6, 2, 3), io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    loaded = make(3, 5, num_layers=2, **options).eval()
    loaded.load_state_dict(torch.load(file, weights_only=True))
    expected = layer(x)[0]
    for other in (loaded, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], expected)
        assert repr(other) == repr(layer)
    assert recurra.decelerate(layer).left
    assert torch.equal(layer(x)[0], expected)


def onnx_layer(layer, direction):
    """Return onnxruntime's answers for a layer of one direction or two, as a function of (x, lengths, states)."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    lstm, v, ends = isinstance(layer, LSTM), layer.variant, ("_l0", "_l0_reverse")[: 1 + layer.bidirectional]
    order, H = ((0, 3, 1, 2) if lstm else (1, 0, 2)), layer.hidden_size
    w = {n: p.detach().numpy() for n, p in layer.named_parameters()}

    def blocks(name):
        return np.stack(
            [
                np.concatenate([w[name + e].reshape(-1, H, *w[name + e].shape[1:])[k] for k in order])
                for e in ends
            ]
        )

    inputs = {
        "W": blocks("weight_ih"),
        "R": blocks("weight_hh"),
        "B": np.concatenate([blocks("bias_ih"), blocks("bias_hh")], 1),
    }
    names = ["X", "W", "R", "B", "L", "h_0"] + (["c_0"] if lstm else [])
    if v.peepholes:
        inputs["P"] = np.stack(
            [np.concatenate([w["peephole" + e].reshape(3, H)[k] for k in (0, 2, 1)]) for e in ends]
        )
        names.append("P")
    attributes = {"hidden_size": H, "direction": direction}
    if not lstm:
        attributes["linear_before_reset"] = 0 if v.reset == "before" else 1
    if v.recurrent_activation != "sigmoid":
        attributes["activations"] = (
            ["HardSigmoid", "Tanh", "Tanh"] if lstm else ["HardSigmoid", "Tanh"]
        ) * len(ends)
        if v.recurrent_activation == "hard_sigmoid":
            attributes["activation_alpha"] = [1 / 6] * len(ends)
            attributes["activation_beta"] = [0.5] * len(ends)
    outputs = ["Y", "h_n"] + (["c_n"] if lstm else [])
    node = onnx.helper.make_node("LSTM" if lstm else "GRU", names, outputs, **attributes)
    floats = [n for n in names if n not in inputs and n != "L"]
    info = [onnx.helper.make_tensor_value_info(n, 1, None) for n in floats] + [
        onnx.helper.make_tensor_value_info("L", 6, None)
    ]
    out = [onnx.helper.make_tensor_value_info(n, 1, None) for n in outputs]
    constants = [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in inputs.items()]
    graph = onnx.helper.make_graph([node], "layer", info, out, constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize(
    "kind", ["peepholes", "hard", "hard, peepholes", "GRU before", "GRU before, hard", "GRU hard"]
)
def test_onnxruntime_computes_the_same_cell(kind, which):
    make, options = KINDS[kind]
    for seed, bidirectional in ((0, False), (1, True)):
        torch.manual_seed(seed)
        layer = make(4, 19, bidirectional=bidirectional, **options)
        run = onnx_layer(layer, "bidirectional" if bidirectional else "forward")
        x, lengths = torch.randn(8, 3, 4), np.array([8, 3, 5], np.int32)
        states = [torch.randn(1 + bidirectional, 3, 19) for _ in range(2 if make is LSTM else 1)]
        feeds = {
            "X": x.numpy(),
            "L": lengths,
            **{n: s.numpy() for n, s in zip(("h_0", "c_0"), states, strict=False)},
        }
        y, *expected = run(feeds)
        with recurra.kernels.use(which), torch.no_grad():
            output, finals = layer(x, tuple(states) if make is LSTM else states[0], lengths=lengths)
        np.testing.assert_allclose(output.numpy(), y.transpose(0, 2, 1, 3).reshape(8, 3, -1), atol=2e-6)
        for mine, other in zip(finals if make is LSTM else (finals,), expected, strict=True):
            np.testing.assert_allclose(mine.numpy(), other, atol=2e-6)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            GRU,
            {"reset": "befor"},
            r"GRU: reset must be one of 'after', 'before'; got 'befor'. Did you mean 'before'\?",
        ),
        (
            GRU,
            {"reset": "before", "layer_norm": True},
            "GRU: layer_norm=True is defined with reset='after' only",
        ),
        (LSTM, {"zoneout": 0.1, "proj_size": 2}, "LSTM: zoneout and proj_size do not go together"),
        (LSTM, {"zoneout": (0.1, 0.2, 0.3)}, "LSTM: zoneout must be a number or 2 of them, hidden and cell"),
        (LSTM, {"zoneout": 1.5}, r"LSTM: zoneout must be a number in \[0, 1\]; got 1.5"),
        (LSTM, {"recurrent_dropout": 1.0}, r"LSTM: recurrent_dropout must be a number in \[0, 1\)"),
        (
            LSTM,
            {"recurrent_activation": "relu"},
            "LSTM: recurrent_activation must be one of 'sigmoid', 'hard_sigmoid'",
        ),
        (LSTM, {"peepholes": "yes"}, "LSTM: peepholes must be one of False, True; got 'yes'"),
    ],
)
def test_wrong_options_are_named(make, options, message):
    with pytest.raises(UsageError, match=message):
        make(3, 4, **options)


def test_without_options_there_is_the_plain_layer():
    assert LSTM(3, 4, peepholes=False, zoneout=0.0).variant is None
    assert GRU(3, 4, reset="after").variant is None
    assert repr(GRU(3, 4, reset="before", zoneout=0.5)) == "GRU(3, 4, reset='before', zoneout=(0.5, 0.0))"


# torch's own, where its compiler goes on behind a call that it does not compile
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_what_torch_cannot_record_is_refused_and_a_compiled_program_runs():
    layer = LSTM(3, 4, layer_norm=True).eval()
    with pytest.raises(UsageError, match="LSTM.forward: torch has no layer like LSTM"):
        torch.jit.trace(layer, (torch.randn(5, 2, 3),))
    with pytest.raises(UsageError, match="torch has no layer like LSTM"):
        torch.jit.script(layer)
    x = torch.randn(5, 2, 3)
    compiled = torch.compile(lambda v: layer(v)[0] + 1, backend="eager")
    torch.testing.assert_close(compiled(x), layer(x)[0] + 1)


def gradients(layer, rows, lengths, states):
    """Return outputs and gradients of a loss of everything, masks drawn anew from the same seed."""
    layer.generator = torch.Generator().manual_seed(7)
    leaves = [t.detach().requires_grad_() for t in (rows, *states)]
    output, finals = flat(layer, leaves[0], lengths, leaves[1:])
    loss = (output * torch.arange(output.shape[1])).sum() + sum(f.square().sum() for f in finals)
    return output, torch.autograd.grad(loss, [*leaves, *layer.parameters()])


@needs_native
@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit_and_little_memory_no_value(kind):
    threads = torch.get_num_threads()
    make, options = KINDS[kind]
    torch.manual_seed(1)
    layer = make(20, 40, bidirectional=True, **options)
    lengths = np.array([30, 0, 25, 7, 18, 30, 1, 12])
    rows = torch.randn(int(lengths.sum()), 20)
    states = [torch.randn(2, 8, 40) for _ in range(2 if make is LSTM else 1)]
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(gradients(layer, rows, lengths, states))
        layer.memory = "sqrt"
        output, little = gradients(layer, rows, lengths, states)
    finally:
        torch.set_num_threads(threads)
    (first, grads), (second, others) = found
    assert torch.equal(first, second)
    assert torch.equal(output, first)
    for one, two, three in zip(grads, others, little, strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-3)


def test_second_derivatives_are_those_of_a_plain_loop():
    layer, rows, lengths, states = random_case("norm and peepholes", 3, torch.float64, training=False)
    found = []
    for run in (flat, lambda *given: plain_loop(*given, draw(layer, layer.variant, rows, None))):
        leaf = rows.detach().requires_grad_()
        output, _ = run(layer, leaf, lengths, states)
        (first,) = torch.autograd.grad(output.square().sum(), leaf, create_graph=True)
        found.append(
            torch.autograd.grad(first.square().sum(), [leaf, *layer.parameters()], materialize_grads=True)
        )
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)
