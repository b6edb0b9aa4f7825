"""``recurra stream``: rows or frames come in, answers go out at once; rows need neither torch nor scikit-learn."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

import click

from recurra.cli import flags, terminal_output
from recurra.cli.messages import in_flags
from recurra.errors import UsageError
from recurra.interrupts import Interrupted, held_back_interrupt, number_of
from recurra.runs.command_line import as_arguments
from recurra.runs.folder.opening import open_model
from recurra.runs.stream.frames import ClipFrames
from recurra.runs.stream.lines import FORMATS
from recurra.runs.stream.opening import (
    WRITTEN,
    answering_frames,
    answering_recording,
    answering_rows,
    answering_texts,
    check_of_lines,
    check_streams,
    keep_state,
    rate_of,
    restore_state,
)
from recurra.runs.stream.recorded import Recorded, is_recorded
from recurra.runs.stream.session import answer_lines
from recurra.store import check_place


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "sensor-driver | recurra stream runs/gestures",
        "recurra stream runs/gestures recording.csv --realtime --proba",
        "cat mixed.jsonl | recurra stream runs/gestures --name sensor --state state.recurra",
        "echo 'The pump leaks' | recurra stream runs/reports",
        "recurra stream runs/clips new.mp4 --realtime --proba",
        "ffmpeg -i CAMERA -r 5 -f rawvideo -pix_fmt rgb24 -s 640x480 - | recurra stream runs/clips --frame-size 640x480",
    ),
)
@click.argument("run")
@click.argument("file", metavar="[FILE]", default="-")
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
@partial(flags.data_flags, leave_out=["sample_rate_hz", "kind"])
def command(
    run: str,
    file: str,
    kind: str,
    name: str | None,
    proba: bool,
    look_ahead: int | None,
    frame_size: str | None,
    strict: bool,
    realtime: bool,
    sample_rate_hz: float | None,
    state: str | None,
    **given: Any,
) -> None:
    """Answer rows as they come, with the network of RUN.

    Rows are lines of JSON, [1.5, 2] or {"row": [1.5, 2]} or {"channel": 1.5, ...}, or of CSV with or without a
    header; null or an empty cell is a missing value, {"reset": true} begins a new sequence. Static inputs are columns
    or keys of its first row. A network for texts takes a text a line. Recordings in other files (sound, EDF, arrays)
    are read as the other commands read them. A network for clips takes frames: of a video file or a folder of images,
    or from standard input as raw pixels (rgb24). Each answer is a line of JSON on standard output, at once. At the
    end of the input, or at Ctrl-C, the latencies follow on standard error. SIGTERM and SIGHUP end it too: the state
    is written, and the exit code is 4.
    """
    options = flags.given(given)
    if not realtime:
        flags.refuse_typed(["sample_rate_hz"], "without --realtime, which it paces")
    asked = {"name": name, "look_ahead": look_ahead, "state": state, "realtime": realtime}
    check_place(state)
    session, lines, known = _answering(run, file, kind, proba, frame_size, asked, options)
    rate_hz = rate_of(known, file, realtime, sample_rate_hz)
    restore_state(session, state)
    ended_by: int | None = None
    try:
        with _opened(file, lines) as opened:
            answer_lines(session, lines, opened, strict=strict, write=_write, tell=_tell, rate_hz=rate_hz)
    except KeyboardInterrupt as error:
        ended_by = number_of(error)
    finally:
        keep_state(session, state)
    # All is answered and kept: there is nothing that a signal could end sooner.
    with held_back_interrupt(patient=False):
        _show(session)
    if ended_by is not None:
        own = {"--format": kind if kind != "auto" else None, "--name": name, "--look-ahead": look_ahead}
        again = [str(word) for flag, value in own.items() if value is not None for word in (flag, value)]
        again += ["--frame-size", frame_size] if frame_size else []
        again += ["--proba"] * proba + ["--strict"] * strict + as_arguments(options)
        _end(run, lines, ended_by, state, again)


def _answering(
    run: str,
    file: str,
    kind: str,
    proba: bool,
    frame_size: str | None,
    asked: Mapping[str, Any],
    options: Mapping[str, Any],
) -> tuple[Any, Any, float | None]:
    """Return what answers, how what comes in is read, and its rate where that is known."""
    check_streams(run)
    model, config = open_model(run)
    how: dict[str, Any] = {"look_ahead": asked["look_ahead"], "proba": proba}
    named = asked["name"] is not None or kind != "auto"
    if "video" in model.manifest:
        if named:
            raise UsageError("stream: name and format are for rows of numbers; this network reads frames.")
        for word in options:
            raise UsageError(
                f"stream: {word}= says how numbers and texts are read; this network reads frames."
            )
        return answering_frames(run, file, size=frame_size, **how)
    if frame_size is not None:
        raise UsageError("stream: frame_size is for a network that reads frames; this one does not.")
    if model.task == "translation" or not model.features.reads_numbers:
        for word, value in asked.items():
            if value is not None and value is not False:
                raise UsageError(f"stream: {word} is for rows of numbers; this network reads a text a line.")
        return *answering_texts(model, config, file, kind=kind, proba=proba, options=options), None
    if is_recorded(file, texts=False):
        if named:
            raise UsageError(f"stream: name and format are for lines; {file} is read as a whole.")
        return answering_recording(model, config, file, options=options, **how)
    check_of_lines(options)
    stored = {word: value for word, value in config.get("data_words", {}).items() if word in WRITTEN}
    how |= {
        "kind": kind,
        "name": asked["name"],
        "written": {**stored, **options},
        "warn": terminal_output.warn,
        "trained_id": config.get("data_words", {}).get("id"),
    }
    return *answering_rows(model, **how), model.manifest.get("sample_rate_hz")


def _show(session: Any) -> None:
    """Write what was counted on standard error."""
    delay = getattr(session.stream, "delay", None)  # only frames have one
    if delay is None:
        terminal_output.facts({"rows": session.rows, "lines skipped": session.skipped or None})
    else:
        frames = {"frames": session.rows, "frames waited for": delay["frames"]}
        terminal_output.facts({**frames, "frames skipped": session.skipped or None})
    rows = []
    for name, latency in (("step", session.stream.latency), ("line in to line out", session.lines)):
        figures = latency.summary()
        times = [figures[f"{what}_seconds"] for what in ("p50", "p99", "max")]
        rows.append([name, figures["answers"], *(_microseconds(seconds) for seconds in times)])
    terminal_output.table(["latency", "count", "p50", "p99", "max"], rows, err=True)


def _tell(line: str) -> None:
    terminal_output.say(in_flags(line))


def _write(line: str) -> None:
    terminal_output.data(line + "\n")


@contextlib.contextmanager
def _opened(path: str, lines: Any) -> Iterator[BinaryIO | None]:
    if isinstance(lines, ClipFrames | Recorded):
        yield None
        return
    if path == "-":
        yield sys.stdin.buffer
        return
    with open(path, "rb") as file:
        yield file


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


def _microseconds(seconds: float) -> str:
    if seconds != seconds:
        return "-"
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
