"""Blocks of consecutive samples: what a network reads in one step where single samples would be too many."""

from dataclasses import dataclass

import numpy as np

from recurra.features.windows.views import VIEWS

# Roughness below this share of the channel's usual one is written as this: a held value has none at all.
LEAST_ROUGHNESS = 1e-3


@dataclass(frozen=True)
class Blocks:
    """Samples cut into blocks, with how rough each block is.

    Parameters
    ----------
    size : int
        Samples of a block, at least 1.
    center, spread : tuple of float
        Of each channel.
    rough : tuple of float
        Usual absolute difference between neighbouring scaled samples of each channel, above 0.
    view : str
        What is scaled: a name of `recurra.features.windows.views`.
    """

    size: int
    center: tuple[float, ...]
    spread: tuple[float, ...]
    rough: tuple[float, ...]
    view: str = "values"

    @classmethod
    def fit(cls, sequences: list[np.ndarray], *, size: int, view: str = "values") -> "Blocks":
        """Learn scale and roughness of every channel from sequences of shape (time, channels)."""
        sequences = [VIEWS[view](sequence) for sequence in sequences]
        joined = np.concatenate(sequences)
        center, spread = joined.mean(axis=0), joined.std(axis=0)
        spread = np.where(spread > 1e-7 * np.abs(center), spread, 1.0)
        steps = [np.abs(np.diff(s, axis=0)) / spread for s in sequences if len(s) > 1]
        rough = np.concatenate(steps).mean(axis=0) if steps else np.ones(len(center))
        rough = np.where(rough > 0, rough, 1.0)
        center, spread, rough = (tuple(float(v) for v in part) for part in (center, spread, rough))
        return cls(size, center, spread, rough, view)

    @property
    def n_channels(self) -> int:
        """Channels of a sequence."""
        return len(self.center)

    @property
    def input_size(self) -> int:
        """Columns of a row."""
        return self.n_channels * (self.size + 1)

    def scaled(self, sequence: np.ndarray) -> np.ndarray:
        """Return what the view shows of samples, of mean 0 and deviation 1: float64 of shape (time, channels)."""
        return (VIEWS[self.view](sequence) - np.array(self.center)) / np.array(self.spread)

    def cut(self, scaled: np.ndarray) -> np.ndarray:
        """Return blocks of shape (blocks, size, channels); the last is filled with its last sample."""
        missing = -len(scaled) % self.size
        if missing:
            scaled = np.concatenate([scaled, np.repeat(scaled[-1:], missing, axis=0)])
        return scaled.reshape(-1, self.size, scaled.shape[1])

    def rows(self, sequence: np.ndarray) -> np.ndarray:
        """Return what the network reads: float32 of shape (blocks, input_size)."""
        scaled = self.scaled(sequence)
        blocks = self.cut(scaled)
        steps = np.abs(np.diff(scaled, axis=0, prepend=scaled[:1]))
        share = self.cut(steps).mean(axis=1) / np.array(self.rough)
        rough = np.log10(np.maximum(share, LEAST_ROUGHNESS))
        return np.concatenate([blocks.reshape(len(blocks), -1), rough], axis=1).astype(np.float32)
