"""Fixtures that several rooms need."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples at every run, so that a change is judged by what it changes; RANDOM_EXAMPLES=1 looks for new ones.
settings.register_profile("repeatable", derandomize=True)
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
