"""Recordings and texts of a file, read as every verb reads them, and given one step or one text after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from recurra.records import Dataset
from recurra.runs.stream.lines import Row

# Files that are read line by line as they grow; every other one is read as a whole.
LINE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", "")
TEXT_LINE_SUFFIXES = (".txt", ".jsonl", ".ndjson", "")


def is_recorded(source: str, *, texts: bool) -> bool:
    """Return whether a source is a file or folder that is read as a whole, by the ending of its name."""
    if source == "-":
        return False
    path = Path(source)
    return path.is_dir() or path.suffix.lower() not in (TEXT_LINE_SUFFIXES if texts else LINE_SUFFIXES)


class Recorded:
    """Steps of recordings, each recording a sequence of its own, or texts.

    Parameters
    ----------
    data : Dataset
        What was read.
    static : sequence, optional
        Static inputs of each recording, in the order of the network.

    Attributes
    ----------
    number : int
        Steps or texts given so far.
    """

    def __init__(self, data: Dataset, static: Sequence[Sequence[Any]] | None = None) -> None:
        self.number, self._static = 0, static
        self.unit: str = "step" if data.kind == "sequence" else "text"
        self._data = data

    def read(self, source: Any) -> Iterator[Row]:
        """Yield every step, or text; ``source`` is not looked at."""
        named = len(self._data) > 1
        for index, (values, name) in enumerate(zip(self._data.X, self._data.names, strict=True)):
            own = name if named else None
            if self.unit == "text":
                self.number += 1
                yield Row(values, own)
                continue
            if index:
                yield Row([], own, reset=True)
            for row in values.tolist():
                self.number += 1
                yield Row(row, own, static=None if self._static is None else list(self._static[index]))
