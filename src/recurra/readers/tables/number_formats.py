"""Numbers as people and spreadsheets write them: decimal marks, groups of thousands, words for "not known"."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.checks import counted

# Cells of a column of numbers that mean "not known", compared without case and surrounding blanks.
MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "<na>", "nan", "-nan", "nat", "null", "none", "?", ".", "-", "--", "---"}
    | {"–", "—", "#na", "#n/a", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)

# Blanks of every width part thousands alike, and so do apostrophes; the minus of typesetters is a minus.
_ALIKE = str.maketrans({**dict.fromkeys("\u00a0\u202f\u2009\u2007", " "), "\u2019": "'", "\u2212": "-"})

_INFINITE = re.compile(r"[+-]?inf(inity)?\Z", re.IGNORECASE)
_NUMBERS = {int, float, bool, type(None)}
_GROUP_MARKS = (",", ".", " ", "'")
_RIVAL = {".": ",", ",": "."}


class NotANumberError(Exception):
    """A cell that cannot be read as a number: its row, and what to do about it where that is known."""

    def __init__(self, row: int, hint: str = "") -> None:
        super().__init__(row, hint)
        self.row, self.hint = row, hint


def is_missing(cell: Any) -> bool:
    """Return whether a cell of a column of numbers is empty or one of the words for "not known"."""
    return cell is None or str(cell).strip().lower() in MISSING


@dataclass(frozen=True)
class Numerals:
    """How the numbers of a table are written.

    Parameters
    ----------
    decimal : str, default="."
        Decimal mark.
    thousands : str, optional
        Mark between groups of three digits. Without it a mark is taken for one where it can be nothing else.
    blanks : bool, default=True
        A plain blank may part thousands. It may not in a table of one column, whose columns may be parted by blanks.
    """

    decimal: str = "."
    thousands: str | None = None
    blanks: bool = True

    def read(self, cells: np.ndarray) -> tuple[np.ndarray, str]:
        """Return a column as float64 of shape (rows,), missing cells NaN, and what was decided, as the end of a sentence.

        Raises
        ------
        NotANumberError
            If a cell is no number, or may be two different ones.
        """
        if self.decimal == "." and self.thousands is None:
            quick = _plain(cells)
            if quick is not None:
                self._check_not_thousands(cells)
                return quick, ""
        return _Column(self, cells).read()

    def _check_not_thousands(self, cells: np.ndarray) -> None:
        """Refuse points that may part thousands: three digits behind each, beside whole numbers below 1000 only.

        Points are decimal marks unless said otherwise, and a column of 1.234 and 5.678 is read so. But who writes 1.234
        and 999 in one column has most likely counted to a thousand.
        """
        grouped = small = None
        for row, cell in enumerate(cells.tolist()):
            if not isinstance(cell, str):
                return
            place = cell.find(".")
            if place < 0:
                digits = cell.strip().lstrip("+-")
                if digits.isdigit():
                    if len(digits) > 3:
                        return
                    small = small if small is not None or not digits.strip("0") else row
                elif not is_missing(cell):
                    return
            elif len(cell) - place != 4 or not _MAY_BE_GROUPED["."].fullmatch(cell.strip()):
                if not is_missing(cell):
                    return
            elif grouped is None:
                grouped = row
        if grouped is not None and small is not None:
            raise NotANumberError(
                grouped,
                f"Beside {cells[small].strip()!r} it may be thousands: pass decimal=',' if the point parts thousands, "
                "thousands=',' if it is the decimal mark.",
            )


def _plain(cells: np.ndarray) -> np.ndarray | None:
    """Return cells as float64 where Python's own notation is all there is, else None."""
    try:
        values: np.ndarray = cells.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    listed = cells.tolist()
    try:
        underlined = "_" in "".join(listed)
    except TypeError:  # not all are text
        underlined = not set(map(type, listed)) <= _NUMBERS and any(
            isinstance(cell, str) and "_" in cell for cell in listed
        )
    if underlined:  # float() takes 1_000
        return None
    too_large = np.isinf(values)
    if too_large.any() and not all(_is_infinite(listed[row]) for row in np.flatnonzero(too_large)):
        return None
    return values


def _is_infinite(cell: Any) -> bool:
    return not isinstance(cell, str) or _INFINITE.match(cell.strip()) is not None


def _plain_pattern(decimal: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    return re.compile(rf"[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?\Z")


def _grouped_pattern(decimal: str, mark: str) -> re.Pattern[str]:
    mark = re.escape(mark)
    return re.compile(rf"[+-]?[1-9]\d{{0,2}}({mark}\d{{3}})+({re.escape(decimal)}\d*)?\Z")


# One group behind the mark and nothing else: 1.234 is one and a bit, or a thousand and more.
_MAY_BE_GROUPED = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}") for mark in ".,"}


