"""Layers of Keras as stages, by a list of what is taken; a description is read as data and builds nothing else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from recurra.errors import DataError
from recurra.importing.recurrent_layouts import layer as recurrent_layer
from recurra.importing.recurrent_layouts import linear, set_to
from recurra.nn.imported.stages import MERGES, Masked, OverSteps, OverTime, Recurrence, Tokens

Weights = Sequence[np.ndarray]
Config = Mapping[str, Any]

# Layers that do nothing once a network is trained.
WITHOUT_EFFECT = ("InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
                  "ActivityRegularization")  # fmt: skip

RECURRENT = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn", "CuDNNLSTM": "lstm", "CuDNNGRU": "gru"}

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=-1),
    "log_softmax": lambda: nn.LogSoftmax(dim=-1),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
}


def stages_of(kind: str, config: Config, weights: Weights, *, version: int = 3) -> list[nn.Module]:
    """Return what a layer of Keras is made of; none where it does nothing.

    Parameters
    ----------
    kind : str
        Its class, ``Bidirectional`` and ``TimeDistributed`` included.
    config : mapping
        Its options.
    weights : sequence of ndarray
        In Keras' order.
    version : int, default=3
        Of Keras: its hard sigmoid became flatter with 3.

    Raises
    ------
    DataError
        If it cannot be taken; the message is the reason, without the name of the layer.
    """
    if kind in WITHOUT_EFFECT:
        return []
    if kind in RECURRENT or kind == "Bidirectional":
        return [_recurrence(kind, config, weights, version)]
    if kind == "TimeDistributed":
        inner, own = _inner(config)
        if inner not in ("Dense", "Activation", "BatchNormalization", "LayerNormalization", "Dropout"):
            raise DataError(f"it runs a {inner} for every step, and only rows alone are taken.")
        return stages_of(inner, own, weights)
    if kind not in _MAKERS:
        raise DataError("recurra has nothing that stands for it.")
    return _MAKERS[kind](config, weights)


def _flag(config: Config, word: str, default: bool) -> bool:
    value = config.get(word, default)
    if type(value) is not bool:
        raise DataError(f"{word} must be true or false.")
    return value


def _number(config: Config, word: str, default: float) -> float:
    value = config.get(word, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise DataError(f"{word} must be a number.")
    return float(value)


def _whole(config: Config, word: str, default: int) -> int:
    value = config.get(word, default)
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if type(value) is not int or not 1 <= value <= 10**6:
        raise DataError(f"{word} must be a whole number of at least 1.")
    return value


def _count(weights: Weights, *counts: int) -> None:
    if len(weights) not in counts:
        raise DataError(
            f"the file holds {len(weights)} arrays of weights for it, not {' or '.join(map(str, counts))}."
        )


def _inner(config: Config) -> tuple[str, Config]:
    inner = config.get("layer")
    own = inner.get("config") if isinstance(inner, Mapping) else None
    if (
        not isinstance(inner, Mapping)
        or not isinstance(own, Mapping)
        or not isinstance(inner.get("class_name"), str)
    ):
        raise DataError("the layer that it wraps is not described.")
    return inner["class_name"], own


def _activation(config: Config, word: str = "activation") -> list[nn.Module]:
    value = config.get(word)
    if value in (None, "linear"):
        return []
    if not isinstance(value, str) or value not in ACTIVATIONS:
        name = value.get("class_name") if isinstance(value, Mapping) else value
        raise DataError(f"its {word} {str(name)[:40]!r} is not one that is taken.")
    return [ACTIVATIONS[value]()]


# ------------------------------------------------------------------------------------------------ recurrences


def _recurrence(kind: str, config: Config, weights: Weights, version: int) -> nn.Module:
    merge = "concat"
    if kind == "Bidirectional":
        merge = str(config.get("merge_mode", "concat"))
        if merge not in MERGES:
            raise DataError(f"its merge_mode is {merge}; {', '.join(MERGES)} are taken.")
        kind, own = _inner(config)
        if kind not in RECURRENT:
            raise DataError(f"it runs a {kind} in both directions, which is no recurrent layer.")
        halves = [weights[: len(weights) // 2], weights[len(weights) // 2 :]]
    else:
        own, halves = config, [weights]
    cell = RECURRENT[kind]
    options = _cell_options(kind, own, version)
    bias = _flag(own, "use_bias", True)
    found = []
    for half in halves:
        _count(half, 3 if bias else 2)
        found.append(_cudnn(cell, half) if kind.startswith("CuDNN") else _transposed(half))
    sequences = _flag(own, "return_sequences", False)
    blocks = (1, 0, 2) if cell == "gru" else ()  # Keras has z, r, h
    return Recurrence(
        recurrent_layer(cell, found, blocks=blocks, **options), sequences=sequences, merge=merge
    )


def _cell_options(kind: str, own: Config, version: int) -> dict[str, str]:
    """Return the options of recurra's layer; raise DataError where it has no such cell."""
    if _flag(own, "go_backwards", False):
        raise DataError("it reads backwards alone (go_backwards); both directions together are taken.")
    if kind.startswith("CuDNN"):
        return {}
    activation = own.get("activation", "tanh")
    wanted = ("tanh", "relu") if kind == "SimpleRNN" else ("tanh",)
    if activation not in wanted:
        raise DataError(
            f"its activation is {str(activation)[:40]}, and recurra's cell has {' or '.join(wanted)}."
        )
    if kind == "SimpleRNN":
        return {"nonlinearity": str(activation)}
    gates = own.get("recurrent_activation", "sigmoid" if version > 2 else "hard_sigmoid")
    if gates not in ("sigmoid", "hard_sigmoid"):
        raise DataError(f"its recurrent_activation is {str(gates)[:40]}; sigmoid and hard_sigmoid are taken.")
    options = {}
    if gates == "hard_sigmoid":
        options["recurrent_activation"] = "hard_sigmoid" if version > 2 else "hard_sigmoid_0.2"
    if kind == "GRU" and not _flag(own, "reset_after", False):
        options["reset"] = "before"
    return options


