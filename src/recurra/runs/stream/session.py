"""What answers rows and frames that come one after another, and the loop that reads, answers and writes."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from recurra.checks import counted, listing
from recurra.errors import DataError, UsageError
from recurra.interrupts import Interrupt, held_back_interrupt
from recurra.runs.answers.long_form import by_share
from recurra.runs.stream.lines import BadLineError, Row
from recurra.runs.stream.texts import TextSession
from recurra.serving.streams.latency import Latency

# Lines one after the other that are left out for the same reason and each named.
SAID_OF_A_FAULT = 3


class Session:
    """One run of the command: a stream, or many named ones, and what is counted.

    Parameters
    ----------
    model : FittedModel
        What answers.
    opened : Stream, LookAheadStream, VideoStream or Streams
        What takes in the rows.
    named : bool
        Whether rows carry the name of their stream.
    look_ahead : int or None
        See `recurra.serving.streams.look_ahead.LookAheadStream`.
    proba : bool
        Whether answers carry the probability of every class.
    """

    def __init__(
        self,
        model: Any,
        opened: Any,
        *,
        named: bool = False,
        look_ahead: int | None = None,
        proba: bool = False,
    ) -> None:
        if proba and model.task == "regression":
            raise UsageError("stream: proba needs classes; this network predicts numbers.")
        self.named = named
        self.stream = opened
        self.lines = Latency()
        self.rows = self.skipped = 0
        self._model = model
        self._classes = [str(label) for label in model.classes.tolist()] if model.task != "regression" else []
        self._proba = proba
        self._static: dict[str | None, list[Any]] = {}  # as the first row of each sequence gave them
        self._behind = look_ahead if look_ahead is not None and model.per_step else 0

    def take(self, row: Row) -> dict[str, Any] | None:
        """Take in what a line says and return what to write, None if there is no answer yet."""
        if row.reset:
            self._reset(row.name)
            return None
        several = row.several
        if self._model.static is not None:
            self._begin(row)
        if self.named:
            answer = self.stream.push(row.name, row.values if several else [row.values])
        elif several:
            answer = self.stream.push(row.values)
        else:
            answer = self.stream.step(row.values)
        self.rows += len(row.values) if several else 1
        return self._line(answer, row.name, several, answer.steps - 1 - self._behind)

    def _begin(self, row: Row) -> None:
        """Give a sequence that begins its static inputs.

        Raises
        ------
        DataError
            If the row has none, or others than the rows before it.
        """
        under_way = row.name in self.stream if self.named else self.stream.steps > 0
        if under_way and all(cell is None for cell in row.static or ()):
            return
        if row.static is None:
            raise DataError(
                f"the first row of a sequence must carry its static inputs, {listing(self._model.static.names)}, as "
                "columns or keys"
            )
        if not under_way or row.name not in self._static:
            if not under_way:
                first = {"static": row.static}
                if self.named:
                    self.stream.begin(row.name, **first)
                else:
                    self.stream.reset(**first)
            self._static[row.name] = row.static
        elif row.static != self._static[row.name]:
            raise DataError(
                f"its static inputs {listing(row.static)} are not those the sequence began with, "
                f'{listing(self._static[row.name])}; send {{"reset": true}} before a new sequence'
            )

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yield what to write for the rows that waited for later ones."""
        if not self._behind:
            return
        answer = self.stream.finish()
        numbers = answer.labels is None
        answers = answer.values if numbers else answer.labels
        for index, one in enumerate(answers.tolist()):
            shares = None if numbers else answer.probabilities[index]
            line = self._said(answer.steps - len(answers) + index, None, one, shares)
            beside = None if answer.row_quantiles is None else answer.row_quantiles[index]
            yield line | self._quantiles(beside)

    def _reset(self, name: str | None) -> None:
        self._static.pop(name, None)
        if self.named:
            if name in self.stream:  # with static inputs its next row brings others
                (self.stream.drop if self._model.static is not None else self.stream.reset)(name)
        else:
            self.stream.reset()

    def _line(self, answer: Any, name: str | None, several: bool, step: int) -> dict[str, Any] | None:
        if answer.labels is not None:
            if not len(answer.labels):
                return None
            if several:
                return self._said(step, name, answer.labels.tolist(), answer.probabilities)
            return self._said(step, name, _plain(answer.label), answer.probabilities[-1])
        if self._model.task == "regression":
            if answer.value is None:
                return None
            if several and answer.values is not None:
                line = self._said(step, name, answer.values.tolist(), None)
                return line | self._quantiles(answer.row_quantiles)
            line = self._said(step, name, _plain(answer.value), None)
            return line | self._quantiles(answer.quantiles)
        if answer.probabilities is None:
            return None
        return self._said(step, name, _plain(answer.label), answer.probabilities)

    def _said(self, step: int, name: str | None, prediction: Any, shares: Any) -> dict[str, Any]:
        line: dict[str, Any] = {} if name is None else {"name": name}
        line |= {"step": step, "prediction": prediction}
        if self._proba:
            line["probabilities"] = self._shares(shares)
        return line

    def _quantiles(self, quantiles: Any) -> dict[str, Any]:
        return {} if quantiles is None else {"quantiles": by_share(self._model.quantiles, quantiles)}

    def _shares(self, shares: Any) -> Any:
        if shares.ndim == 2:
            return [self._shares(row) for row in shares]
        return dict(zip(self._classes, (round(float(share), 7) for share in shares), strict=True))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def answer_lines(
    session: Session | TextSession,
    lines: Any,
    source: Any,
    *,
    strict: bool,
    write: Callable[[str], None],
    tell: Callable[[str], None],
    rate_hz: float | None = None,
) -> None:
    """Answer every line of a source until it ends.

    Parameters
    ----------
    session : Session or TextSession
        What answers.
    lines : Lines, TextLines, RawFrames, ClipFrames or Recorded
        How they are read.
    source : binary file or None
        Where they come from; None for what was read already.
    strict : bool
        Whether a bad line ends everything; otherwise it is told of and left out.
    write : callable
        Takes an answer as one line of JSON.
    tell : callable
        Takes what is said of a line that is left out.
    rate_hz : float, optional
        Lines per second; as fast as they come if omitted.

    Raises
    ------
    DataError
        At the first bad line, if strict; and if nothing was answered at all.
    """
    answered, skipped = 0, _Skipped(lines.unit, tell)
    began = time.perf_counter()
    # Late signals come through: whoever reads the answers may have stopped reading, and a write then never ends.
    with held_back_interrupt(patient=False) as interrupt, contextlib.closing(skipped):
        for index, row in enumerate(_waited_for(lines.read(source), interrupt)):
            if rate_hz is not None:
                with _waiting(interrupt):
                    time.sleep(max(0.0, began + index / rate_hz - time.perf_counter()))
            start = time.perf_counter()
            try:
                if isinstance(row, BadLineError):
                    raise row
                said = session.take(row)
            except DataError as error:
                message = (
                    str(error) if isinstance(error, BadLineError) else f"{lines.unit} {lines.number}: {error}"
                )
                if strict:
                    raise DataError(f"stream: {message}") from None
                session.skipped += 1
                skipped.add(lines.number, message)
                continue
            skipped.close()
            if said is not None:
                answered += 1
                write(json.dumps(said, ensure_ascii=False))
                session.lines.record(time.perf_counter() - start)
        for said in session.finish():
            answered += 1
            write(json.dumps(said, ensure_ascii=False))
    if not answered:
        raise DataError(_nothing(session, lines))


