"""A folder has one owner, and a dead one's lock means nothing."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from ctrl_c import codes_of, each_instruction
from recurra import folder_lock
from recurra.folder_lock import HELD, NAME, FolderInUseError, FolderLock
from recurra.runs.folder import ownership
from recurra.runs.workers import work_locks

WAYS = ["flock", "by name"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Locks as the system has them, and as on a file system that has none."""
    if request.param == "by name":
        without_flock(monkeypatch)
    return request.param


def without_flock(monkeypatch):
    def flock(descriptor, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(folder_lock.fcntl, "flock", flock)


def holder(folder, way, *, wait="time.sleep(600)"):
    """Start a process that owns the folder and says so."""
    code = f"""
import sys, time, pathlib
from recurra import folder_lock
if {way == "by name"}:
    def flock(descriptor, how):
        raise OSError(95, "no")
    folder_lock.fcntl.flock = flock
lock = folder_lock.FolderLock(pathlib.Path({str(folder)!r}))
print("held", flush=True)
{wait}
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    child.stdout.close()
    return child


def test_the_second_is_refused_and_told_who_the_first_is(way, tmp_path):
    with FolderLock(tmp_path):
        with pytest.raises(FolderInUseError) as caught:
            FolderLock(tmp_path)
        text = str(caught.value)
        assert text.startswith(f"{tmp_path}: is being trained into by process {os.getpid()} on ")
        assert text.endswith(" Wait for its end, or give another folder.")
        assert socket.gethostname() in text
    with FolderLock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_the_lock_of_a_dead_owner_is_taken(way, tmp_path, number):
    child = holder(tmp_path, way)
    with pytest.raises(FolderInUseError, match=f"process {child.pid} on"):
        FolderLock(tmp_path)
    child.send_signal(getattr(signal, number))
    child.wait()
    assert list(tmp_path.iterdir())  # it had no time to remove its file
    with FolderLock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"process": "x"}', b"{" * 5000])
def test_a_file_that_says_nothing(way, tmp_path, content):
    name = NAME if way == "flock" else HELD
    (tmp_path / name).write_bytes(content)
    if way == "by name":
        with pytest.raises(FolderInUseError, match="by another process"):
            FolderLock(tmp_path)  # its owner may be about to write who it is
        long_ago = time.time() - 60
        os.utime(tmp_path / name, (long_ago, long_ago))
    FolderLock(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({}, False),
        ({"boot": "another"}, True),
        ({"began": "1"}, True),
        ({"process": 2**22 + 1}, True),
        ({"process": 2**40}, True),
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "process": 2**22 + 1}, False),
    ],
)
def test_without_flock_the_dead_are_known_on_this_machine(tmp_path, monkeypatch, change, dead):
    without_flock(monkeypatch)
    lock = FolderLock(tmp_path)
    me = json.loads((tmp_path / HELD).read_text())
    (tmp_path / HELD).write_text(json.dumps({**me, **change}))
    if dead:
        FolderLock(tmp_path).release()
        assert list(tmp_path.iterdir()) == []
    else:
        with pytest.raises(FolderInUseError) as caught:
            FolderLock(tmp_path)
        advice = f"If that process has ended, which cannot be seen from here, delete {tmp_path / HELD}."
        assert (advice in str(caught.value)) == ("host" in change)
    lock.release()


def test_of_many_at_once_one_has_it(way, tmp_path):
    """Over and over, from several threads: never two at a time, and every one gets its turns."""
    inside, most, turns = [], [], []
    end = time.monotonic() + 60

    def work(name):
        while turns.count(name) < 5 and time.monotonic() < end:
            try:
                with FolderLock(tmp_path):
                    inside.append(name)
                    most.append(len(inside))
                    time.sleep(0.0002)
                    inside.remove(name)
                    turns.append(name)
            except FolderInUseError:
                time.sleep(0.0001)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert sorted(turns) == sorted(5 * list(range(6)))


def test_a_folder_that_moves_keeps_its_owner(way, tmp_path):
    (tmp_path / "a").mkdir()
    with FolderLock(tmp_path / "a") as lock:
        (tmp_path / "a").rename(tmp_path / "b")
        with pytest.raises(FolderInUseError):
            FolderLock(tmp_path / "b")
        (tmp_path / "a").mkdir()
        with FolderLock(tmp_path / "a"):  # another folder of the old name
            lock.moved_to(tmp_path / "b")
            lock.release()
            lock.release()
            assert list((tmp_path / "a").iterdir())
    assert list((tmp_path / "b").iterdir()) == []


def test_errors_name_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        FolderLock(tmp_path / "absent")
    assert caught.value.filename == str(tmp_path / "absent")
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "run" / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="run"):
        FolderLock(tmp_path / "run")
    assert (tmp_path / "elsewhere").read_text() == "kept"


# ------------------------------------------------------ Ctrl-C


def with_lock(folder):
    with FolderLock(folder):
        pass


def with_turn(folder):
    with work_locks.in_turn(folder):
        pass


def with_claim(folder):
    work_locks.claim(folder).release()


def with_ownership(folder):
    with ownership.owned(folder):
        pass


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("work", [with_lock, with_turn, with_claim, with_ownership])
def test_after_ctrl_c_at_any_instruction_the_folder_is_free(work, tmp_path):
    """In a notebook the process lives on, and would be told that it trains into the folder itself."""
    codes = codes_of(folder_lock, work_locks, ownership)
    for at, was_cut in each_instruction(lambda: work(tmp_path), codes):
        with FolderLock(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == [] or was_cut, at
    assert at > 50


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ctrl_c_while_a_folder_is_asked_for_leaves_the_lock_of_its_owner(way, tmp_path):
    def ask():
        with pytest.raises(FolderInUseError):
            FolderLock(tmp_path)

    with FolderLock(tmp_path):
        for at, _ in each_instruction(ask, codes_of(folder_lock)):
            assert any(tmp_path.iterdir()), at
            ask()


def test_a_lock_that_nobody_knows_any_more_is_given_back(way, tmp_path):
    lock = FolderLock(tmp_path)
    del lock
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("ends", ["by release", "by forgetting"])
def test_a_process_forked_from_the_owner_gives_nothing_back(way, tmp_path, ends):
    lock = FolderLock(tmp_path)
    child = os.fork()
    if not child:
        if ends == "by release":
            lock.release()
        else:
            del lock
            gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(FolderInUseError):
        FolderLock(tmp_path)
    lock.release()
    with FolderLock(tmp_path):
        pass
