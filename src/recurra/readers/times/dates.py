"""Time stamps as people write them become dates: ISO 8601, day or month first, AM and PM, ``1991 Jul``, ``1970 Q1``."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError
from recurra.readers.times.calendar import left_out, pandas

DAY_FIRST, MONTH_FIRST, EXCEL = "day first", "month first", "excel"

# Behind a time of day also in hours alone, as PostgreSQL writes it, with a blank before it, or as a word.
_OFFSET = re.compile(
    r"(Z|[+-]\d\d:?\d\d|(?<=:\d\d)(?:[.,]\d+)?\s*(?:[+-]\d\d(?::?\d\d)?|UTC|GMT))(\[[\w/+-]+\])?\Z",
    re.IGNORECASE,
)
_ISO_DAY, _LAST_OF_OFFSETS = re.compile(r"\d{4}-\d\d-\d\d"), tuple("zZcCtT]")
_DAY_WITH_OFFSET = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE)
_NUMBERS = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})(?:[T ,]+(\d{1,2})(?::|\.|h)(\d{2})(?:(?::|\.)(\d{2}(?:[.,]\d+)?))?)?"
    r"\s*([AaPp])?\.?(?:[Mm]\.?)?\Z"
)
_OF_DAY = re.compile(
    r"(?:(-?\d+) days?,? )?[+]?(\d{1,3}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*(?:([AaPp])\.?[Mm]\.?)?\Z"
)
_LATER_ZONES = 366 * 86400
# Two digits of a year from this on are of the last century; years from that one on are still to come.
_LAST_CENTURY, _TO_COME = 70, 2030

_Cells = Sequence[str | None]


class NoDateError(Exception):
    """A cell is no date; ``row`` says which, ``reason`` why."""

    def __init__(self, row: int, reason: str = "") -> None:
        super().__init__(row, reason)
        self.row, self.reason = row, reason


def read_dates(
    cells: _Cells, *, name: str, form: str | None = None, zone: str | None = None
) -> tuple[np.ndarray, str | None, str]:
    """Read a column of text.

    Parameters
    ----------
    cells : sequence of str or None
        None where empty.
    name : str
        Column, for messages.
    form : str, optional
        "day first", "month first", or a format as of `datetime.strptime`, such as ``%d/%m/%Y %I:%M %p``.
    zone : str, optional
        Time zone of stamps that carry none.

    Returns
    -------
    stamps : ndarray of datetime64, shape (rows,)
        Of the local clock; in universal time where there is a zone. NaT where empty.
    zone : str or None
        That of the stamps: a name, or "+01:00" where every stamp bears that offset.
    note : str
        What was decided, empty if nothing was.

    Raises
    ------
    NoDateError
        At the first cell that is no date.
    DataError
        If day and month cannot be told apart; the sentence says both readings.
    """
    there = [cell for cell in cells if cell is not None]
    if form is not None and form not in (DAY_FIRST, MONTH_FIRST):
        formed, offsets = _of_format(cells, form)
        if offsets is not None:
            return with_offsets(formed, offsets, zone)
        short = "%y" in form
        formed = _of_one_century(formed, there) if short else formed
        return (*in_zone(formed, None, zone), _of_years_to_come(formed, cells, name) if short else "")
    # Few of a long column are asked for more: an offset ends so, or has a sign behind the day.
    bearing = [c for c in there if c.endswith(_LAST_OF_OFFSETS) or "+" in c[10:] or "-" in c[10:]]
    asked = bearing if there and _ISO_DAY.match(there[0]) else there[:1]
    if any(":" in cell and _OFFSET.search(cell) for cell in asked):
        return with_offsets(*_one_by_one(cells), zone)
    note = ""
    _check_months(there, name)
    stamps = None if bearing else _plain_iso(cells)  # numpy would lose an offset
    if stamps is None and there and _NUMBERS.match(there[0]):
        stamps, note = _of_numbers(cells, name, form)
    if stamps is None:
        stamps = _periods(cells)
    if stamps is None:
        stamps = _with_month_names(cells)
    if stamps is None:
        stamps, offsets = _one_by_one(cells)
        if any(offset is not None for offset in offsets):
            return with_offsets(stamps, offsets, zone)
    stamps = _of_one_century(stamps, there)
    note = "; ".join(filter(None, (note, _of_years_to_come(stamps, cells, name))))
    return (*in_zone(stamps, None, zone), note)


def read_durations(cells: _Cells) -> np.ndarray | None:
    """Return times of day and durations (``10:15:00``, ``1 days 00:00:20``) as seconds, None if a cell is neither."""
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        found = _OF_DAY.match(cell)
        if found is None:
            return None
        days, hours, minutes, seconds, half = found.groups()
        hour = int(hours) % 12 + (12 if half in "Pp" else 0) if half else int(hours)
        out[row] = int(days or 0) * 86400 + hour * 3600 + int(minutes) * 60
        out[row] += float((seconds or "0").replace(",", "."))
    return out


_NANOSECONDS = re.compile(r"[.,]\d{7}")


def _plain_iso(cells: _Cells) -> np.ndarray | None:
    # Digits behind microseconds are kept where there are any: nanoseconds reach from 1678 to 2262 only.
    fine = any(cell is not None and _NANOSECONDS.search(cell) for cell in cells)
    fine = fine and all(cell is None or "1678" <= cell[:4] < "2262" for cell in cells)
    try:
        array = np.array([cell or "NaT" for cell in cells], dtype=f"datetime64[{'ns' if fine else 'us'}]")
    except ValueError:
        return None
    # numpy takes "2024" and "now" for dates too; numbers were asked before, words are none.
    return (
        array
        if all(cell is None or (cell[:4].isdigit() and cell[4:5] == "-") for cell in cells[:1])
        else None
    )


def _one_by_one(cells: _Cells) -> tuple[np.ndarray, list[int | None]]:
    """Return local stamps and the seconds each is ahead of universal time, None where none does say.

    Raises
    ------
    NoDateError
        At a cell that is no date, or that lacks an offset where others bear one that is not 0.
    """
    out = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
    offsets: list[int | None] = []
    for row, cell in enumerate(cells):
        offset = None
        if cell is not None:
            try:
                moment = datetime.fromisoformat(_iso(cell))
            except ValueError:
                raise NoDateError(row) from None
            ahead = moment.utcoffset()
            offset = None if ahead is None else int(ahead.total_seconds())
            out[row] = np.datetime64(moment.replace(tzinfo=None), "us")
        offsets.append(offset)
    if any(offsets):
        bare = next(
            (row for row, cell in enumerate(cells) if cell is not None and offsets[row] is None), None
        )
        if bare is not None:
            raise NoDateError(bare, "bears no offset from universal time, as others do")
    return out, offsets


def _iso(cell: str) -> str:
    """Return a stamp with its offset as ISO 8601 has it; a day that bears one begins at midnight there."""
    text = re.sub(r"\[.*\]\Z", "", cell)
    text = _DAY_WITH_OFFSET.sub(r"\1T00:00\2", text)
    return re.sub(r"\s*(z|utc|gmt)\Z", "Z", re.sub(r"\s+(?=[+-]\d\d)", "", text), flags=re.IGNORECASE)


def _of_years_to_come(stamps: np.ndarray, cells: _Cells, name: str) -> str:
    """Return what to say of years of two digits that are read as years to come, "" if there are none."""
    late = np.flatnonzero(stamps >= np.datetime64(f"{_TO_COME}-01-01"))
    if not late.size or re.search(r"\d{4}", str(cells[late[0]])):
        return ""
    return f"the years of {name!r} have two digits: {str(cells[late[0]])[:20]!r} is of {str(stamps[late[0]])[:4]}"


def _of_one_century(stamps: np.ndarray, cells: Sequence[str]) -> np.ndarray:
    """Return stamps with the years 60 to 69 of two digits in the last century where others are of its seventies."""
    late = stamps >= np.datetime64("2060-01-01")
    seventies = (stamps >= np.datetime64("1970-01-01")) & (stamps < np.datetime64("1980-01-01"))
    if not (late.any() and seventies.any()) or any(re.search(r"\d{4}", cell) for cell in cells):
        return stamps
    months = stamps.astype("datetime64[M]")
    earlier = (months - 1200).astype(stamps.dtype) + (stamps - months.astype(stamps.dtype))
    return np.where(late, earlier, stamps)


def _full_year(short: int) -> int:
    return short + (1900 if short >= _LAST_CENTURY else 2000)


def _of_format(cells: _Cells, form: str) -> tuple[np.ndarray, list[int | None] | None]:
    out = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
    offsets: list[int | None] = []
    short = "%y" in form
    # strptime refuses an ISO week without its day, and passes over a week of the other kinds.
    day = " 1" if re.search("%[VWU]", form) and not re.search("%[uwaA]", form) else ""
    wanted = f"{form} %u" if day else form
    for row, cell in enumerate(cells):
        offset = None
        if cell is not None:
            try:
                moment = datetime.strptime(cell + day, wanted)
            except ValueError as error:
                if "bad directive" in str(error) or "stray %" in str(error):
                    raise UsageError(
                        f"time_format: must be {DAY_FIRST!r}, {MONTH_FIRST!r}, {EXCEL!r} or a format such as "
                        f"'%d/%m/%Y %I:%M %p'; got {form!r}."
                    ) from None
                raise NoDateError(row, f"does not have the form {form!r}") from None
            if short:  # strptime begins the last century with 69
                moment = moment.replace(year=_full_year(moment.year % 100))
            ahead = moment.utcoffset()
            offset = None if ahead is None else int(ahead.total_seconds())
            out[row] = np.datetime64(moment.replace(tzinfo=None), "us")
        offsets.append(offset)
    return out, offsets if any(offset is not None for offset in offsets) else None


def _of_numbers(cells: _Cells, name: str, form: str | None) -> tuple[np.ndarray, str]:
    """Read ``31/12/2024 5:30 PM`` and its like, the order found in the whole column."""
    parts = []
    for row, cell in enumerate(cells):
        found = None if cell is None else _NUMBERS.match(cell)
        if cell is not None and found is None:
            raise NoDateError(row)
        parts.append(found)
    numbers = [(int(m[1]), int(m[3]), int(m[4])) for m in parts if m]
    first = [m for m in parts if m]
    year_first = len(first[0][1]) == 4
    order, note = ((0, 1, 2), "") if year_first else _order(numbers, first, name, form)
    out = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
    for row, found in enumerate(parts):
        if found is None:
            continue
        values = int(found[1]), int(found[3]), int(found[4])
        year, month, day = (values[place] for place in order)
        if len(found[1 if order[0] == 0 else 4]) == 2:
            year = _full_year(year)
        hour, minute, second = (
            int(found[5] or 0),
            int(found[6] or 0),
            float((found[7] or "0").replace(",", ".")),
        )
        if found[8]:
            hour = hour % 12 + (12 if found[8] in "Pp" else 0)
        try:
            moment = datetime(year, month, day, hour, minute) + timedelta(seconds=second)
        except ValueError:
            raise NoDateError(row, "is no day of the calendar") from None
        out[row] = np.datetime64(moment, "us")
    return out, note


def _order(
    numbers: list[tuple[int, int, int]], found: list[re.Match[str]], name: str, form: str | None
) -> tuple[tuple[int, int, int], str]:
    """Return the places of year, month and day, and how they were found."""
    day_first, month_first = (2, 1, 0), (2, 0, 1)
    if form is not None:
        return (day_first if form == DAY_FIRST else month_first), ""
    left, middle = max(n[0] for n in numbers), max(n[1] for n in numbers)
    if left > 12 and middle <= 12:
        return day_first, f"the dates of {name!r} are read day first: one has the day {left}"
    if middle > 12 and left <= 12:
        return month_first, f"the dates of {name!r} are read month first: one has the day {middle}"
    if found[0][2] == ".":
        return day_first, f"the dates of {name!r} are read day first, as dates with dots are written"
    at = next((row for row, n in enumerate(numbers) if n[0] != n[1]), 0)
    a, b, year = numbers[at]
    year = _full_year(year) if year < 100 else year
    readings = [_day(year, b, a), _day(year, a, b)]
    raise DataError(
        f"the time column {name!r} can be read in two ways: {found[at].group()!r} is {readings[0]} with the day first, "
        f"{readings[1]} with the month first. Say which with time_format={DAY_FIRST!r} or time_format={MONTH_FIRST!r}."
    )


def _day(year: int, month: int, day: int) -> str:
    try:
        return datetime(year, month, day).date().isoformat()
    except ValueError:
        return "no date"


_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"
_YEAR = r"(?P<year>\d{4})"
_YEAR_AND_MONTH, _MONTH_AND_TWO = (
    re.compile(r"(\d{4})[-\s/](\d{1,2})\Z"),
    re.compile(r"([A-Za-z]{3,9})[-\s](\d\d)\Z"),
)
_PERIODS: tuple[tuple[str, str], ...] = (
    (rf"{_YEAR}[-\s/:]?Q(?P<quarter>[1-4])", "quarter"),
    (rf"Q(?P<quarter>[1-4])[-\s/:]?{_YEAR}", "quarter"),
    (rf"(?P<quarter>[1-4])Q[-\s/:]?{_YEAR}", "quarter"),
    (rf"{_YEAR}[-\s/:]?W(?P<week>\d{{1,2}})(?:-?(?P<weekday>[1-7]))?", "week"),
    (rf"K?W(?P<week>\d{{1,2}})[-\s/:]{_YEAR}", "week"),
    (rf"{_YEAR}[-\s]{_MONTH}", "name"),
    (rf"{_MONTH}[-\s,]+{_YEAR}", "name"),
    (rf"{_MONTH}[-\s'](?P<short>\d{{2}})", "name"),
    (rf"{_YEAR}[-\s/.:]?[Mm]?(?P<month>\d{{1,2}})", "month"),
    (r"(?P<month>\d{1,2})[-\s/.]" + _YEAR, "month"),
)


def _periods(cells: _Cells) -> np.ndarray | None:
    """Read years with a quarter, a month or a week; each stands for its first day."""
    there = next((cell for cell in cells if cell is not None), "")
    form = next(
        (re.compile(p + r"\Z", re.IGNORECASE) for p, _ in _PERIODS if re.fullmatch(p, there, re.IGNORECASE)),
        None,
    )
    if form is None:
        return None
    out = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        found = form.match(cell)
        try:
            if found is None:
                raise ValueError
            out[row] = np.datetime64(_first_day(found.groupdict()), "us")
        except (ValueError, KeyError):
            raise NoDateError(row) from None
    return out


def _check_months(cells: Sequence[str], name: str) -> None:
    """Raise DataError where months may be something else in every cell.

    Quarters, from 2024-1 to 2024-4; the years that follow, as in 2001-02; or days of one month, as in Jan 01.
    """
    found = [_YEAR_AND_MONTH.match(cell) for cell in cells]
    days = [_MONTH_AND_TWO.match(cell) for cell in cells]
    if len(set(cells)) < 2:
        return
    if all(m and 1 <= int(m[2]) <= 31 for m in days) and len({m[1].lower() for m in days if m}) == 1:
        readings, way = "a year and its month, or a month and its day", "years of four digits"
    elif not all(found):
        return
    else:
        pairs = [(int(m[1]), int(m[2]), len(m[2])) for m in found if m]
        if all(month == (year + 1) % 100 and size == 2 for year, month, size in pairs):
            readings, way = (
                "a year and its month, or two years",
                f"{pairs[0][0]} where it is the year from {pairs[0][0]} on",
            )
        elif all(size == 1 and month <= 4 for _, month, size in pairs) and len({p[0] for p in pairs}) > 1:
            readings, way = (
                "a year and its month, or its quarter",
                f"{pairs[0][0]}-Q{pairs[0][1]} where it is a quarter",
            )
        else:
            return
    raise DataError(
        f"the time column {name!r} can be read in two ways: {cells[0]!r} may be {readings}. Write the first day of months, "
        f"and {way}."
    )


def _first_day(found: dict[str, Any]) -> datetime:
    year = int(found["year"]) if found.get("year") else _full_year(int(found["short"]))
    if found.get("quarter"):
        return datetime(year, 3 * int(found["quarter"]) - 2, 1)
    if found.get("week"):
        return datetime.fromisocalendar(year, int(found["week"]), int(found.get("weekday") or 1))
    month = MONTHS[found["name"][:3].lower()] if found.get("name") else int(found["month"])
    return datetime(year, month, 1)


def _with_month_names(cells: _Cells) -> np.ndarray | None:
    """Read days with the name of their month, such as ``5 Jan 2020 13:00``, which only one day can be."""
    there = next((cell for cell in cells if cell is not None), "")
    words = [word[:3].lower() for word in re.findall(r"[A-Za-z]{3,9}", there)]
    if not any(word in MONTHS for word in words):
        return None
    pd = pandas("reading dates with names of months")
    # The day and the year must be there: pandas takes the first year there was for one that is not.
    if len(re.findall(r"(?<![:\d.])\d+(?![:\d.]|[hH]\b)", there)) < 2 and not re.search(r"\d{4}", there):
        return None
    try:
        made = pd.to_datetime(pd.Series(list(cells), dtype=object), format="mixed")
    except (ValueError, TypeError):
        return None
    if getattr(made.dtype, "tz", None) is not None or made.dtype.kind != "M":
        return None
    stamps = np.asarray(made.to_numpy().astype("datetime64[us]"))
    if re.search(r"\d{4}", there):
        return stamps
    # pandas takes two digits for the year that is nearest to today; here they are the same year every day.
    year = stamps.astype("datetime64[Y]").astype(np.int64) + 1970
    centuries = (np.where(year % 100 >= _LAST_CENTURY, 1900, 2000) + year % 100 - year)[~np.isnat(stamps)]
    months = stamps[~np.isnat(stamps)].astype("datetime64[M]")
    stamps[~np.isnat(stamps)] += (months + 12 * centuries).astype("datetime64[us]") - months.astype(
        "datetime64[us]"
    )
    return stamps


# ------------------------------------------------------------- time zones


def check_zone(zone: str) -> None:
    """Raise UsageError unless there is such a time zone."""
    from zoneinfo import ZoneInfo

    if re.fullmatch(r"[+-]\d\d:\d\d", zone) or zone == "UTC":
        return
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"time_zone: must be a name such as 'Europe/Berlin', 'UTC' or an offset such as '+01:00'; got {zone!r}."
        ) from None


def in_zone(
    stamps: np.ndarray, offsets: list[int | None] | None, zone: str | None
) -> tuple[np.ndarray, str | None]:
    """Return stamps of a local clock in universal time, where a zone is given for them."""
    if zone is None:
        return stamps, None
    pd = pandas("a time zone")
    index = pd.DatetimeIndex(stamps)
    there = index[index.notna()]
    daily = (
        bool((there - there.normalize() == (there[0] - there[0].normalize())).all()) if len(there) else False
    )
    # A date means its day, also where the clock left midnight out; a time of day that was left out is a mistake.
    absent = "shift_forward" if daily and not left_out(there, zone).any() else "raise"
    try:
        made = index.tz_localize(zone, ambiguous="infer", nonexistent=absent)
    except ValueError as error:
        if "infer" not in str(error) and "repeated" not in str(error):
            raise DataError(
                f"time_zone={zone!r}: {str(error).splitlines()[0].rstrip('.')}. Such a time does not exist there: give the "
                "zone the clock stood in, or an offset such as '+01:00' if it was never changed."
            ) from None
        first = np.ones(len(index), bool)  # no hour comes twice
        made = index.tz_localize(zone, ambiguous=first, nonexistent=absent)
    return np.asarray(made.tz_convert("UTC").tz_localize(None).to_numpy()), zone


def with_offsets(
    stamps: np.ndarray, offsets: Sequence[int | None], zone: str | None
) -> tuple[np.ndarray, str | None, str]:
    """Return universal time, the zone whose offsets these are, and what was decided; without an offset, it is 0."""
    ahead = np.array([offset or 0 for offset in offsets], dtype=np.int64)
    universal = stamps - ahead.astype("timedelta64[s]")
    if zone is not None:
        return universal, zone, ""
    there = ~np.isnat(stamps)
    if len(set(ahead[there].tolist())) <= 1:
        return universal, offset_name(int(ahead[there][0])) if there.any() else "UTC", ""
    found = _zone_of(universal[there], ahead[there])
    if found is not None:
        return universal, found, ""
    last = offset_name(int(ahead[there][-1]))
    note = (
        f"the offsets change from {offset_name(int(ahead[there][0]))} to {last} as those of several zones do; stamps are "
        f"given with {last}. Name the zone with time_zone=, such as time_zone='Europe/Berlin'."
    )
    return universal, last, note


def offset_name(seconds: int) -> str:
    """Return an offset as text: "UTC" for 0, else such as "+01:00"."""
    if seconds == 0:
        return "UTC"
    return f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"


def _ahead(moment: datetime, zone: Any) -> float:
    """Return the seconds a zone's clock is ahead of universal time."""
    ahead = moment.astimezone(zone).utcoffset()
    return 0.0 if ahead is None else ahead.total_seconds()


