import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.runs.many_files.predicting import CLAIMS, Files, predict_files
from recurra.runs.predict import Wanted
from recurra.runs.workers.work_locks import claim


def table(path, names, rng):
    rows = [
        f"{name},{step},{rng.normal():.3f},{'ab'[i % 2]}" for i, name in enumerate(names) for step in range(5)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["recording,t,x,label", *rows]) + "\n")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predicting")
    table(folder / "train.csv", [f"r{i}" for i in range(12)], np.random.default_rng(0))
    words = {"id": "recording", "time": "t", "label": "label"}
    options = {"hidden_size": 3, "max_epochs": 1, "seed": 0, "verbose": 0}
    return recurra.train(folder / "train.csv", out=folder / "run", **words, **options).path


@pytest.fixture
def big(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(4):
        table(
            tmp_path / "big" / f"d{number % 2}" / f"f{number}.csv", [f"n{number}-{i}" for i in range(3)], rng
        )
    return tmp_path / "big"


def as_text(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def predict(run, big, out, **wanted):
    files = Files.of([str(big / "**" / "*.csv")], out, ".jsonl")
    return predict_files(run, files, out, wanted=Wanted(**wanted), options={}, as_text=as_text)


def names(out):
    return sorted(
        json.loads(line)["name"] for path in out.rglob("*.jsonl") for line in path.read_text().splitlines()
    )


def test_each_file_has_an_output_and_what_is_done_is_left_alone(run, big, tmp_path):
    out = tmp_path / "out"
    assert predict(run, big, out) == 12
    assert names(out) == sorted(f"n{number}-{i}" for number in range(4) for i in range(3))
    assert (out / "d1" / "f3.csv.jsonl").is_file()
    assert not (out / CLAIMS).exists()
    (out / "d1" / "f3.csv.jsonl").unlink()
    before = (out / "d0" / "f0.csv.jsonl").stat().st_mtime_ns
    assert predict(run, big, out) == 3
    assert (out / "d0" / "f0.csv.jsonl").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="holds predictions of another model, or with other options"):
        predict(run, big, out, proba=True)


def test_a_file_that_cannot_be_read_is_named_when_all_others_are_done(run, big, tmp_path):
    (big / "d0" / "a.csv").write_text("recording,t,x\nr,0,much\n")
    with pytest.raises(DataError, match=r"1 of 5 files has no answers; the first is .*a\.csv"):
        predict(run, big, tmp_path / "out")
    assert len(names(tmp_path / "out")) == 12
    with pytest.raises(MissingDataError, match=r"nothing/\*\.csv: there is no such file"):
        Files.of([str(big / "nothing" / "*.csv")], tmp_path / "out", ".jsonl")


def test_a_file_that_another_process_has_is_left_to_it(run, big, tmp_path):
    out = tmp_path / "out"
    target = out / CLAIMS / "d0" / "f0.csv.jsonl"
    code = (
        "import sys, time; from pathlib import Path; from recurra.runs.workers.work_locks import claim as c\n"
    )
    code += "lock = c(Path(sys.argv[1])); print('has it', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "has it\n"
        assert claim(target) is None
        done = []

        def told(count):
            done.append(count)
            if len(done) == 3:  # all but the one that is claimed; its process dies without an answer
                other.kill()
                other.wait()

        files = Files.of([str(big / "**" / "*.csv")], out, ".jsonl")
        predict_files(run, files, out, wanted=Wanted(), options={}, as_text=as_text, told=told)
    assert len(names(out)) == 12


@pytest.mark.slow
def test_two_hundred_files_with_one_worker_killed_have_each_row_once(run, tmp_path):
    rng = np.random.default_rng(2)
    for number in range(200):
        table(tmp_path / "big" / f"f{number:03d}.csv", [f"n{number}-{i}" for i in range(50)], rng)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "recurra",
        "predict",
        str(run),
        str(tmp_path / "big" / "*.csv"),
        "-o",
        f"{out}/",
    ]
    with subprocess.Popen(
        [*command, "--workers", "2", "--format", "jsonl"], stdout=subprocess.PIPE
    ) as running:
        while len(list(out.rglob("*.jsonl"))) < 40:
            time.sleep(0.02)
            assert running.poll() is None
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(running.pid)], capture_output=True, check=True
        )
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        assert running.wait(timeout=600) == 0
    assert names(out) == sorted(f"n{number}-{i}" for number in range(200) for i in range(50))


def test_a_folder_where_files_are_to_be_named_is_told(tmp_path):
    with pytest.raises(MissingDataError, match=r"it is a folder; name its files, such as '.*\*'\.$"):
        Files.of((str(tmp_path),), tmp_path / "out", ".csv")
