"""Locks on pieces of work, given back however a process ends; `search/study`, `many_files/predicting` take up the rest.

A process holds a lock on a folder of each piece it works at (`recurra.folder_lock`), which the system gives back however
the process ends. A piece that has begun, has not ended, and whose lock is free was left behind.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from recurra.folder_lock import FolderInUseError, FolderLock

SECONDS_TO_ASK_AGAIN = 0.05


def claim(folder: Path) -> FolderLock | None:
    """Return the lock on a folder, which is made; None if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FolderLock(folder)
    except FolderInUseError:
        return None


@contextlib.contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Wait until no other process is inside."""
    lock = claim(folder)
    while lock is None:
        time.sleep(SECONDS_TO_ASK_AGAIN)
        lock = claim(folder)
    try:
        yield
    finally:
        lock.release()
