"""GoogLeNet against what torchvision's own module computed once in float64."""

import json

import numpy as np
import pytest
import torch

from recurra.errors import DataError
from recurra.nn.images.googlenet import GoogLeNet
from recurra.nn.images.published_weights import load_published


def formula(count):
    """h(1), ..., h(count) of the check values' page."""
    return noise(np.arange(1, count + 1, dtype=np.float64))


def noise(k):
    a = 43758.5453 * np.sin(12.9898 * k)
    return 2 * (a - np.floor(a)) - 1


def weight(name, shape):
    s = formula(int(np.prod(shape)))
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    if name.endswith("running_var"):
        values = 1 + 0.5 * s**2
    elif name.endswith("bn.weight"):
        values = 1 + 0.1 * s
    elif len(shape) >= 2:
        values = np.sqrt(6 / np.prod(shape[1:])) * s
    else:
        values = 0.1 * s
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


@pytest.fixture(scope="module")
def published(real_data):
    """Name and shape of every published weight, filled by the formula."""
    keys = json.loads(real_data("googlenet/state_dict_keys.json").read_text())
    return {name: weight(name, tuple(shape)) for name, shape in keys}


def test_parameters():
    assert sum(p.numel() for p in GoogLeNet().parameters()) == 6_624_904


def test_takes_every_published_key_and_shape_in_order(published, tmp_path):
    own = GoogLeNet().state_dict()
    assert [(n, w.shape) for n, w in own.items()] == [(n, w.shape) for n, w in published.items()]
    heads = {"aux1.conv.conv.weight": torch.zeros(128, 512, 1, 1), "aux2.fc2.bias": torch.zeros(1000)}
    torch.save(published | heads, tmp_path / "published.pth")
    network = GoogLeNet()
    load_published(network, tmp_path / "published.pth", who="published.pth")
    assert all(torch.equal(w, published[n]) for n, w in network.state_dict().items())


def test_features_and_logits_are_torchvisions(published, real_data):
    network = GoogLeNet().double().eval()
    network.load_state_dict(
        {name: w.double() if w.is_floating_point() else w for name, w in published.items()}
    )
    flat = np.arange(2 * 3 * 224 * 224)
    images = (2 * noise((flat // 7).astype(np.float64))).astype(np.float32).reshape(2, 3, 224, 224)
    expected = np.load(real_data("googlenet/expected.npz"))
    with torch.inference_mode():
        features = network.features(torch.from_numpy(images).double())
        logits = network.fc(features)
    np.testing.assert_allclose(features.numpy(), expected["features"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(logits.numpy(), expected["logits"], rtol=0, atol=1e-6)


def test_pixels_become_mean_and_deviation():
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 255
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255
    images = torch.stack([mean, mean + deviation]).expand(2, 3, 1, 1)
    found = GoogLeNet.pixels(images)[:, :, 0, 0]
    np.testing.assert_allclose(found, [[0.0] * 3, [1.0] * 3], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("conv1.conv.weight"),
            r"x\.pth: is not of GoogLeNet: it lacks 'conv1.conv.weight'\.",
        ),
        (lambda s: s.update(more=torch.zeros(1)), r"it has unknown 'more'\."),
        (
            lambda s: s.update({"fc.bias": torch.zeros(10)}),
            r"fc.bias must have shape \(1000,\); got \(10,\)\.",
        ),
    ],
)
def test_a_file_of_another_network_is_refused(change, message, tmp_path):
    state = GoogLeNet().state_dict()
    change(state)
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(DataError, match=message):
        load_published(GoogLeNet(), tmp_path / "x.pth", who="x.pth")


class Evil:
    def __reduce__(self):
        return (print, ("this must not be run",))


@pytest.mark.parametrize("content", [b"", b"no file of torch", "evil", "list"])
def test_a_foreign_file_runs_no_code(content, tmp_path, capsys):
    path = tmp_path / "x.pth"
    if isinstance(content, str):
        torch.save({"conv1.conv.weight": Evil()} if content == "evil" else [1], path)
    else:
        path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"x\.pth: (is no state dict that can be read|must hold a state dict)"
    ):
        load_published(GoogLeNet(), path, who="x.pth")
    assert capsys.readouterr().out == ""
