"""Missing values: the last value seen stands in, and where it is asked for a mask channel tells the network so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

# Values of the option ``missing`` with which NaN may be given.
FILLING = ("mask", "fill")


@dataclass(frozen=True)
class MissingMask:
    """Fill NaN with the channel's last value, and append one 0/1 channel per channel that says where.

    Before the first value of a channel, 0 stands in, which is the training mean once values are scaled. Only
    earlier steps are used, so that a stream gives the same numbers as the whole.
    """

    name: ClassVar[str] = "missing_mask"

    def output_size(self, input_size: int) -> int:
        """Number of channels it gives."""
        return 2 * input_size

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return an array of shape (time, 2 * channels): filled values, then the mask."""
        missing = np.isnan(sequence)
        steps = np.arange(len(sequence))[:, None]
        last_seen = np.maximum.accumulate(np.where(missing, -1, steps), axis=0)
        filled = np.take_along_axis(sequence, np.maximum(last_seen, 0), axis=0)
        filled = np.where(last_seen < 0, 0.0, filled)
        return np.concatenate([filled, missing.astype(filled.dtype)], axis=1)

    def stream(self, input_size: int) -> "MissingMaskStream":
        """Return what fills chunk by chunk."""
        return MissingMaskStream(input_size)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {"name": self.name}, {}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls()


@dataclass(frozen=True)
class FilledGaps:
    """Fill NaN with the channel's last value, and before the first with the mean of the training.

    Parameters
    ----------
    center : float64 array of shape (channels,)
        Mean of the values of each channel; 0 where it had none.
    """

    center: np.ndarray
    name: ClassVar[str] = "filled_gaps"

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray], weights: np.ndarray | None = None) -> Self:
        """Learn the means; ``weights``, of shape (sequences,), count sequences several times."""
        each = np.ones(len(sequences)) if weights is None else np.asarray(weights, np.float64)
        totals = np.stack([np.nansum(sequence, axis=0, dtype=np.float64) for sequence in sequences])
        counts = np.stack([(~np.isnan(sequence)).sum(axis=0) for sequence in sequences])
        return cls(each @ totals / np.maximum(each @ counts, np.finfo(float).tiny))

    def output_size(self, input_size: int) -> int:
        """Number of channels it gives."""
        return input_size

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the sequence, of shape (time, channels), without gaps."""
        rows = np.concatenate([self.center[None], sequence])  # float64, as in a stream
        return MissingMask().transform(rows)[1:, : sequence.shape[1]]

    def stream(self, input_size: int) -> "FilledGapsStream":
        """Return what fills chunk by chunk."""
        return FilledGapsStream(self.center)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {"name": self.name}, {"center": self.center}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls(arrays["center"])


class MissingMaskStream:
    """`MissingMask` fed chunk by chunk: remembers the last value of every channel.

    Parameters
    ----------
    channels : int
        Channels of a row.
    first : ndarray of shape (channels,), optional
        What stands in before the first value; 0 by default.
    """

    row_wise: ClassVar[bool] = True
    delay: ClassVar[int] = 0

    def __init__(self, channels: int, first: np.ndarray | None = None) -> None:
        self._first = np.zeros(channels) if first is None else first
        self._last = self._first[None].copy()

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Return an array of shape (time, 2 * channels): filled values, then the mask."""
        rows = np.concatenate([self._last[slot : slot + 1], chunk])
        filled = MissingMask().transform(rows)[1:]
        if len(filled):
            self._last[slot] = filled[-1, : chunk.shape[1]]
        return filled

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return an array of shape (n, 2 * channels), one row for each slot."""
        missing = np.isnan(rows)
        filled = np.where(missing, self._last[slots], rows)
        self._last[slots] = filled
        return np.concatenate([filled, missing.astype(filled.dtype)], axis=1)

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return the last values: ``last``, float64 of shape (channels,)."""
        return {"last": self._last[slot].copy()}

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`."""
        self._last[slot] = arrays["last"]

    def reset(self, slot: int) -> None:
        """Forget every row of a slot."""
        self._last[slot] = self._first

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        more = np.tile(self._first, (slots - len(self._last), 1))
        self._last = np.concatenate([self._last, more])


class FilledGapsStream:
    """`FilledGaps` fed chunk by chunk.

    Parameters
    ----------
    center : ndarray of shape (channels,)
        What stands in before the first value.
    """

    row_wise: ClassVar[bool] = True
    delay: ClassVar[int] = 0

    def __init__(self, center: np.ndarray) -> None:
        self._channels = len(center)
        self._masked = MissingMaskStream(len(center), center)

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Return the rows, of shape (time, channels), without gaps."""
        return self._masked.push(chunk, slot)[:, : self._channels]

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return the rows, of shape (n, channels), one for each slot, without gaps."""
        return self._masked.step(rows, slots)[:, : self._channels]

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return the last values: ``last``, float64 of shape (channels,)."""
        return self._masked.state(slot)

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`."""
        self._masked.set_state(slot, arrays)

    def reset(self, slot: int) -> None:
        """Forget every row of a slot."""
        self._masked.reset(slot)

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        self._masked.grow(slots)
