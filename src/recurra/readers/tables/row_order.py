"""Which rows of a long table make up which sequence, in which order and when; and what belongs to a whole sequence."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.errors import DataError, UsageError
from recurra.readers.tables import time_columns
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.preamble import time_unit
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions
from recurra.readers.times import frequency, rates
from recurra.readers.times.calendar import step_of

# A table of at most so many columns, none of them labels, is hardly one of whole sequences.
_NARROW = 3
# What exports call time beside `USUAL_NAMES`, in small letters; such a column must rise.
NAMES = {
    *(
        "t",
        "ts",
        "sec",
        "secs",
        "elapsed",
        "elapsed time",
        "elapsed_time",
        "relative time",
        "abs time",
        "time stamp",
    ),
    *("zeit", "zeitpunkt", "zeitstempel", "datum", "uhrzeit", "messzeit"),  # German
    *("temps", "heure", "horodatage"),  # French
    *("tiempo", "fecha", "hora"),  # Spanish
    *("tempo", "data e ora", "tijd", "tijdstip", "czas", "tid", "aika", "čas", "время"),
}
# Rows that must rise before values alone make a column the time.
FEWEST_ROWS = 8
# Share of the usual step by which steps may differ, as a clock jitters.
JITTER = 0.02

_UNIT = re.compile(r"^(.*?)[\s_]*(?:[\[({<]\s*([^\[\](){}<>]{1,12}?)\s*[\])}>]|/\s*(\w{1,4}))$")
_WRITTEN_INDEX = ("column_0", "Unnamed: 0")  # of pandas, which is no channel either

# Sequences whose calendar is looked for: a table has a series or a few, not thousands.
MOST_CALENDARS = 20

# Clocks are put back on a Sunday before this hour, by an hour at most.
SUNDAY, NIGHT_ENDS, HOUR = 6, 4, 3600


# Of a first column of dates; a file that is one sequence of a folder needs no such word.
OF_ONE_SEQUENCE = "read as the time of one sequence"


class RowOrder:
    """Which rows of a long table make up which sequence, in which order."""

    def __init__(self, columns: Columns, words: TableOptions) -> None:
        self.columns, self.words = columns, words
        self.notes: list[str] = []
        self.clock = time_columns.of_words(columns, words)
        self.notes += [self.clock.note] if self.clock is not None and self.clock.note else []
        codes, names = self._codes()
        self.names: list[str | None] = names
        self.order: np.ndarray | None = None
        # First row of each run of one id.
        self.blocks = np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
        if len(self.blocks) > len(names):
            self._check_scattered(codes)
            self.order = np.argsort(codes, kind="stable")
        if words.sort:
            self._check_can_sort()
            self.order = (
                np.lexsort((self.clock.since_first(), codes))
                if self.clock
                else np.argsort(codes, kind="stable")
            )
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
        if self.clock is not None:
            seconds = self.clock.since_first()
            self.seconds = seconds if self.order is None else seconds[self.order]
            self._check_forward()

    def _codes(self) -> tuple[np.ndarray, list[str | None]]:
        if not self.words.id:
            return np.zeros(self.columns.rows, dtype=np.int64), [None]
        codes, ids = self.columns.word_codes(self.words.id)
        if None in ids:
            first = int(np.flatnonzero(codes == ids.index(None))[0])
            raise DataError(
                f"{self.columns.who}: the id column {self.words.id!r} must be filled; it is empty at "
                f"{self.columns.place(first)}. Fill it, or remove the row."
            )
        return codes, ids

    def _check_can_sort(self) -> None:
        if self.clock is None and not self.words.id:
            raise UsageError(
                f"{self.columns.who}: sort=True needs a time column or an id column; name it with time= or "
                "id=."
            )

    def _check_scattered(self, codes: np.ndarray) -> None:
        """Rows of one sequence that do not stand together: fine with a time column, which then decides."""
        runs = codes[self.blocks]
        seen: set[int] = set()
        for position, code in enumerate(runs.tolist()):
            if code in seen:
                row = int(self.blocks[position])
                break
            seen.add(code)
        if self.clock is None and not self.words.sort:
            raise DataError(
                f"{self.columns.who}: id {self.names[runs[position]]!r} comes back at "
                f"{self.columns.place(row)} after another sequence. "
                "If two sequences share the id, rename one; if its rows belong together in this order, pass "
                "sort=True."
            )
        self.notes.append(
            f"{self.columns.who}: the rows of {counted(len(self.names), 'sequence')} stand in {len(self.blocks)} pieces; "
            "they were joined by id."
        )

    def _check_forward(self) -> None:
        before, after = self.seconds[:-1], self.seconds[1:]
        inside = np.ones(len(self.seconds), dtype=bool)
        inside[self.starts[:-1]] = False
        backwards = np.flatnonzero((after < before) & inside[1:])
        if backwards.size:
            row = int(backwards[0]) + 1
            restarts = self.order is not None and self._row(row) in self.blocks
            advice = self._put_back(row).strip() or (
                "Two sequences may share this id: rename one."
                if restarts
                else "If the table holds several sequences, name the column that tells them apart with id=; "
                "else sort it, or pass sort=True."
                if self.names == [None]
                else "Sort the table, or pass sort=True."
            )
            raise DataError(
                f"{self.columns.who}: time must not go back within a sequence; "
                f"{self.columns.place(self._row(row))}"
                f"{self._of(row)} has {self._time(row)} after {self._time(row - 1)}. {advice}"
            )
        doubled = np.flatnonzero((after == before) & inside[1:])
        if doubled.size:
            row = int(doubled[0]) + 1
            self.notes.append(
                f"{self.columns.who}: {len(doubled)} time stamps repeat the one before, first at "
                f"{self.columns.place(self._row(row))}"
                f"{self._of(row)}; the rows were kept. Remove them if they were written twice.{self._put_back(row)}"
            )

    def _put_back(self, position: int) -> str:
        """Explain a time that comes again in a night in which clocks are put back."""
        clock = self.clock
        if clock is None or clock.stamps is None or clock.zone is not None:
            return ""
        later, before = (
            clock.stamps[self._row(at)].astype("datetime64[s]").item() for at in (position, position - 1)
        )
        again = (before - later).total_seconds()
        if later.weekday() != SUNDAY or later.hour >= NIGHT_ENDS or not 0 <= again <= HOUR:
            return ""
        return " If these are local times, the clocks were put back in this hour: give time_zone=, such as 'Europe/Berlin'."

    def _row(self, position: int) -> int:
        return int(self.order[position]) if self.order is not None else position

    def _of(self, position: int) -> str:
        name = self.names[int(np.searchsorted(self.starts, position, side="right")) - 1]
        return f" (sequence {name!r})" if name is not None else ""

    def _time(self, position: int) -> str:
        return str(self.columns[str(self.words.time)][self._row(position)])

    def rates(self) -> tuple[list[float | None], list[str]]:
        """Sampling rate of every sequence, with notes."""
        if self.clock is None or self.clock.counter or self.words.sample_rate_hz is not None:
            return [None] * len(self.names), []
        found = rates.rates_hz(self.seconds, self.starts)
        even, notes = rates.common_rate(found, self.columns.who, calendar=self._calendar(found))
        gaps = rates.gap_notes(self.seconds, self.starts, self._of, self.columns.who)
        return even, [*gaps, *notes]

    def _calendar(self, found: Sequence[float | None]) -> str:
        """Return the step of sequences without a rate, where dates follow one of the calendar, such as business days."""
        left = [index for index, rate in enumerate(found) if rate is None]
        if self.clock is None or not self.clock.dates or not left or len(left) > MOST_CALENDARS:
            return ""
        freqs: set[str] = set()
        for index in left:
            rows = slice(int(self.starts[index]), int(self.starts[index + 1]))
            stamps = self.clock.index(rows if self.order is None else self.order[rows])
            rises = len(stamps) > 2 and stamps.is_monotonic_increasing and stamps.is_unique
            grid = frequency.infer(stamps) if rises else None
            freqs.add(grid.freq if grid is not None and step_of(grid.freq)[0] not in ("s", "D") else "")
        return freqs.pop() if len(freqs) == 1 else ""

    def first_time(self, index: int) -> float | None:
        """Seconds since 1970 of a sequence's first step, None if the times are no dates."""
        if self.clock is None or not self.clock.dates:
            return None
        return float(self.clock.seconds[self._row(int(self.starts[index]))])


