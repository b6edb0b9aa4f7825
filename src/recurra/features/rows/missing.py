"""Missing values: the last value seen stands in, and a mask channel tells the network so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np


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


class MissingMaskStream:
    """`MissingMask` fed chunk by chunk: remembers the last value of every channel.

    Parameters
    ----------
    channels : int
        Channels of a row.
    """

    row_wise: ClassVar[bool] = True
    delay: ClassVar[int] = 0

    def __init__(self, channels: int) -> None:
        self._last = np.zeros((1, channels))  # what stands in before the first value

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
        self._last[slot] = 0

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        more = np.zeros((slots - len(self._last), self._last.shape[1]))
        self._last = np.concatenate([self._last, more])
