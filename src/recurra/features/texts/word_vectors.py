"""`WordVectors`: words with a vector each, read from the files of GloVe, word2vec and fastText, or the GloVe wheel."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from recurra.checks import check_number, counted, did_you_mean, listing
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.readers.arrays import load
from recurra.readers.files.encodings import read_text

GLOVE = "glove-6b-50d"


class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str
        All different, the most frequent first where that is known.
    vectors : ndarray of shape (words, size)
        Kept as float32.

    Raises
    ------
    DataError
        If their numbers differ, or a word comes twice.

    Examples
    --------
    >>> vectors = WordVectors(["king", "queen", "man", "woman"], [[1, 1], [1, -1], [0, 1], [0, -1]])
    >>> vectors.analogy("man", "king", "woman", n=1)
    [('queen', 1.0)]
    """

    def __init__(self, words: Sequence[str], vectors: Any) -> None:
        self.words = list(words)
        self.vectors = np.asarray(vectors, dtype=np.float32)
        self.index = {word: number for number, word in enumerate(self.words)}
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words):
            raise DataError(
                f"WordVectors: needs one vector for each of {len(self.words)} words; got shape {self.vectors.shape}."
            )
        if len(self.index) < len(self.words):
            twice = next(w for number, w in enumerate(self.words) if self.index[w] != number)
            raise DataError(f"WordVectors: the word {twice!r} comes twice. Leave one of them out.")
        if not np.isfinite(self.vectors).all():
            odd = self.words[int(np.argwhere(~np.isfinite(self.vectors))[0][0])]
            raise DataError(f"WordVectors: the vector of {odd!r} is not finite. Leave the word out.")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        if word not in self.index:
            raise UsageError(
                f"WordVectors: there is no vector of {word!r}.{did_you_mean(word, self.words[:50_000])}"
            )
        return self.vectors[self.index[word]]

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, {self.size} dimensions)"

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(self.vectors.shape[1])

    def take(self, words: Iterable[str]) -> "WordVectors":
        """Return those of these words that have a vector, in this order, each once."""
        chosen = [word for word in dict.fromkeys(words) if word in self.index]
        return WordVectors(chosen, self.vectors[[self.index[word] for word in chosen]].reshape(-1, self.size))

    def coverage(self, words: Iterable[str]) -> float:
        """Return the share of the words that have a vector."""
        wanted = list(words)
        return sum(word in self.index for word in wanted) / max(1, len(wanted))

    def nearest(self, word: str | np.ndarray, *, n: int = 10) -> list[tuple[str, float]]:
        """Return the n words whose vectors point most nearly the same way, with the cosine in [-1, 1].

        Parameters
        ----------
        word : str, or ndarray of shape (size,)
            Left out of the answer where it is a word.
        """
        vector = self[word] if isinstance(word, str) else np.asarray(word, dtype=np.float32)
        return self._nearest(vector, {word} if isinstance(word, str) else set(), n)

    def analogy(self, a: str, b: str, c: str, *, n: int = 5) -> list[tuple[str, float]]:
        """Return what is to ``c`` as ``b`` is to ``a``: words nearest to b - a + c, these three left out."""
        return self._nearest(self[b] - self[a] + self[c], {a, b, c}, n)

    def _nearest(self, vector: np.ndarray, without: set[str], n: int) -> list[tuple[str, float]]:
        check_number("WordVectors", "n", n, integer=True, low=1)
        lengths = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(vector)
        cosine = self.vectors @ vector / np.maximum(lengths, 1e-12)
        order = np.argsort(-cosine, kind="stable")
        found = ((self.words[i], round(float(cosine[i]), 6)) for i in order.tolist())
        return list(itertools.islice((pair for pair in found if pair[0] not in without), n))

    @classmethod
    def load(
        cls, source: str | os.PathLike[str], *, words: str | os.PathLike[str] | None = None
    ) -> "WordVectors":
        """Read vectors.

        Parameters
        ----------
        source : path or str
            ``"glove-6b-50d"``; or a text file with a word and its numbers a line, with (word2vec, fastText) or without
            (GloVe) a first line of counts; or a ``.npy`` array of shape (words, size).
        words : path, optional
            For a ``.npy`` array: the file with a word a line.

        Raises
        ------
        MissingDataError
            If it is nowhere.
        DataError
            Naming the line that makes no sense.
        """
        if str(source) == GLOVE:
            from recurra.datasets import glove

            return cls(*glove.read())
        path = Path(source)
        if not path.is_file():
            hint = did_you_mean(str(source), [GLOVE])
            raise MissingDataError(
                f"WordVectors.load: there is neither a file nor word vectors called {str(source)!r}; known by name: "
                f"{GLOVE!r}.{hint}"
            )
        if path.suffix == ".npy":
            return _from_array(path, words)
        with path.open(encoding="utf-8", errors="strict", newline="\n") as stream:
            return _from_lines(path, stream)


