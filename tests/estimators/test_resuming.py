"""`checkpoint_dir` and ``fit(..., resume=True)``: the same weights, the same data, the same words."""

import os
import signal

import numpy as np
import pytest

import recurra
from recurra.batches.examples import Examples
from recurra.errors import DataError, UsageError
from recurra.features.prepared_rows import PreparedRows
from recurra.fitting import manifest, resuming
from recurra.options import options_of
from recurra.recipes import recipe
from recurra.training import checkpoints
from recurra.training.callbacks import Callback


class StopAt(Callback):
    def __init__(self, epoch, batch):
        self.place = (epoch, batch)

    def on_batch_end(self, run):
        if (run.epoch, run.batch) == self.place:
            raise KeyboardInterrupt


def data(n=36, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(int(rng.integers(3, 8)), 2)) + i % 2 for i in range(n)]
    return X, ["up" if i % 2 else "down" for i in range(n)]


def make(**words):
    words = {"hidden_size": 4, "max_epochs": 4, "batch_size": 9, "dropout": 0.2, "verbose": 0, **words}
    return recurra.SequenceClassifier(**{"random_state": 3, **words})


def interrupted(folder, *, at=(3, 2), **words):
    with pytest.raises(KeyboardInterrupt):
        make(checkpoint_dir=folder, callbacks=[StopAt(*at)], **words).fit(*data())


def same(one, other):
    a, b = one.model_.weights, other.model_.weights
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("at", [(1, 1), (2, 4), (4, 3)])
def test_resumed_weights_are_those_of_the_uninterrupted_training(tmp_path, at):
    whole = make().fit(*data())
    interrupted(tmp_path, at=at)
    resumed = make(checkpoint_dir=tmp_path).fit(*data(), resume=True)
    assert same(whole, resumed)
    assert [row["train_loss"] for row in resumed.history_] == [row["train_loss"] for row in whole.history_]


def test_ctrl_c_in_the_last_validation_ends_all_members_and_resuming_makes_them_up(tmp_path):
    class Press(Callback):
        def on_epoch_end(self, run):
            if run.epoch > 4:
                os.kill(os.getpid(), signal.SIGINT)

    whole = make(members=2).fit(*data())
    with pytest.raises(KeyboardInterrupt):
        make(members=2, checkpoint_dir=tmp_path, callbacks=[Press()]).fit(*data())
    assert not (tmp_path / "member-1").exists()
    assert same(whole, make(members=2, checkpoint_dir=tmp_path).fit(*data(), resume=True))


def test_the_seed_that_was_drawn_is_taken_from_the_checkpoint(tmp_path):
    interrupted(tmp_path, random_state=None)
    seed = checkpoints.newest(tmp_path).identity["seed"]
    resumed = make(checkpoint_dir=tmp_path, random_state=None).fit(*data(), resume=True)
    assert resumed.seed_ == seed
    assert same(resumed, make(random_state=seed).fit(*data()))


def test_what_an_earlier_version_decided_goes_on(tmp_path, monkeypatch):
    """A bare call whose recipe has other values by now; those that the checkpoint was written with hold."""
    now = recipe._network

    def bare(folder=None, **words):
        return recurra.SequenceClassifier(random_state=3, verbose=0, checkpoint_dir=folder, **words)

    with monkeypatch.context() as then:
        then.setattr(
            recipe, "_network", lambda facts: {**now(facts), "dropout": 0.6, "max_epochs": 4, "batch_size": 9}
        )
        whole = bare().fit(*data())
        with pytest.raises(KeyboardInterrupt):
            bare(tmp_path, callbacks=[StopAt(3, 2)]).fit(*data())
    monkeypatch.setattr(recipe, "_network", lambda facts: {**now(facts), "max_epochs": 4, "batch_size": 7})
    resumed = bare(tmp_path).fit(*data(), resume=True)
    assert same(whole, resumed)
    assert resumed.model_.manifest["params"]["dropout"] == 0.6
    assert not same(resumed, bare().fit(*data()))


def test_resume_begins_where_there_is_no_checkpoint_yet(tmp_path):
    assert same(make(checkpoint_dir=tmp_path / "new").fit(*data(), resume=True), make().fit(*data()))


def test_an_unfinished_training_is_not_thrown_away(tmp_path):
    interrupted(tmp_path)
    before = checkpoints.steps(tmp_path)
    with pytest.raises(UsageError) as caught:
        make(checkpoint_dir=tmp_path).fit(*data())
    assert str(caught.value) == (
        f"SequenceClassifier: checkpoint_dir {str(tmp_path)!r} holds the checkpoints of a training that has not come to "
        "its end. Go on with fit(..., resume=True), or give another folder."
    )
    assert checkpoints.steps(tmp_path) == before


def test_every_value_that_is_learned_from_counts():
    def digest(X, y=(0, 1), weights=None, validation=None):
        judges = None if validation is None else Examples(validation, np.array([0, 1]))
        return resuming.identity(0, {}, Examples(X, np.array(y), weights), judges)["data"]

    X = [np.zeros((3, 2)), np.ones((4, 2))]
    other = [X[0], X[1] + np.eye(4, 2) * 1e-3]
    prepared = PreparedRows(X, lambda rows, place: rows)
    found = [
        digest(X),
        digest(other),
        digest(X, y=(1, 0)),
        digest(X, weights=np.array([1.0, 2.0])),
        digest(X, validation=X),
        digest(X, validation=other),
    ]
    assert len(set(found)) == len(found)
    assert digest(prepared) == found[0]


