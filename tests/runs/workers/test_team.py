import os
import subprocess
import sys

import pytest

from recurra.errors import UsageError
from recurra.runs.workers import team


@pytest.fixture
def worker(monkeypatch):
    for name, value in {
        "RANK": "1",
        "WORLD_SIZE": "5",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)


def test_a_process_alone_has_no_team(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    options = {}
    assert team.team(options) is None
    assert options == {}
    assert not team.is_worker()
    assert not team.follows()


def test_a_team_gets_the_usual_number_of_shards_and_no_more_workers(worker):
    options = {}
    assert team.follows()
    with pytest.raises(UsageError, match=r"workers=5 is more than shards=4"):
        team.team(options)
    assert options == {"shards": 4}


def test_a_worker_ends_with_the_process_that_started_it(monkeypatch):
    code = "from recurra.runs.workers.team import end_with_agent as e; import time; e(); time.sleep(600)"
    environment = {**os.environ, team.AGENT: "1"}  # which is not its parent
    ended = subprocess.run([sys.executable, "-c", code], env=environment, timeout=300, check=False)
    assert ended.returncode == 4
