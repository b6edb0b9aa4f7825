"""What a detector looks at: values as they are, or what is left of them where a recording grows or wanders."""

from collections.abc import Callable, Mapping

import numpy as np

BEFORE = 25  # steps whose median is the level that a deviation is from
CHUNK = 65536  # steps whose medians are computed at once


def differences(values: np.ndarray) -> np.ndarray:
    """Return steps from one value to the next, the first 0: shape (time, channels)."""
    return np.diff(values, axis=0, prepend=values[:1])


def deviations(values: np.ndarray) -> np.ndarray:
    """Return how far each value is from the median of those before it: shape (time, channels).

    At the beginning the first values, mirrored, stand for what came before. What comes later changes nothing.
    """
    before = np.pad(values, ((BEFORE, 0), (0, 0)), mode="symmetric")[:-1]
    windows = np.lib.stride_tricks.sliding_window_view(before, BEFORE, axis=0)
    levels = [np.median(windows[at : at + CHUNK], axis=-1) for at in range(0, len(values), CHUNK)]
    return values - np.concatenate(levels)


# In the order in which they are preferred where they do as well.
VIEWS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "values": lambda values: values,
    "deviations": deviations,
    "differences": differences,
}
