"""A small record of how far gradients reach, taken now and then while training, and what to say about it."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.errors import TrainingWarning
from recurra.nn.networks.hidden_gradients import EXPLODED, Setting, growth, horizon, look_inside, transported
from recurra.nn.networks.sequence_network import SequenceNetwork

if TYPE_CHECKING:
    from recurra.training.run import Run

# A record costs less than one batch of usual size; one in so many batches keeps it under 3 % of the time.
BATCHES_APART = 50
# Sequences it looks at, the longest ones.
SEQUENCES = 4
# With small batches, or a few very long sequences, it waits until this share of the time steps is its own at most.
SHARE_OF_STEPS = 0.01
# Only so much of a gradient that should reach the whole length is worth a warning.
SHARE_OF_LENGTH = 0.5
# A loss that fell by more than this share shows that the network learns all the same.
LEARNED = 0.2


@dataclass(frozen=True)
class GradientRecord:
    """Decides when to look, and looks.

    When depends on counted batches alone, so that a run that was stopped goes on with the same history.

    Parameters
    ----------
    batches_per_epoch : int
        At least 1.
    lengths : ndarray of shape (sequences,)
        Time steps of each sequence trained on.
    """

    batches_per_epoch: int
    lengths: np.ndarray

    @cached_property
    def epochs_apart(self) -> int:
        """Epochs from one look to the next."""
        own = int(np.sort(self.lengths)[-SEQUENCES:].sum())
        share = own / (SHARE_OF_STEPS * max(1, int(self.lengths.sum())))
        return max(-(-BATCHES_APART // self.batches_per_epoch), math.ceil(share))

    def of_epoch(self, run: "Run", limit: int) -> dict[str, float]:
        """Return ``gradient_horizon``, ``gradient_growth`` and ``gradient_length`` for the history, or nothing.

        The horizon is that of the last layer, in steps, left out where more than 1 % arrives at the first step;
        the length is the median of the sequences looked at.
        """
        if run.epoch % self.epochs_apart or not isinstance(run.network, SequenceNetwork):
            return {}
        short = np.flatnonzero(run.examples.lengths <= max(limit, int(run.examples.lengths.min())))
        by_length = short[np.argsort(run.examples.lengths[short], kind="stable")]
        # The longest ones: what must travel farthest.
        batch = run.examples.batch(by_length[-SEQUENCES:])

        def loss(outputs: torch.Tensor) -> torch.Tensor:
            return run.loss_of(outputs, batch)

        inside = look_inside(run.network, batch.inputs, loss)
        shares = transported(inside.layers[-1][0], inside.last_seed())
        if not shares:
            return {}
        found = {"gradient_length": float(np.median(batch.inputs.lengths)), "gradient_growth": growth(shares)}
        reach = horizon(shares)
        return found | ({"gradient_horizon": reach} if math.isfinite(reach) else {})


def gradient_warning(history: Sequence[Mapping[str, Any]], setting: Setting) -> str | None:
    """Return what to tell the user about the gradients of a finished training; None if there is nothing to tell.

    Parameters
    ----------
    history : sequence of mapping
        One row per epoch, see `recurra.training.state.TrainingResult`.
    setting : Setting
        Of the training. Only with pooling "last" must a gradient travel the whole length.
    """
    rows = [row for row in history if "gradient_length" in row]
    if not rows:
        return None
    row = rows[-1]
    if row["gradient_growth"] > 1 / EXPLODED:
        return (
            f"train: gradients explode: on their way back they grow {row['gradient_growth']:,.0f} times (epoch "
            f"{row['epoch']}). {setting.against_explosion()}"
        )
    reach, length = row.get("gradient_horizon", math.inf), row["gradient_length"]
    # Of one epoch nothing tells whether the loss falls.
    learned = len(history) < 2 or history[-1]["train_loss"] < (1 - LEARNED) * history[0]["train_loss"]
    if setting.pooling != "last" or reach > SHARE_OF_LENGTH * length or learned:
        return None
    return (
        f"train: gradients vanish: after {reach:.0f} of {length:.0f} steps only 1 % is left (epoch {row['epoch']}), and "
        f"the loss has hardly fallen. {setting.against_vanishing()}"
    )


def warn_of_gradients(
    history: Sequence[Mapping[str, Any]], network: torch.nn.Module, grad_clip: float | None
) -> None:
    """Issue `gradient_warning` as a TrainingWarning, if there is one."""
    if isinstance(network, SequenceNetwork):
        message = gradient_warning(history, Setting.of(network, grad_clip=grad_clip))
        if message is not None:
            warnings.warn(message, TrainingWarning, stacklevel=3)
