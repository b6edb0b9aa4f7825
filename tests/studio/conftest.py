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
    for one in served:
        one.shown.close()
    until = time.monotonic() + 5
    while any("uvicorn" in t.name.lower() for t in threading.enumerate()) and time.monotonic() < until:
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
QUICK = {"max_epochs": 4, "hidden_size": 6, "validation_fraction": 0.25, "verbose": 0}


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory):
    """A folder with data and two runs on them, judged on the same part."""
    folder = tmp_path_factory.mktemp("studio")
    write_gestures(folder / "gestures.csv")
    for cell in ("lstm", "gru"):
        recurra.train(folder / "gestures.csv", out=folder / "runs" / cell, seed=0, cell=cell, **READ, **QUICK)
    return folder
