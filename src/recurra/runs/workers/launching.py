"""`recurra train --workers`: a command run by several workers, and the sentence to the user where one was lost."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from recurra.checks import check_number
from recurra.errors import TrainingError
from recurra.interrupts import Interrupted
from recurra.runs.folder.ownership import unfinished
from recurra.runs.workers.team import AGENT, RESUMABLE


def launch_workers(arguments: Sequence[str], workers: int, folder: Path) -> int:
    """Run a command that trains in so many processes, which train one network, and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        Of ``recurra``.
    workers : int
        At least 1.
    folder : Path
        Where the run is to stand.

    Raises
    ------
    Interrupted
        If a worker was killed or an end was asked for, and there is something to go on from.
    TrainingError
        If a worker was killed before there was.
    """
    check_number("train", "workers", workers, integer=True, low=1)
    from recurra.training.distributed.agent import launch

    outcome = launch(
        [sys.executable, "-m", "recurra", *arguments], workers, environment={AGENT: str(os.getpid())}
    )
    if not outcome.lost and not outcome.interrupted and outcome.code != RESUMABLE:
        return outcome.code
    ended = f"{outcome.lost}, and the others with it; " if outcome.lost else ""
    if unfinished(folder) is not None:
        advice = shlex.join(["recurra", "resume", str(folder)])
        raise Interrupted(f"{ended}where training stood is kept. Go on with: {advice}")
    if outcome.lost:
        raise TrainingError(f"train: {ended}nothing was reached yet. Train again.")
    raise KeyboardInterrupt
