"""Attacks: nothing is served to whoever comes by another name, from another page or without the token."""

import json
import os
import socket

import pytest

from studio.conftest import Served

SECRET = "nobody may read this"
EVIL = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


def write_run(folder, **config):
    folder.mkdir(parents=True)
    told = {
        "recurra": "0.1.0",
        "task": "classify",
        "data": "x.csv",
        "started": "2026-01-01T00:00:00Z",
        **config,
    }
    (folder / "config.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("guarded")
    (root / "outside").mkdir()
    (root / "outside" / "secret.txt").write_text(SECRET)
    write_run(root / "outside" / "run", estimator=SECRET)
    inside = root / "inside"
    run = write_run(inside / "a")
    os.symlink(root / "outside" / "secret.txt", run / "notes.txt")
    os.symlink(root / "outside" / "secret.txt", run / "report.html")
    os.symlink(root / "outside" / "secret.txt", run / "model.recurra")
    os.symlink(root / "outside" / "secret.txt", run / "history.jsonl")
    os.symlink(root / "outside", inside / "link")
    os.symlink(root / "outside" / "secret.txt", inside / "secret.csv")
    hostile = write_run(
        inside / EVIL.replace("/", "_"), estimator=EVIL, task=EVIL, data_summary={EVIL: [EVIL]}
    )
    (hostile / "report.html").write_text(f"<p>{EVIL}</p>")
    one = Served(inside)
    yield one
    one.shown.close()


def page(served, rest="api/runs"):
    return f"/{served.token}/{rest}"


def test_the_right_request_is_answered(served):
    status, headers, body = served.ask("GET", page(served))
    assert status == 200
    assert {row["id"] for row in json.loads(body)["runs"]} >= {"a"}
    assert headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1:1", "[::1]:80", "localhost"])
def test_a_forwarded_port_works(served, host):
    status, _, _ = served.ask("GET", page(served), host=host, headers={"Origin": f"http://{host}"})
    assert status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:8000", "127.0.0.1:80:80",
     "127.0.0.1:80@evil.example", "0.0.0.0", "10.0.0.1", "LOCALHOST/", "localhost:abc"],
)  # fmt: skip
def test_another_host_is_refused(served, host):
    status, _, body = served.ask("GET", page(served), host=host or "x")
    assert status in (400, 403)
    assert b"runs" not in body


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://127.0.0.1.evil.example",
        "http://127.0.0.1:1",
        "file://",
        "http://localhost",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(served, origin, method):
    body = {"run": "a", "text": "x"} if method == "POST" else None
    status, _, _ = served.ask(
        method, page(served, "api/notes" if body else "api/runs"), body, {"Origin": origin}
    )
    assert status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_asks_for_is_refused(served, site):
    status, _, _ = served.ask(
        "GET", page(served), headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    )
    assert status == 403


@pytest.mark.parametrize(
    "path",
    ["/", "/api/runs", "/static/app.js", "//api/runs", "/wrong/api/runs", "/wrong/", "/{token}x/api/runs",
     "/{short}/api/runs", "/%2e%2e/{token}/api/runs", "/x/../{token}/api/runs", "/{upper}/api/runs",
     "/?token={token}", "/{token}"],
)  # fmt: skip
def test_without_the_token_nothing_is_served(served, path):
    token = served.token
    asked = path.format(token=token, short=token[:-1], upper=token.swapcase())
    status, _, body = served.ask("GET", asked)
    assert status == 403
    assert b"recurra studio</h1>" not in body
    assert b"runs" not in body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused(served, method):
    assert served.ask(method, page(served))[0] in (400, 403)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_form_of_another_page_is_refused(served, kind):
    assert (
        served.ask("POST", page(served, "api/notes"), {"run": "a", "text": "x"}, {"Content-Type": kind})[0]
        == 403
    )


