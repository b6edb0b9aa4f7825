"""What the spectrum of a window says: log power, mel bands, cepstrum, mean frequency, entropy, power in bands.

Spectra are numpy's FFT of tapered windows; the tests hold them against `scipy.signal.ShortTimeFFT`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from recurra.checks import check_number
from recurra.errors import UsageError
from recurra.features.rows.deterministic_sums import product, row_sums
from recurra.features.windows.block import Block

_FLOOR = 1e-10  # added before a logarithm: silence becomes -23


class _Spectral:
    """What the parts on spectra share."""

    name: ClassVar[str]

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if a window is too short for a spectrum."""
        if window < 4:
            raise UsageError(
                f"features: {self.name} needs windows of at least 4 samples; got {window} "
                f"({window / rate_hz:g} s at {rate_hz:g} Hz). Choose a longer window."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options, with the name."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload] # every part is a dataclass


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(np.ascontiguousarray(values + _FLOOR))


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _weighted(block: Block, weights: np.ndarray) -> np.ndarray:
    """Return weighted sums over the spectrum: (windows, channels, weights)."""
    windows, channels, bins = block.power.shape
    columns = np.ascontiguousarray(block.power.reshape(windows * channels, bins).T)
    return np.ascontiguousarray(product(weights, columns).T).reshape(windows, channels, len(weights))


@dataclass(frozen=True)
class Spectrum(_Spectral):
    """Natural logarithm of the power of every frequency from ``low_hz`` to ``high_hz``, channel by channel."""

    low_hz: float = 0.0
    high_hz: float | None = None

    name: ClassVar[str] = "spectrum"

    def _range(self, window: int, rate_hz: float) -> slice:
        high = rate_hz / 2 if self.high_hz is None else self.high_hz
        first = int(np.ceil(self.low_hz * window / rate_hz - 1e-9))
        return slice(first, max(first + 1, int(np.floor(high * window / rate_hz + 1e-9)) + 1))

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if the range is empty."""
        super().check(channels, window, rate_hz)
        _check_range(self.name, self.low_hz, self.high_hz, rate_hz)

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Frequencies in the range, for each channel."""
        return channels * len(range(window // 2 + 1)[self._range(window, rate_hz)])

    def columns(self, block: Block) -> np.ndarray:
        """Return log powers: (windows, channels * frequencies)."""
        chosen = self._range(block.samples.shape[-1], block.rate_hz)
        return _flat(_log(block.power[..., chosen]))


@dataclass(frozen=True)
class LogMel(_Spectral):
    """Natural logarithm of the power in ``n_mels`` triangular bands, evenly spaced on the mel scale [1]_.

    References
    ----------
    .. [1] D. O'Shaughnessy, "Speech Communication: Human and Machine", 1987: mel = 2595 log10(1 + f / 700).
    """

    n_mels: int = 40
    low_hz: float = 0.0
    high_hz: float | None = None

    name: ClassVar[str] = "log_mel"

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if a number is out of range."""
        super().check(channels, window, rate_hz)
        check_number("features", "n_mels", self.n_mels, integer=True, low=1, high=1000)
        _check_range(self.name, self.low_hz, self.high_hz, rate_hz)

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Bands of each channel."""
        return channels * self.n_mels

    def columns(self, block: Block) -> np.ndarray:
        """Return log powers: (windows, channels * n_mels)."""
        return _flat(self.levels(block))

    def levels(self, block: Block) -> np.ndarray:
        """Return log powers: (windows, channels, n_mels)."""
        high = block.rate_hz / 2 if self.high_hz is None else self.high_hz
        return _log(_weighted(block, mel_weights(block.frequencies, self.n_mels, self.low_hz, high)))


def mel_weights(frequencies: np.ndarray, n_mels: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return triangles of height 1 on the mel scale: shape (n_mels, frequencies)."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (low_hz, high_hz))
    edges = 700 * (10 ** (np.linspace(low, high, n_mels + 2) / 2595) - 1)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


@dataclass(frozen=True)
class Mfcc(LogMel):
    """Mel-frequency cepstral coefficients: the first ``n_mfcc`` of an orthonormal DCT of `LogMel`."""

    n_mfcc: int = 13

    name: ClassVar[str] = "mfcc"

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if a number is out of range."""
        super().check(channels, window, rate_hz)
        check_number("features", "n_mfcc", self.n_mfcc, integer=True, low=1, high=self.n_mels)

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Coefficients of each channel."""
        return channels * self.n_mfcc

    def columns(self, block: Block) -> np.ndarray:
        """Return coefficients: (windows, channels * n_mfcc)."""
        levels = self.levels(block)
        windows, channels, mels = levels.shape
        order, place = np.arange(self.n_mfcc)[:, None], np.arange(mels) + 0.5
        weights = np.sqrt(2 / mels) * np.cos(np.pi * order * place / mels)
        weights[0] /= np.sqrt(2)
        columns = np.ascontiguousarray(levels.reshape(windows * channels, mels).T)
        return np.ascontiguousarray(product(weights, columns).T).reshape(windows, channels * self.n_mfcc)


@dataclass(frozen=True)
class InstantaneousFrequency(_Spectral):
    """Mean frequency in hertz, weighted by power: the first moment of the spectrum, 0 for silence [1]_.

    References
    ----------
    .. [1] L. Cohen, "Time-Frequency Analysis", 1995: the conditional mean frequency; MATLAB's ``instfreq``.
    """

    name: ClassVar[str] = "instantaneous_frequency"

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """One number for each channel."""
        return channels

    def columns(self, block: Block) -> np.ndarray:
        """Return frequencies: (windows, channels)."""
        total = row_sums(block.power)
        return row_sums(block.power * block.frequencies) / np.where(total > 0, total, 1.0)


@dataclass(frozen=True)
class SpectralEntropy(_Spectral):
    """Entropy of the spectrum as shares of its power, from 0 (one tone) to 1 (all frequencies alike) [1]_.

    References
    ----------
    .. [1] Y. Pan, J. Chen and X. Li, "Spectral Entropy: A Complementary Index for Rolling Element Bearing Performance
       Degradation Assessment", 2009; MATLAB's ``pentropy``.
    """

    name: ClassVar[str] = "spectral_entropy"

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """One number for each channel."""
        return channels

    def columns(self, block: Block) -> np.ndarray:
        """Return entropies: (windows, channels)."""
        total = row_sums(block.power)[..., None]
        shares = block.power / np.where(total > 0, total, 1.0)
        # p log p goes to 0 with p; the smallest number stands in where there is no power.
        logarithms = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
        return -row_sums(shares * logarithms) / np.log(block.power.shape[-1])


@dataclass(frozen=True)
class BandPowers(_Spectral):
    """Natural logarithm of the power between pairs of frequencies (low, high) in hertz, high not included.

    Without ``bands`` there are eight, each an octave wide, below half the sampling rate.
    """

    bands: Sequence[Sequence[float]] | None = None

    name: ClassVar[str] = "band_powers"

    def _bands(self, rate_hz: float) -> Sequence[Sequence[float]]:
        if self.bands is not None:
            return self.bands
        edges = [rate_hz / 2 ** (k + 1) for k in range(9)][::-1]
        return [[0.0, edges[1]], *[[edges[k], edges[k + 1]] for k in range(1, 8)]]

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError if a band is no pair of growing frequencies, or has no frequency of the spectrum."""
        super().check(channels, window, rate_hz)
        if self.bands is None:
            return
        frequencies = np.fft.rfftfreq(window, 1 / rate_hz)
        for band in self.bands:
            if len(band) != 2 or not 0 <= band[0] < band[1]:
                raise UsageError(f"features: bands must be pairs (low, high) in hertz; got {band!r}.")
            if not ((frequencies >= band[0]) & (frequencies < band[1])).any():
                raise UsageError(
                    f"features: the band {band[0]:g} to {band[1]:g} Hz has no frequency of a window of "
                    f"{window / rate_hz:g} s, whose spectrum has one every {rate_hz / window:g} Hz up to "
                    f"{rate_hz / 2:g} Hz. Choose a longer window or another band."
                )

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Bands of each channel."""
        return channels * len(self._bands(rate_hz))

    def columns(self, block: Block) -> np.ndarray:
        """Return log powers: (windows, channels * bands)."""
        frequencies = block.frequencies
        inside = [(frequencies >= low) & (frequencies < high) for low, high in self._bands(block.rate_hz)]
        return _flat(_log(_weighted(block, np.array(inside, dtype=np.float64))))


def _check_range(name: str, low_hz: float, high_hz: float | None, rate_hz: float) -> None:
    check_number("features", "low_hz", low_hz, low=0)
    high = rate_hz / 2 if high_hz is None else high_hz
    if not low_hz < high <= rate_hz / 2:
        raise UsageError(
            f"features: {name} goes from low_hz={low_hz:g} to high_hz={high:g}; low must be below high, and high at most "
            f"half the sampling rate, {rate_hz / 2:g} Hz."
        )
