"""`Block`: some windows of a signal with what several features need of them, and what such a feature offers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from recurra.features.rows.deterministic_sums import row_sums

TAPERS = ("hann", "hamming", "none")


@dataclass(frozen=True)
class Block:
    """Some windows of a signal, and what several parts need of them.

    Parameters
    ----------
    samples : ndarray of shape (windows, channels, window), float64
        C-contiguous.
    rate_hz : float
        Samples per second.
    taper : str
        One of `TAPERS`.
    center : bool
        Whether the mean of a window is subtracted before its spectrum is taken.
    """

    samples: np.ndarray
    rate_hz: float
    taper: str
    center: bool

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of each window: shape (windows, channels)."""
        return row_sums(self.samples) / self.samples.shape[-1]

    @cached_property
    def power(self) -> np.ndarray:
        """Squared magnitude of the one-sided spectrum: shape (windows, channels, window // 2 + 1)."""
        samples = self.samples - self.mean[..., None] if self.center else self.samples
        found = np.fft.rfft(samples * taper(self.taper, samples.shape[-1]), axis=-1)
        real, imaginary = np.ascontiguousarray(found.real), np.ascontiguousarray(found.imag)
        return real * real + imaginary * imaginary

    @property
    def frequencies(self) -> np.ndarray:
        """Frequency of each value of the spectrum in hertz."""
        return np.fft.rfftfreq(self.samples.shape[-1], 1 / self.rate_hz)


def taper(name: str, window: int) -> np.ndarray:
    """Return what a window is multiplied with before its spectrum is taken: periodic, of shape (window,)."""
    phase = 2 * np.pi * np.arange(window) / window
    if name == "hann":
        return 0.5 - 0.5 * np.cos(phase)
    return 0.54 - 0.46 * np.cos(phase) if name == "hamming" else np.ones(window)


class Part(Protocol):
    """What a row consists of: a kind of numbers computed from each window."""

    @property
    def name(self) -> str:
        """As users write it."""
        ...

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if it cannot be computed."""
        ...

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Return how many numbers a row gets."""
        ...

    def columns(self, block: Block) -> np.ndarray:
        """Return an array of shape (windows, output_size)."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return its options, with its name."""
        ...
