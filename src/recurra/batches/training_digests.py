"""`TrainedOn`: what a network was trained on, kept as digests, so that data it is judged on are recognized by content.

Every sequence has a digest of 16 bytes. Of numbers, hashes of short stretches of consecutive steps are kept too, so that
a part of a sequence, or of a series, is found wherever it was cut; `Sketch` tells copies with fewer digits.
"""

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra import store
from recurra.array_summaries import Findings
from recurra.batches.rounded_copies import Sketch
from recurra.errors import StoreError
from recurra.features.frames.cache import ImagesHash, contents
from recurra.features.static import cells_key
from recurra.readers.large.mapped import read_ahead
from recurra.records import Dataset, findings_of

# Steps of a stretch: the first of these at which stretches of the training data hardly ever come again by chance.
_STEPS = (8, 16, 32, 64)
# How often at most, and what share. Sequences may be cut from each other; what a series says again it says by nature.
_SELDOM, _SHARE = 4, 0.99
_SELDOM_OF_SERIES, _SHARE_OF_SERIES = 1, 0.999
# Beyond so many stretches only those are kept whose hash is a multiple of a power of two: a megabyte at most.
_MOST = 2**17
# Of more steps than this only such hashes are looked at to begin with: to sort all would take more memory than the data.
_LOOKED_AT = 2**22
# Small arrays of hashes that are joined to one while more are made.
_JOINED = 10_000
# A sequence is called known that stands for so much in what was trained on.
_PART = 0.5
_KIND, _SCHEMA = "trained on", 1


