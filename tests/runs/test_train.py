"""``recurra.train`` in Python: the task, refusals, the seed, and an end that was asked for."""

import json

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.interrupts import Interrupted
from recurra.records import Dataset, Record
from recurra.runs.plan import seed_of
from recurra.training.callbacks import Callback

# Small and quick: these networks need not be good.
TINY = {"hidden_size": 6, "max_epochs": 3, "learning_rate": 0.02, "verbose": 0}


def numbers(n=30):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(4, 9), 2)) for _ in range(n)]
    return Dataset(
        [Record(x, label=float(x.mean()), name=f"s{i}") for i, x in enumerate(X)], source="numbers"
    )


def steps(n=24):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(4, 9), 2)) for _ in range(n)]
    return Dataset([Record(x, label=np.where(x[:, 0] > 0, "up", "down")) for x in X], source="steps")


def test_labels_choose_the_task(tmp_path):
    one = recurra.train(numbers(), out=tmp_path / "numbers", seed=0, **TINY)
    assert type(one.estimator).__name__ == "SequenceRegressor"
    assert {"rmse", "mae", "rmse_baseline"} <= set(one.metrics)
    config = json.loads((one.path / "config.json").read_text())
    assert config["split"] == "20% are held out at random: 24 train, 6 test."
    assert config["data_kind"] == "python"
    assert (one.path / "figures" / "predicted-against-true.svg").exists()
    two = recurra.train(steps(), out=tmp_path / "steps", seed=0, **TINY)
    assert type(two.estimator).__name__ == "SequenceLabeler"
    assert two.metrics["n_test_steps"] > two.metrics["n_test"]
    with pytest.raises(DataError, match="the task 'classify' needs classes; the labels are numbers"):
        recurra.train(numbers(), "classify", out=tmp_path / "x", **TINY)
    with pytest.raises(DataError, match="needs one label per sequence; the data have one per time step"):
        recurra.train(steps(), "classify", out=tmp_path / "x", **TINY)


@pytest.mark.usefixtures("no_charts")
def test_objects_of_python_are_judged_again_only_when_given(tmp_path):
    run = recurra.train(numbers(), out=tmp_path / "run", seed=0, **TINY)
    with pytest.raises(UsageError, match="was trained on objects of Python; give the data to judge on"):
        recurra.evaluate(run.path)
    assert recurra.evaluate(run.path, numbers()).metrics["n_test"] == 30


@pytest.mark.parametrize(("value", "kind"), [(np.inf, "infinity"), (np.nan, "NaN")])
@pytest.mark.usefixtures("no_charts")
def test_a_value_that_cannot_be_judged_is_refused_before_training(tmp_path, value, kind):
    data, test = numbers(), numbers(8)
    test[3].values[1, 0] = value
    with pytest.raises(DataError, match=f"contains {kind} at step 1, channel 0"):
        recurra.train(data, "regress", out=tmp_path / "r", test=test, max_epochs=1, hidden_size=3, seed=0)
    assert not (tmp_path / "r").exists()
    if kind == "NaN":
        recurra.train(
            data,
            "regress",
            out=tmp_path / "r",
            test=test,
            max_epochs=1,
            hidden_size=3,
            seed=0,
            missing="mask",
        )


@pytest.mark.usefixtures("no_charts")
def test_seed_and_random_state_are_one_word(tmp_path):
    assert seed_of(None, 3) == seed_of(3, None) == 3
    with pytest.raises(UsageError, match="seed and random_state are the same word; got 1 and 2"):
        seed_of(1, 2)
    with pytest.raises(UsageError, match="seed must be a whole number of at least 0; got -1"):
        seed_of(-1, None)


def test_an_unknown_word_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"train: there is no word 'hiden_size'\. Did you mean 'hidden_size'\?"
    ):
        recurra.train(numbers(), out=tmp_path / "run", hiden_size=3)
    with pytest.raises(UsageError, match=r"task must be one of .*got 'clasify'\. Did you mean 'classify'\?"):
        recurra.train(numbers(), "clasify", out=tmp_path / "run")


def test_callbacks_are_called_and_ctrl_c_leaves_a_checkpoint(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, run):
            if run.history[-1]["epoch"] == 2:
                raise KeyboardInterrupt

    with pytest.raises(
        Interrupted, match=r"where training stood is kept\. Go on with: recurra resume .*run$"
    ):
        recurra.train(numbers(), out=tmp_path / "run", seed=0, callbacks=[Stop()], **TINY)
    left = sorted(p.name for p in (tmp_path / "run").iterdir())
    assert left == ["checkpoints", "config.json", "history.jsonl"]
