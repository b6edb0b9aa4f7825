"""Manifests that lie under a right checksum, some hundred of each run; ten thousand are in ``benchmarks/results/``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "hostile_manifests.py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory of the process is limited")
def test_hostile_manifests_are_refused_or_answer():
    command = [sys.executable, str(SCRIPT), "--count", "400", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["refused"] > 250
    assert found["refused"] + found["refused_later"] + found["same"] + found["other"] == 400
