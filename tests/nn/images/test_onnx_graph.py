"""The graph gives what the network gives in double, and the same bits in any batch."""

import numpy as np
import pytest
import torch

from recurra.nn.images.efficientnet_lite0 import EfficientNetLite0
from recurra.nn.images.googlenet import GoogLeNet
from recurra.nn.images.onnx_graph import frames_graph
from recurra.nn.images.published_weights import as_images

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def drawn(kind):
    """A network whose normalisations do something."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = kind()
        for norm in network.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.1, 0.3)
                torch.nn.init.normal_(norm.weight, 1, 0.1)
                torch.nn.init.normal_(norm.bias, 0, 0.1)
    return network.eval()


def frames(count, height, width):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def session(network, layer=None, **words):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        frames_graph(network, layer, **words), options, providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("kind", [GoogLeNet, EfficientNetLite0])
def test_graph_is_the_network(kind):
    network = drawn(kind)
    running = session(network)
    for height, width in ((64, 64), (61, 75)):
        given = frames(2, height, width)
        (found,) = running.run(None, {"frames": given})
        with torch.inference_mode():
            wanted = network.double().features(as_images(network, given)).numpy()
        network.float()
        assert found.shape == (2, kind.n_features)
        assert np.abs(wanted).max() > 0.01
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_frame_has_the_same_bits_in_any_batch():
    running = session(drawn(EfficientNetLite0))
    given = frames(7, 48, 48)
    (together,) = running.run(None, {"frames": given})
    for size in (1, 2, 4):
        parts = [running.run(None, {"frames": given[i : i + size]})[0] for i in range(0, 7, size)]
        assert np.array_equal(np.concatenate(parts), together)


@pytest.mark.parametrize(
    ("kind", "layer", "shape"),
    [
        (GoogLeNet, "inception3b", (480, 7, 9)),
        (GoogLeNet, "inception4e", (832, 3, 4)),
        (GoogLeNet, None, (1024, 2, 2)),
        (EfficientNetLite0, "stage1", (16, 31, 38)),
        (EfficientNetLite0, "stage5", (112, 4, 5)),
        (EfficientNetLite0, None, (1280, 2, 3)),
    ],
)
def test_the_maps_of_a_layer(kind, layer, shape):
    network = drawn(kind)
    given = frames(2, 61, 75)
    (found,) = session(network, layer, pooled=False).run(None, {"frames": given})
    assert found.shape == (2, *shape)
    with torch.inference_mode():
        wanted = network.double().maps(as_images(network, given), layer).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
    (pooled,) = session(network.float(), layer).run(None, {"frames": given})
    np.testing.assert_allclose(pooled, wanted.mean(axis=(2, 3)), rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
