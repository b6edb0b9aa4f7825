"""What records a model (jit, fx, make_fx, export, ONNX, functionalization) gets torch's answers, or one sentence."""

import copy
import io
import warnings

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra.errors import UsageError

# jit is deprecated by torch, tracing warns of every number it fixes, and the exporter of what it will drop
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
)
OPTIONS = {"batch_first": True, "num_layers": 2, "bidirectional": True}


class Padded(torch.nn.Module):
    def __init__(self, name="LSTM"):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = getattr(torch.nn, name)(5, 4, **OPTIONS)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


class Packed(Padded):
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, states = self.rnn(packed)
        states = states[0] if isinstance(states, tuple) else states
        return self.head(pad_packed_sequence(output, batch_first=True)[0]).sum(1) + states[-1].sum(
            1, keepdim=True
        )


class LastStates(Padded):
    """Nobody unpacks the output, which breaks torch's own exporter to ONNX."""

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states = self.rnn(packed)[1]
        return (states[0] if isinstance(states, tuple) else states)[-1]


class WithLengths(Padded):
    def forward(self, x, lengths):
        output, states = self.rnn(x, lengths=lengths)
        states = states[0] if isinstance(states, tuple) else states
        return self.head(output).sum(1) + states[-1].sum(1, keepdim=True)


def with_onnx(model, args):
    ort = pytest.importorskip("onnxruntime")
    file, names = io.BytesIO(), ["x", "lengths"][: len(args)]
    torch.onnx.export(model, args, file, dynamo=False, input_names=names, output_names=["y"])
    session = ort.InferenceSession(file.getvalue())
    assert [given.name for given in session.get_inputs()] == names
    return lambda *given: torch.tensor(
        session.run(None, dict(zip(names, (g.numpy() for g in given), strict=True)))[0]
    )


def with_export(model, args, strict=False):
    return torch.export.export(model, args, strict=strict).module()


RECORDERS = {
    "jit.trace": torch.jit.trace,
    "jit.script": lambda model, args: torch.jit.script(model),
    "fx.symbolic_trace": lambda model, args: torch.fx.symbolic_trace(model),
    "make_fx": lambda model, args: make_fx(model)(*args),
    "export": with_export,
    "export, strict": lambda model, args: with_export(model, args, strict=True),
    "onnx": with_onnx,
    "functionalize": lambda model, args: torch.func.functionalize(model),
    "make_fx of functionalize": lambda model, args: make_fx(torch.func.functionalize(model))(*args),
}
X = torch.linspace(-2, 2, 3 * 6 * 5).reshape(3, 6, 5).sin()
FIRST, OTHER = torch.tensor([3, 6, 1]), torch.tensor([6, 2, 4])


def record(recorder, model, args):
    torch._dynamo.reset()
    with torch.no_grad():
        return RECORDERS[recorder](model.eval(), args)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("recorder", RECORDERS)
