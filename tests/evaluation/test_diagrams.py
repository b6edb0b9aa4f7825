"""Diagrams: names and sizes come from the modules, and no text overlaps another or leaves the picture."""

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
import torch

import recurra
from recurra.errors import UsageError
from recurra.evaluation.drawing import cells as draw_cells
from recurra.evaluation.drawing import network as draw_network
from recurra.evaluation.drawing import unrolled
from recurra.evaluation.drawing.cells import PANELS
from recurra.evaluation.drawing.sketch import Sketch
from recurra.kernels.cell import CELLS as DESCRIBED
from recurra.nn import NetworkConfig, SequenceNetwork, build

draw = recurra.draw

NETWORKS = {
    "plain": NetworkConfig("rnn", 3, 20, 1),
    "classifier": NetworkConfig("lstm", 12, 100, 9),
    "labels": NetworkConfig("gru", 12, 1000, 9, pooling="none", num_layers=2),
    "deep": NetworkConfig(
        "gru", 12, 50, 9, num_layers=4, bidirectional=True, pooling="attention", dropout=0.25
    ),
    "ends": NetworkConfig("lstm", 1234, 4096, 1000, bidirectional=True),
    "mean": NetworkConfig("rnn_relu", 12, 100, 9, pooling="mean"),
}


@pytest.fixture
def sketches(monkeypatch):
    """Every sketch that is made."""
    made = []

    class Kept(Sketch):
        def __init__(self):
            super().__init__()
            made.append(self)

    for module in (draw_cells, draw_network, unrolled):
        monkeypatch.setattr(module, "Sketch", Kept)
    return made


def check(sketch, drawing):
    left, top, width, height = map(float, ElementTree.fromstring(drawing.svg).attrib["viewBox"].split())
    for label in sketch.labels:
        assert left <= label.left, label
        assert label.right <= width + 2, label
        assert top <= label.top, label
        assert label.bottom <= height, label
    for one, other in itertools.combinations(sketch.labels, 2):
        assert not one.overlaps(other), (one, other)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("steps", [2, 4, 8])
def test_unrolled_texts_keep_apart(sketches, name, steps):
    drawing = draw.unrolled(SequenceNetwork(NETWORKS[name]), steps=steps)
    check(sketches[0], drawing)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_texts_keep_apart(sketches, name):
    drawing = draw.network(SequenceNetwork(NETWORKS[name]))
    check(sketches[0], drawing)


@pytest.mark.parametrize("cells", [(), ("lstm",), ("gru", "rnn"), ("rnn", "lstm", "gru", "lstm")])
def test_compare_texts_keep_apart(sketches, cells):
    drawing = draw.compare(*cells, input_size=1000, hidden_size=4096)
    check(sketches[0], drawing)


def text_of(drawing):
    return " ".join("".join(ElementTree.fromstring(drawing.svg).itertext()).split())


def test_unrolled_names_and_shapes_are_those_of_the_state_dict():
    network = build(NETWORKS["deep"], seed=0)
    text = text_of(draw.unrolled(network))
    for name, weight in network.recurrent.named_parameters():
        if name.startswith("weight"):
            assert name in text
            assert f"{name} {weight.shape[0]} × {weight.shape[1]}" in text
    assert "head.weight 9 × 100" in text


def test_network_counts_every_parameter():
    network = build(NETWORKS["deep"], seed=0)
    total = sum(p.numel() for p in network.parameters())
    text = text_of(draw.network(network))
    assert f"{total:,} parameters in all" in text
    for part in (network.pooling, network.head):
        assert f"{sum(p.numel() for p in part.parameters()):,} parameters" in text


def test_network_of_an_estimator_tells_features_and_answer():
    data = recurra.datasets.load("japanese-vowels", split="train")
    clf = recurra.SequenceClassifier(hidden_size=4, max_epochs=1, random_state=0, verbose=0).fit(data)
    text = text_of(draw.network(clf))
    for words in ("time × 12", "zscore scaling", "Softmax", "9 classes", "state after the last step"):
        assert words in text
    assert "weight_ih_l0" in text_of(draw.unrolled(clf))


def test_network_of_ones_own():
    own = torch.nn.Sequential()
    own.add_module("rnn", torch.nn.GRU(3, 5))
    own.add_module("out", torch.nn.Linear(5, 2))
    assert "Linear" in text_of(draw.network(own))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_gate_of_the_kernels_has_its_equation(cell):
    gates = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](2, 7).weight_hh_l0.shape[
        0
    ] // 7
    named = [equation.split(" = ")[0] for equation in PANELS[cell].equations]
    assert gates == max(1, len(DESCRIBED[cell].gates))
    assert set(DESCRIBED[cell].gates) <= set(named)
    assert named[-1] == "h"


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_equations_are_what_torch_computes(cell):
    """Each written equation is worked out as it stands, in its order, and compared with torch's cell."""
    torch.manual_seed(0)
    kind = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[cell]
    module = kind(3, 5).double()
    x, h, c = torch.rand(3).double(), torch.rand(5).double(), torch.rand(5).double()
    gates = DESCRIBED[cell].gates or ("",)
    known = {"x": x, "hp": h, "cp": c, "sigma": torch.sigmoid, "tanh": torch.tanh}
    for k, gate in enumerate(gates):
        rows = slice(5 * k, 5 * k + 5)
        known[f"W{gate}"], known[f"U{gate}"] = module.weight_ih[rows], module.weight_hh[rows]
        known[f"b{gate}"] = module.bias_ih[rows] + module.bias_hh[rows]
        known[f"bi{gate}"], known[f"bh{gate}"] = module.bias_ih[rows], module.bias_hh[rows]
    for equation in PANELS[cell].equations:
        name, code = equation.replace("_{", "").replace("}", "").split(" = ")
        for sign, python in (
            ("h′", "hp"),
            ("c′", "cp"),
            ("σ", "sigma"),
            ("⊙", "*"),
            ("−", "-"),
            (" x", " @ x"),
            (" hp", " @ hp"),
        ):
            code = code.replace(sign, python)
        code = code.replace("* @ hp", "* hp")
        known[name] = eval(code, {}, known)
    expected = module(x, (h, c)) if cell == "lstm" else module(x, h)
    torch.testing.assert_close(known["h"], expected[0] if cell == "lstm" else expected)


def test_drawing_leaves_torchs_generator_alone():
    before = torch.random.get_rng_state()
    draw.compare()
    draw.unrolled("lstm")
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw.compare("ltsm"), r"draw\.compare: cell must be one of .* Did you mean 'lstm'\?"),
        (lambda: draw.compare(*["rnn"] * 5), r"at most four cells fit side by side; got 5"),
        (lambda: draw.unrolled("lstm", steps=1), r"steps must be a whole number in \[2, 8\]; got 1"),
        (lambda: draw.unrolled(3), r"needs a fitted estimator, a network with one RNN, .* got int"),
        (lambda: draw.unrolled(torch.nn.LSTM(1, 1, num_layers=5)), r"at most 4 layers can be drawn; got 5"),
        (lambda: draw.network("lstm"), r"draw\.network: needs a fitted estimator or a network; got 'lstm'"),
        (lambda: draw.network(recurra.SequenceClassifier()), r"is not fitted yet"),
    ],
)
def test_messages(call, message):
    with pytest.raises((UsageError, ValueError), match=message):
        call()
