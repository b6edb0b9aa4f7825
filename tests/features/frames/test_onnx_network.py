"""A graph from anywhere: no file beside it is read, wherever in the graph it is named."""

import numpy as np
import pytest

from recurra.errors import DataError
from recurra.features.frames.onnx_network import OnnxNetwork

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WEIGHTS = np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1)


def outside(location="weights.bin"):
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def model(*, weights=None, nodes=(), initializers=(), functions=()):
    """Return an image network: the pixels times weights, averaged."""
    weights = numpy_helper.from_array(WEIGHTS, "w") if weights is None else weights
    multiply = helper.make_node("Mul", ["x", "w"], ["y"])
    pool = helper.make_node("GlobalAveragePool", ["y"], ["z"])
    graph = helper.make_graph(
        [*nodes, multiply, pool],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3, 1, 1])],
        [weights, *initializers] if weights else list(initializers),
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, functions=functions
    )
    return made


def as_initializer():
    return model(weights=outside())


def as_constant():
    return model(weights=False, nodes=[helper.make_node("Constant", [], ["w"], value=outside())])


def in_an_inner_graph():
    inner = helper.make_graph(
        [helper.make_node("Identity", ["v"], ["o"])],
        "inner",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, [1, 3, 1, 1])],
        [outside()],
    )
    inner.initializer[0].name = "v"
    condition = numpy_helper.from_array(np.array(True), "c")
    choice = helper.make_node("If", ["c"], ["u"], then_branch=inner, else_branch=inner)
    return model(nodes=[choice], initializers=[condition])


def in_a_function():
    constant = helper.make_node("Constant", [], ["o"], value=outside())
    function = helper.make_function("own", "F", [], ["o"], [constant], [helper.make_opsetid("", 17)])
    return model(functions=[function])


def in_a_sparse_tensor():
    made = model()
    sparse = made.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside())
    sparse.dims.extend([3])
    return made


def half_said():
    made = model(weights=outside())
    made.graph.initializer[0].data_location = TensorProto.DEFAULT
    return made


@pytest.mark.parametrize(
    "make", [as_initializer, as_constant, in_an_inner_graph, in_a_function, in_a_sparse_tensor, half_said]
)
def test_numbers_in_another_file_are_refused_by_us(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(DataError) as caught:
        OnnxNetwork(make().SerializeToString(), who="net.onnx")
    assert str(caught.value) == (
        "net.onnx: keeps the numbers of 'w' in another file, 'weights.bin', and recurra follows no path in a file. Save it "
        "in one piece: onnx.save(onnx.load(FILE), NEW_FILE)."
    ).replace("'w'", "'v'" if make is in_an_inner_graph else "'w'")


def test_the_advice_helps(tmp_path):
    made = model()
    onnx.save(made, tmp_path / "net.onnx", save_as_external_data=True, location="far.bin", size_threshold=0)
    with pytest.raises(DataError, match=r"another file, 'far\.bin'"):
        OnnxNetwork((tmp_path / "net.onnx").read_bytes())
    onnx.save(onnx.load(tmp_path / "net.onnx"), tmp_path / "whole.onnx")
    network = OnnxNetwork((tmp_path / "whole.onnx").read_bytes())
    assert network(np.zeros((2, 4, 4, 3), np.uint8)).shape == (2, 3)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\0\0\0\0ORTM" + bytes(100)])
def test_what_is_no_graph(data):
    with pytest.raises(
        DataError, match=r"cannot be read as an ONNX graph|in the format of onnxruntime alone"
    ):
        OnnxNetwork(data)
