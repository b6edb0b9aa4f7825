"""Trainable layers before the recurrence, computed with numpy; each the twin of its name in `recurra.nn.fronts.front`."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from recurra.errors import StoreError
from recurra.kernels.fronts.convolutions import Convolutions
from recurra.kernels.fronts.small_cnn import SmallCNN
from recurra.kernels.fronts.step_by_step import RunningFront
from recurra.kernels.fronts.text import TextFront
from recurra.kernels.heads import pooling
from recurra.ragged import Ragged

Weights = Mapping[str, np.ndarray]


class Front(Protocol):
    """What every front offers; ``weights`` are named without their prefix ``front.``."""

    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every weight.

        Raises
        ------
        KeyError, ValueError
            If the description makes no sense.
        """
        ...

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        """Return the channels it gives."""
        ...

    def forward(self, description: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
        """Return what the recurrence reads: float32, each row computed in one fixed order."""
        ...

    def running(self, description: Mapping[str, Any], weights: Weights, batch: int) -> RunningFront:
        """Return what is fed step by step."""
        ...


class _Embedding:
    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        vocabulary, size = description["vocabulary"], description["size"]
        if not all(type(number) is int and number >= 1 for number in (vocabulary, size)) or input_size != 1:
            raise ValueError("an embedding needs whole numbers of at least 1 and one channel")
        return {"weight": (vocabulary, size)}

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        return int(description["size"])

    def forward(self, description: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
        return inputs.replace(weights["weight"][inputs.values[:, 0].astype(np.int64)])

    def running(self, description: Mapping[str, Any], weights: Weights, batch: int) -> RunningFront:
        return _RunningEmbedding(weights["weight"])


class _RunningEmbedding(RunningFront):
    def __init__(self, weight: np.ndarray) -> None:
        self._weight = weight

    def step(self, x: np.ndarray) -> np.ndarray:
        return self._weight[x[:, 0].astype(np.int64)]


class _Windowed:
    """What fronts share that turn each row by itself into another."""

    def rows(self, description: Mapping[str, Any], weights: Weights, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        return int(description["size"])

    def forward(self, description: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
        values = inputs.values
        parts = [
            self.rows(description, weights, values[first : first + _ROWS_AT_ONCE])
            for first in range(0, max(len(values), 1), _ROWS_AT_ONCE)
        ]
        return inputs.replace(np.concatenate(parts))

    def running(self, description: Mapping[str, Any], weights: Weights, batch: int) -> RunningFront:
        return _RunningWindowed(self, description, weights)


# Windows computed at once: bounds the memory of the positions within them.
_ROWS_AT_ONCE = 4096


class _RunningWindowed(RunningFront):
    def __init__(self, front: _Windowed, description: Mapping[str, Any], weights: Weights) -> None:
        self._front, self._description, self._weights = front, description, weights

    def step(self, x: np.ndarray) -> np.ndarray:
        return self._front.rows(self._description, self._weights, x)


class _Patches(_Windowed):
    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        (size,) = _whole(description, "size")
        return {"weight": (size, input_size), "bias": (size,)}

    def rows(self, description: Mapping[str, Any], weights: Weights, values: np.ndarray) -> np.ndarray:
        return pooling.linear(np.ascontiguousarray(values, np.float32), weights["weight"], weights["bias"])


class _Convolution(_Windowed):
    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        channels, size, kernel, stride, kernel_2, _ = _whole(
            description, "channels", "size", "kernel", "stride", "kernel_2", "stride_2"
        )
        window = input_size // channels
        if window * channels != input_size or kernel > window or kernel_2 > 1 + (window - kernel) // stride:
            raise ValueError("a convolution's kernels must fit into its window")
        return {
            "weight": (size, channels, kernel),
            "bias": (size,),
            "weight_2": (size, size, kernel_2),
            "bias_2": (size,),
        }

    def rows(self, description: Mapping[str, Any], weights: Weights, values: np.ndarray) -> np.ndarray:
        windows = np.asarray(values, np.float32).reshape(len(values), int(description["channels"]), -1)
        hidden = _convolved(windows, weights["weight"], weights["bias"], int(description["stride"]))
        hidden = _convolved(hidden, weights["weight_2"], weights["bias_2"], int(description["stride_2"]))
        return hidden.max(axis=2)


def _convolved(values: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Return ReLU of a convolution over the last axis: (rows, channels, time) to (rows, filters, positions)."""
    size, channels, kernel = weight.shape
    places = np.lib.stride_tricks.sliding_window_view(values, kernel, axis=2)[:, :, ::stride]
    rows, _, positions, _ = places.shape
    flat = np.ascontiguousarray(places.transpose(0, 2, 1, 3)).reshape(rows * positions, channels * kernel)
    # heads.linear adds each output in one order, whatever stands beside it.
    found = np.maximum(
        pooling.linear(flat, np.ascontiguousarray(weight.reshape(size, -1)), bias), np.float32(0)
    )
    return np.ascontiguousarray(found.reshape(rows, positions, size).transpose(0, 2, 1))


def _whole(description: Mapping[str, Any], *words: str) -> list[int]:
    """Return numbers of a description, which must be whole and at least 1."""
    numbers = [description[word] for word in words]
    if not all(type(number) is int and number >= 1 for number in numbers):
        raise ValueError(f"{', '.join(words)} must be whole numbers of at least 1")
    return numbers


FRONTS: Mapping[str, Front] = {
    "embedding": _Embedding(),
    "patches": _Patches(),
    "convolution": _Convolution(),
    "convolutions": Convolutions(),
    "text": TextFront(),
    "small_cnn": SmallCNN(),
}


def front_of(network: Mapping[str, Any]) -> Front | None:
    """Return the front of a network's description, None where it has none.

    Raises
    ------
    StoreError
        If it is unknown, as in a file of a newer version.
    """
    description = network.get("front")
    if description is None:
        return None
    if description["name"] not in FRONTS:
        raise StoreError(f"the front {description['name']!r} is unknown to this version. Update recurra.")
    return FRONTS[description["name"]]


def front_shapes(network: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name, with its prefix, and shape of every weight of a network's front."""
    front = front_of(network)
    if front is None:
        return {}
    shapes = front.shapes(network["front"], _front_input_size(network))
    return {f"front.{name}": shape for name, shape in shapes.items()}


def _front_input_size(network: Mapping[str, Any]) -> int:
    """Return the channels the front reads: all but the static inputs, which pass it by."""
    return int(network["input_size"]) - int(network.get("static_size", 0))


def recurrent_input_size(network: Mapping[str, Any]) -> int:
    """Return the channels the recurrence reads."""
    front = front_of(network)
    if front is None:
        return int(network["input_size"])
    own = front.output_size(network["front"], _front_input_size(network))
    return own + int(network.get("static_size", 0))


def apply_front(network: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
    """Return what the recurrence reads of the network's inputs."""
    front = front_of(network)
    if front is None:
        return inputs
    static = network.get("static_size", 0)
    if not static:
        return front.forward(network["front"], front_weights(weights), inputs)
    own = inputs.replace(np.ascontiguousarray(inputs.values[:, :-static]))
    found = front.forward(network["front"], front_weights(weights), own)
    return found.replace(np.concatenate([found.values, inputs.values[:, -static:]], axis=1))


def running_front(network: Mapping[str, Any], weights: Weights, batch: int) -> RunningFront | None:
    """Return what is fed the network's inputs step by step and gives what the recurrence reads; None for no front."""
    front = front_of(network)
    if front is None:
        return None
    running = front.running(network["front"], front_weights(weights), batch)
    static = network.get("static_size", 0)
    return _BesideStatic(running, static) if static else running


class _BesideStatic(RunningFront):
    """A front whose last channels pass it by."""

    def __init__(self, front: RunningFront, static_size: int) -> None:
        self._front, self._static = front, static_size

    def step(self, x: np.ndarray) -> np.ndarray:
        own = np.ascontiguousarray(x[:, : -self._static])
        return np.concatenate([self._front.step(own), x[:, -self._static :]], axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        return self._front.arrays()

    def reset(self) -> None:
        self._front.reset()


def front_weights(weights: Weights) -> dict[str, np.ndarray]:
    """Return the weights of the front, without their prefix."""
    return {name.removeprefix("front."): a for name, a in weights.items() if name.startswith("front.")}