# What belongs to a whole sequence: its group, and its static inputs.


def static_names(columns: Columns, words: TableOptions) -> list[str]:
    """Return the columns that ``static`` names; "age,sensor" names two, unless a column is called so.

    Raises
    ------
    DataError
        If there is no such column.
    UsageError
        If it holds what is to be learned.
    """
    given = [words.static] if isinstance(words.static, str) else list(words.static or ())
    names: list[str] = []
    for name in given:
        several = "," in name and name not in columns.names
        names += [part.strip() for part in name.split(",")] if several else [name]
    names = list(dict.fromkeys(name for name in names if name))
    for name in names:
        columns.check_name(name, "static")
        if name in (words.label, *words.target_names):
            raise UsageError(
                f"{columns.who}: static= names {name!r}, the column with what is to be learned. Leave it out of static=."
            )
    return names


def static_of_rows(columns: Columns, names: Iterable[str]) -> list[Any]:
    """Return the static inputs of a table in which every row is a sequence; None for each where there are none."""
    cells = [columns.labels(name) for name in names]
    return [list(row) for row in zip(*cells, strict=True)] if cells else [None] * columns.rows


def static_of_sequences(columns: Columns, names: Iterable[str], rows: RowOrder) -> list[Any]:
    """Return the static inputs of a long table, which must not change within a sequence; None where there are none."""
    advice = "Leave it among the channels, or correct it."
    cells = [constant(columns, name, rows, "static", advice=advice) for name in names]
    return [list(row) for row in zip(*cells, strict=True)] if cells else [None] * len(rows.names)


