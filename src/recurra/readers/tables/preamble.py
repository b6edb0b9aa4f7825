"""What programs write around a table in a text file: a ``sep=`` line, comments, a preamble, units, open quotation marks."""

import csv
import io
import re
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from recurra.checks import listing
from recurra.errors import DataError
from recurra.readers.tables.number_formats import is_missing

# Lines looked at to find where the table begins.
_SAMPLE = 200

_SEP_LINE = re.compile(r'[ \t]*"?sep=(.)"?[,;|\t ]*(?=\n|\Z)', re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z|nan\Z", re.IGNORECASE)
_COMMENT = ("#", "%", "//")

_UNIT_NAMES = (
    r"sec|secs|seconds?|minutes?|mins?|hours?|hrs?|days?|[mkMGTunpµμfdch]?(?:s|m|g|N|V|A|W|J|K|Hz|Pa|bar|F|H|T|G|l|L|mol|cd|lx|lm|"
    r"Wh|VA|VAr|eV|rad|Bq|Sv|Gy|S|C|Ohm|ohm|Ω|Nm|t)|min|h|d|a|yr|°|°C|°F|degC|degF|deg|%|ppm|ppb|rpm|bpm|dB|dBm|dBA|"
    r"ft|in|inch|mi|mph|psi|atm|torr|lb|lbs|oz|gal|kn|lux|pH|counts?|a\.?u\.?|units?|unitless|pct|percent|ticks|samples|"
    r"raw|bool|number|string|text|datetime|date|USD|EUR"
)
_UNIT = re.compile(
    rf"(?:{_UNIT_NAMES})(?:(?:\^|\*\*)?-?[0-9²³⁻¹]+)?(?:[/*·. ](?:{_UNIT_NAMES})(?:(?:\^|\*\*)?-?[0-9²³⁻¹]+)?)*\Z"
)
_BRACKETS = re.compile(r"[\[(<{].{0,30}[\])>}]\Z")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")
_PLAINEST_SIZE = 1 << 16
_TIME_PATTERN = re.compile(r"[yYmMdDhHsSfFTZ:.,/ -]{4,}\Z")

# Units of time as `recurra.readers.tables.time_columns` calls them.
_TIME_UNITS = {
    **{name: "s" for name in ("s", "sec", "secs", "second", "seconds")},
    **{name: "min" for name in ("min", "mins", "minute", "minutes")},
    **{name: "h" for name in ("h", "hr", "hrs", "hour", "hours")},
    **{name: "d" for name in ("d", "day", "days")},
    "ms": "ms",
    "msec": "ms",
    "us": "us",
    "µs": "us",
    "μs": "us",
    "ns": "ns",
}


@dataclass(frozen=True)
class FoundTable:
    """A text in which the table is all there is: lines that do not belong to it are empty.

    Parameters
    ----------
    text : str
        As many lines as before, so that a message can name the line of a row.
    delimiter : str
        Separator.
    notes : tuple of str
        What was left out, as whole sentences without the name of the file.
    units : tuple of str
        Of each column, from a row of units; empty if there is none.
    tables : tuple of int
        Lines of the names of two tables, where the file holds two; the first is then left out.
    """

    text: str
    delimiter: str
    notes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    tables: tuple[int, ...] = ()


def find_table(text: str, *, delimiter: str | None = None, decimal: str = ".") -> FoundTable:
    """Find the table in a text whose lines end in line feeds."""
    if decimal == "." and delimiter in (None, ",") and _is_plainest(text, decimal):
        return FoundTable(text, ",")
    found = FoundTable(text.rstrip("\x1a"), delimiter or "")
    found = _with_blanks(_without_sep_line(found))
    found = _with_delimiter(found, decimal)
    found = _without_comments(found, decimal)
    found = _without_preamble(found, delimiter is not None, decimal)
    found = _without_later_comments(found)
    found = _without_empty_ends(found)
    return _without_units(found, decimal)


def _is_plainest(text: str, decimal: str) -> bool:
    """Whether a small text is names in its first line and, below, nothing but as many plain numbers in every line.

    Nothing need be found in such a table, and a folder may hold a hundred thousand of them.
    """
    names = plainest_names(text, decimal)
    return names is not None and plainest_rows(text, len(names))


def plainest_names(text: str, decimal: str = ".") -> list[str] | None:
    """Return the names that the first line of a text holds, None where it may be anything else than plain names."""
    names = text[: text.find("\n")].split(",")
    plain = len(names) > 1 and all(map(_PLAIN_NAME.fullmatch, names)) and _is_header(names, decimal)
    return names if plain else None


def plainest_rows(text: str, width: int) -> bool:
    """Whether a small text holds, below its first line, nothing but so many plain numbers in every line."""
    return (
        len(text) <= _PLAINEST_SIZE
        and _plain_rows(width).fullmatch(text, max(text.find("\n"), 0)) is not None
    )


@lru_cache(maxsize=64)
def _plain_rows(width: int) -> re.Pattern[str]:
    number = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    return re.compile(rf"(?:\n{number}(?:,{number}){{{width - 1}}})+\n*")


def time_unit(unit: str) -> str | None:
    """Return a unit of time as `recurra.readers.tables.time_columns` calls it, None if it is none."""
    return _TIME_UNITS.get(unit.strip().strip("[](){}<>").strip())


def is_number(cell: str, decimal: str = ".") -> bool:
    """Return whether a cell could stand in a column of numbers, words for "not known" included, empty ones not."""
    text = cell.strip()
    if is_missing(text):
        return text != ""
    if re.match(r"[+-]?inf(inity)?\Z", text, re.IGNORECASE):
        return True
    return (
        re.match(r"[+\-\u2212]?[\d.,' \u2019\u00a0\u202f\u2009]*\d[.,]?([eE][+-]?\d+)?\Z", text) is not None
    )


def is_row_of_numbers(cells: list[str], decimal: str) -> bool:
    """Whether a first row is one of numbers; those that count from 0, as pandas names columns, are names."""
    counted = [cell.strip() for cell in cells] == [str(i) for i in range(len(cells))]
    return all(is_number(cell, decimal) for cell in cells) and not (counted and len(cells) > 3)


def check_header(cells: list[str], who: str, decimal: str) -> None:
    """Refuse a first row of numbers, unless they count steps or name wavelengths: whole or many, and rising."""
    names = [cell.strip() for cell in cells]
    numbers = [name for name in names if not is_missing(name) and is_number(name, decimal)]
    counted = numbers in ([str(i + k) for i in range(len(numbers))] for k in (0, 1))
    if not numbers or (counted and len(numbers) > 3):
        return
    words = [name for name in names if name and not is_missing(name) and name not in numbers]
    if words:
        whole = all(name.isdigit() for name in numbers)
        try:
            values = np.array([name.replace(decimal, ".") for name in numbers], dtype=np.float64)
        except ValueError:
            values = np.zeros(2)
        if (whole or len(numbers) > 4) and (np.diff(values) > 0).all() and values[0] >= 0:
            return
    only = "numbers" if words else "only numbers"
    raise DataError(
        f"{who}: the first row must name the columns; it holds {only} ({listing(numbers, 3)}). "
        f"{_without_names(names, words)}; if these are names, pass header='first'."
    )


def _without_names(names: list[str], words: list[str]) -> str:
    """Return what to do with a file without names, from its first row: which column may be the class, if any."""
    if len(names) == 1:
        return "Add a first row with a name, or pass header='none', which calls the column column_0"
    label = names.index(words[0]) if len(words) == 1 else 0
    return (
        "Add a first row of names, or pass header='none', which calls them column_0 and so on, with "
        f"label='column_{label}' and layout='wide' where every row is a class and the steps of a sequence"
    )


def _with_blanks(found: FoundTable) -> FoundTable:
    """Write tabs between columns that only blanks part: every row is as many numbers, as numpy and archives write them."""
    if found.delimiter:
        return found
    sample = [
        line.split() for line in found.text[:65536].split("\n")[:_SAMPLE] if not line.startswith(_COMMENT)
    ]
    sample = [cells for cells in sample if cells]
    widths = {len(cells) for cells in sample}
    if len(widths) != 1 or widths == {1} or len(sample) < 2:
        return found
    if not all(_PLAIN_NUMBER.match(cell) for cells in sample[1:] for cell in cells):
        return found
    if all(re.match(r"\d{3}\Z", cell) for cells in sample[1:] for cell in cells[1:]):  # thousands
        return found
    text = "\n".join("\t".join(line.split()) for line in found.text.split("\n"))
    return replace(found, text=text, delimiter="\t", notes=(*found.notes, "blanks part the columns."))


def _without_sep_line(found: FoundTable) -> FoundTable:
    """Take the separator Excel writes into the first line."""
    match = _SEP_LINE.match(found.text)
    if not match:
        return found
    mark = match.group(1)
    return replace(
        found,
        text=found.text[match.end() :]
        if match.end() == len(found.text)
        else "\n" + found.text[match.end() + 1 :],
        delimiter=found.delimiter or mark,
    )


def _with_delimiter(found: FoundTable, decimal: str) -> FoundTable:
    """Take whichever of ``, ; tab |`` the first line has most of."""
    if found.delimiter:
        return found
    first = next(
        (line for line in found.text[:65536].split("\n") if line.strip() and not line.startswith(_COMMENT)),
        "",
    )
    return replace(found, delimiter=_most_frequent(first, decimal))


def _most_frequent(line: str, decimal: str) -> str:
    bare = re.sub(r'"[^"]*"', "", line)
    others = [mark for mark in ",;\t|" if mark != decimal]
    # The decimal mark parts columns only where nothing else does.
    alone = decimal in ",;\t|" and decimal in bare and not any(mark in bare for mark in others)
    marks = [decimal] if alone else others
    return max(marks, key=lambda mark: (bare.count(mark), mark == ","))


def _rows(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not empty, with the number of the line each begins at, from 0."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    begin = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begin, cells))
            if len(rows) >= _SAMPLE or reader.line_num > 2 * _SAMPLE:
                break
            begin = reader.line_num
    except csv.Error:  # told by whoever reads the whole
        pass
    return rows


def _width(cells: list[str]) -> int:
    """Return the number of cells up to the last that is filled."""
    return next((i for i in range(len(cells), 0, -1) if cells[i - 1].strip()), 0)


def _blanked(text: str, lines: list[int]) -> str:
    """Return a text with these lines empty."""
    if not lines:
        return text
    gone, last = set(lines), max(lines)
    pieces = text.split("\n", last + 1)
    return "\n".join("" if i in gone else piece for i, piece in enumerate(pieces))


def _without_comments(found: FoundTable, decimal: str) -> FoundTable:
    head = found.text.lstrip(" \t\n")
    if not head.startswith(_COMMENT):
        return found
    lines = found.text.split("\n", _SAMPLE)
    comments: list[int] = []
    first = None
    for number, line in enumerate(lines):
        if line.startswith(_COMMENT):
            comments.append(number)
        elif line.strip():
            first = number
            break
    if first is None:
        return found
    mark = found.delimiter
    rest = [cells for _, cells in _rows("\n".join(lines[first:]), mark)]
    title = lines[comments[-1]].lstrip("#%/").strip()
    names = next(csv.reader([title], delimiter=mark), [])
    numeric = _numeric_columns(rest, decimal)
    if len(names) == _width(rest[0]) and _is_header(names, decimal) and _is_data(rest[0], numeric, decimal):
        # numpy.savetxt writes the names of the columns as a comment.
        text = _blanked(found.text, comments[:-1])
        pieces = text.split("\n", comments[-1] + 1)
        pieces[comments[-1]] = title
        return replace(found, text="\n".join(pieces), notes=(*found.notes, *_said(comments[:-1], "comment")))
    if len(names) == _width(rest[0]) > 1 and not numeric:
        return found  # a table of words whose first name begins with the sign
    return replace(
        found, text=_blanked(found.text, comments), notes=(*found.notes, *_said(comments, "comment"))
    )


def _is_data(first: list[str], numeric: list[int], decimal: str) -> bool:
    return any(j < len(first) and is_number(first[j], decimal) for j in numeric)


def _said(lines: list[int], what: str) -> list[str]:
    if not lines:
        return []
    which = f"line {lines[0] + 1}" if len(lines) == 1 else f"{len(lines)} lines from line {lines[0] + 1} on"
    return [f"left out {which}: {what}{'' if len(lines) == 1 else 's'}."]


def _without_later_comments(found: FoundTable) -> FoundTable:
    """Leave out lines between and behind the rows that begin like a comment and have no separator."""
    if not any("\n" + sign in found.text for sign in _COMMENT) or found.delimiter not in found.text:
        return found
    rows = _rows(found.text, found.delimiter)
    if not rows or len(rows[0][1]) < 2:
        return found
    lines = found.text.split("\n")
    quoted, gone = False, []
    for number, line in enumerate(lines):
        if not quoted and number > rows[0][0] and line.startswith(_COMMENT) and found.delimiter not in line:
            gone.append(number)
        elif line.count('"') % 2:  # a cell in quotation marks may go on over lines
            quoted = not quoted
    if not gone:
        return found
    return replace(found, text=_blanked(found.text, gone), notes=(*found.notes, *_said(gone, "comment")))


def _is_header(cells: list[str], decimal: str) -> bool:
    return bool(cells) and all(cell.strip() and not is_number(cell, decimal) for cell in cells)


def _numeric_columns(rows: list[list[str]], decimal: str) -> list[int]:
    """Return the columns that hold numbers in every row but the first two, which may be names and units."""
    width = max((len(cells) for cells in rows), default=0)
    body = rows[2:] if len(rows) > 2 else rows[1:] if len(rows) > 1 else rows
    out = []
    for j in range(width):
        cells = [cells[j] for cells in body if j < len(cells)]
        numbers = [is_number(cell, decimal) for cell in cells if cell.strip()]
        if numbers and all(numbers) and not all(is_missing(cell) for cell in cells):
            out.append(j)
    return out


def _without_preamble(found: FoundTable, told: bool, decimal: str) -> FoundTable:
    """Leave out lines before the names of the columns: they have fewer cells, and numbers stand below the names only."""
    rows = _rows(found.text, found.delimiter)
    if len(rows) < 2:
        return found
    start = _start(rows, decimal)
    if start is None and not told and (len(rows[0][1]) == 1 or not _is_clean(rows)):
        others = []
        for mark in ",;\t|":
            if mark != found.delimiter:
                other = _rows(found.text, mark)
                begin = _start(other, decimal)
                if begin:
                    others.append((max(_width(c) for _, c in other), mark, other, begin))
        if others:
            _, mark, rows, start = max(others, key=lambda one: one[0])
            found = replace(found, delimiter=mark)
    if not start:
        return found
    gone = [number for number in range(rows[start][0]) if found.text.split("\n", number + 1)[number].strip()]
    first = rows[0][1]
    shown = " ".join(cell.strip() for cell in first if cell.strip())[:40]
    note = (
        f"the names of the columns stand in line {rows[start][0] + 1}; the lines before it were left out ({shown!r}"
        f"{'' if len(gone) == 1 else ' and so on'})."
    )
    twice = [rows[at][0] + 1 for at in range(start) if _names_too(rows[:start], at, rows[start][1], decimal)]
    return replace(
        found,
        text=_blanked(found.text, gone),
        notes=(*found.notes, note),
        tables=(twice[0], rows[start][0] + 1) if twice else (),
    )


def _names_too(before: list[tuple[int, list[str]]], at: int, header: list[str], decimal: str) -> bool:
    """Return whether a row before the names has two of them, or one and columns of numbers below it."""
    shared = {cell.strip().lower() for cell in before[at][1]} & {cell.strip().lower() for cell in header} - {
        ""
    }
    if len(shared) == 1 and _begins_table(before, at, decimal):
        return len(_numeric_columns([cells for _, cells in before[at:]], decimal)) > 1
    return len(shared) > 1


def _is_clean(rows: list[tuple[int, list[str]]]) -> bool:
    """Whether the first row could name the columns of the others."""
    full = len(rows[0][1])
    widths = [_width(cells) for _, cells in rows[1:]]
    return all(w <= full for w in widths) and (full == 1 or 2 * sum(w > 1 for w in widths) >= len(widths))


def _start(rows: list[tuple[int, list[str]]], decimal: str) -> int | None:
    """Return which row names the columns, 0 or None for the first."""
    if len(rows) < 2:
        return None
    widths = [_width(cells) for _, cells in rows]
    most = max(widths)
    if widths[0] < most:
        at = widths.index(most)
        return at if _begins_table(rows, at, decimal) else None
    # Lines as wide as the table are told from it by an empty line, the only one.
    gaps = [i for i in range(1, len(rows)) if rows[i][0] > rows[i - 1][0] + 1]
    whole = [cells for _, cells in rows]
    if len(gaps) == 1 and most > 1 and len(rows) - gaps[0] > 2 and not _numeric_columns(whole, decimal):
        return gaps[0] if widths[gaps[0]] == most and _begins_table(rows, gaps[0], decimal) else None
    return None


def _begins_table(rows: list[tuple[int, list[str]]], at: int, decimal: str) -> bool:
    cells = [c for _, c in rows[at:]]
    width = _width(cells[0])
    if width < 2 or len(cells) < 2 or not _is_header(cells[0][:width], decimal):
        return False
    return bool(_numeric_columns(cells, decimal))


def _without_empty_ends(found: FoundTable) -> FoundTable:
    """Leave out lines of separators before the first row and behind the last."""
    rows = _rows(found.text, found.delimiter)
    if rows and rows[0][0]:
        found = replace(found, text=_blanked(found.text, list(range(rows[0][0]))))
    text, mark = found.text, found.delimiter
    stop, count = len(text.rstrip(" \n")), 0
    end = stop
    while end > 0:
        begin = text.rfind("\n", 0, end) + 1
        line = text[begin:end]
        if line.strip(' "' + mark) or (line.strip() and mark not in line):
            break
        count += mark in line
        end = begin - 1
    if not count or end <= 0 or text.count('"', 0, end) % 2:  # an empty line within quotation marks is text
        return found
    note = f"left out {count} line{'' if count == 1 else 's'} of separators behind the last row."
    return replace(found, text=text[: end + 1], notes=(*found.notes, note))


def _without_units(found: FoundTable, decimal: str) -> FoundTable:
    """Leave out a row of units below the names: nothing but units where all other rows have numbers."""
    rows = _rows(found.text, found.delimiter)
    if len(rows) < 3 or not _is_header([c for c in rows[0][1] if c.strip()], decimal):
        return found
    line, cells = rows[1]
    if not any(_is_unit(cell) for cell in cells):  # of most tables, whose numbers need not be looked at then
        return found
    numeric = [j for j in _numeric_columns([c for _, c in rows], decimal) if j < len(cells)]
    there = [cells[j].strip() for j in numeric if not is_missing(cells[j])]
    if not there or not all(_is_unit(unit) for unit in there):
        return found
    if any(cell.strip() and j not in numeric and not _is_unit_or_word(cell) for j, cell in enumerate(cells)):
        return found
    units = tuple(cell.strip() for cell in cells)
    note = f"line {line + 1} holds units ({', '.join(there[:4])}) and is no row."
    return replace(found, text=_blanked(found.text, [line]), notes=(*found.notes, note), units=units)


def _is_unit(cell: str) -> bool:
    text = cell.strip()
    return bool(_UNIT.match(text) or _BRACKETS.match(text))


def _is_unit_or_word(cell: str) -> bool:
    """Whether a cell may stand in a row of units above words or dates."""
    return is_missing(cell) or _is_unit(cell) or _TIME_PATTERN.match(cell.strip()) is not None


def without_empty_columns(names: list[str], table: np.ndarray) -> tuple[list[int], list[str]]:
    """Return which columns are kept: all but those without a name and without a cell; and a note on these."""
    kept = [
        j
        for j, name in enumerate(names)
        if name.strip() or any(str(cell).strip() for cell in table[:, j].tolist())
    ]
    gone = len(names) - len(kept)
    if not gone or not kept:
        return list(range(len(names))), []
    return kept, [f"left out {gone} column{'' if gone == 1 else 's'} without a name and without a value."]


def check_closed(text: str, start: int, delimiter: str, who: str) -> None:
    """Raise DataError where a quotation mark is never closed, so that all lines behind it are one cell."""
    if text.count('"', start) % 2 == 0:
        return
    *_, last = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter)
    lines = "".join(last[-1:]).rstrip("\n").split("\n")
    if any(delimiter in line for line in lines[1:]):
        number = text.rstrip("\n").count("\n") + 2 - len(lines)
        raise DataError(
            f"{who}: line {number} has a quotation mark that is never closed, before {lines[0][:40]!r}: the lines behind "
            "it would all be one cell. Close it, or remove it."
        )
