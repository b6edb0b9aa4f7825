"""The attacks of this folder with small counts; the full counts and what they found are in ``benchmarks/results/``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the attacks fork and kill")


def attack(script, *args):
    command = [sys.executable, str(HERE / script), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    return found


def test_kill_9_at_any_moment():
    found = attack("kill_points.py", "--count", "8", "--seed", "1")
    assert found["kills"] == 8
    assert found["broken"] == found["other"] == 0
    assert found["same"] == found["runs"] > 0


def test_death_and_a_full_disk_at_some_writes():
    found = attack("every_write.py", "--stride", "29")
    assert found["wrong"] == []
    assert found["deaths"] > 4
    assert found["full"] > 0


def test_changed_files():
    found = attack("mutated_files.py", "--count", "100", "--seed", "1")
    assert found["wrong"] == []
    assert found["errors"] > 60


def test_the_attacks_see_what_they_look_for():
    """A checkpoint written in place, without temporary file and rename, is torn by death half-way through a write."""
    code = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import every_write, tempfile, pathlib
from recurra import store
store._replace = lambda target, data: store.os.fdopen(store.os.open(target, 577), "wb").write(data)
with tempfile.TemporaryDirectory() as place:
    attack = every_write.Attack(pathlib.Path(place))
    names = attack.count()
    at = [i for i, name in enumerate(names) if name == "write"][1]
    try:
        print(attack.death(at, "die half-way"))
    except store.StoreError as error:
        print("torn:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cut short" in done.stdout, done
