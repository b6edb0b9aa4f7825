"""Clips, and folders of images, become frames: decoded in a child process, within limits.

A crash of a decoder cannot be caught in the process it happens in. So a child decodes (`recurra.readers.clips.video_child`);
where it dies, hangs or asks for too much, the file is named and the next child goes on with the next file.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from recurra.checks import check_choice, check_number, missing_extra
from recurra.errors import DataError, MissingDataError

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv", ".gif", ".mpg", ".mpeg")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
CROPS = ("centre", "letterbox", "stretch")

MEMORY_BYTES = 3 * 2**30  # address space of the child
_MAX_HEAD_BYTES = 10_000
_CHILD = Path(__file__).with_name("video_child.py")


@dataclass(frozen=True)
class VideoWords:
    """Which frames of a clip are taken, and how much a file may cost.

    Raises
    ------
    UsageError
        If a field is not what its comment allows.
    """

    frames: int = 16  # frames taken, evenly over the clip; all where it has fewer
    rate_hz: float | None = None  # frames per second, instead of a count
    start_seconds: float = 0.0  # where the clip begins
    end_seconds: float | None = None  # where it ends, exclusive; None for its own end
    crop: str = (
        "centre"  # "centre" cuts a square out of the middle, "letterbox" fills up with black, "stretch"
    )
    size: int = 224  # pixels a side of what comes out
    max_frames: int = 20_000  # frames a clip may have
    max_pixels: int = 8192 * 4320  # pixels a frame may have
    max_seconds: float = 3600.0  # how long a clip may last
    max_bytes: int = 4 * 2**30  # how large a file may be
    timeout_seconds: float = 120.0  # how long decoding one file may take

    def __post_init__(self) -> None:
        who = "video"
        for word in ("frames", "size", "max_frames", "max_pixels", "max_bytes"):
            check_number(who, word, getattr(self, word), integer=True, low=1)
        check_number(who, "start_seconds", self.start_seconds, low=0)
        for word in ("max_seconds", "timeout_seconds"):
            check_number(who, word, getattr(self, word), low=0, low_open=True)
        if self.rate_hz is not None:
            check_number(who, "rate_hz", self.rate_hz, low=0, low_open=True)
        if self.end_seconds is not None:
            check_number(who, "end_seconds", self.end_seconds, low=self.start_seconds, low_open=True)
        check_choice(who, "crop", self.crop, CROPS)

    @property
    def sampling(self) -> dict[str, Any]:
        """What decides which pixels come out; the limits do not."""
        words = ("frames", "rate_hz", "start_seconds", "end_seconds", "crop", "size")
        chosen = {word: getattr(self, word) for word in words}
        return chosen if self.rate_hz is None else {**chosen, "frames": None}


@dataclass(frozen=True)
class Clip:
    """Frames of one file.

    Parameters
    ----------
    frames : ndarray of uint8, shape (time, size, size, 3)
        Red, green, blue.
    rate_hz : float or None
        Frames per second, where that is known.
    """

    frames: np.ndarray
    rate_hz: float | None


def image_names(folder: Path) -> list[str]:
    """Return the names of the images in a folder in their order, numbers by value: 2 before 10."""
    names = [
        child.name
        for child in folder.iterdir()
        if child.suffix.lower() in IMAGE_SUFFIXES and not child.name.startswith(".") and child.is_file()
    ]
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for letter in name + "\0":
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, letter))
    return parts, name


class FrameReader:
    """Reads clips one after the other in a child process; a context manager.

    Parameters
    ----------
    words : VideoWords
        Which frames, and the limits.
    memory_bytes : int
        Address space of the child.
    """

    def __init__(self, words: VideoWords | None = None, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self.words = words or VideoWords()
        self._memory = memory_bytes
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def read(self, path: str | os.PathLike[str]) -> Clip:
        """Return the frames of one clip, or of one folder of images.

        Raises
        ------
        MissingDataError
            If there is no such file.
        DataError
            Naming the file, if it is broken, breaks a limit, or crashed the decoder.
        """
        found = next(self.read_all([path]))
        if isinstance(found, Clip):
            return found
        raise found

    def read_all(
        self, paths: Iterable[str | os.PathLike[str]]
    ) -> Iterator[Clip | DataError | MissingDataError]:
        """Yield for each path its frames, or the error; the next is decoded while the caller works on one."""
        waiting: list[tuple[Path, _Child | None, DataError | MissingDataError | None]] = []
        for path in paths:
            waiting.append(self._ask(Path(path)))
            if len(waiting) > 1:
                yield self._answer(waiting.pop(0), waiting)
        while waiting:
            yield self._answer(waiting.pop(0), waiting)

    def image(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Return one image as it is: uint8 of shape (height, width), or (height, width, 3) with colours."""
        child = self._ask(Path(path), size=None)
        found = self._answer(child, [])
        if isinstance(found, Clip):
            return found.frames[0]
        raise found

    def _ask(
        self, path: Path, **other: Any
    ) -> "tuple[Path, _Child | None, DataError | MissingDataError | None]":
        """Send a request; returns what `_answer` needs."""
        error = self._refusal(path)
        if error is not None:
            return path, None, error
        request = {**asdict(self.words), **other, "path": str(path), "names": [], "images": False}
        if path.is_dir():
            request["names"] = image_names(path)
            if not request["names"]:
                return path, None, DataError(f"{path}: holds no image ({', '.join(IMAGE_SUFFIXES)}).")
        else:
            request["images"] = path.suffix.lower() in IMAGE_SUFFIXES
        if self._child is None:
            self._child = _Child(self._memory)
        self._child.send(request)
        return path, self._child, None

    def _refusal(self, path: Path) -> DataError | MissingDataError | None:
        if not path.exists():
            return MissingDataError(f"{path}: there is no such file or folder.")
        if not path.is_dir() and not path.is_file():
            return DataError(f"{path}: is neither a file nor a folder.")
        if path.is_file() and (size := path.stat().st_size) > self.words.max_bytes:
            return DataError(f"{path}: has {size} bytes, max_bytes is {self.words.max_bytes}; raise it.")
        return None

    def _answer(
        self,
        asked: "tuple[Path, _Child | None, DataError | MissingDataError | None]",
        others: "list[tuple[Path, _Child | None, DataError | MissingDataError | None]]",
    ) -> Clip | DataError | MissingDataError:
        path, child, error = asked
        if error is not None or child is None:
            return error or DataError(f"{path}: was not read.")
        head, frames = child.receive(self.words.timeout_seconds)
        if head is not None:
            if frames is not None:
                return Clip(frames, head["rate_hz"])
            return DataError(f"{path}: {head['error']}. Remove the file, or replace it.")
        reason = child.end_badly()
        self._child = None
        for index, (later, of, _) in enumerate(others):  # asked of the child that is gone
            if of is child:
                others[index] = self._ask(later)
        return DataError(f"{path}: {reason}. Remove the file, or replace it.")


