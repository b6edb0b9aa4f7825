"""``history.jsonl``: one flat line per epoch, written while training goes on, so that it can be followed.

Keys are those of `recurra.training.state.TrainingResult`: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` and
``valid_<figure>`` where a part is held out, ``learning_rate``, ``grad_norm_median``, ``grad_norm_max``,
``clipped_share``, ``seconds``, ``steps_per_second``, ``padding_share``; and ``time``, the end of the epoch in UTC.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recurra.runs.folder.files import HISTORY, RunFolder
from recurra.runs.folder.json_files import plain
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run


class HistoryFile(Callback):
    """Writes a line per epoch.

    Parameters
    ----------
    folder : RunFolder
        Run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_train_begin(self, run: "Run") -> None:
        """Where a stopped run goes on, leave out the lines of epochs that are trained again."""
        if run.history or (self.folder / HISTORY).exists():
            times = {row.get("epoch"): row.get("time") for row in self.folder.history()}
            self.folder.write_history([_line(row, times.get(row["epoch"])) for row in run.history])

    def on_epoch_end(self, run: "Run") -> None:
        """Add the line of the epoch."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.folder.append_history(_line(run.history[-1], now))


def _line(row: Mapping[str, Any], when: str | None) -> dict[str, Any]:
    return plain(row) | ({} if when is None else {"time": when})
