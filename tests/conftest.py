"""Fixtures that several rooms need."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import warm_command as warm

# The same examples at every run, so that a change is judged by what it changes; RANDOM_EXAMPLES=1 looks for new ones.
# How long an example takes says how busy the machine is.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default" if os.environ.get("RANDOM_EXAMPLES") else "repeatable")


@pytest.fixture(scope="session")
def real_data():
    """Return a function that gives a path below the folder of real data, or skips with the reason."""

    def find(relative):
        root = os.environ.get("RECURRA_DATA", "")
        path = Path(root) / relative
        if not root or not path.exists():
            pytest.skip(f"real data {relative} is not there (RECURRA_DATA={root or 'unset'})")
        return path

    return find


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works():
    """Let Ctrl-C mean something here and in child processes, however these tests were started.

    A process that nohup, cron or a script's & starts ignores SIGINT, and so would every child it starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_charts():
    """Leave the charts out of the reports of what a test trains and judges, see `charts`."""
    from charts import charts

    with charts(drawn=False):
        yield


@pytest.fixture(scope="session")
def warm_command(tmp_path_factory):
    """Return the words before ``recurra`` or a script that make it a process of its own in no time, see `warm_command`."""
    folder = tmp_path_factory.mktemp("warm")
    path, client = folder / "socket", folder / "client.py"
    client.write_text(warm.CLIENT)
    server = subprocess.Popen([sys.executable, warm.__file__, str(path)], stdin=subprocess.DEVNULL)
    while not path.exists():
        assert server.poll() is None
        time.sleep(0.05)
    yield [sys.executable, "-I", "-S", str(client), str(path)]
    server.kill()
    server.wait()


@pytest.fixture(scope="session")
def browser():
    """A Chromium, one for all tests of a process, which can have one Playwright only."""
    from studio.browser import BROWSER, sync_api

    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield one
        one.close()
