"""One trial, an ordinary run judged inside the training part."""

import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import RecurraError
from recurra.records import Dataset
from recurra.runs.folder.files import METRICS, MODEL
from recurra.runs.folder.ownership import unfinished
from recurra.runs.resume import resume_run
from recurra.runs.train import train
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run

# Of the training part, for judging trials.
INNER_SHARE = 0.2


class StopEarly(Callback):
    """Ends a trial whose losses are worse than those of the others were, or when time is up.

    The first trial, the default, is never ended because of its losses: the others are compared with it.

    Parameters
    ----------
    trial : optuna.Trial
        Told the validation loss of each epoch, where there is one.
    until : float
        On the clock of `time.monotonic`.
    """

    def __init__(self, trial: Any, until: float) -> None:
        self._trial, self._until = trial, until
        self.pruned = False

    def on_epoch_end(self, run: "Run") -> None:
        """Tell, and ask."""
        row = run.history[-1]
        if "valid_loss" in row:
            self._trial.report(row["valid_loss"], row["epoch"])
            if self._trial.number and self._trial.should_prune():
                self.pruned = True
        if self.pruned or time.monotonic() > self._until:
            run.ask_to_stop()


def run_trial(
    folder: Path, data: Dataset, options: Mapping[str, Any], stop: StopEarly, **words: Any
) -> dict[str, Any]:
    """Train and judge one trial, or bring to its end what a process that died left of it; return its metrics.

    Parameters
    ----------
    folder : Path
        Its run folder.
    data : Dataset
        The training part; a share of it is held out to judge.
    options : mapping
        Of the estimator.
    stop : StopEarly
        Of this trial.
    **words
        ``task``, ``by`` and ``seed`` of `recurra.train`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if not (folder / MODEL).is_file():
            if unfinished(folder) is not None:
                resume_run(folder, data, tell=_silent, callbacks=[stop], verbose=0)
            else:
                given = {**options, "callbacks": [stop], "verbose": 0}
                train(data, out=folder, test=INNER_SHARE, **words, **given)
    return dict(json.loads((folder / METRICS).read_text()))


def _silent(line: str) -> None:
    """Say nothing."""


def attempted(work: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """Return the metrics of a trial, and why there are none: options may not go together, or numbers run away."""
    try:
        return work(), ""
    except RecurraError as error:
        return {}, str(error)
