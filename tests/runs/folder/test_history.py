"""``history.jsonl`` grows with every epoch and holds what the documentation says."""

import re
from pathlib import Path

import pytest

import recurra
from recurra.runs.folder import history
from recurra.runs.folder.files import RunFolder
from recurra.training.callbacks import Callback


@pytest.mark.usefixtures("no_charts")
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


PAGE = Path(recurra.__file__).parents[2] / "docs" / "history.md"


@pytest.mark.filterwarnings("ignore:train. gradients vanish")  # two units learn little in nine epochs
@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not beside the installed package")
@pytest.mark.usefixtures("no_charts")
def test_the_page_names_every_key(tmp_path):
    words = {
        "hidden_size": 2,
        "max_epochs": 9,
        "verbose": 0,
        "validation_fraction": 0.2,
        "curriculum": 10,
    }
    recurra.train("japanese-vowels", out=tmp_path / "run", seed=0, **words)
    keys = set().union(*RunFolder(tmp_path / "run").history())
    assert {"gradient_horizon", "length_limit", "valid_accuracy"} <= keys
    table = PAGE.read_text().split("## The safe file")[0]
    documented = {
        key
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }
    assert keys | {"valid_rmse"} == documented
