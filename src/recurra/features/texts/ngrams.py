"""A text as the words, pairs of words and runs of letters in it, weighted by how rare they are."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np

from recurra.errors import StoreError

WORD = re.compile(r"\w+")
LETTERS = range(2, 6)  # lengths of the runs
# Where so many texts are a single word, no other text has the word, and single letters tell something.
SHARE_OF_SINGLE_WORDS = 0.9


class Counted(NamedTuple):
    """The n-grams of a text.

    Parameters
    ----------
    ids : uint32 array of shape (n,)
        Checksums: of "w" and a word or pair of words, of "l" and a run of letters; rising.
    counts : int64 array of shape (n,)
        How often each stands there.
    """

    ids: np.ndarray
    counts: np.ndarray


def counted(text: str) -> Counted:
    """Return the n-grams of a text."""
    grams: Counter[int] = Counter()
    for each in _grams(text).values():
        grams.update(each)
    ids = np.array(sorted(grams), np.uint32)
    return Counted(ids, np.array([grams[i] for i in ids.tolist()], np.int64))


def are_single_words(texts: Sequence[str]) -> bool:
    """Return whether nearly all texts are one word."""
    single = sum(len(WORD.findall(text)) == 1 for text in texts)
    return bool(texts) and single >= SHARE_OF_SINGLE_WORDS * len(texts)


@dataclass(frozen=True)
class NGrams:
    """Words, pairs of words and runs of two to five letters of a text, each known by a number.

    Of texts that are single words only the runs are known, those of one letter too.

    A count c weighs 1 + log c, times the logarithm of how rare the n-gram is among the training texts; the weights of the
    words, and those of the runs, are scaled to length 1.

    Parameters
    ----------
    ids : uint32 array of shape (n,)
        Checksums of the n-grams seen in training, rising.
    rarity : float32 array of shape (n,)
        Of each.
    of_words : bool array of shape (n,)
        Which of them are words or pairs; the others are runs of letters.

    References
    ----------
    .. [1] G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval", Information Processing &
       Management 24(5), 1988.
    """

    ids: np.ndarray
    rarity: np.ndarray
    of_words: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[str], weights: np.ndarray | None = None) -> "NGrams":
        """Learn which n-grams there are and how rare they are; ``weights``, of shape (texts,), count texts several times."""
        counts = np.ones(len(texts)) if weights is None else np.asarray(weights, np.float64)
        found: dict[int, float] = {}
        words: dict[int, bool] = {}
        left_out = "word" if are_single_words(texts) else "letter"
        for text, weight in zip(texts, counts.tolist(), strict=True):
            for kind, grams in _grams(text).items():
                if kind == left_out:
                    continue
                for gram in grams:
                    found[gram] = found.get(gram, 0.0) + weight
                    words[gram] = kind == "word"
        ids = np.array(sorted(found), np.uint32)
        number = np.array([found[i] for i in ids.tolist()])
        rarity = np.log((1 + counts.sum()) / (1 + number)) + 1
        return cls(ids, rarity.astype(np.float32), np.array([words[i] for i in ids.tolist()], bool))

    @property
    def size(self) -> int:
        """N-grams that are known."""
        return len(self.ids)

    def entries(self, text: str | Counted) -> tuple[np.ndarray, np.ndarray]:
        """Return the places (k,) of the n-grams of a text among those known, rising, and their weights, float32 (k,)."""
        ids, numbers = counted(text) if isinstance(text, str) else text
        if not len(ids) or not self.size:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        places = np.minimum(np.searchsorted(self.ids, ids), self.size - 1)
        known = self.ids[places] == ids
        places = places[known]
        weights = (1 + np.log(numbers[known].astype(np.float64))) * self.rarity[places]
        for kind in (self.of_words[places], ~self.of_words[places]):
            length = np.sqrt(np.square(weights[kind]).sum())
            weights[kind] /= length if length else 1.0
        return places, weights.astype(np.float32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays for a model file."""
        return {"ids": self.ids, "rarity": self.rarity, "of_words": self.of_words.astype(np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "NGrams":
        """Return what `to_arrays` gave.

        Raises
        ------
        StoreError
            If an array is absent or makes no sense.
        """
        ids, rarity, words = (arrays.get(name) for name in ("ids", "rarity", "of_words"))
        if ids is None or rarity is None or words is None:
            raise StoreError("the n-grams of the text are incomplete.")
        shape = (len(ids),) if ids.ndim == 1 else None
        if ids.dtype != np.uint32 or rarity.dtype != np.float32 or words.dtype != np.uint8:
            raise StoreError("the n-grams of the text have another type than they should.")
        if rarity.shape != shape or words.shape != shape or (np.diff(ids.astype(np.int64)) <= 0).any():
            raise StoreError("the n-grams of the text are out of order.")
        return cls(ids, rarity, words.astype(bool))


def _grams(text: str) -> dict[str, Counter[int]]:
    """Return how often each word or pair of words, each letter and each run of letters stands in a text."""
    words = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    pairs = (f"{first} {second}" for first, second in itertools.pairwise(words))
    return {
        "word": Counter(_ids("w", [*words, *pairs])),
        "letter": Counter(_ids("l", "".join(words))),
        "letters": Counter(_ids("l", _runs(words))),
    }


def _runs(words: Iterable[str]) -> Iterator[str]:
    """Yield the runs of letters of each word, a blank standing for its beginning and end."""
    for word in words:
        padded = f" {word} "
        for length in LETTERS:
            if length >= len(padded):
                yield padded
                break
            for start in range(len(padded) - length + 1):
                yield padded[start : start + length]


def _ids(kind: str, grams: Iterable[str]) -> Iterator[int]:
    for gram in grams:
        yield crc32(f"{kind}{gram}".encode())
