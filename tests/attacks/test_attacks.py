"""The attacks of this folder with small counts; the full counts and what they found are in ``benchmarks/results/``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the attacks fork and kill")


@pytest.fixture
def attack(warm_command):
    """Return a function that runs a script of this folder and gives what it found."""

    def run(script, *args):
        command = [*warm_command, str(HERE / script), *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert not found.get("wrong"), "\n".join(found["wrong"])
        assert done.returncode == 0, found
        return found

    return run


def test_kill_9_at_any_moment(attack):
    found = attack("kill_points.py", "--count", "6", "--seed", "1")
    assert found["kills"] == 6
    assert found["broken"] == found["other"] == 0
    assert found["same"] == found["runs"] > 0


def test_death_and_a_full_disk_at_some_writes(attack):
    found = attack("every_write.py", "--stride", "131")
    assert found["wrong"] == []
    assert found["deaths"] > 1
    assert found["full"] > 0
    assert found["replacing"] > 0


def test_two_trainings_in_one_folder(attack):
    found = attack("two_owners.py", "--count", "3", "--seed", "1")
    assert found["wrong"] == []
    assert found["whole"] == 3
    assert found["refused"] > 0


def test_signals_at_any_moment(attack):
    found = attack("ending.py", "--count", "5", "--seed", "1")
    assert found["wrong"] == []
    assert found["train"] >= 5
    assert found["stream_kept"] > 0


def test_changed_files(attack):
    found = attack("mutated_files.py", "--count", "40", "--seed", "1")
    assert found["wrong"] == []
    assert found["errors"] > 24


def test_changed_networks_of_others(attack):
    pytest.importorskip("h5py")
    pytest.importorskip("onnx")
    found = attack("mutated_networks.py", "--count", "36", "--seed", "1")
    assert found["wrong"] == []
    assert found["files"] == 36
    assert found["errors"] > 15
    assert found["same"] > 0


def test_changed_recordings(attack):
    for package in ("edfio", "h5py", "soundfile"):
        pytest.importorskip(package)
    found = attack("mutated_recordings.py", "--count", "56", "--seed", "1")
    assert found["wrong"] == []
    assert found["read"] + found["refused"] == 56
    assert found["refused"] > 20


def test_changed_clips(attack):
    pytest.importorskip("av")
    found = attack("mutated_clips.py", "--count", "48", "--seed", "1")
    outcomes = ("read", "refused", "limit_refused", "memory_refused", "child_died", "timed_out")
    assert sum(found.get(outcome, 0) for outcome in outcomes) == 48
    assert found["refused"] > 5


def test_the_attacks_see_what_they_look_for():
    """A checkpoint written in place is torn by death half-way; one renamed without fsync by a power cut."""
    code = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import every_write, pathlib, tempfile
from recurra import store

def in_place(target, data):
    store.os.fdopen(store.os.open(target, 577), "wb").write(data)

def without_fsync(target, data):
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, suffix=store.PARTIAL)
    with store.os.fdopen(descriptor, "wb") as file:
        file.write(data)
    store.os.replace(temporary, target)

with tempfile.TemporaryDirectory() as place:
    attack = every_write.Attack(pathlib.Path(place))
    attack.unjudged()
    for store._replace, call, later, what in (
        (in_place, "write", 0, "die half-way"),
        (without_fsync, "replace", 1, "cut"),
    ):
        names = attack.count()
        at = [i for i, name in enumerate(names) if name == call][2] + later  # after config.json and training.json
        try:
            print("nothing seen", attack.death(at, what))
        except store.StoreError as error:
            print("torn:", error)
        attack.clear()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("cut short") == 2, done