def test_other_data_are_refused(tmp_path):
    interrupted(tmp_path)
    X, y = data()
    for changed in ((X[:-1], y[:-1]), ([X[0] + 1e-3, *X[1:]], y), (X, [y[1], *y[1:]])):
        with pytest.raises(
            DataError, match=r"the data are not those that .*step-\d+\.recurra was written with\. "
        ):
            make(checkpoint_dir=tmp_path).fit(*changed, resume=True)
    assert checkpoints.steps(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"learning_rate": 0.1},
            r"learning_rate is 0\.1, but .* was written with 0\.002\. Give the same words",
        ),
        ({"lr_schedule": "cosine"}, "lr_schedule is 'cosine', but .* was written with 'constant'"),
        ({"hidden_size": 5}, "hidden_size is 5, but .* was written with 4"),
        ({"random_state": 4}, r"random_state is 4, but .* was written with 3\. Give the same to go on"),
    ],
)
def test_other_words_are_refused(tmp_path, words, said):
    interrupted(tmp_path)
    with pytest.raises(UsageError, match=said):
        make(checkpoint_dir=tmp_path, **words).fit(*data(), resume=True)


def test_a_finished_training_is_replaced_or_made_longer(tmp_path):
    first = make(checkpoint_dir=tmp_path, max_epochs=2).fit(*data())
    longer = make(checkpoint_dir=tmp_path, max_epochs=4).fit(*data(), resume=True)
    assert same(longer, make(max_epochs=4).fit(*data()))
    again = make(checkpoint_dir=tmp_path, max_epochs=2).fit(*data())
    assert same(first, again)
    assert checkpoints.newest(tmp_path).step == 8


def test_a_fitted_estimator_is_tuned_further_and_that_can_be_stopped_too(tmp_path):
    new = data(20, seed=1)
    tuned = make().fit(*data()).fit(*new, resume=True)
    clf = make(checkpoint_dir=tmp_path).fit(*data())
    clf.set_params(callbacks=[StopAt(2, 1)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*new, resume=True)
    clf.set_params(callbacks=[])
    assert same(clf.fit(*new, resume=True), tuned)
    assert not same(clf, make().fit(*data()))


def test_the_model_file_says_nothing_about_the_folder(tmp_path):
    clf = make(checkpoint_dir=tmp_path / "c").fit(*data())
    clf.save(tmp_path / "m.recurra")
    assert str(tmp_path).encode() not in (tmp_path / "m.recurra").read_bytes()
    assert recurra.load_model(tmp_path / "m.recurra").checkpoint_dir is None


@pytest.mark.parametrize("wrong", [3, "", ["a"]])
def test_a_folder_that_is_none(wrong):
    with pytest.raises(UsageError, match="checkpoint_dir must be the path of a folder; got"):
        make(checkpoint_dir=wrong).fit(*data())


@pytest.mark.parametrize("kind", ["SequenceRegressor", "SequenceLabeler"])
def test_every_estimator_goes_on(tmp_path, kind):
    X, _ = data()
    y = (
        [float(x.mean()) for x in X]
        if kind == "SequenceRegressor"
        else [(x[:, 0] > 0).astype(int) for x in X]
    )
    words = {"hidden_size": 4, "max_epochs": 3, "batch_size": 9, "random_state": 0, "verbose": 0}
    estimator = getattr(recurra, kind)
    with pytest.raises(KeyboardInterrupt):
        estimator(checkpoint_dir=tmp_path, callbacks=[StopAt(2, 2)], **words).fit(X, y)
    resumed = estimator(checkpoint_dir=tmp_path, **words).fit(X, y, resume=True)
    assert same(resumed, estimator(**words).fit(X, y))


def _without(name, identity):
    return {**identity, "words": {n: value for n, value in identity["words"].items() if n != name}}


def test_what_was_written_before_an_option_existed_goes_on_with_its_default(tmp_path, monkeypatch):
    """Every option in turn is the one that an earlier version does not know."""
    options = options_of(recurra.SequenceClassifier)
    names = [name for name in manifest.plain_params(make()) if name not in resuming.FREE]
    names = [name for name in names if getattr(make(), name) == options[name].default]
    names.remove("wide")  # which the recipe decides
    assert {"class_weight", "shards", "pooling", "optimizer"} <= set(names)
    whole, true = make(max_epochs=2).fit(*data()), resuming.identity
    for name in names:
        with monkeypatch.context() as patch:
            patch.setattr(resuming, "identity", lambda *words, no=name: _without(no, true(*words)))
            interrupted(tmp_path / name, at=(2, 2), max_epochs=2)
        assert name not in checkpoints.newest(tmp_path / name).identity["words"]
        assert same(whole, make(checkpoint_dir=tmp_path / name, max_epochs=2).fit(*data(), resume=True))
    interrupted(tmp_path / "other", shards=2)
    with pytest.raises(UsageError, match="shards is 1, but .* was written with 2"):
        make(checkpoint_dir=tmp_path / "other").fit(*data(), resume=True)
