"""Static inputs of classifier, regressor and labeler: on data where a sequence alone says nothing."""

import numpy as np
import pytest

import recurra
from recurra import SequenceClassifier, SequenceLabeler, SequenceRegressor
from recurra.errors import DataError, RecurraError, RecurraWarning, UsageError
from recurra.records import Dataset, Record
from recurra.training.callbacks import Callback

TASKS = {"classifier": SequenceClassifier, "regressor": SequenceRegressor, "labeler": SequenceLabeler}


def made(task, n=120, seed=0):
    """Return X, y, static: the answer is what the sequence says, turned round by the sensor or times the age."""
    rng = np.random.default_rng(seed)
    side, sensor, age = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.normal(50, 10, n)
    X = [rng.normal(2 * s - 1, 1, (int(rng.integers(8, 14)), 2)) for s in side]
    static = [{"sensor": "old" if k else "new", "age": a} for k, a in zip(sensor, age, strict=True)]
    if task == "classifier":
        return X, np.array(["no", "yes"])[side ^ sensor], static
    if task == "regressor":
        return X, (2 * side - 1) * (age - 50), static
    return X, [((x[:, 0] > 0) ^ bool(k)).astype(int) for x, k in zip(X, sensor, strict=True)], static


def estimator(task, **options):
    options = {"max_epochs": 15, "hidden_size": 24, "learning_rate": 0.01, **options}
    return TASKS[task](random_state=0, verbose=0, **options)


@pytest.fixture(scope="module", params=TASKS)
def trained(request):
    X, y, static = made(request.param)
    return request.param, estimator(request.param).fit(X, y, static=static), (X, y, static)


def bits(answers):
    return b"".join(np.asarray(one).tobytes() for one in answers)


# ------------------------------------------------------------------------------------------- solved


def test_the_task_is_solved_with_static_inputs_and_not_without(trained):
    task, fitted, (X, y, _) = trained
    test = made(task, seed=1)
    assert fitted.score(test[0], test[1], static=test[2]) > 0.9
    alone = estimator(task).fit(X, y).score(test[0], test[1])
    assert alone < (0.2 if task == "regressor" else 0.7)


@pytest.mark.parametrize("task", ["classifier", "regressor"])
def test_the_recipe_solves_it_too(task):
    X, y, static = made(task, n=80)
    test = made(task, seed=1)
    fitted = TASKS[task](random_state=0, verbose=0).fit(X, y, static=static)
    assert fitted.model_.wide is not None
    assert fitted.score(test[0], test[1], static=test[2]) > (0.75 if task == "regressor" else 0.95)


def test_static_inputs_alone_may_decide():
    X, _, static = made("classifier")
    y = [row["sensor"] for row in static]
    test = made("classifier", seed=1)
    fitted = estimator("classifier").fit(X, y, static=static)
    assert fitted.score(test[0], [row["sensor"] for row in test[2]], static=test[2]) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "pooling": "attention", "num_layers": 2},
        {"frontend": "convolutions", "causal": True},
        {"frontend": {"name": "patches", "window": 4}, "pooling": ("mean", "max")},
        {"bidirectional": True, "members": 2},
        {"features": {"name": "statistics", "window_s": 4, "hop_s": 2, "sample_rate_hz": 1}},
        {"missing": "mask"},
        {"tbptt": 5, "cell": "rnn"},
    ],
    ids=lambda options: "-".join(options),
)
def test_every_design_takes_them(options, tmp_path):
    X, y, static = made("classifier", n=40)
    fitted = estimator("classifier", **{"max_epochs": 3, **options}).fit(X, y, static=static)
    before = fitted.predict_proba(X, static=static)
    fitted.save(tmp_path / "m.recurra")
    for runtime in ("full", "light"):
        loaded = recurra.load_model(tmp_path / "m.recurra", runtime=runtime)
        assert loaded.predict_proba(X, static=static).tobytes() == before.tobytes()
    other = [{**row, "sensor": "new" if row["sensor"] == "old" else "old"} for row in static]
    assert not np.array_equal(fitted.predict_proba(X, static=other), before)


# ------------------------------------------------------------------------------------------- the same answers