# As they stand in an address, one escape further, and two.
ESCAPED = [
    "%2e%2e/outside/run", "..%2foutside/run", "%2e%2e%2foutside%2frun", "%252e%252e/outside/run", "..%252foutside/run",
    "%25252e%25252e%25252foutside%25252frun", "a%2f..%2f..%2foutside%2frun", "..%5coutside%5crun",
    "%c0%ae%c0%ae/outside/run", "link%2frun", "%2fetc",
]  # fmt: skip
OUTSIDE = [
    "../outside/run", "..", "link/run", "link", "/etc", "a/../../outside/run", "a\\..\\..", "a\0", "./../outside/run",
    "%2e%2e/outside/run", "....//outside/run", "a/" * 3000, "~", "//etc", "C:\\", "\ud7ff" * 300,
    r"\x2e\x2e/outside/run", r"..\x5coutside", r"a\x2f..\x2f..\x2foutside\x2frun", r"\xc0\xae\xc0\xae/outside/run", r"a\x00",
    r"\x5c\x5coutside", r"\x5C", r"\xe",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("address", ["run", "cases", "report", "model", "diagram", "events"])
def test_no_run_outside_is_served(served, name, address):
    from urllib.parse import quote

    status, _, body = served.ask("GET", page(served, f"api/{address}?run={quote(name)}&index=0"))
    assert status in (400, 404)
    assert SECRET.encode() not in body


@pytest.mark.parametrize("name", ESCAPED)
@pytest.mark.parametrize("address", ["run", "report", "model", "recording", "listing"])
def test_escaped_dots_lead_nowhere(served, name, address):
    status, _, body = served.ask("GET", page(served, f"api/{address}?run={name}&file={name}&folder={name}"))
    assert status in (400, 404)
    assert SECRET.encode() not in body
    status, _, body = served.ask("GET", page(served, f"api/{name}"))
    assert status in (403, 404)


@pytest.mark.parametrize("name", [*OUTSIDE, "secret.csv"])
@pytest.mark.parametrize("address", ["recording", "view", "listing"])
def test_no_file_outside_is_served(served, name, address):
    status, body = served.get(address, file=name, folder=name, start=0, stop=9, pixels=9)
    assert status in (400, 404)
    assert SECRET not in json.dumps(body)


@pytest.mark.parametrize(
    "address", ["run", "runs", "report", "model", "cases", "compare", "warnings", "listing"]
)
def test_links_in_a_run_folder_lead_nowhere(served, address):
    status, _, body = served.ask("GET", page(served, f"api/{address}?run=a&folder=."))
    assert SECRET.encode() not in body
    assert status in (200, 400, 404)


def test_notes_are_not_written_through_a_link(served):
    status, body = served.post("notes", run="a", text="overwritten", read="")
    assert status == 400
    assert "leads out of the run folder" in body["error"]
    assert (served.folder.parent / "outside" / "secret.txt").read_text() == SECRET


@pytest.mark.parametrize(
    "name",
    ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "%2e%2e%2fapp.py", "%2E%2E%2Fapp.py", "..%252fapp.py",
     "%252e%252e%252fapp.py", "..%2f..%2fstudio/app.py", "..%5capp.py", "app.py", "index.html%00.py", "__init__.py",
     "no-such.js", "."],
)  # fmt: skip
def test_only_what_belongs_to_the_page_is_static(served, name):
    status, _, body = served.ask("GET", page(served, f"static/{name}"))
    assert status in (403, 404)
    assert b"Starlette" not in body


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"{", b"[" * 100_000, b'{"run": {"a": 1}, "text": []}', b'{"run": ["a", "b"], "text": 1}',
     b'{"run": "a"}', b"\xff\xfe", b'{"run": NaN, "text": Infinity}', b'{"run": "a", "text": "\\ud800"}'],
)  # fmt: skip
def test_odd_json_is_answered_in_a_sentence(served, body):
    status, _, found = served.ask("POST", page(served, "api/notes"), body)
    assert status == 400
    assert json.loads(found)["error"].startswith("studio: ")


def test_too_much_is_not_taken_into_memory(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as line:
        head = (
            f"POST {page(served, 'api/notes')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {10**9}\r\n\r\n"
        )
        line.sendall(head.encode())
        try:
            for _ in range(40):
                line.sendall(b" " * 1_000_000)
        except (ConnectionError, TimeoutError):
            return
        line.settimeout(20)
        answer = line.recv(100)  # closed or refused before all of it came
        assert not answer or b" 200 " not in answer
    assert served.ask("GET", page(served))[0] == 200


def test_hostile_names_and_reports_are_text(served):
    status, headers, body = served.ask("GET", page(served))
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    name = next(row["id"] for row in json.loads(body)["runs"] if "onerror" in row["id"])
    from urllib.parse import quote

    status, headers, _ = served.ask("GET", page(served, f"api/report?run={quote(name)}"))
    assert status == 200
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize(
    "address", ["run", "warnings", "cases", "model", "diagram", "case", "trace", "explanation"]
)
@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", '{"task": {"a": []}, "data": 7, "params": [1], "seed": 1e999, "data_words": "x", "words": 3}',
     '{"task": "classify", "data": "\\ud800", "data_summary": {"class_counts": {"a": "b", "c": -1}}}', "[" * 50_000],
)  # fmt: skip
def test_hostile_configurations_are_answered(served, tmp_path, address, content):
    folder = served.folder / f"odd-{abs(hash(content)) % 10**8}"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(content)
    (folder / "metrics.json").write_text(content)
    (folder / "history.jsonl").write_text(
        content + '\n{"epoch": 1, "train_loss": NaN}\n{"epoch": "x"}\n[1]\n'
    )
    (folder / "training.json").write_text(content)
    status, _, body = served.ask("GET", page(served, f"api/{address}?run={folder.name}&index=0"))
    assert status in (200, 400, 404)
    json.loads(body)
    assert served.ask("GET", page(served))[0] == 200


def test_read_only_changes_nothing(serve, tmp_path):
    run = write_run(tmp_path / "a")
    one = serve(tmp_path, read_only=True)
    for name, words in {
        "notes": {"run": "a", "text": "x"},
        "steer": {"run": "a", "command": "stop"},
        "train": {"file": "a", "out": "b", "options": {}},
        "labels": {"file": "a", "stretches": []},
    }.items():
        status, body = one.post(name, **words)
        assert status == 403
        assert "--read-only" in body["error"]
    assert sorted(child.name for child in run.iterdir()) == ["config.json"]


def test_the_page_is_framed_by_a_notebook_alone(tmp_path):
    from recurra.studio.guard import Guard

    def policy(framed):
        return Guard(None, "t", framed=framed)._headers[b"content-security-policy"].decode()

    assert policy(False).endswith("frame-ancestors 'none'")
    assert policy(True).endswith("frame-ancestors http://127.0.0.1:* http://localhost:*")


def test_it_listens_on_this_machine_alone(served):
    others = {"127.0.0.2", socket.gethostbyname(socket.gethostname())} - {"127.0.0.1"}
    for here in others:
        with pytest.raises(OSError):
            socket.create_connection((here, served.port), timeout=2)
