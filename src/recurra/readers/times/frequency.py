"""How far apart the time stamps of a series are, found by trying the frequencies of pandas; gaps become missing values."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.readers.times.calendar import (
    SECONDS,
    in_words,
    left_out,
    localized,
    offset_of,
    pandas,
    seconds_of,
    step_of,
    written,
)

# A series may have as many missing steps as this for each one that is there; beyond, its frequency was misread.
MOST_GAPS = 20
# The step between most stamps is the frequency: the median of the steps is below this many of them.
MOST_STEPS = 1.5
# Stamps may lie this share of a step beside their place.
JITTER = 0.25
# Stamps of days, weeks and months may be this many seconds apart within the day, and these days of the month's edge.
JITTER_OF_DAY, JITTER_OF_MONTH = 6 * 3600.0, 4
DAY = 86400
# Days between stamps, on the average, from which on they may be twice a month.
_HALF_A_MONTH = 12
# Seconds that a local clock is turned back by, at most.
_TURNED_BACK = 3 * 3600


@dataclass(frozen=True)
class Grid:
    """Time stamps on a regular grid.

    Parameters
    ----------
    freq : str
        Step; see `recurra.readers.times.calendar`.
    places : ndarray of shape (rows,)
        Step of each row, the first 0.
    gaps : list of str
        The steps that are missing, in words.
    start : float
        Seconds since 1970 of the first step.
    note : str
        What was evened out, empty if nothing was.
    """

    freq: str
    places: np.ndarray
    gaps: list[str]
    start: float
    note: str = ""


@dataclass(frozen=True)
class _Found:
    """A frequency that fits."""

    freq: str
    places: np.ndarray
    start: float
    beside: float = 0.0

    @property
    def missing(self) -> int:
        return int(self.places[-1]) + 1 - len(self.places)


def read_grid(who: str, index: Any) -> Grid:
    """Find the frequency of time stamps in their order.

    Parameters
    ----------
    index : pandas.DatetimeIndex of shape (rows,)
        With a time zone, days, weeks and months are those of its clock.

    Raises
    ------
    DataError
        If stamps are not in order, appear twice, or follow no one frequency.
    """
    if len(index) < 2:
        raise DataError(f"{who}: needs at least two time stamps to know their frequency; got {len(index)}.")
    seconds = seconds_of(index)
    zone = zone_name(index)
    steps = np.diff(_ticks(index))
    if (steps == 0).any():
        at = int(np.flatnonzero(steps == 0)[0])
        raise DataError(
            f"{who}: the time stamp {written(seconds[at], zone)} appears twice (rows {at} and {at + 1} of the series). "
            f"Keep one row for each time, or name the column that tells series apart with id=.{_clock_change(index, at)}"
        )
    if (steps < 0).any():
        at = int(np.flatnonzero(steps < 0)[0])
        raise DataError(
            f"{who}: time stamps must rise; {written(seconds[at + 1], zone)} comes after {written(seconds[at], zone)}. "
            f"Sort the rows by time, or give sort=True.{_clock_change(index, at)}"
        )
    found = infer(index)
    if found is None:
        span = steps * 1e-9
        raise DataError(
            f"{who}: the time stamps follow no one frequency: steps from {_span(span.min())} to {_span(span.max())}. "
            "Resample the series with resample=, or split it where the frequency changes."
        )
    note = ""
    if found.beside > 0:
        note = (
            f"the time stamps lie up to {_span(found.beside)} beside a step every {in_words(found.freq)}; each row was "
            "taken for the step it is nearest to."
        )
    gaps = [
        f"{int(found.places[at + 1] - found.places[at] - 1)} missing after {written(seconds[at], zone)}"
        for at in np.flatnonzero(np.diff(found.places) > 1)
    ]
    return Grid(found.freq, found.places, gaps, found.start, note)


def _clock_change(index: Any, at: int) -> str:
    """Explain an hour that comes twice in autumn, where there is no zone to tell them apart."""
    stamp = index[at]
    if (stamp - index[at + 1]).total_seconds() > _TURNED_BACK or (index == index.normalize()).all():
        return ""
    if index.tz is None and stamp.month in (3, 4, 9, 10, 11) and stamp.hour <= 3 and stamp.second == 0:
        return " If these are local times, the clocks were put back in this hour: give time_zone=, such as 'Europe/Berlin'."
    return ""


def zone_name(index: Any) -> str | None:
    """Return the time zone of a DatetimeIndex as text, "+01:00" for a fixed offset; None without one."""
    if index.tz is None:
        return None
    text = str(index.tz)
    return text.removeprefix("UTC") if text.startswith(("UTC+", "UTC-")) else text


def infer(index: Any) -> _Found | None:
    """Return the frequency of rising stamps with the fewest missing steps, None if none fits."""
    wall = index.tz_localize(None)
    median = float(np.median(np.diff(_ticks(index)))) * 1e-9
    if index.tz is not None and median >= 20 * 3600:
        wall = _as_meant(wall, index)
    exact, near = _within_day(wall)
    if median < 20 * 3600:
        near = None
    if near is not None and exact:
        found = _by_date(*near, 0.0)
        if found is not None:
            return _zoned(found, index)
    found = _best([*_exact_ticks(index, ""), *_business_hours(wall, index)])
    if found is None and index.tz is not None:
        found = _best(list(_exact_ticks(wall, "@local")))
        if found is not None:
            return _zoned(found, index)
    if found is None and near is not None:
        found = _by_date(*near, JITTER_OF_MONTH)
        if found is not None:
            return _zoned(found, index)
    return found or _jittered_ticks(index)


def _as_meant(wall: Any, index: Any) -> Any:
    """Return local stamps with the usual time of day where the clock left it out, as midnight is in São Paulo and Cairo."""
    days = wall.normalize()
    of_day = wall - days
    usual = of_day.value_counts().index[0]
    odd = np.flatnonzero(of_day != usual)
    meant = days[odd] + usual
    odd = odd[localized(meant, zone_name(index)) == index[odd]]
    if not odd.size:
        return wall
    values = wall.to_numpy().copy()
    values[odd] = (days[odd] + usual).to_numpy()
    return type(wall)(values)


def _zoned(found: _Found, index: Any) -> _Found:
    """Return what was found on the local clock with its start in seconds since 1970, days that never were not counted."""
    pd = pandas("a series with dates")
    zone, places = zone_name(index), found.places
    first = pd.DatetimeIndex([np.datetime64(round(found.start * 1e6), "us")])
    if zone is not None and step_of(found.freq) in (("D", 1), ("B", 1)):
        every = pd.date_range(first[0], periods=int(places[-1]) + 1, freq=offset_of(found.freq))
        places = places - np.cumsum(left_out(every, zone))[places]
    return _Found(found.freq, places, float(seconds_of(localized(first, zone))[0]), found.beside)


def _ticks(index: Any) -> np.ndarray:
    """Return stamps as whole nanoseconds, counted from the first so that no year is too far away."""
    plain = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    values = plain.to_numpy()
    scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[np.datetime_data(values.dtype)[0]]
    whole = values.astype(np.int64)
    ticks = whole - whole[0]
    if ticks.size and abs(int(ticks[-1])) > 2**63 // scale - 1:
        # more than 292 years: seconds are fine enough
        return np.asarray(ticks.astype(object) * scale, dtype=np.float64)
    return np.asarray(ticks * scale)


def _within_day(wall: Any) -> tuple[bool, tuple[np.ndarray, float, float] | None]:
    """Return whether all stamps have one time of day, and dates, that time in seconds and the largest distance from it.

    None in place of these if the times of day are too far apart.
    """
    seconds = seconds_of(wall)
    usual = float(seconds[0] % DAY)
    beside = (seconds - usual + DAY / 2) % DAY - DAY / 2
    dates = np.round((seconds - usual - beside) / DAY).astype(np.int64)
    middle = round(float(np.median(beside)))
    width = float(np.abs(beside - middle).max())
    if width > JITTER_OF_DAY:
        return False, None
    if width < 1e-6:
        return True, (dates, usual, 0.0)
    at = usual + middle
    rounded = round(at / 60) * 60.0
    at = rounded if np.abs(beside + usual - rounded).max() <= 2 * width else at
    return False, (dates + int(at // DAY), at % DAY, width)


def _best(found: list[_Found]) -> _Found | None:
    """Return what leaves the fewest steps missing, the first of several."""
    return min(found, key=lambda one: one.missing, default=None)


def _kept(freq: str, places: np.ndarray, start: float, beside: float = 0.0) -> _Found | None:
    """Return a frequency whose multiple fits, None if most steps would be missing: ``freq`` has {} for the count."""
    diffs = np.diff(places)
    if (diffs <= 0).any():
        return None
    count = int(np.gcd.reduce(diffs))
    places = (places - places[0]) // count
    if np.median(diffs) > MOST_STEPS * count or places[-1] > MOST_GAPS * len(places):
        return None
    return _Found(_counted(freq, count), places, start, beside)


def _counted(freq: str, count: int) -> str:
    """Return so many of a frequency, in the longest unit: 3 ``MS`` from May are ``QS-MAY``."""
    unit, _, month = freq.partition("~")
    if not month:
        return f"{count if count > 1 else ''}{freq}"
    unit, plus, days = unit.partition("+")
    if count % 12 == 0:
        count, unit = count // 12, f"{unit.replace('M', 'Y')}-{month}"
    elif count % 3 == 0:
        count, unit = count // 3, f"{unit.replace('M', 'Q')}-{month}"
    return f"{count if count > 1 else ''}{unit}{plus}{days}"


# ------------------------------------------------------------ days and longer


def _by_date(dates: np.ndarray, at: float, beside: float, loose: float) -> _Found | None:
    """Return the frequency of dates (days since 1970) at a time of day in seconds.

    With ``loose`` days of months may be that many from the month's edge, as the last trading days are.
    """
    pd = pandas("a series with dates")
    days = pd.DatetimeIndex(dates.astype("datetime64[D]").astype("datetime64[s]"))
    start = float(dates[0] * DAY + at)
    found = _best([one for one in _candidates(days, dates, start, beside) if one is not None])
    if (found is None or found.missing) and len(set(days.day_of_week)) == 1:
        fiscal = [one for one in _fiscal(days, start, beside) if one is not None]
        found = _best([*([found] if found else []), *fiscal])
    if found is None and loose:
        found = _near_edges(days, start, loose)
    return found


def _candidates(days: Any, dates: np.ndarray, start: float, beside: float) -> Iterator[_Found | None]:
    month = (days.year * 12 + days.month).to_numpy().astype(np.int64)
    day, left = days.day.to_numpy(), (days.days_in_month - days.day).to_numpy()
    name = days[0].month_name()[:3].upper()
    largest = int(day.max())
    if (day == 1).all():
        yield _kept(f"MS~{name}", month, start, beside)
    elif (left == 0).all():
        yield _kept(f"ME~{name}", month, start, beside)
    elif ((day == largest) | ((left == 0) & (day < largest))).all():
        yield _kept(f"MS+{largest - 1}D~{name}", month, start, beside)
    steps = np.diff(dates)
    count = int(np.gcd.reduce(steps))
    if count % 7 == 0:
        yield _kept(f"W-{days[0].day_name()[:3].upper()}", dates // 7 - dates[0] // 7, start, beside)
    yield _kept("D", dates, start, beside)
    weekdays = days.day_of_week.to_numpy()
    one_weekday = bool((weekdays == weekdays[0]).all())
    if weekdays.max() < 5 and not one_weekday:
        yield _kept("B", np.busday_count("1970-01-01", dates.astype("datetime64[D]")), start, beside)
        for unit in ("BMS", "BME"):
            if np.median(steps) > 20 and offset_of(unit).is_on_offset(days[0]):
                yield _on(days, unit, month, start, beside, f"{unit}~{name}")
    if np.mean(steps) >= _HALF_A_MONTH and not one_weekday:
        yield from _twice_a_month(days, day, left, start, beside)
    if one_weekday and np.median(steps) >= 20:
        yield from _of_weekdays(days, day, left, month, start, beside)


def _on(days: Any, unit: str, places: np.ndarray, start: float, beside: float, freq: str) -> _Found | None:
    """Return a frequency if every day is one of its days."""
    pd = pandas("a series with dates")
    made = pd.date_range(days[0], days[-1], freq=offset_of(unit))
    if len(made) == 0 or (made.get_indexer(days) < 0).any():
        return None
    return _kept(freq, places, start, beside)


def _twice_a_month(
    days: Any, day: np.ndarray, left: np.ndarray, start: float, beside: float
) -> Iterator[_Found | None]:
    pd = pandas("a series with dates")
    for unit, edge in (("SMS", day == 1), ("SME", left == 0)):
        others = sorted(set(day[~edge].tolist()))
        if len(others) == 1 and edge.any() and 1 < others[0] < 28:
            freq = f"{unit}-{others[0]}"
            made = pd.date_range(days[0], days[-1], freq=freq)
            yield _kept(freq, made.get_indexer(days), start, beside)


def _of_weekdays(
    days: Any, day: np.ndarray, left: np.ndarray, month: np.ndarray, start: float, beside: float
) -> Iterator[_Found | None]:
    """Yield the third, or the last, Friday of months."""
    weekday = days[0].day_name()[:3].upper()
    week = (day - 1) // 7
    if (week == week[0]).all() and week[0] < 4:
        yield _kept(f"WOM-{week[0] + 1}{weekday}", month, start, beside)
    if (left < 7).all():
        yield _kept(f"LWOM-{weekday}", month, start, beside)


def _fiscal(days: Any, start: float, beside: float) -> Iterator[_Found | None]:
    """Yield fiscal years and quarters of whole weeks, a week longer now and then."""
    pd = pandas("a series with dates")
    usual = float(np.median(np.diff(days.to_numpy().astype("datetime64[D]").astype(np.int64))))
    if usual < 91:
        return
    weekday = days[0].day_name()[:3].upper()
    names = [pd.Timestamp(2000, month, 1).month_name()[:3].upper() for month in (12, *range(1, 12))]
    anchors = [f"{variation}-{name}-{weekday}" for variation in "NL" for name in names]
    for freq in [f"RE-{a}" for a in anchors] + [
        f"REQ-{a}-{extra}" for a in anchors for extra in (1, 4, 2, 3)
    ]:
        offset = offset_of(freq)
        if all(offset.is_on_offset(day) for day in days):
            made = pd.date_range(days[0], days[-1], freq=offset)
            places = made.get_indexer(days)
            if (places >= 0).all():
                yield _kept(freq, places, start, beside)
                return


def _near_edges(days: Any, start: float, loose: float) -> _Found | None:
    """Return months whose stamps lie near an edge of the month, such as the last day of trading."""
    pd = pandas("a series with dates")
    day, left = days.day.to_numpy(), (days.days_in_month - days.day).to_numpy()
    month = (days.year * 12 + days.month).to_numpy().astype(np.int64)
    unit = "ME" if (left <= loose).all() else "MS" if (day <= loose + 1).all() else None
    if unit is None:
        return None
    unit = f"B{unit}" if days.day_of_week.max() < 5 else unit
    first = pd.date_range(days[0].replace(day=1), periods=1, freq=unit)[0]
    beside = float((left if unit.endswith("E") else day - 1).max()) * DAY
    begin = start + (first - days[0]).total_seconds()
    return _kept(f"{unit}~{days[0].month_name()[:3].upper()}", month, begin, beside)


# ------------------------------------------------------------ hours and shorter


def _exact_ticks(index: Any, suffix: str) -> Iterator[_Found]:
    """Yield the step that all stamps are whole numbers of."""
    ticks = _ticks(index)
    if ticks.dtype.kind != "i":
        return
    step = int(np.gcd.reduce(np.diff(ticks)))
    if suffix and (step < 2 * 3600 * 10**9 or DAY * 10**9 % step):
        return
    found = _kept("{}", ticks // step, float(seconds_of(index)[0]))
    if found is not None:
        step *= int(found.freq[:-2] or 1)
        yield _Found(tick_name(step) + suffix, found.places, found.start)


def tick_name(nanoseconds: int) -> str:
    """Return a step in the longest unit it is a whole number of: 1,800 s is ``30min``."""
    for unit, seconds in SECONDS.items():
        count, rest = divmod(nanoseconds, round(seconds * 1e9))
        if rest == 0 and count:
            return f"{count if count > 1 else ''}{unit}"
    return f"{nanoseconds}ns"


def _business_hours(wall: Any, index: Any) -> Iterator[_Found]:
    """Yield whole hours of business days, such as those an exchange is open."""
    seconds = seconds_of(wall) % DAY
    opens, closes = float(seconds.min()), float(seconds.max())
    whole = (seconds - opens) % 3600 == 0
    if not whole.all() or wall.day_of_week.max() > 4 or not 3600 <= closes - opens < 22 * 3600 or opens % 60:
        return
    pd = pandas("a series with dates")
    usual = opens >= 9 * 3600 and closes < 17 * 3600 and opens % 3600 == 0
    for freq in (*(("bh",) if usual else ()), f"bh[{_of_day(opens)}-{_of_day(closes + 3600)}]"):
        made = pd.date_range(wall[0], wall[-1], freq=offset_of(freq))
        places = made.get_indexer(wall) if len(made) else np.array([-1])
        if (places >= 0).all():
            found = _kept(freq, places, float(seconds_of(wall)[0]))
            if found is not None:
                yield _zoned(found, index)


def _of_day(seconds: float) -> str:
    seconds %= DAY  # hours that end at midnight end at 00:00
    return f"{int(seconds // 3600):02d}:{int(seconds % 3600 // 60):02d}"


def _jittered_ticks(index: Any) -> _Found | None:
    """Return the step of stamps that lie beside their places: the median that fits, in the roundest unit that does."""
    wall = index.tz_localize(None)
    long = float(np.median(np.diff(_ticks(index)))) >= 20 * 3600e9
    axis = wall if long else index
    ticks = _ticks(axis).astype(np.float64)
    steps = np.diff(ticks)
    for share in (0.5, 0.25, 0.1, 0.0):
        guess = float(np.quantile(steps, share))
        ratios = steps / guess
        whole = np.round(ratios)
        if (whole >= 1).all() and np.abs(ratios - whole).max() <= 2 * JITTER and np.median(whole) <= 1:
            break
    else:
        return None
    places = np.concatenate([[0], np.cumsum(whole)])
    if places[-1] > MOST_GAPS * len(places):
        return None
    slope, level = np.polyfit(places, ticks, 1)
    beside = np.abs(ticks - level - slope * places).max()
    if beside > min(JITTER * slope, JITTER_OF_DAY * 1e9):
        return None
    step = _roundest(slope, float(beside) / max(places[-1], 1))
    # The first place where stamps lie nearest: round where that is no further from them than they are anyway.
    residual = ticks - step * places
    begin = seconds_of(axis)[0] + float((residual.min() + residual.max()) / 2) * 1e-9
    unit = min(step * 1e-9, DAY)
    base = float(seconds_of(axis)[0])
    for grain in (unit, unit / 4, 60.0, 1.0):
        rounded = round(begin / grain) * grain
        off = np.abs(residual * 1e-9 + base - rounded).max()
        if grain <= unit and off <= max(2.5 * (residual.max() - residual.min()) * 1e-9 / 2, 1e-9):
            begin = rounded
            break
    width = float(np.abs(residual * 1e-9 + base - begin).max())
    found = _Found(tick_name(round(step)), places.astype(np.int64), begin, width)
    if long and step % (DAY * 1e9) == 0:
        return _zoned(
            _Found(f"{round(step / (DAY * 1e9))}D".removeprefix("1D") or "D", found.places, begin, width),
            index,
        )
    return found


def _roundest(step: float, give: float) -> float:
    """Return the step in the longest unit that is no further from the measured one than the stamps allow."""
    for unit in (DAY, *SECONDS.values()):
        size = unit * 1e9
        for part in (1.0, 0.5, 0.25, 0.1):
            rounded = round(step / (size * part)) * size * part
            if rounded > 0 and math.isclose(rounded, step, rel_tol=0, abs_tol=2 * give + 1e-3):
                return float(rounded)
    return step


def _span(step: float) -> str:
    if step >= DAY:
        return f"{step / DAY:g} days"
    return f"{step:g} s"
