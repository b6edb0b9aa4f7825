"""A sequence as it would be without gaps, and at another rate, on straight lines between its values.

Every number is found by one operation after another on float32, so that a graph of the same operations has its bits.

References
----------
.. [1] Z. Che et al., "Recurrent Neural Networks for Multivariate Time Series with Missing Values", 2018, arXiv:1606.01865.
.. [2] C. W. Tan et al., "Time series classification for varying length series", 2019, arXiv:1910.04341.
"""

import numpy as np


def interpolated(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return values on straight lines over gaps; before the first and after the last of a channel, that one.

    Parameters
    ----------
    values : float32 array of shape (time, channels)
        Whatever stands in a gap is not read.
    missing : bool array of shape (time, channels)

    Returns
    -------
    float32 array of shape (time, channels)
        0 in channels of which nothing is there.
    """
    steps = np.arange(len(values))[:, None]
    before = np.maximum.accumulate(np.where(missing, -1, steps), axis=0)
    after = np.minimum.accumulate(np.where(missing, len(values), steps)[::-1], axis=0)[::-1]
    nothing = before[-1] < 0
    first, last = after[0], before[-1]
    low = np.where(nothing, 0, np.where(before < 0, first, before))
    high = np.where(nothing, 0, np.where(after == len(values), last, after))
    start, end = (np.take_along_axis(values, places, axis=0) for places in (low, high))
    share = (steps - low).astype(np.float32) / np.maximum(high - low, 1).astype(np.float32)
    found = np.where(missing, start + share * (end - start), values)
    return np.where(nothing, np.float32(0), found).astype(np.float32, copy=False)


def stretched(values: np.ndarray, length: int) -> np.ndarray:
    """Return values at so many steps that lie evenly from the first to the last.

    Parameters
    ----------
    values : float32 array of shape (time, channels)
        At least one step.
    length : int
        At least 2.

    Returns
    -------
    float32 array of shape (length, channels)
    """
    places = np.arange(length, dtype=np.int64) * (len(values) - 1)
    low = places // (length - 1)
    share = (places - low * (length - 1)).astype(np.float32) / np.float32(length - 1)
    start, end = values[low], values[np.minimum(low + 1, len(values) - 1)]
    return (start + share[:, None] * (end - start)).astype(np.float32, copy=False)
