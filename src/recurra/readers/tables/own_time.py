"""The time column of a table that calls it in its own way: by its name without the unit, or by values that rise evenly."""

import re
from dataclasses import replace

import numpy as np

from recurra.errors import DataError
from recurra.readers.tables.columns import Columns, factorize
from recurra.readers.tables.preamble import time_unit
from recurra.readers.tables.table_options import USUAL_NAMES, TableOptions

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
            return words, []
        words = replace(words, time=name)
        notes = [f"{columns.who}: found by {how}: time={name!r}. Pass time='' to keep it as a channel."]
    else:
        notes = []
    if words.time and words.time_unit is None and words.time in columns.names:
        unit = columns.units.get(words.time) or _parted(words.time)[1]
        words = replace(words, time_unit=time_unit(unit) if unit else None)
    return words, notes


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


def _rises(columns: Columns, name: str, words: TableOptions, *, evenly: bool = False) -> bool:
    """Whether a column rises within each sequence; text does not count as rising evenly, as a time by its name it does."""
    try:
        values = columns.numbers(name)
    except DataError:
        return not evenly
    codes = np.zeros(len(values), dtype=np.int64) if not words.id else factorize(columns.words(words.id))[0]
    inside = np.diff(codes) == 0
    steps = np.diff(values)[inside]
    if not len(steps) or not (steps > 0).all():
        return False
    usual = float(np.median(steps))
    return not evenly or bool((np.abs(steps - usual) <= JITTER * usual).all())