def constant(columns: Columns, name: str, rows: RowOrder, word: str, *, advice: str) -> list[Any]:
    """Return the cell that a column has in each sequence.

    Parameters
    ----------
    word : str
        What the column was named as, for the message.
    advice : str
        A sentence on what to do where it changes.

    Raises
    ------
    DataError
        If it changes within a sequence.
    """
    codes, known = columns.label_codes(name)
    codes = codes if rows.order is None else codes[rows.order]
    first = rows.starts[:-1]
    low, high = np.minimum.reduceat(codes, first), np.maximum.reduceat(codes, first)
    if (low != high).any():
        bad = int(np.flatnonzero(low != high)[0])
        which = (
            "the table is one sequence, which" if rows.names[bad] is None else f"sequence {rows.names[bad]!r}"
        )
        raise DataError(
            f"{columns.who}: the {word} column {name!r} must be constant in each sequence; {which} has "
            f"{_shown(known[low[bad]])} and {_shown(known[high[bad]])}. {advice}"
        )
    return [known[code] for code in low]


def _shown(cell: Any) -> str:
    return "an empty cell" if cell is None else repr(cell)


def with_own_time(columns: Columns, words: TableOptions, *, steps: bool) -> tuple[TableOptions, list[str]]:
    """Return the words with the time column and its unit, where no word names one, and a note on it.

    Parameters
    ----------
    columns : Columns
        Table.
    words : TableOptions
        What was given, and found by usual names.
    steps : bool
        Whether a row is known to be a time step; only then do values that rise evenly tell, since the rows of a wide
        table may be numbered.
    """
    if words.time is None:
        name, how = _by_name(columns, words), "name"
        if name is None and steps:
            name, how = _by_values(columns, words), "its values, which rise evenly"
        if name is None:
            name, how = _by_dates(columns, words, steps=steps), "its values, which are dates"
        if name is None:
            return words, []
        words = replace(words, time=name)
        kept = "" if how.endswith("dates") else " Pass time='' to keep it as a channel."
        notes = [f"{columns.who}: found by {how}: time={name!r}.{kept}"]
        if how.endswith("dates") and words.layout != "long" and not words.id and words.kind != "series":
            notes.append(
                f"{columns.who}: {name!r} is {OF_ONE_SEQUENCE}; pass id={name!r} if each row is one."
            )
    else:
        notes = []
    if words.time and words.time_unit is None and words.time in columns.names:
        unit = columns.units.get(words.time) or _parted(words.time)[1]
        words = replace(words, time_unit=time_unit(unit) if unit else None)
    return words, notes


def is_narrow(columns: Columns, words: TableOptions) -> bool:
    """Return whether a table has so few columns, and no labels, that its rows are hardly whole sequences."""
    named = words.id or words.label or words.target or words.text or words.channels
    return words.layout == "auto" and not named and len(columns.names) <= _NARROW


def with_numbered_rows(columns: Columns, words: TableOptions) -> tuple[TableOptions, list[str]]:
    """Return words in which a first column that numbers the rows is the id, and a note: it is no step beside t0, t1, ..."""
    names = [name for name in _free(columns, words) if name != words.time]
    if words.id is not None or words.time or words.text or words.channels or words.kind == "series":
        return words, []
    stems = {re.sub(r"\d+$", "", name) for name in names[1:] if name[-1:].isdigit()}
    numbered = len(names) > _NARROW and len(stems) == 1 and all(name[-1:].isdigit() for name in names[1:])
    if not numbered or columns.rows < FEWEST_ROWS or re.sub(r"\d+$", "", names[0]) in stems:
        return words, []
    try:
        values = columns.numbers(names[0])
    except DataError:
        return words, []
    if values[0] not in (0, 1) or not (np.diff(values) == 1).all():
        return words, []
    note = f"{columns.who}: found by its values, which number the rows: id={names[0]!r}. Pass id='' to keep it as a step."
    return replace(words, id=names[0]), [note]