class _Column:
    """One column, cell by cell; what single cells leave open is decided from all of them."""

    def __init__(self, numerals: Numerals, cells: np.ndarray) -> None:
        self.decimal, self.thousands = numerals.decimal, numerals.thousands
        self.cells = cells.tolist()
        self.plain = _plain_pattern(self.decimal)
        marks = (self.thousands.translate(_ALIKE),) if self.thousands is not None else _GROUP_MARKS
        self.grouped = {m: _grouped_pattern(self.decimal, m) for m in marks if m != self.decimal}
        self.blanks = numerals.blanks or self.thousands is not None
        self.open: list[int] = []  # rows that may be a group of thousands or a decimal mark of the other kind
        self.mark, self.first_grouped = "", 0
        self.decimals_seen = self.groups_seen = False

    def read(self) -> tuple[np.ndarray, str]:
        out = np.full(len(self.cells), np.nan)
        for row, cell in enumerate(self.cells):
            if not is_missing(cell):
                out[row] = self._one(row, cell)
        if self.open and self.thousands is None and not (self.groups_seen or self.decimals_seen):
            self._refuse_open(self.open[0])
        if self.open and self.thousands is None:
            first = str(self.cells[self.open[0]]).strip()
            return out, f"{self.mark!r} parts thousands, so that {first!r} is {out[self.open[0]]:.0f}"
        return out, ""

    def _one(self, row: int, cell: Any) -> float:
        if not isinstance(cell, str):
            try:
                return float(cell)
            except (TypeError, ValueError, OverflowError):
                raise NotANumberError(row) from None
        text = cell.strip()
        if not self.blanks and re.search(r"\d \d", text):
            raise NotANumberError(
                row,
                "If blanks part the columns, write tabs in their place; if they part thousands, leave them out.",
            )
        text = text.translate(_ALIKE)
        if self.plain.match(text):
            if self.decimal in text:
                may = _MAY_BE_GROUPED.get(self.decimal)
                self.decimals_seen |= may is None or not may.fullmatch(text)
            return self._float(row, text.replace(self.decimal, "."))
        if _INFINITE.match(text):
            return float(text)
        for mark, pattern in self.grouped.items():
            if pattern.match(text):
                return self._group(row, text, mark)
        raise NotANumberError(row, self._other_mark(text))

    def _group(self, row: int, text: str, mark: str) -> float:
        if self.mark not in ("", mark):
            raise NotANumberError(
                row, f"Thousands are parted by {self.mark!r} before and by {mark!r} here. Write them alike."
            )
        self.mark = mark
        if mark == _RIVAL.get(self.decimal) and _MAY_BE_GROUPED[mark].fullmatch(text):
            self.open.append(row)
        else:
            self.groups_seen = True
        return self._float(row, text.replace(mark, "").replace(self.decimal, "."))

    def _float(self, row: int, text: str) -> float:
        value = float(text)
        if np.isinf(value):
            raise NotANumberError(row, "It is beyond the numbers of 64 bits. Write it in a larger unit.")
        return value

    def _refuse_open(self, row: int) -> None:
        text = str(self.cells[row]).strip()
        mark, digits = self.mark, text.replace(self.mark, "")
        raise NotANumberError(
            row,
            f"It may be {digits}, or {text.replace(mark, '.')}: pass thousands={mark!r} if {mark!r} parts thousands, "
            f"decimal={mark!r} if it is the decimal mark.",
        )

    def _other_mark(self, text: str) -> str:
        """Return what to do about a number with the other decimal mark."""
        other = _RIVAL.get(self.decimal)
        if other is None:
            return ""
        if _plain_pattern(other).match(text) or any(
            _grouped_pattern(other, mark).match(text) for mark in _GROUP_MARKS if mark != other
        ):
            name = "comma" if other == "," else "point"
            return f"If the {name} is the decimal mark, pass decimal={other!r}."
        return ""


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def odd_values(who: str, arrays: Sequence[np.ndarray]) -> tuple[str, ...]:
    """Say how many values are missing or infinite; they are kept."""
    count: Counter[str] = Counter()
    for array in arrays:
        if np.isfinite(array).all():
            continue
        count["missing"] += int(np.isnan(array).sum())
        count["infinite"] += int(np.isinf(array).sum())
    total = sum(array.size for array in arrays)
    notes = []
    if count["missing"]:
        notes.append(
            f"{who}: {count['missing']} of {counted(total, 'value')} {_are(count['missing'])} missing (kept as NaN); "
            "fit with missing='mask', or fill them."
        )
    if count["infinite"]:
        notes.append(
            f"{who}: {count['infinite']} of {counted(total, 'value')} {_are(count['infinite'])} infinite (kept); replace "
            "them before fitting."
        )
    return tuple(notes)
