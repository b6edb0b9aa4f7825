import json

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.runs.search.study import Study
from recurra.runs.search.tune import FIGURES
from recurra.runs.tasks import TASKS

pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("ignore::recurra.errors.RecurraWarning")


def study(folder, **about):
    def suggest(trial):
        return {"hidden_size": trial.suggest_int("hidden_size", 2, 8)}

    return Study(folder, {"task": "classify", **about}, suggest=suggest, smaller_is_better=True)


def test_no_trial_is_lost_or_done_twice(tmp_path):
    one, other = study(tmp_path), study(tmp_path)
    first, second = one.next(3, begin=True), other.next(3, begin=True)
    assert (first.number, second.number) == (0, 1)
    assert one.parameters(first) == {}
    tried = other.parameters(second)
    assert one.next(2, begin=True) is None  # both are under way
    second.lock.release()  # as when its process dies
    taken_up = one.next(2, begin=False)
    assert taken_up.number == 1
    assert one.parameters(taken_up) == tried
    one.tell(taken_up, 0.5)
    one.tell(first, 0.7)
    third = other.next(3, begin=True)
    assert third.number == 2
    other.tell(third, None)
    assert other.next(3, begin=True) is None
    assert [row["state"] for row in one.rows()] == ["complete", "complete", "fail"]
    assert one.best()["trial"] == 1
    assert one.under_way() == 0


def test_another_search_is_not_joined(tmp_path):
    study(tmp_path, seed=0)
    with pytest.raises(
        UsageError, match=r"holds a search with seed=0; got 1\. Give the same to go on with it"
    ):
        study(tmp_path, seed=1)


def test_the_best_is_trained_again_and_judged_once_and_a_second_call_does_nothing(tmp_path):
    rng = np.random.default_rng(0)
    data = [rng.normal(loc=i % 2, size=(5, 2)) for i in range(30)]
    dataset = recurra.load(data, labels=[f"c{i % 2}" for i in range(30)])
    words = {
        "out": tmp_path / "s",
        "trials": 2,
        "max_epochs": 1,
        "search": ["hidden_size=2..4"],
        "verbose": 0,
    }
    lines = []
    found = recurra.tune(dataset, tell=lines.append, **words)
    assert [row["state"] for row in found.trials] == ["complete", "complete"]
    assert found.run.metrics["n_test"] == 6
    assert found.run.metrics["n_train"] == 24
    assert [
        json.loads((tmp_path / "s" / "trials" / f"000{i}" / "metrics.json").read_text())["n_test"]
        for i in (0, 1)
    ] == [5, 5]
    assert any(line.startswith("Trial 2 of 2: log_loss") for line in lines)
    page = (tmp_path / "s" / "search.html").read_text()
    assert "What mattered" in page
    again = recurra.tune(dataset, **words)
    assert again.run is None
    assert again.trials == found.trials


def test_every_task_has_a_figure():
    assert set(FIGURES) == set(TASKS)


def test_without_labels_there_is_nothing_to_judge_anomalies_by(tmp_path):
    with pytest.raises(DataError, match="the data have no labels"):
        recurra.tune([np.zeros((30, 1)) + i for i in range(4)], task="anomaly", out=tmp_path / "s")
