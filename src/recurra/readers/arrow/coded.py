"""`Coded`: a column of text in which cells that are equal are one string."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Coded:
    """A column of text in which cells that are equal are one string.

    Parameters
    ----------
    codes : ndarray of int32, shape (rows,)
        Which of ``known`` stands in each row.
    known : list of str
        In order of first appearance; None for a cell of Parquet that holds nothing.
    """

    codes: np.ndarray
    known: list[str | None]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str | None:
        return self.known[self.codes[row]]

    def cells(self) -> np.ndarray:
        """Return the cells as an object array of shape (rows,)."""
        known = np.empty(len(self.known), dtype=object)
        known[:] = self.known
        return known[self.codes]

    def factorize(self, values: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
        """Return what `factorize` makes of the cells, were the known ones written as these values."""
        places, found = factorize(values)
        return (self.codes if len(found) == len(self.known) else places[self.codes]), found


def factorize(cells: Iterable[Any]) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each cell's value in order of first appearance, shape (rows,), and the values."""
    index: dict[Any, int] = {}
    codes = np.array([index.setdefault(cell, len(index)) for cell in cells], dtype=np.int64)
    return codes, list(index)