Direction = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def _transposed(weights: Weights) -> Direction:
    kernel, recurrent = weights[0], weights[1]
    return kernel.T, recurrent.T, weights[2] if len(weights) > 2 else None


def _cudnn(cell: str, weights: Weights) -> Direction:
    """Return the weights of a layer of cuDNN: each gate transposed, two biases one behind the other."""
    kernel, recurrent, bias = weights
    gates = {"lstm": 4, "gru": 3}[cell]
    if (
        kernel.ndim != 2
        or recurrent.ndim != 2
        or kernel.shape[1] % gates
        or recurrent.shape[1] % gates
        or bias.size % 2
    ):
        raise DataError(f"its weights have the shapes {kernel.shape}, {recurrent.shape} and {bias.shape}.")
    # A gate of the kernel lies in memory as (units, inputs), and its transpose was stored in that shape.
    kernels = [gate.T.reshape(gate.shape, order="F").T for gate in np.split(kernel, gates, axis=1)]
    states = np.split(recurrent, gates, axis=1)
    both = bias.reshape(2, -1)
    return np.concatenate(kernels), np.concatenate(states), both if cell == "gru" else both.sum(axis=0)


# ------------------------------------------------------------------------------------------------ rows


def _dense(config: Config, weights: Weights) -> list[nn.Module]:
    _count(weights, 2 if _flag(config, "use_bias", True) else 1)
    return [linear(weights[0].T, weights[1] if len(weights) > 1 else None), *_activation(config)]


def _embedding(config: Config, weights: Weights) -> list[nn.Module]:
    _count(weights, 1)
    if weights[0].ndim != 2 or not weights[0].size:
        raise DataError(f"its vectors have the shape {weights[0].shape}.")
    made = nn.Embedding(*weights[0].shape)
    set_to(made.weight, weights[0])
    return [Tokens(made, masked=_flag(config, "mask_zero", False))]


def _masking(config: Config, weights: Weights) -> list[nn.Module]:
    return [Masked(_number(config, "mask_value", 0.0))]


