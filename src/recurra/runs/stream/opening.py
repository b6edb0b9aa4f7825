"""The session and the reader that the network of a run needs, and the state it goes on from."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import StoreError, UsageError
from recurra.estimators.loading import load_model
from recurra.interrupts import held_back_interrupt
from recurra.readers.clips.clip_folders import is_clip
from recurra.readers.clips.video import FrameReader
from recurra.runs.data.new_data import read_unlabelled, text_of_line, with_static
from recurra.runs.folder.opening import model_file, task_of
from recurra.runs.stream.frames import ClipFrames, RawFrames, size_of
from recurra.runs.stream.lines import Lines
from recurra.runs.stream.recorded import Recorded, is_recorded
from recurra.runs.stream.session import Session
from recurra.runs.stream.texts import TextLines, TextSession
from recurra.serving.streams.batched_streams import Streams

# What networks that do not answer row by row do instead, by their task, and the command to use.
WHOLE = {
    "forecast": ("forecasts from the whole history of a series", "predict {run} DATA"),
    "anomaly": ("marks the steps of whole series", "predict {run} DATA"),
    "generate": ("writes text", "generate {run} --prompt TEXT"),
}
# How numbers and lines of a stream are written, in the words of `recurra.load`.
WRITTEN = ("decimal", "thousands", "delimiter", "encoding")


def check_streams(run: str) -> None:
    """Raise UsageError if the network of a run, or of a model file, does not answer row by row."""
    task = task_of(run)
    if task in WHOLE:
        does, instead = WHOLE[task]
        raise UsageError(
            f"stream: {run} {does} and does not answer row by row. "
            f"Use: recurra {instead.format(run=shlex.quote(str(run)))}"
        )


def answering_rows(
    model: Any,
    *,
    kind: str,
    name: str | None,
    look_ahead: int | None,
    proba: bool,
    warn: Callable[[str], None],
    written: Mapping[str, Any] | None = None,
    trained_id: str | None = None,
) -> tuple[Session, Lines]:
    """Return what answers lines of numbers, and how they are read; ``written`` says how numbers are, see `Lines`."""
    if name is not None and look_ahead is not None:
        raise UsageError("stream: look_ahead answers one stream; leave name= out.")
    if kind == "text":
        raise UsageError(
            "stream: format text is for networks that read texts; this one reads rows of numbers."
        )
    opened = Streams(model) if name is not None else model.stream(look_ahead=look_ahead)
    session = Session(model, opened, named=name is not None, look_ahead=look_ahead, proba=proba)
    names = model.manifest.get("channel_names")
    static = () if model.static is None else model.static.names
    how: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "warn": warn,
        "written": written,
        "static_names": static,
        "trained_id": trained_id,
    }
    lines = Lines(model.features.n_channels, names, **how)
    return session, lines


def answering_recording(
    model: Any,
    config: Mapping[str, Any],
    source: str,
    *,
    look_ahead: int | None,
    proba: bool,
    options: Mapping[str, Any],
) -> tuple[Session, Recorded, float | None]:
    """Return what answers the steps of a file that is read as a whole, the steps, and their rate where it is known."""
    data = read_unlabelled(with_static(model, config), source, options)
    static = model.static_rows("stream", None, len(data), names=data.names, data=data)
    session = Session(model, model.stream(look_ahead=look_ahead), look_ahead=look_ahead, proba=proba)
    return session, Recorded(data, static), data.sample_rate_hz or model.manifest.get("sample_rate_hz")


def answering_texts(
    model: Any, config: Mapping[str, Any], source: str, *, kind: str, proba: bool, options: Mapping[str, Any]
) -> tuple[TextSession, TextLines | Recorded]:
    """Return what answers texts, and how they are read."""
    if kind == "csv":
        raise UsageError(
            "stream: format csv is for rows of numbers; this network reads a text a line, or JSON lines."
        )
    session = TextSession(model, proba=proba)
    if is_recorded(source, texts=True):
        return session, Recorded(read_unlabelled(config, source, options))
    check_of_lines(options, (*WRITTEN, "text", "source"))
    words = {**config.get("data_words", {}), **options}
    encoding = str(words.get("encoding") or "utf-8")
    column = words.get("source") or words.get("text")
    parted = partial(text_of_line, config)
    return session, TextLines(kind=kind, column=column, encoding=encoding, parted=parted)


def check_of_lines(options: Mapping[str, Any], takes: Sequence[str] = WRITTEN) -> None:
    """Raise UsageError at an option that does nothing for lines that come one after the other."""
    idle = [name for name in options if name not in takes]
    if idle:
        raise UsageError(
            f"stream: {idle[0]}= says how a whole file is read; lines take {', '.join(f'{word}=' for word in takes)} "
            "alone. Leave it out."
        )


def answering_frames(
    run: str, source: str, *, size: str | None, look_ahead: int | None, proba: bool
) -> tuple[Session, RawFrames | ClipFrames, float | None]:
    """Return what answers frames, where they come from, and their rate, None where it is not known."""
    # Not above: it needs rich, which a light install, enough for rows, does not have.
    from recurra.inputs.clips import image_size, video_words

    if source != "-" and Path(source).is_dir() and not is_clip(Path(source)):
        raise UsageError(
            f"stream: {source} holds folders; a stream is one clip: a file, or a folder of its images. Answers for many "
            f"clips come from: recurra predict {shlex.quote(str(run))} {shlex.quote(source)}"
        )
    estimator = load_model(model_file(run))
    session = Session(estimator.model_, estimator.stream(look_ahead=look_ahead), proba=proba)
    if source == "-":
        return session, RawFrames(*size_of(size, image_size(estimator))), None
    if size is not None:
        raise UsageError("stream: frame_size is for pixels on standard input; a clip knows its own.")
    with FrameReader(video_words(estimator)) as reader:
        clip = reader.read(source)
    return session, ClipFrames(clip.frames), clip.rate_hz


def rate_of(known: float | None, path: str, realtime: bool, given: float | None) -> float | None:
    """Return how many rows are read a second, None where they are read as they come."""
    if not realtime:
        return None
    if path == "-":
        raise UsageError("stream: realtime paces a file; standard input comes at its own pace.")
    rate = given if given is not None else known
    if not rate or rate <= 0:
        raise UsageError("stream: the network does not know its sample rate; give it with sample_rate_hz=.")
    return float(rate)


def restore_state(session: Session, path: str | None) -> None:
    """Go on from the state in a file, if it is there."""
    if path is not None and Path(path).exists():
        if not Path(path).is_file():
            raise UsageError(f"stream: state must be a file, to be read and written again; {path} is none.")
        try:
            session.stream.state = Path(path).read_bytes()
        except StoreError as error:
            raise StoreError(f"{path}: {error}") from None


def keep_state(session: Session, path: str | None) -> None:
    """Leave the state in a file, if one is named."""
    if path is not None:
        with held_back_interrupt():
            store.write_bytes(path, session.stream.state)
