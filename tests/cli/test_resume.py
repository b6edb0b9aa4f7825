"""``recurra resume``: after Ctrl-C and ``kill -9`` the run ends as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import recurra
from cli.waves import TINY, TINY_FLAGS, waves
from recurra import store
from recurra.errors import DataError, MissingDataError, StoreError, UsageError
from recurra.interrupts import Interrupted
from recurra.runs.folder.files import RunFolder
from recurra.training.callbacks import Callback

pytestmark = pytest.mark.usefixtures("no_charts")


class StopAt(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_begin(self, run, batch):
        if run.epoch == self.epoch + 1:
            raise KeyboardInterrupt


def stopped(data, out, epoch=2, **words):
    """Train and stop after an epoch."""
    with pytest.raises(Interrupted):
        recurra.train(data, out=out, callbacks=[StopAt(epoch)], **{**TINY, "seed": 5, **words})
    return out


def weights(run):
    return store.load(Path(run) / "model.recurra")[1]


def same(one, other):
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_the_run_ends_as_if_it_had_not_been_stopped(cli, forms, tmp_path):
    whole = recurra.train(str(forms / "old"), out=tmp_path / "whole", seed=5, **TINY)
    run = stopped(str(forms / "old"), tmp_path / "run")
    assert sorted(p.name for p in run.iterdir()) == ["checkpoints", "config.json", "history.jsonl"]
    config = (run / "config.json").read_bytes()
    with (run / "history.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train_lo')  # killed while it wrote
    done = cli("resume", run)
    assert done.code == 0, done.err
    assert "where guessing gives" in done.out
    assert done.out.splitlines()[-1].startswith(f"recurra explain {run} --index ")
    assert same(run, whole.path)
    assert (run / "config.json").read_bytes() == config
    rows = RunFolder(run).history()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["time"] for row in rows)
    again = recurra.evaluate(run).metrics
    assert again["accuracy"] == whole.metrics["accuracy"]


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_after_kill_9(forms, tmp_path):
    out = tmp_path / "run"
    words = ["--hidden-size", "4", "--max-epochs", "60", "--patience", "none", "--seed", "0", "-q"]
    command = [sys.executable, "-m", "recurra", "train", str(forms / "old"), "-o", str(out), *words]
    child = subprocess.Popen(command)
    for _ in range(6000):  # two minutes, on a crowded machine
        if list((out / "checkpoints").glob("step-*")):
            break
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "model.recurra").exists()
    resumed = recurra.train(resume=out)
    given = {"hidden_size": 4, "max_epochs": 60, "patience": None, "verbose": 0}
    whole = recurra.train(str(forms / "old"), out=tmp_path / "whole", seed=0, **given)
    assert same(out, whole.path)
    assert resumed.metrics["accuracy"] == whole.metrics["accuracy"]


def test_from_the_first_instant(forms, tmp_path):
    class AtOnce(Callback):
        def on_train_begin(self, run):
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        recurra.train(str(forms / "old"), out=out, callbacks=[AtOnce()], seed=5, **TINY)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    recurra.train(resume=out)
    assert same(out, recurra.train(str(forms / "old"), out=tmp_path / "whole", seed=5, **TINY).path)


def test_a_run_that_replaces_another_goes_on_beside_it(forms, tmp_path, trained):
    out = tmp_path / "run"
    shutil.copytree(trained("folder").path, out)
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    stopped(str(forms / "old"), out, force=True)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    run = recurra.train(resume=out)
    assert run.metrics["seed"] == 5
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert same(out, recurra.train(str(forms / "old"), out=tmp_path / "whole", seed=5, **TINY).path)


def test_changed_data_are_refused(cli, forms, tmp_path):
    shutil.copytree(forms / "old", tmp_path / "data")
    run = stopped(str(tmp_path / "data"), tmp_path / "run")
    file = next((tmp_path / "data" / "a").iterdir())
    kept = file.read_text()
    file.write_text(kept.replace("0.", "1.", 1))
    done = cli("resume", run)
    assert done.code == 3
    assert done.err.splitlines()[-1] == (
        f"Error: {tmp_path / 'data'}: has changed since {run} was begun, so it cannot go on. "
        "Restore the data, or begin anew with --force."
    )
    file.write_text(kept)
    (tmp_path / "data").rename(tmp_path / "moved")
    done = cli("resume", run)
    assert done.code == 3
    assert done.err.startswith(f"Error: resume: there is no file or folder {str(tmp_path / 'data')!r}")
    assert cli("resume", run, tmp_path / "moved").code == 0


def test_a_label_that_changed_is_seen(forms, tmp_path):
    words = {"id": "recording", "label": "gesture", "group": "who"}
    (tmp_path / "data.csv").write_text((forms / "old.csv").read_text())
    run = stopped(str(tmp_path / "data.csv"), tmp_path / "run", **words)
    text = (tmp_path / "data.csv").read_text()
    (tmp_path / "data.csv").write_text(text.replace(",a,person 0", ",b,person 0"))
    with pytest.raises(DataError, match="has changed since"):
        recurra.train(resume=run)


def test_names_that_changed_places_are_seen(forms, tmp_path):
    """The values are the same: the network would have answered later files by the wrong names."""
    words = {"id": "recording", "label": "gesture", "group": "who"}
    text = (forms / "old.csv").read_text()
    (tmp_path / "data.csv").write_text(text)
    run = stopped(str(tmp_path / "data.csv"), tmp_path / "run", **words)
    head, rest = text.split("\n", 1)
    columns = head.split(",")
    named = [name for name in columns if name not in words.values()]
    turned = {named[0]: named[-1], named[-1]: named[0]} if len(named) > 1 else {named[0]: "other"}
    (tmp_path / "data.csv").write_text(",".join(turned.get(name, name) for name in columns) + "\n" + rest)
    with pytest.raises(DataError, match=r"its channels are .*; .* was begun with .*\. Restore the names"):
        recurra.train(resume=run)
    (tmp_path / "data.csv").write_text(text)
    recurra.train(resume=run)


def test_objects_of_python_are_given_again(tmp_path):
    def numbers():
        values = [(v, label) for v, label, _ in waves(30, seed=2)]
        return recurra.Dataset([recurra.Record(values=v, label=label) for v, label in values])

    def network(input_size, output_size):
        from recurra.nn.networks.sequence_network import NetworkConfig, build

        config = NetworkConfig(cell="gru", input_size=input_size, hidden_size=3, output_size=output_size)
        return build(config, seed=0)

    run = stopped(numbers(), tmp_path / "run", network=network)
    with pytest.raises(UsageError, match=r"was trained on objects of Python; give the same data= again\.$"):
        recurra.train(resume=run)
    with pytest.raises(UsageError, match=r"was begun with 'network' given in Python; give the same again\.$"):
        recurra.train(numbers(), resume=run)
    done = recurra.train(numbers(), resume=run, network=network)
    words = {**TINY, "network": network, "seed": 5}
    whole = recurra.train(numbers(), out=tmp_path / "whole", **words)
    a, b = done.estimator.model_.weights, whole.estimator.model_.weights
    assert all(np.array_equal(a[name], b[name]) for name in b)


def test_words_that_are_decided_are_refused(forms, tmp_path):
    run = stopped(str(forms / "old"), tmp_path / "run")
    with pytest.raises(UsageError, match=r"has decided 'seed', 'learning_rate' already; leave that out"):
        recurra.train(resume=run, learning_rate=1.0, seed=3)


def test_what_is_not_there(cli, forms, trained, tmp_path):
    finished = cli("resume", trained("folder").path)
    assert finished.code == 2
    assert "folder is finished; there is nothing to go on with." in finished.err
    with pytest.raises(MissingDataError, match="there is no such run"):
        recurra.train(resume=tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingDataError, match=r"no run was begun there: it has no config\.json"):
        recurra.train(resume=tmp_path / "empty")
    (tmp_path / "empty" / "config.json").write_text('{"data": "x"}')
    with pytest.raises(
        StoreError, match=r"config\.json: is damaged: KeyError\('.*'\) is missing or makes no sense"
    ):
        recurra.train(resume=tmp_path / "empty")
    with pytest.raises(UsageError, match="give the data to train on, or a run to go on with as resume="):
        recurra.train()


def test_a_broken_checkpoint_is_named_and_the_one_before_is_taken(cli, forms, tmp_path):
    words = ("--hidden-size", "40", *TINY_FLAGS[2:])
    run = stopped(str(forms / "old"), tmp_path / "run", hidden_size=40)
    kept = sorted((run / "checkpoints").iterdir())
    kept[-1].write_bytes(kept[-1].read_bytes()[:100])
    command = [sys.executable, "-m", "recurra", "resume", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    warning = f"Warning: A checkpoint cannot be used and the one before it is taken: {kept[-1]}: cut short"
    assert warning in done.stderr
    assert cli("train", forms / "old", "-o", tmp_path / "whole", "--seed", "5", *words).code == 0
    assert same(run, tmp_path / "whole")


def test_checkpoints_elsewhere_are_named_again(cli, forms, tmp_path):
    """A configuration may come from anywhere: nothing is written or deleted where it says."""
    run = stopped(str(forms / "old"), tmp_path / "run", checkpoint_dir=tmp_path / "fast disk")
    kept = sorted((tmp_path / "fast disk").glob("step-*.recurra"))
    assert kept
    assert not (run / "checkpoints").exists()
    done = cli("resume", run)
    assert done.code == 2
    place = tmp_path / "fast disk"
    assert done.err == (
        f"Error: resume: {run / 'config.json'} says that checkpoints are kept in {place}, outside of the run folder; "
        f"recurra writes and deletes there only if you say so: give --checkpoint-dir '{place}'.\n"
    )
    assert sorted((tmp_path / "fast disk").iterdir()) == kept
    assert cli("resume", run, "--checkpoint-dir", tmp_path / "fast disk").code == 0
    assert same(run, recurra.train(str(forms / "old"), out=tmp_path / "whole", seed=5, **TINY).path)


@pytest.mark.parametrize("where", ["{outside}", "../outside", "checkpoints/../../outside", "link"])
def test_a_foreign_config_leads_nowhere(forms, tmp_path, where):
    run = stopped(str(forms / "old"), tmp_path / "run")
    outside = tmp_path / "outside"
    shutil.copytree(run / "checkpoints", outside)
    kept = {path.name: path.read_bytes() for path in outside.iterdir()}
    (run / "link").symlink_to(outside)
    config = json.loads((run / "config.json").read_text())
    config["words"]["checkpoint_dir"] = where.format(outside=outside)
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="outside of the run folder"):
        recurra.train(resume=run)
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == kept


@pytest.mark.parametrize("name", ["checkpoints", "figures", "report.html", "metrics.json", "history.jsonl"])
def test_links_out_of_a_run_folder_are_not_written_into(forms, tmp_path, name):
    run = stopped(str(forms / "old"), tmp_path / "run")
    outside = tmp_path / "outside"
    if name in ("checkpoints", "figures"):
        outside.mkdir()
        shutil.rmtree(run / name, ignore_errors=True)
    else:
        outside.write_text("kept")
        (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(outside)
    with pytest.raises(DataError, match=f"{name}: leads out of the run folder, to .*outside"):
        recurra.train(resume=run)
    assert outside.read_text() == "kept" if outside.is_file() else list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"words": {"no_such_word": 1}},
        {"words": [1, 2]},
        {"words": "text"},
        {"task": "steal"},
        {"task": None},
        {"kind": "nothing"},
        {"seed": "x"},
        {"data_words": 3},
        {"python_words": None},
        {"data_words": {"no_such_word": 1}},
        {"words": {"hidden_size": "many"}},
        {"data": "/dev/zero"},
        {"data": ["x"]},
        {"test": "/dev/zero"},
        {"test": {"a": 1}},
        {"by": 7},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_config_that_makes_no_sense_is_refused_in_a_sentence(cli, forms, tmp_path, change):
    run = stopped(str(forms / "old"), tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, **change}))
    done = cli("resume", run)
    assert done.code in (2, 3), done.err
    assert done.err.splitlines()[-1].startswith("Error: ")
    assert not (run / "model.recurra").exists()
