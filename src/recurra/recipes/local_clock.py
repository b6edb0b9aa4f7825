"""Whether the seasons of series follow the local clock of their time zone, as people do, or count steps, as the sun does.

The two differ where the clocks are changed: between two changes, nothing is decided by this.
"""

import math
from collections.abc import Sequence

import numpy as np

from recurra.checks import counted
from recurra.features import local_clock
from recurra.features.known import Known
from recurra.inputs.series import GivenSeries
from recurra.readers.times.calendar import clock_offsets, clock_seconds, stamps, step_of
from recurra.serving.statistical import smoothing

MOST_SERIES = 100  # that are asked
MOST_CHANGES = 10  # of each that are asked, the newest
DAYS = 7  # after a change that are compared with those before
# Series that tell days of the week apart are made by people: their seasons follow the local clock unless the days after a
# change differ so many times as much by the clock as by steps; those of others follow it only below the second number.
PEOPLE, OTHERS = 1.2, 0.9
YEAR = 366 * 86400


def decide(given: GivenSeries, seasons: Sequence[int]) -> tuple[str, str]:
    """Return the step where seasons follow the local clock, else nothing; and a sentence, where there was a choice.

    Parameters
    ----------
    seasons : sequence of int
        Steps.
    """
    changing = [index for index in range(len(given)) if _changes(given.known[index], given.freq, seasons)]
    if not changing:
        return "", ""
    asked = changing[:MOST_SERIES]
    day = round(86400 / step_of(given.freq)[1])
    found = [_compared(given.values[index], given.known[index], given.freq, day) for index in asked]
    by_steps, by_clock, changes = (float(sum(column)) for column in zip(*found, strict=True))
    columns = [column for index in asked for column in given.values[index].T]
    people = 2 * sum(smoothing.recurs(c, day, DAYS * day) for c in columns) >= len(columns)
    local = people if changes == 0 else by_clock <= (PEOPLE if people else OTHERS) * by_steps
    zones = sorted({str(given.known[index].zone) for index in changing})
    clock = f"the local clock of {zones[0]}" if len(zones) == 1 else "the local clocks of their zones"
    if changes:
        ratio = by_clock / by_steps if by_steps > 0 else math.inf
        told = f"over {counted(int(changes), 'change')} days differ {ratio:.2f} times as much by the clock as by steps"
        why = f"{told}, and they {'tell' if people else 'do not tell'} days of the week apart"
    else:
        shown = "tell" if people else "do not tell"
        why = f"they {shown} days of the week apart, and their history shows no change of the clock with days to compare"
    if local:
        return given.freq, f"Seasons follow {clock}: {why}."
    return "", f"Seasons count steps, not the hours of {clock}: {why}."


def _changes(known: Known, freq: str, seasons: Sequence[int]) -> bool:
    """Return whether a zone changes its clocks within a year after a first step by whole steps, but not whole seasons.

    Where an hour is a part of a step, no step after a change is what one before it was.
    """
    if known.start is None or not seasons or not freq or step_of(freq)[0] != "s":
        return False
    count = math.ceil(YEAR / step_of(freq)[1])
    found = clock_offsets(known.start, freq, known.zone, 0, count)
    if found is None:
        return False
    ahead = clock_seconds(stamps(known.start, freq, known.zone, 0, count))
    if ((ahead - ahead[0]) % step_of(freq)[1]).any():
        return False
    moved = np.unique(found - found[0])
    return bool(any((moved % season).any() for season in seasons))


def _compared(values: np.ndarray, known: Known, freq: str, day: int) -> tuple[float, float, int]:
    """Return how much the days after changes of the clock differ from those before: by steps, by the clock, how many.

    Each change counts for 1, its two differences together.
    """
    ahead = local_clock.offsets(known, freq, len(values))
    by_steps, by_clock, count = 0.0, 0.0, 0
    changes = np.flatnonzero(np.diff(ahead)) + 1 if ahead is not None else np.zeros(0, int)
    for at in changes[-MOST_CHANGES:]:
        assert ahead is not None
        moved = int(ahead[at] - ahead[at - 1])
        steps = min(DAYS * day, len(values) - at)
        lag = DAYS * day if at >= DAYS * day + abs(moved) else -(-steps // day) * day
        if steps < day or at < lag + abs(moved):
            continue
        places = at + np.arange(steps)
        places = places[places - lag + moved < at]
        both = [_apart(values, places, places - lag + shift) for shift in (0, moved)]
        if len(places) and np.isfinite(both).all() and sum(both) > 0:
            by_steps, by_clock, count = (
                by_steps + both[0] / sum(both),
                by_clock + both[1] / sum(both),
                count + 1,
            )
    return by_steps, by_clock, count


def _apart(values: np.ndarray, later: np.ndarray, earlier: np.ndarray) -> float:
    """Return how much two stretches differ but for their level, over the size of each column; NaN where nothing is there."""
    sizes = []
    for column in values.T:
        differences = column[later] - column[earlier]
        differences = differences[np.isfinite(differences)]
        spread = float(np.nanstd(column))
        if len(differences) and spread > 0:
            sizes.append(float(np.abs(differences - np.median(differences)).mean()) / spread)
    return float(np.mean(sizes)) if sizes else math.nan
