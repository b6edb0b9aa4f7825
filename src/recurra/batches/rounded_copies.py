"""`Sketch`: sums of training data under random signs, which tell copies of them that were saved with fewer digits.

A digest changes with the last bit. A sum of all values under random signs changes by no more than rounding allows, and
the digits of the data that are judged say how much that is; other data change it by far more. As random projections
(Johnson and Lindenstrauss, 1984), compared within that bound.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Sums of a piece: where rounding is half of what its last steps do not say, one pair in a million meets by chance. Where it
# is more, nothing is known: smooth signals come again by nature.
_SUMS = 16
_SMOOTHEST = 0.5
# Steps of a piece of a series; a sequence is one piece, however long. More pieces than these are thinned evenly.
_BLOCK, _MOST = 32, 2**16
# Rows that are looked at for their digits and their spread.
_ROWS = 20_000
# Digits behind the point, and digits altogether, that are looked for; float32 has seven.
_DECIMALS, _DIGITS = 13, 8
# Steps of a series that are looked at together.
_LOOKED_AT = 2**16
# Signs repeat after so many steps.
_PERIOD = 4096
# Times the root of the sum of squares of units: five standard deviations of a sum of rounding errors, three where all
# values lie halfway.
_BOUND = 1.5
# Where training sequences lie nearer to each other than so many bounds, new ones do too. Of a series two pieces in a row
# must be found, which makes up for it.
_NEAR = 3.0
_FLOAT32 = 2.0**-23


@dataclass(frozen=True, eq=False)
class Sketch:
    """What is kept of training data.

    Parameters
    ----------
    sums : ndarray of float32, shape (pieces, 1 + 16)
        First the length, far apart from the next.
    channels : ndarray of float64, shape (4, channels)
        Mean, spread, digits behind the point and significant digits of each channel.
    block : int
        Steps of a piece; 0 where sequences are whole.
    every : int
        Only every so many pieces are kept.
    """

    sums: np.ndarray
    channels: np.ndarray
    block: int = 0
    every: int = 1

    @classmethod
    def of(cls, values: Sequence[np.ndarray], *, series: bool) -> "Sketch | None":
        """Sum distinct sequences or series (time, channels); None where channels differ or all are shorter than a piece."""
        rows = [value.reshape(len(value), -1) for value in values if len(value)]
        if not rows or len({value.shape[1] for value in rows}) > 1:
            return None
        some = _some(rows)
        spread = some.std(axis=0)
        channels = np.array([some.mean(axis=0), np.where(spread > 0, spread, 1.0), *_digits(some)])
        block = _BLOCK if series else 0
        pieces = sum(len(value) // block if block else 1 for value in rows)
        if not pieces:
            return None
        every = -(-pieces // _MOST) if block else 1
        empty = cls(np.empty((0, 1 + _SUMS), np.float32), channels, block, every)
        sums = [
            empty._sums(empty._scaled(_float32(part)), block * every)
            for value in rows
            for part in (_portions(value, block * every) if block else (value,))
        ]
        return cls(np.concatenate(sums), channels, block, every)

    @staticmethod
    def fits(facts: Any, arrays: Mapping[str, np.ndarray]) -> bool:
        """Return whether the facts and arrays of a file are those of a sketch, or of none."""
        if facts is None:
            return True
        sums, channels = arrays.get("sums"), arrays.get("channels")
        return (
            isinstance(facts, dict)
            and set(facts) == {"block", "every"}
            and all(type(n) is int for n in facts.values())
            and facts["block"] in (0, _BLOCK)
            and facts["every"] >= 1
            and sums is not None
            and channels is not None
            and sums.dtype == np.float32
            and sums.shape[1:] == (1 + _SUMS,)
            and channels.dtype == np.float64
            and channels.shape[:-1] == (4,)
            and bool(np.isfinite(sums).all() and np.isfinite(channels).all() and (channels[1] > 0).all())
        )

    def known(self, values: Iterable[Any]) -> list[np.ndarray]:
        """Return which sequences, each as an array of one, or which steps of series, round to what was trained on.

        Where pieces of the training data are nearly the same among themselves, new ones are so too, and nothing is known.
        """
        from scipy.spatial import KDTree

        given = [np.asarray(value).reshape(len(value), -1) for value in values]
        found = [np.zeros(len(value) if self.block else 1, bool) for value in given]
        fitting = [place for place, v in enumerate(given) if len(v) and v.shape[1] == self.channels.shape[1]]
        if not fitting or not len(self.sums):
            return found
        decimals, digits = _digits(_some([given[place] for place in fitting]))
        fewer = decimals < self.channels[2], digits < self.channels[3]
        tree, bounds = KDTree(self.sums), [np.zeros(1)]
        for place in fitting:
            places, pieces = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
            for first in range(0, len(given[place]) if self.block else 1, _LOOKED_AT):
                last = first + _LOOKED_AT + self.block - 1 if self.block else None
                rows = _float32(given[place][first:last])
                unit = np.maximum(np.abs(rows) * _FLOAT32, np.where(fewer[0], 10.0**-decimals, 0.0))
                unit = np.maximum(unit, np.where(fewer[1], 10.0 * _tens(rows) / 10.0**digits, 0.0))
                scaled = self._scaled(rows)
                sums, tells = self._sums(scaled), self._tells(scaled)
                error = self._box(np.nan_to_num((unit / self.channels[1]) ** 2, posinf=0.0).sum(axis=1))
                bound = _BOUND * np.sqrt(error) + 1e-6 * np.abs(sums[:, 1:]).max(axis=1, initial=0)
                asked = np.flatnonzero(error <= tells)
                limit = np.nextafter(bound[asked].max(initial=0), np.inf)
                away, nearest = tree.query(sums[asked], p=np.inf, distance_upper_bound=limit)
                met = away <= bound[asked]
                asked = asked[met]
                places.append(first + asked)
                pieces.append(nearest[met])
                bounds.append(bound[asked])
            self._mark(found[place], np.concatenate(places), np.concatenate(pieces))
        share = sum(map(np.sum, found)) / sum(map(len, found))
        bound = (1 if self.block else _NEAR) * np.median(np.concatenate(bounds))
        again = np.isfinite(tree.query(self.sums, k=2, p=np.inf, distance_upper_bound=bound)[0][:, 1])
        return found if share > 2 * again.mean() else [np.zeros_like(own) for own in found]

    def _mark(self, found: np.ndarray, places: np.ndarray, pieces: np.ndarray) -> None:
        """Mark a sequence; of a series the steps of two pieces that follow each other, here as where they are from."""
        if not self.block:
            found[places] = True
            return
        step = self.block * self.every
        follows = (np.diff(places) == step) & (np.diff(pieces) == 1)
        for at in np.flatnonzero(follows).tolist():
            found[places[at] : places[at + 1] + self.block] = True

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            scaled = (rows - self.channels[0]) / self.channels[1]
        return np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0)

    def _sums(self, scaled: np.ndarray, step: int = 1) -> np.ndarray:
        """Return the sums of a sequence, or of a block of a series at every so many steps."""
        of_channels = _signs(scaled.shape[1], 1 << 32)
        length = self.block or len(scaled)
        signs = _signs(min(length, _PERIOD))
        if not self.block:
            portions = (scaled[first : first + _PERIOD] @ of_channels for first in range(0, length, _PERIOD))
            sums = sum((own * signs[: len(own)]).sum(axis=0) for own in portions)[None]
        elif len(scaled) < length:
            sums = np.empty((0, _SUMS))
        else:
            signed = scaled @ of_channels
            windows = np.lib.stride_tricks.sliding_window_view(signed, length, axis=0)[::step]
            sums = np.einsum("pst,ts->ps", windows, signs)
        return np.column_stack([np.full(len(sums), length * 1e6), sums]).astype(np.float32)

    def _tells(self, scaled: np.ndarray) -> np.ndarray:
        """Return how large the squares of rounding errors of a piece may be together, so that others are told from it."""
        bends = np.zeros(len(scaled))  # of white noise of variance 1 they have variance 6
        bends[2:] = (np.diff(scaled, 2, axis=0) ** 2).sum(axis=1)
        return np.asarray(_SMOOTHEST**2 * self._box(bends) / 6)

    def _box(self, own: np.ndarray) -> np.ndarray:
        """Return the sum of a sequence, or of every block of a series."""
        if not self.block:
            return own.sum(keepdims=True)
        total = np.concatenate([[0], np.cumsum(own)])
        return total[self.block :] - total[: -self.block] if len(own) >= self.block else np.empty(0)


def _portions(value: np.ndarray, step: int) -> Iterator[np.ndarray]:
    """Yield a series a portion at a time, each a whole number of steps."""
    size = max(_LOOKED_AT // step, 1) * step
    for first in range(0, len(value), size):
        yield value[first : first + size]


def _float32(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return value.astype(np.float32).astype(np.float64)


def _some(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return rows that lie evenly in sequences that lie evenly among all."""
    some = values[:: -(-len(values) // 200)]
    each = -(-_ROWS // len(some))
    rows = np.concatenate([_float32(value[:: -(-len(value) // each)]) for value in some])
    return np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)


def _digits(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many digits behind the point, and how many significant ones, the numbers of each channel have."""
    close, tens = np.abs(rows) * 2.0**-24, _tens(rows)
    decimals, digits = np.full(rows.shape[1], _DECIMALS), np.full(rows.shape[1], _DIGITS)
    for n in reversed(range(_DECIMALS)):
        decimals[(np.abs(rows - np.round(rows, n)) <= close).all(axis=0)] = n
    for n in reversed(range(1, _DIGITS)):
        digits[(np.abs(rows - np.round(rows / tens, n - 1) * tens) <= close).all(axis=0)] = n
    return decimals, digits


def _tens(rows: np.ndarray) -> np.ndarray:
    """Return the power of ten of the first digit of each number; 1 of 0."""
    there = np.where(np.isfinite(rows) & (rows != 0), np.abs(rows), 1.0)
    return np.asarray(10.0 ** np.floor(np.log10(there)))


def _signs(n: int, first: int = 0) -> np.ndarray:
    """Return signs of shape (n, sums): bits of splitmix64, the same everywhere and always."""
    x = np.arange(first, first + n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return 1.0 - 2.0 * ((x[:, None] >> np.arange(_SUMS, dtype=np.uint64)) & np.uint64(1)).astype(np.float64)
