"""What fit promises: classes, weights, groups, missing values, resuming, own networks, saving."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

import recurra
from recurra import Dataset, Record, SequenceClassifier, SequenceLabeler, SequenceRegressor
from recurra.errors import DataError, ShapeError, UsageError
from recurra.fitting.task import Start
from recurra.fitting.tasks.sequences import split
from recurra.inputs.request import Request
from recurra.nn.heads.pooling import mean as mean_pooling

QUICK = {"hidden_size": 8, "max_epochs": 5, "random_state": 0, "verbose": 0}


def message(error, function, *args, **kwargs):
    with pytest.raises(error) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def two_classes(n=40, seed=0, names=("down", "up")):
    rng = np.random.default_rng(seed)
    X = [rng.normal(loc=3 * (i % 2), size=(rng.integers(2, 8), 2)) for i in range(n)]
    return X, [names[i % 2] for i in range(n)]


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (SequenceClassifier, {"hidden_size": np.int64(4), "learning_rate": np.float32(0.25), "bidirectional": np.True_}),
        (SequenceRegressor, {"loss": "quantile", "quantiles": np.array([0.25, 0.5, 0.75]), "dropout": np.float32(0.25)}),
        (recurra.Forecaster, {"lags": np.array([4, 6]), "season": np.int32(6), "horizon": np.int16(4)}),
        (recurra.Forecaster, {"lags": np.int64(4), "season": [np.int64(6), 12], "quantiles": (np.float32(0.25), 0.5)}),
    ],
)  # fmt: skip
def test_options_may_be_numpys_numbers(made, options, tmp_path):
    """They do in the model file what Python's do, and the parameters stay as they were given."""
    if made is recurra.Forecaster:
        given, options = (np.sin(np.arange(60.0)),), {"horizon": 4, "loss": "quantile", **options}
    else:
        X, y = two_classes(12)
        given = (X, y if made is SequenceClassifier else np.arange(12.0))
    fitted = made(**{**QUICK, "max_epochs": 1, **options}).fit(*given)
    for name, value in options.items():
        assert fitted.get_params()[name] is value
    plain = {
        name: np.asarray(value).tolist() if not isinstance(value, str) else value
        for name, value in options.items()
    }
    same = made(**{**QUICK, "max_epochs": 1, **plain}).fit(*given)
    for one, name in ((fitted, "one.recurra"), (same, "same.recurra")):
        one.save(tmp_path / name)
    one, other = (recurra.load_model(tmp_path / name) for name in ("one.recurra", "same.recurra"))
    np.testing.assert_array_equal(one.predict(given[0]), other.predict(given[0]))
    assert one.model_.manifest["params"] == other.model_.manifest["params"]


def test_a_run_takes_numpys_numbers(tmp_path):
    X, y = two_classes(12)
    words = {
        "hidden_size": np.int64(4),
        "learning_rate": np.float32(0.25),
        "max_epochs": np.int64(1),
        "verbose": 0,
    }
    data = Dataset([Record(x, label=label) for x, label in zip(X, y, strict=True)])
    run = recurra.train(data, out=tmp_path / "run", seed=np.int64(3), **words)
    assert run.path.exists()
    assert recurra.load_model(tmp_path / "run" / "model.recurra").get_params()["hidden_size"] == 4


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_cell_and_pooling_learns(cell, pooling):
    X, y = two_classes()
    words = {**QUICK, "max_epochs": 30, "learning_rate": 0.02}
    assert SequenceClassifier(cell=cell, pooling=pooling, **words).fit(X, y).score(X, y) > 0.9


def test_regressor_gives_numbers_in_their_own_units():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(3, 9), 1)) for _ in range(60)]
    y = np.array([[1e4 + 100 * x.mean(), -x.sum()] for x in X])
    regressor = SequenceRegressor(**{**QUICK, "max_epochs": 60, "learning_rate": 0.02}, pooling="mean").fit(
        X, y
    )
    assert regressor.predict(X).shape == (60, 2)
    assert regressor.score(X, y) > 0.6
    assert abs(regressor.predict(X)[:, 0].mean() - 1e4) < 50


