"""`fit`: the one way in which every estimator is trained."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from recurra.batches.splits import holdout
from recurra.fitting import resuming
from recurra.fitting.task import Member, Prepared, Request, Start

if TYPE_CHECKING:
    from recurra.training.config import TrainingConfig

E = TypeVar("E", bound=Any)

# Fewer held-out records, or groups in all, are too weak a witness to stop training on; everything is then trained on.
FEWEST_HELD_OUT = 25


def fit(estimator: E, request: Request, *, resume: bool = False) -> E:
    """Train an estimator.

    The steps are the same for all: check the options, find the checkpoint, read and check the data, decide what was left
    to them, split, learn target and features, build, train, keep. Those that differ are in the estimator's task.

    Parameters
    ----------
    estimator : Estimator
        With a ``task``; gets ``model_``, ``seed_`` and what its ``_learned`` sets.
    request : Request
        What its ``fit`` was called with.
    resume : bool, default=False
        Go on: an estimator that is not fitted from the newest checkpoint in ``checkpoint_dir``, or from the beginning if
        there is none yet; a fitted one from its weights, features and classes, or from where this very training was
        interrupted.
    """
    estimator._check_options()
    found = resuming.find(estimator, resume)
    fitted = resuming.fitted_before(estimator, resume)
    seed = resuming.seed_of(resuming.random_state(estimator, found))
    start = Start(type(estimator).__name__, seed, fitted)
    task = estimator.task
    data = task.read(estimator, request, start)
    as_given = estimator.get_params(deep=False)
    decided = task.decide(estimator, data, start)
    estimator.set_params(**decided)
    try:
        start = replace(start, decided=decided)
        prepared = task.prepare(estimator, data, start)
        members = [
            _member(estimator, prepared, start, number, found, resume) for number in range(prepared.members)
        ]
        estimator.model_ = prepared.model(members)
    finally:
        estimator.set_params(**{name: as_given[name] for name in decided})
    estimator._learned()
    task.remember(estimator, data, start)
    return estimator


def _member(options: Any, prepared: Prepared, start: Start, number: int, found: Any, resume: bool) -> Member:
    """Train one of the networks; the first is what callbacks see, and the only one as a rule."""
    from recurra.nn.network import to_arrays
    from recurra.training.loop import train

    seed = start.seed + number
    examples = prepared.examples if prepared.parts is None else prepared.examples.take(prepared.parts[number])
    place = resuming.Place(start.who, resuming.folder_of(options, number), seed)
    if number:
        found = resuming.newest(place, resume)
    identity = {**prepared.params, **prepared.identity}
    state, keepers = resuming.keep(
        place, found, identity, examples, prepared.validation, fitted=start.fitted is not None
    )
    config = training_config(options, seed)
    if prepared.max_epochs is not None:
        config = replace(config, max_epochs=prepared.max_epochs)
    given: Sequence[Any] = options.callbacks if number == 0 else ()
    network = prepared.build(number)
    result = train(
        network,
        examples,
        config=config,
        loss=prepared.loss,
        validation=prepared.validation,
        score=prepared.score,
        callbacks=[*prepared.callbacks, *given, *keepers],
        start=state,
        shared_generator=prepared.shared_generator,
    )
    return Member(network, to_arrays(network), result)


def training_config(options: Any, seed: int) -> "TrainingConfig":
    """Return how to train, of an estimator's options."""
    from recurra.training.config import TrainingConfig

    known = {one.name for one in fields(TrainingConfig)}
    own = {name: value for name, value in options.get_params(deep=False).items() if name in known}
    return TrainingConfig(**own, seed=seed)


def held_out(
    y: Any, keys: Sequence[Any], groups: np.ndarray | None, *, fraction: float, fewest_groups: int, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which records to learn from and which decide early stopping; None where the latter are too few.

    Parameters
    ----------
    y : ndarray or int
        Classes of the records, or their number.
    keys : sequence
        Equal for records that must stay on one side.
    """
    if fraction * len(set(keys)) < FEWEST_HELD_OUT:
        return None
    if groups is not None and len(set(groups.tolist())) < fewest_groups:
        return None
    train, judges = holdout(y, groups=groups, fraction=fraction, random_state=seed, keys=keys)
    return (train, judges) if len(judges) else None