def _parted(name: str) -> tuple[str, str]:
    """Return a name without the unit in brackets or after a slash, in small letters, and the unit."""
    found = _UNIT.match(name.strip())
    if found is None:
        return name.strip().lower(), ""
    return found.group(1).strip().lower(), (found.group(2) or found.group(3)).strip()


def _free(columns: Columns, words: TableOptions) -> list[str]:
    """Return the columns that no word names, as far as channels may be among them."""
    taken = {words.id, words.label, words.group, words.text, *words.target_names, *(words.channels or ())}
    taken |= {words.static} if isinstance(words.static, str) else set(words.static or ())
    return [name for name in columns.names if name not in taken]


def _by_name(columns: Columns, words: TableOptions) -> str | None:
    for name in _free(columns, words):
        base, _ = _parted(name)
        if base in USUAL_NAMES["time"] or (base in NAMES and _rises(columns, name, words)):
            return name
    return None


def _by_values(columns: Columns, words: TableOptions) -> str | None:
    free = _free(columns, words)
    if len(free) < 2 or free[0] in _WRITTEN_INDEX or columns.rows < FEWEST_ROWS:
        return None
    return free[0] if _rises(columns, free[0], words, evenly=True) else None


def _by_dates(columns: Columns, words: TableOptions, *, steps: bool) -> str | None:
    """Return the first column that no word names where it holds the dates of steps: as a channel it could not be read.

    They must rise within each sequence. Where the label changes from row to row, a row may be a sequence with its date,
    so that the dates must be those of a calendar without a gap.
    """
    free = _free(columns, words)
    if not free or len(columns.names) < 2 or not time_columns.holds_dates(columns, free[0]):
        return None
    if words.kind == "series":
        return free[0]
    if words.channels:  # which leave it out
        return None
    try:
        clock = time_columns.of_words(columns, replace(words, time=free[0]))
    except DataError:
        return None
    if clock is None or not _rise(clock.since_first(), columns, words, alone=steps):
        return None
    if words.id or words.layout == "long" or not _changes(columns, [words.label or "", *words.target_names]):
        return free[0]
    found = frequency.infer(clock.index()) if clock.stamps is not None and columns.rows > 2 else None
    return free[0] if found is not None and found.missing == 0 else None


def _rise(times: np.ndarray, columns: Columns, words: TableOptions, *, alone: bool) -> bool:
    """Whether times rise within each sequence; ``alone`` if one row that is the only one of its table does."""
    codes = columns.word_codes(words.id)[0] if words.id else np.zeros(len(times), dtype=np.int64)
    steps = np.diff(times)[np.diff(codes) == 0]
    return bool((steps > 0).all()) if len(steps) else alone


def _changes(columns: Columns, names: Iterable[str]) -> bool:
    """Whether one of these columns has more than one value."""
    return any(len(columns.word_codes(name)[1]) > 1 for name in names if name)


def _falls_at_once(columns: Columns, name: str) -> bool:
    """Whether the first two numbers of a column do not rise, which spares the look at a column of many small files."""
    if columns.numerals.decimal != "." or columns.numerals.thousands is not None:
        return False
    try:
        first, second = (float(cell) for cell in columns[name][:2].tolist())
    except (TypeError, ValueError):
        return False
    return second <= first


def _rises(columns: Columns, name: str, words: TableOptions, *, evenly: bool = False) -> bool:
    """Whether a column rises within each sequence; text does not count as rising evenly, as a time by its name it does."""
    if evenly and not words.id and _falls_at_once(columns, name):
        return False
    try:
        values = columns.numbers(name)
    except DataError:
        return not evenly
    codes = np.zeros(len(values), dtype=np.int64) if not words.id else columns.word_codes(words.id)[0]
    inside = np.diff(codes) == 0
    steps = np.diff(values)[inside]
    if not len(steps) or not (steps > 0).all():
        return False
    usual = float(np.median(steps))
    return not evenly or bool((np.abs(steps - usual) <= JITTER * usual).all())
