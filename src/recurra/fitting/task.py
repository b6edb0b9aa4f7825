"""What differs between the estimators when they are trained: the steps of a task, and what they hand to each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from recurra.batches.examples import Examples
from recurra.fitting import overlap
from recurra.inputs.request import Request

if TYPE_CHECKING:
    import torch

    from recurra.training.losses import Loss
    from recurra.training.run import Score
    from recurra.training.state import TrainingResult


@dataclass(frozen=True)
class TrainingData:
    """Data as a task read them: checked, and in an order that follows from their content.

    Parameters
    ----------
    given : object
        What to learn from, of the type of the task: `Given`, `GivenSeries`, `Pairs`, text.
    contents : sequence
        What tells the records apart, as read and before any feature.
    target : object
        What encodes the labels, where there are any.
    judges : object or None
        What the user gave to decide early stopping, of the type of ``given``.
    static : StaticInputs or None
        Which static inputs sequences have.
    contents_static : sequence or None
        Static inputs of each of ``contents``, which they are told apart by as well.
    """

    given: Any
    contents: Sequence[Any]
    target: Any = None
    judges: Any = None
    static: Any = None
    contents_static: Sequence[Any] | None = None


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    Parameters
    ----------
    who : str
        The estimator's class, for messages and the model file.
    seed : int
        It decides everything random.
    fitted : object or None
        The model to go on from; None for first weights.
    decided : mapping
        Options that were left to the data, as they were decided.
    compared : str
        What was compared to decide them, in a sentence; empty where nothing was.
    """

    who: str
    seed: int
    fitted: Any = None
    decided: Mapping[str, Any] = field(default_factory=dict)
    compared: str = ""


@dataclass(frozen=True)
class Member:
    """One trained network of those whose mean answers."""

    network: "torch.nn.Module"
    weights: dict[str, np.ndarray]
    result: "TrainingResult"


@dataclass(frozen=True)
class Prepared:
    """All that is decided before the first step of training.

    Parameters
    ----------
    examples, validation : Examples, Examples or None
        What the network learns from, and what decides early stopping.
    build : callable
        From the number of a member to its network, with its first weights or those to go on from.
    loss, score
        See `recurra.training.loop.train`.
    model : callable
        From the trained members to the fitted model.
    params : mapping
        The options as the model file keeps them.
    identity : mapping
        What else a checkpoint must be of.
    parts : sequence of ndarray, optional
        Which examples each member learns from; all by default.
    max_epochs : int, optional
        In place of the option.
    members : int
        How many networks.
    shared_generator : bool
        Whether the network may draw from torch's global generator.
    callbacks : sequence
        Called before the user's.
    ahead : callable, optional
        Computes what ``model`` needs besides the members, so that a budget counts it before members are begun.
    """

    examples: Examples
    validation: Examples | None
    build: "Callable[[int], torch.nn.Module]"
    loss: "Loss"
    model: Callable[[Sequence[Member]], Any]
    params: Mapping[str, Any]
    score: "Score | None" = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[np.ndarray] | None = None
    max_epochs: int | None = None
    members: int = 1
    shared_generator: bool = False
    callbacks: Sequence[Any] = ()
    ahead: Callable[[], Any] | None = None


class Task(Protocol):
    """The steps of `recurra.fitting.fit.fit` that differ; each task is a frozen dataclass of this class, without state."""

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the data, checked; the estimator learns the names of its features here."""
        ...

    def decide(self, options: Any, data: TrainingData, start: Start) -> dict[str, Any]:
        """Return values of options that were left to the data, to hold for this training; none by default."""
        return {}

    def prepare(self, options: Any, data: TrainingData, start: Start) -> Prepared:
        """Split, learn target and features, and say what is trained and what becomes of it."""
        ...

    def remember(self, estimator: Any, data: TrainingData, start: Start) -> None:
        """Keep in the estimator what a model file does not hold; digests of what was learned from by default."""
        overlap.remember(
            estimator,
            data.contents,
            resume=start.fitted is not None,
            static=data.contents_static,
            findings=getattr(data.given, "findings", None),
        )
