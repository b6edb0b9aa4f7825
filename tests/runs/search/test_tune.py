import json
import multiprocessing
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, StoreError, UsageError
from recurra.runs.search.study import Study
from recurra.runs.search.trial import StopEarly
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
    assert any(re.fullmatch(r"Trial 2 of 2: log loss [\d.e-]+ with [a-z_]+=.*", line) for line in lines)
    page = (tmp_path / "s" / "search.html").read_text()
    assert "What mattered" in page
    again = recurra.tune(dataset, **words)
    assert again.run is None
    assert again.trials == found.trials


def separable(n):
    rng = np.random.default_rng(0)
    data = [rng.normal(loc=(i % 2, i // 2 % 2), scale=0.4, size=(5, 2)) for i in range(n)]
    return recurra.load(data, labels=[f"c{i % 4}" for i in range(n)])


# Three steps at the usual learning rate learn little, at these nearly everything.
FASTER = {
    "max_epochs": 3,
    "batch_size": 256,
    "hidden_size": 8,
    "search": ["learning_rate=0.05..0.1"],
    "seed": 1,
    "verbose": 0,
}


def test_a_trial_that_is_better_by_more_than_chance_takes_the_place_of_the_default(tmp_path):
    found = recurra.tune(separable(200), out=tmp_path / "s", trials=3, **FASTER)
    assert found.best["trial"] > 0
    assert found.best["value"] < found.trials[0]["value"]
    assert found.why.startswith(
        f"Trial {found.best['trial'] + 1} was better than the default by more than chance: log_loss"
    )
    assert found.why.endswith(").")
    kept = found.run.estimator.get_params()
    assert kept["learning_rate"] == found.best["parameters"]["learning_rate"]


def test_the_default_stays_where_no_trial_is_better_by_more_than_chance(tmp_path):
    words = {**FASTER, "search": ["learning_rate=0.0009..0.0011"]}  # about the default's
    found = recurra.tune(separable(120), out=tmp_path / "s", trials=3, **words)
    assert found.best["trial"] == 0
    assert found.why.startswith("No setting was better than the default")
    assert found.why in (tmp_path / "s" / "search.html").read_text().replace("&#39;", "'")
    own = {name: value for name, value in FASTER.items() if name != "search"}
    plain = recurra.train(separable(120), out=tmp_path / "plain", **own)
    assert found.run.metrics["log_loss"] == plain.metrics["log_loss"]
    mine, theirs = (run.estimator.model_.weights for run in (found.run, plain))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_on_too_few_cases_to_tell_the_figure_decides_and_it_is_said(tmp_path):
    """Five sequences, each better, are better by chance once in 16 times; after two tries once in 8."""
    found = recurra.tune(separable(30), out=tmp_path / "s", trials=3, **FASTER)
    values = [row["value"] for row in found.trials]
    assert found.best["trial"] == int(np.argmin(values)) > 0
    assert f"Trial {found.best['trial'] + 1} has the best figure, which may be chance: log_loss" in found.why
    assert found.why.endswith("on too little to tell.")


def test_trials_judged_on_other_items_do_not_take_the_place_of_the_default(tmp_path):
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(300) / 4) + rng.normal(scale=0.1, size=300)
    data = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=300, freq="h"), "load": values})
    found = recurra.tune(
        data, "forecast", out=tmp_path / "s", trials=4, search=["horizon=2..6"], max_epochs=1, hidden_size=4,
        verbose=0, seed=0,
    )  # fmt: skip
    assert found.run is not None
    if found.best["trial"]:
        assert "may be chance" in found.why
    else:
        assert "judged on other items" in found.why or "No setting was better than the default: " in found.why


def test_a_search_that_goes_on_decides_anew_until_its_choice_is_trained(tmp_path, monkeypatch):
    words = {"out": tmp_path / "s", **FASTER}

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("recurra.runs.search.tune.execute", killed)
        with pytest.raises(KeyboardInterrupt):
            recurra.tune(separable(200), trials=1, **words)
    assert json.loads((tmp_path / "s" / "choice.json").read_text())["trial"] == 0
    if (tmp_path / "s" / "best").exists():  # begun, before it was killed
        shutil.rmtree(tmp_path / "s" / "best")
    found = recurra.tune(separable(200), trials=3, **words)
    assert found.best["trial"] > 0
    later = recurra.tune(separable(200), trials=4, **words)
    assert later.best["trial"] == found.best["trial"]
    assert later.why == f"{found.why} 1 later trial came when this one was trained already."


def test_what_is_chosen_stands_however_often_a_search_is_killed_and_whoever_asks(tmp_path, monkeypatch):
    words = {"out": tmp_path / "s", "trials": 3, **FASTER}
    data = separable(200)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("recurra.runs.search.tune.execute", killed)
        with pytest.raises(KeyboardInterrupt):
            recurra.tune(data, **words)
    content = json.loads((tmp_path / "s" / "choice.json").read_text())
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        told = pool.map(asked, [words] * 2)
    assert {(trial, why) for trial, why, _ in told} == {(content["trial"], content["why"])}
    assert sum(trained for _, _, trained in told) == 1
    (tmp_path / "s" / "choice.json").unlink()  # as when it was killed before
    assert asked(words)[:2] == (content["trial"], content["why"])
    odd = (
        "[" * 100_000,
        '{"trial": Infinity, "why": "x"}',
        '{"trial": -1, "why": "x"}',
        '{"trial": 7, "why": "x"}',
    )
    for content in odd:
        (tmp_path / "s" / "choice.json").write_text(content)
        with pytest.raises(StoreError, match=r"choice\.json: is damaged\. Remove it to decide again\."):
            asked(words)
    (tmp_path / "s" / "search.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match=r"search\.json: is damaged\. Begin another search"):
        asked(words)


def asked(words):
    found = recurra.tune(separable(200), **words)
    return found.best["trial"], found.why, found.run is not None


def test_the_first_trial_is_never_stopped_early():
    class Told:
        def __init__(self, number):
            self.number = number

        def report(self, value, step):
            pass

        def should_prune(self):
            return True

    class Training:
        history = ({"valid_loss": 1.0, "epoch": 5},)
        asked = False

        def ask_to_stop(self):
            self.asked = True

    for number in (0, 1):
        stop, training = StopEarly(Told(number), float("inf")), Training()
        stop.on_epoch_end(training)
        assert (stop.pruned, training.asked) == (bool(number), bool(number))


def test_every_task_has_a_figure():
    assert set(FIGURES) == set(TASKS)


def test_without_labels_there_is_nothing_to_judge_anomalies_by(tmp_path):
    with pytest.raises(DataError, match="the data have no labels"):
        recurra.tune([np.zeros((30, 1)) + i for i in range(4)], task="anomaly", out=tmp_path / "s")
