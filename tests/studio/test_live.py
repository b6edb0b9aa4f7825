"""The history as it grows, the file that steers, and what there is to say."""

import asyncio
import json
import os
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recurra.errors import DataError, UsageError
from recurra.folder_lock import FolderLock
from recurra.runs.folder.files import RunFolder
from recurra.studio import live
from recurra.studio.files import LARGEST_TEXT, Below
from studio.test_guard import write_run


@pytest.fixture
def run(tmp_path):
    return RunFolder(write_run(tmp_path / "a", data_summary={"class_counts": {"x": 30, "y": 10}}))


@pytest.fixture
def below(tmp_path):
    return Below.of(tmp_path)


def finished(coroutine):
    """Return what a coroutine returns; in a thread of its own, since a browser of other tests has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def add(run, *rows, end="\n"):
    with (run / "history.jsonl").open("a") as file:
        file.write("\n".join(json.dumps(row) for row in rows) + end)


def test_only_new_whole_lines_are_told(below, run):
    follower = live.Follower(below, run)
    assert follower.new_rows() == (False, [])
    add(run, {"epoch": 1, "train_loss": 0.5}, {"epoch": 2}, end='\n{"epoch": 3')
    assert follower.new_rows() == (True, [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2}])
    with (run / "history.jsonl").open("a") as file:
        file.write(', "train_loss": 0.1}\n')
    assert follower.new_rows() == (False, [{"epoch": 3, "train_loss": 0.1}])
    assert follower.new_rows() == (False, [])


def test_a_history_that_begins_anew_is_told_whole(below, run):
    follower = live.Follower(below, run)
    add(run, {"epoch": 1}, {"epoch": 2})
    follower.new_rows()
    run.write_history([{"epoch": 1}])
    assert follower.new_rows() == (True, [{"epoch": 1}])


def test_a_follower_goes_on_from_where_another_stood(below, run):
    add(run, {"epoch": 1}, {"epoch": 2})
    first = live.Follower(below, run)
    first.new_rows()
    add(run, {"epoch": 3})
    assert live.Follower(below, run, first.read).new_rows() == (False, [{"epoch": 3}])
    for read in ("", "7", "x-1", "1-2-3", "-1-0", first.read + "0000000"):
        assert live.Follower(below, run, read).new_rows()[1] == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]
    run.write_history([{"epoch": 1}])
    assert live.Follower(below, run, first.read).new_rows() == (True, [{"epoch": 1}])


@pytest.mark.parametrize(("rows", "most"), [(7, 3), (1, 3), (3, 3), (1000, 3), (0, 3)])
def test_of_many_new_rows_some_are_read_and_the_last(below, run, rows, most):
    add(run, {"epoch": 0})
    follower = live.Follower(below, run)
    follower.new_rows(most)
    if rows:
        add(run, *({"epoch": n} for n in range(1, rows + 1)))
    found = [row["epoch"] for row in follower.new_rows(most)[1]]
    assert found[-1:] == [rows][: len(found)]
    assert min(rows, 2) <= len(found) <= most
    steps = set(np.diff(found).tolist())
    assert len(steps) <= 1
    assert follower.left_out == rows - len(found)
    assert follower.new_rows(most) == (False, [])
    assert follower.left_out == 0


def test_of_very_many_rows_those_with_the_extremes_are_sent():
    rng = np.random.default_rng(0)
    rows = [{"epoch": n, "time": "t", "a": float(rng.normal()), "b": n % 7} for n in range(1, 50_001)]
    rows[12_345]["a"], rows[23_456]["a"] = 1e9, -1e9
    found = live.thinned(rows)
    assert len(found) < 2500
    assert [row["epoch"] for row in found] == sorted({row["epoch"] for row in found})
    assert all(row is rows[row["epoch"] - 1] for row in found)
    assert found[0] == rows[0]
    assert found[-live.LAST_ROWS :] == rows[-live.LAST_ROWS :]
    assert {rows[12_345]["epoch"], rows[23_456]["epoch"]} <= {row["epoch"] for row in found}
    assert live.thinned(rows[: live.MOST_ROWS]) == rows[: live.MOST_ROWS]


def test_a_history_larger_than_any_is_not_read(below, run):
    with (run / "history.jsonl").open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)  # takes no place on the disk
    follower = live.Follower(below, run)
    tracemalloc.start()
    assert follower.new_rows() == (False, [])
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name on this system")
@pytest.mark.parametrize("name", ["history.jsonl", "report.html", "model.recurra"])
def test_a_pipe_in_a_run_folder_is_not_waited_for(below, run, name):
    os.mkfifo(run / name)
    with pytest.raises(DataError, match="is no regular file"):
        below.file_of(run, name)
    with pytest.raises(DataError, match="is a pipe or a device"):
        below.path(f"a/{name}")


def test_rows_are_sent_seldom_and_before_the_end(below, run):
    run.write_json("training.json", {"state": "training"})

    async def told():
        stream = live.events(below, run)
        with FolderLock(run.path):
            add(run, {"epoch": 1})
            out = [await anext(stream), await anext(stream)]
            add(run, {"epoch": 2})  # waits for the next look at rows
            live.steer(below, run, "pause", None)
            out.append(await anext(stream))
        (run / "model.recurra").write_bytes(b"x")
        out += [event async for event in stream]
        return [event.decode() for event in out]

    events = finished(asyncio.wait_for(told(), 60))
    names = [event.split("\n")[0].removeprefix("event: ") for event in events]
    assert names == ["rows", "status", "status", "rows", "status", "end"]
    assert '"epoch":2' in events[3]
    told = re.search(r"^id: (.+)$", events[0], re.MULTILINE)[1]

    async def later():
        return [event.decode() async for event in live.events(below, run, told)]

    rows = finished(asyncio.wait_for(later(), 60))[0]
    assert rows.startswith("event: rows\nid: ")
    assert json.loads(rows.split("data: ")[1]) == {"anew": False, "rows": [{"epoch": 2}], "left_out": 0}


def test_events_of_a_training_that_ends(below, run, monkeypatch):
    monkeypatch.setattr(live, "SECONDS_BETWEEN_ROWS", 0.0)

    async def told():
        out = []
        stream = live.events(below, run)
        with FolderLock(run.path):
            add(run, {"epoch": 1, "train_loss": 0.5})
            out += [await anext(stream), await anext(stream)]
            add(run, {"epoch": 2})
            out.append(await anext(stream))
        (run / "model.recurra").write_bytes(b"x")
        out += [event async for event in stream]
        return [event.decode().split("\n")[0] for event in out], b"".join(out).decode()

    names, content = finished(asyncio.wait_for(told(), 20))
    assert names == ["event: rows", "event: status", "event: rows", "event: status", "event: end"]
    assert '"state":"training"' in content
    assert content.rstrip().endswith('"asked":""}')


@pytest.mark.parametrize(
    ("commands", "content"),
    [
        (["stop"], "stop\n"), (["pause"], "pause\n"), (["pause", "go on"], ""), (["epochs"], "epochs 50\n"),
        (["epochs", "pause"], "epochs 50\npause\n"), (["epochs", "pause", "go on"], "epochs 50\n"),
        (["epochs", "stop"], "epochs 50\nstop\n"),
    ],
)  # fmt: skip
def test_the_file_that_steers(below, run, commands, content):
    run.write_json("training.json", {"state": "training"})
    with FolderLock(run.path):
        for command in commands:
            live.steer(below, run, command, 50)
    assert (run / "control.txt").read_text() == content


def test_a_run_that_does_not_train_is_not_steered(below, run):
    with pytest.raises(UsageError, match="is not being trained"):
        live.steer(below, run, "stop", None)
    with FolderLock(run.path):  # it is being read, or judged
        assert live.status(below, run) == {"state": "training", "steerable": False, "asked": ""}
        with pytest.raises(UsageError, match="is not being trained just now"):
            live.steer(below, run, "stop", None)
        run.write_json("training.json", {"state": "training"})
        assert live.status(below, run)["steerable"]
    assert not live.status(below, run)["steerable"]
    assert not (run / "control.txt").exists()


def test_naive_lines_before_and_after_the_end(below, run):
    before = live.naive_lines(below, run)
    assert before["lines"]["valid_accuracy"] == 0.75
    assert before["lines"]["valid_loss"] == pytest.approx(0.5623, abs=1e-4)
    run.write_json("metrics.json", {"accuracy": 0.9, "accuracy_baseline": 0.7})
    assert live.naive_lines(below, run)["lines"] == {"valid_accuracy": 0.7}


def rows(**columns):
    n = len(next(iter(columns.values())))
    return [{"epoch": i + 1, **{name: values[i] for name, values in columns.items()}} for i in range(n)]


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (
            rows(train_loss=[1, 0.5] + [0.1] * 12, valid_loss=[1, 0.5] + [0.9] * 12),
            "not been lower for 12 epochs",
        ),
        (rows(train_loss=[1.0] * 14), "hardly fallen"),
        (rows(train_loss=[1 / (i + 1) for i in range(12)], clipped_share=[1.0] * 12), "clipped"),
        (
            rows(train_loss=[1, 0.1], gradient_length=[100, 100], gradient_horizon=[9, 9]),
            "After 9 of 100 steps",
        ),
        (rows(train_loss=[1, 0.5, 0.2], valid_loss=[1, 0.5, 0.3]), None),
        ([], None),
    ],
)
def test_warnings(history, said):
    found = live.warnings_of(history)
    assert (said is None and not found) or any(said in sentence for sentence in found)
