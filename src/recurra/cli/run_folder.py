"""A run folder: what ``train`` writes and the other verbs read.

``config.json`` everything to repeat the run · ``history.jsonl`` a line per epoch · ``model.recurra`` the network ·
``trained-on.recurra`` digests of the training data · ``metrics.json`` the figures, flat · ``report.html`` · ``figures/`` ·
``checkpoints/`` · later ``eval-NAME.html`` and ``eval-NAME.json``. A run has begun when its ``config.json`` is there, and
is whole when its ``model.recurra`` is.

Whoever trains into a run folder owns it, see `owned`. Where a run is replaced, the new one grows beside it as
``.NAME.new``, and for the moment of the change the earlier one is called ``.NAME.old``.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra import folder_lock
from recurra.errors import DataError, MissingDataError, RecurraError, StoreError, UsageError
from recurra.folder_lock import FolderInUseError, FolderLock
from recurra.interrupts import held_back_interrupt
from recurra.store import PARTIAL, make_lasting, write_text

CONFIG, HISTORY, MODEL, METRICS, REPORT, FIGURES, CHECKPOINTS, TRAINED_ON = OURS = (
    "config.json", "history.jsonl", "model.recurra", "metrics.json", "report.html", "figures", "checkpoints",
    "trained-on.recurra",
)  # fmt: skip

# A run is put in the place of another within milliseconds; whoever reads meanwhile waits so long for it.
_SECONDS_TO_SETTLE = 10.0


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def to_write(self, name: str) -> Path:
        """Return the path of a file or folder to be written, which must lie in the run folder.

        A run folder may come from anywhere, and a link in it must not lead what is written or deleted elsewhere.

        Raises
        ------
        DataError
            If a link leads out of the run folder.
        """
        path, inside = self.path / name, self.path.resolve()
        for place in (path, *(path.rglob("*") if path.is_dir() else ())):
            if not place.resolve().is_relative_to(inside):
                raise DataError(
                    f"{place}: leads out of the run folder, to {place.resolve()}, and is not written into. Remove the link."
                )
        return path

    def config(self) -> dict[str, Any]:
        """Return ``config.json``; paths in it are absolute, of files that moved together with the run the new ones."""
        return _moved(read_json(self / CONFIG), self.path)

    def metrics(self) -> dict[str, Any]:
        """Return ``metrics.json``."""
        return read_json(self / METRICS)

    def history(self) -> list[dict[str, Any]]:
        """Return the rows of ``history.jsonl``; a last line that was cut is left out."""
        rows = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self / HISTORY).read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
        return rows

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace a JSON file in one step."""
        write_text(self.to_write(name), json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``history.jsonl`` in one step."""
        write_text(
            self.to_write(HISTORY), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )

    def settle_history(self) -> None:
        """Let the lines of ``history.jsonl`` outlast a power cut."""
        if (self / HISTORY).exists():
            make_lasting(self / HISTORY)

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line to ``history.jsonl``; if it cannot be written whole, none of it is."""
        path = self.to_write(HISTORY)
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                while line:  # a nearly full disk takes a part
                    line = line[file.write(line) :]
            except OSError as error:
                file.truncate(before)
                raise OSError(error.errno, error.strerror, str(path)) from error


def _moved(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a configuration with paths that are no longer there replaced by what lies there seen from the run."""
    beside = config.get("beside")
    if not isinstance(beside, dict):
        return config
    now = {old: (folder / str(relative)).resolve() for old, relative in beside.items()}
    moved = {old: str(new) for old, new in now.items() if new.exists() and not Path(old).exists()}

    def found(value: Any) -> Any:
        return moved.get(value, value) if isinstance(value, str) else value

    return (
        {
            key: {word: found(v) for word, v in value.items()}
            if key in ("data_words", "words")
            else found(value)
            for key, value in config.items()
        }
        if moved
        else config
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    MissingDataError
        If it is not there.
    StoreError
        If it is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingDataError(f"{path}: there is no such file.") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path}: is damaged: it cannot be read as JSON ({str(error)[:80]}). Use a backup."
        ) from None
    if not isinstance(content, dict):
        raise StoreError(f"{path}: is damaged: it must hold a JSON object. Use a backup.")
    return content


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """Return the run in a folder; the path of its model file is taken as well.

    Raises
    ------
    MissingDataError
        If there is no such folder, or it holds no run; runs nearby are named.
    """
    folder = Path(path)
    if folder.name == MODEL and folder.is_file():
        folder = folder.parent
    _settle_to_read(folder)
    if (folder / MODEL).is_file():
        return RunFolder(folder)
    if (folder / CONFIG).is_file():
        raise MissingDataError(
            f"{folder}: the run was not finished: it has no {MODEL}. Go on with: recurra resume {folder}"
        )
    if folder.exists():
        raise MissingDataError(f"{folder}: is no run folder: it has no {MODEL}. {_nearby(folder)}".rstrip())
    raise MissingDataError(f"{folder}: there is no such run. {_nearby(folder.parent)}".rstrip())


def open_model(run: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Return the model of a run and its configuration; of a model file alone, what the model itself knows.

    Raises
    ------
    MissingDataError
        If there is no such run or file.
    UsageError
        If the network is the user's own, whose code is not in the file.
    """
    from recurra.serving.model import open_file

    path = Path(run)
    config: dict[str, Any] = {}
    if not path.is_file():
        folder = open_run(path)
        path = folder / MODEL
        with contextlib.suppress(RecurraError):
            config = folder.config()
    model = open_file(path)
    if model.manifest["network"] is None:
        raise UsageError(
            f"{path}: holds weights of an own network, whose code is not in the file. "
            "Predict in Python: recurra.load_model(path, network=function).predict(X)."
        )
    known = {"channel_names": model.manifest.get("channel_names")}
    return model, {**known, **config, "sample_rate_hz": model.manifest.get("sample_rate_hz")}


def model_file(run: str | os.PathLike[str]) -> Path:
    """Return the model file of a run folder, or the model file itself."""
    path = Path(run)
    return path if path.is_file() else path / MODEL


def _nearby(folder: Path) -> str:
    with contextlib.suppress(OSError):
        runs = sorted(child for child in folder.iterdir() if (child / MODEL).is_file())
        if runs:
            return f"Runs there: {', '.join(str(run) for run in runs[:5])}."
    return "Train one first: recurra train DATA -o RUN."


def check_place(path: str | os.PathLike[str]) -> Path:
    """Return the folder for a run, which must be free of what belongs to no run.

    Raises
    ------
    UsageError
        If it is a file, or holds files that are no run.
    """
    folder = Path(path)
    if not folder.is_dir():
        if os.path.lexists(folder):
            kind = "is a file" if folder.exists() else "is a link that leads to nothing"
            raise UsageError(f"train: out must be a folder; {folder} {kind}.")
        return folder
    if any((folder / name).exists() for name in OURS):
        return folder
    if any(
        not child.name.endswith(PARTIAL) and child.name not in folder_lock.NAMES for child in folder.iterdir()
    ):
        raise UsageError(f"train: {folder} holds files that are no run; give another folder.")
    return folder


def check_free(folder: Path, *, force: bool) -> None:
    """Raise UsageError if a run is in the folder, which is owned, and ``force`` is not given."""
    if force or not any((folder / name).exists() for name in OURS):
        return
    whole = (folder / MODEL).exists()
    state = "holds a run" if whole else "holds a run that was not finished"
    more = "" if whole else f", or go on with: recurra resume {folder}"
    raise UsageError(
        f"train: {folder} {state}; give another folder, or replace it with force=True{more or '.'}"
    )


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own a run folder, made if it is not there, for the time of a block; see `recurra.folder_lock`.

    The lock is in the folder itself, so that it holds wherever the folder is seen from. A replacement that was killed
    half-way is completed. A folder that was made and is still empty at the end is removed again.

    Raises
    ------
    FolderInUseError
        If another process owns it.
    OSError
        If nothing can be written into it.
    """
    folder = folder.resolve()
    made: list[Path] = []
    lock: FolderLock | None = None
    try:
        with (
            held_back_interrupt() as interrupt
        ):  # which may come between a file that was made and its being known here
            lock = _locked(folder, made)
        interrupt.check()
        yield
    finally:
        if lock is not None:
            lock.release()
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()


def _locked(folder: Path, made: list[Path]) -> FolderLock:
    while True:
        _settle_if_dead(folder)
        _make(folder, made)
        # Between a replacement's two steps there is no folder, and none may be put in its place. Asked after the folder
        # was made: where it was there already, its lock is the owner's.
        if _replaced(folder):
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        try:
            return FolderLock(folder)
        except FileNotFoundError:  # moved away just now
            if not folder.parent.is_dir():
                raise


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it; note which, the inner ones first."""
    for place in reversed([folder, *folder.parents]):
        if not place.is_dir():
            with contextlib.suppress(FileExistsError):
                place.mkdir()
                made.insert(0, place)


def new_run(folder: Path) -> contextlib.AbstractContextManager[RunFolder]:
    """Give a folder, which is owned, to write a run into; an earlier run stays untouched until the new one is whole.

    In a folder of its own a run is written in place, so that its history can be followed. Where a run is already, the
    new one grows beside it and takes its place at the end. If training fails before anything was reached, what was
    written is removed again; after Ctrl-C, or with a checkpoint, it stays to go on from.
    """
    replacing = any((folder / name).exists() for name in OURS)
    if not replacing:
        return _in_place(folder)
    return _beside(folder)


@contextlib.contextmanager
def _in_place(folder: Path) -> Iterator[RunFolder]:
    _clear_partial(folder)
    with _removed_if_nothing_was_reached(folder):
        yield RunFolder(folder)


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[RunFolder]:
    growing = _growing(folder)
    _check_no_link(growing)
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(exist_ok=True)
    try:
        with FolderLock(growing) as lock:  # which becomes that of the folder when it takes its place
            with _removed_if_nothing_was_reached(growing):
                yield RunFolder(growing)
            _take_place(folder, lock)
    finally:
        with contextlib.suppress(OSError):  # there is something in it, or it has taken its place
            growing.rmdir()


@contextlib.contextmanager
def _removed_if_nothing_was_reached(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not _can_go_on(folder, error):
            _remove(folder)
        raise


@contextlib.contextmanager
def continued_run(folder: Path) -> Iterator[RunFolder]:
    """Give the folder, which is owned, of a run that was not finished; at its end it stands where it was to stand."""
    run = unfinished(folder)
    assert run is not None
    _clear_partial(run.path)
    if run.path == folder:
        yield run
        return
    with FolderLock(run.path) as lock:
        yield run
        _take_place(folder, lock)


def unfinished(folder: Path) -> RunFolder | None:
    """Return the run that was begun for a folder and is not whole, None if there is none."""
    growing = _growing(folder)
    if (growing / CONFIG).is_file():
        return RunFolder(growing)
    if (folder / CONFIG).is_file() and not (folder / MODEL).exists():
        return RunFolder(folder)
    return None


def _clear_partial(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for place in (folder, folder / FIGURES):
        for left in place.glob(f".*{PARTIAL}"):
            with contextlib.suppress(OSError):
                left.unlink()


def _growing(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.new")


def _can_go_on(folder: Path, error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt):
        return (folder / CONFIG).exists()
    return any((folder / CHECKPOINTS).glob("*.recurra"))


def _remove(folder: Path) -> None:
    """Remove what is ours."""
    for name in OURS:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    for name in (FIGURES, CHECKPOINTS):
        with contextlib.suppress(OSError):
            (folder / name).rmdir()


def _take_place(folder: Path, lock: FolderLock) -> None:
    """Put a finished run where an earlier one is: both are whole at every moment, each under one of two names."""
    folder = folder.resolve()
    with held_back_interrupt():  # it takes no longer than the end that is asked for
        os.replace(folder, _old(folder))
        _settle(folder)
        lock.moved_to(folder)


def _old(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.old")


def _replaced(folder: Path) -> bool:
    """Whether a replacement is under way, or was killed half-way."""
    folder = folder.resolve()
    return bool(folder.name) and _old(folder).is_dir() and not _old(folder).is_symlink()


def _settle(folder: Path) -> None:
    """Complete a replacement, which is owned."""
    folder = folder.resolve()
    if not _replaced(folder):
        return
    growing, old = _growing(folder), _old(folder)
    _check_no_link(growing)
    if growing.exists():  # also over an empty folder, which somebody may have made just now
        os.replace(growing, folder)
    elif not folder.exists():
        os.replace(old, folder)
    if old.is_dir():
        for child in old.iterdir():  # what is not ours belongs to the user and moves along
            ours = child.name in (*OURS, *folder_lock.NAMES) or child.name.startswith("eval-")
            if not ours and child.suffix != PARTIAL:
                os.replace(child, folder / child.name)
        shutil.rmtree(old)


def _settle_if_dead(folder: Path) -> None:
    """Complete a replacement whose owner was killed; FolderInUseError if it is alive."""
    while _replaced(folder):
        with contextlib.suppress(FileNotFoundError), FolderLock(_old(folder)):
            _settle(folder)


def _settle_to_read(folder: Path) -> None:
    """Complete a replacement that was killed half-way, or wait until its owner has."""
    until = time.monotonic() + _SECONDS_TO_SETTLE
    while _replaced(folder) and time.monotonic() < until:
        try:
            return _settle_if_dead(folder)
        except FolderInUseError:
            if folder.exists():  # the new one is there, the earlier one is being removed
                return None
            time.sleep(0.01)
        except OSError:  # nothing may be written there: what is there is read
            return None
    return None


def _check_no_link(folder: Path) -> None:
    if folder.is_symlink():
        raise DataError(f"{folder}: is a link, which recurra has not made; it is not followed. Remove it.")
