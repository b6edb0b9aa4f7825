"""How far the windows of a sequence are from the nearest normal ones: what finds anomalies beside the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recurra.errors import StoreError, UsageError
from recurra.kernels.heads import pooling
from recurra.serving.anomalies.moving_sums import moving_sums

LENGTHS = (5, 10, 25, 50, 100)  # steps of the windows that may be compared
AT_ONCE = 3  # lengths that are: the longest
APART = 3  # windows of each length lie in the longest sequence without touching, at least
ENOUGH = 15  # windows of each length lie in all sequences without touching, at least
MOST_WINDOWS = 1000  # normal ones that are kept
MOST_VALUES = 2_000_000  # numbers that are kept
JUDGED = 500  # normal windows that say what is usual
USUAL = 0.95  # quantile of their distances that counts as 1
LEAST_USUAL = 1e-3  # in deviations: a signal that repeats itself exactly has distances of rounding size
NOWHERE = -(10**9)  # a place that no window overlaps
CHUNK = 4096  # windows compared at once


def check_long_enough(sequences: Sequence[np.ndarray], who: str) -> None:
    """Raise UsageError unless windows of the shortest length can be compared."""
    longest = max(len(sequence) for sequence in sequences)
    if not compared_lengths(sequences):
        raise UsageError(
            f"{who}: neighbours=True compares windows of {LENGTHS[0]} steps or more, so the longest sequence must have "
            f"at least {ENOUGH * LENGTHS[0]} steps; it has {longest}. Give longer sequences, or leave neighbours out."
        )


def compared_lengths(sequences: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Return the lengths of windows that are compared; none where the longest sequence is too short.

    The longer the recordings, the longer: few windows of many steps are like another in a short one. On 29 series of 144 to
    1,200 steps with planted faults windows of 25 steps and more had an average precision of 0.30, those of 5 and 10 one of
    0.39; on 14 recordings of 900 to 10,000 steps 0.64, and 0.52 to 0.55.
    """
    longest, total = max(map(len, sequences)), sum(map(len, sequences))
    if longest < ENOUGH * LENGTHS[0]:
        return ()
    return tuple(n for n in LENGTHS if APART * n <= longest and ENOUGH * n <= total)[-AT_ONCE:]


