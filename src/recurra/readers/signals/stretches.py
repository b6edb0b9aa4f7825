"""Stretches of recordings with a label each, in the ``labels.csv`` of a folder, become a label per time step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import DataError
from recurra.readers.signals.recording import NO_EVENT

FILE, START, END, LABEL = COLUMNS = ("file", "start", "end", "label")


@dataclass(frozen=True, order=True)
class Stretch:
    """Time steps ``start`` to before ``end``, counted from 0, and their label."""

    start: int
    end: int
    label: str


def holds_stretches(names: Sequence[str]) -> bool:
    """Whether columns of these names tell stretches of files."""
    return {START, END} <= {name.lower() for name in names}


def steps_labelled(stretches: Sequence[Stretch], steps: int, who: str) -> np.ndarray:
    """Return a label per time step, array of str of shape (steps,); "none" where no stretch is.

    Raises
    ------
    DataError
        If a stretch is empty, reaches out of the recording, or overlaps with another.
    """
    out = np.full(steps, NO_EVENT, dtype=object)
    before = Stretch(0, 0, "")
    for one in sorted(stretches):
        if not 0 <= one.start < one.end <= steps:
            raise DataError(
                f"{who}: a stretch must begin before it ends, inside of the {steps} time steps; got {one.start} to "
                f"{one.end} ({one.label!r}). Correct the row."
            )
        if one.start < before.end:
            raise DataError(
                f"{who}: the stretches {before.start} to {before.end} ({before.label!r}) and {one.start} to {one.end} "
                f"({one.label!r}) overlap. Give every time step one label."
            )
        out[one.start : one.end] = one.label
        before = one
    return out.astype(str)


def by_file(columns: Mapping[str, Sequence[str | None]], places: Sequence[str]) -> dict[str, list[Stretch]]:
    """Return the stretches of each file.

    Parameters
    ----------
    columns : mapping
        ``file``, ``start``, ``end`` and ``label``, as texts.
    places : sequence of str
        Where each row stands, for messages.

    Raises
    ------
    DataError
        If a cell is empty, or a start or end is no whole number.
    """
    out: dict[str, list[Stretch]] = {}
    for row, place in enumerate(places):
        cells = {name: columns[name][row] for name in COLUMNS}
        empty = [name for name, cell in cells.items() if not cell]
        if empty:
            raise DataError(f"{place}: {empty[0]!r} is empty. Fill it, or remove the row.")
        start, end = str(cells[START]), str(cells[END])
        if not (start.isdecimal() and end.isdecimal()):
            raise DataError(
                f"{place}: start and end must be time steps, whole numbers from 0; got {start!r} and {end!r}."
            )
        out.setdefault(str(cells[FILE]), []).append(Stretch(int(start), int(end), str(cells[LABEL])))
    return out
