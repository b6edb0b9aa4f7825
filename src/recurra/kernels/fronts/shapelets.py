r"""How near shapelets, short pieces of other sequences, come to the windows of a sequence, with numpy.

A window has as many steps as a shapelet has, each ``dilation`` steps after the one before. Its distance to a shapelet is the
sum of absolute differences; windows may be normalized first, each channel to mean 0 and deviation 1. Of all windows the
nearest counts, where it stands, and how many are nearer than a limit [1]_.

References
----------
.. [1] A. Guillaume, C. Vrain, W. Elloumi, "Random Dilated Shapelet Transform: A New Approach for Time Series Shapelets",
   ICPRAI 2022, arXiv:2109.13514.
"""

from dataclasses import dataclass

import numpy as np

from recurra.kernels import native_calls
from recurra.kernels.dispatch import native_module

# A window that moves less than this is not divided by its deviation.
LEAST_DEVIATION = 1e-6
# Numbers that are worked on at once.
_BLOCK = 65_536


@dataclass(frozen=True)
class Nearest:
    """What `nearest_windows` returns.

    Parameters
    ----------
    distance : float32 array of shape (shapelets,)
        Of the nearest window.
    place : int64 array of shape (shapelets,)
        The number of that window, of equal ones the first.
    within : int64 array of shape (shapelets,)
        Windows nearer than the limit.
    windows : int
        In all.
    """

    distance: np.ndarray
    place: np.ndarray
    within: np.ndarray
    windows: int


def nearest_windows(
    x: np.ndarray,
    *,
    channels: np.ndarray,
    dilation: int,
    values: np.ndarray,
    limits: np.ndarray,
    normalized: bool,
) -> Nearest:
    """Return how near each shapelet comes to one sequence.

    Parameters
    ----------
    x : float32 array of shape (time, channels)
        Finite, at least one step; what is shorter than a window goes on with its last row.
    channels : int64 array of shape (shapelets, n)
        The channels that each shapelet sees; filled up with -1, which stands for none.
    dilation : int
        Steps from one step of a window to the next.
    values : float32 array of shape (shapelets, n, taps)
        The shapelets, of channels that are none 0.
    limits : float32 array of shape (shapelets,)
    normalized : bool
        Whether windows are normalized; shapelets are as they are.
    """
    columns = whole(x, dilation, values.shape[-1])
    windows = columns.shape[1] - (values.shape[-1] - 1) * dilation
    least, place = np.empty(len(values), np.float32), np.empty(len(values), np.int64)
    within = np.empty(len(values), np.int64)
    if native_calls.runs_native(np.dtype(np.float32)):
        native_module().nearest_windows(
            columns=columns,
            steps=columns.shape[1],
            dilation=dilation,
            taps=values.shape[-1],
            n_channels=len(columns),
            width=channels.shape[1],
            normalized=normalized,
            n_shapelets=len(values),
            channels=channels,
            values=values,
            limits=limits,
            least=least,
            nearest=place,
            within=within,
        )
        return Nearest(least, place, within, windows)
    seen = windows_of(columns, dilation, values.shape[-1], normalized=normalized)
    each = max(1, _BLOCK // windows)
    for first in range(0, len(values), each):
        part = slice(first, first + each)
        found = distances(seen, channels[part], values[part])
        least[part], place[part] = found.min(axis=1), found.argmin(axis=1)
        within[part] = np.count_nonzero(found < limits[part, None], axis=1)
    return Nearest(least, place, within, windows)


def whole(x: np.ndarray, dilation: int, taps: int) -> np.ndarray:
    """Return a sequence (time, channels) as a row for each channel, at least as long as a window."""
    short = (taps - 1) * dilation + 1 - len(x)
    rows = np.concatenate([x, np.repeat(x[-1:], short, axis=0)]) if short > 0 else x
    return np.ascontiguousarray(rows.T, np.float32)


def windows_of(columns: np.ndarray, dilation: int, taps: int, *, normalized: bool) -> np.ndarray:
    """Return all windows: float32 of shape (channels, taps, windows)."""
    windows = columns.shape[1] - (taps - 1) * dilation
    seen = np.stack([columns[:, k * dilation : k * dilation + windows] for k in range(taps)], axis=1)
    return alike(seen) if normalized else seen


def alike(seen: np.ndarray) -> np.ndarray:
    """Return windows (channels, taps, windows) with mean 0 and deviation 1, in float32."""
    # Tap after tap, so that every machine rounds alike.
    exact = seen.astype(np.float64)
    taps = exact.shape[1]
    mean = np.zeros(exact[:, 0].shape)
    for k in range(taps):
        mean += exact[:, k]
    exact -= (mean / taps)[:, None]
    squares = np.zeros(mean.shape)
    for k in range(taps):
        squares += exact[:, k] * exact[:, k]
    deviation = np.sqrt(squares / taps)
    exact /= np.where(deviation > LEAST_DEVIATION, deviation, 1.0)[:, None]
    return exact.astype(np.float32)


def distances(seen: np.ndarray, channels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the distance of each shapelet to each of the windows of `windows_of`: float32 of shape (shapelets, windows)."""
    out = np.zeros((len(values), seen.shape[2]), np.float32)
    for place in range(channels.shape[1]):
        here = np.flatnonzero(channels[:, place] >= 0)
        rows = channels[here, place]
        for k in range(values.shape[2]):
            out[here] += np.abs(values[here, place, k, None] - seen[rows, k])
    return out