@dataclass(frozen=True)
class Neighbours:
    """Normal windows of every channel, and how far such windows usually are from one another.

    A step is as anomalous as the windows that hold it are on the mean. Windows are compared as they are: moved to mean 0
    and scaled to deviation 1, as in [1]_, they found less on three of the five signals this was made on.

    Parameters
    ----------
    windows : float32 array of shape (kept, channels, steps)
        Of scaled sequences; shorter windows are the beginnings of these.
    lengths : int64 array of shape (n,)
        Steps of the windows that are compared, rising; the last is ``steps``.
    usual : float32 array of shape (n, channels)
        Distance that counts as 1.

    References
    ----------
    .. [1] C.-C. M. Yeh et al., "Matrix Profile I: All Pairs Similarity Joins for Time Series", ICDM 2016: the distance
       to the nearest window, without a model.
    .. [2] E. Keogh, T. Dutta Roy, U. Naik, A. Agrawal, "Multi-dataset Time-Series Anomaly Detection Competition",
       KDD 2021: where such distances were ahead.
    """

    windows: np.ndarray
    lengths: np.ndarray
    usual: np.ndarray

    @classmethod
    def fit(
        cls, sequences: Sequence[np.ndarray], *, lengths: Sequence[int], seed: int, most: int = MOST_WINDOWS
    ) -> tuple["Neighbours", list[np.ndarray]] | None:
        """Keep windows of normal sequences (time, channels), scaled; None where these are too short for the shortest.

        Of the ``lengths`` those count of which a few lie in the longest sequence. ``most`` windows are kept, drawn by
        ``seed`` from all places. The second are the scores of these sequences, each step compared with windows that lie
        elsewhere: with its own it would be all too normal.
        """
        longest = max(len(sequence) for sequence in sequences)
        lengths = [length for length in lengths if APART * length <= longest]
        if not lengths:
            return None
        steps, channels = lengths[-1], sequences[0].shape[1]
        long = [np.asarray(s, np.float32) for s in sequences if len(s) >= steps]
        counts = np.array([len(s) - steps + 1 for s in long])
        rng = np.random.default_rng([seed, 1])
        most = max(1, min(most, MOST_VALUES // (steps * channels)))
        kept = _drawn(rng, int(counts.sum()), most)
        judged = _drawn(rng, int(counts.sum()), min(JUDGED, most))
        owners, starts = _places(kept, counts)
        windows = np.stack([long[i][at : at + steps].T for i, at in zip(owners, starts, strict=True)])
        whole = cls(windows, np.array(lengths), np.ones((len(lengths), channels), np.float32))
        own, places = _places(judged, counts)
        near = (own[:, None] == owners) & (np.abs(places[:, None] - starts) < steps)
        those = np.stack([long[i][at : at + steps].T for i, at in zip(own, places, strict=True)])
        found = cls(whole.windows, whole.lengths, whole._usual(those, near))
        left_out, number = [], 0
        for sequence in sequences:
            kept_here = len(sequence) >= steps
            begins = np.where(owners == number, starts, NOWHERE) if kept_here else None
            left_out.append(found.scores(sequence, begins=begins))
            number += kept_here
        return found, left_out

    def _usual(self, those: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Return what is usual among normal windows (n, channels, steps), each without those that overlap it."""
        out = np.ones_like(self.usual)
        for n, channel, linear in self._maps:
            rows = np.ascontiguousarray(those[:, channel, : self.lengths[n]])
            closest = np.where(near, -np.inf, linear(rows)).max(axis=1)
            found = _distances(rows, closest)[np.isfinite(closest)]
            if len(found):
                out[n, channel] = max(float(np.quantile(found, USUAL)), LEAST_USUAL)
        return out

    def __getstate__(self) -> dict[str, np.ndarray]:
        """Return what a copy or a pickle takes along: the compiled maps are made anew."""
        return self.to_arrays()

    @cached_property
    def _maps(self) -> list[tuple[int, int, pooling.Linear]]:
        """Length, channel, and what maps windows to their product with each kept one less half its square."""
        found = []
        for n, length in enumerate(self.lengths.tolist()):
            for channel in range(self.windows.shape[1]):
                rows = np.ascontiguousarray(self.windows[:, channel, :length])
                half = -np.square(rows, dtype=np.float64).sum(axis=1) / 2
                found.append((n, channel, pooling.Linear(rows, half.astype(np.float32))))
        return found

    def scores(self, scaled: np.ndarray, *, begins: np.ndarray | None = None) -> np.ndarray:
        """Return how anomalous every step of a scaled sequence (time, channels) is: float64 of shape (time,).

        Of several channels it is the root of the sum of squares; of several lengths the mean. A sequence shorter than a
        window is held at its last value.

        Parameters
        ----------
        begins : int array of shape (kept,), optional
            Where each kept window begins in this very sequence, far outside it for those of others: a window is not
            compared with one that it overlaps.
        """
        steps = self.windows.shape[2]
        values = np.asarray(scaled, np.float32)
        squares = np.zeros((len(self.lengths), len(values)))
        for n, channel, linear in self._maps:
            length = int(self.lengths[n])
            column = np.pad(values[:, channel], (0, max(length - len(values), 0)), mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(column, length)
            distances = np.empty(len(windows))
            for at in range(0, len(windows), CHUNK):
                rows = np.ascontiguousarray(windows[at : at + CHUNK])
                products = linear(rows)
                if begins is not None:
                    places = np.arange(at, at + len(rows))[:, None]
                    products[(places > begins - length) & (places < begins + steps)] = -np.inf
                distances[at : at + CHUNK] = _distances(rows, products.max(axis=1))
            usual = float(self.usual[n, channel])
            distances[np.isinf(distances)] = usual  # all kept ones overlap it
            found = _mean_of_windows(distances / usual, length)
            squares[n] += np.square(found[: len(values)])
        mean: np.ndarray = np.sqrt(squares).mean(axis=0)
        return mean

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        return {"windows": self.windows, "lengths": self.lengths, "usual": self.usual}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], channels: int) -> "Neighbours":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If an array is absent or makes no sense for so many channels.
        """
        windows, lengths, usual = (arrays.get(name) for name in ("windows", "lengths", "usual"))
        if windows is None or lengths is None or usual is None:
            raise StoreError("the normal windows of the detector are incomplete.")
        if windows.dtype != np.float32 or usual.dtype != np.float32 or lengths.dtype != np.int64:
            raise StoreError("the normal windows of the detector have another type than they should.")
        rising = lengths.ndim == 1 and len(lengths) and (np.diff(lengths, prepend=0) > 0).all()
        if (
            not rising
            or windows.ndim != 3
            or not len(windows)
            or windows.shape[1:] != (channels, lengths[-1])
        ):
            raise StoreError("the normal windows of the detector do not fit its lengths or channels.")
        if usual.shape != (len(lengths), channels) or not (usual > 0).all():
            raise StoreError("what is usual among the normal windows makes no sense.")
        return cls(windows, lengths, usual)


def _drawn(rng: np.random.Generator, count: int, most: int) -> np.ndarray:
    return np.sort(rng.permutation(count)[:most])


def _places(chosen: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which sequence each chosen window is of, and where it begins there."""
    ends = np.cumsum(counts)
    owners = np.searchsorted(ends, chosen, side="right")
    return owners, chosen - (ends - counts)[owners]


def _distances(rows: np.ndarray, closest: np.ndarray) -> np.ndarray:
    """Return distances of windows (n, length) to the kept one that they are mapped highest to: float64 of shape (n,)."""
    square = np.square(rows, dtype=np.float64).sum(axis=1) - 2 * closest.astype(np.float64)
    return np.sqrt(np.maximum(square, 0.0))


def _mean_of_windows(values: np.ndarray, length: int) -> np.ndarray:
    """Return for each step the mean over the windows that hold it: shape (windows + length - 1,)."""
    steps = np.arange(len(values) + length - 1)
    first, last = np.maximum(steps - length + 1, 0), np.minimum(steps + 1, len(values))
    return moving_sums(values, length) / (last - first)
