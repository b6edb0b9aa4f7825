"""`Recording`: what the readers of signal files have in common before it becomes a record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import did_you_mean, listing
from recurra.errors import DataError, MissingDataError
from recurra.readers.files.unpacked_size import LIMIT_BYTES

# The label of a step that no annotation covers.
NO_EVENT = "none"


@dataclass(frozen=True)
class Event:
    """An annotation: from when, in seconds, for how long (None: until the next), and what it says."""

    start_s: float
    duration_s: float | None
    text: str


@dataclass(frozen=True)
class Recording:
    """One recording.

    Parameters
    ----------
    values : ndarray of shape (time, channels), float64
        In the units of the file; a missing sample is NaN.
    sample_rate_hz : float, optional
        Samples per second.
    channel_names : sequence of str, optional
        One per channel.
    events : sequence of Event
        In order of time.
    notes : sequence of str
        One sentence each, on what was decided or is odd.
    """

    values: np.ndarray
    sample_rate_hz: float | None = None
    channel_names: Sequence[str] | None = None
    events: Sequence[Event] = ()
    notes: tuple[str, ...] = ()

    def labels(self, who: str) -> np.ndarray:
        """Return a label per time step from the events: array of str of shape (time,).

        Raises
        ------
        DataError
            If there is no event, or the sampling rate is not known.
        """
        if not self.events or self.sample_rate_hz is None:
            raise DataError(
                f"{who}: has no annotations to label its steps with. Leave label= out, or give a labels.csv."
            )
        steps = len(self.values)
        out = np.full(steps, NO_EVENT, dtype=object)
        starts = [round(event.start_s * self.sample_rate_hz) for event in self.events]
        for index, event in enumerate(self.events):
            if event.duration_s is None:
                end = starts[index + 1] if index + 1 < len(starts) else steps
            else:
                end = round((event.start_s + event.duration_s) * self.sample_rate_hz)
            out[max(starts[index], 0) : max(end, starts[index], 0)] = event.text
        return out.astype(str)


def named_apart(names: Sequence[str], who: str) -> tuple[list[str], tuple[str, ...]]:
    """Return names of which no two are alike, and what is to be said: signals of one name are numbered in their order."""
    found, notes, number = list(names), [], Counter(names)
    for name in (name for name, count in number.items() if count > 1):
        places = [place for place, other in enumerate(names) if other == name]
        for at, place in enumerate(places, 1):
            own = f"{name} ({at})"
            while own in names:
                own += "'"
            found[place] = own
        notes.append(
            f"{who}: {len(places)} signals are called {name!r}; here they are {listing([found[p] for p in places])}."
        )
    return found, tuple(notes)


def chosen_channels(recording: Recording, wanted: Sequence[str] | None, who: str) -> Recording:
    """Return the recording with these channels, in this order; all of them for None.

    Raises
    ------
    DataError
        If there is no channel of that name.
    """
    if not wanted:
        return recording
    names = list(recording.channel_names or [str(i) for i in range(recording.values.shape[1])])
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{who}: has no channel {name!r}; it has {listing(names)}.{did_you_mean(name, names)}"
            )
    order = [names.index(name) for name in wanted]
    return replace(
        recording, values=np.ascontiguousarray(recording.values[:, order]), channel_names=list(wanted)
    )


def resampled(recording: Recording, rate_hz: float, who: str) -> Recording:
    """Return the recording at another rate, low-passed by `scipy.signal.resample_poly`.

    Raises
    ------
    DataError
        If its own rate is not known.
    """
    own = recording.sample_rate_hz
    if own is None:
        raise DataError(
            f"{who}: cannot be resampled: its own rate is not known. Give it with sample_rate_hz=."
        )
    if own == rate_hz:
        return recording
    return replace(recording, values=resample(recording.values, own, rate_hz), sample_rate_hz=float(rate_hz))


def resample(values: np.ndarray, own_hz: float, rate_hz: float) -> np.ndarray:
    """Return values (time, channels) at another rate; missing values spread as far as the filter reaches.

    Raises
    ------
    DataError
        If there would be more of them than are ever read: a header can claim any rate.
    """
    from scipy.signal import resample_poly

    ratio = Fraction(rate_hz / own_hz).limit_denominator(10_000)
    if 8 * values.size * max(float(ratio), 1.0) > LIMIT_BYTES or ratio == 0:
        raise DataError(
            f"{len(values):,} steps at {own_hz:g} Hz cannot be brought to {rate_hz:g} Hz: that would be "
            f"{float(len(values) * ratio):,.0f}. Check the rate that the file claims."
        )
    return np.asarray(
        resample_poly(np.asarray(values, np.float64), ratio.numerator, ratio.denominator, padtype="line")
    )


def turned(values: np.ndarray, channels_first: bool) -> np.ndarray:
    """Return values as (time, channels): as they are, or turned round where channels come first.

    One row, or one column, is one channel either way.
    """
    if values.ndim == 1 or 1 in values.shape:
        return values.reshape(-1, 1)
    return np.ascontiguousarray(values.T) if channels_first else values


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a file that must be there and hold something.

    Raises
    ------
    MissingDataError, DataError
        If it is not there, or empty.
    """
    if not path.is_file():
        raise MissingDataError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes). Check that writing it was finished.")
    with path.open("rb") as stream:
        return stream.read(count)


def cut_short(path: Any, promised: int, found: int, what: str) -> DataError:
    """Return the error for a header that promises more than the file holds."""
    return DataError(
        f"{path}: its header promises {promised:,} {what}, the file holds {found:,}. It was cut; get it again."
    )
