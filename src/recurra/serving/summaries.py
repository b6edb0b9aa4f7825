"""A whole sequence as one vector, which a linear map can answer from: the wide part beside a recurrence.

References
----------
.. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, arXiv:1606.07792.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recurra.errors import StoreError
from recurra.kernels.fronts.resampling import interpolated, stretched
from recurra.serving.random_kernels import RandomKernels
from recurra.serving.shapelets import N_SHAPELETS, Shapelets

# Shares of the values, and as many of their differences from step to step.
N_FEATURES = 2_500
# Length and simple statistics are few beside thousands of shares; this makes them heard.
EMPHASIS = np.float32(30**0.5)
# A channel whose standard deviation is no more than this does not move.
LEAST_SPREAD = 1e-8
# Of a few thousand sequences and more, for whose vectors there must be memory.
FEWER, FEWER_SHAPELETS = 1_000, 500
# Steps that all sequences may be stretched to.
LEAST_LENGTH, MOST_LENGTH = 9, 2**24


@dataclass(frozen=True)
class View:
    """What becomes of the rows that a network reads before they are summarized; nothing, as a rule.

    Parameters
    ----------
    marked : bool, default=False
        Whether the last half of the channels marks missing values of the first. The others then run on straight lines over
        the gaps, as a network that reads step by step cannot see them, and of each mark its mean is left.
    length : int, optional
        Steps that every sequence is stretched to, on straight lines as well.
    """

    marked: bool = False
    length: int | None = None

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return what is summarized of rows without static inputs: float32 of shape (steps, channels)."""
        if self.marked:
            width = x.shape[1] // 2
            x = interpolated(np.ascontiguousarray(x[:, :width]), x[:, width:] > 0)
        return x if self.length is None else stretched(x, self.length)

    def shares(self, x: np.ndarray) -> np.ndarray:
        """Return which share of each channel is missing: float64 of shape (channels,), of none without marks."""
        return x[:, x.shape[1] // 2 :].mean(axis=0, dtype=np.float64) if self.marked else np.empty(0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file; none where nothing becomes of the rows."""
        if self == View():
            return {}
        return {"view": np.array([self.marked, self.length or 0], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], n_channels: int) -> "View":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If it makes no sense for rows of so many channels.
        """
        found = arrays.get("view")
        if found is None:
            return cls()
        if found.dtype != np.int64 or found.shape != (2,):
            raise StoreError("how the linear part reads a sequence makes no sense.")
        marked, length = found.tolist()
        known = marked in (0, 1) and (length == 0 or LEAST_LENGTH <= length < MOST_LENGTH)
        if not known or (marked and n_channels % 2):
            raise StoreError("how the linear part reads a sequence makes no sense.")
        return cls(bool(marked), length or None)


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
    shapelets : Shapelets, optional
        How near they come is the last of the vector. Regressors of before 2026-12 have none.
    view : View, default=View()
        What becomes of the rows first. The length that is told is that of before.
    """

    values: RandomKernels
    changes: RandomKernels
    spread: np.ndarray
    static_size: int = 0
    shapelets: Shapelets | None = None
    view: View = View()

    @classmethod
    def fit(
        cls,
        sequences: Sequence[np.ndarray],
        *,
        random_state: int,
        static_size: int = 0,
        many: bool = False,
        view: View | None = None,
    ) -> "Summary":
        """Learn thresholds from training sequences, float32 arrays of shape (time, channels), scaled; without shapelets.

        ``many``: compute fewer numbers.
        """
        view = view or View()
        rows = [view.rows(_channels(x, static_size)) for x in sequences]
        moved = [_changes(x) for x in rows]
        spread = _spread_of(moved)
        moved = [x / spread for x in moved]
        n_features = FEWER if many else N_FEATURES
        return cls(
            RandomKernels.fit(rows, random_state=random_state, n_features=n_features),
            RandomKernels.fit(moved, random_state=random_state + 1, n_features=n_features),
            spread,
            static_size,
            view=view,
        )

    def with_shapelets(
        self,
        sequences: Sequence[np.ndarray],
        *,
        random_state: int,
        classes: np.ndarray | None = None,
        many: bool = False,
    ) -> "Summary":
        """Return the same with shapelets drawn from training sequences; the arguments of `fit` but for what it learned.

        ``classes``: those that are told apart; None where numbers are told.
        """
        rows = [self._rows(x) for x in sequences]
        n_shapelets = FEWER_SHAPELETS if many else N_SHAPELETS
        found = Shapelets.fit(rows, classes, random_state=random_state + 2, n_shapelets=n_shapelets)
        return replace(self, shapelets=found)

    @property
    def _shares(self) -> int:
        return self.values.size + self.changes.size

    @property
    def _statistics(self) -> int:
        return 1 + (5 if self.view.marked else 4) * len(self.spread)

    @property
    def without_shapelets(self) -> int:
        """How many numbers of a vector, the first, are not of shapelets."""
        own = self._shares + self._statistics
        if not self.static_size:
            return own
        return own + self._shares + self.static_size * (1 + self._statistics)

    @property
    def beside_shapelets(self) -> np.ndarray:
        """The places of the length, the simple statistics and static inputs in a vector."""
        own = np.arange(self._shares, self._shares + self._statistics)
        return np.r_[own, own[-1] + 1 + self._shares : self.without_shapelets] if self.static_size else own

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return self.without_shapelets + (0 if self.shapelets is None else self.shapelets.size)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the vector of one sequence (time, channels), at least one step: float32 of shape (size,)."""
        found = self.without_nearness(sequence)
        return found if self.shapelets is None else np.concatenate([found, self.nearness(sequence)])

    def without_nearness(self, sequence: np.ndarray) -> np.ndarray:
        """Return what of the vector is not of shapelets: float32 of shape (without_shapelets,)."""
        found = self._of_channels(_channels(sequence, self.static_size))
        if not self.static_size:
            return found
        return self._beside_static(found, np.ascontiguousarray(sequence[0, -self.static_size :], np.float32))

    def nearness(self, sequence: np.ndarray) -> np.ndarray:
        """Return what of the vector is of shapelets: float32 of shape (size - without_shapelets,)."""
        assert self.shapelets is not None
        return self.shapelets.transform(self._rows(sequence))

    def _rows(self, sequence: np.ndarray) -> np.ndarray:
        return self.view.rows(_channels(sequence, self.static_size))

    def _of_channels(self, given: np.ndarray) -> np.ndarray:
        x = self.view.rows(given)
        exact = x.astype(np.float64)
        statistics = [exact.mean(axis=0), exact.std(axis=0), x.min(axis=0), x.max(axis=0)]
        statistics.append(self.view.shares(given))
        return np.concatenate(
            [
                self.values.transform(x),
                self.changes.transform(_changes(x) / self.spread),
                np.concatenate([[np.log(len(given))], *statistics]).astype(np.float32),
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
        out[self._shares : self.without_shapelets] = EMPHASIS
        if self.static_size:
            first = self._shares + self._statistics
            out[first : first + self._shares] = 1
        return out

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        parts: dict[str, RandomKernels | Shapelets] = {"values": self.values, "changes": self.changes}
        if self.shapelets is not None:
            parts["shapelets"] = self.shapelets
        arrays = {
            f"{part}.{name}": a for part, found in parts.items() for name, a in found.to_arrays().items()
        }
        return arrays | {"spread": self.spread} | self.view.to_arrays()

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
        view = View.from_arrays(arrays, n_channels)
        n_channels = n_channels // 2 if view.marked else n_channels
        spread = arrays.get("spread")
        if (
            spread is None
            or spread.dtype != np.float32
            or spread.shape != (n_channels,)
            or not (spread >= LEAST_SPREAD / 2).all()  # NaN is not
            or not np.isfinite(spread).all()
        ):
            raise StoreError("the spread of the changes makes no sense.")
        parts = {
            part: {n.removeprefix(f"{part}."): a for n, a in arrays.items() if n.startswith(f"{part}.")}
            for part in ("values", "changes", "shapelets")
        }
        values, changes = (
            RandomKernels.from_arrays(parts[part], n_channels) for part in ("values", "changes")
        )
        shapelets = Shapelets.from_arrays(parts["shapelets"], n_channels) if parts["shapelets"] else None
        return cls(values, changes, spread, static_size, shapelets, view)


def _channels(sequence: np.ndarray, static_size: int) -> np.ndarray:
    """Return rows without static inputs: float32 of shape (time, channels)."""
    own = sequence[:, :-static_size] if static_size else sequence
    return np.ascontiguousarray(own, np.float32)


def _changes(x: np.ndarray) -> np.ndarray:
    """Return the difference of each step from the one before, 0 for the first: float32 (time, channels)."""
    return np.diff(x, axis=0, prepend=x[:1]).astype(np.float32)


def _spread_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Return the standard deviation of each channel, 1 where it does not move: float32 (channels,)."""
    spread = np.concatenate(sequences).std(axis=0, dtype=np.float64)
    return np.where(spread > LEAST_SPREAD, spread, 1.0).astype(np.float32)
