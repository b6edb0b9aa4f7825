"""What a network says about examples that it is not trained on."""

from collections.abc import Callable

import numpy as np
import torch

from recurra.batches.bucketing import plan
from recurra.batches.examples import Batch, Examples
from recurra.training.distributed.workers import Workers

# Without a graph to keep, a batch takes a fraction of the memory it takes in training.
BATCH_FACTOR = 4


def outputs_in_order(
    network: torch.nn.Module,
    examples: Examples,
    *,
    batch_size: int,
    device: torch.device,
    before_batch: Callable[[Batch], None],
    workers: Workers | None = None,
) -> torch.Tensor:
    """Return the outputs for all examples, in their order, without gradients.

    Parameters
    ----------
    network : Module
        In the mode the caller chose.
    examples : Examples
        Any number; batches are of similar length.
    batch_size : int
        Of training; `BATCH_FACTOR` times as many are computed at once.
    device : torch.device
        Where the network is.
    before_batch : function
        Called with each batch before it is computed.
    workers : Workers, optional
        Who share the batches; each gets the outputs of all.

    Returns
    -------
    Tensor of shape (rows, ...)
        One row per sequence, or per time step if targets are per step.
    """
    batches = plan(examples.lengths, batch_size * BATCH_FACTOR, seed=0, epoch=0, shuffle=False)
    workers = workers or Workers()
    parts = {}
    with torch.no_grad():
        for number in range(workers.rank, len(batches), workers.count):
            batch = examples.batch(batches[number])
            before_batch(batch)
            inputs = batch.inputs.replace(torch.from_numpy(batch.inputs.values).to(device))
            parts[number] = network(inputs)
    if workers.count > 1:
        own = {number: part.cpu() for number, part in parts.items()}
        parts = {n: part.to(device) for found in workers.all(own) for n, part in found.items()}
    joined = torch.cat([parts[number] for number in range(len(batches))])
    order = np.concatenate(batches)
    if examples.per_step:
        order = _rows(order, examples.lengths)
    out = torch.empty_like(joined)
    out[torch.from_numpy(order).to(device)] = joined
    return out


def _rows(order: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the flat rows of sequences taken in this order."""
    taken = lengths[order]
    first = np.cumsum(lengths) - lengths
    return np.repeat(first[order] - (np.cumsum(taken) - taken), taken) + np.arange(int(taken.sum()))
