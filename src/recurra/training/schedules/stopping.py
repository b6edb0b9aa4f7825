"""When training stops before its last epoch: no lower validation loss for a while."""

import math
from collections.abc import Mapping
from typing import Any


class EarlyStopping:
    """Keep count of epochs without a lower validation loss.

    Parameters
    ----------
    patience : int or None
        Epochs without a lower loss before training stops; None for never.

    Attributes
    ----------
    best_loss : float
        Lowest so far, infinite before the first.
    best_epoch : int
        When it was reached, counted from 1; 0 before the first.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.best_loss = math.inf
        self.best_epoch = 0
        self.waited = 0

    def improved(self, loss: float, *, epoch: int) -> bool:
        """Take note of an epoch's loss; return whether it is the lowest so far. NaN never is."""
        if loss < self.best_loss:
            self.best_loss, self.best_epoch, self.waited = loss, epoch, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.best_loss, self.best_epoch, self.waited = (
            state["best_loss"],
            state["best_epoch"],
            state["waited"],
        )
