"""What a network is trained on: the rows that features give, and their targets."""

from typing import Any

import numpy as np

from recurra.fitting.inputs.sequences import Given
from recurra.fitting.targets import Target
from recurra.serving.model import FittedModel


def examples(model: FittedModel, given: Given, target: Target) -> Any:
    """Return the training examples: prepared sequences, with a target each, or one for each of their rows."""
    from recurra.batches.examples import Examples

    inputs = model.prepare(given.sequences, given.names)
    return Examples(
        inputs=inputs,
        targets=row_targets(model, target, target.scaled(given.y), inputs),
        weights=None if (given.weights == 1).all() else given.weights.astype(np.float32),
        names=given.names,
    )


def row_targets(model: FittedModel, target: Target, targets: Any, inputs: list[np.ndarray]) -> Any:
    """Return the targets of the rows the network reads: with a label per step, that in the middle of each row."""
    alignment = model.features.alignment
    per_step = target.task == "labeling" or getattr(target, "per_step", False)
    if not per_step or model.features.keeps_steps or alignment is None:
        return targets
    return [own[alignment.middles(len(rows))] for own, rows in zip(targets, inputs, strict=True)]


def set_memory(network: Any, memory: str) -> None:
    """Tell every recurrent layer of ours what to keep, in a network of the user's own too."""
    from recurra.nn import GRU, LSTM, RNN

    for layer in network.modules():
        if isinstance(layer, (RNN, LSTM, GRU)):
            layer.memory = memory
