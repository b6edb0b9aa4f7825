"""What the user sees of training: a live line on the terminal or in a notebook, or a log line an epoch."""

import logging
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console

from recurra.live_line import SECONDS_BETWEEN_DRAWINGS, LiveLine, TerminalLine, can_be_seen, open_live_line
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult

logger = logging.getLogger("recurra.training")

BAR = 20  # characters

# Figures that say how fast it goes or how training went, not how good the network is.
_NO_SCORES = ("valid_loss",)


def make_progress(verbose: int) -> Callback | None:
    """Return what shows progress for a ``verbose`` of 1 or 2, None where it could not be seen."""
    if verbose == 2:
        return EpochLog()
    return LineOfTraining() if can_be_seen() else None


class LineOfTraining(Callback):
    """One line that is drawn over: epoch, loss, validation score, time steps a second, time left.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; the notebook, or standard error, if not given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self._line: LiveLine | None = None
        self._next = 0.0
        self._began = 0.0
        self._done_before = 0

    def on_train_begin(self, run: "Run") -> None:
        """Open the line."""
        self._began = time.monotonic()
        self._done_before = batches_done(run)
        self._line = open_live_line() if self.console is None else TerminalLine(self.console)

    def on_batch_end(self, run: "Run") -> None:
        """Draw, if the last drawing is long enough ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN_DRAWINGS
            self._draw(run)

    def on_epoch_end(self, run: "Run") -> None:
        """As after a batch."""
        self.on_batch_end(run)

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """Draw the end and leave the line standing."""
        self._close(run)

    def on_interrupt(self, run: "Run") -> None:
        """Leave the line standing."""
        self._close(run)

    def on_error(self, run: "Run", error: Exception) -> None:
        """Leave the line standing."""
        self._close(run)

    def _draw(self, run: "Run") -> None:
        if self._line is None:
            return
        done = batches_done(run) - self._done_before
        left = run.config.max_epochs * run.batches_per_epoch - batches_done(run)
        seconds_left = (time.monotonic() - self._began) / done * left if done else None
        words = line(run, bar=not self._line.draws_bar, seconds_left=seconds_left)
        self._line.update(words, share_done(run))

    def _close(self, run: "Run") -> None:
        if self._line is None:
            return
        self._draw(run)
        self._line.close()
        self._line = None


class EpochLog(Callback):
    """One line an epoch to the logger ``recurra.training``, at level INFO.

    Where nobody listens to that logger, it goes to standard error for as long as training takes: who asks for
    ``verbose=2`` wants to see it.
    """

    def __init__(self) -> None:
        self._own: logging.Handler | None = None
        self._level = logging.NOTSET

    def on_train_begin(self, run: "Run") -> None:
        """Listen to the logger unless someone does."""
        if logger.hasHandlers():
            return
        self._own = logging.StreamHandler(sys.stderr)
        self._level = logger.level
        logger.addHandler(self._own)
        logger.setLevel(logging.INFO)

    def on_epoch_end(self, run: "Run") -> None:
        """Write the line."""
        logger.info("%s", line(run, bar=False))

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """Say how it ended."""
        logger.info(
            "stopped: %s, best epoch %d, %.1f s", result.stopped, result.best_epoch, result.train_seconds
        )
        self._close()

    def on_interrupt(self, run: "Run") -> None:
        """Listen no more."""
        self._close()

    def on_error(self, run: "Run", error: Exception) -> None:
        """Listen no more."""
        self._close()

    def _close(self) -> None:
        if self._own is not None:
            logger.removeHandler(self._own)
            logger.setLevel(self._level)
            self._own = None


def batches_done(run: "Run") -> int:
    """Return how many batches the run has finished in all epochs."""
    return len(run.history) * run.batches_per_epoch + (run.batch if run.epoch > len(run.history) else 0)


def share_done(run: "Run") -> float:
    """Return how much of the greatest number of epochs is done, in [0, 1]."""
    return batches_done(run) / (run.config.max_epochs * run.batches_per_epoch)


def line(run: "Run", *, bar: bool = True, seconds_left: float | None = None) -> str:
    """Return where training stands, in one line."""
    epochs = run.config.max_epochs
    # Right after an epoch's end the run stands at the beginning of the next.
    epoch = run.epoch if run.batch else max(1, len(run.history))
    parts = [f"epoch {epoch}/{epochs}"]
    if bar:
        filled = round(BAR * share_done(run))
        parts.append("━" * filled + "╌" * (BAR - filled))
    parts.append(f"loss {run.train_loss:.4g}")
    if run.history:
        last = run.history[-1]
        if "valid_loss" in last:
            parts.append(f"valid loss {last['valid_loss']:.4g}")
        scores = [k for k in last if k.startswith("valid_") and k not in _NO_SCORES]
        parts += [f"{k.removeprefix('valid_').replace('_', ' ')} {last[k]:.3f}" for k in scores[:1]]
    if run.steps_per_second:
        parts.append(f"{run.steps_per_second:,.0f} steps/s")
    if seconds_left is not None:
        minutes, seconds = divmod(round(seconds_left), 60)
        parts.append(
            f"at most {minutes}:{seconds:02d} left"
            if run.config.patience
            else f"{minutes}:{seconds:02d} left"
        )
    return "  ".join(parts)