def test_labeler_gives_a_label_for_every_step():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(3, 9), 1)) for _ in range(40)]
    y = [np.where(x[:, 0] > 0, "high", "low") for x in X]
    labeler = SequenceLabeler(**{**QUICK, "max_epochs": 30, "learning_rate": 0.02}).fit(X, y)
    predicted = labeler.predict(X)
    assert predicted.dtype == object
    assert [len(labels) for labels in predicted] == [len(x) for x in X]
    assert labeler.score(X, y) > 0.9
    np.testing.assert_allclose(np.concatenate(list(labeler.predict_proba(X))).sum(axis=1), 1, rtol=1e-5)


def test_probabilities_sum_to_one_and_agree_with_the_labels():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK).fit(X, y)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert (clf.classes_[proba.argmax(axis=1)] == clf.predict(X)).all()


def test_dataset_and_arrays_are_the_same():
    X, y = two_classes()
    data = Dataset([Record(x, label=label) for x, label in zip(X, y, strict=True)])
    first = SequenceClassifier(**QUICK).fit(data).predict_proba(data)
    np.testing.assert_array_equal(first, SequenceClassifier(**QUICK).fit(X, y).predict_proba(X))


def test_three_dimensional_array_is_a_list_of_sequences():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4, 2)), np.arange(30) % 2
    first = SequenceClassifier(**QUICK).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(first, SequenceClassifier(**QUICK).fit(list(X), y).predict_proba(list(X)))


# ------------------------------------------------------------------ weights


def test_balanced_class_weight_helps_the_rare_class():
    rng = np.random.default_rng(0)
    y = np.array([0] * 90 + [1] * 10)
    X = [rng.normal(loc=label, size=(3, 1)) for label in y]
    words = {**QUICK, "max_epochs": 15}
    plain = SequenceClassifier(**words).fit(X, y).predict_proba(X)[:, 1].mean()
    balanced = SequenceClassifier(**words, class_weight="balanced").fit(X, y).predict_proba(X)[:, 1].mean()
    assert balanced > plain + 0.1


def test_class_weight_dictionary_equals_sample_weights():
    X, y = two_classes()
    weights = np.where(np.array(y) == "up", 3.0, 1.0)
    # scaling none: sample weights also weigh the scaling, class weights only the loss
    by_class = (
        SequenceClassifier(**QUICK, scaling="none", class_weight={"up": 3.0}).fit(X, y).predict_proba(X)
    )
    by_sample = SequenceClassifier(**QUICK, scaling="none").fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_allclose(by_class, by_sample, atol=1e-6)


def test_balanced_counts_a_weight_of_two_as_the_sequence_twice():
    X, y = two_classes(20)
    weights = np.arange(20) % 3
    clf = SequenceClassifier(**QUICK, class_weight="balanced")
    weighted = clf.fit(X, y, sample_weight=weights).predict_proba(X)
    repeated = [i for i in range(20) for _ in range(weights[i])]
    again = clf.fit([X[i] for i in repeated], [y[i] for i in repeated]).predict_proba(X)
    np.testing.assert_array_equal(weighted, again)


@pytest.mark.parametrize("weight", [float("nan"), -1, float("inf"), "2"])
def test_class_weight_that_is_none_is_named(weight):
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK, class_weight={np.str_("up"): weight})
    text = message(UsageError, clf.fit, X, y)
    assert text == f"SequenceClassifier: class_weight of 'up' must be a number of at least 0; got {weight!r}."


@pytest.mark.parametrize("weight", [2, "heavy"])
def test_class_weight_of_an_unknown_class_is_named(weight):
    X, y = two_classes()
    text = message(UsageError, SequenceClassifier(**QUICK, class_weight={"upp": weight}).fit, X, y)
    assert text == "SequenceClassifier: class_weight names 'upp', the classes are 'down', 'up'."


# --------------------------------------------------------- early stopping


def test_early_stopping_never_cuts_a_group():
    X, y = two_classes(400)
    groups = np.arange(400) // 20
    clf = SequenceClassifier(**QUICK, validation_fraction=0.2)
    start = Start("SequenceClassifier", seed=0)
    train, held_out = split(clf, clf.task.read(clf, Request(X, y, groups=groups), start), seed=0)
    assert 60 <= len(held_out.sequences) <= 100
    assert not set(train.groups.tolist()) & set(held_out.groups.tolist())


