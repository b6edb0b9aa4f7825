"""The state of a training run as plain data, and an optimizer's state in the same form.

Any nesting of dictionaries, lists, numbers and tensors becomes a tree that JSON can hold and numpy arrays
beside it: what `recurra.store` writes. Nothing is pickled.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recurra.batches.examples import Examples
from recurra.errors import StoreError
from recurra.training.config import TrainingConfig
from recurra.training.schedules.curriculum import Curriculum


@dataclass(frozen=True)
class TrainingState:
    """Everything needed to go on as if training had never stopped.

    ``store.save(path, state.manifest, state.arrays)`` writes it, ``TrainingState(*store.load(path))`` reads
    it.

    Parameters
    ----------
    manifest : dict
        What JSON can hold.
    arrays : dict of str to ndarray
        Copies, not views of what goes on changing.
    """

    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class TrainingResult:
    """How training went; the weights themselves are in the network.

    Parameters
    ----------
    history : list of dict
        One flat row per finished epoch: ``epoch`` (from 1), ``train_loss`` (mean over the epoch, while the
        weights changed), ``valid_loss`` and ``valid_<figure>`` with validation, ``learning_rate`` (of the
        last batch), ``grad_norm_median`` and ``grad_norm_max`` (before clipping), ``clipped_share`` (of
        batches), ``seconds`` (training and validation), ``steps_per_second`` (time steps trained on),
        ``padding_share`` (what padding these batches would have wasted). Now and then ``gradient_horizon``,
        ``gradient_growth`` and ``gradient_length``, see `recurra.training.gradient_record`; with a curriculum
        ``length_limit``.
    best_epoch : int
        The epoch the weights are from, counted from 1; 0 if none was finished.
    stopped : {"max_epochs", "patience", "callback", "non_finite", "out_of_memory"}
        Why training ended.
    train_seconds : float
        Over all parts of a run that was stopped and went on.
    state : TrainingState or None
        What `train` takes as ``start`` to go on; None after an error.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    stopped: str
    train_seconds: float
    state: TrainingState | None


@dataclass
class Tally:
    """Sums over the batches of the epoch under way."""

    loss: float = 0.0  # sum of weight times mean loss
    weight: float = 0.0
    steps: int = 0  # time steps
    clipped: int = 0  # batches
    seconds: float = 0.0
    grad_norms: list[float] = field(default_factory=list)  # one per batch, before clipping


def pack(tree: Any) -> TrainingState:
    """Turn nested dictionaries, lists, tuples, numbers, strings, tensors and arrays into plain data.

    Raises
    ------
    TypeError
        If it holds anything else.
    """
    arrays: dict[str, np.ndarray] = {}

    def keep(array: np.ndarray, path: str) -> str:
        while path in arrays:  # {"a.b": ...} beside {"a": {"b": ...}}
            path += "'"
        arrays[path] = array.copy()
        return path

    def convert(value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return {"tensor": keep(value.detach().cpu().numpy(), path)}
        if isinstance(value, np.ndarray):
            return {"array": keep(value, path)}
        if isinstance(value, Mapping):
            return {"dict": [[convert(k, path), convert(v, f"{path}.{k}")] for k, v in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [convert(v, f"{path}.{i}") for i, v in enumerate(value)]}
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": str(value)}  # JSON has no infinity
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"TrainingState: cannot hold {path}, a {type(value).__name__}.")

    return TrainingState(manifest={"state": convert(tree, "state")}, arrays=arrays)


def unpack(state: TrainingState) -> Any:
    """Return the tree that `pack` was given; tensors are copies on the CPU.

    Raises
    ------
    StoreError
        If it is not what `pack` writes.
    """

    def array(path: Any) -> np.ndarray:
        if not isinstance(path, str) or path not in state.arrays:
            raise StoreError(
                f"TrainingState: damaged: the array {str(path)[:80]!r} is missing. Use another checkpoint."
            )
        return state.arrays[path].copy()

    def restore(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        try:
            ((kind, value),) = node.items()
            if kind == "tensor":
                return torch.from_numpy(array(value))
            if kind == "array":
                return array(value)
            if kind == "dict":
                return {restore(k): restore(v) for k, v in value}
            if kind == "float":
                return float(value)
            return {"list": list, "tuple": tuple}[kind](restore(v) for v in value)
        except StoreError:
            raise
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                "TrainingState: damaged: its tree makes no sense. Use another checkpoint."
            ) from None

    return restore(state.manifest.get("state"))


def fingerprint(examples: Examples, config: TrainingConfig, curriculum: Curriculum | None) -> str:
    """Return what must be the same for training to go on: the data's shape and targets, and what orders and scales it."""
    digest = hashlib.sha256(examples.lengths.tobytes())
    digest.update(np.ascontiguousarray(examples.rows()[0]).tobytes())
    settings = config.to_dict()
    words = ("batch_size", "seed", "optimizer", "learning_rate", "weight_decay", "grad_clip")
    digest.update(repr([settings[word] for word in words]).encode())
    if config.shards > 1:
        digest.update(f"shards {config.shards}".encode())
    if curriculum is not None:
        digest.update(repr(curriculum).encode())
    return digest.hexdigest()


def check_place(tree: Mapping[str, Any], batches_per_epoch: int) -> None:
    """Raise ValueError if a state says where it stands in a way that no run does."""
    epoch, batch, history = tree["epoch"], tree["batch"], tree["history"]
    if type(epoch) is not int or type(batch) is not int or epoch < 1 or not 0 <= batch <= batches_per_epoch:
        raise ValueError(f"epoch {epoch!r}, batch {batch!r}")
    if (
        not isinstance(history, list)
        or len(history) != epoch - 1
        or not all(isinstance(r, dict) for r in history)
    ):
        raise ValueError(f"a history that does not end with epoch {epoch - 1}")
