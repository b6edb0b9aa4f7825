"""Checkpoints: written when due, the newest whole one found, training goes on to the same bits from each."""

import copy

import numpy as np
import pytest
import torch

from recurra import store
from recurra.errors import StoreError, TrainingWarning
from recurra.training import checkpoints
from recurra.training.callbacks import Callback
from recurra.training.checkpoints import Checkpoints, newest, read, steps
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "PAUSE", 0.0)


@pytest.fixture
def go(make_network, make_examples):
    """Return a function that trains 3 epochs of 5 batches and gives network and result."""

    def call(*callbacks, start=None, valid=True, **words):
        network = make_network(dropout=0.3)
        config = TrainingConfig(**{"max_epochs": 3, "batch_size": 8, "lr_schedule": "cosine", **words})
        validation = make_examples(12, seed=1) if valid else None
        result = train(
            network,
            make_examples(40),
            config=config,
            loss=cross_entropy(),
            validation=validation,
            callbacks=callbacks,
            start=start,
        )
        return network, result

    return call


def same(one, other):
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_every_checkpoint_leads_to_the_same_weights(go, tmp_path, every_step):
    network, result = go(Checkpoints(tmp_path, keep=99))
    assert steps(tmp_path) == list(range(1, 16))
    for step in (1, 4, 5, 7, 10, 14, 15):
        found = read(tmp_path / f"step-{step:08d}.recurra")
        assert found.step == step
        assert found.finished == (step == 15)
        other, resumed = go(start=found.state)
        assert same(network, other), step
        assert [row["valid_loss"] for row in resumed.history] == [row["valid_loss"] for row in result.history]


def test_the_newest_are_kept_and_the_best(go, tmp_path, every_step):
    class Spoil(Callback):  # the first epoch is the best: afterwards the weights are worse by far
        def on_epoch_begin(self, run):
            if run.epoch > 1:
                with torch.no_grad():
                    run.network.last.weight.mul_(-40)

    _, result = go(Spoil(), Checkpoints(tmp_path, keep=2), learning_rate=1e-4)
    assert result.best_epoch == 1
    assert steps(tmp_path) == [5, 14, 15]
    assert newest(tmp_path).best_step == 5


def test_without_validation_there_is_no_best(go, tmp_path, every_step):
    go(Checkpoints(tmp_path), valid=False)
    assert steps(tmp_path) == [13, 14, 15]
    assert newest(tmp_path).best_step is None


def test_the_disk_is_given_a_twentieth_of_the_time(go, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    written = []

    class Slow(Checkpoints):
        def _write(self, run, state, *, finished=False):
            written.append(clock[0])
            began = clock[0]
            clock[0] += 2.0  # a slow disk
            super()._write(run, state, finished=finished)
            self._ended, self._took = clock[0], clock[0] - began

    class Tick(Callback):
        def on_batch_end(self, run):
            clock[0] += 1.0

    go(Tick(), Slow(tmp_path), max_epochs=30)
    # Epochs of 5 s, 2 s a checkpoint: 38 s must go by between two, which is at the end of the 8th epoch.
    assert written[:3] == [5.0, 47.0, 89.0]


def test_a_long_epoch_is_not_lost(go, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])

    class Tick(Callback):
        def on_batch_end(self, run):
            clock[0] += 25.0

    go(Tick(), Checkpoints(tmp_path, keep=99))
    assert steps(tmp_path) == [3, 5, 8, 10, 13, 15]


def test_a_broken_one_is_named_and_the_one_before_is_taken(go, tmp_path, every_step):
    go(Checkpoints(tmp_path))
    broken = tmp_path / "step-00000015.recurra"
    broken.write_bytes(broken.read_bytes()[:-3])
    with pytest.warns(TrainingWarning) as caught:
        assert newest(tmp_path).step == 14
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith("A checkpoint cannot be used and the one before it is taken: ")
    assert "step-00000015.recurra: cut short" in text


def test_none_and_none_whole(tmp_path):
    assert newest(tmp_path / "absent") is None
    assert newest(tmp_path) is None
    (tmp_path / "step-00000001.recurra").write_bytes(b"")
    with pytest.warns(TrainingWarning, match="it has 0 bytes"):
        assert newest(tmp_path) is None


def test_other_files_are_no_checkpoints_and_stay(go, tmp_path, every_step):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".step-00000009.recurra.x1.part").write_text("half")
    (tmp_path / ".mine.part").write_text("mine")
    go(Checkpoints(tmp_path))
    names = {p.name for p in tmp_path.iterdir()}
    assert {"notes.txt", ".mine.part"} < names
    assert ".step-00000009.recurra.x1.part" not in names
    checkpoints.remove(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"notes.txt", ".mine.part"}


def test_ctrl_c_keeps_the_very_batch(go, tmp_path):
    class Stop(Callback):
        def on_batch_end(self, run):
            if (run.epoch, run.batch) == (2, 3):
                raise KeyboardInterrupt

    whole, _ = go()
    with pytest.raises(KeyboardInterrupt):
        go(Stop(), Checkpoints(tmp_path))
    assert newest(tmp_path).step == 8
    again, _ = go(start=newest(tmp_path).state)
    assert same(whole, again)


def test_a_model_is_no_checkpoint_and_a_newer_schema_asks_for_an_update(tmp_path):
    path = tmp_path / "step-00000001.recurra"
    store.save(path, {"kind": "model"}, {})
    with pytest.raises(StoreError, match=r"holds a model, not a checkpoint\.$"):
        read(path)
    store.save(path, {"kind": "checkpoint", "schema": 2, "recurra": "9.0"}, {})
    with pytest.raises(
        StoreError, match=r"by recurra 9\.0 as checkpoint schema 2; .* reads 1\. Update recurra\.$"
    ):
        read(path)
    store.save(path, {"kind": "checkpoint", "schema": 1, "step": "1"}, {})
    with pytest.raises(StoreError, match=r"damaged: its manifest is incomplete or makes no sense\.$"):
        read(path)


def test_a_lying_state_is_an_error_not_a_crash(go, tmp_path, every_step):
    go(Checkpoints(tmp_path))
    path = tmp_path / "step-00000015.recurra"
    manifest, arrays = store.load(path)
    for change in (
        lambda tree, a: tree.pop("state"),
        lambda tree, a: tree["state"].update(dict=[]),
        lambda tree, a: tree["state"]["dict"].pop(),
        lambda tree, a: tree["state"]["dict"].__setitem__(1, ["epoch", {"dict": []}]),
        lambda tree, a: a.update({name: np.zeros(1) for name in a if "exp_avg" in name}),
        lambda tree, a: a.update({name: np.zeros((), np.float32) for name in a if "exp_avg" in name}),
        lambda tree, a: a.clear(),
    ):
        tree, changed = copy.deepcopy(manifest), dict(arrays)
        change(tree, changed)
        store.save(path, tree, changed)
        with pytest.raises(StoreError):
            go(start=read(path).state)
