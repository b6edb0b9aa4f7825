"""Labels per time step as segments: from when to when, and what."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.checks import check_number
from recurra.errors import UsageError
from recurra.features.rows.alignment import Alignment


@dataclass(frozen=True)
class Segment:
    """A stretch of steps with one label.

    Parameters
    ----------
    start, end : int
        Its first step, and the one after its last.
    label : str, int or bool
        The class.
    start_s, end_s : float or None
        The same in seconds since the beginning; None where the sampling rate is not known.
    """

    start: int
    end: int
    label: Any
    start_s: float | None = None
    end_s: float | None = None


def segments_of(
    codes: np.ndarray,
    *,
    steps: int,
    alignment: Alignment | None = None,
    classes: np.ndarray,
    rate_hz: float | None = None,
    min_duration_s: float = 0.0,
) -> list[Segment]:
    """Return the segments of one sequence; they cover it without a gap.

    Parameters
    ----------
    codes : ndarray of int, shape (rows,)
        Index of the class of each row, which is a step, or stands for several.
    steps : int
        Steps of the sequence.
    alignment : Alignment, optional
        Which steps a row stands for; by default every row is a step.
    classes : ndarray
        Label of each index.
    rate_hz : float, optional
        Steps per second.
    min_duration_s : float
        Shorter segments become part of a neighbour, the shortest first; steps where the rate is not known.

    Raises
    ------
    UsageError
        If ``min_duration_s`` is below 0.
    """
    check_number("segments", "min_duration_s", min_duration_s, low=0)
    changes = np.flatnonzero(np.diff(codes)) + 1
    firsts = np.concatenate([[0], changes])
    starts = [0, *(_first_step(int(row), alignment) for row in changes)]
    found = [[a, b, int(codes[row])] for a, b, row in zip(starts, [*starts[1:], steps], firsts, strict=True)]
    found = [one for one in found if one[1] > one[0]]
    found = _merged(found, min_duration_s * (rate_hz or 1.0))
    names = classes.tolist()
    return [
        Segment(a, b, names[code], *((None, None) if rate_hz is None else (a / rate_hz, b / rate_hz)))
        for a, b, code in found
    ]


def _first_step(row: int, alignment: Alignment | None) -> int:
    """Return the first step that a row stands for: the one after those of the rows before."""
    return row if alignment is None else alignment.answered(row)


def _merged(found: list[list[int]], least: float) -> list[list[int]]:
    """Give segments shorter than ``least`` to their longer neighbour, the shortest first."""
    while len(found) > 1:
        short = min(range(len(found)), key=lambda i: (found[i][1] - found[i][0], i))
        length = found[short][1] - found[short][0]
        if length >= least:
            break
        near = [i for i in (short - 1, short + 1) if 0 <= i < len(found)]
        into = max(near, key=lambda i: found[i][1] - found[i][0])
        found[short][2] = found[into][2]
        joined: list[list[int]] = []
        for one in found:
            if joined and joined[-1][2] == one[2]:
                joined[-1][1] = one[1]
            else:
                joined.append(one)
        found = joined
    return found


def labels_of(segments: list[Segment]) -> np.ndarray:
    """Return the label of every step of a sequence cut into segments.

    Raises
    ------
    UsageError
        If there is no segment.
    """
    if not segments:
        raise UsageError("labels_of: needs at least one segment; got none.")
    return np.repeat(np.array([s.label for s in segments]), [s.end - s.start for s in segments])
