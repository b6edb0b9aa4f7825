"""ONNX graphs run by recurra's layers: onnx's own test vectors, recurra's own exports, and what is refused."""

import functools
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import recurra
from export_models import KINDS, exportable_model
from recurra.errors import DataError, UsageError
from recurra.export.model.agreement import random_rows
from recurra.export.model.boundary import cut
from recurra.export.onnx.whole import whole_graph
from recurra.export.onnx_file import Runner, model_bytes, padded
from recurra.importing.onnx_files import read_onnx

onnx = pytest.importorskip("onnx")


@functools.cache
def vectors():
    """Return onnx's test vectors of recurrent operators: name -> model with its weights inside, inputs, outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case import node as cases

        for module in ("gru", "lstm", "rnn"):  # importing one makes its cases
            importlib.import_module(f"{cases.__name__}.{module}")
    found = {}
    for case in cases._NodeTestCases:
        node = case.model.graph.node[0]
        if node.op_type not in ("LSTM", "GRU", "RNN"):
            continue
        inputs, outputs = case.data_sets[0]
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        given = dict(zip([one.name for one in model.graph.input], map(np.asarray, inputs), strict=True))
        weights = {node.input[at] for at in (1, 2, 3, 7) if at < len(node.input) and node.input[at]}
        kept = [one for one in model.graph.input if one.name not in weights]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(given.pop(name), name) for name in weights
        )
        found[case.name] = model, given, dict(zip([o.name for o in model.graph.output], outputs, strict=True))
    return found


def test_every_vector_of_onnx():
    for name, (model, given, right) in vectors().items():
        graph = read_onnx(Path("x.onnx"), model.SerializeToString())
        with torch.no_grad():
            found = graph(**{word: torch.as_tensor(array) for word, array in given.items()})
        for word, array in right.items():
            assert found[word].shape == array.shape, name
            assert np.abs(found[word].numpy() - array).max() <= 1e-6, name
    assert len(vectors()) >= 18


# Static inputs and counted n-grams are inputs that no layer of a network reads; gaps are filled in a Scan.
COMES_BACK = [kind for kind in KINDS if kind not in ("static", "wide static", "n-grams", "gaps")]


def is_refused(model):
    """Return whether a file holds a Scan: values that are filled, layers that are normalized."""
    return model.manifest["params"]["missing"] in ("mask", "fill") or model.manifest["network"][
        "cell"
    ].endswith("_norm")


@pytest.mark.parametrize("kind", COMES_BACK)
def test_what_recurra_exports_comes_back(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    model = exportable_model(rng, kind)
    while is_refused(model):
        model = exportable_model(rng, kind)
    exported = cut(model)
    data = model_bytes(exported, whole_graph(exported, 17))
    graph = read_onnx(Path("x.onnx"), data)
    inputs = padded(random_rows(exported, rng))
    right = Runner(data)(**inputs)
    with torch.no_grad():
        found = graph(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    assert list(found) == list(right)
    for name, array in right.items():
        assert found[name].shape == array.shape
        away = np.abs(found[name].numpy() - array) / np.maximum(1, np.abs(array))
        assert away.max() <= (2e-5 if name in ("h_n", "c_n") else 1e-5), name


def test_gaps_that_are_filled_inside_are_refused():
    exported = cut(exportable_model(np.random.default_rng(0), "gaps"))
    with pytest.raises(
        DataError, match=r"\(Scan\) cannot be taken: recurra has nothing that stands for this operator"
    ):
        read_onnx(Path("x.onnx"), model_bytes(exported, whole_graph(exported, 17)))


def lstm_model(change=lambda nodes, weights: None, **attributes):
    rng = np.random.default_rng(0)
    nodes = [onnx.helper.make_node("LSTM", ["x", "W", "R"], ["y"], name="first", hidden_size=2, **attributes)]
    weights = {"W": rng.normal(size=(1, 8, 3)), "R": rng.normal(size=(1, 8, 2))}
    change(nodes, weights)
    value = functools.partial(onnx.helper.make_tensor_value_info, elem_type=onnx.TensorProto.FLOAT)
    graph = onnx.helper.make_graph(
        nodes, "g", [value("x", shape=[None, None, 3])], [value("y", shape=None)],
        [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()],
    )  # fmt: skip
    return onnx.helper.make_model(graph)


def computed(nodes, weights):
    nodes.insert(0, onnx.helper.make_node("Mul", ["x", "x"], ["V"]))
    nodes[1].input[1] = "V"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clip": 3.0}, "layer 'first' (LSTM) cannot be taken: it clips what goes into its gates"),
        ({"input_forget": 1}, "its input gate is made of its forget gate"),
        ({"activations": ["Sigmoid", "Relu", "Tanh"]}, "its activations Sigmoid, Relu, Tanh are not those"),
        ({"direction": "bidirectional"}, "its direction or hidden_size does not fit"),
        ({"change": computed}, "its weights are computed while it runs"),
        (
            {
                "change": lambda nodes, weights: nodes.append(
                    onnx.helper.make_node("Loop", ["y"], ["z"], name="l")
                )
            },
            "layer 'l' (Loop) cannot be taken: recurra has nothing that stands for this operator",
        ),
        ({"change": lambda nodes, weights: weights.update(R=np.ones((1, 6, 2)))}, "do not fit a LSTM"),
    ],
)
def test_what_cannot_be_taken_is_named(tmp_path, given, message):
    path = tmp_path / "x.onnx"
    path.write_bytes(lstm_model(**given).SerializeToString())
    with pytest.raises(DataError) as caught:
        recurra.import_weights(path)
    assert message in str(caught.value)


def test_another_file_is_never_opened(tmp_path):
    model = lstm_model()
    (tmp_path / "secret").write_bytes(b"\0" * 96)
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret")
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="in another file, which is not opened"):
        recurra.import_weights(tmp_path / "x.onnx")


def test_constants_that_grow_are_not_made_before_they_are_asked_for(tmp_path):
    def grow(nodes, weights):
        weights["size"], weights["column"] = np.array([2.0**40]), np.ones((2**12, 1))
        nodes.insert(0, onnx.helper.make_node("Cast", ["size"], ["shape"], to=onnx.TensorProto.INT64))
        nodes.insert(1, onnx.helper.make_node("ConstantOfShape", ["shape"], ["large"]))
        nodes.insert(2, onnx.helper.make_node("Transpose", ["column"], ["row"]))
        nodes.insert(3, onnx.helper.make_node("MatMul", ["column", "row"], ["square"]))

    (tmp_path / "x.onnx").write_bytes(lstm_model(grow).SerializeToString())
    graph = recurra.import_weights(tmp_path / "x.onnx")
    assert [node.kind for node in graph.body.nodes] == ["ConstantOfShape", "MatMul", "LSTM"]
    with pytest.raises(DataError, match="asks for the shape"):
        graph(torch.zeros(1, 1, 3))


def test_inputs_are_named(tmp_path):
    (tmp_path / "x.onnx").write_bytes(lstm_model().SerializeToString())
    graph = recurra.import_weights(tmp_path / "x.onnx")
    with pytest.raises(UsageError, match="reads x; got z"):
        graph(z=torch.zeros(1, 1, 3))
    with pytest.raises(DataError, match="LSTM 'first' cannot be computed"):
        graph(torch.zeros(1, 1, 4))
