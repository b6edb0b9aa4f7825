"""How fast each number changes from row to row, as it is used beside cepstral coefficients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np


@dataclass(frozen=True)
class Deltas:
    """Append the slope of every channel over the last ``2 * width + 1`` rows.

    The slope is that of a least-squares line [1]_ and belongs to the row ``width`` earlier: looking backward only, it is
    causal and as late as that. Before the first row, the first row stands in.

    References
    ----------
    .. [1] S. Young et al., "The HTK Book", 2006, section 5.9.
    """

    width: int

    name: ClassVar[str] = "deltas"

    def output_size(self, input_size: int) -> int:
        """Twice the channels."""
        return 2 * input_size

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return an array of shape (time, 2 * channels): the rows, then their slopes."""
        return self.stream(sequence.shape[1]).push(sequence, 0)

    def slopes(self, rows: np.ndarray) -> np.ndarray:
        """Return the slope at each row that has ``2 * width`` before it, added in one order."""
        count = len(rows) - 2 * self.width
        out = np.zeros((count, rows.shape[1]))
        for offset in range(-self.width, self.width + 1):
            start = self.width + offset
            out += offset * rows[start : start + count]
        return out / (2 * sum(k * k for k in range(1, self.width + 1)))

    def stream(self, input_size: int) -> "DeltaStream":
        """Return what appends chunk by chunk."""
        return DeltaStream(self, input_size)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {"name": self.name, "width": self.width}, {}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls(int(config["width"]))


class DeltaStream:
    """`Deltas` fed chunk by chunk: remembers the last rows.

    Parameters
    ----------
    deltas : Deltas
        What is computed.
    channels : int
        Channels of a row.
    """

    row_wise: ClassVar[bool] = True
    delay: ClassVar[int] = 0

    def __init__(self, deltas: Deltas, channels: int) -> None:
        self._deltas = deltas
        self._last = np.zeros((1, 2 * deltas.width, channels))
        self._begun = np.zeros(1, np.int64)

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Return an array of shape (time, 2 * channels): the rows, then their slopes."""
        chunk = np.asarray(chunk, np.float64)
        if len(chunk) and not self._begun[slot]:
            self._last[slot] = chunk[0]
            self._begun[slot] = 1
        rows = np.concatenate([self._last[slot], chunk])
        if len(chunk):
            self._last[slot] = rows[-2 * self._deltas.width :]
        return np.concatenate([chunk, self._deltas.slopes(rows)], axis=1)

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return an array of shape (n, 2 * channels), one row for each slot."""
        return np.concatenate([self.push(rows[i : i + 1], s) for i, s in enumerate(slots.tolist())])

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return the last rows, and whether there was any."""
        return {"last": self._last[slot].copy(), "begun": np.array(self._begun[slot])}

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`."""
        self._last[slot], self._begun[slot] = arrays["last"], int(arrays["begun"])

    def reset(self, slot: int) -> None:
        """Forget every row of a slot."""
        self._last[slot], self._begun[slot] = 0, 0

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        more = slots - len(self._begun)
        self._last = np.concatenate([self._last, np.zeros((more, *self._last.shape[1:]))])
        self._begun = np.concatenate([self._begun, np.zeros(more, np.int64)])
