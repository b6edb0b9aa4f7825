"""``history.jsonl``: one flat line per epoch, written while training goes on, so that it can be followed.

Keys are those of `recurra.training.loop.TrainingResult`: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` and
``valid_<figure>`` where a part is held out, ``learning_rate``, ``grad_norm_median``, ``grad_norm_max``,
``clipped_share``, ``seconds``, ``steps_per_second``, ``padding_share``; and ``time``, the end of the epoch in UTC.
"""

import time
from typing import TYPE_CHECKING

from recurra import store
from recurra.cli import screen
from recurra.cli.run_folder import CHECKPOINTS, RunFolder
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.loop import Run

CHECKPOINT = f"{CHECKPOINTS}/interrupted.recurra"


class HistoryFile(Callback):
    """Writes a line per epoch, and after Ctrl-C where training stood.

    Parameters
    ----------
    folder : RunFolder
        Run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_epoch_end(self, run: "Run") -> None:
        """Add the line of the epoch."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.folder.append_history({**screen.plain(run.history[-1]), "time": now})

    def on_interrupt(self, run: "Run") -> None:
        """Write where training would go on, in the format of the model file."""
        state = run.state()
        if state is not None:
            path = self.folder / CHECKPOINT
            path.parent.mkdir(exist_ok=True)
            store.save(path, state.manifest, state.arrays)