def test_given_validation_data_decides_and_the_best_weights_stay():
    X, y = two_classes(60)
    Xv, yv = two_classes(30, seed=1)
    clf = SequenceClassifier(**{**QUICK, "max_epochs": 40}, patience=3).fit(X, y, validation=(Xv, yv))
    losses = [epoch["valid_loss"] for epoch in clf.history_]
    assert clf.best_epoch_ == int(np.argmin(losses)) + 1


def test_validation_labels_must_be_known():
    X, y = two_classes()
    text = message(DataError, SequenceClassifier(**QUICK).fit, X, y, validation=(X[:1], ["sideways"]))
    assert "the label 'sideways' is none of the fitted classes 'down', 'up'" in text


# ----------------------------------------------------------- missing values


def test_missing_value_is_an_error_by_default_and_a_mask_by_choice():
    X, y = two_classes()
    X[3] = X[3].copy()
    X[3][1, 0] = np.nan
    text = message(DataError, SequenceClassifier(**QUICK).fit, X, y)
    assert "contains NaN at step 1, channel 0" in text
    assert "missing='mask'" in text
    clf = SequenceClassifier(**QUICK, missing="mask").fit(X, y)
    assert clf.model_.features.input_size == 4
    assert len(clf.predict(X)) == len(X)


def test_explanation_of_a_masked_model_has_the_channels_of_the_input():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK, missing="mask").fit(X, y)
    assert clf.explain(X[0]).values.shape == X[0].shape


# --------------------------------------------------------------- resuming


def test_resume_goes_on_from_the_fitted_weights():
    X, y = two_classes()
    clf = SequenceClassifier(**{**QUICK, "max_epochs": 30, "learning_rate": 0.02}).fit(X, y)
    before = clf.history_[-1]["train_loss"]
    scaling = clf.model_.features
    clf.set_params(max_epochs=1).fit(X, y, resume=True)
    assert clf.history_[0]["train_loss"] < 2 * before + 0.05
    assert clf.model_.features is scaling


def test_resume_with_a_new_class_is_refused():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK).fit(X, y)
    text = message(DataError, clf.fit, X[:2], ["up", "sideways"], resume=True)
    assert "the label 'sideways' is none of the fitted classes" in text


def test_resume_before_fit():
    assert "not fitted yet" in message(
        ValueError, SequenceClassifier(**QUICK).fit, *two_classes(), resume=True
    )


# ------------------------------------------------------------ own networks


class Own(torch.nn.Module):
    """A user's design: a linear layer, the mean over time."""

    def __init__(self, input_size, output_size):
        super().__init__()
        self.linear = torch.nn.Linear(input_size, output_size)

    def forward(self, ragged):
        return mean_pooling(ragged.replace(self.linear(ragged.values)))


def test_own_network_trains_saves_and_loads(tmp_path):
    X, y = two_classes()
    clf = SequenceClassifier(**{**QUICK, "max_epochs": 60, "learning_rate": 0.05}, network=Own).fit(X, y)
    assert clf.score(X, y) > 0.9
    clf.save(tmp_path / "own.recurra")
    again = recurra.load_model(tmp_path / "own.recurra", network=Own)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert "Pass the function: load_model(path, network=function)" in message(
        UsageError, recurra.load_model, tmp_path / "own.recurra"
    )
    assert "the weights do not fit the given network" in message(
        UsageError, recurra.load_model, tmp_path / "own.recurra", network=lambda i, o: torch.nn.Linear(1, 1)
    )


def test_own_network_must_be_a_module():
    text = message(UsageError, SequenceClassifier(**QUICK, network=lambda i, o: "lstm").fit, *two_classes())
    assert text == "SequenceClassifier: network must return a torch.nn.Module; got str."


# ------------------------------------------------------------- saving


