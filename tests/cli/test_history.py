"""``history.jsonl`` grows with every epoch and holds what the documentation says."""

import re

import recurra
from recurra.cli import history
from recurra.cli.run_folder import RunFolder
from recurra.training.callbacks import Callback


def test_the_documented_keys_are_the_keys(tmp_path):
    grown = []

    class Watch(Callback):
        def on_epoch_begin(self, run):
            grown.append(len(RunFolder(tmp_path / "run").history()))

    words = {"hidden_size": 2, "max_epochs": 3, "verbose": 0}
    run = recurra.train("japanese-vowels", out=tmp_path / "run", seed=0, callbacks=[Watch()], **words)
    assert grown == [0, 1, 2]
    rows = RunFolder(tmp_path / "run").history()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    documented = set(re.findall(r"``(\w+)``", history.__doc__))
    assert set(rows[0]) - {"valid_accuracy"} == documented
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in run.estimator.history_]
