"""`Words`: a text becomes one row per token; the vocabulary is counted and cut here.

A row is the token's number or its vector, and its letters.

Tokens are words, characters, byte-pair pieces, or the entries of a list given in place of a text. The vocabulary is learned
on the training part and kept in the model file as the JSON of the ``tokenizers`` library.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_choice, check_number, missing_extra
from recurra.errors import DataError, StoreError
from recurra.features.rows.streaming import FeatureStream, Stateless

LEVELS = ("word", "character", "bpe", "token")
UNKNOWN = "[UNK]"

# Letters of a word that are read; of a longer one its first and its last twelve.
LETTERS = 24
NO_LETTER, BEGIN, END, UNKNOWN_LETTER, FIRST_LETTER = range(5)

# Words as the Penn Treebank, and so GloVe, cuts them: "don't" is "do" and "n't", "well-known" is one word.
WORD_PATTERN = r"[nN]'[tT]\b|'(?:s|re|ve|ll|d|m|S|RE|VE|LL|D|M)\b|(?:(?![nN]'[tT]\b)\w)+(?:-\w+)*|[^\w\s]"
CHARACTER_PATTERN = r"[\s\S]"


# Scripts that are written without blanks between words, by the beginnings of the names of their letters.
WITHOUT_BLANKS = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ")
# Texts are looked at up to here; words of such scripts have fewer letters than that on average.
TEXTS_LOOKED_AT, LONGEST_WORDS = 200, 5.0


def letters_between_blanks(texts: Sequence[str]) -> float | None:
    """Return the mean length of what would be read as a word, of texts in a script without blanks between words.

    None where at least half of the letters are of other scripts, or blanks part the words all the same.
    """
    joined = "\n".join(texts[:TEXTS_LOOKED_AT])
    parting = {ord(sign): " " for sign in set(joined) if unicodedata.category(sign)[0] not in "LMN"}
    pieces = joined.translate(parting).split()  # marks above and below letters belong to them
    letters = [letter for piece in pieces for letter in piece if letter.isalpha()]
    known = {letter: unicodedata.name(letter, "").startswith(WITHOUT_BLANKS) for letter in set(letters)}
    if 2 * sum(known[letter] for letter in letters) <= len(letters):
        return None
    mean = sum(map(len, pieces)) / len(pieces)
    return mean if mean > LONGEST_WORDS else None


class Words:
    """Tokens of a text as rows of numbers.

    Parameters
    ----------
    tokenizer : str
        JSON of the ``tokenizers`` library; number 0 is the unknown token.
    level : {"word", "character", "bpe", "token"}
        What a token is; "token" reads lists of str instead of texts.
    alphabet : str
        Letters that are told apart; empty where letters are not read.
    vectors : ndarray of shape (vocabulary, size), optional
        Vectors that stand in place of the numbers, float32; that of the unknown token is zero.
    max_tokens : int, optional
        Tokens of a text that are read; all of them if omitted.

    Attributes
    ----------
    vocabulary : dict of str to int
        Number of each token.
    """

    name: ClassVar[str] = "words"
    reads: ClassVar[str] = "text"

    def __init__(
        self,
        tokenizer: str,
        *,
        level: str,
        alphabet: str = "",
        vectors: np.ndarray | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.level = level
        self.alphabet = alphabet
        self.vectors = vectors
        self.max_tokens = max_tokens
        self._library = _load(tokenizer)
        self.vocabulary: dict[str, int] = self._library.get_vocab()
        self._letter = {letter: FIRST_LETTER + i for i, letter in enumerate(alphabet)}
        if vectors is not None and len(vectors) != len(self.vocabulary):
            raise StoreError(
                f"model file: {len(self.vocabulary)} words and {len(vectors)} vectors do not belong together."
            )

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        weights: np.ndarray | None = None,
        *,
        level: str = "word",
        lowercase: bool = True,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        letters: bool = False,
        max_tokens: int | None = None,
        more_words: Iterable[str] = (),
    ) -> Self:
        """Learn the vocabulary.

        Parameters
        ----------
        texts : sequence of str
            The training part.
        weights : ndarray of shape (texts,), optional
            A text of weight two counts as two.
        level : {"word", "character", "bpe", "token"}, default="word"
            What a token is.
        lowercase : bool, default=True
            Read capitals as small letters.
        min_count : int, default=1
            Times a token must occur to be known.
        max_vocabulary : int, optional
            Tokens known at most, the most frequent ones; for byte pairs 8,000 if omitted.
        letters : bool, default=False
            Give the letters of each token beside it.
        max_tokens : int, optional
            See `Words`.
        more_words : iterable of str
            Known beside those of the texts, such as words that have a vector.
        """
        check_choice("Words", "level", level, LEVELS)
        check_number("Words", "min_count", min_count, integer=True, low=1)
        if level == "bpe":
            tokenizer = _byte_pairs(texts, lowercase, min_count, max_vocabulary or 8_000)
        else:
            tokenizer = _whole_tokens(
                texts, weights, level, lowercase, min_count, max_vocabulary, tuple(more_words)
            )
        alphabet = ""
        if letters:
            plain = ["".join(text) for text in texts]
            used = {letter for text in plain for letter in (text.lower() if lowercase else text)}
            alphabet = "".join(sorted(letter for letter in used if not letter.isspace()))
        return cls(tokenizer, level=level, alphabet=alphabet, max_tokens=max_tokens)

    def with_vectors(self, vectors: np.ndarray) -> "Words":
        """Return the same tokens, given as vectors (vocabulary, size) in place of numbers."""
        return Words(
            self.tokenizer,
            level=self.level,
            alphabet=self.alphabet,
            vectors=vectors,
            max_tokens=self.max_tokens,
        )

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text as they are looked up: in small letters, unknown ones too."""
        if self.level == "bpe":
            found = [self._library.id_to_token(number) for number in self._library.encode(text).ids]
        else:
            normalizer = self._library.normalizer
            if self.level == "token":
                found = [t if normalizer is None else normalizer.normalize_str(t) for t in text]
                return found if self.max_tokens is None else found[: self.max_tokens]
            plain = text if normalizer is None else normalizer.normalize_str(text)
            if self.level == "character":
                return list(plain if self.max_tokens is None else plain[: self.max_tokens])
            found = [piece for piece, _ in self._library.pre_tokenizer.pre_tokenize_str(plain)]
        return found if self.max_tokens is None else found[: self.max_tokens]

    def numbers(self, text: str) -> np.ndarray:
        """Return the number of each token: int64 array of shape (tokens,), 0 where it is unknown."""
        if self.level == "bpe":
            return np.array(self._library.encode(text).ids, dtype=np.int64)
        known = self.vocabulary
        return np.array([known.get(token, 0) for token in self.tokens(text)], dtype=np.int64)

    def written(self, numbers: Iterable[int]) -> Iterator[str]:
        """Yield the text of tokens, piece by piece; nothing for a byte that does not end a letter yet."""
        token_of = {number: token for token, number in self.vocabulary.items()}
        if self.level == "character":
            yield from (token_of[number] for number in numbers)
        elif self.level == "word":
            for number in numbers:
                token = token_of[number]
                yield token if not any(c.isalnum() for c in token) or token.startswith("'") else f" {token}"
        else:
            waiting: list[int] = []
            for number in numbers:
                waiting.append(number)
                piece = self._library.decode(waiting)
                if not piece.endswith("\ufffd"):
                    waiting.clear()
                    yield piece

    def cut(self, texts: Sequence[str]) -> int:
        """Return how many texts have more than ``max_tokens`` tokens."""
        if self.max_tokens is None:
            return 0
        whole = Words(self.tokenizer, level=self.level)
        return sum(len(whole.tokens(text)) > self.max_tokens for text in texts)

    def coverage(self, texts: Sequence[str]) -> float:
        """Return the share of the tokens of the texts that are known, or with vectors have one."""
        seen = [token for text in texts for token in self.tokens(text)]
        known = self.vocabulary if self.vectors is None else self._with_vector()
        return sum(token in known for token in seen) / max(1, len(seen))

    def _with_vector(self) -> set[str]:
        assert self.vectors is not None
        full = np.any(self.vectors != 0, axis=1)
        return {token for token, number in self.vocabulary.items() if full[number]}

    def output_size(self, input_size: int) -> int:
        """Return the columns of a row: the number or the vector, and the letters."""
        first = 1 if self.vectors is None else self.vectors.shape[1]
        return first + (LETTERS + 2 if self.alphabet else 0)

    def transform(self, text: str) -> np.ndarray:
        """Return one row for each token: float32 of shape (tokens, output_size).

        Raises
        ------
        DataError
            If the text has no token.
        """
        tokens = self.tokens(text)
        if not tokens:
            raise DataError(
                f"X: a text must have at least one token; got {text!r:.40}. Remove it or its label."
            )
        distinct = list(dict.fromkeys(tokens))
        place = {token: row for row, token in enumerate(distinct)}
        rows = np.zeros((len(distinct), self.output_size(0)), dtype=np.float32)
        numbers = [self.vocabulary.get(token, 0) for token in distinct]
        first = 1
        if self.vectors is None:
            rows[:, 0] = numbers
        else:
            first = self.vectors.shape[1]
            rows[:, :first] = self.vectors[numbers]
        if self.alphabet:
            for row, token in zip(rows, distinct, strict=True):
                codes = self._codes(token)
                row[first : first + len(codes)] = codes
        return rows[[place[token] for token in tokens]]

    def _codes(self, token: str) -> list[int]:
        half = LETTERS // 2
        shown = token if len(token) <= LETTERS else token[:half] + token[-half:]
        return [BEGIN, *(self._letter.get(letter, UNKNOWN_LETTER) for letter in shown), END]

    def stream(self, input_size: int) -> FeatureStream:
        """Return a stream of whole tokens."""
        return Stateless(self)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps; the tokenizer's JSON is an array of its bytes."""
        config = {
            "name": self.name,
            "level": self.level,
            "alphabet": self.alphabet,
            "max_tokens": self.max_tokens,
        }
        arrays = {"tokenizer": np.frombuffer(self.tokenizer.encode(), dtype=np.uint8)}
        return config, arrays if self.vectors is None else arrays | {"vectors": self.vectors}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        vectors = arrays.get("vectors")
        if vectors is not None and (vectors.ndim != 2 or vectors.dtype != np.float32):
            raise StoreError(f"model file: word vectors must be float32 of two axes; got {vectors.dtype}.")
        limit = config["max_tokens"]
        if config["level"] not in LEVELS or (limit is not None and (type(limit) is not int or limit < 1)):
            raise StoreError("model file: the description of the words makes no sense.")
        return cls(
            bytes(arrays["tokenizer"].astype(np.uint8)).decode(),
            level=config["level"],
            alphabet=str(config["alphabet"]),
            vectors=vectors,
            max_tokens=limit,
        )


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise missing_extra("tokenizers", "text", "reading text") from None
    return tokenizers


