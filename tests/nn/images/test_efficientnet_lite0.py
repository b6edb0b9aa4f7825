"""EfficientNet-Lite0 with its published weights: real photographs, and float64."""

import importlib.util
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.nn.images.efficientnet_lite0 import EfficientNetLite0, same_padded
from recurra.nn.images.published_weights import as_images

# Photograph -> ImageNet's numbers that are right.
PHOTOGRAPHS = {
    "skimage": {
        "chelsea.png": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
        "coffee.png": {504, 967, 968},  # coffee mug, espresso, cup
        "rocket.jpg": {657, 744, 812},  # missile, projectile, space shuttle
        "camera.png": {759, 872},  # reflex camera, tripod
        "clock_motion.png": {409, 892},  # analog clock, wall clock
        "motorcycle_left.png": {665, 670},  # moped, motor scooter
    },
    "sklearn": {
        "china.jpg": {663, 698},  # monastery, palace: a temple
        "flower.jpg": {985},  # daisy
    },
}


def photograph(package, name):
    """The bytes of a photograph, out of an installed package or of scikit-image's wheel in the folder of wheels."""
    spec = importlib.util.find_spec(package)
    if spec is not None:
        folder = Path(spec.submodule_search_locations[0])
        return (folder / ("data" if package == "skimage" else "datasets/images") / name).read_bytes()
    from recurra.datasets.fetch import cache_folder

    wheels = sorted((cache_folder() / "wheels").glob("scikit_image-*.whl"))
    if not wheels:
        pytest.skip("scikit-image is neither installed nor a wheel in the folder 'wheels' of the cache")
    with zipfile.ZipFile(wheels[-1]) as archive:
        return archive.read(f"skimage/data/{name}")


def centre(data):
    """Shorter side 256, the centre of 224: as the network was judged."""
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.open(io.BytesIO(data)).convert("RGB")
    factor = 256 / min(image.size)
    image = image.resize([round(side * factor) for side in image.size], image_module.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in image.size)
    return np.array(image.crop((left, top, left + 224, top + 224)))[None]


@pytest.fixture(scope="module")
def network():
    from recurra.datasets import image_networks

    if not image_networks.is_here("efficientnet-lite0"):
        pytest.skip("the weights of efficientnet-lite0 are not there; make data brings them")
    from recurra.nn.images.published_weights import load_published

    network = EfficientNetLite0()
    load_published(network, image_networks.weights("efficientnet-lite0"), who="weights")
    return network.eval()


@pytest.mark.parametrize(("package", "name"), [(p, n) for p, names in PHOTOGRAPHS.items() for n in names])
def test_a_right_label_is_among_the_first_three(network, package, name):
    images = as_images(network, centre(photograph(package, name)))
    with torch.inference_mode():
        first = network(images)[0].topk(3).indices.tolist()
    assert set(first) & PHOTOGRAPHS[package][name], first


def test_equals_float64(network):
    given = centre(photograph("sklearn", "flower.jpg"))
    with torch.inference_mode():
        single = network.features(as_images(network, given))
        double = network.double().features(as_images(network, given))
        network.float()
    assert double.abs().max() > 1
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-4)


def test_parameters():
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008


def test_pixels():
    frame = np.array([[[[0, 127, 255]]]], dtype=np.uint8)
    assert as_images(EfficientNetLite0(), frame).flatten().tolist() == [-127 / 128, 0, 1]


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1), (5, 1)])
def test_same_padding_is_tensorflows(size, kernel, stride):
    images = torch.ones(1, 1, size, size)
    padded = same_padded(images, kernel_size=kernel, stride=stride)
    found = F.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride)
    assert found.shape[-1] == -(-size // stride)
    total = max((found.shape[-1] - 1) * stride + kernel - size, 0)
    column = padded[0, 0, :, total // 2].tolist()
    assert column == [0] * (total // 2) + [1] * size + [0] * (total - total // 2)
