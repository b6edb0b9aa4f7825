"""``recurra studio``: an address is printed, the page is served, Ctrl-C ends it."""

import signal
import subprocess
import sys
import urllib.request

import pytest

from recurra.errors import MissingExtraError

pytest.importorskip("uvicorn", reason="the extra studio is not installed")


# A request that takes an hour, as one of very large data may; everything else is the command as it is.
HANGING = """
import sys, time
from recurra.cli.main import run
from recurra.studio import app
app.ASKED["hang"] = lambda studio, words: time.sleep(3600)
sys.exit(run(sys.argv[1:]))
"""


def test_it_serves_until_ctrl_c_even_while_a_request_hangs(tmp_path):
    command = [sys.executable, "-c", HANGING, "studio", str(tmp_path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(url, timeout=150) as answer:
                assert b"recurra studio" in answer.read()
            with urllib.request.urlopen(f"{url}api/runs", timeout=150) as answer:
                assert answer.read() == b'{"runs":[],"differ":[]}'
            with pytest.raises(TimeoutError):
                urllib.request.urlopen(f"{url}api/hang", timeout=0.3)
            with urllib.request.urlopen(f"{url}api/runs", timeout=150) as answer:
                assert answer.status == 200  # others are answered meanwhile
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=150)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said


def test_no_such_folder_and_a_taken_port(cli, tmp_path):
    import socket

    done = cli("studio", tmp_path / "nothing", "--no-browser")
    assert done.code == 3
    assert "there is no such folder" in done.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("studio", tmp_path, "--no-browser", "--port", taken.getsockname()[1])
    assert done.code == 2
    assert "cannot be taken" in done.err
    assert "--port" in done.err


def test_without_the_extra_it_names_the_command(tmp_path, monkeypatch):
    import recurra

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'recurra\[studio\]'"):
        recurra.studio(tmp_path)


def test_in_a_notebook_it_is_a_frame(tmp_path):
    import recurra

    shown = recurra.studio(tmp_path)
    try:
        assert shown._repr_html_().startswith(f'<iframe src="{shown.url}"')
        with urllib.request.urlopen(shown.url, timeout=150) as answer:
            assert "frame-ancestors http://127.0.0.1:*" in answer.headers["content-security-policy"]
    finally:
        shown.close()