@dataclass(frozen=True)
class Overlap:
    """What of some data was trained on.

    Parameters
    ----------
    known : int
        Sequences; of series, steps.
    total : int
        Of how many.
    in_part : int
        How many of the known ones were not trained on as they are, but in part.
    things : str
        What is counted: "sequences", "texts", "clips", "sources" or "steps".
    rounded : int
        How many of the known ones have fewer digits than what was trained on.
    """

    known: int
    total: int
    in_part: int
    things: str
    rounded: int = 0

    @property
    def sentence(self) -> str:
        """What was found, in words; empty where nothing is known."""
        if not self.known:
            return ""
        one = self.known == 1
        ways = ((self.in_part, "in part"), (self.rounded, "with fewer digits"))
        part = ", ".join(f"{count:,} of them {way}" for count, way in ways if count)
        part = f" ({part})" if part else ""
        return (
            f"{self.known:,} of {self.total:,} {self.things} {'was' if one else 'were'} trained on{part}: the figures say "
            "how well these are remembered, not how good the network is on new data. Judge on data it has not seen."
        )


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """Digests of training data.

    Parameters
    ----------
    whole : ndarray of bytes, shape (distinct sequences,)
        Digests of 16 bytes, sorted.
    stretches : ndarray of uint64
        Hashes of stretches, sorted; empty where chance would make them meet, or there are no numbers.
    steps : int
        Of a stretch.
    every : int
        Only hashes that are multiples of it are kept.
    sketch : Sketch, optional
        Of numbers: what tells copies with fewer digits. Files of earlier versions have none.
    """

    whole: np.ndarray
    stretches: np.ndarray
    steps: int = _STEPS[0]
    every: int = 1
    sketch: Sketch | None = None

    @classmethod
    def of(cls, data: Dataset) -> "TrainedOn":
        """Take the digests of a data set."""
        static = data.static if data.kind == "sequence" else None
        return cls.of_values(
            contents(data), series=data.kind == "series", static=static, findings=findings_of(data)
        )

    @classmethod
    def of_values(
        cls,
        values: Iterable[Any],
        *,
        series: bool = False,
        stretches: bool = True,
        static: Sequence[Any] | None = None,
        findings: Findings | None = None,
    ) -> "TrainedOn":
        """Take the digests of sequences (time, channels), texts, lists of words, or checksums of files.

        Parameters
        ----------
        series : bool, default=False
            Whether they are series, which are only ever known in part.
        stretches : bool, default=True
            Whether stretches are kept too.
        static : sequence, optional
            Static inputs of each; a sequence with others is another one, though every stretch of it is known.
        findings : Findings, optional
            Where digests of arrays are kept.
        """
        first: dict[bytes, Any] = {}
        for value, digest in _with_digests(values, static, findings):
            first.setdefault(digest, value)
        nameless = {_nameless(value, digest) for digest, value in first.items()}
        whole = np.array(sorted(nameless | set(first)), dtype="V16")
        numbers = [value for value in first.values() if _is_numbers(value)] if stretches else []
        every = _thinning(sum(map(len, numbers)))
        seldom, share = (_SELDOM_OF_SERIES, _SHARE_OF_SERIES) if series else (_SELDOM, _SHARE)
        steps, found = _STEPS[0], np.empty(0, np.uint64)
        for longer in _STEPS:
            these, counts = np.unique(_all_stretches(numbers, longer, every), return_counts=True)
            if series and not len(these):  # of what repeats itself the longest there are
                break
            steps, found = longer, these
            if not len(found) or counts[counts <= seldom].sum() >= share * counts.sum():
                break
            if not series:
                found = found[:0]
        while len(found) > _MOST:
            every *= 2
            found = found[found % np.uint64(every) == 0]
        alike = [value for _, value in sorted(first.items()) if _is_numbers(value)] if stretches else []
        return cls(whole, found, steps, every, Sketch.of(alike, series=series))

    def joined(self, other: "TrainedOn | None") -> "TrainedOn":
        """Return the digests of both; stretches of another length are left out, and sketches of what came before."""
        if other is None:
            return self
        both = np.array(sorted({d.tobytes() for d in (*self.whole, *other.whole)}), dtype="V16")
        if (self.steps, self.every) != (other.steps, other.every):
            return replace(self, whole=both)
        return replace(self, whole=both, stretches=np.union1d(self.stretches, other.stretches))

    def overlap(
        self, values: Sequence[Any], *, things: str = "sequences", static: Sequence[Any] | None = None
    ) -> Overlap:
        """Count what of some data was trained on.

        Parameters
        ----------
        values, static : as in `of_values`
        things : str
            What they are; "steps" counts the steps of series.
        """
        known = {digest.tobytes() for digest in self.whole}
        if things == "steps":
            found = [self._known_steps(value) for value in values]
            coarse = self._rounded(values)
            both = sum(int((own | more).sum()) for own, more in zip(found, coarse, strict=True))
            exact = sum(int(own.sum()) for own in found)
            return Overlap(both, sum(len(value) for value in values), 0, things, both - exact)
        whole = [
            digest in known or _nameless(value, digest) in known
            for value, digest in _with_digests(values, static)
        ]
        part = [
            not there
            and _is_numbers(value)
            and int(self._known_steps(value).sum()) >= max(_PART * len(value), 1)
            for value, there in zip(read_ahead(values), whole, strict=True)
        ]
        asked = [value for value, own, some in zip(values, whole, part, strict=True) if not (own or some)]
        rounded = sum(bool(own.any()) for own in self._rounded([v for v in asked if _is_numbers(v)]))
        return Overlap(sum(whole) + sum(part) + rounded, len(values), sum(part), things, rounded)

    def _rounded(self, values: Sequence[Any]) -> list[np.ndarray]:
        """Return which sequences, or steps of series, are known by their sketch."""
        return (
            [np.zeros(len(value), bool) for value in values]
            if self.sketch is None
            else self.sketch.known(values)
        )

    def _known_steps(self, value: Any) -> np.ndarray:
        """Return which steps lie in stretches that were trained on."""
        rows = _row_hashes(value)
        hashes, places = _stretches(rows, self.steps)
        kept = hashes % np.uint64(self.every) == 0
        hashes, places = hashes[kept], places[kept]
        there = np.zeros(len(hashes), dtype=bool)
        if len(self.stretches):
            # They are sorted, which isin does not know: it would sort all of them again for every sequence.
            nearest = np.searchsorted(self.stretches, hashes).clip(max=len(self.stretches) - 1)
            there = self.stretches[nearest] == hashes
        covered = np.zeros(len(rows), dtype=bool)
        # From the first of some known ones that follow each other to the end of the last: between them nothing changes.
        edges = np.flatnonzero(np.diff(there.astype(np.int8), prepend=0, append=0))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            covered[places[a] : places[b - 1] + self.steps] = True
        return covered

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the digests as a file of `recurra.store`."""
        facts = {"kind": _KIND, "schema": _SCHEMA, "steps": self.steps, "every": self.every}
        whole = np.frombuffer(self.whole.tobytes(), np.uint8).reshape(-1, 16)
        arrays = {"whole": whole, "stretches": self.stretches}
        if self.sketch is not None:
            facts["sketch"] = {"block": self.sketch.block, "every": self.sketch.every}
            arrays |= {"sums": self.sketch.sums, "channels": self.sketch.channels}
        store.save(path, facts, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "TrainedOn | None":
        """Read the digests; None where there is no such file, as in runs of earlier versions.

        Raises
        ------
        StoreError
            If the file is damaged or holds something else.
        """
        if not Path(path).is_file():
            return None
        facts, arrays = store.load(path)
        whole, stretches = arrays.get("whole"), arrays.get("stretches")
        steps, every = facts.get("steps"), facts.get("every")
        if (
            facts.get("kind") != _KIND
            or whole is None
            or stretches is None
            or whole.dtype != np.uint8
            or whole.ndim != 2
            or whole.shape[1] != 16
            or stretches.dtype != np.uint64
            or steps not in _STEPS
            or not isinstance(every, int)
            or every < 1
            or not Sketch.fits(facts.get("sketch"), arrays)
        ):
            raise StoreError(
                f"{path}: is damaged: it must hold digests of training data. Remove it, or train again."
            )
        sketch = (
            Sketch(arrays["sums"], arrays["channels"], **facts["sketch"]) if facts.get("sketch") else None
        )
        return cls(np.frombuffer(whole.tobytes(), "V16"), np.sort(stretches), steps, every, sketch)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.ndim in (1, 2)


def _with_digests(
    values: Iterable[Any], static: Sequence[Any] | None, findings: Findings | None = None
) -> Iterator[tuple[Any, bytes]]:
    """Yield each value with its digest, which its static inputs are part of."""
    for index, value in enumerate(read_ahead(values)):
        if findings is None or not isinstance(value, np.ndarray):
            digest = _digest(value)
        else:
            complete = _is_numbers(value) and findings.complete([value])
            find = functools.partial(_digest, complete=complete)
            digest = findings.of("digest", [value], lambda arrays, find=find: [find(arrays[0])])[0]  # type: ignore[misc]
        if static is not None and static[index] is not None:
            digest = hashlib.blake2b(digest + cells_key(static[index]), digest_size=16).digest()
        yield value, digest


def _nameless(value: Any, digest: bytes) -> bytes:
    """Return the digest of a clip that is told apart by its images and not by their names; of anything else its own."""
    return _digest(value.nameless) if isinstance(value, ImagesHash) else digest


def _digest(value: Any, *, complete: bool = False) -> bytes:
    if isinstance(value, str):
        return hashlib.blake2b(b"text" + value.strip().encode(), digest_size=16).digest()
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        array = value if value.ndim > 2 else _numbers(value, complete=complete)  # frames are bytes
        return hashlib.blake2b(f"{array.shape}".encode() + array.tobytes(), digest_size=16).digest()
    return hashlib.blake2b(b"tokens" + repr([str(word) for word in value]).encode(), digest_size=16).digest()


def _numbers(value: np.ndarray, *, complete: bool = False) -> np.ndarray:
    """Return values as a network reads them: float32 of shape (time, channels), one zero and one NaN.

    Where they are known to be ``complete``, NaN is not looked for.
    """
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(value, dtype=np.float32) + np.float32(0)
    if not complete:
        array[np.isnan(array)] = np.nan
    return array.reshape(len(array), -1)


def _row_hashes(value: np.ndarray) -> np.ndarray:
    """Return a hash of each time step: uint64 of shape (time,)."""
    bits = _numbers(value).view(np.uint32).astype(np.uint64)
    out = np.zeros(len(bits), np.uint64)
    for column in bits.T:
        out = _mixed(out + column)
    return out


def _mixed(x: np.ndarray) -> np.ndarray:
    """Spread every bit over all (splitmix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _stretches(rows: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of all stretches in which at least half of the steps differ from the one before, and where."""
    if len(rows) < steps:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    hashes, size = rows, 1
    while size < steps:  # two halves make a whole
        hashes = _mixed(hashes[:-size] * np.uint64(3) + hashes[size:])
        size *= 2
    changed = np.concatenate([[0], np.cumsum(rows[1:] != rows[:-1])])
    places = np.flatnonzero(changed[steps - 1 :] - changed[: len(changed) - steps + 1] >= steps // 2)
    return hashes[places], places


def _thinning(steps: int) -> int:
    """Return the power of two of whose multiples alone hashes are looked at: of so many steps four million or fewer."""
    every = 1
    while steps > every * _LOOKED_AT:
        every *= 2
    return every


def _all_stretches(values: Sequence[np.ndarray], steps: int, every: int) -> np.ndarray:
    found = [np.empty(0, np.uint64)]
    for value in read_ahead(values):
        hashes = _stretches(_row_hashes(value), steps)[0]
        found.append(hashes[hashes % np.uint64(every) == 0] if every > 1 else hashes)
        if len(found) == _JOINED:  # many small arrays take more memory than what is in them
            found = [np.concatenate(found)]
    return np.concatenate(found)
