"""`ControlFile`: a text file by which a training is stopped, paused and given more epochs while it runs.

A line of the file is a command: ``stop`` ends training after the batch, but not before the first epoch has ended, as if
the epoch had been the last, so that the best weights are kept, judged and saved; ``pause`` waits for as long as it stands
there; ``epochs N`` makes N the greatest number of epochs. Written by hand (``echo stop > runs/first/control.txt``) or by
the page of ``recurra studio``. What stands in it holds until it is changed, and the file is removed when training ends.
"""

import contextlib
import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import TrainingWarning
from recurra.store import write_text
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult

# While it waits, how often it looks whether it may go on.
SECONDS_BETWEEN_LOOKS = 0.1
LONGEST_FILE = 1000  # bytes; no command is longer
MOST_EPOCHS = 10**9


class ControlFile(Callback):
    """Does what a file says, looked for after every batch; a look costs some microseconds.

    Parameters
    ----------
    path : Path
        The file; need not be there.
    status : Path
        A JSON file that says, while training goes on, ``state`` ("training" or "paused"), ``max_epochs``,
        ``batches_per_epoch`` and ``patience``.
    """

    def __init__(self, path: Path, status: Path) -> None:
        self._path, self._status = os.fspath(path), status
        self._seen: tuple[int, int, int] | None = None
        self._stop = self._waits = False
        self._told = ""

    def on_train_begin(self, run: "Run") -> None:
        """Take over more epochs that an earlier part of the training was given; it is neither stopped nor paused."""
        kept = [line for line in self._lines() if line.startswith("epochs")]
        self._stop, self._told = False, ""
        with contextlib.suppress(OSError):
            if kept:
                write_text(self._path, kept[-1] + "\n")
            else:
                os.unlink(self._path)
        self._seen = None
        self._look(run)
        self._tell(run, "training")

    def on_batch_end(self, run: "Run") -> None:
        """Look for the file, and wait for as long as it says so."""
        if not self._look(run):
            return
        waits = True
        while waits:
            self._tell(run, "paused")  # anew where more epochs were told meanwhile
            run.rest(SECONDS_BETWEEN_LOOKS)
            waits = self._look(run)
        self._tell(run, "training")

    def on_epoch_end(self, run: "Run") -> None:
        """Stop where that was asked for in the first epoch."""
        if self._stop:
            run.ask_to_stop()

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """Remove the files."""
        self._remove(self._path, self._status)

    def on_interrupt(self, run: "Run") -> None:
        """Remove the status."""
        self._remove(self._status)

    def on_error(self, run: "Run", error: Exception) -> None:
        """Remove the files."""
        self._remove(self._path, self._status)

    def _look(self, run: "Run") -> bool:
        """Do what a changed file says; return whether training is to wait."""
        try:
            found = os.stat(self._path)
        except OSError:
            self._seen = None
            return False
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen != self._seen:
            self._seen, self._waits = seen, False
            for line in self._lines():
                self._obey(run, line)
        return self._waits and not self._stop

    def _obey(self, run: "Run", line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "stop":
            self._stop = True
            if run.history:
                run.ask_to_stop()
        elif word == "pause":
            self._waits = True
        elif word == "epochs" and number.isdecimal() and 0 < int(number) < MOST_EPOCHS:
            self._extend(run, int(number))
        elif word:
            self._warn(f"says {line[:40]!r}, which is no command; known are stop, pause and epochs N")

    def _warn(self, why: str) -> None:
        warnings.warn(f"train: {self._path} {why}. It is left out.", TrainingWarning, stacklevel=2)

    def _extend(self, run: "Run", max_epochs: int) -> None:
        """Let training go on to another last epoch, and the learning rate on the course planned for that many."""
        if max_epochs == run.config.max_epochs:
            return
        run.extend(max_epochs)
        self._tell(run, "training")

    def _lines(self) -> list[str]:
        try:
            with open(self._path, "rb") as file:
                text = file.read(LONGEST_FILE).decode("utf-8", errors="replace")
        except OSError:
            return []
        return [" ".join(line.split()).lower() for line in text.splitlines()]

    def _tell(self, run: "Run", state: str) -> None:
        facts = {
            "state": state,
            "max_epochs": run.config.max_epochs,
            "batches_per_epoch": run.batches_per_epoch,
            "patience": run.stopping.patience,
        }
        told = json.dumps(facts)
        if told != self._told:
            self._told = told
            with contextlib.suppress(OSError):  # a full disk must not end a training that only wants to tell
                write_text(self._status, told + "\n")

    @staticmethod
    def _remove(*paths: str | Path) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
