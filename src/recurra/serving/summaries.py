"""A whole sequence as one vector, which a linear map can answer from: the wide part beside a recurrence.

References
----------
.. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, arXiv:1606.07792.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import StoreError
from recurra.serving.random_kernels import CompetingKernels, RandomKernels

# Shares of the values, and as many of their differences from step to step.
N_FEATURES = 2_500
# Length and simple statistics are few beside thousands of shares; this makes them heard.
EMPHASIS = np.float32(30**0.5)
# A channel whose standard deviation is no more than this does not move.
LEAST_SPREAD = 1e-8
# What the arrays of the further kernels are named in a model file.
SUMS = "sums"
COMPETING = ("competing_values", "competing_changes")


@dataclass(frozen=True)
class RunningSums:
    """Random kernels over the running sums of a sequence: slow movements stand out there, noise from step to step does not.

    Parameters
    ----------
    kernels : RandomKernels
    spread : float32 array of shape (channels,)
        By which the sums are divided.
    """

    kernels: RandomKernels
    spread: np.ndarray

    @classmethod
    def fit(
        cls, sequences: Sequence[np.ndarray], *, random_state: int, n_features: int = N_FEATURES
    ) -> "RunningSums":
        """Learn thresholds from scaled training sequences, float32 arrays of shape (time, channels)."""
        sums = [_running_sums(x) for x in sequences]
        spread = _spread_of(sums)
        kernels = RandomKernels.fit(
            [x / spread for x in sums], random_state=random_state, n_features=n_features
        )
        return cls(kernels, spread)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vector of one sequence (time, channels): float32 of shape (kernels.size,), in [0, 1]."""
        return self.kernels.transform(_running_sums(sequence) / self.spread)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        return {**self.kernels.to_arrays(), "spread": self.spread}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], n_channels: int) -> "RunningSums":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If an array is absent or makes no sense.
        """
        spread = _checked_spread(arrays, n_channels, "running sums")
        return cls(RandomKernels.from_arrays(arrays, n_channels), spread)


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
    sums : RunningSums, optional
        What they give comes after the rest of the vector.
    competing : (CompetingKernels, CompetingKernels), optional
        Over the sequence and over its changes; what they count is the last of the vector.
    """

    values: RandomKernels
    changes: RandomKernels
    spread: np.ndarray
    static_size: int = 0
    sums: RunningSums | None = None
    competing: tuple[CompetingKernels, CompetingKernels] | None = None

    @classmethod
    def fit(
        cls,
        sequences: Sequence[np.ndarray],
        *,
        random_state: int,
        n_features: int = N_FEATURES,
        static_size: int = 0,
        further: bool = False,
    ) -> "Summary":
        """Learn thresholds from training sequences, float32 arrays of shape (time, channels), scaled.

        ``further``: whether there are kernels over the running sums and competing ones as well.
        """
        if static_size:
            sequences = [np.ascontiguousarray(x[:, :-static_size]) for x in sequences]
        moved = [_changes(x) for x in sequences]
        spread = _spread_of(moved)
        moved = [x / spread for x in moved]
        sums, rivals = None, None
        if further:
            sums = RunningSums.fit(sequences, random_state=random_state + 4, n_features=n_features)
            rivals = (
                CompetingKernels.fit(sequences, random_state=random_state + 2),
                CompetingKernels.fit(moved, random_state=random_state + 3),
            )
        return cls(
            RandomKernels.fit(sequences, random_state=random_state, n_features=n_features),
            RandomKernels.fit(moved, random_state=random_state + 1, n_features=n_features),
            spread,
            static_size,
            sums,
            rivals,
        )

    @property
    def _shares(self) -> int:
        return self.values.size + self.changes.size

    @property
    def _statistics(self) -> int:
        return 1 + 4 * len(self.spread)

    @property
    def statistics(self) -> np.ndarray:
        """The places of the length and the simple statistics in a vector."""
        return np.arange(self._shares, self._shares + self._statistics)

    @property
    def _first(self) -> int:
        own = self._shares + self._statistics
        if not self.static_size:
            return own
        return own + self._shares + self.static_size * (1 + self._statistics)

    @property
    def without_competing(self) -> int:
        """How many numbers of a vector, the first, are not of competing kernels."""
        return self._first + (0 if self.sums is None else self.sums.kernels.size)

    @property
    def further(self) -> bool:
        """Whether kernels over running sums or competing ones are in it, which no export is written for."""
        return self.sums is not None or self.competing is not None

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return self.without_competing + sum(part.size for part in self.competing or ())

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vector of one sequence (time, channels), at least one step: float32 of shape (size,)."""
        own = sequence[:, : -self.static_size] if self.static_size else sequence
        x = np.ascontiguousarray(own, np.float32)
        moved = _changes(x) / self.spread
        found = self._of_channels(x, moved)
        if self.static_size:
            found = self._beside_static(
                found, np.ascontiguousarray(sequence[0, -self.static_size :], np.float32)
            )
        parts = [found]
        if self.sums is not None:
            parts.append(self.sums.transform(x))
        if self.competing is not None:
            values, changes = self.competing
            parts += [values.transform(x), changes.transform(moved)]
        return np.concatenate(parts) if len(parts) > 1 else found

    def _of_channels(self, x: np.ndarray, moved: np.ndarray) -> np.ndarray:
        exact = x.astype(np.float64)
        statistics = [exact.mean(axis=0), exact.std(axis=0), x.min(axis=0), x.max(axis=0)]
        return np.concatenate(
            [
                self.values.transform(x),
                self.changes.transform(moved),
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
        out[self._shares : self._first] = EMPHASIS
        if self.static_size:
            first = self._shares + self._statistics
            out[first : first + self._shares] = 1
        return out

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        parts: dict[str, RandomKernels | RunningSums | CompetingKernels]
        parts = {"values": self.values, "changes": self.changes}
        if self.sums is not None:
            parts[SUMS] = self.sums
        if self.competing is not None:
            parts |= dict(zip(COMPETING, self.competing, strict=True))
        arrays = {
            f"{part}.{name}": a for part, kernels in parts.items() for name, a in kernels.to_arrays().items()
        }
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
        spread = _checked_spread(arrays, n_channels, "changes")
        parts = {
            part: {n.removeprefix(f"{part}."): a for n, a in arrays.items() if n.startswith(f"{part}.")}
            for part in ("values", "changes", SUMS, *COMPETING)
        }
        values, changes = (
            RandomKernels.from_arrays(parts[part], n_channels) for part in ("values", "changes")
        )
        sums = RunningSums.from_arrays(parts[SUMS], n_channels) if parts[SUMS] else None
        competing = None
        if any(parts[part] for part in COMPETING):
            first, second = (CompetingKernels.from_arrays(parts[part], n_channels) for part in COMPETING)
            competing = first, second
        return cls(values, changes, spread, static_size, sums, competing)


def _changes(x: np.ndarray) -> np.ndarray:
    """Return the difference of each step from the one before, 0 for the first: float32 (time, channels)."""
    return np.diff(x, axis=0, prepend=x[:1]).astype(np.float32)


def _running_sums(x: np.ndarray) -> np.ndarray:
    """Return the sums of what stood so far above the mean of the sequence, over the root of its length."""
    above = x.astype(np.float64)
    above -= above.mean(axis=0)
    return np.ascontiguousarray(np.cumsum(above, axis=0) / len(x) ** 0.5, np.float32)


def _spread_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Return the standard deviation of each channel, 1 where it does not move: float32 (channels,)."""
    spread = np.concatenate(sequences).std(axis=0, dtype=np.float64)
    return np.where(spread > LEAST_SPREAD, spread, 1.0).astype(np.float32)


def _checked_spread(arrays: Mapping[str, np.ndarray], n_channels: int, of: str) -> np.ndarray:
    spread = arrays.get("spread")
    if (
        spread is None
        or spread.dtype != np.float32
        or spread.shape != (n_channels,)
        or not (spread >= LEAST_SPREAD / 2).all()  # NaN is not
        or not np.isfinite(spread).all()
    ):
        raise StoreError(f"the spread of the {of} makes no sense.")
    return spread