def _load(text: str) -> Any:
    library = _library()
    try:
        json.loads(text)
        return library.Tokenizer.from_str(text)
    except Exception as error:
        raise StoreError(f"model file: the tokenizer cannot be read: {error!s:.100}.") from None


def _empty(model: Any, level: str, lowercase: bool) -> Any:
    library = _library()
    tokenizer = library.Tokenizer(model)
    if lowercase:
        tokenizer.normalizer = library.normalizers.Lowercase()
    pattern = CHARACTER_PATTERN if level == "character" else WORD_PATTERN
    split = library.pre_tokenizers.Split(library.Regex(pattern), "removed", invert=True)
    tokenizer.pre_tokenizer = split
    return tokenizer


def _whole_tokens(
    texts: Sequence[str],
    weights: np.ndarray | None,
    level: str,
    lowercase: bool,
    min_count: int,
    max_vocabulary: int | None,
    more_words: Sequence[str],
) -> str:
    """Return the JSON of a tokenizer whose tokens are the most frequent ones, ties in order of the alphabet."""
    models = _library().models
    cut = _empty(models.WordLevel({UNKNOWN: 0}, unk_token=UNKNOWN), level, lowercase)
    counts: Counter[str] = Counter()
    each = np.ones(len(texts)) if weights is None else weights
    for text, weight in zip(texts, each.tolist(), strict=True):
        if level == "token":
            for token in text:
                counts[token if cut.normalizer is None else cut.normalizer.normalize_str(token)] += weight
            continue
        plain = text if cut.normalizer is None else cut.normalizer.normalize_str(text)
        if level == "character":
            for letter, times in Counter(plain).items():
                counts[letter] += weight * times
            continue
        for piece, _ in cut.pre_tokenizer.pre_tokenize_str(plain):
            counts[piece] += weight
    frequent = sorted((token for token, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    known = dict.fromkeys([UNKNOWN, *frequent[:max_vocabulary], *more_words])
    vocabulary = {token: number for number, token in enumerate(known)}
    return str(_empty(models.WordLevel(vocabulary, unk_token=UNKNOWN), level, lowercase).to_str())


def _byte_pairs(texts: Sequence[str], lowercase: bool, min_count: int, size: int) -> str:
    library = _library()
    tokenizer = _empty(library.models.BPE(unk_token=UNKNOWN), "bpe", lowercase)
    # Bytes as letters: nothing is unknown, and a text can be written again as it was.
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_count,
        special_tokens=[UNKNOWN],
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str())
