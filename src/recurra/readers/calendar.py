"""How far apart the time stamps of a series are: hours, days, months; gaps become missing values."""

from dataclasses import dataclass

import numpy as np

from recurra.errors import DataError

SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86400, "W": 604800}
# Calendar steps, in months.
MONTHS = {"MS": 1, "QS": 3, "YS": 12}
# What usually repeats: steps of a season.
SEASONS = {"MS": 12, "QS": 4, "h": 24, "D": 7, "W": 52, "30min": 48, "15min": 96, "10min": 144, "5min": 288}

# A series may have as many missing steps as this for each one that is there; beyond, its frequency was misread.
MOST_GAPS = 20


@dataclass(frozen=True)
class Grid:
    """Time stamps on a regular grid.

    Parameters
    ----------
    freq : str
        Step: a number (left out if 1) and one of s, min, h, D, W, MS, QS, YS.
    places : ndarray of shape (rows,)
        Step of each row, the first 0.
    gaps : list of str
        The steps that are missing, in words.
    """

    freq: str
    places: np.ndarray
    gaps: list[str]


def read_grid(who: str, seconds: np.ndarray) -> Grid:
    """Find the frequency of time stamps in seconds since 1970, in their order.

    Raises
    ------
    DataError
        If stamps are not in order, appear twice, or follow no one frequency.
    """
    if len(seconds) < 2:
        raise DataError(f"{who}: needs at least two time stamps to know their frequency; got {len(seconds)}.")
    steps = np.diff(seconds)
    if (steps == 0).any():
        at = int(np.flatnonzero(steps == 0)[0])
        raise DataError(
            f"{who}: the time stamp {written(seconds[at])} appears twice (rows {at} and {at + 1} of the series). "
            "Keep one row for each time, or name the column that tells series apart with id=."
        )
    if (steps < 0).any():
        at = int(np.flatnonzero(steps < 0)[0])
        raise DataError(
            f"{who}: time stamps must rise; {written(seconds[at + 1])} comes after {written(seconds[at])}. "
            "Sort the rows by time, or give sort=True."
        )
    freq = infer(steps, seconds)
    if freq is None:
        raise DataError(
            f"{who}: the time stamps follow no one frequency: steps from {_span(steps.min())} to {_span(steps.max())}. "
            "Resample the series, or split it where the frequency changes."
        )
    places = index_of(seconds, freq) - index_of(seconds[:1], freq)
    return Grid(freq, places, _gaps(seconds, places))


def infer(steps: np.ndarray, seconds: np.ndarray) -> str | None:
    """Return the frequency of rising stamps, None if there is none."""
    months = _months(seconds)
    if months is not None:
        for freq in ("YS", "QS", "MS"):
            if (np.diff(months) % MONTHS[freq] == 0).all() and np.diff(months).min() == MONTHS[freq]:
                return freq
        if np.median(steps) > 27 * SECONDS["D"]:
            return "MS"
    step = float(np.median(steps))
    smallest = float(steps.min())
    ratios = steps / smallest
    on_grid = np.abs(ratios - np.round(ratios)) < 0.05
    # Most steps must be the smallest one: otherwise the frequency changes on the way.
    if not on_grid.all() or step > 1.5 * smallest or ratios.sum() > MOST_GAPS * len(steps):
        return None
    return _named(smallest)


def _named(step: float) -> str | None:
    for unit in ("W", "D", "h", "min", "s"):
        count = step / SECONDS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-6:
            return unit if round(count) == 1 else f"{round(count)}{unit}"
    return f"{step:g}s"


def split(freq: str) -> tuple[float, str]:
    """Return count and unit of a frequency: ``30min`` is (30, "min").

    Raises
    ------
    DataError
        If the unit is unknown.
    """
    unit = freq.lstrip("0123456789.e-")
    if unit not in SECONDS and unit not in MONTHS:
        raise DataError(f"freq: must end in one of {', '.join([*SECONDS, *MONTHS])}; got {freq!r}.")
    return float(freq.removesuffix(unit) or 1), unit


def index_of(seconds: np.ndarray, freq: str) -> np.ndarray:
    """Return how many steps after 1970 each time stamp lies: int64."""
    count, unit = split(freq)
    if unit in MONTHS:
        days = np.asarray(seconds, dtype=np.float64).astype("datetime64[s]").astype("datetime64[M]")
        return days.astype(np.int64) // int(MONTHS[unit] * count)
    return np.round(np.asarray(seconds) / (count * SECONDS[unit])).astype(np.int64)


def time_at(places: np.ndarray, freq: str) -> np.ndarray:
    """Return the time stamps of places on the common calendar, steps since 1970: datetime64[s]."""
    count, unit = split(freq)
    if unit in MONTHS:
        return (
            (np.asarray(places) * int(MONTHS[unit] * count)).astype("datetime64[M]").astype("datetime64[s]")
        )
    return np.round(np.asarray(places) * count * SECONDS[unit]).astype("datetime64[s]")


def place_of(start: float | None, freq: str) -> tuple[int, float]:
    """Return the place of a first step on the common calendar, and the seconds that its time stamp lies after it.

    Zeros where there are no time stamps.
    """
    if start is None or not freq:
        return 0, 0.0
    place = int(index_of(np.array([start]), freq)[0])
    return place, start - float(time_at(np.array([place]), freq).astype(np.int64)[0])


def step_after(start: float, freq: str, steps: int) -> float:
    """Return the time stamp, in seconds since 1970, of the step that many after a first one."""
    place, offset = place_of(start, freq)
    return float(time_at(np.array([place + steps]), freq).astype(np.int64)[0]) + offset


def season_of(freq: str) -> int | None:
    """Return the steps of what usually repeats at a frequency, None if nothing usually does."""
    return SEASONS.get(freq)


def _months(seconds: np.ndarray) -> np.ndarray | None:
    """Return months since 1970 of stamps that all lie on the same day of a month, else None."""
    stamps = seconds.astype("datetime64[s]")
    months = stamps.astype("datetime64[M]")
    days = (stamps - months).astype("timedelta64[s]").astype(np.int64)
    last = (months + 1).astype("datetime64[s]") - stamps
    same = (days == days[0]).all() or (last <= np.timedelta64(86400, "s")).all()  # last days of months too
    return months.astype(np.int64) if same and (np.diff(months.astype(np.int64)) > 0).all() else None


def _gaps(seconds: np.ndarray, places: np.ndarray) -> list[str]:
    out = []
    for at in np.flatnonzero(np.diff(places) > 1):
        missing = int(places[at + 1] - places[at] - 1)
        out.append(f"{missing} missing after {written(seconds[at])}")
    return out


def written(seconds: float) -> str:
    """Return a time stamp as text."""
    text = str(np.datetime64(round(float(seconds)), "s")).replace("T", " ")
    return text.removesuffix(" 00:00:00")


def _span(step: float) -> str:
    return f"{step / 86400:g} days" if step >= 86400 else f"{step:g} s"
