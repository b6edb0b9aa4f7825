"""A series on the clock of its time zone: habits of people follow it, also where the clocks are changed.

Steps are evenly spaced in universal time. On the grid of the local clock an hour that comes twice is one place, the mean of
both, and an hour that is left out is a place without a step. Between two changes both grids are the same.
"""

from collections.abc import Sequence

import numpy as np

from recurra.features.known import Known
from recurra.readers.times.calendar import clock_offsets


def places(known: Known, freq: str, count: int) -> np.ndarray | None:
    """Return the place of each step on the local clock, 0 for the first; None where it is the step's own number.

    Parameters
    ----------
    known : Known
        Of the first of these steps.
    freq : str
        Step between time stamps; empty where no clock is followed.
    count : int
        Steps.

    Returns
    -------
    ndarray of shape (count,), int64, or None
    """
    found = offsets(known, freq, count)
    if found is None or (found == found[0]).all():
        return None
    return np.asarray(np.arange(count) + found - found[0])


def offsets(known: Known, freq: str, count: int) -> np.ndarray | None:
    """Return by how many steps the local clock is ahead of universal time at each step; None where there is none."""
    if known.start is None or count == 0:
        return None
    return clock_offsets(known.start, freq, known.zone, known.phase - known.begin, count)


def laid(values: np.ndarray, at: np.ndarray, *, seasons: Sequence[int] = ()) -> np.ndarray:
    """Return values of shape (time, columns) on the grid of the local clock.

    Parameters
    ----------
    at : ndarray of shape (time,)
        From `places`.
    seasons : sequence of int
        A place without a step is as one season before, the longest there is, moved by what lies around it; without a
        season between its neighbours.
    """
    size = int(at.max()) + 1
    there = np.isfinite(values)
    sums, counts = np.zeros((size, values.shape[1])), np.zeros((size, values.shape[1]))
    np.add.at(sums, at, np.where(there, values, 0.0))
    np.add.at(counts, at, there)
    with np.errstate(invalid="ignore"):
        grid = sums / counts  # NaN where missing
    left_out = np.bincount(at, minlength=size) == 0
    if left_out.any():
        _fill(
            grid, np.flatnonzero(left_out), max((m for m in seasons if m < int(left_out.argmax())), default=0)
        )
    return grid


def _fill(grid: np.ndarray, holes: np.ndarray, season: int) -> None:
    """Fill places that no step has; they are never the first or the last."""
    for hole in np.split(holes, np.flatnonzero(np.diff(holes) > 1) + 1):
        edges = np.array([hole[0] - 1, hole[-1] + 1])
        for column in grid.T:
            season_before = (
                column[np.r_[edges, hole] - season] if season > len(hole) else np.zeros(2 + len(hole))
            )
            moved = np.interp(hole, edges, column[edges] - season_before[:2])
            column[hole] = moved + season_before[2:]
