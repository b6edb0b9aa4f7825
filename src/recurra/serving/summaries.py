"""A whole sequence as one vector, which a linear map can answer from: the wide part beside a recurrence.

References
----------
.. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, arXiv:1606.07792.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import StoreError
from recurra.serving.random_kernels import RandomKernels

# Shares of the values, and as many of their differences from step to step.
N_FEATURES = 2_500
# Length and simple statistics are few beside thousands of shares; this makes them heard.
EMPHASIS = np.float32(30**0.5)


@dataclass(frozen=True)
class Summary:
    """Random kernels over a sequence and over its changes, its length and simple statistics of each channel.

    Parameters
    ----------
    values, changes : RandomKernels
    spread : float32 array of shape (channels,)
        By which the changes are divided.
    static_size : int
        How many of the last numbers of a row are static inputs. They stand in the vector as they are, times the simple
        statistics, and every share stands there once more times one of them: a linear map cannot multiply.
    """

    values: RandomKernels
    changes: RandomKernels
    spread: np.ndarray
    static_size: int = 0

    @classmethod
    def fit(
        cls,
        sequences: Sequence[np.ndarray],
        *,
        random_state: int,
        n_features: int = N_FEATURES,
        static_size: int = 0,
    ) -> "Summary":
        """Learn thresholds from training sequences, float32 arrays of shape (time, channels), scaled."""
        if static_size:
            sequences = [np.ascontiguousarray(x[:, :-static_size]) for x in sequences]
        moved = [_changes(x) for x in sequences]
        spread = np.concatenate(moved).std(axis=0, dtype=np.float64)
        spread = np.where(spread > 1e-8, spread, 1.0).astype(np.float32)
        return cls(
            RandomKernels.fit(sequences, random_state=random_state, n_features=n_features),
            RandomKernels.fit(
                [x / spread for x in moved], random_state=random_state + 1, n_features=n_features
            ),
            spread,
            static_size,
        )

    @property
    def _shares(self) -> int:
        return self.values.size + self.changes.size

    @property
    def _statistics(self) -> int:
        return 1 + 4 * len(self.spread)

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        own = self._shares + self._statistics
        if not self.static_size:
            return own
        return own + self._shares + self.static_size * (1 + self._statistics)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vector of one sequence (time, channels), at least one step: float32 of shape (size,)."""
        if self.static_size:
            static = np.ascontiguousarray(sequence[0, -self.static_size :], np.float32)
            return self._beside_static(self._of_channels(sequence[:, : -self.static_size]), static)
        return self._of_channels(sequence)

    def _of_channels(self, sequence: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(sequence, np.float32)
        exact = x.astype(np.float64)
        statistics = [exact.mean(axis=0), exact.std(axis=0), x.min(axis=0), x.max(axis=0)]
        return np.concatenate(
            [
                self.values.transform(x),
                self.changes.transform(_changes(x) / self.spread),
                np.concatenate([[np.log(len(x))], *statistics]).astype(np.float32),
            ]
        )

    def _beside_static(self, own: np.ndarray, static: np.ndarray) -> np.ndarray:
        """Return a vector of the channels with what static inputs add to it."""
        shares, statistics = own[: self._shares], own[self._shares :]
        times = static[np.arange(len(shares)) % len(static)]
        return np.concatenate([own, shares * times, static, np.outer(static, statistics).reshape(-1)])

    def emphasis(self) -> np.ndarray:
        """Return what each number is worth beside the others once all are scaled alike, shape (size,)."""
        out = np.ones(self.size, np.float32)
        out[self._shares :] = EMPHASIS
        if self.static_size:
            first = self._shares + self._statistics
            out[first : first + self._shares] = 1
        return out

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        arrays = {f"values.{name}": array for name, array in self.values.to_arrays().items()}
        arrays |= {f"changes.{name}": array for name, array in self.changes.to_arrays().items()}
        return arrays | {"spread": self.spread}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], n_channels: int, static_size: int = 0
    ) -> "Summary":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If an array is absent or makes no sense.
        """
        spread = arrays.get("spread")
        if (
            spread is None
            or spread.dtype != np.float32
            or spread.shape != (n_channels,)
            or not (spread > 0).all()
        ):
            raise StoreError("the spread of the changes makes no sense.")
        parts = {
            part: RandomKernels.from_arrays(
                {n.removeprefix(f"{part}."): a for n, a in arrays.items() if n.startswith(f"{part}.")},
                n_channels,
            )
            for part in ("values", "changes")
        }
        return cls(parts["values"], parts["changes"], spread, static_size)


def _changes(x: np.ndarray) -> np.ndarray:
    """Return the difference of each step from the one before, 0 for the first: float32 (time, channels)."""
    return np.diff(x, axis=0, prepend=x[:1]).astype(np.float32)
