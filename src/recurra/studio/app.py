"""The addresses of the page, each one a function of what the request says; computed one after the other in threads."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import recurra
from recurra.errors import MissingDataError, RecurraError, UsageError
from recurra.runs.folder.files import CONFIG, METRICS, MODEL, NOTES, REPORT
from recurra.store import write_text
from recurra.studio import begin, inside, labels, live, runs
from recurra.studio.files import Below
from recurra.studio.guard import Guard
from recurra.studio.recordings import MOST_PIXELS, Recordings
from recurra.studio.words import ChangedError, Words, json_bytes

logger = logging.getLogger("recurra.studio")

TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
JSON = "application/json"
# A report of a run, which may come from anywhere, is shown without scripts and without a way to this page.
SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"


@dataclass
class Studio:
    """What the functions behind the addresses work on.

    Parameters
    ----------
    below : Below
        The folder.
    read_only : bool
        Whether nothing may be changed.
    """

    below: Below
    read_only: bool = False

    def __post_init__(self) -> None:
        self.table = runs.Table(self.below)
        self.inside = inside.Inside(self.below)
        self.recordings = Recordings()
        self.beginnings = begin.Beginnings(self.below)

    def judged(self, words: Words) -> inside.Judged:
        """Return the run that a request names, judged on its test part."""
        return self.inside.judged(self.below.run(words.text("run")))


Answer = Callable[[Studio, Words], Any]


def _about(studio: Studio, words: Words) -> Any:
    return {"folder": str(studio.below.root), "read_only": studio.read_only, "version": recurra.__version__}


def _runs(studio: Studio, words: Words) -> Any:
    return runs.table_of(studio.table.rows())


def _run(studio: Studio, words: Words) -> Any:
    below, run = studio.below, studio.below.run(words.text("run"))
    config = below.json_of(run, CONFIG)
    follower = live.Follower(below, run)
    rows = follower.new_rows()[1]
    shown = (
        "command",
        "data",
        "data_summary",
        "split",
        "task",
        "estimator",
        "seed",
        "started",
        "params",
        "versions",
    )
    return {
        "id": below.name(run.path),
        "config": {name: config.get(name) for name in shown},
        "metrics": below.json_of(run, METRICS),
        "naive": live.naive_lines(below, run),
        "status": live.status(below, run),
        "notes": below.text_of(run, NOTES)[: runs.LONGEST_NOTE],
        "report": (run / REPORT).is_file(),
        "rows": live.thinned(rows),
        "epochs": len(rows),
        "read": follower.read,
        "warnings": live.warnings_of(rows),
    }


def _warnings(studio: Studio, words: Words) -> Any:
    rows = live.Follower(studio.below, studio.below.run(words.text("run"))).new_rows()[1]
    return {"warnings": live.warnings_of(rows)}


def _compare(studio: Studio, words: Words) -> Any:
    names = words.texts("run")[:8]
    chosen = [studio.below.run(name) for name in names]
    rows = {row["id"]: row for row in studio.table.rows()}
    alike = runs.judged_alike(rows[name] for name in names if name in rows)
    curves = {
        name: live.thinned(live.Follower(studio.below, run).new_rows()[1])
        for name, run in zip(names, chosen, strict=True)
    }
    return {"runs": [rows[name] for name in names if name in rows], "alike": alike, "curves": curves}


def _judge(studio: Studio, words: Words) -> Any:
    with studio.inside.lock:
        names = words.texts("run")[:8]
        return runs.side_by_side(
            {name: studio.inside.judged(studio.below.run(name)).evaluation for name in names}
        )


def _cases(studio: Studio, words: Words) -> Any:
    return inside.cases(studio.judged(words))


def _case(studio: Studio, words: Words) -> Any:
    with studio.inside.lock:
        judged, index = studio.judged(words), words.whole("index")
        if (first := words.text("of", "")) not in ("", words.text("run")):
            index = inside.same_sequence(studio.inside.judged(studio.below.run(first)), index, judged)
        return inside.case(judged, index)


def _explanation(studio: Studio, words: Words) -> Any:
    methods = ("integrated_gradients", "occlusion", "gradient_times_input")
    method = words.choice("method", methods, methods[0])
    with studio.inside.lock:
        return inside.explanation(studio.judged(words), words.whole("index"), method)


def _trace(studio: Studio, words: Words) -> Any:
    with studio.inside.lock:
        return inside.trace(studio.judged(words), words.whole("index"))


def _what_if(studio: Studio, words: Words) -> Any:
    text = words.text("text") if "text" in words.given else None
    changes = words.given.get("changes", [])
    if not isinstance(changes, list) or len(changes) > 10_000:
        raise UsageError("studio: changes must be a list of at most 10,000.")
    with studio.inside.lock:
        return inside.what_if(studio.judged(words), words.whole("index"), text=text, changes=changes)


def _diagram(studio: Studio, words: Words) -> Response:
    which = words.choice("which", ("network", "unrolled"), "network")
    svg = inside.diagram(studio.inside, studio.below.run(words.text("run")), which)
    return Response(svg, media_type=TYPES[".svg"], headers={"content-security-policy": SANDBOX})


def _report(studio: Studio, words: Words) -> Response:
    run = studio.below.run(words.text("run"))
    path = studio.below.file_of(run, REPORT)
    return Response(path.read_bytes(), media_type="text/html", headers={"content-security-policy": SANDBOX})


def _model(studio: Studio, words: Words) -> Response:
    run = studio.below.run(words.text("run"))
    return _download(f"{run.path.name}.recurra", studio.below.file_of(run, MODEL).read_bytes())


def _export(studio: Studio, words: Words) -> Response:
    run = studio.below.run(words.text("run"))
    studio.below.file_of(run, MODEL)
    studio.below.check_data(studio.below.json_of(run, CONFIG))
    with studio.inside.lock:
        return _download(*begin.exported(run, words.choice("to", ("onnx", "c"))))


def _download(name: str, content: bytes) -> Response:
    told = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type="application/octet-stream", headers=told)


def _notes(studio: Studio, words: Words) -> Any:
    run = studio.below.run(words.text("run"))
    text = words.text("text")[: runs.LONGEST_NOTE]
    there = studio.below.text_of(run, NOTES)
    if there not in (words.text("read"), text):
        raise ChangedError(
            f"studio: {NOTES} of {studio.below.name(run.path)[:200]} is not what this page has read: it was written from "
            "somewhere else since, or is too long for the page. Nothing is written; copy your text and open the page again."
        )
    write_text(run.to_write(NOTES), text)
    return {"notes": text}


def _steer(studio: Studio, words: Words) -> Any:
    run = studio.below.run(words.text("run"))
    command = words.choice("command", live.COMMANDS)
    epochs = words.whole("epochs", low=1, high=10**6) if command == "epochs" else None
    return live.steer(studio.below, run, command, epochs)


def _listing(studio: Studio, words: Words) -> Any:
    return begin.listing(studio.below, words.text("folder", "."))


def _look(studio: Studio, words: Words) -> Any:
    with studio.inside.lock:
        return begin.looked_at(studio.below, words.text("file"), _options(words))


def _words_of_train(studio: Studio, words: Words) -> Any:
    found = studio.beginnings.words(words.text("file"), words.text("out"), _options(words))
    return {name: found[name] for name in ("command", "python")}


def _train(studio: Studio, words: Words) -> Any:
    return studio.beginnings.train(words.text("file"), words.text("out"), _options(words))


def _begun(studio: Studio, words: Words) -> Any:
    return studio.beginnings.state(words.text("out"))


def _options(words: Words) -> dict[str, Any]:
    found = words.given.get("options", {})
    if not isinstance(found, dict):
        raise UsageError("studio: options must be names and values.")
    return found


def _recording(studio: Studio, words: Words) -> Any:
    path = studio.below.path(words.text("file"))
    found = studio.recordings.open(path)
    own = labels.read(studio.below, path)
    return {
        "steps": len(found.values), "channels": found.channel_names, "rate": found.sample_rate_hz,
        "stretches": [vars(one) for one in own], "read": labels.mark(own),
    }  # fmt: skip


def _view(studio: Studio, words: Words) -> Any:
    found = studio.recordings.open(studio.below.path(words.text("file")))
    return found.view(
        words.whole("start"), words.whole("stop"), words.whole("pixels", low=1, high=MOST_PIXELS)
    )


def _labels(studio: Studio, words: Words) -> Any:
    path = studio.below.path(words.text("file"))
    steps = len(studio.recordings.open(path).values)
    stretches = words.given.get("stretches", [])
    return {"read": labels.write(studio.below, path, stretches, steps, read=words.text("read"))}


def _propose(studio: Studio, words: Words) -> Any:
    found = studio.recordings.open(studio.below.path(words.text("file")))
    run = studio.below.run(words.text("run"))
    with studio.inside.lock:
        estimator = studio.inside.model(run)
        return {"proposals": labels.propose(estimator, found, words.whole("start"), words.whole("stop"))}


ASKED: dict[str, Answer] = {
    "about": _about, "runs": _runs, "run": _run, "warnings": _warnings, "compare": _compare, "judge": _judge,
    "cases": _cases, "case": _case, "explanation": _explanation, "trace": _trace, "diagram": _diagram,
    "report": _report, "model": _model, "listing": _listing, "begun": _begun, "recording": _recording, "view": _view,
}  # fmt: skip
SENT: dict[str, Answer] = {
    "what-if": _what_if, "export": _export, "look": _look, "words": _words_of_train, "propose": _propose,
    "notes": _notes, "steer": _steer, "train": _train, "labels": _labels,
}  # fmt: skip
CHANGES = ("notes", "steer", "train", "labels")


def make_app(folder: Any, token: str, *, read_only: bool = False, framed: bool = False) -> Guard:
    """Return the application that serves a folder.

    Parameters
    ----------
    folder : path
        What is below it is served.
    token : str
        First part of every address.
    read_only : bool, default=False
        Whether notes, labels, trainings and new runs are refused.
    framed : bool, default=False
        Whether a notebook may show it in a frame.
    """
    studio = Studio(Below.of(folder), read_only)
    app = Starlette(
        routes=[
            Route("/", _page, methods=["GET"]),
            Route("/static/{name}", _static, methods=["GET"]),
            Route("/api/events", _events, methods=["GET"]),
            Route("/api/{name}", _asked, methods=["GET"]),
            Route("/api/{name}", _sent, methods=["POST"]),
        ]
    )
    app.state.studio = studio
    return Guard(app, token, framed=framed)


async def _page(request: Request) -> Response:
    return _bundled("index.html")


async def _static(request: Request) -> Response:
    return _bundled(request.path_params["name"])


def _bundled(name: str) -> Response:
    place = files("recurra.studio") / "static" / name
    if not re.fullmatch(r"[a-z-]+\.(html|js|css|svg)", name) or not place.is_file():
        return _failed(404, "studio: there is no such page.")
    return Response(place.read_bytes(), media_type=TYPES[Path(name).suffix])


async def _events(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    words = _words(request)
    try:
        run = await run_in_threadpool(studio.below.run, words.text("run"))
        # A browser that comes back tells the id of the last event.
        read = request.headers.get("last-event-id") or words.text("read", "")
    except RecurraError as error:
        return _failed(404, str(error))
    return StreamingResponse(live.events(studio.below, run, read), media_type="text/event-stream")


async def _asked(request: Request) -> Response:
    return await _answered(request, ASKED, _words(request))


async def _sent(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    if studio.read_only and request.path_params["name"] in CHANGES:
        return _failed(403, "studio: was started with --read-only; nothing is changed.")
    try:
        given = await request.json()
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return _failed(400, "studio: what is sent must be a JSON object.")
    return await _answered(request, SENT, Words(given))


def _words(request: Request) -> Words:
    return Words({name: request.query_params.getlist(name) for name in request.query_params})


async def _answered(request: Request, known: dict[str, Answer], words: Words) -> Response:
    """Answer a request, or say in a sentence why not."""
    function = known.get(request.path_params["name"])
    if function is None:
        return _failed(404, "studio: there is no such page.")
    try:
        found = await run_in_threadpool(function, request.app.state.studio, words)
        return found if isinstance(found, Response) else Response(json_bytes(found), media_type=JSON)
    except MissingDataError as error:
        return _failed(404, str(error))
    except ChangedError as error:
        return _failed(409, str(error))
    except RecurraError as error:
        return _failed(400, str(error))
    except OSError as error:
        return _failed(500, f"studio: {error.strerror or type(error).__name__}.")
    except Exception as error:
        # A run may hold anything; what is odd in one must not take the page away from the others.
        logger.warning("studio: %s failed", request.path_params["name"], exc_info=True)
        return _failed(
            500, f"studio: this could not be computed ({type(error).__name__}: {str(error)[:200]})."
        )


def _failed(code: int, sentence: str) -> Response:
    return Response(json_bytes({"error": sentence}), code, media_type=JSON)
