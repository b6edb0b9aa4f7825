"""Frames of a stream: those of a clip, or raw pixels from a pipe; read as `recurra.runs.stream.lines.Lines` are."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np

from recurra.errors import UsageError
from recurra.runs.stream.lines import BadLineError, Row

# A frame of more pixels is no camera's; a mistyped size must not ask for all memory.
MAX_PIXELS = 7680 * 4320


class RawFrames:
    """Frames one after the other without anything between: red, green and blue of each pixel, row by row.

    That is what ``ffmpeg -f rawvideo -pix_fmt rgb24`` writes.

    Parameters
    ----------
    width, height : int
        Pixels.

    Attributes
    ----------
    number : int
        Frames read so far.
    """

    unit: ClassVar[str] = "frame"

    def __init__(self, width: int, height: int) -> None:
        self.number = 0
        self._shape = (height, width, 3)

    def read(self, source: BinaryIO) -> Iterator[Row | BadLineError]:
        """Yield every frame; what is wrong with the last one, if it is cut."""
        size = int(np.prod(self._shape))
        while data := source.read(size):
            self.number += 1
            if len(data) < size:
                yield BadLineError(
                    f"frame {self.number}: it ends after {len(data)} of {size} bytes; frames of "
                    f"{self._shape[1]}x{self._shape[0]} pixels are expected, three bytes each."
                )
                return
            yield Row(np.frombuffer(data, np.uint8).reshape(self._shape))


class ClipFrames:
    """Frames of a file or of a folder of images, the same that ``predict`` looks at.

    Parameters
    ----------
    frames : ndarray of uint8, shape (time, height, width, 3)
        As `FrameReader` gives them.

    Attributes
    ----------
    number : int
        Frames given so far.
    """

    unit: ClassVar[str] = "frame"

    def __init__(self, frames: np.ndarray) -> None:
        self.number = 0
        self._frames = frames

    def read(self, source: Any) -> Iterator[Row]:
        """Yield every frame; ``source`` is not looked at."""
        for frame in self._frames:
            self.number += 1
            yield Row(frame)


def size_of(text: str | None, default: int) -> tuple[int, int]:
    """Return width and height of a size such as 640x480; a square of ``default`` pixels a side where there is none.

    Raises
    ------
    UsageError
        If it is no such size.
    """
    if text is None:
        return default, default
    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    width, height = (int(side) for side in found.groups()) if found else (0, 0)
    if not 0 < width * height <= MAX_PIXELS:
        raise UsageError(
            f"stream: frame_size must be width x height in pixels, such as 640x480, at most {MAX_PIXELS} in all; "
            f"got {text!r}."
        )
    return width, height