class _Child:
    """The running child, its answers collected by a thread so that waiting can end."""

    def __init__(self, memory_bytes: int) -> None:
        _check_installed()
        # -P: the folder of the script must not stand before the standard library.
        command = [sys.executable, "-P", str(_CHILD)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._answers: queue.Queue[tuple[dict[str, Any], np.ndarray | None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        self._write(f"{memory_bytes}\n".encode())
        self._late = False

    def send(self, request: dict[str, Any]) -> None:
        self._write(json.dumps(request).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a dead child is noticed when its answer is missing
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def receive(self, seconds: float) -> tuple[dict[str, Any] | None, np.ndarray | None]:
        """Return head and frames of the next answer; (None, None) if none comes."""
        try:
            found = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._late = True
            found = None
        return (None, None) if found is None else found

    def _collect(self) -> None:
        try:
            while (answer := self._read_answer()) is not None:
                self._answers.put(answer)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # cut in the middle of an answer: the child is gone
        self._answers.put(None)

    def _read_answer(self) -> tuple[dict[str, Any], np.ndarray | None] | None:
        out = self._process.stdout
        assert out is not None
        line = out.readline(_MAX_HEAD_BYTES)
        if not line.endswith(b"\n"):
            return None
        head = json.loads(line)
        if "error" in head:
            return head, None
        frames = np.empty(head["shape"], np.uint8)
        view = memoryview(frames.reshape(-1))  # type: ignore[arg-type] # numpy arrays are buffers
        got = 0
        while got < len(view):
            count = out.readinto(view[got:])  # type: ignore[attr-defined] # a buffered reader has it
            if not count:
                return None
            got += count
        return head, frames

    def end_badly(self) -> str:
        """End a child that gave no answer, and say why it did not."""
        if self._late:
            self.close()
            return "decoding it takes longer than timeout_seconds"
        self.close()
        code = self._process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"the decoder crashed on it ({signal.Signals(-code).name})"
        return "the decoder crashed on it"

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        # One that crashed is about to end by itself; its code is then its own.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.0 if self._late else 1.0)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()


def _check_installed() -> None:
    import importlib.util

    for package, name in (("av", "av"), ("PIL", "pillow")):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(name, "video", "Reading video and images")


def read_frames(path: str | os.PathLike[str], **words: Any) -> np.ndarray:
    """Return the frames of one clip or folder of images: uint8 of shape (time, size, size, 3).

    Parameters
    ----------
    path : path
        A video file, or a folder of images.
    **words
        Fields of `VideoWords`.
    """
    with FrameReader(VideoWords(**words)) as reader:
        return reader.read(path).frames


def read_rows(paths: Iterable[str | os.PathLike[str]]) -> list[np.ndarray]:
    """Return images row by row, from top to bottom, as sequences.

    Parameters
    ----------
    paths : iterable of path
        Image files.

    Returns
    -------
    list of ndarray of float32, shape (height, width), or (height, 3 * width) with colours
        From 0, black, to 1.
    """
    with FrameReader() as reader:
        images = [reader.image(path) for path in paths]
    return [(image.reshape(len(image), -1) / 255).astype(np.float32) for image in images]
