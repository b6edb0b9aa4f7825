"""Which clips of a data set cannot be decoded, found before anything is trained on them."""

import time
from collections.abc import Sequence

import numpy as np

from recurra.readers.clips.video import Clip, FrameReader, VideoWords

# So many clips, evenly over the data, are opened, and none begun after so many seconds.
MOST_CLIPS, MOST_SECONDS = 400, 60.0
# As few frames, as small as can be: a clip is decoded to its end all the same.
_LITTLE = VideoWords(frames=2, size=16)


def undecodable(
    paths: Sequence[str], *, most: int = MOST_CLIPS, seconds: float = MOST_SECONDS
) -> tuple[dict[str, str], int]:
    """Open clips and return those that cannot be decoded, with what is wrong, and how many were opened.

    Parameters
    ----------
    paths : sequence of str
        Files, or folders of images.
    most : int
        How many are opened at most, evenly over ``paths``.
    seconds : float
        After so many no further one is begun.
    """
    places = np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int))
    begun = time.monotonic()
    chosen = [paths[place] for place in places]
    broken, opened = {}, 0
    with FrameReader(_LITTLE) as reader:
        for path, found in zip(chosen, reader.read_all(chosen), strict=True):
            opened += 1
            if not isinstance(found, Clip):
                broken[path] = str(found).removesuffix(" Remove the file, or replace it.")
            if time.monotonic() - begun > seconds:
                break
    return broken, opened
