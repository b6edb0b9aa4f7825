"""An imported network as a fitted estimator, where it is one that recurra knows: recurrences, pooling, one linear head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

import recurra
from recurra.checks import counted, listing
from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.imported.chain import ImportedNetwork
from recurra.nn.imported.layers import ImportedLayers
from recurra.nn.imported.stages import Masked, OverTime, Recurrence
from recurra.serving.models.fitted_model import FittedModel, classes_to_manifest

NAMES = {
    "classification": "SequenceClassifier",
    "regression": "SequenceRegressor",
    "labeling": "SequenceLabeler",
    "numbers per step": "SequenceRegressor",
}


@dataclass(frozen=True)
class _Parts:
    """What a network is made of.

    Parameters
    ----------
    recurrent : list of RNNBase
    pooling : str
        "last", "mean", "max" or "none".
    head : Linear
    answer : str
        "softmax", "sigmoid" or "linear".
    """

    recurrent: list[Any]
    pooling: str
    head: nn.Linear
    answer: str


def as_estimator(network: nn.Module, classes: Sequence[Any] | None) -> Any:
    """Return a fitted estimator that answers as a network does.

    Parameters
    ----------
    network : Module
    classes : sequence, optional
        Labels in the order of the outputs; 0, 1, ... without.

    Raises
    ------
    UsageError
        If it is none that recurra's estimators know, or has not as many outputs as there are classes.
    """
    parts = _parts(network)
    weights, description = _weights(parts)
    per_step = parts.pooling == "none"
    if parts.answer == "linear":
        if classes is not None:
            raise UsageError(
                "import_weights: the network answers with numbers, not with classes; leave classes= out."
            )
        task = "regression"
        size = parts.head.out_features
        target: dict[str, Any] = {"center": [0.0] * size, "spread": [1.0] * size, "single": size == 1}
        target |= {"per_step": True} if per_step else {}
    else:
        task = "labeling" if per_step else "classification"
        size = description["output_size"]
        if classes is not None and len(classes) != size:
            raise UsageError(
                f"import_weights: the network has {counted(size, 'class', 'classes')}; classes= gives {len(classes)}."
            )
        target = classes_to_manifest(np.arange(size) if classes is None else np.asarray(classes))
    name = NAMES[task]
    estimator = getattr(recurra, name)
    params = {
        "cell": description["cell"],
        "hidden_size": description["hidden_size"],
        "num_layers": description["num_layers"],
        "bidirectional": description["bidirectional"],
        "scaling": "none",
        "missing": "error",
    }
    if task != "labeling" and not per_step:
        params["pooling"] = parts.pooling
    manifest = {
        "estimator": name,
        "params": estimator(**params).get_params(deep=False),
        "task": task,
        "network": description,
        "target": target,
        "input": {"n_features_in": None, "feature_names_in": None},
        "training": {"history": [], "best_epoch": 0},
        "seed": 0,
        "recurra": recurra.__version__,
        "channel_names": None,
        "sample_rate_hz": None,
    }
    return estimator._from_model(FittedModel(manifest, Chain([], description["input_size"]), weights), {})


def _parts(network: nn.Module) -> _Parts:
    """Return what a network is made of; raise UsageError where it is none that an estimator knows."""
    if not isinstance(network, ImportedNetwork):
        what = (
            "its file says which layers there are, not how they are joined"
            if isinstance(network, ImportedLayers)
            else "it is no chain of layers that an estimator knows"
        )
        raise _refused(what)
    # A mask is what an estimator reads off the lengths of its sequences.
    left: list[tuple[str, Any]] = [
        (name, stage) for name, stage in network.stages.named_children() if not isinstance(stage, Masked)
    ]
    recurrent: list[Any] = []
    while left and isinstance(left[0][1], Recurrence):
        stage = left.pop(0)[1]
        recurrent.append(stage)
        if not stage.sequences:
            break
    if not recurrent:
        raise _refused(f"it begins with {left[0][0]!r}" if left else "it has no layer")
    pooling = "none" if recurrent[-1].sequences else "last"
    if pooling == "none" and left and isinstance(left[0][1], OverTime):
        pooling = left.pop(0)[1].which
    odd = [stage.merge for stage in recurrent if stage.layer.bidirectional and stage.merge != "concat"]
    alike = {
        (type(s.layer), s.layer.hidden_size, s.layer.bidirectional, getattr(s.layer, "nonlinearity", ""))
        for s in recurrent
    }
    if any(getattr(stage.layer, "variant", None) is not None for stage in recurrent):
        raise _refused("its cell is a variant, which they do not train")
    if odd or len(alike) > 1:
        raise _refused(
            "its recurrent layers are of different kinds" if not odd else f"it merges directions by {odd[0]}"
        )
    head = left.pop(0)[1] if left and isinstance(left[0][1], nn.Linear) else None
    if head is None:
        raise _refused("no linear layer stands behind its recurrence")
    answer = "linear"
    if left and isinstance(left[0][1], nn.Softmax | nn.LogSoftmax):
        answer = "softmax"
        left.pop(0)
    elif left and isinstance(left[0][1], nn.Sigmoid) and head.out_features == 1:
        answer = "sigmoid"
        left.pop(0)
    if left:
        raise _refused(f"{listing(name for name, _ in left)} stand behind its linear layer")
    return _Parts([stage.layer for stage in recurrent], str(pooling), head, answer)


def _refused(reason: str) -> UsageError:
    return UsageError(
        f"import_weights: the network is none that an estimator of recurra's knows, since {reason}; leave to= out for a "
        "module of recurra.nn."
    )


def _weights(parts: _Parts) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return weights by their names in `SequenceNetwork`, and its description."""
    first = parts.recurrent[0]
    found = {}
    for number, layer in enumerate(parts.recurrent):
        for name, parameter in layer.named_parameters():
            found[f"recurrent.{name.replace('_l0', f'_l{number}')}"] = _array(parameter)
    weight, bias = _array(parts.head.weight), _array(parts.head.bias)
    if parts.answer == "sigmoid":  # softmax over 0 and z is 1 - sigmoid(z) and sigmoid(z)
        weight, bias = (np.concatenate([np.zeros_like(one), one]) for one in (weight, bias))
    found |= {"head.weight": weight, "head.bias": bias}
    cell = "lstm" if isinstance(first, LSTM) else "gru" if isinstance(first, GRU) else "rnn"
    if cell == "rnn" and first.nonlinearity == "relu":
        cell = "rnn_relu"
    description = {
        "cell": cell,
        "input_size": first.input_size,
        "hidden_size": first.hidden_size,
        "output_size": len(bias),
        "num_layers": len(parts.recurrent),
        "bidirectional": bool(first.bidirectional),
        "pooling": parts.pooling,
        "dropout": 0.0,
    }
    return found, description


def _array(parameter: Any) -> np.ndarray:
    array: np.ndarray = parameter.detach().cpu().numpy().astype(np.float32)
    return array
