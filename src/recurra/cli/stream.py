"""``recurra stream``: rows or frames come in, answers go out at once; rows need neither torch nor scikit-learn."""

import contextlib
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from recurra.cli import flags, run_folder, screen
from recurra.cli.main import Interrupted, in_flags
from recurra.cli.stream_frames import ClipFrames, RawFrames, size_of
from recurra.cli.stream_lines import FORMATS, BadLineError, Lines, Row
from recurra.errors import DataError, UsageError
from recurra.interrupts import Interrupt, held_back_interrupt, number_of


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
        See `recurra.serving.look_ahead.LookAheadStream`.
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
        from recurra.serving.latency import Latency

        if proba and model.task == "regression":
            raise UsageError("stream: proba needs classes; this network predicts numbers.")
        self.named = named
        self.stream = opened
        self.lines = Latency()
        self.rows = self.skipped = 0
        self._model = model
        self._classes = [str(label) for label in model.classes.tolist()] if model.task != "regression" else []
        self._proba = proba
        self._behind = look_ahead if look_ahead is not None and model.task == "labeling" else 0

    def take(self, row: Row) -> dict[str, Any] | None:
        """Take in what a line says and return what to write, None if there is no answer yet."""
        if row.reset:
            self._reset(row.name)
            return None
        several = row.several
        if self.named:
            answer = self.stream.push(row.name, row.values if several else [row.values])
        elif several:
            answer = self.stream.push(row.values)
        else:
            answer = self.stream.step(row.values)
        self.rows += len(row.values) if several else 1
        return self._line(answer, row.name, several, answer.steps - 1 - self._behind)

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yield what to write for the rows that waited for later ones."""
        if not self._behind:
            return
        answer = self.stream.finish()
        first = answer.steps - len(answer.labels)
        for index, label in enumerate(answer.labels.tolist()):
            yield self._said(first + index, None, label, answer.probabilities[index])

    def _reset(self, name: str | None) -> None:
        if self.named:
            if name in self.stream:
                self.stream.reset(name)
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
            return None if answer.value is None else self._said(step, name, _plain(answer.value), None)
        if answer.probabilities is None:
            return None
        return self._said(step, name, _plain(answer.label), answer.probabilities)

    def _said(self, step: int, name: str | None, prediction: Any, shares: Any) -> dict[str, Any]:
        line: dict[str, Any] = {} if name is None else {"name": name}
        line |= {"step": step, "prediction": prediction}
        if self._proba:
            line["probabilities"] = self._shares(shares)
        return line

    def _shares(self, shares: Any) -> Any:
        if shares.ndim == 2:
            return [self._shares(row) for row in shares]
        return dict(zip(self._classes, (round(float(share), 7) for share in shares), strict=True))

    def table(self) -> None:
        """Write what was counted on standard error."""
        delay = getattr(self.stream, "delay", None)  # only frames have one
        if delay is None:
            screen.facts({"rows": self.rows, "lines skipped": self.skipped or None})
        else:
            screen.facts(
                {
                    "frames": self.rows,
                    "frames waited for": delay["frames"],
                    "frames skipped": self.skipped or None,
                }
            )
        rows = []
        for name, latency in (("step", self.stream.latency), ("line in to line out", self.lines)):
            figures = latency.summary()
            times = [figures[f"{what}_seconds"] for what in ("p50", "p99", "max")]
            rows.append([name, figures["answers"], *(_microseconds(seconds) for seconds in times)])
        screen.table(["latency", "count", "p50", "p99", "max"], rows, err=True)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _microseconds(seconds: float) -> str:
    if seconds != seconds:
        return "-"
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def stream(
    session: Session,
    lines: Lines | RawFrames | ClipFrames,
    source: Any,
    *,
    strict: bool,
    write: Callable[[str], None],
    rate_hz: float | None = None,
) -> None:
    """Answer every line of a source until it ends.

    Parameters
    ----------
    session : Session
        What answers.
    lines : Lines, RawFrames or ClipFrames
        How they are read.
    source : binary file or None
        Where they come from; None for the frames of a clip.
    strict : bool
        Whether a bad line ends everything; otherwise it is named on standard error and left out.
    write : callable
        Takes an answer as one line of JSON.
    rate_hz : float, optional
        Lines per second; as fast as they come if omitted.

    Raises
    ------
    DataError
        At the first bad line, if strict.
    """
    began = time.perf_counter()
    # Late signals come through: whoever reads the answers may have stopped reading, and a write then never ends.
    with held_back_interrupt(patient=False) as interrupt:
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
                screen.say(f"Skipped {in_flags(message)}")
                continue
            if said is not None:
                write(json.dumps(said, ensure_ascii=False))
                session.lines.record(time.perf_counter() - start)
        for said in session.finish():
            write(json.dumps(said, ensure_ascii=False))


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


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _opened(path: str, lines: Any) -> Iterator[BinaryIO | None]:
    if isinstance(lines, ClipFrames):
        yield None
        return
    if path == "-":
        yield sys.stdin.buffer
        return
    with open(path, "rb") as file:
        yield file


def _rate(known: float | None, path: str, realtime: bool, given: float | None) -> float | None:
    if not realtime:
        return None
    if path == "-":
        raise UsageError("stream: realtime paces a file; standard input comes at its own pace.")
    rate = given if given is not None else known
    if not rate or rate <= 0:
        raise UsageError("stream: the network does not know its sample rate; give it with sample_rate_hz=.")
    return float(rate)


def _of_rows(
    model: Any, *, kind: str, name: str | None, look_ahead: int | None, proba: bool
) -> tuple[Session, Lines]:
    """Return what answers lines of numbers, and how they are read."""
    from recurra.serving.streams import Streams

    if name is not None and look_ahead is not None:
        raise UsageError("stream: look_ahead answers one stream; leave name out.")
    opened = Streams(model) if name is not None else model.stream(look_ahead=look_ahead)
    session = Session(model, opened, named=name is not None, look_ahead=look_ahead, proba=proba)
    lines = Lines(model.features.n_channels, model.manifest.get("channel_names"), kind=kind, name=name)
    return session, lines


def _of_frames(
    run: str, source: str, *, size: str | None, look_ahead: int | None, proba: bool
) -> tuple[Session, RawFrames | ClipFrames, float | None]:
    """Return what answers frames, where they come from, and their rate, None where it is not known."""
    from recurra.estimators.loading import load_model
    from recurra.fitting.inputs.clips import image_size, video_words
    from recurra.readers.video import FrameReader

    estimator = load_model(run_folder.model_file(run))
    session = Session(estimator.model_, estimator.stream(look_ahead=look_ahead), proba=proba)
    if source == "-":
        return session, RawFrames(*size_of(size, image_size(estimator))), None
    if size is not None:
        raise UsageError("stream: frame_size is for pixels on standard input; a clip knows its own.")
    with FrameReader(video_words(estimator)) as reader:
        clip = reader.read(source)
    return session, ClipFrames(clip.frames), clip.rate_hz


def _restore(session: Session, path: str | None) -> None:
    if path is not None and Path(path).exists():
        if not Path(path).is_file():
            raise UsageError(f"stream: state must be a file, to be read and written again; {path} is none.")
        session.stream.state = Path(path).read_bytes()


def _keep(session: Session, path: str | None) -> None:
    if path is not None:
        from recurra.store import write_bytes

        with held_back_interrupt():
            write_bytes(path, session.stream.state)


def _end(run: str, lines: Any, number: int, state: str | None, options: list[str]) -> None:
    """Say how to go on after a signal; Ctrl-C is how a live stream ends."""
    if number == signal.SIGINT:
        return
    if state is None:
        raise KeyboardInterrupt
    command = shlex.join(["recurra", "stream", run, *options, "--state", state])
    raise Interrupted(
        f"the state after {lines.unit} {lines.number} is kept in {state}. Go on with what follows it: {command}"
    )


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "sensor-driver | recurra stream runs/gestures",
        "recurra stream runs/gestures recording.csv --realtime --proba",
        "cat mixed.jsonl | recurra stream runs/gestures --name sensor --state state.recurra",
        "recurra stream runs/clips new.mp4 --realtime --proba",
        "ffmpeg -i CAMERA -r 5 -f rawvideo -pix_fmt rgb24 -s 640x480 - | recurra stream runs/clips --frame-size 640x480",
    ),
)
@click.argument("run")
@click.argument("source", metavar="[FILE]", default="-")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="auto", help="[default: by the first line]"
)
@click.option(
    "--name", help="Column or key that names the stream of a row; each name is a stream of its own."
)
@click.option("--proba", is_flag=True, help="Add the probability of every class.")
@click.option(
    "--look-ahead", type=click.IntRange(min=0), help="Rows to wait for, for a bidirectional network."
)
@click.option(
    "--frame-size",
    metavar="WxH",
    help="Pixels of a frame on standard input.  [default: as the network reads]",
)
@click.option("--strict", is_flag=True, help="End at the first malformed line instead of leaving it out.")
@click.option("--realtime", is_flag=True, help="Read a file at the sample rate.")
@click.option(
    "--sample-rate-hz", type=float, help="Rows per second for --realtime.  [default: as in training]"
)
@click.option(
    "--state", type=click.Path(dir_okay=False), help="File to go on from, if it is there, and to leave."
)
def command(
    run: str,
    source: str,
    kind: str,
    name: str | None,
    proba: bool,
    look_ahead: int | None,
    frame_size: str | None,
    strict: bool,
    realtime: bool,
    sample_rate_hz: float | None,
    state: str | None,
) -> None:
    """Answer rows as they come, with the network of RUN.

    Rows are lines of JSON, [1.5, 2] or {"row": [1.5, 2]} or {"channel": 1.5, ...}, or of CSV with or without a
    header; null or an empty cell is a missing value, {"reset": true} begins a new sequence. A network for clips takes
    frames: of a video file or a folder of images, or from standard input as raw pixels (rgb24). Each answer is a line
    of JSON on standard output, at once. At the end of the input, or at Ctrl-C, the latencies follow on standard error.
    SIGTERM and SIGHUP end it too: the state is written, and the exit code is 4.
    """
    model, _ = run_folder.open_model(run)
    lines: Lines | RawFrames | ClipFrames
    if "video" in model.manifest:
        if name is not None or kind != "auto":
            raise UsageError("stream: name and format are for rows of numbers; this network reads frames.")
        how: dict[str, Any] = {"size": frame_size, "look_ahead": look_ahead, "proba": proba}
        session, lines, known = _of_frames(run, source, **how)
    else:
        if frame_size is not None:
            raise UsageError(
                "stream: frame_size is for a network that reads frames; this one reads rows of numbers."
            )
        session, lines = _of_rows(model, kind=kind, name=name, look_ahead=look_ahead, proba=proba)
        known = model.manifest.get("sample_rate_hz")
    rate_hz = _rate(known, source, realtime, sample_rate_hz)
    _restore(session, state)
    ended_by: int | None = None
    try:
        with _opened(source, lines) as file:
            stream(session, lines, file, strict=strict, write=_write, rate_hz=rate_hz)
    except KeyboardInterrupt as error:
        ended_by = number_of(error)
    finally:
        _keep(session, state)
    session.table()
    if ended_by is not None:
        given = {"--format": kind if kind != "auto" else None, "--name": name, "--look-ahead": look_ahead}
        options = [str(word) for flag, value in given.items() if value is not None for word in (flag, value)]
        options += ["--frame-size", frame_size] if frame_size else []
        options += ["--proba"] * proba + ["--strict"] * strict
        _end(run, lines, ended_by, state, options)
