"""A studio that serves, runs to show, and a browser to look with."""

import contextlib
import http.client
import json
import threading
import time
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
import pytest

import recurra

pytest.importorskip("starlette", reason="the extra studio is not installed")
Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra studio is not installed")


class Served:
    """A studio on a folder, and requests to it."""

    def __init__(self, folder, **options):
        from recurra.studio.serving import studio

        self.shown = studio(folder, **options)
        self.url = self.shown.url.partition("#")[0]
        split = urlsplit(self.url)
        self.port, self.token, self.folder = split.port, split.path.strip("/"), folder

    def ask(self, method, path, body=None, headers=None, host=None):
        """Send a request as it stands; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        content = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        told = {} if content is None else {"Content-Type": "application/json"}
        for name, value in (told | (headers or {})).items():
            connection.putheader(name, value)
        if content is not None:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders()
        if content is not None:
            connection.send(content)
        with contextlib.closing(connection), connection.getresponse() as answer:
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def get(self, name, **words):
        """Return status and content of an address of the page."""
        query = urlencode(words, doseq=True, quote_via=quote)
        status, _, body = self.ask("GET", f"/{self.token}/api/{name}?{query}")
        return status, json.loads(body)

    def post(self, name, **words):
        status, _, body = self.ask("POST", f"/{self.token}/api/{name}", words)
        return status, json.loads(body)


@pytest.fixture
def serve():
    """Return a function that serves a folder until the test ends."""
    served = []

    def call(folder, **options):
        served.append(Served(folder, **options))
        return served[-1]

    yield call
    from recurra.studio.serving import THREAD

    for one in served:
        one.shown.close()
    until = time.monotonic() + 5
    while any(thread.name == THREAD for thread in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.05)


def write_gestures(path, n=24, seed=0):
    """Write a table of short recordings of two classes."""
    rng, lines = np.random.default_rng(seed), ["recording,ax,ay,gesture"]
    for number in range(n):
        slow = number % 2
        steps = int(rng.integers(30, 40))
        x = np.sin(np.arange(steps) * (0.3 if slow else 0.9)) + 0.3 * rng.normal(size=steps)
        lines += [
            f"r{number},{v:.4f},{w:.4f},{'slow' if slow else 'fast'}" for v, w in zip(x, x[::-1], strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")


READ = {"id": "recording", "label": "gesture"}
QUICK = {"max_epochs": 4, "hidden_size": 6, "validation_fraction": 0.0, "verbose": 0}


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory):
    """A folder with data and two runs on them, judged on the same part."""
    folder = tmp_path_factory.mktemp("studio")
    write_gestures(folder / "gestures.csv")
    for cell in ("lstm", "gru"):
        recurra.train(folder / "gestures.csv", out=folder / "runs" / cell, seed=0, cell=cell, **READ, **QUICK)
    return folder


def write_kinds(folder):
    """Write data of each kind that the page shows in a way of its own."""
    rng = np.random.default_rng(0)
    (folder / "signals").mkdir()
    lines = ["file,start,end,label"]
    for number in range(5):
        up = np.repeat(rng.integers(0, 2, 6), 20)
        np.save(folder / "signals" / f"{number}.npy", (up + 0.2 * rng.normal(size=120))[:, None])
        lines += [
            f"{number}.npy,{edge},{edge + 20},{'up' if up[edge] else 'down'}" for edge in range(0, 120, 20)
        ]
    (folder / "signals" / "labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "new").mkdir()
    np.save(folder / "new" / "monday.npy", np.load(folder / "signals" / "0.npy"))
    things = ["pump", "valve", "motor", "press"] * 3
    rows = [
        f"{start} {thing} number {n},{label}"
        for n, thing in enumerate(things)
        for start, label in (("oil leaks from", "leak"), ("no power in", "power"))
    ]
    (folder / "reports.csv").write_text("\n".join(["report,fault", *rows]) + "\n")
    pairs = [f"{a}{b},{b}{a}" for a in range(1, 9) for b in range(9)]
    (folder / "pairs.csv").write_text("\n".join(["front,back", *pairs]) + "\n")
    for label, level in (("dark", 40), ("bright", 250)):
        for clip in range(6):
            place = folder / "clips" / label / str(clip)
            place.mkdir(parents=True)
            for step in range(3):
                pixels = rng.integers(0, level, (8, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{step}.png")


@pytest.fixture(scope="session")
def kinds_folder(tmp_path_factory):
    """A folder with a run that labels steps, one on texts, a translator, and one on clips."""
    folder = tmp_path_factory.mktemp("kinds")
    write_kinds(folder)
    small = {"seed": 0, "hidden_size": 6, "verbose": 0}
    runs = folder / "runs"
    recurra.train(folder / "signals", out=runs / "labeler", max_epochs=12, validation_fraction=0.0, **small)
    recurra.train(
        folder / "reports.csv", out=runs / "texts", text="report", label="fault", max_epochs=3, **small
    )
    recurra.train(
        folder / "pairs.csv", "translate", out=runs / "pairs", source="front", target="back", max_epochs=2, **small
    )  # fmt: skip
    recurra.train(
        folder / "clips", out=runs / "clips", backbone="small-cnn", image_size=8, max_epochs=2, **small
    )
    return folder


@pytest.fixture(scope="session")
def served(trained_folder):
    """A studio on two runs and a long recording."""
    rng = np.random.default_rng(0)
    np.save(trained_folder / "long.npy", rng.normal(size=(300_000, 2)).cumsum(axis=0).astype(np.float32))
    one = Served(trained_folder)
    yield one
    one.shown.close()


@pytest.fixture
def page(browser):
    """A page that fails the test at an error of its scripts or a breach of its policy."""
    from studio.browser import SECONDS

    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(SECONDS)
    one = context.new_page()
    wrong = []
    one.on("pageerror", lambda error: wrong.append(str(error)))
    one.on(
        "console",
        lambda message: (
            message.type == "error"
            and "Failed to load resource" not in message.text
            and wrong.append(message.text)
        ),
    )
    yield one
    context.close()
    assert not wrong
