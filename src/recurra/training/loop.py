"""`train`: a network is trained in place, and has good weights whatever the end is."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch

from recurra.batches.examples import Examples
from recurra.interrupts import held_back_interrupt
from recurra.nn.random_generators import RunGenerator, drawing_from
from recurra.training.callbacks import Callback
from recurra.training.callbacks.progress import make_progress
from recurra.training.config import TrainingConfig
from recurra.training.distributed.workers import Workers, join, one_thread
from recurra.training.losses import Loss
from recurra.training.run import Run, Score
from recurra.training.state import TrainingResult, TrainingState


def train(
    network: torch.nn.Module,
    examples: Examples,
    *,
    config: TrainingConfig,
    loss: Loss,
    validation: Examples | None = None,
    score: Score | None = None,
    callbacks: Sequence[Callback] = (),
    start: TrainingState | None = None,
    shared_generator: bool = True,
    workers: Workers | None = None,
) -> TrainingResult:
    """Train a network in place.

    At the end the network is in evaluation mode, on the configured device, and has the weights of the epoch
    with the lowest validation loss; without validation, the last. The global random generators of torch,
    numpy and Python are as they were before, and what other threads do to them changes nothing, but as
    ``shared_generator`` says.

    Parameters
    ----------
    network : Module
        Called with a Ragged of torch float32 values; gives one row per sequence, or per time step.
    examples : Examples
        What to train on.
    config : TrainingConfig
        How.
    loss : function
        Of (outputs, targets, weights), see `recurra.training.losses`.
    validation : Examples, optional
        Judged after every epoch.
    score : function, optional
        Of (outputs of shape (rows, ...) for all of validation in its order, validation); its figures join the
        history, the first is shown while training.
    callbacks : sequence of Callback
        Called in this order.
    start : TrainingState, optional
        Go on from here, with the same data and settings (``max_epochs`` may be raised), instead of from the
        network's weights.
    shared_generator : bool, default=True
        Whether the network may draw from torch's global generator, as one of the user's may. That is then seeded for
        each batch and put back after it, and several such trainings at once take turns, batch by batch. False for
        networks of `recurra.nn`, which draw from a generator of the run.
    workers : Workers, optional
        The processes that train together, where the caller has joined them already.

    Returns
    -------
    TrainingResult

    Raises
    ------
    FailedTrainingError
        (a `TrainingError`) If the loss or a gradient is no longer finite, or memory ran out. The network then
        has the best weights if there was validation, else those of the last finished epoch, else those it
        began with.
    UsageError
        If ``start`` belongs to other data, settings or another network.
    KeyboardInterrupt
        After Ctrl-C, which is held back until the batch is finished; so are SIGTERM and SIGHUP where they mean the same,
        see `recurra.interrupts`.
    """
    workers = join(config.shards) if workers is None else workers
    if workers.count > 1:
        start = workers.shared(start)
    shown = make_progress(config.verbose) if workers.leads and config.verbose else None
    everyone = [*(callbacks if workers.leads else ()), *([] if shown is None else [shown])]
    device = torch.device(config.device)
    network, generator = network.to(device), RunGenerator(device)
    with (
        held_back_interrupt() as interrupt,
        drawing_from(network, generator),
        one_thread() if config.shards > 1 else nullcontext(),
    ):
        run = Run(
            network,
            examples,
            config=config,
            loss=loss,
            validation=validation,
            score=score,
            callbacks=everyone,
            interrupt=interrupt,
            generator=generator,
            shared_generator=shared_generator,
            workers=workers,
        )
        if start is not None:
            run.restore(start)
        if workers.count > 1:  # the fingerprint is a digest of all data
            workers.check_same(run.fingerprint, run.network)
        return run.to_the_end()
