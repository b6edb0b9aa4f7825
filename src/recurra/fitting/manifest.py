"""What every model file says of its origin, its options, its training and the data of it."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import recurra
from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.report.context import installed_versions
from recurra.fitting.task import Member, Start
from recurra.inputs.sequences import Given
from recurra.inputs.targets import NumberTarget, Target

# Not of a file: they are of the machine, or code.
NOT_KEPT = ("callbacks", "checkpoint_dir", "network", "device")
# Lengths of sequences in a file, which holds so many numbers only: a chart does not tell more of them apart.
MOST_LENGTHS = 10_000


def origin(start: Start) -> dict[str, Any]:
    """Return who wrote a model file, with what, from which seed."""
    return {
        "estimator": start.who,
        "recurra": recurra.__version__,
        "versions": installed_versions(),
        "seed": start.seed,
    }


def plain_params(estimator: Any) -> dict[str, Any]:
    """Return the options of an estimator that a file can hold; an optimizer class by its name, no callbacks, no function."""
    out = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in NOT_KEPT or (name == "random_state" and not isinstance(value, int)):
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if name == "vectors" and not isinstance(value, str):  # the model keeps the rows it needs
            value = None if value is None else str(value) if isinstance(value, os.PathLike) else None
        if isinstance(value, type):
            value = f"{value.__module__}.{value.__qualname__}"
        if name == "class_weight" and isinstance(value, dict):
            value = {str(label): float(weight) for label, weight in value.items()}
        if name == "pooling":
            value = value if isinstance(value, str) else "+".join(value)  # ("mean", "max") is "mean+max"
        out[name] = list(value) if isinstance(value, tuple) else value
    return out


def begun(options: Any, target: Target, given: Given) -> dict[str, Any]:
    """Return what the model file says of sequences before anything is trained."""
    return {
        "params": plain_params(options),
        "task": target.task,
        "target": target.to_manifest(),
        "channel_names": getattr(options, "channel_names_in_", None),
        "sample_rate_hz": given.sample_rate_hz,
        "input": {
            "n_features_in": getattr(options, "n_features_in_", None),
            "feature_names_in": list(map(str, getattr(options, "feature_names_in_", []))),
        },
    }


def trained_members(members: Sequence[Member]) -> dict[str, Any]:
    """Return what a model file says of the training of its members: that of the first, and the seconds of all."""
    seconds = sum(member.result.train_seconds for member in members)
    return {**trained(members[0].result), "seconds": seconds}


def trained(result: Any) -> dict[str, Any]:
    """Return what a model file says of a training, as `recurra.training.loop.train` returned it."""
    return {
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "seconds": result.train_seconds,
        "history": result.history,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def kept_lengths(lengths: Sequence[int], times: np.ndarray | None = None) -> list[int]:
    """Return what a model file keeps of the lengths of sequences: all, or of very many as many as show how they spread.

    Parameters
    ----------
    times : ndarray of float64, optional
        How often each was there, whole numbers; once by default.
    """
    each = np.asarray(lengths, dtype=np.int64)
    counts = np.ones(len(each)) if times is None else times
    if counts.sum() <= MOST_LENGTHS:
        return np.repeat(each, counts.astype(np.int64)).tolist()
    order = np.argsort(each, kind="stable")
    order = order[counts[order] > 0]
    reached = np.cumsum(counts[order])
    spread = np.searchsorted(reached, np.linspace(0, reached[-1], MOST_LENGTHS))
    return each[order[spread]].tolist()


def training_facts(target: Target, given: Given, lengths: Sequence[int]) -> dict[str, Any]:
    """Return what the model file keeps of the training part: the naive answer, counts and lengths.

    Parameters
    ----------
    given : Given
        The training part, its labels encoded by ``target``.
    lengths : sequence of int
        Steps of each training sequence.
    """
    encoded, weights = given.y, given.weights
    # A sequence given twice is one of weight two; it counts twice here as among the classes.
    whole = bool((weights == np.floor(weights)).all())
    facts: dict[str, Any] = {"lengths": kept_lengths(lengths, weights if whole else None)}
    if isinstance(target, NumberTarget):
        return facts | {"baseline": NumberBaseline.fit(target.flat(encoded, None)[0]).to_dict()}
    flat, each = encoded, weights
    if target.task == "labeling":
        flat, each = np.concatenate(encoded), np.repeat(weights, [len(e) for e in encoded])
    counts = np.bincount(flat, weights=each, minlength=target.output_size)
    return facts | {"baseline": ClassBaseline(tuple(range(len(counts))), tuple(counts.tolist())).to_dict()}
