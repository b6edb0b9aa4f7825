"""What is answered: one class, one class per step, or numbers; with the loss that teaches it."""

from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.fitting.inputs.sequences import Given
from recurra.fitting.targets import ChainTarget, ClassTarget, NumberTarget, StepTarget, Target
from recurra.options import ForecasterOptions, SequenceLabelerOptions, SequenceLoss


def class_target(options: Any, who: str, given: Given) -> ClassTarget:
    """Learn the classes of sequences."""
    return ClassTarget.fit(who, given.y, given.names)


def class_loss(options: Any, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return the cross entropy."""
    from recurra.training import losses

    return losses.cross_entropy(weight_of_class)


def step_target(options: SequenceLabelerOptions, who: str, given: Given) -> StepTarget:
    """Learn the classes of steps, which with ``crf`` depend on those before."""
    if options.crf and options.network is not None:
        raise UsageError(f"{who}: crf=True stands on this class's own network; leave out network=.")
    if options.crf and options.members > 1:
        raise UsageError(
            f"{who}: crf=True chooses the labels of a sequence with one network; got members={options.members}. Leave one "
            "of them out."
        )
    return (ChainTarget if options.crf else StepTarget).fit(who, given.y, given.names)


def step_loss(options: SequenceLabelerOptions, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return the cross entropy of steps, or of the chain."""
    from recurra.training import losses

    return (losses.chain_cross_entropy if options.crf else losses.cross_entropy)(weight_of_class)


def rising_quantiles(options: SequenceLoss | ForecasterOptions, who: str) -> list[float]:
    """Return the quantiles that the network gives; none unless ``loss`` asks for them."""
    if options.loss != "quantile":
        return []
    quantiles = [float(q) for q in options.quantiles]
    if not quantiles or quantiles != sorted(set(quantiles)):
        raise UsageError(f"{who}: quantiles must rise; got {quantiles}.")
    return quantiles


def number_target(options: SequenceLoss, who: str, given: Given) -> NumberTarget:
    """Learn how many numbers there are, for a sequence or for each of its steps; a text has no steps of its own."""
    quantiles = rising_quantiles(options, who)
    texts = isinstance(given.sequences[0], str)
    lengths = None if texts else [len(sequence) for sequence in given.sequences]
    return NumberTarget.fit(who, given.y, lengths, quantiles=quantiles)


def number_loss(options: SequenceLoss, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return what ``loss`` says."""
    from recurra.training import losses

    if options.loss == "mse":
        return losses.mean_squared_error
    return losses.observed(options.loss, getattr(target, "quantiles", ()))
