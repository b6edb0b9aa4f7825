"""Frames that are arrays already become squares of the size a network reads."""

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import ShapeError


def fitted(frames: np.ndarray, *, size: int, crop: str, who: str) -> np.ndarray:
    """Return frames scaled and cropped as those of a file are.

    Parameters
    ----------
    frames : ndarray of uint8, shape (time, height, width, 3)
        Red, green, blue.
    size : int
        Pixels a side.
    crop : {"centre", "letterbox", "stretch"}
        See `recurra.readers.clips.video.VideoWords`.
    who : str
        Who complains.

    Returns
    -------
    ndarray of uint8, shape (time, size, size, 3)
        The very frames, where they have that size.

    Raises
    ------
    ShapeError
        If they are no frames.
    """
    shape = frames.shape
    if frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise ShapeError(
            f"{who}: frames must be uint8 of shape (time, height, width, 3); got {frames.dtype} of shape {shape}."
        )
    if shape[1:3] == (size, size):
        return frames
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "video", "Scaling frames") from None
    from recurra.readers.clips.video_child import scaled, squared

    wide, high = scaled(shape[2], shape[1], size=size, crop=crop)
    pictures = [
        np.asarray(Image.fromarray(frame).resize((wide, high), Image.Resampling.BICUBIC)) for frame in frames
    ]
    return np.stack([squared(picture, size=size, crop=crop) for picture in pictures])
