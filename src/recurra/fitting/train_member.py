"""One network trained, from what a task prepared."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from recurra.fitting import resuming
from recurra.fitting.task import Member, Prepared, Start

if TYPE_CHECKING:
    from recurra.training.config import TrainingConfig
    from recurra.training.distributed.workers import Workers


def train_member(
    options: Any,
    prepared: Prepared,
    start: Start,
    number: int,
    found: Any,
    *,
    resume: bool,
    workers: "Workers",
) -> Member:
    """Train one of the networks; the first is what callbacks see, and the only one as a rule."""
    from recurra.nn.networks.sequence_network import to_arrays
    from recurra.training.loop import train

    seed = start.seed + number
    examples = prepared.examples if prepared.parts is None else prepared.examples.take(prepared.parts[number])
    config = training_config(options, seed)
    if prepared.max_epochs is not None:
        config = replace(config, max_epochs=prepared.max_epochs)
    place = resuming.Place(start.who, resuming.folder_of(options, number) if workers.leads else None, seed)
    if number:
        found = resuming.newest(place, resume)
    identity = {**prepared.params, **prepared.identity}
    state, keepers = resuming.keep(
        place,
        found,
        identity,
        examples,
        prepared.validation,
        fitted=start.fitted is not None,
        kind=type(options),
    )
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
        workers=workers,
    )
    return Member(network, to_arrays(network), result)


def training_config(options: Any, seed: int) -> "TrainingConfig":
    """Return how to train, of an estimator's options."""
    from recurra.training.config import TrainingConfig

    known = {one.name for one in fields(TrainingConfig)}
    own = {name: value for name, value in options.get_params(deep=False).items() if name in known}
    return TrainingConfig(**own, seed=seed)
