"""`TextStream`: a text that comes piece by piece, answered with the numbers of the whole."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.serving.streams.answer import Answer
from recurra.serving.streams.stream import Stream

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class TextStream:
    """One text fed piece by piece.

    A word that is not known to have ended, since no blank has followed it, waits; ``finish`` reads it too. After
    ``finish`` the answer is that of ``predict`` and ``predict_proba`` for the whole text, bit for bit with the native
    kernels.

    Parameters
    ----------
    model : FittedModel
        Of one direction, reading words or characters.

    Attributes
    ----------
    steps : int
        Tokens read so far.

    Raises
    ------
    UsageError
        If the network is bidirectional or the user's own, or reads byte pairs.
    """

    def __init__(self, model: "FittedModel") -> None:
        words: Any = model.features.steps[0]
        self._words = words
        if words.level == "bpe" or words.max_tokens is not None:
            raise UsageError(
                "TextStream: only whole words or characters come one by one; this model reads byte pairs or cuts texts. "
                "Train with tokens='word' and max_tokens=None."
            )
        rows = Chain([], model.features.input_size)
        self._stream = Stream(replace(model, features=rows))
        self._waiting = ""

    @property
    def steps(self) -> int:
        """Tokens read so far."""
        return self._stream.steps

    def push(self, piece: str) -> Answer | None:
        """Take in a piece of the text; return the answer after the words that have ended, None before the first."""
        text = self._waiting + piece
        end = max((at for at, letter in enumerate(text) if letter.isspace()), default=-1) + 1
        self._waiting = text[end:]
        return self._read(text[:end])

    def finish(self) -> Answer | None:
        """Read the word that waits; return the answer for the whole text."""
        text, self._waiting = self._waiting, ""
        return self._read(text)

    def _read(self, text: str) -> Answer | None:
        if text.strip() or (text and self._words.level == "character"):
            self._last: Answer | None = self._stream.push(self._words.transform(text))
        return getattr(self, "_last", None)

    def reset(self) -> None:
        """Forget the text."""
        self._stream.reset()
        self._waiting = ""
        self._last = None
