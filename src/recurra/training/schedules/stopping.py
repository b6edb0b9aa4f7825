"""When training stops before its last epoch: no lower validation loss for a while."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
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
    exhausted : bool
        Whether patience has run out.
    """

    patience: int | None
    best_loss: float = math.inf
    best_epoch: int = 0
    waited: int = 0
    exhausted: bool = field(default=False, init=False)

    def improved(self, loss: float, *, epoch: int) -> bool:
        """Take note of an epoch's loss; return whether it is the lowest so far. NaN never is."""
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self._wait(0)
            return True
        self._wait(self.waited + 1)
        return False

    def _wait(self, epochs: int) -> None:
        self.waited = epochs
        self.exhausted = self.patience is not None and epochs >= self.patience

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]
        self._wait(state["waited"])
