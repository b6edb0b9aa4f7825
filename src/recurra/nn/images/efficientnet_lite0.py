"""EfficientNet-Lite0: small enough to look at every frame of a clip on a processor."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from recurra.nn.images.published_weights import PerChannel

# Blocks in order: how many, kernel, stride of the first, how much wider inside, channels out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3


def same_padded(images: Tensor, *, kernel_size: int, stride: int) -> Tensor:
    """Pad as TensorFlow's "SAME": the output has ceil(size / stride) pixels, and an odd pixel goes right and below."""
    bottom, right = (
        max((-(-size // stride) - 1) * stride + kernel_size - size, 0) for size in images.shape[-2:]
    )
    return F.pad(images, (right // 2, right - right // 2, bottom // 2, bottom - bottom // 2))


class SameConvolution(nn.Conv2d):
    """Convolution without bias whose input is padded as TensorFlow does."""

    pads_as_same: ClassVar[bool] = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
    ):
        # With stride 1 and an odd kernel both sides get the same, which the convolution does by itself.
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding=padding, groups=groups, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return shape (images, out_channels, ceil(height / stride), ceil(width / stride))."""
        if self.stride != (1, 1):
            input = same_padded(input, kernel_size=self.kernel_size[0], stride=self.stride[0])
        return super().forward(input)


class Block(nn.Module):
    """Widen by 1x1, filter each channel by itself, narrow by 1x1; added to the input where shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int, widening: int
    ) -> None:
        super().__init__()
        inside = in_channels * widening
        self.adds = stride == 1 and in_channels == out_channels
        self.widens = widening > 1
        if self.widens:
            self._expand_conv = SameConvolution(in_channels, inside, 1)
            self._bn0 = nn.BatchNorm2d(inside, eps=_EPSILON)
        self._depthwise_conv = SameConvolution(inside, inside, kernel_size, stride=stride, groups=inside)
        self._bn1 = nn.BatchNorm2d(inside, eps=_EPSILON)
        self._project_conv = SameConvolution(inside, out_channels, 1)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=_EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (images, out_channels, ceil(height / stride), ceil(width / stride))."""
        x = images
        if self.widens:
            x = F.relu6(self._bn0(self._expand_conv(x)))
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return x + images if self.adds else x


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: 4,652,008 parameters, 1280 features; names of its weights as published.

    Parameters
    ----------
    classes : int, default=1000
        Outputs of the last layer, at least 1.

    References
    ----------
    .. [1] Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019,
       arXiv:1905.11946.
    .. [2] Google, "Higher accuracy on vision models with EfficientNet-Lite", 2020: no squeeze and excitation, ReLU6,
       stem and head of fixed width.
    """

    n_features: ClassVar[int] = 1280
    image_size: ClassVar[int] = 224  # pixels a side it was trained with
    # From pixels in [0, 255] to what the network reads: (pixel - 127) / 128.
    pixels: ClassVar[PerChannel] = PerChannel(scale=[1 / 128] * 3, shift=[-127 / 128] * 3)
    layers: ClassVar[tuple[str, ...]] = tuple(f"stage{number}" for number in range(1, len(STAGES) + 1))

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConvolution(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPSILON)
        blocks = []
        channels = 32
        for count, kernel_size, stride, widening, out_channels in STAGES:
            for index in range(count):
                first = {"stride": stride if index == 0 else 1, "widening": widening}
                blocks.append(Block(channels, out_channels, kernel_size=kernel_size, **first))
                channels = out_channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConvolution(channels, self.n_features, 1)
        self._bn1 = nn.BatchNorm2d(self.n_features, eps=_EPSILON)
        self._fc = nn.Linear(self.n_features, classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the last pooling.

        Parameters
        ----------
        images : Tensor of shape (images, 3, height, width)
            Red, green, blue as `pixels` gives them; any size of at least 1.

        Returns
        -------
        Tensor of shape (images, 1280)
        """
        return self.maps(images).mean(dim=(2, 3))

    def maps(self, images: Tensor, layer: str | None = None) -> Tensor:
        """Return the maps of a layer.

        Parameters
        ----------
        images : as in `features`
            Red, green, blue.
        layer : str, optional
            One of `layers`; by default what the last pooling is of.

        Returns
        -------
        Tensor of shape (images, channels, height, width)
            16, 24, 40, 80, 112, 192 or 320 channels by stage, a half, a quarter, an eighth, a sixteenth (twice) or a
            thirty-second (twice) of the image's pixels a side; 1280 channels of a thirty-second by default.
        """
        x = F.relu6(self._bn0(self._conv_stem(images)))
        first = 0
        for name, (count, *_) in zip(self.layers, STAGES, strict=True):
            for block in self._blocks[first : first + count]:
                x = block(x)
            first += count
            if name == layer:
                return x
        return F.relu6(self._bn1(self._conv_head(x)))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of shape (images, classes); for ``images`` see `features`."""
        return self._fc(F.dropout(self.features(images), 0.2, self.training))

    @staticmethod
    def published(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a published state dict as this class names its weights: as it is."""
        return state
