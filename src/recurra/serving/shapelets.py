"""Short pieces of training sequences, and how near they come to any place of another sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import StoreError
from recurra.kernels.fronts.shapelets import alike, distances, nearest_windows, whole, windows_of
from recurra.serving.random_kernels import MAX_CHANNELS, drawn_channels, quantiles

N_SHAPELETS = 2_000
# Numbers of a vector that each gives.
NUMBERS = 3
# Steps of a shapelet, unless sequences are shorter than twice as many.
TAPS, FEWEST_TAPS = 11, 3
MAX_DILATIONS = 16
# Of the lengths; one sequence that was cut off does not decide for all others.
SHORT = 0.1
# Shapelets that are compared whatever their level and size: a class is a form, a number often a level.
NORMALIZED, NORMALIZED_FOR_NUMBERS = 0.8, 0.2
# A window is near if it is nearer than this share of those of a sequence of the same class (where there are none, of any
# sequence), drawn between the two.
NEAR = (0.05, 0.1)
# Windows of that sequence that are looked at.
LOOKED_AT = 4_096
# The least limit for each step, so that what repeats itself exactly has one.
LEAST_LIMIT = 1e-3


@dataclass(frozen=True)
class Bank:
    """Shapelets of one dilation.

    Parameters
    ----------
    dilation : int
    normalized : bool
    channels : int64 array of shape (shapelets, n)
        The channels that each sees; -1 for none.
    values : float32 array of shape (shapelets, n, taps)
    limits : float32 array of shape (shapelets,)
        Above 0.
    """

    dilation: int
    normalized: bool
    channels: np.ndarray
    values: np.ndarray
    limits: np.ndarray


@dataclass(frozen=True)
class Shapelets:
    """Shapelets drawn from training sequences; see `recurra.kernels.fronts.shapelets`.

    Parameters
    ----------
    banks : tuple of Bank
    """

    banks: tuple[Bank, ...]

    @classmethod
    def fit(
        cls,
        sequences: Sequence[np.ndarray],
        classes: np.ndarray | None,
        *,
        random_state: int,
        n_shapelets: int = N_SHAPELETS,
    ) -> "Shapelets":
        """Draw shapelets, and limits by how near each comes to another sequence of its class.

        Parameters
        ----------
        sequences : list of float32 array of shape (time, channels)
            Scaled.
        classes : int array of shape (sequences,), or None
            None where numbers are told.
        random_state : int
        n_shapelets : int, default=2,000
        """
        generator = np.random.default_rng(random_state)
        length = int(np.quantile([len(x) for x in sequences], SHORT, method="lower"))
        taps = int(np.clip(length // 2, FEWEST_TAPS, TAPS))
        furthest = np.log2(max(1.0, (length - 1) / (taps - 1)))
        grid = np.unique(np.logspace(0, furthest, MAX_DILATIONS, base=2).astype(int))
        drawn = 2 ** generator.uniform(0, furthest, n_shapelets)
        dilations = grid[np.searchsorted(grid, drawn, side="right") - 1]
        normalized = generator.random(n_shapelets) < (
            NORMALIZED_FOR_NUMBERS if classes is None else NORMALIZED
        )
        groups = np.zeros(len(sequences), np.int64) if classes is None else classes
        banks = []
        for dilation in np.unique(dilations):
            for normal in (False, True):
                count = int(np.count_nonzero((dilations == dilation) & (normalized == normal)))
                if count:
                    draw = _Draw(generator, sequences, int(dilation), taps, normalized=normal)
                    banks.append(draw.bank(count, groups))
        return cls(tuple(banks))

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return NUMBERS * sum(len(bank.limits) for bank in self.banks)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vector of one scaled sequence (time, channels): float32 of shape (size,), in [0, 1].

        Of each bank how near the nearest windows are, limit / (limit + distance), where they stand, and the share that is
        nearer than the limit.
        """
        x = np.ascontiguousarray(sequence, np.float32)
        parts = []
        for bank in self.banks:
            found = nearest_windows(
                x,
                channels=bank.channels,
                dilation=min(bank.dilation, len(x)),  # beyond the length all windows are the same
                values=bank.values,
                limits=bank.limits,
                normalized=bank.normalized,
            )
            windows = np.float32(found.windows)
            nearness = bank.limits / (bank.limits + found.distance)
            parts += [
                nearness,
                found.place.astype(np.float32) / windows,
                found.within.astype(np.float32) / windows,
            ]
        return np.concatenate(parts)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        arrays = {
            "dilations": np.array([bank.dilation for bank in self.banks], np.int64),
            "normalized": np.array([bank.normalized for bank in self.banks], np.int64),
        }
        for index, bank in enumerate(self.banks):
            arrays |= {
                f"channels.{index}": bank.channels,
                f"values.{index}": bank.values,
                f"limits.{index}": bank.limits,
            }
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], n_channels: int) -> "Shapelets":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If an array is absent or makes no sense.
        """
        dilations, normalized = arrays.get("dilations"), arrays.get("normalized")
        if (
            dilations is None
            or normalized is None
            or dilations.dtype != np.int64
            or normalized.dtype != np.int64
            or dilations.ndim != 1
            or dilations.shape != normalized.shape
            or not 1 <= len(dilations) <= 2 * MAX_DILATIONS
            or not ((dilations >= 1) & (dilations < 2**24)).all()
            or not np.isin(normalized, (0, 1)).all()
        ):
            raise StoreError("the dilations of the shapelets make no sense.")
        banks = []
        for index, (dilation, normal) in enumerate(zip(dilations.tolist(), normalized.tolist(), strict=True)):
            channels, values, limits = (
                arrays.get(f"{name}.{index}") for name in ("channels", "values", "limits")
            )
            if (
                channels is None
                or values is None
                or limits is None
                or not _fit(channels, values, limits, n_channels)
            ):
                raise StoreError(f"the shapelets of dilation {dilation} make no sense.")
            banks.append(Bank(dilation, bool(normal), channels, values, limits))
        return cls(tuple(banks))


@dataclass(frozen=True)
class _Draw:
    """What the shapelets of one bank are drawn from."""

    generator: np.random.Generator
    sequences: Sequence[np.ndarray]
    dilation: int
    taps: int
    normalized: bool

    def bank(self, count: int, classes: np.ndarray) -> Bank:
        """Return ``count`` shapelets with limits."""
        channels = drawn_channels(self.generator, self.sequences[0].shape[1], count)
        origins = self.generator.integers(0, len(self.sequences), count)
        values = self._pieces(origins, channels)
        limits = np.empty(count, np.float32)
        others = self._others(origins, classes)
        ranks = self.generator.uniform(*NEAR, count)
        for other in np.unique(others):
            rows = np.flatnonzero(others == other)
            seen = np.unique(channels[rows])
            seen = seen[seen >= 0]
            own = np.where(channels[rows] < 0, -1, np.searchsorted(seen, channels[rows]))
            near = distances(self._looked_at(int(other), seen), own, values[rows])
            limits[rows] = quantiles(near, ranks[rows, None])[:, 0]
        least = np.float32(LEAST_LIMIT * self.taps)
        return Bank(self.dilation, self.normalized, channels, values, np.maximum(limits, least))

    @property
    def _reach(self) -> int:
        return (self.taps - 1) * self.dilation

    def _pieces(self, origins: np.ndarray, channels: np.ndarray) -> np.ndarray:
        """Return shapelets (count, n, taps) from anywhere in these sequences."""
        lengths = np.array([len(x) for x in self.sequences])[origins]
        firsts = self.generator.integers(0, np.maximum(1, lengths - self._reach))
        seen = np.empty((self.sequences[0].shape[1], self.taps, len(origins)), np.float32)
        for origin in np.unique(origins):
            x, here = self.sequences[origin], np.flatnonzero(origins == origin)
            for k in range(self.taps):  # what is shorter goes on with its last row
                seen[:, k, here] = x[np.minimum(firsts[here] + k * self.dilation, len(x) - 1)].T
        seen = alike(seen) if self.normalized else seen
        own = seen[channels, :, np.arange(len(origins))[:, None]]
        return np.ascontiguousarray(np.where(channels[:, :, None] < 0, np.float32(0), own))

    def _others(self, origins: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return for each sequence another one of its class; itself where there is no other."""
        order = np.argsort(classes, kind="stable")
        ordered = classes[order]
        firsts = np.searchsorted(ordered, classes[origins], side="left")
        counts = np.searchsorted(ordered, classes[origins], side="right") - firsts
        found, several = origins.copy(), counts > 1
        chosen = self.generator.integers(0, counts[several] - 1)
        places = np.argsort(order)[origins[several]] - firsts[several]
        found[several] = order[firsts[several] + chosen + (chosen >= places)]
        return found

    def _looked_at(self, index: int, channels: np.ndarray) -> np.ndarray:
        """Return windows of these channels of a sequence, a stretch of them where it is long."""
        x = self.sequences[index][:, channels]
        first = int(self.generator.integers(0, max(1, len(x) - self._reach - LOOKED_AT)))
        columns = whole(x[first : first + self._reach + LOOKED_AT], self.dilation, self.taps)
        return windows_of(columns, self.dilation, self.taps, normalized=self.normalized)


def _fit(channels: np.ndarray, values: np.ndarray, limits: np.ndarray, n_channels: int) -> bool:
    return bool(
        channels.dtype == np.int64
        and channels.ndim == 2
        and 1 <= channels.shape[1] <= MAX_CHANNELS
        and (channels >= -1).all()
        and (channels < n_channels).all()
        and values.dtype == limits.dtype == np.float32
        and values.ndim == 3
        and values.shape[:2] == channels.shape
        and FEWEST_TAPS <= values.shape[2] <= TAPS
        and np.isfinite(values).all()
        and limits.shape == channels.shape[:1]
        and np.isfinite(limits).all()
        and (limits > 0).all()
    )
