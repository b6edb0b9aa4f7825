"""The options of texts handed to `Words`, pretrained vectors, and the layers that read them."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.errors import RecurraWarning, UsageError
from recurra.features.texts.tokens import FIRST_LETTER, Words, letters_between_blanks
from recurra.features.texts.word_vectors import WordVectors, scaled_rows
from recurra.options import Tokens

LETTER_SIZE = 24
# Runs of letters share rows of a table by their hash, as in fastText; 5,000 words have some 50,000 different runs, and
# with a quarter of these rows a network lost a percent of accuracy on words.
SUBWORD_ROWS = 2**16

_log = logging.getLogger(__name__)


def warn_of_whole_sentences(who: str, word: str, texts: Sequence[str]) -> None:
    """Warn where words are to be read of a script that has no blanks between them; ``word`` is the option's name."""
    mean = letters_between_blanks(texts)
    if mean is not None:
        warnings.warn(
            f"{who}: these texts have no blanks between words, so that {word}='word' reads whole sentences as words "
            f"({mean:.0f} letters on average). Pass {word}='character'.",
            RecurraWarning,
            stacklevel=7,
        )


def fit_words(
    options: Any, texts: Sequence[str], weights: np.ndarray | None
) -> tuple[Words, np.ndarray | None, dict[str, Any]]:
    """Return the fitted words, the rows that trainable vectors begin with, and what to tell about them."""
    vectors = _vectors(options)
    max_tokens = getattr(options, "max_tokens", None)
    settings: dict[str, Any] = {
        "level": options.tokens
        if isinstance(options, Tokens)
        else "token",  # without the option, lists of words are read
        "lowercase": bool(options.lowercase),
        "min_count": int(options.min_count),
        "max_vocabulary": options.max_vocabulary if isinstance(options, Tokens) else None,
        "letters": options.letters > 0 or options.subwords > 0,
        "max_tokens": max_tokens,
    }
    if settings["level"] == "word":
        warn_of_whole_sentences(type(options).__name__, "tokens", texts)
    more: list[str] = [] if vectors is None else vectors.words[: int(options.extra_words)]
    words = Words.fit(texts, weights, more_words=more, **settings)
    cut = words.cut(texts)
    if cut:
        told = (type(options).__name__, cut, len(texts), max_tokens)
        _log.warning("%s: %d of %d texts have more than %d tokens and were cut", *told)
    if vectors is None:
        return words, None, {"words": len(words.vocabulary), "with_vector": len(words.vocabulary), "cut": cut}
    seen = sorted({token for text in texts for token in words.tokens(text)})
    vocabulary = sorted(words.vocabulary, key=lambda token: words.vocabulary[token])
    rows, found = scaled_rows(vectors, vocabulary, seen)
    _log.info(
        "%s: %d of %d words have a vector", type(options).__name__, found["with_vector"], found["words"]
    )
    found |= {"cut": cut}
    return (words, rows, found) if options.train_vectors else (words.with_vectors(rows), None, found)


def _vectors(options: Any) -> WordVectors | None:
    given = options.vectors
    if given is None:
        return None
    if isinstance(options, Tokens) and options.tokens != "word":
        raise UsageError(
            f"{type(options).__name__}: vectors are of words; got tokens={options.tokens!r}. Use tokens='word'."
        )
    return given if isinstance(given, WordVectors) else WordVectors.load(given)


def front(options: Any, words: Words, first_vectors: np.ndarray | None) -> dict[str, Any]:
    """Describe the layers before the recurrence; see `recurra.nn.fronts.text`."""
    trained = words.vectors is None
    size = int(options.embedding_size) if first_vectors is None else int(first_vectors.shape[1])
    return {
        "name": "text",
        "words": len(words.vocabulary) if trained else 0,
        "size": size if words.vectors is None else int(words.vectors.shape[1]),
        "letters": FIRST_LETTER + len(words.alphabet) if options.letters else 0,
        "letter_size": LETTER_SIZE,
        "spelling": int(options.letters),
        "subwords": SUBWORD_ROWS if options.subwords else 0,
        "subword_size": int(options.subwords),
        "dropout": float(options.input_dropout),
    }