def _zone_of(universal: np.ndarray, ahead: np.ndarray) -> str | None:
    """Return a zone whose clock had these offsets, None if several that differ in the year after the last stamp had."""
    from zoneinfo import ZoneInfo, available_timezones

    changes = np.flatnonzero(np.diff(ahead))
    rows = np.unique(np.concatenate([[0, len(ahead) - 1], changes, changes + 1]))[:2000]
    moments = [
        datetime.fromtimestamp(s, UTC)
        for s in universal[rows].astype("datetime64[s]").astype(np.int64).tolist()
    ]
    wanted = ahead[rows].tolist()
    last = moments[-1].timestamp()
    later = [
        datetime.fromtimestamp(last + week * 7 * 86400, UTC)
        for week in range(_LATER_ZONES // (7 * 86400) + 1)
    ]
    future: set[tuple[float, ...]] = set()
    first = None
    usual = [
        "Europe/Berlin",
        "Europe/London",
        *(f"America/{city}" for city in ("New_York", "Chicago", "Los_Angeles")),
    ]
    for name in (*usual, *sorted(available_timezones())):
        zone = ZoneInfo(name)
        if all(_ahead(m, zone) == w for m, w in zip(moments, wanted, strict=True)):
            first = first or name
            future.add(tuple(_ahead(m, zone) for m in later))
            if len(future) > 1:
                return None
    return first
