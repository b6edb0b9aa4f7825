"""`PreparedRows`: rows of many sequences that are made when they are asked for, and not kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from recurra.readers.large.mapped import read_ahead

# Rows that together take more bytes than this are made anew each time.
KEPT_BYTES = 1 << 28


class PreparedRows(Sequence[np.ndarray]):
    """What the network reads of each sequence, computed at every access.

    Making rows by scaling costs a hundredth of what the network takes to read them, and all of them at once may be more
    than memory holds.

    Parameters
    ----------
    sequences : sequence of ndarray of shape (time, channels)
        Raw values.
    make : callable (sequence, position) -> ndarray of shape (time, input_size)
        Gives a row for each step.
    places : ndarray of int64, optional
        Which of the sequences these are, in this order; by default all.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        make: Callable[[np.ndarray, int], np.ndarray],
        places: np.ndarray | None = None,
    ) -> None:
        self._sequences, self._make = sequences, make
        self._places = np.arange(len(sequences)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> "PreparedRows": ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        place = int(self._places[index])
        return self._make(self._sequences[place], place)

    def __iter__(self) -> Iterator[np.ndarray]:
        places = self._places.tolist()
        for place, sequence in zip(places, read_ahead([self._sequences[i] for i in places]), strict=True):
            yield self._make(sequence, place)

    def take(self, indices: np.ndarray) -> "PreparedRows":
        """Return these, in this order, still to be made."""
        return PreparedRows(self._sequences, self._make, self._places[indices])

    @property
    def lengths(self) -> np.ndarray:
        """Rows of each: int64 array, for which nothing is made."""
        return np.array([len(self._sequences[i]) for i in self._places.tolist()], dtype=np.int64)
