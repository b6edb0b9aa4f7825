"""A small convolutional network over each frame, with numpy; the twin of `recurra.nn.fronts.small_cnn`."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.kernels.fronts.step_by_step import RunningFront
from recurra.kernels.heads import pooling
from recurra.ragged import Ragged

WIDTHS = (3, 16, 32, 64)
# Frames unfolded at once: bounds memory.
_FRAMES_AT_ONCE = 64


class SmallCNN:
    """Three convolutions that halve the image, then a linear layer; ReLU after each.

    Each output is summed in one fixed order, frame by frame, so that a frame alone gives the bits it gives in a clip.
    """

    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every weight; see `recurra.kernels.fronts.front.Front`."""
        size, channels = description["image_size"], description["channels"]
        whole = all(type(number) is int and number >= 1 for number in (size, channels))
        if not whole or size % 8 or input_size != 3 * size**2:
            raise ValueError(
                "a small_cnn needs an image_size that is a multiple of 8, and its square of 3 channels"
            )
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS), 1):
            shapes[f"conv{layer}.weight"] = (outputs, inputs, 3, 3)
            shapes[f"conv{layer}.bias"] = (outputs,)
        return shapes | {
            "linear.weight": (channels, WIDTHS[-1] * (size // 8) ** 2),
            "linear.bias": (channels,),
        }

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        """Return the channels it gives."""
        return int(description["channels"])

    def forward(
        self, description: Mapping[str, Any], weights: Mapping[str, np.ndarray], inputs: Ragged
    ) -> Ragged:
        """Return what it sees in each frame: float32 values of shape (total_steps, channels)."""
        values = np.asarray(inputs.values, np.float32)
        parts = [
            _frames(description["image_size"], weights, values[first : first + _FRAMES_AT_ONCE])
            for first in range(0, len(values), _FRAMES_AT_ONCE)
        ]
        empty = np.empty((0, int(description["channels"])), np.float32)
        return inputs.replace(np.concatenate([empty, *parts]))

    def running(self, description: Mapping[str, Any], weights: Mapping[str, np.ndarray], batch: int) -> Any:
        """Return what is fed frame by frame."""
        return _Running(description["image_size"], weights)


class _Running(RunningFront):
    def __init__(self, size: int, weights: Mapping[str, np.ndarray]) -> None:
        self._size, self._weights = size, weights

    def step(self, x: np.ndarray) -> np.ndarray:
        found = _frames(self._size, self._weights, np.asarray(x, np.float32))
        return found.astype(x.dtype, copy=False)


def _frames(size: int, weights: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    x = rows.reshape(len(rows), size, size, 3)
    for layer in range(1, len(WIDTHS)):
        x = _halving(x, weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"])
    flat = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1)  # torch's order: channels first
    return np.maximum(pooling.linear(flat, weights["linear.weight"], weights["linear.bias"]), 0)


def _halving(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (frames, height, width, channels) by 3x3 with stride 2 and a border of 1, and cut off below 0."""
    frames, high, wide, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [
        padded[:, top : top + high : 2, left : left + wide : 2] for top in range(3) for left in range(3)
    ]
    unfolded = np.stack(places, axis=3).reshape(-1, 9 * channels)
    kernel = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(len(weight), -1)
    out = np.maximum(pooling.linear(unfolded, kernel, bias), 0)
    return out.reshape(frames, high // 2, wide // 2, len(weight))