def test_light_runtime_and_batches_give_the_same_bits(trained, tmp_path):
    _, fitted, (X, _, static) = trained
    fitted.save(tmp_path / "m.recurra")
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light")
    whole = fitted.predict(X, static=static)
    assert bits(light.predict(X, static=static)) == bits(whole)
    single = [fitted.predict([x], static=[row])[0] for x, row in zip(X, static, strict=True)]
    assert bits(single) == bits(whole)
    turned = fitted.predict(X[::-1], static=static[::-1])
    assert bits(turned[::-1]) == bits(whole)


def test_order_and_repetition_of_the_data_do_not_matter():
    X, y, static = made("classifier", n=40)
    one = estimator("classifier", max_epochs=2).fit(X, y, static=static)
    turned = estimator("classifier", max_epochs=2).fit(X[::-1], y[::-1], static=static[::-1])
    assert bits(one.model_.weights.values()) == bits(turned.model_.weights.values())
    twice = estimator("classifier", max_epochs=2).fit([*X, *X], [*y, *y], static=[*static, *static])
    weighed = estimator("classifier", max_epochs=2).fit(X, y, static=static, sample_weight=np.full(40, 2.0))
    assert bits(twice.model_.weights.values()) == bits(weighed.model_.weights.values())


def test_equal_sequences_with_other_static_inputs_are_two():
    x = np.ones((5, 1))
    X, static = [x] * 40, [["a"], ["b"]] * 20
    fitted = estimator("classifier", max_epochs=40, learning_rate=0.05).fit(X, ["a", "b"] * 20, static=static)
    assert fitted.predict([x, x], static=[["a"], ["b"]]).tolist() == ["a", "b"]
    assert len(fitted.trained_on_.whole) == 2
    found = fitted.evaluate([x, x], ["a", "b"], static=[["a"], ["b"]])
    assert found.metrics["n_trained_on"] == 2
    assert fitted.evaluate([x, x + 1], ["a", "b"], static=[["a"], ["b"]]).metrics["n_trained_on"] == 1


def test_training_goes_on_bit_for_bit(tmp_path):
    class Stop(Callback):
        def on_batch_end(self, run):
            if run.epoch == 3:
                raise KeyboardInterrupt

    X, y, static = made("classifier", n=40)
    whole = estimator("classifier", max_epochs=5).fit(X, y, static=static)
    first = estimator("classifier", max_epochs=5, checkpoint_dir=tmp_path, callbacks=[Stop()])
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, y, static=static)
    again = estimator("classifier", max_epochs=5, checkpoint_dir=tmp_path)
    with pytest.raises(DataError, match="the data are not those"):
        again.fit(X, y, static=[{**row, "age": row["age"] ** 2} for row in static], resume=True)
    again.fit(X, y, static=static, resume=True)
    assert bits(again.model_.weights.values()) == bits(whole.model_.weights.values())


def test_a_fitted_network_goes_on_with_its_scaling_and_categories():
    X, y, static = made("classifier", n=40)
    fitted = estimator("classifier", max_epochs=2).fit(X, y, static=static)
    before = fitted.model_.static
    with pytest.warns(RecurraWarning, match="'sensor' that the network does not know, such as 'other'"):
        fitted.fit(X, y, static=[{"age": 3, "sensor": "other"}] * 40, resume=True)
    assert fitted.model_.static == before
    with pytest.raises(DataError, match="trained with the static inputs 'sensor', 'age'"):
        fitted.fit(X, y, resume=True)


# ------------------------------------------------------------------------------------------- what is learned


def test_scale_and_categories_are_of_the_training_part_alone():
    X, y, static = made("classifier", n=60)
    judges = made("classifier", n=20, seed=3)
    odd = [{"sensor": "strange", "age": 1e6}] * 20
    fitted = estimator("classifier", max_epochs=1).fit(
        X, y, static=static, validation=(judges[0], judges[1], odd)
    )
    age = fitted.model_.static.columns[1]
    assert np.isclose(age.center, np.mean([row["age"] for row in static]))
    assert fitted.model_.static.columns[0].categories == ("new", "old")
    with pytest.raises(DataError, match="validation: the network was trained with the static inputs"):
        estimator("classifier").fit(X, y, static=static, validation=judges[:2])


def test_held_out_sequences_do_not_move_the_scale():
    X, y, static = made("classifier", n=300)
    fitted = estimator("classifier", max_epochs=1, validation_fraction=0.2).fit(X, y, static=static)
    everything = np.mean([row["age"] for row in static])
    assert not np.isclose(fitted.model_.static.columns[1].center, everything, rtol=1e-9)


