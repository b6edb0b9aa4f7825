"""`Checkpoints`: where training stands, kept every so often, after each epoch and at Ctrl-C; `newest`.

A checkpoint is a file of `recurra.store`, like a model file: weights, the best weights so far, the state of
optimizer, schedule and early stopping, the place in the order of the data, the history. The random numbers of
what is still to come follow from the seed and the place. Nothing is pickled, nothing is run on reading.
"""

import contextlib
import os
import re
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recurra
from recurra import store
from recurra.errors import StoreError, TrainingWarning
from recurra.folder_lock import FolderLock
from recurra.training.callbacks import Callback
from recurra.training.state import TrainingState

if TYPE_CHECKING:
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult

SCHEMA = 1
KEEP = 3  # newest files kept, beside that of the best epoch

# Within an epoch a checkpoint is taken this often, so that an epoch of hours is not lost.
EVERY_SECONDS = 60.0

# The next one waits this many times as long as the last took to write: at most a twentieth of the time goes into
# checkpoints, on a slow disk, with a large network or with epochs of milliseconds.
PAUSE = 19.0

_NAME = re.compile(r"step-(\d{8,})\.recurra")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as read.

    Parameters
    ----------
    path : Path
        Its file.
    step : int
        Batches trained on before it.
    best_step : int or None
        That of the best epoch, if it was written.
    finished : bool
        Whether training had come to its end.
    identity : dict
        What the training was of, as given to `Checkpoints`.
    state : TrainingState
        What `recurra.training.loop.train` takes as ``start``.
    """

    path: Path
    step: int
    best_step: int | None
    finished: bool
    identity: dict[str, Any]
    state: TrainingState


@dataclass(eq=False)
class Checkpoints(Callback):
    """Writes checkpoints: after every epoch, after a minute within one, at the end and after Ctrl-C.

    Epochs that follow each other faster than twenty times the time one checkpoint takes are left out, so that
    training never waits for the disk for more than a twentieth of its time. Kept are the newest and that of the
    epoch with the lowest validation loss. A file is whole or not there: see `recurra.store.write_bytes`. While training
    goes on, the folder has this owner alone: see `recurra.folder_lock`.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    identity : mapping, optional
        What the training is of, such as a digest of its data; anything JSON can hold.
    keep : int, default=3
        Newest files kept, at least 1.
    after : Checkpoint, optional
        The one training goes on from.
    """

    folder: str | os.PathLike[str]
    identity: Mapping[str, Any] = field(default_factory=dict)
    keep: int = KEEP
    after: Checkpoint | None = None

    def __post_init__(self) -> None:
        self._folder = Path(self.folder)
        self._best_step = None if self.after is None else self.after.best_step
        self._ended = time.monotonic()  # when the last was written
        self._took = 0.0  # seconds it took
        self._lock: FolderLock | None = None

    def on_train_begin(self, run: "Run") -> None:
        """Own the folder, and clear away what a killed process left half written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self._folder)
        for left in self._folder.glob(f".step-*{store.PARTIAL}"):
            with contextlib.suppress(OSError):
                left.unlink()
        self._ended = time.monotonic()

    def on_batch_end(self, run: "Run") -> None:
        """Write if it is time."""
        if run.batch == run.batches_per_epoch:
            return  # the end of the epoch follows
        if self._waited(max(EVERY_SECONDS, PAUSE * self._took)):
            self._write(run, run.state())

    def on_epoch_end(self, run: "Run") -> None:
        """Write, unless the last was just written."""
        if self._waited(PAUSE * self._took):
            if run.validation is not None and run.stopping.best_epoch == run.epoch - 1:
                self._best_step = _step(run)
            self._write(run, run.state())

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """Write the end."""
        self._write(run, result.state, finished=True)
        self._release()

    def on_interrupt(self, run: "Run") -> None:
        """Write where training stands; after a second, impatient Ctrl-C the last one remains."""
        if self._lock is not None:
            self._write(run, run.state())
        self._release()

    def on_error(self, run: "Run", error: Exception) -> None:
        """Own the folder no longer."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _waited(self, seconds: float) -> bool:
        return time.monotonic() - self._ended >= seconds

    def _write(self, run: "Run", state: TrainingState | None, *, finished: bool = False) -> None:
        if state is None:
            return
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        step = _step(run)
        about = {
            "kind": "checkpoint",
            "schema": SCHEMA,
            "recurra": recurra.__version__,
            "step": step,
            "best_step": self._best_step,
            "finished": finished,
            "identity": dict(self.identity),
        }
        store.save(self._folder / f"step-{step:08d}{store.SUFFIX}", about | state.manifest, state.arrays)
        earlier = sorted(n for n in steps(self._folder) if n <= step and n != self._best_step)
        for old in earlier[: -self.keep]:
            with contextlib.suppress(OSError):
                (self._folder / f"step-{old:08d}{store.SUFFIX}").unlink()
        self._ended = time.monotonic()
        self._took = self._ended - began


def _step(run: "Run") -> int:
    """Batches trained on so far."""
    return (run.epoch - 1) * run.batches_per_epoch + run.batch


def steps(folder: str | os.PathLike[str]) -> list[int]:
    """Return the steps of the checkpoints in a folder, in order; none if there is no such folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(found.group(1)) for name in names if (found := _NAME.fullmatch(name)))


def newest(folder: str | os.PathLike[str]) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, None if there is none; warn of every newer, broken one.

    Warns
    -----
    TrainingWarning
        Naming the broken file and what is wrong with it.
    """
    for step in reversed(steps(folder)):
        path = Path(folder) / f"step-{step:08d}{store.SUFFIX}"
        try:
            return read(path)
        except StoreError as error:
            warnings.warn(
                f"A checkpoint cannot be used and the one before it is taken: {error}",
                TrainingWarning,
                stacklevel=2,
            )
    return None


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read one checkpoint.

    Raises
    ------
    StoreError
        If the file is damaged, no checkpoint, or of a newer version.
    """
    manifest, arrays = store.load(path)
    if manifest.get("kind") != "checkpoint":
        raise StoreError(f"{path}: holds a {manifest.get('kind', 'thing without a kind')}, not a checkpoint.")
    if manifest.get("schema") != SCHEMA:
        raise StoreError(
            f"{path}: was written by recurra {manifest.get('recurra', 'of a newer version')} as checkpoint schema "
            f"{manifest.get('schema')!r}; this version reads {SCHEMA}. Update recurra."
        )
    step, best_step, finished = (manifest.get(word) for word in ("step", "best_step", "finished"))
    identity = manifest.get("identity")
    if (
        type(step) is not int
        or not isinstance(best_step, int | None)
        or not isinstance(finished, bool)
        or not isinstance(identity, dict)
        or "state" not in manifest
    ):
        raise StoreError(f"{path}: damaged: its manifest is incomplete or makes no sense.")
    state = TrainingState({"state": manifest["state"]}, arrays)
    return Checkpoint(Path(path), step, best_step, finished, identity, state)


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove all checkpoints from a folder, the newest last."""
    for step in steps(folder):
        (Path(folder) / f"step-{step:08d}{store.SUFFIX}").unlink(missing_ok=True)
