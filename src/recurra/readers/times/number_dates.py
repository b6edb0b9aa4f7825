"""Numbers that are dates: written like 20240131 or 2024013112, years, weeks, days of a spreadsheet."""

import re
from dataclasses import dataclass

import numpy as np

from recurra.errors import DataError
from recurra.readers.times.dates import EXCEL

# Names of columns that hold dates, and the whole numbers that are years there and in series.
_DATE_NAMES = re.compile(r"date|datum|fecha|day|month|monat|period|excel|serial|yyyy", re.IGNORECASE)
_YEAR_NAMES = re.compile(r"year|jahr|ann[eé]e|\baño\b|\banno\b", re.IGNORECASE)
YEARS = (1500, 2300)
# Day numbers of Excel from 1954 to 2119, and the day that 1970 began with.
_EXCEL_DAYS, _EXCEL_1970 = (20_000, 80_000), 25_569
# Until when fractions of such days are more likely than seconds with fractions: 2064.
_EXCEL_NOW = 60_000
# Day numbers of other programs: who counts so, from where to where (1920 to 2110), and the number of 1970-01-01.
_OTHER_DAYS = (
    ("datenum of MATLAB", (701_000, 770_700), 719_529.0),
    ("Julian date", (2_422_300, 2_491_700), 2_440_587.5),
)
# Ticks of 100 ns in the numbers that would be nanoseconds since 1970: from where to where, and from which year they count.
_TICKS = (("a FILETIME of Windows", (1.20e17, 1.50e17), 1601), ("a tick of .NET", (6.20e17, 6.60e17), 1))
# Seconds between stamps that are so many hours, minutes or seconds apart.
_USUAL_STEPS = np.outer([1, 60, 3600], [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30]).ravel()
# Seconds since 1970 of the year 2200: later stamps count from another year, or in another unit.
_LATEST = 7_258_118_400.0
# Numbers whose steps are so uneven, while those of the dates they spell are even, are these dates.
_UNEVEN, _EVEN = 5.0, 1.6
# Of numbers that spell dates fewer do not by mistake.
_ODD = 0.3
# Beyond the greatest of them, the last day of the year 2200.
_MOST_OF_PARTS = 2_200_367
# Digits of a date with a time of day: how many there are behind the day, and the form that reads them.
_WITH_TIME = ((2, "%Y%m%d%H"), (4, "%Y%m%d%H%M"), (6, "%Y%m%d%H%M%S"))
# Numbers that are looked at together.
_PIECE = 1 << 16


@dataclass(frozen=True)
class NumberDates:
    """Dates that numbers spell.

    Parameters
    ----------
    stamps : ndarray of datetime64, shape (rows,)
        NaT where the number is missing.
    note : str
        How they were read, as the end of a sentence; empty where it can be nothing else.
    spelling : str
        What they spell, where fewer of them would not show it; empty where each does.
    """

    stamps: np.ndarray
    note: str = ""
    spelling: str = ""