def test_a_dataset_brings_its_own():
    X, y, static = made("classifier", n=60)
    records = [
        Record(x, label=label, static=[row["sensor"], row["age"]])
        for x, label, row in zip(X, y, static, strict=True)
    ]
    data = Dataset(records, static_names=["sensor", "age"])
    fitted = estimator("classifier", max_epochs=2).fit(data)
    plain = estimator("classifier", max_epochs=2).fit(X, y, static=static)
    assert bits(fitted.model_.weights.values()) == bits(plain.model_.weights.values())
    turned = Dataset(
        [Record(r.values, label=r.label, static=r.static[::-1]) for r in records],
        static_names=["age", "sensor"],
    )
    whole = fitted.predict_proba(X, static=static)
    assert fitted.predict_proba(data).tobytes() == fitted.predict_proba(turned).tobytes() == whole.tobytes()
    assert fitted.evaluate(data).metrics["n_trained_on"] == 60
    halves = estimator("classifier", max_epochs=1).fit(
        data.take(range(40)), validation=data.take(range(40, 60))
    )
    assert halves.model_.static_size == 3


def test_unknown_and_missing_are_said():
    X, y, static = made("classifier", n=40)
    fitted = estimator("classifier", max_epochs=1).fit(X, y, static=static)
    with pytest.warns(RecurraWarning, match="'sensor' that the network does not know, such as 'odd'"):
        fitted.predict(X[:1], static=[{"sensor": "odd", "age": 3}])
    with pytest.warns(RecurraWarning, match="'age' is missing for 1 of 1 sequence"):
        fitted.predict(X[:1], static=[{"sensor": "old", "age": None}])


# ------------------------------------------------------------------------------------------- where it ends


def test_sentences(trained):
    _, fitted, (X, _, static) = trained
    who = type(fitted).__name__
    with pytest.raises(
        DataError, match=f"{who}: the network was trained with the static inputs 'sensor', 'age'"
    ):
        fitted.predict(X)
    with pytest.raises(DataError, match=f"{who}: static must have one row per sequence, 2; got 1"):
        fitted.predict(X[:2], static=static[:1])
    plain = estimator("classifier", max_epochs=1).fit(X, np.arange(len(X)) % 2)
    with pytest.raises(UsageError, match="was trained without static inputs; leave static= out"):
        plain.predict(X, static=static)


def test_texts_and_clips_take_none():
    with pytest.raises(
        UsageError, match="static= is for SequenceClassifier, SequenceRegressor and SequenceLabeler"
    ):
        recurra.TextClassifier(verbose=0).fit(["a b", "c d"] * 5, [0, 1] * 5, static=[[1]] * 10)


def test_words_of_a_labeler_take_them():
    X, static = [["a", "b"], ["b", "a", "a"]] * 20, [["up"]] * 20 + [["down"]] * 20
    y = [[row[0] + w for w in x] for x, row in zip(X, static, strict=True)]
    tagger = SequenceLabeler(random_state=0, verbose=0, max_epochs=30, learning_rate=0.03)
    tagger.fit(X, y, static=static)
    assert tagger.predict([["a", "b"]], static=[["down"]])[0].tolist() == ["downa", "downb"]
    assert tagger.score(X, y, static=static) == 1


