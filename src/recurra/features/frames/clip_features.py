"""Clips become features: frames through an image network, a clip at a time, kept on disk.

The network comes as a function, so that this room knows nothing of networks.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.errors import DataError, MissingDataError
from recurra.features.frames.cache import FrameCache, content_hash
from recurra.live_line import SECONDS_BETWEEN_DRAWINGS, LiveLine, open_live_line
from recurra.readers.clips.video import Clip, FrameReader, VideoWords

# Frames through the network at once: more are no faster, and take memory.
FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class FrameNetwork:
    """An image network as this room needs it.

    Parameters
    ----------
    run : callable
        Frames, uint8 of shape (frames, size, size, 3), to features, float32 of shape (frames, channels); each frame
        by itself.
    identity : str
        Changes whenever the features would.
    """

    run: Callable[[np.ndarray], np.ndarray]
    identity: str

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return the features of any number of frames, a portion at a time."""
        parts = [
            self.run(np.ascontiguousarray(frames[first : first + FRAMES_AT_ONCE]))
            for first in range(0, len(frames), FRAMES_AT_ONCE)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class Extracted:
    """Features of clips.

    Parameters
    ----------
    features : list of ndarray of float32, shape (time, channels), or None where the clip is broken
        In the order of the paths.
    errors : dict of int to error
        What is wrong with the broken ones.
    computed : int
        Clips whose features were not kept already.
    """

    features: list[np.ndarray | None]
    errors: dict[int, DataError | MissingDataError]
    computed: int


def extract(
    paths: Sequence[str | os.PathLike[str]],
    network: FrameNetwork,
    words: VideoWords,
    *,
    cache: FrameCache | None = None,
    verbose: int = 0,
) -> Extracted:
    """Return the features of clips; each is kept as soon as it is known, so that a killed run goes on where it was.

    Parameters
    ----------
    paths : sequence of path
        Video files, or folders of images.
    network : FrameNetwork
        What turns frames into features.
    words : VideoWords
        Which frames, and the limits.
    cache : FrameCache, optional
        Where features are kept.
    verbose : int
        1 or more shows progress on a terminal.
    """
    features: list[np.ndarray | None] = [None] * len(paths)
    errors: dict[int, DataError | MissingDataError] = {}
    keys: list[str] = []
    missing: list[int] = []
    most = words.frames if words.rate_hz is None else None
    for index, path in enumerate(map(Path, paths)):
        key = "" if cache is None else _key(cache, path, words, network, errors, index)
        keys.append(key)
        if cache is not None and key:
            features[index] = cache.get(key, most_steps=most)
        if features[index] is None and index not in errors:
            missing.append(index)
    missing += _odd_ones(features)

    def compute(indices: list[int]) -> None:
        with FrameReader(words) as reader, _Progress(len(indices), verbose) as progress:
            clips = reader.read_all([paths[index] for index in indices])
            for index, clip in zip(indices, clips, strict=True):
                if isinstance(clip, Clip):
                    found = network(clip.frames)
                    features[index] = found
                    if cache is not None:
                        cache.put(keys[index], found)
                else:
                    errors[index] = clip
                progress.advance()

    if missing:
        compute(sorted(missing))
        if wrong := _odd_ones(features, true=next((features[i] for i in missing if i not in errors), None)):
            compute(wrong)  # what was kept is of some other network
            missing += wrong
        if cache is not None:
            cache.shrink()
    return Extracted(features, errors, len(missing))


def _odd_ones(features: list[np.ndarray | None], *, true: np.ndarray | None = None) -> list[int]:
    """Return where features have another number of channels than ``true``, or than most; those are taken out."""
    widths = [f.shape[1] for f in features if f is not None]
    if not widths:
        return []
    width = true.shape[1] if true is not None else max(set(widths), key=widths.count)
    odd = [index for index, f in enumerate(features) if f is not None and f.shape[1] != width]
    for index in odd:
        features[index] = None
    return odd


def _key(
    cache: FrameCache,
    path: Path,
    words: VideoWords,
    network: FrameNetwork,
    errors: dict[int, DataError | MissingDataError],
    index: int,
) -> str:
    try:
        return cache.key(content_hash(path), words.sampling, network.identity)
    except FileNotFoundError:
        errors[index] = MissingDataError(f"{path}: there is no such file or folder.")
    except OSError as error:
        errors[index] = DataError(f"{path}: cannot be read ({error.strerror}).")
    return ""


class _Progress:
    """One line on a terminal or in a notebook: clips done, clips a second, time left."""

    def __init__(self, total: int, verbose: int) -> None:
        self._total, self._done = total, 0
        self._began = self._next = time.monotonic()
        self._line = open_live_line() if verbose else None

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._line is not None:
            self._draw(self._line)
            self._line.close()

    def advance(self) -> None:
        self._done += 1
        if self._line is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_DRAWINGS
            self._draw(self._line)

    def _draw(self, line: LiveLine) -> None:
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = self._done / seconds
        left = f", {(self._total - self._done) / rate:.0f} s left" if self._done else ""
        text = f"features of clip {self._done} of {self._total}, {rate:.1f} clips a second{left}"
        line.update(text, self._done / self._total)
