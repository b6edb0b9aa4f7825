"""A small convolutional network over each frame, trained with the recurrence behind it."""

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from recurra.checks import check_number
from recurra.errors import ShapeError
from recurra.ragged import Ragged


class SmallCNN(nn.Module):
    """Three convolutions that halve the image, then a linear layer; ReLU after each.

    Where something is matters to it: the last map is not averaged over its places.

    Parameters
    ----------
    description : mapping
        ``image_size``, pixels a side, a multiple of 8; ``channels``, the numbers it gives for each frame.
    input_size : int
        3 * image_size ** 2: a step is a frame, row by row, red, green and blue of each pixel side by side.
    """

    widths: ClassVar[tuple[int, ...]] = (3, 16, 32, 64)

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "SmallCNN"
        for word in ("image_size", "channels"):
            check_number(who, word, description.get(word), integer=True, low=1)
        self.image_size, self.output_size = int(description["image_size"]), int(description["channels"])
        if self.image_size % 8 or input_size != 3 * self.image_size**2:
            raise ShapeError(
                f"{who}: image_size must be a multiple of 8 with 3 * image_size ** 2 channels a step; got "
                f"{self.image_size} and {input_size} channels."
            )
        self.conv1, self.conv2, self.conv3 = (
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            for inputs, outputs in itertools.pairwise(self.widths)
        )
        self.linear = nn.Linear(self.widths[-1] * (self.image_size // 8) ** 2, self.output_size)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights so that ReLU keeps the size of signals (He et al., 2015, arXiv:1502.01852); biases are 0."""
        layers: list[Any] = [self.conv1, self.conv2, self.conv3, self.linear]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return what it sees in each frame: values of shape (total_steps, channels)."""
        x = ragged.values.reshape(-1, self.image_size, self.image_size, 3).permute(0, 3, 1, 2)
        for layer in (self.conv1, self.conv2, self.conv3):
            x = F.relu(layer(x))
        return ragged.replace(F.relu(self.linear(x.flatten(1))))
