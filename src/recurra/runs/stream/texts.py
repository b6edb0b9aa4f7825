"""Texts of a stream, one a line: each is answered as a whole, with a class, labels of its words, or a translation."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, ClassVar

from recurra.errors import UsageError
from recurra.readers.tables.tokens import words_of
from recurra.runs.stream.lines import BadLineError, Row, check_encoding, lines_of
from recurra.serving.streams.latency import Latency


class TextLines:
    """Reads a text a line; of JSON lines the text of each object, or of each string.

    Parameters
    ----------
    kind : {"auto", "jsonl", "text"}
        ``auto`` takes JSON if the first line starts with a curly bracket.
    column : str or None
        Key of the text in an object; ``text`` if nobody says.
    encoding : str, default="utf-8"
        Of the lines.
    parted : function, optional
        Of a line: its text, or its words, and a label that stands beside it and is not answered on.

    Attributes
    ----------
    number : int
        Lines read so far, empty ones included.
    """

    unit: ClassVar[str] = "line"

    def __init__(
        self,
        *,
        kind: str = "auto",
        column: str | None = None,
        encoding: str = "utf-8",
        parted: Callable[[str], tuple[Any, Any]] | None = None,
    ) -> None:
        check_encoding(encoding)
        self._parted = parted
        self.number = 0
        self._encoding = encoding
        self._kind, self._column = kind, column or "text"

    def read(self, source: BinaryIO) -> Iterator[Row | BadLineError]:
        """Yield a text, or what is wrong with its line, for every line that is not empty."""
        for data in lines_of(source):
            self.number += 1
            if data is None:
                yield BadLineError(f"line {self.number}: it is too long.")
                continue
            try:
                line = data.decode(self._encoding).removeprefix("\ufeff").strip()
            except UnicodeDecodeError:
                yield BadLineError(f"line {self.number}: it is not {self._encoding.upper()}.")
                continue
            if line:
                yield self._row(line)

    def _row(self, line: str) -> Row | BadLineError:
        if self._kind == "auto":
            self._kind = "jsonl" if line.startswith("{") else "text"
        if self._kind == "text":
            return Row(line if self._parted is None else self._parted(line)[0])
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            return BadLineError(f"line {self.number}: it is not JSON: {line[:40]!r}.")
        text = content.get(self._column) if isinstance(content, dict) else content
        if isinstance(text, list) and text and all(isinstance(word, str) for word in text):
            return Row(text)
        if not isinstance(text, str) or not text.strip():
            return BadLineError(
                f"line {self.number}: it must hold a text, as the key {self._column!r} of an object; got {line[:40]!r}."
            )
        return Row(text)


class WholeTexts:
    """Answers a text as `predict` does; what a session takes for its stream.

    Parameters
    ----------
    model : FittedModel or TranslationModel
        Reads texts, or sentences.

    Attributes
    ----------
    latency : Latency
        Of the answers.
    """

    def __init__(self, model: Any) -> None:
        self.latency = Latency()
        self._model = model

    def answer(self, text: Any, *, proba: bool) -> dict[str, Any]:
        """Return what to write of a text."""
        model = self._model
        if model.task == "translation":
            params = model.manifest["params"]
            how = {name: params[name] for name in ("beam_size", "length_penalty")}
            ((best,),) = model.translate([text], **how)
            return {"prediction": best.text, "score": round(best.score, 6), "cut": best.cut}
        sentence = [words_of(text) if isinstance(text, str) else text] if model.task == "labeling" else [text]
        (found,) = model.predict(sentence)
        out = {"words": sentence[0]} if model.task == "labeling" else {}
        out["prediction"] = found.tolist() if hasattr(found, "tolist") else found
        if proba:
            (shares,) = model.predict_proba(sentence)
            out["probabilities"] = self._shares(shares)
        return out

    def _shares(self, shares: Any) -> Any:
        if shares.ndim == 2:
            return [self._shares(row) for row in shares]
        classes = [str(label) for label in self._model.classes.tolist()]
        return dict(zip(classes, (round(float(share), 7) for share in shares), strict=True))


class TextSession:
    """One run of the command on texts: what answers, and what is counted; see `recurra.runs.stream.session.Session`.

    Parameters
    ----------
    model : FittedModel or TranslationModel
        What answers.
    proba : bool
        Whether answers carry the probability of every class.
    """

    def __init__(self, model: Any, *, proba: bool = False) -> None:
        if proba and model.task in ("translation", "regression"):
            what = "answers with texts" if model.task == "translation" else "predicts numbers"
            raise UsageError(f"stream: proba needs classes; this network {what}.")
        self.stream = WholeTexts(model)
        self.lines = Latency()
        self.rows = self.skipped = 0
        self._proba = proba

    def take(self, row: Row) -> dict[str, Any]:
        """Answer a text."""
        start = time.perf_counter()
        said = self.stream.answer(row.values, proba=self._proba)
        self.stream.latency.record(time.perf_counter() - start)
        self.rows += 1
        return {**({} if row.name is None else {"name": row.name}), "step": self.rows - 1, **said}

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yield nothing: no text waits for a later one."""
        yield from ()
