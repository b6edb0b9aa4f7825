"""`mapped_rows`: numbers in a file as an array, of which memory holds what was touched lately and no more."""

import mmap
import os
import threading
import time
import weakref
from pathlib import Path

import numpy as np

# Memory that pages of files may take before those of a mapped file are given back, and how often that is looked at.
RESIDENT_BYTES = 1 << 28
_SECONDS = 0.02


def mapped_rows(path: Path, columns: int, rows: int) -> np.ndarray:
    """Return the rows of a file of float64 as an array that cannot be written to.

    The file is mapped into memory, so that the system reads what is touched. Linux counts every page that was touched as
    memory of the process until it runs short; a thread gives them back sooner. Touched again, a page comes from the
    system's cache of files, or from disk.

    Parameters
    ----------
    path : Path
        Of at least ``rows * columns`` numbers.
    columns, rows : int
        Shape of the array.
    """
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), rows * columns * 8, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_DONTNEED"):
        threading.Thread(
            target=_give_back, args=(weakref.ref(pages),), name="recurra-pages", daemon=True
        ).start()
    return np.frombuffer(pages, dtype=np.float64).reshape(rows, columns)


def _give_back(pages: "weakref.ref[mmap.mmap]") -> None:
    while True:
        time.sleep(_SECONDS)
        there = pages()
        if there is None or there.closed:
            return
        if _resident() > RESIDENT_BYTES:
            there.madvise(mmap.MADV_DONTNEED)
        del there


def _resident() -> int:
    """Return the bytes of files, libraries among them, that the process has in memory; where unknown, more than allowed."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return RESIDENT_BYTES + 1