def present(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers that are not missing, without a copy where none is."""
    missing = np.isnan(numbers)
    return numbers[~missing] if missing.any() else numbers


def are_whole(numbers: np.ndarray) -> bool:
    """Return whether all are whole numbers; of a long column no copy is made, and mostly its beginning tells."""
    pieces = (numbers[first : first + _PIECE] for first in range(0, len(numbers), _PIECE))
    return all(bool((piece == np.round(piece)).all()) for piece in pieces)


def perhaps_days(who: str, numbers: np.ndarray, name: str) -> str:
    """Return a sentence where seconds look like days of a spreadsheet with the time of day as their fraction, else ""."""
    there = present(numbers)
    if name.lower() in ("s", "sec", "seconds") or not there.size or are_whole(there):
        return ""
    if there.min() < _EXCEL_DAYS[0] or there.max() > _EXCEL_NOW or not _below_one(there):
        return ""
    moment = _stamped(np.round((there[:1] - _EXCEL_1970) * 86_400) * 1000, "ms")[0]
    return (
        f"{who}: the times of {name!r} are read as seconds; if {there[0]:.10g} is a day of a spreadsheet with its "
        f"time of day, {str(moment)[:19].replace('T', ' ')}, pass time_format={EXCEL!r}, else time_unit='s'."
    )


def _below_one(there: np.ndarray) -> bool:
    """Return whether most steps are shorter than one, as those of days with a time of day are."""
    steps = np.abs(np.diff(there))
    steps = steps[steps > 0]
    return bool(steps.size and np.median(steps) < 1)


def read_number_dates(
    who: str, numbers: np.ndarray, name: str, form: str | None, series: bool, spelling: str | None = None
) -> NumberDates | None:
    """Return dates of numbers written like 20240131, 202401 or 2024, and of a spreadsheet's days; None if they are none.

    Parameters
    ----------
    numbers : ndarray of float64, shape (rows,)
        NaN where missing; at least one is not.
    name : str
        Of the column.
    form : str or None
        "excel" for the days of a spreadsheet.
    series : bool
        They are the time of a series.
    spelling : str, optional
        What other numbers of the same kind were found to spell: `NumberDates.spelling`. It acts where all of these are
        such dates too.

    Raises
    ------
    DataError
        If the numbers of a series may be days of a spreadsheet as well as seconds, or dates in two orders.
    """
    there = present(numbers)
    low, high = float(there.min()), float(there.max())
    whole = are_whole(there)
    if form is None and spelling and (found := _spelled_alike(numbers, spelling)) is not None:
        return found
    dated = bool(_DATE_NAMES.search(name)) or series
    if form == EXCEL or (_EXCEL_DAYS[0] <= low and high <= _EXCEL_DAYS[1] and dated and form is None):
        if form is None and (found := _even_dates(numbers, whole)) is not None:
            return found
        if form is None and not _DATE_NAMES.search(name):
            day = np.datetime64(int(low) - _EXCEL_1970, "D")
            raise DataError(
                f"{who}: the time column {name!r} can be read in two ways: {low:g} is the day {day} of a "
                f"spreadsheet, or a count of seconds. Say which with time_format={EXCEL!r} or time_unit='s'."
            )
        return NumberDates(_stamped(np.round((numbers - _EXCEL_1970) * 86_400_000), "ms"))
    if form is not None:
        return None
    if whole and (found := _with_time_of_day(who, numbers, name)) is not None:
        return found
    if whole and low >= 15000101 and high <= 23001231:
        made, fits = _digits(numbers, "%Y%m%d")
        stamps = made if fits[~np.isnan(numbers)].all() and (dated or high - low > 100) else None
        if stamps is None and dated:
            _refuse_odd(who, numbers, name, made, fits, "%Y%m%d")
    elif whole and low >= 150001 and high <= 230012 and dated:
        stamps = _of_digits(numbers, "%Y%m")
    else:
        stamps = _years(numbers, name, series) if YEARS[0] <= low and high <= YEARS[1] else None
    if stamps is not None:
        return NumberDates(stamps)
    if not dated:
        return None
    _refuse_day_before_year(who, numbers, name, whole)
    if series and not whole:
        _refuse_other_days(who, there, name)
    return _even_dates(numbers, whole)


def _years(numbers: np.ndarray, name: str, series: bool) -> np.ndarray | None:
    """Return years, and months as fractions of a year."""
    there = present(numbers)
    steps = np.abs(np.diff(there))
    if are_whole(there):
        named = _YEAR_NAMES.search(name) or (series and steps.size and 1 <= np.median(steps) <= 10)
        return _stamped(numbers - 1970, "Y") if named else None
    months = numbers * 12
    if (_YEAR_NAMES.search(name) or series) and np.nanmax(np.abs(months - np.round(months))) < 0.06:
        return _stamped(np.round(months) - 1970 * 12, "M")
    return None


def _with_time_of_day(who: str, numbers: np.ndarray, name: str) -> NumberDates | None:
    """Read whole numbers such as 2024013112 and 20240131123000, which would be moments far from now as counts of seconds.

    Every one must spell a date, which numbers that count do not for long.
    """
    there = present(numbers)
    low, high = float(there.min()), float(there.max())
    if low >= 19e15 and high < 22e15:
        raise DataError(
            f"{who}: the time column {name!r} holds {low:.0f}, more digits than a number keeps. If it is a date with its "
            "time of day, keep the column as text and pass time_format='%Y%m%d%H%M%S%f'; if it counts microseconds or "
            "nanoseconds, pass time_unit='us' or 'ns'."
        )
    for digits, form in _WITH_TIME:
        if not (19000101 * 10.0**digits <= low and high < 22000101 * 10.0**digits):
            continue
        whole = np.where(np.isnan(numbers), 0, numbers).astype(np.int64)
        rest = whole % 10**digits
        parts = np.zeros((3, len(rest)), np.int64)
        for at in range(digits // 2):
            parts[at] = rest // 100 ** (digits // 2 - 1 - at) % 100
        days, fits = _digits(np.where(np.isnan(numbers), np.nan, whole // 10**digits), "%Y%m%d")
        fits = fits & (parts[0] <= 23) & (parts[1:] <= 59).all(axis=0)
        if not fits[~np.isnan(numbers)].all():
            _refuse_odd(who, numbers, name, days, fits, form)
            return None
        seconds = (parts * np.array([[3600], [60], [1]])).sum(axis=0)
        note = f"numbers such as {there[0]:.0f} are read as {form}"
        return NumberDates(days + seconds.astype("timedelta64[s]"), note)
    return None


def _refuse_odd(
    who: str, numbers: np.ndarray, name: str, days: np.ndarray, fits: np.ndarray, form: str
) -> None:
    """Raise DataError where most numbers spell dates, of several days, and a few do not."""
    odd = np.flatnonzero(~fits & ~np.isnan(numbers))
    if (
        odd.size < _ODD * (~np.isnan(numbers)).sum()
        and len(set(days[fits & ~np.isnan(numbers)].astype("datetime64[D]"))) > 1
    ):
        raise DataError(
            f"{who}: the time column {name!r} holds {numbers[odd[0]]:.0f}, which is no date, among numbers that are read as "
            f"{form}. Correct it, or leave its row out."
        )


def _even_dates(numbers: np.ndarray, whole: bool) -> NumberDates | None:
    """Read numbers whose own steps are uneven where those of the dates they spell are even: 202452 and 202501."""
    # In order and once each: there may be several series, one after the other or mixed, and rows that are sorted later.
    there = np.unique(present(numbers)) if float(np.nanmax(numbers)) < _MOST_OF_PARTS else numbers[:0]
    if len(there) < 3 or not _ratio(np.diff(there)) > _UNEVEN:
        return None
    for words, days, fits in _spellings(there, whole):
        steps = np.diff(days.astype("datetime64[D]").astype(np.int64))
        if fits and (steps > 0).all() and _ratio(steps) <= _EVEN:
            return _spelled(numbers, there, days, words)
    return None


def _spellings(there: np.ndarray, whole: bool) -> tuple[tuple[str, np.ndarray, bool], ...]:
    """Return what numbers, that rise, may spell, the first days of it, and whether all are such."""
    if whole:
        number = there.astype(np.int64)
        return (
            ("a year and a week", *_weeks(number)),
            ("a year and a day of the year", *_days_of_year(number, 1000, 0)),
            ("two digits of the year and a day of the year", *_days_of_year(number, 1000, 100)),
            ("two digits each of year, month and day", *_two_digits(number)),
        )
    return (
        ("a year and a month", *_year_and_part(there, 100, 12)),
        ("a year and a quarter", *_year_and_part(there, 10, 4)),
    )


def _spelled(numbers: np.ndarray, there: np.ndarray, days: np.ndarray, words: str) -> NumberDates:
    """Return the dates of numbers, of which those that are there, in order and once each, are these days."""
    stamps = np.full(len(numbers), np.datetime64("NaT"), "datetime64[s]")
    places = np.searchsorted(there, present(numbers))
    stamps[~np.isnan(numbers)] = days.astype("datetime64[s]")[places]
    return NumberDates(stamps, f"numbers such as {present(numbers)[0]:.10g} are read as {words}", words)


def _spelled_alike(numbers: np.ndarray, spelling: str) -> NumberDates | None:
    """Return dates of numbers that spell what others were found to spell; None where one of these does not."""
    if not 0 < float(np.nanmin(numbers)) <= float(np.nanmax(numbers)) < _MOST_OF_PARTS:
        return None
    there = np.unique(present(numbers))
    # 2020.1 is a whole number nowhere, but of no month and no quarter either.
    spellings = (
        (*_spellings(there, whole=True), *_spellings(there, whole=False))
        if are_whole(there)
        else _spellings(there, whole=False)
    )
    for words, days, fits in spellings:
        if words == spelling and fits and not _are_months(there, days):
            return _spelled(numbers, there, days, words)
    return None


def _are_months(there: np.ndarray, days: np.ndarray) -> bool:
    """Return whether rising numbers are even as a year and a month, and not as these days: 201511, 201512, 201601."""
    if len(there) < 3 or not are_whole(there):
        return False
    years, part = np.divmod(there.astype(np.int64), 100)
    steps = np.diff(days.astype("datetime64[D]").astype(np.int64))
    even = _ratio(np.diff(years * 12 + part)) <= _EVEN
    return bool((part >= 1).all() and (part <= 12).all() and even and _ratio(steps) > _EVEN)


def _ratio(steps: np.ndarray) -> float:
    """Return how many times the usual step the longest is; 0 where a step goes back."""
    return float(steps.max() / np.median(steps)) if (steps > 0).all() else 0.0


def _weeks(number: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the Mondays of ISO weeks written like 202452, and whether all are such."""
    year, week = number // 100, number % 100
    fits = bool((year >= 1900).all() and (year <= 2200).all() and (week >= 1).all() and (week <= 53).all())
    fourth = (np.where(fits, year, 1970) - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 3
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    return monday + 7 * (week - 1), fits


def _days_of_year(number: np.ndarray, scale: int, short: int) -> tuple[np.ndarray, bool]:
    year, day = number // scale, number % scale
    fits = bool((day >= 1).all() and (day <= 366).all())
    fits = fits and bool((year < short).all() if short else (year >= 1900).all() and (year <= 2200).all())
    year = _century(year) if short else year
    return (np.where(fits, year, 1970) - 1970).astype("datetime64[Y]").astype("datetime64[D]") + day - 1, fits


def _two_digits(number: np.ndarray) -> tuple[np.ndarray, bool]:
    full = _century(number // 10000) * 10000 + number % 10000
    six = bool(
        (number >= 10_101).all() and (number < 1_000_000).all()
    )  # of 2000 no digit of the year is left
    days = _of_digits(full.astype(np.float64), "%Y%m%d") if six else None
    return (number.astype("datetime64[D]"), False) if days is None else (days, True)


def _century(year: np.ndarray) -> np.ndarray:
    return np.where(year >= 70, 1900, 2000) + year


def _year_and_part(there: np.ndarray, scale: int, parts: int) -> tuple[np.ndarray, bool]:
    """Return the first days of months written like 2024.03, or of quarters like 2024.1, and whether all are such."""
    number = np.round(there * scale).astype(np.int64)
    year, part = number // scale, number % scale
    fits = bool(np.abs(there * scale - number).max() < 1e-6 and (part >= 1).all() and (part <= parts).all())
    fits = fits and bool((year >= 1900).all() and (year <= 2200).all())
    month = (year - 1970) * 12 + (part - 1) * (12 // parts)
    return np.where(fits, month, 0).astype("datetime64[M]").astype("datetime64[D]"), fits


def _refuse_day_before_year(who: str, numbers: np.ndarray, name: str, whole: bool) -> None:
    """Raise DataError at numbers such as 31012024, whose order cannot be told and whose steps mean nothing."""
    there = present(numbers)
    if not whole or len(there) < 2 or there.min() < 1011900 or there.max() > 31129999 or len(set(there)) < 2:
        return
    number = there.astype(np.int64)
    year, first, second = number % 10000, number // 1_000_000, number // 10000 % 100
    if not _DATE_NAMES.search(name) and len(set(number // 10000)) == 1 and len(set(np.diff(number))) == 1:
        return  # it counts; only one day of every year would look the same
    if not ((year >= 1900) & (year <= 2100)).all():
        return
    forms = [
        form
        for form, month, day in (("%d%m%Y", second, first), ("%m%d%Y", first, second))
        if _of_digits((year * 10000 + month * 100 + day).astype(np.float64), "%Y%m%d") is not None
    ]
    if forms:
        ways = " or ".join(f"time_format={form!r}" for form in forms)
        raise DataError(
            f"{who}: the time column {name!r} holds {number[0]:08d}, which may be a date whose year stands last, or a "
            f"count of seconds. Say which with {ways}, or with time_unit='s'."
        )


def _seconds_alone(there: np.ndarray) -> bool:
    """Return whether the usual step, below one, is a whole part or few digits of a second, and no usual part of a day."""
    steps = np.abs(np.diff(there))
    step = float(np.median(steps[steps > 0]))
    of_day = step * 86_400 / _USUAL_STEPS
    usual = step < 1e-5 or bool((np.abs(of_day - 1) < 1e-3).any())
    return not usual and any(abs(round(n) / n - 1) < 1e-3 for n in (1 / step, step * 1000) if n >= 1)


def _refuse_other_days(who: str, there: np.ndarray, name: str) -> None:
    for program, (low, high), zero in _OTHER_DAYS:
        if low <= there.min() and there.max() <= high and _below_one(there) and not _seconds_alone(there):
            moment = np.datetime64(round((float(there[0]) - zero) * 86_400), "s")
            raise DataError(
                f"{who}: {name!r}, the time, can be read in two ways: {there[0]:.10g} is {str(moment).replace('T', ' ')} "
                f"as a {program}, or a count of seconds. Write dates, or pass time_unit='d' for days without a date, "
                "time_unit='s' for seconds."
            )


def check_epoch(
    who: str, there: np.ndarray, name: str, chosen: str, own: str, scale: float, *, named: bool
) -> None:
    """Raise DataError where numbers counted since 1970 would be moments that nobody has recorded.

    Parameters
    ----------
    there : ndarray of float64
        The numbers.
    chosen, own : str
        The unit that they are read in, and the one that their size says.
    scale : float
        Seconds of the unit chosen.
    named : bool
        Whether the name of the column or the table says the unit.
    """
    highest, first = float(there.max()), float(there[0])
    for program, (low, high), year in _TICKS if chosen == "ns" and own == chosen and not named else ():
        if low <= there.min() and there.max() <= high:
            raise DataError(
                f"{who}: the time column {name!r} holds {first:.0f}, perhaps {program} (100 ns since the year {year}), or "
                "nanoseconds since 1970. Write dates in place of the first, or pass time_unit='ns' for the second."
            )
    if highest * scale <= _LATEST:
        return
    if chosen != own:
        raise DataError(
            f"{who}: the name of the time column {name!r} says {chosen}, but {highest:.0f} {chosen} since 1970 lie beyond "
            f"the year 2200; in {own} they do not. Say which with time_unit={own!r} or time_unit={chosen!r}."
        )
    raise DataError(
        f"{who}: the time column {name!r} holds {highest:.0f}, beyond the year 2200 in {own} since 1970: it counts from "
        f"another year or in another unit. Write dates, or say the unit, such as time_unit='ns' of a clock that began with "
        f"the recording, or time_unit={own!r} if it is that."
    )


def _of_digits(numbers: np.ndarray, form: str) -> np.ndarray | None:
    made, fits = _digits(numbers, form)
    return made if fits[~np.isnan(numbers)].all() else None


def _digits(numbers: np.ndarray, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the dates that whole numbers spell, and which of them are dates."""
    whole = np.where(np.isnan(numbers), 0, numbers).astype(np.int64)
    day = whole % 100 if form == "%Y%m%d" else np.ones_like(whole)
    whole = whole // 100 if form == "%Y%m%d" else whole
    month = whole % 100
    begins = ((whole // 100 - 1970) * 12 + month - 1).astype("datetime64[M]")
    made = begins.astype("datetime64[D]") + (day - 1)
    fits = (month >= 1) & (month <= 12) & (day >= 1) & (made.astype("datetime64[M]") == begins)
    return np.where(np.isnan(numbers), np.datetime64("NaT"), made.astype("datetime64[s]")), fits


def _stamped(numbers: np.ndarray, unit: str) -> np.ndarray:
    """Return numbers that count from 1970 as dates."""
    missing = np.isnan(numbers)
    whole = np.where(missing, 0, numbers).astype(np.int64).astype(f"datetime64[{unit}]")
    made = whole.astype("datetime64[ms]" if unit == "ms" else "datetime64[s]")
    return np.where(missing, np.datetime64("NaT"), made)
