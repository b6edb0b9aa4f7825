"""The table of all runs, in one pass, kept by the times of the files; what cannot be put side by side is said."""

import gc
import json
import os
import time

import pytest

from recurra.folder_lock import FolderLock
from recurra.studio.files import Below
from recurra.studio.runs import Table, differing, judged_alike, table_of
from studio.test_guard import write_run


def many(root, n):
    for number in range(n):
        run = write_run(
            root / f"group{number % 10}" / f"run{number}",
            seed=number,
            test_digest="d" if number % 2 else "e",
            params={
                "hidden_size": 8 * (1 + number % 4),
                "cell": "gru",
                "random_state": number,
                "max_epochs": 5,
            },
            data_summary={"n_sequences": 640, "class_counts": {"a": 3, "b": 4}},
        )
        metrics = {
            "accuracy": number / n,
            "accuracy_baseline": 0.1,
            "train_seconds": 3.5,
            "n_test": 370,
            "seed": number,
        }
        (run / "metrics.json").write_text(json.dumps(metrics))
        rows = [
            json.dumps({"epoch": e, "train_loss": 1 / e, "valid_loss": 2 / e, "time": "x"})
            for e in range(1, 31)
        ]
        (run / "history.jsonl").write_text("\n".join(rows) + "\n")
        (run / "model.recurra").write_bytes(b"x")


def test_a_thousand_runs_appear_in_a_second(tmp_path):
    many(tmp_path, 1000)
    table = Table(Below.of(tmp_path))
    gc.collect()
    began = time.process_time()
    rows = table_of(table.rows())
    first = time.process_time() - began
    seconds = []
    for _ in range(3):  # a collection of all garbage of a long test run may fall into one
        began = time.process_time()
        again = table_of(table.rows())
        seconds.append(time.process_time() - began)
    second = min(seconds)
    print(f"1,000 runs: {first:.2f} s, again {second:.2f} s, {len(json.dumps(rows)) / 1e6:.1f} MB")
    assert len(rows["runs"]) == len(again["runs"]) == 1000
    assert first < 1
    assert second < first / 2


def test_a_row_says_what_the_run_is(tmp_path):
    many(tmp_path, 3)
    found = table_of(Table(Below.of(tmp_path)).rows())
    (row,) = [row for row in found["runs"] if row["id"] == "group2/run2"]
    assert (row["main"], row["value"], row["naive"]) == ("accuracy", pytest.approx(2 / 3), 0.1)
    assert (row["state"], row["epochs"], row["seconds"], row["seed"]) == ("finished", 30, 3.5, 2)
    assert found["differ"] == ["hidden_size"]
    assert row["params"] == {"hidden_size": "24"}


def test_what_changes_is_read_again(tmp_path):
    many(tmp_path, 2)
    table = Table(Below.of(tmp_path))
    table.rows()
    run = tmp_path / "group1" / "run1"
    (run / "metrics.json").write_text(json.dumps({"accuracy": 0.125}))
    (run / "notes.txt").write_text("the one with new sensors")
    (row,) = [row for row in table.rows() if row["id"] == "group1/run1"]
    assert row["value"] == 0.125
    assert row["notes"] == "the one with new sensors"
    os.remove(run / "config.json")
    assert [row["id"] for row in table.rows()] == ["group0/run0"]


def test_states(tmp_path):
    run = write_run(tmp_path / "a")
    table = Table(Below.of(tmp_path))

    def state():
        (row,) = table.rows()
        return row["state"]

    assert state() == "stopped"
    with FolderLock(run):
        assert state() == "training"
        (run / "training.json").write_text('{"state": "paused", "max_epochs": 9}')
        assert state() == "paused"
    (run / "model.recurra").write_bytes(b"")
    assert state() == "finished"


def test_a_run_that_replaces_another_is_shown_beside_it(tmp_path):
    many(tmp_path, 1)
    old = tmp_path / "group0" / "run0"
    write_run(old.with_name(".run0.new"))
    with FolderLock(old):
        found = {row["id"]: row["state"] for row in Table(Below.of(tmp_path)).rows()}
    assert found == {"group0/run0": "finished", "group0/.run0.new": "training"}


@pytest.mark.parametrize("name", [".hidden", ".git", "__pycache__"])
def test_hidden_folders_are_not_looked_into(tmp_path, name):
    write_run(tmp_path / name / "run")
    write_run(tmp_path / "a")
    assert [row["id"] for row in Table(Below.of(tmp_path)).rows()] == ["a"]


def test_the_folder_may_be_a_run(tmp_path):
    write_run(tmp_path / "a")
    assert [row["id"] for row in Table(Below.of(tmp_path / "a")).rows()] == ["."]


def test_runs_judged_on_other_parts_are_told(tmp_path):
    many(tmp_path, 4)
    rows = {row["id"].split("/")[1]: row for row in Table(Below.of(tmp_path)).rows()}
    assert judged_alike([rows["run1"], rows["run3"]]) == ""
    assert "not judged on the same part" in judged_alike([rows["run1"], rows["run2"]])
    assert "held nothing out" in judged_alike([rows["run1"], {**rows["run3"], "judged": ""}])


def test_settings_that_are_missing_differ():
    rows = [{"params": {"a": "1", "b": "2"}}, {"params": {"a": "1"}}]
    assert differing(rows) == ["b"]