def _from_array(path: Path, words: Any) -> WordVectors:
    if words is None:
        raise UsageError(f"WordVectors.load: {path} needs words=, the file with a word a line.")
    names = read_text(Path(words)).split("\n")
    return WordVectors(names[:-1] if names[-1] == "" else names, load(path)["X"])


def _from_lines(path: Path, stream: IO[str]) -> WordVectors:
    words: list[str] = []
    rows: list[np.ndarray] = []
    size: int | None = None
    seen: set[str] = set()
    try:
        for number, line in _numbered(stream):
            word, vector = _parse(line, size, f"{path}: line {number}")
            if word in seen:  # some files hold a word twice, differing in a character that was cleaned away
                continue
            seen.add(word)
            size = len(vector)
            words.append(word)
            rows.append(vector)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8 text: {error.reason}. Binary word2vec files are not read."
        ) from None
    if not words:
        raise DataError(f"{path}: holds no word. Check that writing it was finished.")
    return WordVectors(words, np.stack(rows))


def _numbered(stream: IO[str]) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, without a first line of two counts."""
    for number, line in enumerate(stream, 1):
        cells = line.split()
        if number == 1 and len(cells) == 2 and all(cell.isdigit() for cell in cells):
            continue
        if cells:
            yield number, line.rstrip("\n").rstrip(" ")


def _parse(line: str, size: int | None, place: str) -> tuple[str, np.ndarray]:
    """Cut a line into word and numbers; a word may hold blanks, so the numbers are counted from the end."""
    cells = line.split(" ")
    first = 1 if size is None else len(cells) - size
    try:
        vector = np.array(cells[first:], dtype=np.float32)
    except ValueError:
        vector = np.empty(0, dtype=np.float32)
    if first < 1 or not len(vector) or not np.isfinite(vector).all():
        wanted = "numbers" if size is None else f"{size} numbers"
        raise DataError(
            f"{place} must be a word and {wanted}, with a blank between; got {line[:40]!r}. Correct or remove it."
        )
    return " ".join(cells[:first]), vector


def scaled_rows(
    vectors: WordVectors, vocabulary: Sequence[str], seen: Sequence[str]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return one row for each word of a vocabulary, zeros where it has no vector, and what was found.

    Every dimension is brought to mean 0 and deviation 1 over the words seen in training, so that the row of zeros of
    an unknown word is an average one.

    Parameters
    ----------
    vocabulary : sequence of str
        In order of their numbers.
    seen : sequence of str
        The words of the training texts.
    """
    known = [word for word in seen if word in vectors]
    if not known:
        raise DataError(
            f"vectors: none of the {counted(len(seen), 'word')} of the training texts has a vector, such as "
            f"{listing(seen, 3)}. Give vectors of the language of the texts."
        )
    basis = vectors.vectors[[vectors.index[word] for word in known]].astype(np.float64)
    center, spread = basis.mean(axis=0), basis.std(axis=0)
    spread[spread == 0] = 1.0
    rows = np.zeros((len(vocabulary), vectors.size), dtype=np.float32)
    numbers = np.array([vectors.index.get(word, -1) for word in vocabulary])
    there = numbers >= 0
    rows[there] = (vectors.vectors[numbers[there]] - center) / spread
    return rows, {"words": len(seen), "with_vector": len(known)}
