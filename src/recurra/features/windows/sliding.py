"""`Windows`: a signal is cut into overlapping windows, and each becomes a row of numbers, by itself.

Every row is computed from its window alone and in one fixed order, so that a record as a whole, in chunks and sample by
sample gives the same bits. Windows never reach beyond the record: shorter ones are refused. Rows are causal: each is
known when the last sample of its window is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_choice, check_number, counted
from recurra.errors import DataError, StoreError, UsageError
from recurra.features.rows.alignment import Alignment
from recurra.features.windows.block import TAPERS, Block, Part
from recurra.features.windows.window_features import part_from_dict

# Windows computed at once: bounds the memory of a long record.
_NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Windows:
    """Windows of a signal, each turned into a row of numbers.

    Parameters
    ----------
    parts : sequence of Part
        What a row consists of, side by side.
    window, hop : int
        Samples of a window, at least 2, and from one to the next, at least 1 and at most ``window``.
    rate_hz : float
        Samples per second.
    taper : {"hann", "hamming", "none"}
        Of the windows of spectral parts.
    center : bool
        Whether the mean of a window is subtracted before its spectrum is taken.
    """

    parts: Sequence[Part]
    window: int
    hop: int
    rate_hz: float = 1.0
    taper: str = "hann"
    center: bool = True

    name: ClassVar[str] = "windows"

    def __post_init__(self) -> None:
        who = "features"
        check_number(who, "window", self.window, integer=True, low=1)
        check_number(who, "hop", self.hop, integer=True, low=1, high=self.window)
        check_number(who, "sample_rate_hz", self.rate_hz, low=0, low_open=True)
        check_choice(who, "taper", self.taper, TAPERS)

    @property
    def alignment(self) -> Alignment:
        """Which samples a row stands for."""
        return Alignment(self.window, self.hop)

    @property
    def delay_s(self) -> float:
        """Seconds by which the last sample that has its row lies behind the newest, at most."""
        return self.alignment.delay / self.rate_hz

    def output_size(self, input_size: int) -> int:
        """Numbers of a row."""
        return sum(part.output_size(input_size, self.window, self.rate_hz) for part in self.parts)

    def check(self, channels: int) -> None:
        """Raise UsageError if a part cannot be computed from so many channels."""
        for part in self.parts:
            part.check(channels, self.window, self.rate_hz)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return an array of shape (rows, output_size).

        Raises
        ------
        DataError
            If the sequence is shorter than a window.
        """
        rows = self.alignment.rows(len(sequence))
        if not rows:
            raise DataError(
                f"features: a sequence has {counted(len(sequence), 'step')}, fewer than the {self.window} of a window "
                f"({self.window / self.rate_hz:g} s). Leave it out, or choose a shorter window."
            )
        return self.rows_of(sequence, rows)

    def rows_of(self, sequence: np.ndarray, rows: int) -> np.ndarray:
        """Return the first rows of a sequence that has them."""
        channels = sequence.shape[1]
        out = np.empty((rows, self.output_size(channels)))
        windows = np.lib.stride_tricks.sliding_window_view(sequence, self.window, axis=0)[:: self.hop]
        at_once = max(1, _NUMBERS_AT_ONCE // (self.window * channels))
        for first in range(0, rows, at_once):
            samples = np.ascontiguousarray(windows[first : min(first + at_once, rows)], dtype=np.float64)
            block = Block(samples, self.rate_hz, self.taper, self.center)
            out[first : first + len(samples)] = np.concatenate([p.columns(block) for p in self.parts], axis=1)
        return out

    def stream(self, input_size: int) -> "WindowStream":
        """Return what cuts and computes chunk by chunk."""
        return WindowStream(self, input_size)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {
            "name": self.name,
            "parts": [part.to_dict() for part in self.parts],
            "window": self.window,
            "hop": self.hop,
            "rate_hz": self.rate_hz,
            "taper": self.taper,
            "center": self.center,
        }, {}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls(
            tuple(part_from_dict(part) for part in config["parts"]),
            int(config["window"]),
            int(config["hop"]),
            float(config["rate_hz"]),
            str(config["taper"]),
            bool(config["center"]),
        )


class WindowStream:
    """`Windows` fed chunk by chunk: remembers the samples that later windows still need.

    Parameters
    ----------
    windows : Windows
        What is computed.
    channels : int
        Channels of a row.
    """

    row_wise: ClassVar[bool] = False

    def __init__(self, windows: Windows, channels: int) -> None:
        self._windows = windows
        self._channels = channels
        self._buffer = np.zeros((1, windows.window, channels))  # fewer than a window of them are held
        self._held = np.zeros(1, np.int64)
        self.delay = windows.alignment.delay

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Take in samples (time, channels); return the rows that became known."""
        held = int(self._held[slot])
        rows = np.concatenate([self._buffer[slot, :held], chunk]) if held else np.asarray(chunk, np.float64)
        ready = self._windows.alignment.rows(len(rows))
        out = (
            self._windows.rows_of(rows, ready)
            if ready
            else np.empty((0, self._windows.output_size(self._channels)))
        )
        rest = rows[ready * self._windows.hop :]
        self._buffer[slot] = 0
        self._buffer[slot, : len(rest)] = rest
        self._held[slot] = len(rest)
        return out

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Not offered: a sample completes a row or none."""
        raise UsageError("features: windows give a row per hop, not per sample; use push.")

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return the samples held: ``buffer``, float64 of shape (window, channels), and how many, ``held``."""
        return {"buffer": self._buffer[slot].copy(), "held": np.array(self._held[slot])}

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`."""
        held = int(arrays["held"])
        if not 0 <= held < self._windows.window:
            raise StoreError(f"stream state: a window of {self._windows.window} samples cannot hold {held}")
        self._buffer[slot] = arrays["buffer"]
        self._held[slot] = held

    def reset(self, slot: int) -> None:
        """Forget every sample of a slot."""
        self._buffer[slot] = 0
        self._held[slot] = 0

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        more = slots - len(self._held)
        self._buffer = np.concatenate([self._buffer, np.zeros((more, *self._buffer.shape[1:]))])
        self._held = np.concatenate([self._held, np.zeros(more, np.int64)])
