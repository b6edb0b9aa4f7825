"""When training stops before its last epoch: no lower validation loss for a while, or Ctrl-C."""

import contextlib
import math
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
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


class Interrupt:
    """Whether the user has asked for an end with Ctrl-C."""

    def __init__(self) -> None:
        self.pending = False

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was held back; called where the weights are whole."""
        if self.pending:
            raise KeyboardInterrupt


@contextlib.contextmanager
def held_back_interrupt() -> Iterator[Interrupt]:
    """Hold a first Ctrl-C back until `Interrupt.check`, so that it never lands inside an optimizer's step.

    A second one comes through at once. Does nothing outside the main thread, or where someone else has set a
    handler for SIGINT.
    """
    interrupt = Interrupt()

    def hold(number: int, frame: FrameType | None) -> None:
        if interrupt.pending:
            raise KeyboardInterrupt
        interrupt.pending = True

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, hold)
    try:
        yield interrupt
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