class _Skipped:
    """Tells of what is left out: where one line after the other has the same fault, of the first few, then how many."""

    def __init__(self, unit: str, tell: Callable[[str], None]) -> None:
        self._unit, self._tell = unit, tell
        self._fault, self._count, self._said, self._last = "", 0, 0, 0

    def add(self, number: int, message: str) -> None:
        """Tell of one; ``message`` begins with its number."""
        fault = re.sub(r"'.*?'|\d+", "", message.partition(": ")[2])  # whatever stood there
        if fault != self._fault:
            self.close()
        self._fault, self._count, self._last = fault, self._count + 1, number
        if self._count <= SAID_OF_A_FAULT:
            self._said = self._count
            self._tell(f"Skipped {message}")
        elif str(self._count).strip("0") == "1":  # ten, a hundred, a thousand: a fault may have no end
            self._tell_rest()

    def close(self) -> None:
        """Tell of those not told of yet."""
        self._tell_rest()
        self._fault, self._count, self._said = "", 0, 0

    def _tell_rest(self) -> None:
        more, self._said = self._count - self._said, self._count
        if more > 0:
            what = (
                f"{self._unit} {self._last}"
                if more == 1
                else f"{more:,} more up to {self._unit} {self._last}"
            )
            self._tell(f"Skipped {what}: the same fault.")


def _nothing(session: Session | TextSession, lines: Any) -> str:
    """Say why nothing was answered."""
    if session.skipped:
        what = "Give numbers a row as the network was trained on them"
        if lines.unit == "frame":
            what = "Give raw pixels of the size that frame_size= says"
        elif isinstance(session, TextSession):
            what = "Give a text a line, or JSON lines"
        return (
            f"stream: nothing was answered: none of {lines.number} {lines.unit}s could be read, see above. {what}, or the "
            "file itself by its name."
        )
    if session.rows:
        return (
            f"stream: nothing was answered: {counted(session.rows, 'row is', 'rows are')} fewer than the network needs for "
            "its first answer. Give more."
        )
    return "stream: nothing was answered: no row came in."


def _waited_for(rows: Iterator[Any], interrupt: Interrupt) -> Iterator[Any]:
    """Yield rows; an end that was asked for comes while the next is waited for, never while one is answered."""
    while True:
        with _waiting(interrupt):
            try:
                row = next(rows)
            except StopIteration:
                return
        yield row


@contextlib.contextmanager
def _waiting(interrupt: Interrupt) -> Iterator[None]:
    interrupt.at_once = True
    try:
        interrupt.check()
        yield
    finally:
        interrupt.at_once = False
