"""Steps of a calendar: the time stamp so many steps after another, in its time zone; pandas knows how long a month is.

A frequency is a pandas alias (``h``, ``2W-MON``, ``ME``, ``QS-APR``, ``B``), or one of three that pandas has no name for:
``MS+14D`` is the 15th of every month (``+30D`` its last day at the latest), ``bh[08:00-18:00]`` are hours of business days
from 8 to 18, ``6h@local`` are steps of a local clock, whose day may have 23 or 25 hours.
"""

import math
import re
from typing import Any

import numpy as np

from recurra.errors import DataError, MissingExtraError

# Exact steps in seconds, the longest first.
SECONDS = {"h": 3600, "min": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
MONTHS = {"M": 1, "Q": 3, "Y": 12, "HY": 6}
# Steps of the season that usually repeats, by the step; see `seasons_of`.
_YEAR_OF = {"M": 12, "SM": 24}
# A season of more steps than this is no default: the network would have to read two of them.
_LONGEST_SEASON = 288

_ALIAS = re.compile(
    r"(?P<count>\d+(?:\.\d+(?:e[+-]?\d+)?)?)?(?P<unit>[A-Za-z]+)(?:-(?P<anchor>[\w-]+))?(?:\+(?P<days>\d+)D)?"
    r"(?P<hours>\[\d\d:\d\d-\d\d:\d\d\])?(?P<local>@local)?\Z"
)
_UNITS = {
    "D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond", "ns": "nanosecond",
}  # fmt: skip
_WORDS = {
    "MS": "start of months", "ME": "end of months", "QS": "start of quarters", "QE": "end of quarters",
    "YS": "start of years", "YE": "end of years", "B": "business days", "BMS": "first business day of months",
    "BME": "last business day of months", "BQS": "first business day of quarters",
    "BQE": "last business day of quarters", "BYS": "first business day of years",
    "BYE": "last business day of years", "SMS": "twice a month", "SME": "twice a month", "bh": "business hours",
}  # fmt: skip


def pandas(what: str) -> Any:
    """Return the module pandas, which is imported only where there are dates.

    Raises
    ------
    MissingExtraError
        If it is not installed, as in the light installation; ``what`` says what needs it.
    """
    try:
        import pandas as module
    except ImportError:
        raise MissingExtraError(f"{what} needs the package pandas: pip install pandas") from None
    return module


def split(freq: str) -> tuple[float, str, str]:
    """Return count, unit and anchor of a frequency: ``2QS-APR`` is (2, "QS", "APR").

    Raises
    ------
    DataError
        If pandas does not know the unit.
    """
    found = _ALIAS.match(freq)
    if found is None:
        raise DataError(
            f"freq: must be a frequency of pandas such as 'h', 'D', 'ME' or '2W-MON'; got {freq!r}."
        )
    return float(found["count"] or 1), found["unit"], found["anchor"] or ""


def offset_of(freq: str) -> Any:
    """Return the offset of pandas for a frequency without its ``+14D`` and ``@local``.

    Raises
    ------
    DataError
        If pandas does not know it.
    """
    pd = pandas("a series with dates")
    found = _ALIAS.match(freq)
    count = split(freq)[0]
    assert found is not None
    if found["hours"]:
        return pd.offsets.BusinessHour(int(count), start=found["hours"][1:6], end=found["hours"][7:12])
    if found["unit"] in SECONDS and count != int(count):
        return pd.Timedelta(round(count * SECONDS[found["unit"]] * 1e9), unit="ns")
    try:
        return pd.tseries.frequencies.to_offset(plain_alias(freq))
    except ValueError:
        raise DataError(
            f"freq: must be a frequency of pandas such as 'h', 'D', 'ME' or '2W-MON'; got {freq!r}."
        ) from None


def plain_alias(freq: str) -> str:
    """Return the alias of pandas in a frequency, without its ``+14D`` and ``@local``."""
    return freq.split("+")[0].split("@")[0]


def step_of(freq: str) -> tuple[str, float]:
    """Return what a step is, whatever day it is counted from: kind and count.

    Two series have the same frequency if this is the same: ``W-MON`` and ``7D`` are ("D", 7), ``QE-MAR`` and ``3MS``
    are ("M", 3), ``60min`` is ("s", 3600).
    """
    count, unit, _ = split(freq)
    if unit in SECONDS:
        seconds = round(count * SECONDS[unit], 9)
        return ("D", seconds / 86400) if seconds % 86400 == 0 else ("s", seconds)
    if unit in ("D", "W"):
        return "D", count * (7 if unit == "W" else 1)
    if unit in ("B", "C"):
        return "B", count
    if unit in ("SMS", "SME"):
        return "SM", count
    if unit in ("WOM", "LWOM"):
        return "M", count
    if unit in ("RE", "REQ"):
        return "M", count * (12 if unit == "RE" else 3)
    if unit in ("bh", "cbh"):
        return "bh", count
    months = MONTHS.get(unit.removeprefix("C").removeprefix("B")[:-1])
    if months is None:
        raise DataError(
            f"freq: must be a frequency of pandas such as 'h', 'D', 'ME' or '2W-MON'; got {freq!r}."
        )
    return "M", count * months


def seasons_of(freq: str) -> tuple[int, ...]:
    """Return the steps of what usually repeats at a frequency, the shortest first; none if nothing usually does.

    Of months and longer steps a year, of weeks a year, of days a week, of shorter steps a day and a week.
    """
    if not freq:
        return ()
    kind, count = step_of(freq)
    if kind == "D":
        found = {1: 7, 7: 52, 14: 26}.get(int(count)) if count == int(count) else None
        return () if found is None else (found,)
    if kind == "B":
        return (5,) if count == 1 else ()
    if kind == "bh":
        opens, closes = _hours(freq)
        hours = round((closes - opens) / 3600)
        return (hours, 5 * hours) if count == 1 else ()
    steps = 86400 / count if kind == "s" else _YEAR_OF[kind] / count
    if steps != int(steps) or not 1 < steps <= _LONGEST_SEASON:
        return ()
    return (int(steps), 7 * int(steps)) if kind == "s" else (int(steps),)


def in_words(freq: str) -> str:
    """Return a frequency as messages show it behind "every": ``day``, ``30 minutes``, ``ME (end of months)``."""
    if (plain := re.fullmatch(r"(\d*)(D|h|min|s|ms|us|ns)", freq)) is not None:
        unit = _UNITS[plain[2]]
        return unit if plain[1] in ("", "1") else f"{plain[1]} {unit}s"
    words = _WORDS.get(split(freq)[1])
    return f"{freq} ({words})" if words else freq


def anchored(freq: str, start: Any) -> str:
    """Return a frequency on which a first time stamp lies: ``W`` from a Monday is ``W-MON``, ``MS`` from a 15th ``MS+14D``.

    Parameters
    ----------
    start : pandas.Timestamp without time zone
    """
    found = _ALIAS.match(freq)
    if found is None or found["anchor"] or found["days"]:
        return freq
    count, unit = found["count"] or "", found["unit"]
    if unit == "W":
        return f"{count}W-{start.day_name()[:3].upper()}"
    if unit in ("QS", "YS", "MS"):
        month = "" if unit == "MS" else f"-{start.month_name()[:3].upper()}"
        return f"{count}{unit}{month}" + (f"+{start.day - 1}D" if start.day > 1 else "")
    return freq


def stamps(start: float, freq: str, zone: str | None, first: int, count: int) -> Any:
    """Return the time stamps of steps counted from a first one.

    Parameters
    ----------
    start : float
        When step 0 was, in seconds since 1970 (of the local clock where there is no zone).
    freq : str
        Step.
    zone : str or None
        Time zone, such as "Europe/Berlin" or "+01:00": days, weeks and months are then those of its clock.
    first : int
        First step to return, below 0 for one before ``start``.
    count : int
        Number of steps.

    Returns
    -------
    pandas.DatetimeIndex of shape (count,)
        In the zone.
    """
    anchor = moment(start, zone)
    if count == 0:
        return _index([], zone)
    kind, size = step_of(freq)
    if (kind == "s" or split(freq)[1] in SECONDS) and not freq.endswith("@local"):
        pd = pandas("a series with dates")
        step = size * (86400 if kind == "D" else 1)
        anchor = anchor.as_unit("ns" if step % 1e-6 > 1e-10 else "us")
        return anchor + pd.to_timedelta((first + np.arange(count)) * round(step * 1e9), unit="ns").as_unit(
            anchor.unit
        )
    wall = anchor.tz_localize(None)
    freq = anchored(freq, wall)
    if zone is None:
        return _wall_stamps(wall, freq, first, count)
    return localized(_days_there_were(wall, freq, zone, first, count), zone)


def _days_there_were(wall: Any, freq: str, zone: str, first: int, count: int) -> Any:
    """Return stamps of a local clock without the days that a zone left out, as Samoa did with 2011-12-30.

    Of days and business days the next one follows; a longer step falls on the day before.
    """
    daily = step_of(freq) in (("D", 1), ("B", 1))
    begin, end = (min(first, 0) - 2, max(first + count, 1) + 2) if daily else (first, first + count)
    made = _wall_stamps(wall, freq, begin, end - begin)
    gone = left_out(made, zone)
    if not gone.any():
        return made[first - begin : first - begin + count]
    if not daily:
        pd = pandas("a series with dates")
        return made - pd.to_timedelta(gone.astype(np.int64), unit="D")
    zero = int((~gone[:-begin]).sum())
    return made[~gone][zero + first : zero + first + count]


def left_out(wall: Any, zone: str) -> np.ndarray:
    """Return which stamps of a local clock lie on a day that the zone left out, bool of shape (stamps,)."""
    gone = np.zeros(len(wall), bool)
    odd = np.asarray(wall.tz_localize(zone, ambiguous=~gone, nonexistent="NaT").isna())
    if odd.any():
        gone[odd] = localized(wall[odd], zone).tz_localize(None).normalize() != wall[odd].normalize()
    return gone


def _wall_stamps(wall: Any, freq: str, first: int, count: int) -> Any:
    pd = pandas("a series with dates")
    found = _ALIAS.match(freq)
    assert found is not None
    offset = offset_of(freq)
    if not found["days"]:
        return _range(wall, offset, first, count)
    month = wall.replace(day=1)
    begins = _range(month, offset, first, count)
    days = np.minimum(int(found["days"]), begins.days_in_month.to_numpy() - 1)
    return begins + pd.to_timedelta(days, unit="D")


def _range(wall: Any, offset: Any, first: int, count: int) -> Any:
    pd = pandas("a series with dates")
    if first >= 0:
        return pd.date_range(wall, periods=first + count, freq=offset)[first:]
    before = pd.date_range(end=wall, periods=1 - first, freq=offset)[:count]
    rest = count - len(before)
    return before.append(pd.date_range(wall, periods=rest + 1, freq=offset)[1:]) if rest > 0 else before


def localized(wall: Any, zone: str | None) -> Any:
    """Return stamps of a local clock in its zone: of an hour that comes twice the first, of one left out the next."""
    if zone is None:
        return wall
    return wall.tz_localize(zone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")


def moment(seconds: float, zone: str | None) -> Any:
    """Return seconds since 1970 as a pandas.Timestamp in a zone; exact to the microsecond."""
    pd = pandas("a series with dates")
    stamp = pd.Timestamp(np.datetime64(round(seconds * 1e6), "us"))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _index(values: Any, zone: str | None) -> Any:
    pd = pandas("a series with dates")
    made = pd.DatetimeIndex(np.asarray(values, dtype="datetime64[us]"))
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def place_of(start: float | None, freq: str, zone: str | None = None) -> int:
    """Return the place of a first step on the calendar that all series of a frequency share, steps since 1970.

    It says which part of its season a series begins with. 0 where there are no time stamps.
    """
    if start is None or not freq:
        return 0
    count, unit, _ = split(freq)
    kind, size = step_of(freq)
    if kind == "s":
        return math.floor(start / size + 0.5)
    seconds = start
    if zone is not None:
        seconds = moment(start, zone).tz_localize(None).timestamp()
    if kind == "D":
        return math.floor(seconds / (size * 86400) + 0.5)
    day = np.datetime64(int(seconds // 86400), "D")
    if kind in ("B", "bh"):
        days = int(np.busday_count("1970-01-01", day))
        if kind == "B":
            return int(days // count)
        opens, closes = _hours(freq)
        return int((days * round((closes - opens) / 3600) + (seconds % 86400 - opens) // 3600) // count)
    month = int(day.astype("datetime64[M]").astype(np.int64))
    if kind == "SM":
        late = day.astype("datetime64[M]").astype("datetime64[D]") + (0 if unit == "SMS" else 27) < day
        return int((2 * month + int(late)) // count)
    return int(month // int(size))


def _hours(freq: str) -> tuple[int, int]:
    """Return when business hours begin and end, in seconds of the day; beyond 86,400 where they end at or after midnight."""
    found = re.search(r"\[(\d\d):(\d\d)-(\d\d):(\d\d)\]", freq)
    a, b, c, d = (int(part) for part in found.groups()) if found else (9, 0, 17, 0)
    opens, closes = a * 3600 + b * 60, c * 3600 + d * 60
    return opens, closes if closes > opens else closes + 86400


def start_of(place: int, freq: str) -> float:
    """Return the seconds since 1970 of a place as versions before 0.2 counted it: months from their first day."""
    count, unit, _ = split(freq)
    if unit in ("MS", "QS", "YS"):
        month = place * int(MONTHS[unit[0]] * count)
        return float(np.datetime64(month, "M").astype("datetime64[s]").astype(np.int64))
    seconds = {**SECONDS, "D": 86400, "W": 604800}[unit]
    return place * count * seconds


def step_after(start: float, freq: str, steps: int, zone: str | None = None) -> float:
    """Return the time stamp, in seconds since 1970, of the step that many after a first one."""
    return seconds_of(stamps(start, freq, zone, steps, 1))[0].item()


def steps_between(start: float, later: float, freq: str, zone: str | None = None) -> int:
    """Return how many steps after a first stamp another lies, below 0 if before; the nearest step if between two."""
    kind, size = step_of(freq)
    if kind == "s":
        return round((later - start) / size)
    mean = {"D": 1.0, "B": 1.4, "bh": 0.175, "M": 30.436875, "SM": 15.2184375}[kind] * size * 86400
    about = round((later - start) / mean)
    reach = max(10, abs(about) // 20)
    near = seconds_of(stamps(start, freq, zone, about - reach, 2 * reach + 1))
    return int(about - reach + np.abs(near - later).argmin())


def clock_offsets(start: float, freq: str, zone: str | None, first: int, count: int) -> np.ndarray | None:
    """Return by how many whole steps the local clock is ahead of universal time at each step; int64 of shape (count,).

    None where a season of steps and one of the clock are the same: without a zone, of days and longer steps, and of steps
    that are counted on the local clock. What is less than a step is cut off: half an hour of Adelaide's 9.5 and 10.5 alike.

    Parameters
    ----------
    start : float
        Time stamp of the step at place 0, in seconds since 1970.
    first : int
        Place of the first step.
    """
    if zone is None or not freq or freq.endswith("@local") or step_of(freq)[0] != "s":
        return None
    ahead = clock_seconds(stamps(start, freq, zone, first, count))
    return np.asarray(np.floor(ahead / step_of(freq)[1]), dtype=np.int64)


def clock_seconds(index: Any) -> np.ndarray:
    """Return how many seconds the local clock of a pandas.DatetimeIndex is ahead of universal time; whole float64."""
    return np.asarray(np.round(seconds_of(index.tz_localize(None)) - seconds_of(index)))


def places_on(start: float, freq: str, zone: str | None, index: Any) -> tuple[np.ndarray, float]:
    """Return how many steps after a first stamp others lie, and by what share of a step at most they lie beside it.

    Parameters
    ----------
    index : pandas.DatetimeIndex of shape (rows,)
        In the order of time.
    """
    seconds = seconds_of(index)
    first, last = (steps_between(start, float(s), freq, zone) for s in (seconds[0], seconds[-1]))
    grid = seconds_of(stamps(start, freq, zone, first - 1, max(last - first, 0) + 3))
    right = np.clip(np.searchsorted(grid, seconds), 1, len(grid) - 1)
    nearest = np.where(seconds - grid[right - 1] <= grid[right] - seconds, right - 1, right)
    beside = np.abs(grid[nearest] - seconds).max() / float(np.median(np.diff(grid)))
    return nearest + first - 1, float(beside)


def seconds_of(index: Any) -> np.ndarray:
    """Return a DatetimeIndex as float64 seconds since 1970 of shape (steps,)."""
    plain = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    values = plain.to_numpy()
    unit = np.datetime_data(values.dtype)[0]
    return np.asarray(
        values.astype(np.int64) / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit], dtype=np.float64
    )


def written(seconds: float, zone: str | None = None) -> str:
    """Return a time stamp as text: its date alone at midnight, with the offset where there is a zone."""
    if zone is not None:
        return str(moment(seconds, zone)).replace(" 00:00:00", " 00:00")
    text = str(np.datetime64(round(float(seconds)), "s")).replace("T", " ")
    return text.removesuffix(" 00:00:00")


def same_step(a: str, b: str) -> bool:
    """Return whether two frequencies are steps of the same length, whatever day they are counted from."""
    return step_of(a) == step_of(b)
