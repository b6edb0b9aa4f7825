"""What the one `fit` promises for all ten estimators."""

import numpy as np
import pytest
import torch

import recurra
from every_task import SEQUENCES, TASKS, fit, make
from recurra.errors import UsageError
from recurra.estimators.base import NotFittedError
from recurra.options import ESTIMATORS, options_of
from recurra.training import checkpoints
from recurra.training.callbacks import Callback


class StopAt(Callback):
    """Stop like Ctrl-C, in the middle of an epoch."""

    def __init__(self, epoch, batch):
        self.place, self.seen = (epoch, batch), 0

    def on_batch_end(self, run):
        self.seen += 1
        if (run.epoch, run.batch) == self.place:
            raise KeyboardInterrupt


def weights(estimator):
    return estimator.model_.weights


def assert_same(one, other):
    assert weights(one).keys() == weights(other).keys()
    for name, array in weights(one).items():
        np.testing.assert_array_equal(array, weights(other)[name])


def test_the_table_is_complete():
    assert set(TASKS) == set(ESTIMATORS)


@pytest.mark.parametrize("name", TASKS)
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(name, tmp_path):
    whole = fit(make(name))
    stop = StopAt(2, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(make(name, checkpoint_dir=tmp_path, callbacks=[stop]))
    assert stop.seen > 1
    resumed = fit(make(name, checkpoint_dir=tmp_path), resume=True)
    assert_same(whole, resumed)
    assert [r["train_loss"] for r in whole.history_] == [r["train_loss"] for r in resumed.history_]


@pytest.mark.parametrize("name", TASKS)
def test_another_training_is_not_gone_on_with(name, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(make(name, checkpoint_dir=tmp_path, callbacks=[StopAt(2, 1)]))
    with pytest.raises(UsageError, match="has not come to its end"):
        fit(make(name, checkpoint_dir=tmp_path))
    with pytest.raises(UsageError, match="hidden_size is 4"):
        fit(make(name, checkpoint_dir=tmp_path, hidden_size=4), resume=True)


@pytest.mark.parametrize("name", TASKS)
def test_a_fitted_one_goes_on_from_its_weights(name):
    estimator = fit(make(name, max_epochs=8, learning_rate=0.02))
    before = estimator.history_[-1]["train_loss"]
    first = fit(make(name, max_epochs=1, learning_rate=0.02)).history_[0]["train_loss"]
    estimator.set_params(max_epochs=1)
    after = fit(estimator, resume=True).history_[0]["train_loss"]
    assert abs(after - before) < abs(after - first)


@pytest.mark.parametrize("name", TASKS)
def test_nothing_to_go_on_from_is_said(name):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        fit(make(name), resume=True)


@pytest.mark.parametrize("name", TASKS)
def test_no_global_generator_is_touched(name):
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - it is what is checked
    one, other = fit(make(name)), fit(make(name))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(numpys, np.random.get_state()[1])  # noqa: NPY002
    assert_same(one, other)


@pytest.mark.parametrize("name", TASKS)
def test_a_device_that_is_none_is_refused(name):
    with pytest.raises(UsageError, match="device"):
        fit(make(name, device="the moon"))


@pytest.mark.parametrize("name", TASKS)
def test_options_that_were_decided_by_the_data_stay_as_they_were_given(name):
    estimator = make(name)
    before = estimator.get_params()
    fit(estimator)
    assert estimator.get_params() == before


def _stop_in_second(writer, run):
    if run.config.seed == 1 and (run.epoch, run.batch) == (2, 1):
        raise KeyboardInterrupt


ENSEMBLES = [name for name in TASKS if "members" in options_of(ESTIMATORS[name])]


@pytest.mark.parametrize("name", ENSEMBLES)
def test_members_answer_by_their_mean_and_survive_the_file_and_a_stop(name, tmp_path, monkeypatch):
    both = fit(make(name, members=2))
    alone = [fit(make(name, random_state=seed)) for seed in (0, 1)]
    for number, one in enumerate(alone):  # each as if it had been trained by itself
        begin = "0." if name == "Forecaster" else ""
        for key, array in weights(one).items():
            np.testing.assert_array_equal(array, weights(both)[f"{number}.{key.removeprefix(begin)}"])
    X = TASKS[name][1][0]
    ours, first, second = (flat(one, X) for one in (both, *alone))
    np.testing.assert_allclose(ours, (first + second) / 2, atol=1e-5)
    both.save(tmp_path / "m.recurra")
    np.testing.assert_array_equal(flat(recurra.load_model(tmp_path / "m.recurra"), X), ours)
    monkeypatch.setattr(checkpoints.Checkpoints, "on_batch_end", _stop_in_second)
    with pytest.raises(KeyboardInterrupt):
        fit(make(name, members=2, checkpoint_dir=tmp_path))
    monkeypatch.undo()
    assert_same(fit(make(name, members=2, checkpoint_dir=tmp_path), resume=True), both)


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceRegressor", "SequenceLabeler"])
@pytest.mark.parametrize("chunk", [1, 3])
def test_a_stream_of_members_is_the_whole_and_goes_on_elsewhere(name, chunk):
    model = fit(make(name, members=3)).model_
    rows = SEQUENCES[0]
    stream, found = model.stream(), []
    for first in range(0, len(rows), chunk):
        answer = stream.push(rows[first : first + chunk])
        found.append(answer.value if name == "SequenceRegressor" else answer.probabilities)
        other = model.stream()
        other.state = stream.state
        stream = other
    whole = (model.predict if name == "SequenceRegressor" else model.predict_proba)([rows])[0]
    np.testing.assert_array_equal(np.concatenate(found) if name == "SequenceLabeler" else found[-1], whole)


def flat(estimator, X):
    found = estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else estimator.predict(X)
    return np.concatenate([np.ravel(one) for one in found])


def own_network(input_size, output_size):
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = recurra.nn.GRU(input_size, 4)
            self.head = torch.nn.Linear(4, output_size)

        def forward(self, inputs):
            return self.head(self.layer(inputs)[1][0])

    return Own()


def test_members_of_an_own_network_begin_apart_and_come_back_from_the_file(tmp_path):
    name = "SequenceClassifier"
    both = fit(make(name, members=2, network=own_network))
    for number in (0, 1):
        for key, array in weights(fit(make(name, random_state=number, network=own_network))).items():
            np.testing.assert_array_equal(array, weights(both)[f"{number}.{key}"])
    both.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra", network=own_network)
    np.testing.assert_array_equal(flat(again, SEQUENCES), flat(both, SEQUENCES))
