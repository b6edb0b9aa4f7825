"""Training on one long text: parallel streams, truncated backpropagation, a state that is carried on."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from recurra.errors import DataError, TrainingError
from recurra.nn.generators import drawing_from, dropout
from recurra.nn.network import SequenceNetwork
from recurra.ragged import Ragged
from recurra.training.config import TrainingConfig
from recurra.training.optimizers import clip, global_norm, gradients_of, make_optimizer
from recurra.training.schedules import Schedule
from recurra.training.stopping import EarlyStopping

State = tuple[torch.Tensor, ...] | None


@dataclass(frozen=True)
class StreamResult:
    """How training went.

    Parameters
    ----------
    history : list of dict
        One flat row per epoch: ``epoch``, ``train_loss`` and ``valid_loss`` (nats per token), ``learning_rate``,
        ``seconds``, ``steps_per_second``.
    best_epoch : int
        The epoch the weights are from, counted from 1.
    train_seconds : float
        Of everything.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    train_seconds: float


def cut_into_streams(ids: np.ndarray, streams: int) -> np.ndarray:
    """Cut a text into streams of equal length that are read side by side, each a stretch of it.

    Parameters
    ----------
    ids : int64 array of shape (tokens,)
        The text.
    streams : int
        Wanted; fewer where the text is too short for two tokens each.

    Returns
    -------
    int64 array of shape (streams, steps + 1)
        Each stretch with the token after it, so that every token but the first is predicted once; up to streams - 1
        tokens at the end are left out.
    """
    if len(ids) < 2:
        raise DataError(f"a text to learn from must have at least 2 tokens; got {len(ids)}. Give more text.")
    rows = min(streams, len(ids) - 1)
    steps = (len(ids) - 1) // rows
    return np.stack([ids[row * steps : row * steps + steps + 1] for row in range(rows)])


def train_on_text(
    network: SequenceNetwork,
    ids: np.ndarray,
    *,
    config: TrainingConfig,
    tbptt: int,
    validation: Callable[[SequenceNetwork], float] | None = None,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> StreamResult:
    """Train a network in place to foretell the next token.

    Parameters
    ----------
    network : SequenceNetwork
        With an answer per step.
    ids : int64 array of shape (tokens,)
        The text.
    config : TrainingConfig
        ``batch_size`` is the number of parallel streams.
    tbptt : int
        Steps after which the gradient is cut; the state goes on [1]_.
    validation : function of the network, optional
        Returns the loss that chooses the epoch whose weights are kept.
    tell : function of a row of the history, optional
        Called after every epoch.

    Raises
    ------
    TrainingError
        If the loss stops being finite.

    References
    ----------
    .. [1] R. Williams and J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
       Trajectories", Neural Computation 2(4), 1990.
    """
    streams = torch.from_numpy(cut_into_streams(ids, config.batch_size))
    starts = range(0, streams.shape[1] - 1, tbptt)
    optimizer = make_optimizer(
        config.optimizer,
        network.parameters(),
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    schedule = Schedule(config.lr_schedule, steps_per_epoch=len(starts), max_epochs=config.max_epochs)
    stopping = EarlyStopping(config.patience)
    history: list[dict[str, Any]] = []
    best = {name: w.clone() for name, w in network.state_dict().items()}
    generator = torch.Generator()
    began = time.perf_counter()
    for epoch in range(config.max_epochs):
        network.train()
        start, total, state = time.perf_counter(), 0.0, None
        rate = config.learning_rate
        for number, first in enumerate(starts):
            rate = config.learning_rate * schedule.factor(epoch=epoch, batch=number)
            piece = streams[:, first : first + tbptt + 1]
            generator.manual_seed(_seed(config.seed, epoch, number))
            with drawing_from(network, generator):
                loss, state = step_loss(network, piece, state)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingError(
                    f"training: the loss became {value} in epoch {epoch + 1}. Lower learning_rate or grad_clip."
                )
            _descend(optimizer, loss, learning_rate=rate, grad_clip=config.grad_clip)
            total += value * (piece.shape[1] - 1)
        steps = streams.shape[1] - 1
        seconds = time.perf_counter() - start
        row: dict[str, Any] = {"epoch": epoch + 1, "train_loss": total / steps, "learning_rate": rate}
        network.eval()
        if validation is not None:
            row["valid_loss"] = validation(network)
        row |= {"seconds": seconds, "steps_per_second": steps * len(streams) / seconds}
        history.append(row)
        if tell is not None:
            tell(row)
        schedule.epoch_end(row.get("valid_loss", row["train_loss"]))
        if stopping.improved(row.get("valid_loss", -epoch), epoch=epoch + 1):
            best = {name: w.clone() for name, w in network.state_dict().items()}
        if stopping.exhausted:
            break
    network.load_state_dict(best)
    network.eval()
    return StreamResult(history, stopping.best_epoch, time.perf_counter() - began)


def _descend(
    optimizer: torch.optim.Optimizer, loss: torch.Tensor, *, learning_rate: float, grad_clip: float | None
) -> None:
    """Take one step of the optimizer down the gradient of a loss."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    gradients = gradients_of(optimizer)
    clip(gradients, norm=global_norm(gradients), grad_clip=grad_clip)
    optimizer.step()


def step_loss(network: SequenceNetwork, piece: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
    """Return the mean loss in nats of one piece (streams, steps + 1), and the state after it, cut off the gradient."""
    rows, steps = piece.shape[0], piece.shape[1] - 1
    values = piece[:, :-1].reshape(-1, 1).to(network.head.weight.dtype)
    assert network.front is not None
    read = network.front(Ragged(values, [steps] * rows))
    share = network.config.dropout
    read = read.replace(dropout(network, read.values, share))
    hx: Any = None if state is None else state if len(state) > 1 else state[0]
    output, after = network.recurrent(read, hx)
    kept = tuple(s.detach() for s in after) if isinstance(after, tuple) else (after.detach(),)
    logits = network.head(dropout(network, output.values, share))
    return F.cross_entropy(logits, piece[:, 1:].reshape(-1)), kept


def _seed(seed: int, epoch: int, batch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, batch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
