"""`Symbols`: text as whole numbers and back, by characters, words, parts of words, or tokens given as a list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recurra.checks import check_choice, missing_extra, where
from recurra.errors import DataError, StoreError

LEVELS = ("character", "word", "bpe", "token")

# The first numbers of every vocabulary; those of the text's own symbols follow.
UNKNOWN, BEGIN, END = range(3)
SPECIAL = ("<unknown>", "<begin>", "<end>")

# A word seen once teaches nothing about itself; read as unknown, it teaches the network what an unknown word is.
FEWEST_OF_A_WORD = 2

Text = str | Sequence[str]


@dataclass(frozen=True)
class Symbols:
    """The vocabulary of one side, learned from training texts.

    Parameters
    ----------
    level : {"character", "word", "bpe", "token"}
        What a symbol is: a character; what stands between blanks; a frequent part of a word (byte-pair encoding [1]_);
        an entry of the lists that were given.
    names : tuple of str
        Every symbol by its number, `SPECIAL` first.
    tokenizer : str, default=""
        For "bpe": the tokenizer as JSON, as the package ``tokenizers`` writes it.
    marks : bool, default=False
        Whether a text stands between the begin and the end symbol, so that a short one is told from a part of a long one.

    References
    ----------
    .. [1] Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2015,
       arXiv:1508.07909.
    """

    level: str
    names: tuple[str, ...]
    tokenizer: str = ""
    marks: bool = False

    @classmethod
    def fit(
        cls, texts: Sequence[Text], *, level: str, size: int | None = None, marks: bool = False
    ) -> "Symbols":
        """Learn the symbols of some texts.

        Parameters
        ----------
        texts : sequence of str, or of sequences of str
            At least one.
        level : {"character", "word", "bpe"}
            Without effect on texts given as lists, whose entries are the symbols.
        size : int, optional
            Most symbols to keep, the commonest; for "bpe" how many there are to be, 4,000 by default.
        marks : bool, default=False
            Whether texts stand between the begin and the end symbol.
        """
        check_choice("Symbols", "level", level, LEVELS)
        if not all(isinstance(text, str) for text in texts):
            level = "token"
        if level == "bpe":
            return cls._fit_bpe([str(text) for text in texts], size or 4000, marks)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(cut(text, level))
        least = FEWEST_OF_A_WORD if level == "word" else 1
        # By count, then by name: the order of the texts does not matter.
        ordered = sorted((-n, name) for name, n in counts.items() if n >= least)
        return cls(level, (*SPECIAL, *(name for _, name in ordered[:size])), marks=marks)

    @classmethod
    def _fit_bpe(cls, texts: Sequence[str], size: int, marks: bool) -> "Symbols":
        tokenizers = _tokenizers()
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=SPECIAL[UNKNOWN]))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        tokenizer.decoder = tokenizers.decoders.Metaspace()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), show_progress=False
        )
        tokenizer.train_from_iterator(sorted(texts), trainer)
        names = [tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())]
        return cls("bpe", tuple(names), tokenizer.to_str(), marks)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def _bpe(self) -> Any:
        return _tokenizers().Tokenizer.from_str(self.tokenizer)

    def pieces(self, text: Text) -> list[str]:
        """Return the symbols of a text, those the vocabulary does not know as well, without marks."""
        if self.level == "bpe" and isinstance(text, str):
            return list(self._bpe.encode(text).tokens)
        return cut(text, self.level)

    def encode(self, text: Text) -> np.ndarray:
        """Return the numbers of a text's symbols, `UNKNOWN` for those never seen: int64 array of shape (symbols,).

        A list is taken for the symbols themselves. With marks, `BEGIN` and `END` stand around them.
        """
        if self.level == "bpe" and isinstance(text, str):
            numbers = list(self._bpe.encode(text).ids)
        else:
            known = self._numbers
            # A text that spells a special symbol must not become one.
            found = (known.get(name, UNKNOWN) for name in cut(text, self.level))
            numbers = [n if n > END else UNKNOWN for n in found]
        return np.array([BEGIN, *numbers, END] if self.marks else numbers, dtype=np.int64)

    def decode(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Return symbols as one text: characters side by side, words and tokens with blanks between."""
        if self.level == "bpe":
            return str(self._bpe.decode([int(n) for n in numbers], skip_special_tokens=False))
        return ("" if self.level == "character" else " ").join(self.names[int(n)] for n in numbers)

    def to_manifest(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "level": self.level,
            "names": list(self.names),
            "tokenizer": self.tokenizer,
            "marks": self.marks,
        }

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> "Symbols":
        """Return the vocabulary of `to_manifest`.

        Raises
        ------
        StoreError
            If it makes no sense.
        """
        level, names, tokenizer = manifest["level"], manifest["names"], manifest["tokenizer"]
        marks = manifest["marks"]
        plain = isinstance(names, list) and all(isinstance(name, str) for name in names)
        kinds = isinstance(tokenizer, str) and type(marks) is bool
        if level not in LEVELS or not plain or tuple(names[:3]) != SPECIAL or not kinds:
            raise StoreError("the vocabulary makes no sense. Use a backup.")
        return cls(level, tuple(names), tokenizer, marks)


def cut(text: Text, level: str) -> list[str]:
    """Return the symbols of a text at a level other than "bpe"; the entries of a list as they are."""
    if not isinstance(text, str):
        return [str(entry) for entry in text]
    return list(text) if level == "character" else text.split()


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise missing_extra("tokenizers", "text", "Byte-pair encoding") from None
    return tokenizers


def as_sides(word: str, values: Any, names: Sequence[str] | None) -> list[Text]:
    """Return texts as a list of str or of lists of str.

    Raises
    ------
    DataError
        If it is a single text, holds what is no text, or both kinds.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(
            f"{word}: expected a list of texts; got {type(values).__name__}. Pass [{word}] for a single one."
        )
    if not len(values):
        raise DataError(f"{word}: found 0 texts (samples), a minimum of 1 is required. Give at least one.")
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    out: list[Text] = []
    for index, value in enumerate(values):
        plain = isinstance(value, str)
        if not plain and not (isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)):
            raise DataError(
                f"{word}: {where(index, names)} must be a text or a list of tokens; got {value!r:.60}. "
                "Turn numbers into text with str()."
            )
        out.append(value if plain else list(value))
    kinds = {isinstance(value, str) for value in out}
    if len(kinds) > 1:
        first = next(i for i, value in enumerate(out) if isinstance(value, str) != isinstance(out[0], str))
        raise DataError(
            f"{word}: holds both texts and lists of tokens, the first other kind at {where(first, names)}. Give one kind."
        )
    return out
