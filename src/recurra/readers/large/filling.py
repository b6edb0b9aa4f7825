"""`Filling`: batches of Arrow fill one block of numbers and, for words, the codes of what stands in the cells."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from recurra.readers.arrow.coded import Coded


def values_of(column: Any) -> np.ndarray:
    """Return an array of numbers of Arrow without a copy; with missing ones as float64, NaN where one is missing.

    Its own ``to_numpy`` loads pandas, which takes longer than reading ten million cells.
    """
    valid, data = column.buffers()
    first, stop = column.offset, column.offset + len(column)
    values = np.frombuffer(data, dtype=column.type.to_pandas_dtype(), count=stop)[first:]
    if not column.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(valid, dtype=np.uint8), count=stop, bitorder="little")[first:]
    return np.where(bits == 1, values, np.nan)


class NotPlainError(Exception):
    """Columns that do not hold what they were taken for: those that are to be read as words, by position."""

    def __init__(self, columns: Sequence[int]) -> None:
        super().__init__(columns)
        self.columns = tuple(columns)


class Filling:
    """Columns of a table while its batches arrive.

    Parameters
    ----------
    rows : int
        At least as many as will come. Memory that is never written to is never taken.
    numbers : sequence of int
        Columns of the batches that stand side by side in one block, by position.
    alone : sequence of int
        Columns of numbers that are kept each for itself, such as times.
    words : sequence of int
        Columns of text as dictionaries.
    doubtful : bool, default=False
        Whether numbers came from text, where points may part thousands; see `_Doubt`.
    settled : collection of int
        Columns of which some cell shows that they do not.
    """

    def __init__(
        self,
        rows: int,
        *,
        numbers: Sequence[int],
        alone: Sequence[int],
        words: Sequence[int],
        doubtful: bool = False,
        settled: Collection[int] = (),
    ) -> None:
        self.block = np.empty((rows, len(numbers)))
        self._alone = {j: np.empty(rows) for j in alone}
        self._numbers = {j: self.block[:, at] for at, j in enumerate(numbers)} | self._alone
        self._codes = {j: np.empty(rows, dtype=np.int32) for j in words}
        self._known: dict[int, dict[str | None, int]] = {j: {} for j in words}
        self._doubt = {j: _Doubt(settled=j in settled) for j in self._numbers} if doubtful else {}
        self.rows = 0

    def add(self, batch: Any) -> None:
        """Take the rows of a batch.

        Raises
        ------
        NotPlainError
            If numbers are infinite, not exact in 64 bits, or NaN by a word that is none of those for "not known".
        """
        stop = self.rows + batch.num_rows
        odd = []
        for j, out in self._numbers.items():
            column = batch.column(j)
            values = values_of(column)
            out[self.rows : stop] = values
            if (
                values.dtype.kind in "iu"
                and len(values)
                and max(-int(values.min()), int(values.max())) > 2**53
            ) or (self._doubt and not self._doubt[j].take(values, column)):
                odd.append(j)
        if odd:
            raise NotPlainError(odd)
        for j, codes in self._codes.items():
            column, known = batch.column(j), self._known[j]
            own = [known.setdefault(word, len(known)) for word in column.dictionary.to_pylist()]
            if column.null_count:
                own.append(known.setdefault(None, len(known)))  # NaN as a place is the last
            places = np.nan_to_num(values_of(column.indices), nan=len(own) - 1).astype(np.int64)
            codes[self.rows : stop] = np.array(own, dtype=np.int32)[places]
        self.rows = stop

    def columns(self) -> dict[int, Any]:
        """Return the columns by position: views of the block, arrays of float64, and `Coded`.

        Raises
        ------
        NotPlainError
            If the points of a column may part thousands.
        """
        odd = [j for j, doubt in self._doubt.items() if doubt.open]
        if odd:
            raise NotPlainError(odd)
        self.block = self.block[: self.rows]
        found: dict[int, Any] = {j: values[: self.rows] for j, values in self._numbers.items()}
        return found | {
            j: Coded(codes[: self.rows], list(self._known[j])) for j, codes in self._codes.items()
        }


class _Doubt:
    """Whether the numbers of a column may be written with points that part thousands.

    `Numerals.read` refuses 1.234 beside 56. From values alone: nothing is open where one is 1000 or more, lies between 0
    and 1, or has another digit than the third behind the point; else what has three digits may stand beside whole ones.
    """

    def __init__(self, *, settled: bool) -> None:
        self.settled = settled
        self.small = self.points = False

    @property
    def open(self) -> bool:
        return self.points and not self.settled and self.small

    def take(self, values: np.ndarray, column: Any) -> bool:
        """Look at the values of a batch; False if they are not plain numbers."""
        if values.dtype.kind == "f":
            self.points |= str(column.type) == "double"
            if column.null_count and np.isnan(values).sum() != column.null_count:
                return False
        if not len(values) or column.null_count == len(values):
            return True
        # NaN by a word that is none for "not known" is the largest, and refused below.
        ends = (np.nanmin, np.nanmax) if column.null_count else (np.min, np.max)
        low, high = (float(end(values)) for end in ends)
        top = max(-low, high) if low == low else low
        if not top <= 2.0**53:
            return False
        if not self.settled and self.points:
            there = np.abs(values[values == values])
            whole = there == np.rint(there)
            self.settled = bool(
                (top >= 1000)
                or ((there > 0) & (there < 1)).any()
                or (np.rint(there * 1000) / 1000 != there).any()
            )
            self.small |= bool((whole & (there > 0)).any())
        elif not self.settled:
            self.settled = top >= 1000
            self.small |= bool((values != 0).any())
        return True
