"""Many tables as one data set: the files of a pattern or a folder, in memory or on disk."""

import atexit
import contextlib
import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.errors import DataError, MissingDataError
from recurra.folder_lock import FolderLock
from recurra.readers.large.mapped import named
from recurra.readers.large.stored import SequenceStore
from recurra.readers.large.tables import read_table
from recurra.readers.tables.table_options import TableOptions
from recurra.readers.times.rates import common_rate
from recurra.records import Dataset

PARQUET = (".parquet", ".pq")
SUFFIXES = (*PARQUET, ".csv", ".tsv")
ON_DISK = ("auto", "always", "never", "temporary")

# Files that together are larger than this share of memory, once unfolded to numbers of 64 bits, are kept on disk.
SHARE = 0.25
# Times that Parquet, and text, grow when they become such numbers.
_UNFOLD = {".parquet": 3.0, ".pq": 3.0}
_VERSION = 1


def files_of(source: str | os.PathLike[str]) -> list[Path] | None:
    """Return the tables of a pattern such as ``data/*.parquet`` or of a folder of Parquet; None if it is neither."""
    path = Path(source)
    if path.is_dir():
        files = sorted(
            child for child in path.iterdir() if child.is_file() and not child.name.startswith((".", "_"))
        )
        return files if files and all(file.suffix.lower() in PARQUET for file in files) else None
    if path.exists() or not glob.has_magic(str(source)):
        return None
    return sorted(Path(found) for found in glob.glob(str(source), recursive=True) if Path(found).is_file())


def read_tables(
    files: Sequence[Path], words: TableOptions, *, who: str, on_disk: str, cache: Path
) -> Dataset:
    """Read tables as one data set.

    Parameters
    ----------
    files : sequence of Path
        In the order of the records.
    words : TableOptions
        Of each.
    who : str
        What the user gave, for messages.
    on_disk : {"auto", "always", "never", "temporary"}
        Whether values are kept in a file: where they take more than a share of memory, always, never, or until the
        process ends. What is kept is found again as long as neither files nor words change.
    cache : Path
        Folder in which it is kept.

    Raises
    ------
    MissingDataError
        If there is no file.
    DataError
        If a file is no table of sequences, or two of them do not belong together.
    """
    if not files:
        raise MissingDataError(f"{who}: no file is called so.")
    odd = [file for file in files if file.suffix.lower() not in SUFFIXES]
    if odd:
        raise DataError(
            f"{who}: {listing([file.name for file in odd], 3)} is no table; known are {', '.join(SUFFIXES)}."
        )
    if on_disk == "auto":
        on_disk = "always" if _bytes_of(files) > SHARE * memory_bytes() else "never"
    if on_disk == "never":
        with tempfile.TemporaryDirectory() as name:
            return _checked(_stored(files, words, Path(name)).dataset(who, mapped=False), who)
    if on_disk == "temporary":
        folder = Path(tempfile.mkdtemp(prefix="recurra-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        told, setting = "removed when the process ends", "$TMPDIR"
    else:
        folder, setting = cache / "tables" / _key(files, words), "$RECURRA_CACHE"
        told = f"kept for the next time; remove {folder} when it is no longer needed"
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder):
        store = _stored(files, words, folder, setting)
    found = store.dataset(who)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    note = f"{who}: {counted(len(files), 'file is', 'files are')} read from {size / 1e9:.2f} GB on disk in {folder}, {told}."
    return _checked(replace(found, notes=(note, *found.notes)), who)


def _stored(
    files: Sequence[Path], words: TableOptions, folder: Path, setting: str = "$TMPDIR"
) -> SequenceStore:
    """Return a store of all files, those that it has already not read again."""
    store = SequenceStore(folder)
    for file, dataset in _read(files[len(store.sources) :], words):
        with named(folder, setting):
            store.add(str(file), dataset)
    return store


def memory_bytes() -> int:
    """Return how much memory the machine has, or the process may use."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 8 << 30
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return total


def _bytes_of(files: Sequence[Path]) -> float:
    return sum(file.stat().st_size * _UNFOLD.get(file.suffix.lower(), 1.0) for file in files)


def _key(files: Sequence[Path], words: TableOptions) -> str:
    """Return 32 hexadecimal digits of what decides the records: the files as they are now, and the words."""
    about = []
    for file in files:
        now = file.stat()
        # A copy may keep its time of modification, but not that of its entry.
        about.append([str(file.resolve()), now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino])
    told = {name: value for name, value in asdict(words).items() if name != "given"}
    text = json.dumps([_VERSION, about, told], default=str, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _live_line() -> Any:
    """Return where progress is drawn; None in a light install, which has no rich."""
    try:
        from recurra.live_line import open_live_line
    except ModuleNotFoundError:
        return None
    return open_live_line()


def _read(files: Sequence[Path], words: TableOptions) -> Iterator[tuple[Path, Dataset]]:
    """Yield each file with its sequences; one without names is called by its file."""
    line = _live_line() if len(files) > 1 else None
    try:
        for number, file in enumerate(files, 1):
            if line is not None:
                line.update(f"reading file {number} of {len(files)}: {file.name}", number / len(files))
            dataset = read_table(file, words)
            if len(dataset) == 1 and dataset.records[0].name is None:
                dataset = replace(dataset, records=[replace(dataset.records[0], name=file.stem)])
            yield file, dataset
    finally:
        if line is not None:
            line.close()
        if "pyarrow" in sys.modules:  # some 50 MB that are not used again
            sys.modules["pyarrow"].default_memory_pool().release_unused()


def _checked(dataset: Dataset, who: str) -> Dataset:
    """Return a data set whose sequences have names of their own, words of one kind and rates evened out.

    Raises
    ------
    DataError
        If two sequences have one name, or labels, groups or a static input are words in one file and numbers in another.
    """
    seen: set[str | None] = set()
    for name in (record.name for record in dataset.records):
        if name is not None and name in seen:
            raise DataError(
                f"{who}: the sequence {name!r} is in two files. Keep all rows of a sequence in one file, or rename one."
            )
        seen.add(name)
    _check_alike([record.label for record in dataset.records], f"{who}: labels are")
    _check_alike([record.group for record in dataset.records], f"{who}: groups are")
    for place, name in enumerate(dataset.static_names or ()):
        cells = [record.static[place] for record in dataset.records if record.static is not None]
        _check_alike(cells, f"{who}: the static input {name!r} is")
    rates = [record.sample_rate_hz for record in dataset.records]
    if all(rate is None for rate in rates) or len(set(rates)) == 1:
        return dataset
    even, notes = common_rate(rates, who)
    records = [
        replace(record, sample_rate_hz=rate) for record, rate in zip(dataset.records, even, strict=True)
    ]
    return replace(dataset, records=records, notes=(*dataset.notes, *notes))


def _check_alike(values: Sequence[Any], what: str) -> None:
    """Raise DataError where some values, or arrays of them, are words and others numbers: 1 is not "1" then."""
    kinds = {np.asarray(value).dtype.kind in "SU" for value in values if value is not None}
    if len(kinds) > 1:
        raise DataError(f"{what} words in some files and numbers in others. Write them alike in all of them.")