def test_padded(recorder, name):
    plain = Padded(name)
    ours = copy.deepcopy(plain)
    recurra.accelerate(ours)
    found = record(recorder, ours, (X,))
    for x in (X, X.flip(0) * 2):
        torch.testing.assert_close(found(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [Packed, LastStates])
@pytest.mark.parametrize("recorder", RECORDERS)
def test_packed_as_torch_or_refused_as_torch(recorder, model):
    plain = model()
    ours = copy.deepcopy(plain)
    recurra.accelerate(ours)
    try:
        record(recorder, copy.deepcopy(plain), (X, FIRST))
    except Exception as theirs:
        if (recorder, model) != ("onnx", LastStates):
            with pytest.raises(type(theirs)):
                record(recorder, ours, (X, FIRST))
            return
    found = record(recorder, ours, (X, FIRST))
    for x, lengths in ((X, FIRST), (X.flip(0) * 2, OTHER)):
        torch.testing.assert_close(found(x, lengths), plain(x, lengths), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("recorder", ["jit.trace", "fx.symbolic_trace", "onnx", "functionalize"])
def test_lengths_hold_for_others_than_the_recorded(recorder, name):
    ours = WithLengths(name)
    recurra.accelerate(ours)
    found = record(recorder, ours, (X, FIRST))
    for lengths in (FIRST, OTHER, torch.tensor([6, 0, 0])):
        x = X.clone()
        x[1, lengths[1] :] = torch.nan
        torch.testing.assert_close(found(x, lengths), ours(x, lengths), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recorder", ["make_fx", "export", "export, strict", "make_fx of functionalize"])
def test_lengths_without_numbers_are_refused(recorder):
    ours = WithLengths()
    recurra.accelerate(ours)
    with pytest.raises(Exception, match="lengths have no numbers while this records") as caught:
        record(recorder, ours, (X, FIRST))(X, FIRST)
    assert "Record without lengths=, or use torch.jit.trace" in str(caught.value)


def test_ragged_is_refused():
    layer = recurra.nn.GRU(5, 4)
    ragged = recurra.Ragged(torch.zeros(6, 5), [2, 4])
    with pytest.raises(UsageError) as caught:
        torch.jit.trace(lambda x: layer(ragged)[1] + x, (torch.zeros(1),))
    assert str(caught.value) == (
        "GRU.forward: a Ragged cannot be recorded, its lengths would become constants. "
        "Pass a padded tensor with lengths=, or a PackedSequence."
    )


def test_lengths_of_one_sequence_and_initial_states_are_traced():
    layer = recurra.nn.LSTM(5, 4, bidirectional=True)
    x, states = torch.randn(6, 5), (torch.randn(2, 4), torch.randn(2, 4))

    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, n, h, c):
            return self.layer(x, (h, c), lengths=n)

    traced = torch.jit.trace(One(), (x, torch.tensor([3]), *states), check_trace=False)
    for length in (3, 0, 6):
        torch.testing.assert_close(
            traced(x, torch.tensor([length]), *states), layer(x, states, lengths=[length])
        )


def test_fx_runs_hooks_once_and_refuses_a_layer_alone():
    ours, calls = Padded(), []
    recurra.accelerate(ours)
    ours.rnn.register_forward_hook(lambda _, args, output: (output[0] * 2, output[1]))
    torch.testing.assert_close(torch.fx.symbolic_trace(ours)(X), ours(X))
    plain = Padded()
    recurra.accelerate(plain)
    traced = torch.fx.symbolic_trace(plain)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["rnn", "head"]
    plain.rnn.register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(UsageError, match="torch.fx cannot trace a recurrent layer by itself"):
        torch.fx.symbolic_trace(recurra.nn.LSTM(5, 4))


def test_fake_and_meta_tensors_and_modes_see_torchs_operations():
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    layer = recurra.nn.LSTM(5, 4, batch_first=True)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert layer(mode.from_tensor(X))[0].shape == (3, 6, 4)
    output, (h_n, _) = copy.deepcopy(layer).to("meta")(X.to("meta"), lengths=[6, 0, 2])
    assert (output.shape, h_n.shape, output.is_meta) == ((3, 6, 4), (1, 3, 4), True)
    with pytest.raises(UsageError, match="lengths must be numbers that are known now"):
        copy.deepcopy(layer).to("meta")(X.to("meta"), lengths=FIRST.to("meta"))
    counts = []
    for each in (layer, torch.nn.LSTM(5, 4, batch_first=True)):
        with FlopCounterMode(display=False) as counter:
            each(X.clone().requires_grad_())
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1]


def test_a_default_device_is_no_recorder(monkeypatch):
    monkeypatch.setattr("recurra.nn.layers.torch_fused.run_recorded", None)
    with torch.device("cpu"):
        recurra.nn.LSTM(5, 4, batch_first=True)(X)
    with pytest.raises(TypeError), torch.overrides.BaseTorchFunctionMode():
        recurra.nn.LSTM(5, 4, batch_first=True)(X)


def test_onnx_by_torch_export():
    pytest.importorskip("onnxscript")
    ort = pytest.importorskip("onnxruntime")
    ours = Padded().eval()
    recurra.accelerate(ours)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(ours, (X,), file, dynamo=True, input_names=["x"], verbose=False)
    found = ort.InferenceSession(file.getvalue()).run(None, {"x": X.numpy()})[0]
    torch.testing.assert_close(torch.tensor(found), ours(X), rtol=1e-4, atol=1e-5)
