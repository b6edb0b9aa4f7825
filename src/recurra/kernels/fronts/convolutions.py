"""Convolutions over whole sequences of unequal length, with numpy; the twin of `recurra.nn.fronts.convolutions`.

Each output is summed by `heads.linear`: its bias, then step by step of the kernel, oldest first, channel by channel. That
order is the same for a batch, for a sequence alone and for a stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.kernels.fronts.step_by_step import RunningFront
from recurra.kernels.heads import pooling
from recurra.ragged import Ragged

Weights = Mapping[str, np.ndarray]
# Added to a variance before its root is taken; torch's own default.
EPSILON = 1e-5
# Rows computed at once, which bounds the memory of the steps that their kernels see.
ROWS_AT_ONCE = 8192
NORM = ("weight", "bias", "running_mean", "running_var")


class Convolutions:
    """Convolution, batch normalization and ReLU, layer after layer; see `recurra.nn.fronts.convolutions.Convolutions`."""

    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every weight."""
        layers, causal = description["layers"], description["causal"]
        if not isinstance(layers, list | tuple) or not layers or type(causal) is not bool:
            raise ValueError("convolutions need a list of layers, and causal must be true or false")
        found: dict[str, tuple[int, ...]] = {}
        size = input_size
        for index, layer in enumerate(layers):
            filters, kernel, dilation = (layer[word] for word in ("filters", "kernel", "dilation"))
            if not all(type(number) is int and number >= 1 for number in (filters, kernel, dilation)):
                raise ValueError("filters, kernel and dilation must be whole numbers of at least 1")
            if kernel * dilation > 1_000_000:
                raise ValueError("a kernel must not see further than a million steps")
            found |= {f"weights.{index}": (filters, size, kernel), f"biases.{index}": (filters,)}
            found |= {f"norms.{index}.{name}": (filters,) for name in NORM}
            size = filters
        return found

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        """Return the filters of the last layer."""
        return int(description["layers"][-1]["filters"])

    def forward(self, description: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
        """Return a row for each step: float32 values of shape (total_steps, filters)."""
        rows = np.ascontiguousarray(inputs.values, np.float32)
        ends = np.cumsum(inputs.lengths)
        first = np.repeat(ends - inputs.lengths, inputs.lengths)
        last = np.repeat(ends, inputs.lengths) - 1
        for layer in _running(description, weights):
            rows = layer.over(rows, first, last, causal=description["causal"])
        return inputs.replace(rows)

    def running(self, description: Mapping[str, Any], weights: Weights, batch: int) -> "RunningConvolutions":
        """Return what is fed step by step; a description that is not causal has none (ValueError)."""
        if not description["causal"]:
            raise ValueError("convolutions that look ahead cannot be fed step by step")
        return RunningConvolutions(_running(description, weights), batch)


@dataclass(frozen=True)
class Folded:
    """The numbers of one convolution with its normalization folded in.

    Parameters
    ----------
    weight : float32 array of shape (filters, kernel * channels)
        Step by step of the kernel, the oldest first.
    bias : float32 array of shape (filters,)
    kernel, dilation : int
    """

    weight: np.ndarray
    bias: np.ndarray
    kernel: int
    dilation: int

    @property
    def span(self) -> int:
        """Steps from the first that a kernel sees to the last."""
        return (self.kernel - 1) * self.dilation


class _Layer:
    """One convolution that runs.

    Parameters
    ----------
    numbers : Folded
    """

    def __init__(self, numbers: Folded) -> None:
        self.linear = pooling.Linear(numbers.weight, numbers.bias)
        self.kernel, self.dilation, self.span = numbers.kernel, numbers.dilation, numbers.span
        self.channels = numbers.weight.shape[1] // numbers.kernel

    def of(self, seen: np.ndarray) -> np.ndarray:
        """Return the rows (n, filters) for what their kernels see, (n, kernel * channels)."""
        return np.maximum(self.linear(seen), np.float32(0))

    def over(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray, *, causal: bool) -> np.ndarray:
        """Return the next rows of flat rows, whose sequences go from row ``first`` to row ``last``."""
        steps = np.arange(self.kernel) * self.dilation - (self.span if causal else self.span // 2)
        zero = len(rows)
        padded = np.concatenate([rows, np.zeros((1, self.channels), np.float32)])
        parts = []
        for start in range(0, max(zero, 1), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, zero)
            seen = np.arange(start, stop)[:, None] + steps
            outside = (seen < first[start:stop, None]) | (seen > last[start:stop, None])
            seen[outside] = zero
            parts.append(self.of(padded[seen].reshape(stop - start, -1)))
        return np.concatenate(parts)


def folded(description: Mapping[str, Any], weights: Weights) -> list[Folded]:
    """Return each convolution of a description with its normalization folded in."""
    layers = []
    for index, layer in enumerate(description["layers"]):
        gain, shift, mean, variance = (weights[f"norms.{index}.{name}"].astype(np.float64) for name in NORM)
        factor = gain / np.sqrt(variance + EPSILON)
        weight = weights[f"weights.{index}"].astype(np.float64).transpose(0, 2, 1) * factor[:, None, None]
        bias = (weights[f"biases.{index}"] - mean) * factor + shift
        flat = np.ascontiguousarray(weight.reshape(len(weight), -1), np.float32)
        layers.append(Folded(flat, bias.astype(np.float32), layer["kernel"], layer["dilation"]))
    return layers


def _running(description: Mapping[str, Any], weights: Weights) -> list[_Layer]:
    return [_Layer(numbers) for numbers in folded(description, weights)]


class RunningConvolutions(RunningFront):
    """Causal convolutions fed one step of several sequences at a time.

    Parameters
    ----------
    layers : list of _Layer
    batch : int
        Sequences side by side.
    """

    def __init__(self, layers: list[_Layer], batch: int) -> None:
        self._layers = layers
        # The newest steps that each layer may still have to see, the oldest first.
        self._seen = [np.zeros((batch, layer.span + 1, layer.channels), np.float32) for layer in layers]

    def step(self, x: np.ndarray) -> np.ndarray:
        """Take in rows (n, input_size) of the first n sequences; return rows (n, filters)."""
        rows = np.ascontiguousarray(x, np.float32)
        for layer, seen in zip(self._layers, self._seen, strict=True):
            own = seen[: len(rows)]
            own[:, :-1] = own[:, 1:]
            own[:, -1] = rows
            rows = layer.of(np.ascontiguousarray(own[:, :: layer.dilation]).reshape(len(rows), -1))
        return rows

    def arrays(self) -> dict[str, np.ndarray]:
        """Return views of everything remembered, the first axis of each over the batch."""
        return {f"seen.{index}": seen for index, seen in enumerate(self._seen)}

    def reset(self) -> None:
        """Forget every step."""
        for seen in self._seen:
            seen[:] = 0