def test_a_network_of_the_users_own_reads_them_behind_every_row():
    import torch

    class Own(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.sizes = (inputs, outputs)
            self.lstm, self.head = recurra.nn.LSTM(inputs, 16), torch.nn.Linear(16, outputs)

        def forward(self, ragged):
            _, (h, _) = self.lstm(ragged)
            return self.head(h[-1])

    X, y, static = made("classifier")
    fitted = estimator("classifier", network=Own).fit(X, y, static=static)
    assert fitted.torch_network().sizes == (2 + 3, 2)
    test = made("classifier", seed=1)
    assert fitted.score(test[0], test[1], static=test[2]) > 0.9


def test_a_budget_takes_them():
    X, y, static = made("classifier", n=45)
    fitted = SequenceClassifier(random_state=0, verbose=0, budget_s=4).fit(X, y, static=static)
    test = made("classifier", seed=1)
    assert fitted.score(test[0], test[1], static=test[2]) > 0.8


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.eye(2, dtype=int)[np.arange(20) % 2], "Several labels at once are not offered"),
        ([["x", "y"], ["x"]] * 10, "Several labels at once are not offered"),
        ([{"x", "y"}] * 20, "Several labels at once are not offered"),
        ({"kind": ["a", "b"] * 10, "age": [1.0] * 20}, "Several targets of different kinds are not offered"),
        ([["a", "b"] * 10, np.ones(20)], "Several targets of different kinds are not offered"),
        ([("a", 1.0)] * 20, "Several targets of different kinds are not offered"),
        ([{"kind": "a", "age": 1.0}] * 20, "Several targets of different kinds are not offered"),
    ],
)
def test_several_labels_or_targets_are_refused_in_a_sentence(y, words):
    X = list(np.random.default_rng(0).normal(size=(20, 5, 1)))
    with pytest.raises(RecurraError, match=words):
        SequenceClassifier(verbose=0).fit(X, y)
    if not isinstance(y, np.ndarray):
        with pytest.raises(RecurraError):
            SequenceRegressor(verbose=0).fit(X, y)


# ------------------------------------------------------------------------------------------- looking inside


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "gradient_times_input"])
def test_explanations_tell_of_static_inputs_beside_the_steps(method):
    X, y, static = made("classifier")
    y = np.array([row["sensor"] for row in static])
    fitted = estimator("classifier", missing="mask").fit(X, y, static=static)
    found = fitted.explain(X[0], static=static[0], method=method)
    assert found.values.shape == X[0].shape
    (sensor, value, share), (age, number, other) = found.static
    assert (sensor, value, age, number) == ("sensor", static[0]["sensor"], "age", static[0]["age"])
    if method != "gradient_times_input":  # where the network is sure its slope is none
        assert share > 3 * abs(other)
        assert abs(share) > np.abs(found.per_step).max()
    assert f"static inputs: sensor ({value})" in found.summary()
    assert found.to_dict()["static"][0] == {"name": "sensor", "value": value, "contribution": share}
    if method == "integrated_gradients":
        total = found.values.sum() + share + other
        assert np.isclose(total - found.error, found.details["change"], atol=1e-5)
    labels = [tick.get_text() for ax in found.plot().axes for tick in ax.get_yticklabels()]
    assert f"sensor {value}" in labels


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"frontend": "convolutions"},
        {"features": {"name": "statistics", "window_s": 4, "sample_rate_hz": 1}},
    ],
    ids=["plain", "front", "features"],
)
def test_explanations_traces_and_flow_of_every_design(options):
    X, y, static = made("classifier", n=40)
    fitted = estimator("classifier", max_epochs=2, members=2, **options).fit(X, y, static=static)
    for method in ("integrated_gradients", "occlusion"):
        assert len(fitted.explain(X[0], static=static[0], method=method).static) == 2
    assert len(fitted.trace(X[0], static=static[0]).layers) == 1
    assert fitted.gradient_flow(X, y, static=static).summary()
    with pytest.raises(DataError, match="trained with the static inputs"):
        fitted.explain(X[0])


def test_the_wide_part_is_explained_by_occlusion():
    X, y, static = made("classifier", n=80)
    fitted = SequenceClassifier(random_state=0, verbose=0).fit(X, y, static=static)
    (sensor, _, share), (_, _, age) = fitted.explain(X[0], static=static[0], method="occlusion").static
    assert sensor == "sensor"
    assert abs(share) > abs(age)


def test_drawing_and_report_tell_of_them(trained, tmp_path):
    _, fitted, (X, y, static) = trained
    drawn = recurra.draw.network(fitted)
    assert "Static inputs, 'sensor', 'age': 3 numbers beside each step" in drawn.description
    fitted.evaluate(X, y, static=static).save(tmp_path / "report.html")
    assert "5 inputs, 3 of them static" in (tmp_path / "report.html").read_text()


def test_an_export_to_c_has_no_place_for_them(tmp_path):
    X, y, static = made("classifier", n=40)
    fitted = estimator("classifier", max_epochs=1).fit(X, y, static=static)
    with pytest.raises(UsageError, match="no place for static inputs"):
        fitted.export(tmp_path / "c", to="c")
    assert not (tmp_path / "c").exists()
