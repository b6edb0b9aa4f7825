"""Features of frames kept on disk, found again by the content of the clip and the network that made them."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra import store
from recurra.checks import check_number
from recurra.errors import StoreError, UsageError
from recurra.readers.clips.video import IMAGE_SUFFIXES, image_names
from recurra.records import Dataset

DEFAULT_BYTES = 4 * 2**30
_VERSION = 1
_KIND = "frame features"
_NAME = re.compile(rf"([0-9a-f]{{2}})/\1[0-9a-f]{{62}}{re.escape(store.SUFFIX)}")
# How many entries are written between two looks at how large the folder is.
_BETWEEN_LOOKS = 64


class ImagesHash(str):
    """Checksum of the images of a folder with their names.

    Attributes
    ----------
    nameless : str
        Checksum of the images alone, in their order: images that are renamed are the same clip.
    """

    nameless: str


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a clip, or of the images of a folder with their names, an `ImagesHash`."""
    if path.is_dir():
        digest, nameless = hashlib.sha256(), hashlib.sha256(b"images")
        for name in image_names(path):
            own = content_hash(path / name)
            digest.update(f"{name}\0{own}\0".encode())
            nameless.update(bytes.fromhex(own))
        found = ImagesHash(digest.hexdigest())
        found.nameless = nameless.hexdigest()
        return found
    kind = b"image" if path.suffix.lower() in IMAGE_SUFFIXES else b""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.sha256(kind)).hexdigest()


def contents(dataset: Dataset) -> list[Any]:
    """Return what tells the records of a data set apart: their values; of clips the checksum of the file's content."""
    if dataset.kind != "video":
        return dataset.X
    return [
        content_hash(Path(values)) if isinstance(values, str) and Path(values).exists() else values
        for values in dataset.X
    ]


class FrameCache:
    """A folder with one file per clip; several runs may share it.

    An entry is written beside its place and renamed, so that it is there whole or not at all; one that is damaged, or
    holds no finite numbers of shape (time, channels), is computed again. Where the folder grows beyond its bound, the
    entries used longest ago go first.

    Parameters
    ----------
    folder : path
        Made when the first entry is kept.
    max_bytes : int
        Bound of all entries together.

    Attributes
    ----------
    hits, misses : int
        How often something was found, and was not.
    """

    def __init__(self, folder: str | os.PathLike[str], *, max_bytes: int = DEFAULT_BYTES) -> None:
        check_number("FrameCache", "max_bytes", max_bytes, integer=True, low=0)
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self._written = 0

    @staticmethod
    def key(content: str, sampling: Mapping[str, Any], network: str) -> str:
        """Return the name of an entry: 64 hexadecimal digits of what decides the features.

        Parameters
        ----------
        content : str
            `content_hash` of the clip.
        sampling : mapping
            Which frames at which size, see `recurra.readers.clips.video.VideoWords.sampling`.
        network : str
            Identity of the network, such as its name and the checksum of its weights.
        """
        text = json.dumps([_VERSION, content, dict(sampling), network], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str, *, most_steps: int | None = None) -> np.ndarray | None:
        """Return the features kept under a key, None where there are none that are whole and make sense.

        Parameters
        ----------
        key : str
            See `key`.
        most_steps : int, optional
            As many frames as are looked at, or fewer.
        """
        path = self._path(key)
        features = _read(path, key)
        if features is None or (most_steps is not None and len(features) > most_steps):
            self.misses += 1
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now; what is used longest ago goes first
        self.hits += 1
        return features

    def put(self, key: str, features: np.ndarray) -> None:
        """Keep features of shape (time, channels) under a key; UsageError where nothing can be kept."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cache_dir: features cannot be kept in {self.folder} ({error.strerror}); it must be a folder that can be "
                "written to. Give another one."
            ) from None
        store.save(path, {"kind": _KIND, "key": key}, {"features": features})
        self._written += 1
        if self._written % _BETWEEN_LOOKS == 1:
            self.shrink()

    def shrink(self) -> None:
        """Remove the entries used longest ago until the rest keeps within the bound.

        Only what this class has written is counted and removed: by its name and, before it is removed, by its content
        with its checksum. Whatever else lies in the folder belongs to somebody else.
        """
        entries = []
        for path in self.folder.glob(f"*/*{store.SUFFIX}"):
            if not _NAME.fullmatch(path.relative_to(self.folder).as_posix()) or path.is_symlink():
                continue
            with contextlib.suppress(OSError):  # another run may have removed it
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries, key=lambda entry: entry[0]):
            if total <= self.max_bytes:
                return
            total -= size
            if _read(path, path.stem, sensible=False) is not None:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{store.SUFFIX}"


def _read(path: Path, key: str, *, sensible: bool = True) -> np.ndarray | None:
    """Return the features in an entry, None unless it is whole and of this key; ``sensible`` asks for usable ones too."""
    try:
        if path.is_symlink():
            return None
        manifest, arrays = store.load(path)
    except (OSError, StoreError):
        return None
    if manifest.get("kind") != _KIND or manifest.get("key") != key or set(arrays) != {"features"}:
        return None
    features = arrays["features"]
    if sensible and (
        features.ndim != 2
        or 0 in features.shape
        or features.dtype.kind != "f"
        or not np.isfinite(features).all()
    ):
        return None
    return features
