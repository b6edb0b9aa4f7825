"""When a run folder is locked, and how a new run takes the place of an earlier one.

Whoever trains into a run folder owns it, see `owned`. Where a run is replaced, the new one grows beside it as
``.NAME.new``, and for the moment of the change the earlier one is called ``.NAME.old``.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from recurra import folder_lock
from recurra.errors import DataError
from recurra.folder_lock import FolderInUseError, FolderLock
from recurra.interrupts import held_back_interrupt
from recurra.runs.folder.files import CHECKPOINTS, CONFIG, FIGURES, MODEL, OURS, RunFolder
from recurra.store import PARTIAL

# A run is put in the place of another within milliseconds; whoever reads meanwhile waits so long for it.
_SECONDS_TO_SETTLE = 10.0


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
        with held_back_interrupt() as interrupt:
            # which may come between a file that was made and its being known here
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
    # One that was to replace a run which was removed by hand since: it is replaced, and must not be taken for this one.
    _check_no_link(_growing(folder))
    shutil.rmtree(_growing(folder), ignore_errors=True)
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


def settle_to_read(folder: Path) -> None:
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
