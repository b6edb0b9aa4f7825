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

from recurra.kernels import native_calls
from recurra.kernels.dispatch import native_module

TAPS = 9
# The places of the three large weights of each kernel.
KERNELS = np.array(list(itertools.combinations(range(TAPS), 3)))
N_KERNELS = len(KERNELS)


def convolved(
    x: np.ndarray, *, channels: np.ndarray, dilation: int, kernels: np.ndarray | None = None
) -> np.ndarray:
    """Return kernels over one sequence, zeros before and after it.

    Parameters
    ----------
    x : float32 array of shape (time, channels)
    channels : int64 array of shape (84, n)
        The channels that each kernel sees, summed; filled up with -1, which stands for none.
    dilation : int
        Steps from one input of a kernel to the next.
    kernels : int array of shape (kernels,), optional
        Which; all 84 by default.

    Returns
    -------
    float32 array of shape (kernels, time)
    """
    dilation = _within(x, dilation)
    steps, columns = len(x), apart(x, dilation)
    chosen = np.arange(N_KERNELS) if kernels is None else kernels
    channels = channels[chosen]
    seen = columns[channels[:, 0]]
    for place in range(1, channels.shape[1]):
        seen += columns[channels[:, place]]
    taps = [seen[:, k * dilation : k * dilation + steps] for k in range(TAPS)]
    total = taps[0].copy()
    for tap in taps[1:]:
        total += tap
    every, along = np.arange(len(chosen))[:, None], np.arange(steps)
    moved = KERNELS[chosen] * dilation
    found = seen[every, moved[:, :1] + along]
    for place in (1, 2):
        found += seen[every, moved[:, place : place + 1] + along]
    return np.float32(3) * found - total


def shares_above(x: np.ndarray, *, channels: np.ndarray, dilation: int, thresholds: np.ndarray) -> np.ndarray:
    """Return for each kernel and threshold the share of steps whose response exceeds it.

    Parameters
    ----------
    x, channels, dilation
        As in `convolved`.
    thresholds : float32 array of shape (84, n)

    Returns
    -------
    float32 array of shape (84, n)
        In [0, 1].
    """
    steps, dilation = len(x), _within(x, dilation)
    out = np.empty(thresholds.shape, np.float32)
    if native_calls.runs_native(np.dtype(np.float32)):
        native_module().shares_above(
            columns=apart(x, dilation),
            steps=steps,
            dilation=dilation,
            n_channels=x.shape[1],
            channels=channels,
            width=channels.shape[1],
            limits=thresholds,
            n_limits=thresholds.shape[1],
            out=out,
        )
        return out
    responses = convolved(x, channels=channels, dilation=dilation)
    for column in range(thresholds.shape[1]):
        above = np.count_nonzero(responses > thresholds[:, column, None], axis=1)
        out[:, column] = above.astype(np.float32) / np.float32(steps)
    return out


def _within(x: np.ndarray, dilation: int) -> int:
    """Return a dilation under which kernels see the same: beyond a length all but their middle see nothing."""
    return min(dilation, len(x))


def apart(x: np.ndarray, dilation: int) -> np.ndarray:
    """Return a row for each channel, zeros before and after it, and last a row of zeros."""
    reach = dilation * (TAPS // 2)
    columns = np.zeros((x.shape[1] + 1, len(x) + 2 * reach), np.float32)
    columns[:-1, reach : reach + len(x)] = x.T
    return columns
