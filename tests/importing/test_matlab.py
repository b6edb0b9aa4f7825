"""Structs as `recurra_layers.m` writes them, of version 5 and 7.3: the equations of MATLAB's documentation, in numpy.

There is no MATLAB here: what is tested are files of its form, not files that it wrote.
"""

import numpy as np
import pytest
import torch
from scipy.io import savemat

import recurra
from recurra.errors import DataError, UsageError

CHANNELS, UNITS, CLASSES = 3, 4, 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, W, R, b):
    h = c = np.zeros(R.shape[1])
    out = []
    for row in x:
        i, f, g, o = np.split(W @ row + R @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def gru(x, W, R, b, gate=sigmoid, before=False):
    """Reset, update, candidate; the reset gate after the product, with one bias or two, or before it."""
    h = np.zeros(R.shape[1])
    both = b.reshape(2, -1) if b.size == 2 * len(W) else np.stack([b, np.zeros_like(b)])
    out = []
    for row in x:
        (ar, az, ac), (hr, hz, hc) = np.split(W @ row + both[0], 3), np.split(R @ h + both[1], 3)
        r, z = gate(ar + hr), gate(az + hz)
        product = np.split(R, 3)[2] @ (r * h) if before else r * hc
        h = (1 - z) * np.tanh(ac + product) + z * h
        out.append(h)
    return np.array(out)


def drawn(rng, *shape):
    return rng.normal(scale=0.6, size=shape)


def cell(rng, kind, inputs, **own):
    gates, both = (3 if kind == "GRULayer" else 4), (2 if kind == "BiLSTMLayer" else 1)
    double = own.pop("double", 1)
    return {
        "class": f"nnet.cnn.layer.{kind}", "name": kind.lower(), "OutputMode": "sequence",
        "InputWeights": drawn(rng, both * gates * UNITS, inputs),
        "RecurrentWeights": drawn(rng, both * gates * UNITS, UNITS), "Bias": drawn(rng, double * both * gates * UNITS, 1),
        "StateActivationFunction": "tanh",
        "GateActivationFunction": "sigmoid", "HiddenState": np.zeros((0, 0)), **own,
    }  # fmt: skip


def network(rng):
    """Return layers, and what MATLAB's documentation says they give for rows (time, channels)."""
    mean, spread = drawn(rng, CHANNELS, 1), np.array([[0.5], [2.0], [0.0]])
    layers = [
        {"class": "nnet.cnn.layer.SequenceInputLayer", "name": "in", "Normalization": "zscore", "Mean": mean,
         "StandardDeviation": spread},
        cell(rng, "BiLSTMLayer", CHANNELS),
        {"class": "nnet.cnn.layer.DropoutLayer", "name": "drop"},
        {"class": "nnet.cnn.layer.BatchNormalizationLayer", "name": "bn", "TrainedMean": drawn(rng, 2 * UNITS, 1),
         "TrainedVariance": rng.uniform(0.5, 2, (2 * UNITS, 1)), "Offset": drawn(rng, 2 * UNITS, 1),
         "Scale": drawn(rng, 2 * UNITS, 1), "Epsilon": 1e-5},
        cell(rng, "GRULayer", 2 * UNITS, OutputMode="last", double=2, ResetGateMode="recurrent-bias-after-multiplication"),
        {"class": "nnet.cnn.layer.FullyConnectedLayer", "name": "fc", "Weights": drawn(rng, CLASSES, UNITS),
         "Bias": drawn(rng, CLASSES, 1)},
        {"class": "nnet.cnn.layer.SoftmaxLayer", "name": "softmax"},
        {"class": "nnet.cnn.layer.ClassificationOutputLayer", "name": "out",
         "Classes": np.array([["low", "mid", "high"]], dtype=object)},
    ]  # fmt: skip

    def answer(x):
        x = (x - mean[:, 0]) / np.where(spread == 0, 1, spread)[:, 0]
        W, R, b = (layers[1][word] for word in ("InputWeights", "RecurrentWeights", "Bias"))
        half = 4 * UNITS
        forward = lstm(x, W[:half], R[:half], b[:half, 0])
        backward = lstm(x[::-1], W[half:], R[half:], b[half:, 0])[::-1]
        bn = layers[3]
        x = np.hstack([forward, backward]) - bn["TrainedMean"][:, 0]
        x = x / np.sqrt(bn["TrainedVariance"][:, 0] + 1e-5) * bn["Scale"][:, 0] + bn["Offset"][:, 0]
        last = gru(x, layers[4]["InputWeights"], layers[4]["RecurrentWeights"], layers[4]["Bias"][:, 0])[-1]
        scores = layers[5]["Weights"] @ last + layers[5]["Bias"][:, 0]
        return np.exp(scores) / np.exp(scores).sum()

    return layers, answer


def write_5(path, layers):
    cells = np.empty((1, len(layers)), dtype=object)
    cells[0] = layers
    savemat(path, {"recurra_network": {"version": 1.0, "layers": cells}}, do_compression=True)


def write_73(path, layers):
    h5py = pytest.importorskip("h5py")

    def put(file, place, value):
        if isinstance(value, str):
            data, kind = np.array([[ord(letter)] for letter in value], np.uint16), "char"
        elif np.asarray(value).dtype.kind == "O":
            data, kind = np.empty(value.shape[::-1], h5py.ref_dtype), "cell"
            for at, one in enumerate(value.reshape(-1)):
                data[at, 0] = put(file, f"#refs#/{place.replace('/', '_')}{at}", one).ref
        else:
            data, kind = np.atleast_2d(np.asarray(value, np.float64)).T, "double"
            if not data.size:
                data = np.zeros(2, np.uint64)
        made = file.create_dataset(place, data=data, dtype=h5py.ref_dtype if kind == "cell" else None)
        made.attrs["MATLAB_class"] = np.bytes_(kind)
        if kind == "double" and np.asarray(value).size == 0:
            made.attrs["MATLAB_empty"] = np.uint8(1)
        return made

    with h5py.File(path, "w", userblock_size=512) as file:
        references = np.empty((len(layers), 1), h5py.ref_dtype)
        for at, one in enumerate(layers):
            for word, value in one.items():
                put(file, f"#refs#/layer{at}/{word}", value)
            file[f"#refs#/layer{at}"].attrs["MATLAB_class"] = np.bytes_("struct")
            references[at, 0] = file[f"#refs#/layer{at}"].ref
        cells = file.create_dataset("recurra_network/layers", data=references, dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(508) + b"\0\2IM")


WRITERS = {"5": write_5, "7.3": write_73}


@pytest.mark.parametrize("version", WRITERS)
def test_the_answers_of_the_documentation(tmp_path, version):
    rng = np.random.default_rng(3)
    layers, answer = network(rng)
    WRITERS[version](tmp_path / "net.mat", layers)
    found = recurra.import_weights(tmp_path / "net.mat", to="module")
    sequences = [rng.normal(size=(steps, CHANNELS)).astype(np.float32) for steps in (6, 2, 1)]
    x = np.full((3, 6, CHANNELS), 1e6, np.float32)
    for row, own in zip(x, sequences, strict=True):
        row[: len(own)] = own
    right = np.array([answer(own) for own in sequences])
    with torch.no_grad():
        assert np.abs(found(torch.as_tensor(x), [6, 2, 1]).numpy() - right).max() <= 1e-6
    only = [
        layers[0],
        {**layers[1], "OutputMode": "last"},
        {**layers[5], "Weights": drawn(rng, CLASSES, 2 * UNITS)},
    ]
    WRITERS[version](tmp_path / "net.mat", [*only, *layers[6:]])
    estimator = recurra.import_weights(tmp_path / "net.mat")
    assert estimator.classes_.tolist() == ["low", "mid", "high"]


@pytest.mark.parametrize("reset", ["after-multiplication", "before-multiplication"])
@pytest.mark.parametrize("gates", ["sigmoid", "hard-sigmoid"])
def test_where_the_gru_resets_and_its_gates(tmp_path, reset, gates):
    rng = np.random.default_rng(0)
    own = cell(rng, "GRULayer", CHANNELS, ResetGateMode=reset, GateActivationFunction=gates)
    write_5(tmp_path / "net.mat", [own])
    found = recurra.import_weights(tmp_path / "net.mat")
    x = rng.normal(size=(5, CHANNELS))
    gate = sigmoid if gates == "sigmoid" else lambda x: np.clip(0.2 * x + 0.5, 0, 1)
    right = gru(
        x,
        own["InputWeights"],
        own["RecurrentWeights"],
        own["Bias"][:, 0],
        gate=gate,
        before="before" in reset,
    )
    with torch.no_grad():
        assert np.abs(found(torch.as_tensor(x[None], dtype=torch.float32))[0].numpy() - right).max() <= 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GateActivationFunction": "relu"}, "its GateActivationFunction is relu"),
        ({"HiddenState": np.ones((4, 1))}, "begins with a HiddenState of its own; call resetState"),
        ({"Bias": "none"}, "the file holds no numbers Bias of it"),
        ({"InputWeights": np.ones((3, 2))}, "its weights have the shape (3, 2)"),
        (
            {"class": "my.own.Layer"},
            "layer 'lstmlayer' (Layer) cannot be taken: recurra has nothing that stands for it",
        ),
    ],
)
def test_what_cannot_be_taken_is_named(tmp_path, change, message):
    write_5(tmp_path / "net.mat", [{**cell(np.random.default_rng(0), "LSTMLayer", 3), **change}])
    with pytest.raises(DataError) as caught:
        recurra.import_weights(tmp_path / "net.mat")
    assert message in str(caught.value)


def test_another_file_of_matlab(tmp_path):
    savemat(tmp_path / "x.mat", {"net": np.ones(3)})
    with pytest.raises(
        DataError, match=r"has no variable recurra_network; in MATLAB, write the network with recurra_layers"
    ):
        recurra.import_weights(tmp_path / "x.mat")
    with pytest.raises(UsageError, match="to must be one of"):
        recurra.import_weights(tmp_path / "x.mat", to="network")
