"""What every model file says of its origin, its options and its training, and what a report tells of it."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

import recurra
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.fitting.task import Member, Start

# Not of a file: they are of the machine, or code.
NOT_KEPT = ("callbacks", "checkpoint_dir", "network", "device")


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
            value = joined_pooling(value)
        out[name] = list(value) if isinstance(value, tuple) else value
    return out


def joined_pooling(pooling: str | Sequence[str]) -> str:
    """Return several poolings as one name: ``("mean", "max")`` is ``"mean+max"``."""
    return pooling if isinstance(pooling, str) else "+".join(pooling)


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


def report_context(
    manifest: Mapping[str, Any], given: ReportContext | None, network: str = "", **more: Any
) -> ReportContext:
    """Return what a report tells of a training, with what the caller gave in its place.

    Parameters
    ----------
    manifest : mapping
        Of the model file.
    given : ReportContext or None
        Of the caller.
    network : str
        The network in words.
    **more
        What is known beside, by the names of `ReportContext`.
    """
    training = manifest["training"]
    known = ReportContext(
        title=manifest["estimator"],
        history=training["history"],
        best_epoch=training["best_epoch"],
        seed=manifest["seed"],
        versions=manifest["versions"],
        network=network,
        parameters=manifest["params"],
        **more,
    )
    if given is None:
        return known
    default = ReportContext()
    own = {f.name: getattr(given, f.name) for f in fields(given)}
    return replace(known, **{name: value for name, value in own.items() if value != getattr(default, name)})
