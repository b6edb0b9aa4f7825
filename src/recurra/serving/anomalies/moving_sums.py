"""Sums over the windows of a sequence, in which nothing outside a window leaves a trace."""

import numpy as np


def moving_sums(values: np.ndarray, length: int) -> np.ndarray:
    """Return the sums of ``length`` consecutive values, those cut off at either end too: shape (n + length - 1,).

    Not differences of a running sum: behind one absurd value, such as the number by which a recorder marks a gap, these
    hold nothing of the values that follow. Every window is the end of a block of ``length`` values and the beginning of
    the next [1]_.

    Parameters
    ----------
    values : float64 array of shape (n,)
    length : int
        At least 1.

    References
    ----------
    .. [1] M. van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels",
       Pattern Recognition Letters 13, 1992: the same for the highest of a window.
    """
    count = len(values) + length - 1
    blocks = np.zeros((-(-(count + length - 1) // length), length))
    blocks.reshape(-1)[length - 1 : count] = values
    to_end = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    from_start = np.cumsum(blocks, axis=1).reshape(-1)
    sums: np.ndarray = to_end[:count] + from_start[length - 1 : length - 1 + count]
    sums[::length] = to_end[:count:length]  # these are whole blocks
    return sums
