"""The session and the reader that the network of a run needs, and the state it goes on from."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import UsageError
from recurra.estimators.loading import load_model
from recurra.interrupts import held_back_interrupt
from recurra.readers.clips.video import FrameReader
from recurra.runs.folder.files import MODEL
from recurra.runs.folder.opening import model_file, open_run
from recurra.runs.stream.frames import ClipFrames, RawFrames, size_of
from recurra.runs.stream.lines import Lines
from recurra.runs.stream.session import Session
from recurra.serving.streams.batched_streams import Streams

# What networks that do not answer row by row do instead, by their task.
WHOLE = {
    "forecasting": "forecasts from the whole history of a series",
    "anomaly": "marks the steps of whole series",
    "translation": "translates whole texts",
}


def check_streams(run: str) -> None:
    """Raise UsageError if the network of a run, or of a model file, does not answer row by row."""
    file = Path(run) if Path(run).is_file() else open_run(run) / MODEL
    task = str(store.load(file)[0].get("task"))
    if task in WHOLE:
        raise UsageError(
            f"stream: {run} {WHOLE[task]} and does not answer row by row. "
            f"Use: recurra predict {shlex.quote(str(run))} DATA"
        )


def answering_rows(
    model: Any,
    *,
    kind: str,
    name: str | None,
    look_ahead: int | None,
    proba: bool,
    warn: Callable[[str], None],
) -> tuple[Session, Lines]:
    """Return what answers lines of numbers, and how they are read."""
    if name is not None and look_ahead is not None:
        raise UsageError("stream: look_ahead answers one stream; leave name out.")
    opened = Streams(model) if name is not None else model.stream(look_ahead=look_ahead)
    session = Session(model, opened, named=name is not None, look_ahead=look_ahead, proba=proba)
    names = model.manifest.get("channel_names")
    lines = Lines(model.features.n_channels, names, kind=kind, name=name, warn=warn)
    return session, lines


def answering_frames(
    run: str, source: str, *, size: str | None, look_ahead: int | None, proba: bool
) -> tuple[Session, RawFrames | ClipFrames, float | None]:
    """Return what answers frames, where they come from, and their rate, None where it is not known."""
    # Not above: it needs rich, which a light install, enough for rows, does not have.
    from recurra.fitting.inputs.clips import image_size, video_words

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
        session.stream.state = Path(path).read_bytes()


def keep_state(session: Session, path: str | None) -> None:
    """Leave the state in a file, if one is named."""
    if path is not None:
        with held_back_interrupt():
            store.write_bytes(path, session.stream.state)