def test_saved_model_comes_back_as_the_same_estimator(tmp_path):
    X, y = two_classes(names=(3, 7))
    clf = SequenceClassifier(**QUICK, bidirectional=True, class_weight={7: 2.0}).fit(X, y)
    clf.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    assert again.get_params()["class_weight"] == {7: 2.0}
    assert again.get_params()["hidden_size"] == 8
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.predict(X).dtype == clf.predict(X).dtype
    assert again.history_ == clf.history_
    again.fit(X, y, resume=True)


def test_pickle_for_parallel_search():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))


def test_loading_and_predicting_imports_no_torch(tmp_path):
    X, y = two_classes()
    SequenceClassifier(**QUICK).fit(X, y).save(tmp_path / "m.recurra")
    code = f"""
import sys, numpy as np, recurra
print(recurra.load_model({str(tmp_path / "m.recurra")!r}).predict([np.zeros((3, 2))])[0])
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() in ("up", "down")


# ------------------------------------------------------------- judgement


def test_evaluation_has_the_naive_answer_beside_every_figure(tmp_path):
    X, y = two_classes()
    evaluation = SequenceClassifier(**QUICK).fit(X, y).evaluate(*two_classes(20, seed=5))
    for figure in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"):
        assert f"{figure}_baseline" in evaluation.metrics
    assert evaluation.metrics["accuracy_baseline"] == 0.5
    assert evaluation.metrics["n_test"] == 20
    evaluation.save(tmp_path / "report.html")
    assert "SequenceClassifier" in (tmp_path / "report.html").read_text()


# -------------------------------------------------------------- bad words


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            {"cell": "ltsm"},
            "'lstm_norm', 'gru_norm', 'gru_before'; got 'ltsm'. Did you mean 'lstm'?",
        ),
        ({"hidden_size": 0}, "SequenceClassifier: hidden_size must be a whole number of at least 1; got 0."),
        ({"dropout": 1.0}, "SequenceClassifier: dropout must be a number in [0, 1); got 1.0."),
        ({"bidirectional": "yes"}, "SequenceClassifier: bidirectional must be True or False; got 'yes'."),
        ({"learning_rate": 0}, "SequenceClassifier: learning_rate must be a number greater than 0; got 0."),
        ({"class_weight": "balancd"}, "Did you mean 'balanced'?"),
        (
            {"callbacks": 3},
            "SequenceClassifier: callbacks must be a list of callback objects; got 3. Wrap it in a list.",
        ),
        (
            {"random_state": -1},
            "random_state must be None, a whole number of at least 0 or a generator; got -1.",
        ),
    ],
)
def test_bad_words_are_refused_in_fit(words, complaint):
    assert complaint in message(UsageError, SequenceClassifier(**{**QUICK, **words}).fit, *two_classes())


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["up"] * 39, "40 sequences in X, 39 entries in y"),
        (["up"] * 40, "y must hold at least two classes; all labels are 'up'"),
        (["up", None] * 20, "sequence 1 has no label"),
    ],
)
def test_bad_labels_are_named(y, complaint):
    X, _ = two_classes()
    assert complaint in message(DataError, SequenceClassifier(**QUICK).fit, X, y)


@pytest.mark.parametrize(
    ("value", "complaint"), [(np.nan, "sequence 5 contains NaN"), (np.inf, "sequence 5 contains infinity")]
)
def test_a_bad_value_is_named_where_the_user_has_it_before_anything_is_computed(value, complaint):
    X, y = two_classes()
    X[5][1, 1] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = message(DataError, SequenceClassifier(**QUICK).fit, X, y)
    assert complaint in text
    assert "at step 1, channel 1" in text


@pytest.mark.parametrize("validation", [0.2, ([np.zeros((3, 2))],)])
def test_validation_must_be_a_pair_or_a_dataset(validation):
    X, y = two_classes()
    text = message(UsageError, SequenceClassifier(**QUICK).fit, X, y, validation=validation)
    assert "validation must be a pair (X, y) or a Dataset" in text


def test_one_sequence_alone_is_told_from_a_table_of_sequences():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK).fit(X, y)
    text = message(ShapeError, clf.predict, np.zeros((8, 2)))
    assert "If X is one sequence, pass [X]: a two-dimensional X is read as one univariate" in text
    assert "turned round" not in text


def test_a_regressor_names_the_label_that_is_no_number():
    X, _ = two_classes()
    text = message(DataError, SequenceRegressor(**QUICK).fit, X, [1.0] * 39 + ["up"])
    assert text.startswith("SequenceRegressor: y must hold numbers; sequence 39 has 'up'.")


def test_steps_and_labels_must_agree():
    X = [np.zeros((3, 1)), np.zeros((4, 1))]
    text = message(DataError, SequenceLabeler(**QUICK).fit, X, [[0, 1, 0], [0, 1, 0]])
    assert text == (
        "SequenceLabeler: y: sequence 1 must have one label per time step; got 3 labels for 4 steps."
    )


def test_other_channels_at_prediction():
    X, y = two_classes()
    clf = SequenceClassifier(**QUICK).fit(X, y)
    assert "the fitted network expects 2 channels" in message(ShapeError, clf.predict, [np.zeros((3, 5))])


def test_memory_sqrt_learns_the_same_in_less():
    rng = np.random.default_rng(0)
    X = [rng.normal(loc=k % 2, size=(40 + k, 2)).astype(np.float32) for k in range(30)]
    y = [k % 2 for k in range(30)]
    words = {"hidden_size": 5, "max_epochs": 3, "patience": None, "random_state": 0, "verbose": 0}
    full, sqrt = (SequenceClassifier(memory=memory, **words).fit(X, y) for memory in ("full", "sqrt"))
    np.testing.assert_allclose(sqrt.predict_proba(X), full.predict_proba(X), atol=1e-4)
    with pytest.raises(UsageError, match=r"memory must be one of 'auto', 'full', 'sqrt'; got 'less'"):
        SequenceClassifier(memory="less", **words).fit(X, y)


def test_memory_reaches_layers_of_an_own_network(monkeypatch):
    from recurra.nn.layers import autograd_bridge

    seen = []
    real = autograd_bridge._forward_in_segments
    monkeypatch.setattr(autograd_bridge, "_forward_in_segments", lambda *a: seen.append(1) or real(*a))
    X, y = [np.ones((9, 1), np.float32)] * 4, [0.0, 1.0, 2.0, 3.0]

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = recurra.nn.GRU(1, 3)

        def forward(self, ragged):
            return self.layer(ragged)[1][-1, :, :1]

    SequenceRegressor(network=lambda i, o: Own(), memory="sqrt", max_epochs=1, verbose=0, random_state=0).fit(
        X, y
    )
    assert seen


# ---------------------------------------------------------------- channels by name


def test_channels_of_frames_are_found_by_name(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = two_classes(20)
    X = [np.c_[x[:, 0], -5 * x[:, 1]] for x in X]  # told apart, so that the order matters
    frames = [pandas.DataFrame(x, columns=["a", "b"]) for x in X]
    turned = [frame[["b", "a"]].assign(more=1.0) for frame in frames]
    mixed = [frame if i % 2 else frame[["b", "a"]] for i, frame in enumerate(frames)]
    fitted = SequenceClassifier(**QUICK).fit(mixed, y)
    fitted.model_.save(tmp_path / "model.recurra")
    # The first frame decides the order: b, a.
    expected = (
        SequenceClassifier(**QUICK).fit([x[:, ::-1] for x in X], y).predict_proba([x[:, ::-1] for x in X])
    )
    for model in (fitted, recurra.load_model(tmp_path / "model.recurra")):
        for given in (frames, turned, mixed, [x[:, ::-1] for x in X]):
            np.testing.assert_array_equal(model.predict_proba(given), expected)
        assert np.array_equal(model.explain(frames[3]).input, X[3][:, ::-1])
        data = Dataset(
            [Record(values=x, label=label) for x, label in zip(X, y, strict=True)], channel_names=["a", "b"]
        )
        np.testing.assert_array_equal(model.predict_proba(data), expected)
        said = message(DataError, model.predict, [frames[0], frames[1].rename(columns={"a": "aa"})])
        assert said == (
            "X: sequence 1 has no channel 'a'; the network is trained on 'b', 'a', here are 'aa', 'b'. "
            "Did you mean 'aa'? Rename the columns."
        )
