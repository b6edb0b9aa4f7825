"""What of a model goes into an exported file, what stays outside of it, and which models cannot be exported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.features.rows.missing import FilledGaps, MissingMask
from recurra.features.rows.scaling import Scaling
from recurra.serving.models.fitted_model import FittedModel

# Why the C that is written cannot hold a model of a task, and what to do instead.
REFUSED: Mapping[str, str] = {
    "translation": (
        "export: a translator searches for its answer between two networks, for which the C that is written has no place; "
        "export to ONNX, which gives both as graphs."
    ),
    "forecasting": (
        "export: a forecast begins with the scale, the season and the calendar of a whole series, which the C that is "
        "written does not compute; export to ONNX, whose file holds the networks."
    ),
    "anomaly": (
        "export: the score of a step depends on blocks of samples and on scores before and after it, which the C that is "
        "written, a row at a time, does not keep; export to ONNX."
    ),
}


@dataclass(frozen=True)
class Exported:
    """A model cut in two: what is computed before, and what an exported file holds.

    Parameters
    ----------
    model : FittedModel
        The whole.
    outside : Chain or None
        Features that are computed before; None where the file reads raw sequences.
    inside : FittedModel
        What the file holds: it reads the rows that ``outside`` gives.
    """

    model: FittedModel
    outside: Chain | None
    inside: FittedModel

    def rows(self, sequences: Sequence[Any]) -> list[np.ndarray]:
        """Return what the file reads of raw sequences: float32 arrays of shape (time, channels)."""
        if self.outside is not None:
            sequences = [self.outside.transform(sequence) for sequence in sequences]
        return [np.ascontiguousarray(sequence, np.float32) for sequence in sequences]

    @property
    def channel_names(self) -> list[str] | None:
        """Names of the columns of ``x``, where they are raw channels with names."""
        names = self.model.manifest.get("channel_names")
        return None if names is None or self.outside is not None else list(names)

    @property
    def takes_missing(self) -> bool:
        """Whether NaN in ``x`` is a missing value; elsewhere there is no answer to a sequence that holds one."""
        return any(isinstance(step, FilledGaps | MissingMask) for step in self.inside.features.steps)

    @property
    def per_step(self) -> bool:
        """Whether there is an answer for each row of ``x``."""
        return bool(self.inside.manifest["network"]["pooling"] == "none")


def cut(model: Any) -> Exported:
    """Return a model of sequences cut where an exported file begins.

    Raises
    ------
    UsageError
        If the model cannot be exported.
    """
    if not isinstance(model, FittedModel):
        raise refusal(str(model.manifest.get("task", "")))
    if model.manifest["network"] is None:
        raise UsageError(
            "export: this network is your own, and recurra does not know its layers; export it with torch.onnx.export from "
            "estimator.torch_network()."
        )
    if model.manifest["network"].get("crf") and len(model.members) > 1:
        raise UsageError(
            "export: a chain of labels with several members has no one table of transitions; train with members=1."
        )
    steps = list(model.features.steps)
    scaled = [index for index, step in enumerate(steps) if isinstance(step, Scaling)]
    first = scaled[0] if scaled else len(steps)
    if scaled and first and isinstance(steps[first - 1], FilledGaps):
        first -= 1
    before = Chain(steps[:first], model.features.n_channels) if first else None
    width = model.features.n_channels if before is None else before.input_size
    inside = replace(model, features=Chain(steps[first:], width))
    return Exported(model, before, inside)


def refusal(task: str) -> UsageError:
    """Return the error for a model of a task that the C that is written cannot hold."""
    reason = f"export: a model of the task {task!r} cannot be exported; run it with recurra.load_model(path)."
    return UsageError(REFUSED.get(task, reason))


def check_one_step(exported: Exported) -> None:
    """Raise UsageError unless a model answers row by row, remembering a state of fixed size."""
    network = exported.inside.manifest["network"]
    if exported.model.wide is not None:
        raise UsageError(
            "export: a step cannot hold the linear part of this model, which reads whole sequences; train with wide=False "
            "and causal=True, or export without step."
        )
    if network["bidirectional"]:
        raise UsageError(
            "export: a step cannot hold the backward direction of this network, which starts at the end of the sequence; "
            "train with causal=True, or export without step."
        )
    if not (network.get("front") or {}).get("causal", True):
        raise UsageError(
            "export: a step cannot hold convolutions that look ahead; train with causal=True, or export without step."
        )
    if not exported.inside.features.keeps_steps:
        raise UsageError(
            "export: a step cannot hold a frontend that gives a row per window, not per step; train with "
            "frontend='convolutions' and causal=True, or without a frontend."
        )
    if network.get("crf"):
        raise UsageError(
            "export: a step cannot hold crf=True, which chooses the labels of a sequence together; train with crf=False, or "
            "export without step."
        )
