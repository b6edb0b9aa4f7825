"""Layers of MATLAB's Deep Learning Toolbox as stages; what `recurra_layers.m` writes of each is plain numbers and words."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

from recurra.errors import DataError
from recurra.importing.keras_config import affine, normalization
from recurra.importing.recurrent_layouts import layer as recurrent_layer
from recurra.importing.recurrent_layouts import linear, set_to
from recurra.nn.imported.stages import OverSteps, OverTime, Recurrence, Tokens

# A layer: its class without packages, and its properties as arrays and words.
Properties = Mapping[str, Any]

WITHOUT_EFFECT = ("DropoutLayer", "SpatialDropoutLayer", "ClassificationOutputLayer", "RegressionOutputLayer",
                  "FunctionOutputLayer")  # fmt: skip

CELLS = {"LSTMLayer": "lstm", "BiLSTMLayer": "lstm", "GRULayer": "gru"}


def stages_of(kind: str, own: Properties) -> list[nn.Module]:
    """Return what a layer of MATLAB is made of; none where it does nothing.

    Raises
    ------
    DataError
        If it cannot be taken; the message is the reason, without the name of the layer.
    """
    if kind in WITHOUT_EFFECT:
        return []
    if kind in CELLS:
        return [_recurrence(kind, own)]
    if kind not in _MAKERS:
        raise DataError("recurra has nothing that stands for it.")
    return _MAKERS[kind](own)


def _array(own: Properties, word: str) -> np.ndarray:
    value = own.get(word)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise DataError(f"the file holds no numbers {word} of it.")
    return value


def _matrix(own: Properties, word: str) -> np.ndarray:
    value = _array(own, word)
    if value.ndim != 2 or not value.size:
        raise DataError(f"its {word} has the shape {value.shape}, not that of a matrix.")
    return value


def _word(own: Properties, word: str, default: str) -> str:
    value = own.get(word, default)
    return str(value) if isinstance(value, str) and value else default


def _vector(own: Properties, word: str, size: int | None = None) -> np.ndarray:
    value = _array(own, word).reshape(-1)
    if not value.size or (size is not None and value.size not in (1, size)):
        raise DataError(f"its {word} has {value.size} numbers, not {size}.")
    return value if size is None else np.broadcast_to(value, (size,))


def _recurrence(kind: str, own: Properties) -> nn.Module:
    cell = CELLS[kind]
    for word, wanted in (
        ("StateActivationFunction", ("tanh",)),
        ("GateActivationFunction", ("sigmoid", "hard-sigmoid")),
    ):
        if (found := _word(own, word, wanted[0])) not in wanted:
            raise DataError(f"its {word} is {found[:40]}, and recurra's cells have {' or '.join(wanted)}.")
    options: dict[str, Any] = {}
    if _word(own, "GateActivationFunction", "") == "hard-sigmoid":
        options["recurrent_activation"] = "hard_sigmoid_0.2"
    if cell == "gru" and _word(own, "ResetGateMode", "after-multiplication") == "before-multiplication":
        options["reset"] = "before"
    for word in ("HiddenState", "CellState"):
        if isinstance(state := own.get(word), np.ndarray) and np.any(state != 0):
            raise DataError(f"it begins with a {word} of its own; call resetState(net) before it is written.")
    weight, recurrent = _matrix(own, "InputWeights"), _matrix(own, "RecurrentWeights")
    bias = _array(own, "Bias").reshape(-1)
    both = 2 if kind == "BiLSTMLayer" else 1
    if len(weight) % both or len(recurrent) % both or bias.size % both:
        raise DataError(f"its InputWeights have {len(weight)} rows, not as many for each direction.")
    directions = []
    for parts in zip(*(np.split(array, both) for array in (weight, recurrent, bias)), strict=True):
        own_bias = parts[2]
        gates = {"lstm": 4, "gru": 3}[cell] * recurrent.shape[1]
        if cell == "gru" and own_bias.size == 2 * gates:  # recurrent-bias-after-multiplication
            own_bias = own_bias.reshape(2, -1)
        directions.append((parts[0], parts[1], own_bias))
    sequences = _word(own, "OutputMode", "sequence") == "sequence"
    return Recurrence(recurrent_layer(cell, directions, **options), sequences=sequences)


def _input(own: Properties) -> list[nn.Module]:
    how = _word(own, "Normalization", "none")
    if how == "none":
        return []
    if how == "zscore":
        mean = _vector(own, "Mean")
        spread = _vector(own, "StandardDeviation", mean.size)
        # MATLAB leaves a channel of no spread as the difference from its mean.
        return [_scaled(mean, np.where(spread == 0, 1, spread))]
    if how == "zerocenter":
        mean = _vector(own, "Mean")
        return [_scaled(mean, np.ones(mean.size))]
    low = _vector(own, "Min")
    width = _vector(own, "Max", low.size) - low
    width = np.where(width == 0, 1, width)
    if how == "rescale-zero-one":
        return [_scaled(low, width)]
    if how == "rescale-symmetric":
        return [_scaled(low + width / 2, width / 2)]
    raise DataError(f"its Normalization is {how[:40]!r}, which is not taken.")


def _scaled(center: np.ndarray, spread: np.ndarray) -> nn.Module:
    with np.errstate(all="ignore"):
        factor, shift = 1 / spread, -center / spread
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        raise DataError("its statistics are no numbers.")
    return affine(factor, shift)


def _fully_connected(own: Properties) -> list[nn.Module]:
    return [linear(_matrix(own, "Weights"), _array(own, "Bias").reshape(-1))]


def _word_embedding(own: Properties) -> list[nn.Module]:
    weights = _matrix(own, "Weights").T  # (words, dimension)
    made = nn.Embedding(len(weights) + 1, weights.shape[1])
    set_to(made.weight, np.concatenate([np.zeros((1, weights.shape[1])), weights]))
    return [Tokens(made, masked=False)]  # words are numbered from 1; 0 is padding, all zeros


def _batch_normalization(own: Properties) -> list[nn.Module]:
    mean = _vector(own, "TrainedMean")
    variance, offset, scale = (
        _vector(own, word, mean.size) for word in ("TrainedVariance", "Offset", "Scale")
    )
    epsilon = float(_vector(own, "Epsilon", 1)[0]) if "Epsilon" in own else 1e-5
    return [affine(*normalization(mean, variance, scale, offset, epsilon))]


def _layer_normalization(own: Properties) -> list[nn.Module]:
    scale = _vector(own, "Scale")
    made = nn.LayerNorm(scale.size, eps=float(_vector(own, "Epsilon", 1)[0]) if "Epsilon" in own else 1e-5)
    set_to(made.weight, scale)
    set_to(made.bias, _vector(own, "Offset", scale.size))
    return [made]


def _convolution(own: Properties) -> list[nn.Module]:
    weights = _array(own, "Weights")
    if weights.ndim == 2:
        weights = weights[..., None]  # MATLAB drops a last axis of one filter
    dilation = int(_vector(own, "DilationFactor", 1)[0]) if "DilationFactor" in own else 1
    stride = int(_vector(own, "Stride", 1)[0]) if "Stride" in own else 1
    if weights.ndim != 3 or not weights.size or stride != 1 or not 1 <= dilation <= 10**6:
        raise DataError("only convolutions over steps, one by one, are taken.")
    size, channels, filters = weights.shape
    reach = dilation * (size - 1)
    mode = _word(own, "PaddingMode", "manual")
    if mode not in ("causal", "same"):
        raise DataError(f"its padding is {mode[:20]}; same and causal keep the steps and are taken.")
    before = reach if mode == "causal" else reach // 2
    made = nn.Conv1d(channels, filters, size, dilation=dilation)
    set_to(made.weight, weights.transpose(2, 1, 0))
    assert made.bias is not None
    set_to(made.bias, _vector(own, "Bias", filters))
    return [OverSteps(made, before=before, after=reach - before)]


_MAKERS: Mapping[str, Callable[[Properties], list[nn.Module]]] = {
    "SequenceInputLayer": _input,
    "FullyConnectedLayer": _fully_connected,
    "WordEmbeddingLayer": _word_embedding,
    "BatchNormalizationLayer": _batch_normalization,
    "LayerNormalizationLayer": _layer_normalization,
    "Convolution1DLayer": _convolution,
    "SoftmaxLayer": lambda own: [nn.Softmax(dim=-1)],
    "ReLULayer": lambda own: [nn.ReLU()],
    "TanhLayer": lambda own: [nn.Tanh()],
    "SigmoidLayer": lambda own: [nn.Sigmoid()],
    "GELULayer": lambda own: [nn.GELU()],
    "SwishLayer": lambda own: [nn.SiLU()],
    "LeakyReLULayer": lambda own: [nn.LeakyReLU(float(_vector(own, "Scale", 1)[0]))],
    "GlobalAveragePooling1DLayer": lambda own: [OverTime("mean")],
    "GlobalMaxPooling1DLayer": lambda own: [OverTime("max")],
}
