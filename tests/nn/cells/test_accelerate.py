"""`accelerate`: other people's models keep their identity, and everything torch does with a module still works."""

import copy
import io
import pickle

import pytest
import torch

from recurra.errors import UsageError
from recurra.nn import GRU, LSTM, RNN
from recurra.nn.cells.accelerate import accelerate, decelerate


class Tagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(10, 6)
        self.encoder = torch.nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.ModuleDict({"gru": torch.nn.GRU(10, 4), "rnn": torch.nn.RNN(4, 3)})
        self.cell = torch.nn.LSTMCell(3, 3)

    def forward(self, tokens):
        states, (h_n, _) = self.encoder(self.embed(tokens))
        states, _ = self.head["gru"](states)
        states, _ = self.head["rnn"](states)
        return states.sum() + h_n.sum()


class OwnLSTM(torch.nn.LSTM):
    pass


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Tagger()


@pytest.fixture
def tokens():
    return torch.arange(12).reshape(3, 4) % 10


def test_turns_in_place_and_computes_the_same(model, tokens):
    expected = model(tokens)
    encoder, parameters, keys = model.encoder, list(model.parameters()), list(model.state_dict())
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    report = accelerate(model)
    assert report.turned == ["encoder", "head.gru", "head.rnn"]
    assert report.left == {"cell": "a LSTMCell computes single steps; use LSTM"}
    assert model.encoder is encoder
    assert [type(model.encoder), type(model.head["gru"]), type(model.head["rnn"])] == [LSTM, GRU, RNN]
    assert isinstance(model.encoder, torch.nn.LSTM)
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert list(model.state_dict()) == keys
    torch.testing.assert_close(model(tokens), expected)
    assert calls == [1]
    assert "left 'cell'" in str(report)


def test_the_module_itself_and_what_is_left():
    layer = torch.nn.GRU(2, 3)
    assert accelerate(layer).turned == [""]
    assert type(layer) is GRU
    assert accelerate(layer).left == {"": "it is one of ours already"}
    assert accelerate(OwnLSTM(2, 3)).left == {
        "": "OwnLSTM is a subclass of LSTM, perhaps with code of its own"
    }
    with pytest.raises(
        UsageError, match=r"module must be a torch.nn.Module; got list\. Pass the model itself"
    ):
        accelerate([])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_stay_turned(model, tokens, again):
    accelerate(model)
    model(tokens).backward()
    other = again(model)
    assert type(other.encoder) is LSTM
    assert torch.equal(other(tokens), model(tokens))


def test_saved_state_goes_back_to_torch(model, tokens):
    accelerate(model)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    plain = Tagger()
    plain.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(plain(tokens), model(tokens))


def test_compiled_is_one_graph_with_one_node_per_layer(model, tokens):
    accelerate(model)
    torch._dynamo.reset()
    model(tokens).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    nodes = []

    def look(graph, _):
        nodes.extend(str(n.target) for n in graph.graph.nodes if n.op == "call_function")
        return graph

    value = torch.compile(model, backend=look, fullgraph=True)(tokens)
    assert sum("recurra.layer" in name for name in nodes) == 4
    torch.testing.assert_close(value, model(tokens))
    value.backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, expected[name], msg=name)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_compiled_with_lengths_states_and_aot_autograd(name, batch_first):
    torch.manual_seed(1)
    torch._dynamo.reset()
    layer = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}[name](3, 5, batch_first=batch_first, bias=name != "GRU")
    x = torch.randn(4, 4, 3, requires_grad=True)
    h = torch.randn(1, 4, 5, requires_grad=True)
    hx = (h, torch.randn(1, 4, 5)) if name == "LSTM" else h
    lengths = torch.tensor([4, 0, 2, 3])

    def value(layer):
        output, final = layer(x, hx, lengths=lengths)
        return (output**2).sum() + (final[0] if name == "LSTM" else final).sum()

    accelerate(layer)
    inputs = [x, h, *layer.parameters()]
    expected = torch.autograd.grad(value(layer), inputs)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(value(compiled), value(layer))
    for a, b in zip(torch.autograd.grad(value(compiled), inputs), expected, strict=True):
        torch.testing.assert_close(a, b)


def test_distributed_data_parallel(model, tokens, tmp_path):
    accelerate(model)
    model.cell = torch.nn.Identity()
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1
    )
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        parallel(tokens).backward()
        assert all(p.grad is not None for p in model.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_decelerate_is_the_way_back(model, tokens):
    expected, keys, parameters = model(tokens), list(model.state_dict()), list(model.parameters())
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    accelerate(model)
    model.encoder.memory = "sqrt"
    report = decelerate(model)
    assert report.turned == ["encoder", "head.gru", "head.rnn"]
    assert (report.left, report.kernels) == ({}, "torch")
    kinds = [type(layer) for layer in (model.encoder, model.head["gru"], model.head["rnn"])]
    assert kinds == [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN]
    assert list(model.state_dict()) == keys
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert torch.equal(model(tokens), expected)
    assert calls == [1]
    assert decelerate(model).turned == []
    assert accelerate(model).turned == ["encoder", "head.gru", "head.rnn"]
    own = type("Own", (LSTM,), {})(2, 3)
    assert decelerate(own).left == {"": "Own is a subclass of recurra's LSTM, perhaps with code of its own"}
    with pytest.raises(UsageError, match=r"decelerate: module must be a torch.nn.Module; got int"):
        decelerate(1)


@pytest.mark.parametrize("first", ["accelerate", "weight norm"])
def test_parametrized_layers_go_both_ways(first):
    layer = torch.nn.LSTM(3, 4)
    if first == "accelerate":
        accelerate(layer)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    copied = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    expected = layer(x)[0]
    if first == "weight norm":
        assert accelerate(layer).turned == [""]
    assert isinstance(layer, LSTM)
    assert accelerate(layer).left == {"": "it is one of ours already"}
    torch.testing.assert_close(layer(x)[0], expected)
    assert decelerate(layer).turned == [""]
    assert not isinstance(layer, LSTM)
    assert isinstance(copied, LSTM) == (first == "accelerate")
    torch.testing.assert_close(layer(x)[0], expected)
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.zero_()
    assert not torch.allclose(layer(x)[0], expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripting_makes_a_layer_torchs_and_says_so(caplog):
    model = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 4)})
    accelerate(model)
    layer, x = model["rnn"], torch.randn(5, 2, 3)
    expected = layer(x)[0]
    assert torch.jit.script(layer).original_name == "GRU"
    assert type(layer) is torch.nn.GRU
    assert (
        "torch.jit.script: this GRU is torch's own from now on; call recurra.accelerate(model)" in caplog.text
    )
    torch.testing.assert_close(layer(x)[0], expected)
    assert accelerate(model).turned == ["rnn"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantization_refuses_and_its_advice_works():
    quantize = torch.ao.quantization.quantize_dynamic
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4))
    accelerate(model)
    for kinds in ({torch.nn.LSTM}, None):
        with pytest.raises(UsageError) as caught:
            quantize(model, kinds)
        assert str(caught.value) == (
            "LSTM: torch.ao.quantization knows torch's own layers only, and would pass this one by; call "
            "recurra.decelerate(model) before, and recurra.accelerate(model) after it for what it left."
        )
    assert not hasattr(model[0], "qconfig")
    decelerate(model)
    assert "quantized" in type(quantize(model, {torch.nn.LSTM})[0]).__module__
