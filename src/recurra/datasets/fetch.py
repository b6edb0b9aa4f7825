"""Where the files of a named data set are: bundled, $RECURRA_DATA, the user's cache, or else downloaded."""

import contextlib
import hashlib
import os
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import DataError, MissingDataError

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set.

    Parameters
    ----------
    name : str
        File name.
    sha256 : str
        Checksum of the whole file, 64 hexadecimal digits.
    download : str, optional
        Address that answers with exactly this file; None where the publisher has none, only the data set's
        page.
    """

    name: str
    sha256: str
    download: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a data set comes from and on which terms.

    Parameters
    ----------
    name : str
        As `recurra.datasets.load` takes it.
    title : str
        One line for lists.
    folder : str
        Folder of the files in $RECURRA_DATA and in the cache.
    files : tuple of SourceFile
        All files needed.
    page : str
        Public address that describes the data set and leads to the files.
    licence, citation : str
        Terms of use, and how to cite.
    """

    name: str
    title: str
    folder: str
    files: tuple[SourceFile, ...]
    page: str
    licence: str
    citation: str


def cache_folder() -> Path:
    """Return the folder for downloads: $RECURRA_CACHE, else the one of the operating system."""
    if given := os.environ.get("RECURRA_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "recurra"


def find(source: Source, file: SourceFile, *, cache: Path | None = None) -> Path:
    """Return the path of a file, downloading it into the cache if it is nowhere.

    Parameters
    ----------
    source : Source
        Data set.
    file : SourceFile
        One of its files.
    cache : Path, optional
        Folder instead of `cache_folder`.

    Raises
    ------
    MissingDataError
        If it is nowhere and cannot be downloaded; names address, checksum and the folder to put it in.
    DataError
        If a file is there, but its checksum is another.
    """
    target = (cache or cache_folder()) / source.folder / file.name
    given = os.environ.get("RECURRA_DATA")
    for path in ([Path(given) / source.folder / file.name] if given else []) + [target]:
        if path.is_file():
            _check(path, file, source)
            return path
    if file.download is None:
        raise _missing(source, file, target, "it cannot be downloaded directly")
    _download(source, file, target)
    return target


def find_all(source: Source) -> dict[str, Path]:
    """Return the path of every file of a data set by name."""
    return {file.name: find(source, file) for file in source.files}


def _missing(source: Source, file: SourceFile, target: Path, reason: str) -> MissingDataError:
    return MissingDataError(
        f"data set {source.name!r}: the file {file.name} is not on this machine and {reason}. "
        f"Get it from {file.download or source.page} (SHA-256 {file.sha256}) and put it into "
        f"{target.parent}, "
        f"or into the folder {source.folder!r} of $RECURRA_DATA."
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(path: Path, file: SourceFile, source: Source) -> None:
    found = digest(path)
    if found != file.sha256:
        raise DataError(
            f"{path}: is not the file of data set {source.name!r}: its SHA-256 is {found}, expected "
            f"{file.sha256}. "
            "It may be cut or of another version: delete it and get it again."
        )


def _download(source: Source, file: SourceFile, target: Path) -> None:
    """Download to a temporary file beside the target, check it, rename it."""
    assert file.download is not None
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(file.download, timeout=_TIMEOUT_SECONDS) as answer,
            tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{file.name}.", delete=False) as out,
        ):
            temporary = Path(out.name)
            while chunk := answer.read(_CHUNK_BYTES):
                out.write(chunk)
        found = digest(temporary)
        if found != file.sha256:
            raise MissingDataError(
                f"data set {source.name!r}: {file.download} answered with a file of SHA-256 {found}, "
                f"expected {file.sha256}. Get it from {source.page} and put it into {target.parent}."
            )
        os.replace(temporary, target)
        temporary = None
    except MissingDataError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection open
        raise _missing(source, file, target, f"the download failed ({reason})") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