def _batch_normalization(config: Config, weights: Weights) -> list[nn.Module]:
    axis = config.get("axis", -1)
    if axis not in (-1, [-1], 2, [2]):
        raise DataError(f"it normalizes along axis {axis}, not along the channels.")
    scaled, centred = _flag(config, "scale", True), _flag(config, "center", True)
    _count(weights, 2 + scaled + centred)
    left = list(weights)
    gamma = left.pop(0) if scaled else np.ones_like(left[-1])
    beta = left.pop(0) if centred else np.zeros_like(left[-1])
    mean, variance = left
    if any(a.shape != mean.shape or a.ndim != 1 or not a.size for a in (gamma, beta, mean, variance)):
        raise DataError("its arrays have not one number for each channel.")
    return [affine(*normalization(mean, variance, gamma, beta, _number(config, "epsilon", 1e-3)))]


def normalization(
    mean: np.ndarray, variance: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and shift of each channel of a batch normalization."""
    with np.errstate(all="ignore"):
        factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        shift = beta - factor * mean
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        raise DataError("its variances are not those of numbers.")
    return factor, shift


def affine(factor: np.ndarray, shift: np.ndarray) -> nn.Module:
    """Return a linear layer that multiplies each channel by a factor and adds a shift; it is folded into the next."""
    return linear(np.diag(factor), shift)


def _layer_normalization(config: Config, weights: Weights) -> list[nn.Module]:
    axis = config.get("axis", -1)
    scaled, centred = _flag(config, "scale", True), _flag(config, "center", True)
    _count(weights, scaled + centred)
    if axis not in (-1, [-1], 2, [2]) or not weights or any(a.ndim != 1 or not a.size for a in weights):
        raise DataError("only a normalization of the channels with a scale or a centre is taken.")
    made = nn.LayerNorm(len(weights[0]), eps=_number(config, "epsilon", 1e-3))
    if any(len(a) != len(weights[0]) for a in weights):
        raise DataError("its arrays have not one number for each channel.")
    left = list(weights)
    if scaled:
        set_to(made.weight, left.pop(0))
    if centred:
        set_to(made.bias, left.pop(0))
    return [made]


def _relu(config: Config, weights: Weights) -> list[nn.Module]:
    if config.get("max_value") is not None or _number(config, "threshold", 0.0):
        raise DataError("only a ReLU without a largest value and a threshold is taken.")
    slope = _number(config, "negative_slope", 0.0)
    return [nn.LeakyReLU(slope) if slope else nn.ReLU()]


def _leaky(config: Config, weights: Weights) -> list[nn.Module]:
    return [nn.LeakyReLU(_number(config, "negative_slope", _number(config, "alpha", 0.3)))]


def _convolution(config: Config, weights: Weights) -> list[nn.Module]:
    _count(weights, 2 if _flag(config, "use_bias", True) else 1)
    kernel = weights[0]
    dilation, stride = _whole(config, "dilation_rate", 1), _whole(config, "strides", 1)
    if kernel.ndim != 3 or not kernel.size or stride != 1 or config.get("groups", 1) != 1:
        raise DataError("only convolutions over steps, one by one and without groups, are taken.")
    if config.get("data_format", "channels_last") != "channels_last":
        raise DataError("its channels stand before the steps (data_format); channels_last is taken.")
    reach = dilation * (len(kernel) - 1)
    before = {"causal": reach, "same": reach // 2}.get(str(config.get("padding")))
    if before is None:
        raise DataError(
            f"its padding is {str(config.get('padding'))[:20]}; same and causal keep the steps and are taken."
        )
    made = nn.Conv1d(kernel.shape[1], kernel.shape[2], len(kernel), dilation=dilation)
    bias = weights[1] if len(weights) > 1 else np.zeros(kernel.shape[2])
    if bias.shape != kernel.shape[2:]:
        raise DataError(f"its bias has the shape {bias.shape}, not {kernel.shape[2:]}.")
    set_to(made.weight, kernel.transpose(2, 1, 0))
    assert made.bias is not None
    set_to(made.bias, bias)
    return [OverSteps(made, before=before, after=reach - before), *_activation(config)]


_MAKERS: Mapping[str, Callable[[Config, Weights], list[nn.Module]]] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "Masking": _masking,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Activation": lambda config, weights: _activation(config),
    "Softmax": lambda config, weights: [nn.Softmax(dim=-1)],
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "Conv1D": _convolution,
    "GlobalAveragePooling1D": lambda config, weights: [OverTime("mean")],
    "GlobalMaxPooling1D": lambda config, weights: [OverTime("max")],
}
