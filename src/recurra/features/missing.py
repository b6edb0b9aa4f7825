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

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {"name": self.name}, {}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls()
