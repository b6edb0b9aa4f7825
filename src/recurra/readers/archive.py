"""Zipped data sets: the files inside are unpacked for the time of reading, within limits, and read as a folder."""

import contextlib
import shutil
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from recurra.checks import counted
from recurra.errors import DataError, MissingDataError
from recurra.readers.files.unpacked_size import Unfolding

SUFFIXES = (".zip",)

LIMIT_FILES = 100_000

_CHUNK = 1 << 20


@contextlib.contextmanager
def unpacked(path: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Give a folder with the files of a zip file that have one of the suffixes.

    The folder is temporary. A single folder at the top of the zip file is entered.

    Raises
    ------
    MissingDataError, DataError
        If there is no such file, it is no zip file or damaged, locked by a password, names a file outside of itself, or
        exceeds `LIMIT_FILES` or the bound of `recurra.readers.files.unpacked_size`.
    """
    if not path.is_file():
        raise MissingDataError(f"{path}: there is no such file.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir()]
                _check(path, members)
                chosen = [m for m in members if m.filename.lower().endswith(tuple(suffixes))]
                for member in chosen:
                    _unpack(path, archive, member, Path(folder) / _inside(path, member.filename))
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            if isinstance(error, DataError):
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise DataError(
                f"{path}: cannot be read as a zip file: {reason}. It may be cut; get it again."
            ) from None
        if not chosen:
            raise DataError(
                f"{path}: holds {counted(len(members), 'file')}, none that is read ({', '.join(suffixes)})."
            )
        yield _top(Path(folder))


def _check(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse what claims too much, before anything is unpacked."""
    if len(members) > LIMIT_FILES:
        raise DataError(f"{path}: holds {len(members):,} files; at most {LIMIT_FILES:,} are read.")
    locked = next((member.filename for member in members if member.flag_bits & 1), None)
    if locked is not None:
        raise DataError(f"{path}: {locked!r} is locked by a password. Unpack it, and give the folder.")
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: holds {twice[0]!r} twice, and which of them counts is not known. Leave one out."
        )
    packed = sum(member.compress_size for member in members)
    Unfolding(path, packed).add(sum(member.file_size for member in members))


def _inside(path: Path, name: str) -> PurePosixPath:
    """Return a member's path, which must stay inside."""
    inside = PurePosixPath(name.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in name:
        raise DataError(f"{path}: names the file {name!r}, which is outside of it. It is refused.")
    return inside


def _unpack(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one file; what comes out is counted, whatever the directory claims."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as source, target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > member.file_size:
                raise DataError(
                    f"{path}: {member.filename} unfolds to more than the {member.file_size:,} bytes it claims."
                )
            out.write(chunk)


def _top(folder: Path) -> Path:
    children = [child for child in folder.iterdir() if not child.name.startswith((".", "__"))]
    if len(children) == 1 and children[0].is_dir():
        for hidden in (child for child in folder.iterdir() if child != children[0]):
            shutil.rmtree(hidden, ignore_errors=True)
        return children[0]
    return folder
