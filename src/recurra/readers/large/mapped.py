"""Arrays that lie in files: of them, memory holds what was touched lately and no more.

`mapped_rows` maps a file that is there; `read_ahead` fetches what is touched next in few reads; `keep_all` writes arrays
that would take too much memory to a file of their own.
"""

import mmap
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

# Memory that pages of a mapped file may take before they are given back, and how often that is looked at.
RESIDENT_BYTES = 1 << 26
_SECONDS = 0.005
# How much more libraries may have become each time that pages were given back.
_GROWTH = 1 << 20
# What `read_ahead` fetches at once, arrays and bytes; of longer ones the system reads on by itself where it is read.
_ARRAYS_AHEAD, _BYTES_AHEAD = 64, 1 << 22

# The mapped files of this process, by where they begin in memory; most processes have none.
MAPPINGS: "weakref.WeakValueDictionary[int, mmap.mmap]" = weakref.WeakValueDictionary()


def mapped_rows(path: Path, columns: int, rows: int) -> np.ndarray:
    """Return the rows of a file of float64 as an array that cannot be written to.

    The file is mapped into memory, so that the system reads what is touched. Linux counts every page that was touched as
    memory of the process until it runs short; a thread gives them back sooner. Touched again, a page comes from the system's
    cache of files, or from disk.

    Parameters
    ----------
    path : Path
        Of at least ``rows * columns`` numbers.
    columns, rows : int
        Shape of the array.
    """
    with path.open("rb") as file:
        return _mapped(file, np.dtype(np.float64), columns, rows)


def _mapped(
    file: IO[bytes], dtype: np.dtype[Any], columns: int, rows: int, *, in_order: bool = True
) -> np.ndarray:
    pages = mmap.mmap(file.fileno(), rows * columns * dtype.itemsize, access=mmap.ACCESS_READ)
    found = np.frombuffer(pages, dtype=dtype).reshape(-1, columns)
    if hasattr(mmap, "MADV_DONTNEED"):
        MAPPINGS[_address(found)] = pages
        if not in_order:
            pages.madvise(mmap.MADV_RANDOM)
        # measured here: by the time the thread runs, pages of the file may have come in
        others = _resident()  # libraries, which are files too
        threading.Thread(
            target=_give_back, args=(weakref.ref(pages), others), name="recurra-pages", daemon=True
        ).start()
    return found


def read_ahead(arrays: Iterable[Any]) -> Iterator[Any]:
    """Yield arrays in their order; those in a list that lie in mapped files are asked of the disk before their turn.

    Of 32 kB in random order, a cold disk gave one in 0.05 ms so, in 0.33 ms page by page, and in 5 ms where the system read
    8 MB around each.
    """
    fetched = 0
    for index, array in enumerate(arrays):
        if isinstance(arrays, list) and index >= fetched:
            fetched = index + _fetch(arrays[index : index + _ARRAYS_AHEAD])
        yield array


def _fetch(arrays: list[Any]) -> int:
    """Ask the system for the first arrays, and return for how many."""
    size = 0
    for index, array in enumerate(arrays):
        if size >= _BYTES_AHEAD:
            return index
        if not isinstance(array, np.ndarray):
            continue
        size += array.nbytes
        begin = _address(array)
        for start, pages in _mappings():
            if start <= begin < start + len(pages) and 0 < array.nbytes <= _BYTES_AHEAD:
                # What a system reads around a page for good measure, 8 MB on some, would be given up before it is touched.
                pages.madvise(mmap.MADV_RANDOM)
                page = (begin - start) // mmap.PAGESIZE * mmap.PAGESIZE
                pages.madvise(mmap.MADV_WILLNEED, page, begin - start - page + array.nbytes)
    return len(arrays)


def _mappings() -> list[tuple[int, mmap.mmap]]:
    # A list of weak references is made in one step; going through a dictionary fails where another thread adds to it.
    found = [(reference.key, reference()) for reference in MAPPINGS.valuerefs()]
    return [(start, pages) for start, pages in found if pages is not None]


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def keep_all(arrays: Iterable[np.ndarray], folder: Callable[[], Path], *, in_memory: int) -> list[np.ndarray]:
    """Return arrays as a list; where they take more than so many bytes together, they lie in a file that nobody else sees.

    Parameters
    ----------
    arrays : iterable of ndarray of shape (time, channels)
        All of one dtype and as many channels; made one by one.
    folder : callable () -> Path
        Gives the folder of the file, which is gone with the process or with the arrays. Where it cannot be written to, the
        file is in the system's folder for such files.
    in_memory : int
        Bytes.

    Raises
    ------
    OSError
        If the disk is full, say; it names the folder.
    """
    kept: list[np.ndarray] = []
    size, made = 0, iter(arrays)
    for array in made:
        size += array.nbytes
        if size > in_memory:
            return _in_a_file(_handed_on(kept, array, made), folder())
        kept.append(array)
    return kept


def _handed_on(kept: list[np.ndarray], last: np.ndarray, more: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield what is kept, which is let go of, then the others."""
    kept.reverse()
    while kept:
        yield kept.pop()
    yield last
    yield from more


def _in_a_file(arrays: Iterable[np.ndarray], folder: Path) -> list[np.ndarray]:
    import tempfile  # which loads random and hashing

    setting = "$RECURRA_CACHE"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = tempfile.TemporaryFile(dir=folder, prefix="rows-")  # noqa: SIM115 # closed below
    except OSError:  # much data is predicted where only the folder for such files may be written to
        folder, setting = Path(tempfile.gettempdir()), "$TMPDIR"
        opened = tempfile.TemporaryFile(dir=folder, prefix="rows-")  # noqa: SIM115 # closed below
    lengths: list[int] = []
    with named(folder, setting), opened as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
            lengths.append(len(array))
        file.flush()
        rows = _mapped(file, array.dtype, array.shape[1], sum(lengths), in_order=False)
    ends = np.cumsum(lengths).tolist()
    return [rows[end - own : end] for own, end in zip(lengths, ends, strict=True)]


@contextmanager
def named(folder: Path, setting: str) -> Iterator[None]:
    """Name a folder, and what sets it, in an OSError that says nothing of a place, as one of writing to an open file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(folder)
            error.add_note(f"Much data are kept there while they are used; {setting} names another folder.")
        raise


def _give_back(pages: "weakref.ref[mmap.mmap]", others: int) -> None:
    while True:
        time.sleep(_SECONDS)
        there = pages()
        if there is None or there.closed:
            return
        if _resident() > others + RESIDENT_BYTES:
            there.madvise(mmap.MADV_DONTNEED)
            # What was touched again meanwhile counts as libraries' for a moment, and must not add up.
            others = min(others + _GROWTH, _resident())
        del there


def _resident() -> int:
    """Return the bytes of files, libraries among them, that the process has in memory; 0 where only the system knows."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
