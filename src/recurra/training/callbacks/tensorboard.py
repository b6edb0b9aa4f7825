"""`TensorBoard`: the history of a training as scalars that TensorBoard draws.

Extra: ``pip install 'recurra[tensorboard]'``; to look: ``tensorboard --logdir runs``.
"""

import os
from typing import TYPE_CHECKING, Any

from recurra.checks import missing_extra
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult


class TensorBoard(Callback):
    """Writes every number of a row of the history under its own name, one point an epoch.

    Parameters
    ----------
    folder : path
        Where the event files go; made if it is not there.

    Raises
    ------
    MissingExtraError
        When training begins without the package.

    Examples
    --------
    >>> callback = TensorBoard("runs/first/tensorboard")
    >>> run = recurra.train("recordings/", out="runs/first", callbacks=[callback])  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = folder
        self._writer: Any = None

    def on_train_begin(self, run: "Run") -> None:
        """Open the event file; where a stopped training goes on, what is trained again is left out of the curves."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise missing_extra("tensorboard", "tensorboard", "TensorBoard") from None
        self._writer = SummaryWriter(os.fspath(self.folder), purge_step=run.epoch)

    def on_epoch_end(self, run: "Run") -> None:
        """Write the row of the epoch."""
        row = run.history[-1]
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float) and not isinstance(value, bool):
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """Close the file."""
        self._close()

    def on_interrupt(self, run: "Run") -> None:
        """Close the file."""
        self._close()

    def on_error(self, run: "Run", error: Exception) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
