r"""Shares of steps at which fixed dilated convolutions exceed thresholds, with numpy.

The 84 kernels have nine weights, of which three are 2 and six are -1. A convolution is then the threefold sum of three
inputs less the sum of all nine; no multiplication of weights is needed, and each output is added in one fixed order.

References
----------
.. [1] A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time Series
   Classification", KDD 2021, arXiv:2012.08791.
"""

import itertools

import numpy as np

TAPS = 9
# The places of the three large weights of each kernel.
KERNELS = np.array(list(itertools.combinations(range(TAPS), 3)))
N_KERNELS = len(KERNELS)


def convolved(x: np.ndarray, *, channels: np.ndarray, dilation: int) -> np.ndarray:
    """Return all kernels over one sequence, zeros before and after it.

    Parameters
    ----------
    x : float32 array of shape (time, channels)
    channels : int array of shape (84, n)
        The channels that each kernel sees, summed; filled up with -1, which stands for none.
    dilation : int
        Steps from one input of a kernel to the next.

    Returns
    -------
    float32 array of shape (84, time)
    """
    steps = len(x)
    reach = dilation * (TAPS // 2)
    columns = np.zeros((x.shape[1] + 1, steps + 2 * reach), np.float32)  # the last one, of -1, stays zero
    columns[:-1, reach : reach + steps] = x.T
    seen = columns[channels[:, 0]]
    for place in range(1, channels.shape[1]):
        seen += columns[channels[:, place]]
    taps = [seen[:, k * dilation : k * dilation + steps] for k in range(TAPS)]
    total = taps[0].copy()
    for tap in taps[1:]:
        total += tap
    every = np.arange(N_KERNELS)[:, None]
    moved = KERNELS * dilation
    along = np.arange(steps)
    found = seen[every, moved[:, :1] + along]
    for place in (1, 2):
        found += seen[every, moved[:, place : place + 1] + along]
    return np.float32(3) * found - total


def shares_above(
    responses: np.ndarray, thresholds: np.ndarray, *, inside: np.ndarray, reach: int
) -> np.ndarray:
    """Return for each kernel and threshold the share of steps whose response exceeds it.

    Parameters
    ----------
    responses : float32 array of shape (84, time)
    thresholds : float32 array of shape (84, n)
    inside : bool array of shape (84,)
        Kernels of which only the steps count where the whole kernel lies inside the sequence, if there are any.
    reach : int
        Steps that a kernel sees to either side.

    Returns
    -------
    float32 array of shape (84, n)
        In [0, 1].
    """
    steps = responses.shape[1]
    middle = responses[:, reach : steps - reach] if steps > 2 * reach else responses
    out = np.empty(thresholds.shape, np.float32)
    for rows, part in ((~inside, responses), (inside, middle)):
        for column in range(thresholds.shape[1]):
            above = np.count_nonzero(part[rows] > thresholds[rows, column, None], axis=1)
            out[rows, column] = above / np.float32(part.shape[1])
    return out
