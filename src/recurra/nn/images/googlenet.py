"""GoogLeNet: the network of inception blocks, as torchvision publishes its weights.

It differs from the paper in three ways that the weights were trained with: kernels of 3x3 where the paper has 5x5,
poolings that round sizes up, and an input brought from ImageNet's mean and deviation to [-1, 1].
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.nn.images.published_weights import PerChannel

# Mean and deviation of ImageNet's red, green and blue, in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

# Name -> channels in, then of the four branches: 1x1; 1x1 and 3x3; 1x1 and 3x3 (5x5 in the paper); pooled 1x1.
INCEPTIONS: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (images, out_channels, height, width)."""
        return F.relu(self.bn(self.conv(images)))


class Inception(nn.Module):
    """Four branches that look at the same place at different widths, side by side in the output."""

    def __init__(self, sizes: tuple[int, int, int, int, int, int, int]) -> None:
        super().__init__()
        inputs, one, three_in, three, five_in, five, pooled = sizes
        self.branch1 = Convolution(inputs, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            Convolution(inputs, three_in, kernel_size=1),
            Convolution(three_in, three, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            Convolution(inputs, five_in, kernel_size=1),
            Convolution(five_in, five, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), Convolution(inputs, pooled, kernel_size=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the branches' channels in order."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(images) for branch in branches], dim=1)


class GoogLeNet(nn.Module):
    """GoogLeNet without its auxiliary heads: 6,624,904 parameters, 1024 features.

    Parameters
    ----------
    classes : int, default=1000
        Outputs of the last layer, at least 1.

    References
    ----------
    .. [1] Szegedy et al., "Going Deeper with Convolutions", 2014, arXiv:1409.4842.
    """

    n_features: ClassVar[int] = 1024
    image_size: ClassVar[int] = 224  # pixels a side it was trained with
    # From pixels in [0, 255] to what the network reads: ImageNet's mean and deviation become 0 and 1.
    pixels: ClassVar[PerChannel] = PerChannel(
        scale=[1 / (255 * deviation) for deviation in IMAGENET_DEVIATION],
        shift=[-mean / deviation for mean, deviation in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)],
    )

    layers: ClassVar[tuple[str, ...]] = tuple(INCEPTIONS)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        # To [-1, 1], which the original network was trained on.
        self.unit_range = PerChannel(
            scale=[deviation / 0.5 for deviation in IMAGENET_DEVIATION],
            shift=[(mean - 0.5) / 0.5 for mean in IMAGENET_MEAN],
        )
        self.conv1 = Convolution(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2 = Convolution(64, 64, kernel_size=1)
        self.conv3 = Convolution(64, 192, kernel_size=3, padding=1)
        for name, sizes in INCEPTIONS.items():
            setattr(self, name, Inception(sizes))
        self.fc = nn.Linear(self.n_features, classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the last pooling.

        Parameters
        ----------
        images : Tensor of shape (images, 3, height, width)
            Red, green, blue as `pixels` gives them; 224 pixels a side, or any size of at least 15.

        Returns
        -------
        Tensor of shape (images, 1024)
        """
        return self.maps(images).mean(dim=(2, 3))

    def maps(self, images: Tensor, layer: str | None = None) -> Tensor:
        """Return the maps of a layer.

        Parameters
        ----------
        images : as in `features`
            Red, green, blue.
        layer : str, optional
            One of `layers`; by default the last one, which the last pooling is of.

        Returns
        -------
        Tensor of shape (images, channels, height, width)
            An eighth of the image's pixels a side for "inception3...", a sixteenth for 4, a thirty-second for 5.
        """
        x = _halved(self.conv1(self.unit_range(images)))
        x = _halved(self.conv3(self.conv2(x)))
        for name in self.layers:
            x = getattr(self, name)(x)
            if name == layer:
                return x
            if name == "inception3b":
                x = _halved(x)
            if name == "inception4e":
                x = F.max_pool2d(x, 2, stride=2, ceil_mode=True)
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of shape (images, classes); for ``images`` see `features`."""
        return self.fc(F.dropout(self.features(images), 0.2, self.training))

    @staticmethod
    def published(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a published state dict without the auxiliary heads, which only training uses."""
        return {name: tensor for name, tensor in state.items() if not name.startswith(("aux1.", "aux2."))}


def _halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)
