"""A number per time step, several of them, and quantiles; in the units they were given in."""

import numpy as np
import pytest

import recurra
from recurra import SequenceRegressor
from recurra.errors import DataError, ShapeError, UsageError

QUICK = {"hidden_size": 8, "max_epochs": 30, "learning_rate": 0.02, "random_state": 0, "verbose": 0}


def ragged(n=30, targets=1, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(3, 9), 2)) for _ in range(n)]
    columns = [np.stack([1000 + 50 * x[:, 0], x[:, 1]], axis=1)[:, :targets] for x in X]
    y = [c[:, 0] if targets == 1 else c for c in columns]
    return X, y


@pytest.mark.parametrize("targets", [1, 2])
def test_a_number_per_step_in_its_own_unit(targets, tmp_path):
    X, y = ragged(targets=targets)
    model = SequenceRegressor(**QUICK).fit(X, y)
    predicted = model.predict(X)
    assert [p.shape for p in predicted] == [t.shape for t in y]
    assert model.score(X, y) > 0.8
    judged = model.evaluate(X, y)
    assert judged.metrics["n_test"] == len(X)
    assert judged.metrics["n_test_steps"] == sum(len(x) for x in X)
    assert judged.metrics["rmse"] < judged.metrics["rmse_baseline"] / 2
    assert "<html" in judged.to_html()[:300]
    model.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra").predict(X)
    for mine, theirs in zip(predicted, again, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light").predict(X)
    np.testing.assert_array_equal(light[3], predicted[3])


def test_a_stream_gives_what_the_whole_gives():
    X, y = ragged()
    model = SequenceRegressor(**QUICK | {"max_epochs": 2}).fit(X, y)
    stream = model.stream()
    values = [stream.step(row).value for row in X[0].astype(np.float64)]
    np.testing.assert_allclose(np.ravel(values), model.predict(X[:1])[0], rtol=1e-6)


def test_arrays_of_another_length_than_the_steps_are_not_numbers_per_step():
    X, y = ragged()
    with pytest.raises((DataError, ShapeError, ValueError)):
        SequenceRegressor(**QUICK).fit(X, [own[:-1] for own in y])
    model = SequenceRegressor(**QUICK | {"max_epochs": 1}).fit(X, y)
    with pytest.raises(DataError, match="sequence 0 must have one number per time step"):
        model.evaluate(X, [own[:-1] for own in y])


def test_several_targets_per_sequence_stay_a_table():
    X, _ = ragged()
    y = np.stack([[x.mean() * 1000, x.max()] for x in X])
    model = SequenceRegressor(**QUICK).fit(X, y)
    assert model.predict(X).shape == (30, 2)


@pytest.mark.parametrize("per_step", [False, True])
def test_quantiles_rise_and_the_answer_is_the_median(per_step):
    X, y = ragged(60)
    rng = np.random.default_rng(1)
    y = (
        [own + rng.normal(0, 20, size=len(own)) for own in y]
        if per_step
        else np.array([own[-1] for own in y])
    )
    model = SequenceRegressor(**QUICK, loss="quantile", quantiles=(0.1, 0.5, 0.9)).fit(X, y)
    quantiles, point = model.predict_quantiles(X), model.predict(X)
    if per_step:
        quantiles, point, y = (np.concatenate(list(part)) for part in (quantiles, point, y))
        inside = np.mean((y >= quantiles[:, 0]) & (y <= quantiles[:, 2]))
        assert 0.6 < inside < 0.95
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_array_equal(quantiles[:, 1], point)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("per_step", [False, True])
def test_how_much_of_the_truth_the_quantiles_hold_is_judged(per_step, targets):
    X, y = ragged(40)
    y = y if per_step else [own[-1] for own in y]
    y = y if targets == 1 else [np.stack([own, 3 - own], axis=-1) for own in y]
    y = y if per_step else np.array(y)
    options = QUICK | {"max_epochs": 3}
    model = SequenceRegressor(**options, loss="quantile", quantiles=(0.05, 0.2, 0.6)).fit(X, y)
    judged, found = model.evaluate(X, y), model.predict_quantiles(X)
    found, y = (np.concatenate(list(part)) for part in (found, y)) if per_step else (found, y)
    inside = (found[..., 0] <= y) & (y <= found[..., 2])
    assert 0.05 < inside.mean() < 0.95
    assert judged.metrics["coverage"] == pytest.approx(inside.mean())
    assert judged.metrics["coverage_nominal"] == 0.55
    assert f"The 55 % interval holds {100 * inside.mean():.0f} % of the truth." in judged.summary()


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("per_step", [False, True])
def test_streams_give_the_quantiles(per_step, targets, tmp_path):
    X, y = ragged(12)
    y = y if per_step else [own[-1] for own in y]
    y = y if targets == 1 else [np.stack([own, 3 - own], axis=-1) for own in y]
    options = QUICK | {"max_epochs": 2, "causal": True}
    model = SequenceRegressor(**options, loss="quantile", quantiles=(0.1, 0.5, 0.9)).fit(
        X, y if per_step else np.array(y)
    )
    expected = model.predict_quantiles(X[:1])[0]
    expected = expected[-1] if per_step else expected
    answer = model.stream().push(X[0])
    np.testing.assert_array_equal(answer.quantiles, expected)
    np.testing.assert_array_equal(answer.value, expected[..., 1])
    several = recurra.Streams(model)
    for row in X[0]:
        found = several.step({"a": row})
    np.testing.assert_array_equal(found.quantiles[0], expected)
    plain = SequenceRegressor(**options).fit(X, y if per_step else np.array(y))
    assert plain.stream().push(X[0]).quantiles is None
    plain.save(tmp_path / "m.recurra")
    with pytest.raises(UsageError, match="predict_quantiles: SequenceRegressor has no quantiles"):
        recurra.load_model(tmp_path / "m.recurra", runtime="light").predict_quantiles(X)


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"frontend": "patches"}])
@pytest.mark.parametrize("targets", [1, 2])
def test_how_far_gradients_reach_is_told(options, targets):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(steps, 2)) for steps in (40, 57, 33, 48)]
    y = [x.cumsum(axis=0)[:, 0 if targets == 1 else slice(2)] for x in X]
    model = SequenceRegressor(**QUICK | {"max_epochs": 2} | options).fit(X, y)
    norms = model.gradient_flow(X, y).layers[0].norms
    assert len(norms) == 4
    assert all((own > 0).all() for own in norms)  # every step has an error of its own


@pytest.mark.parametrize("loss", [{}, {"loss": "quantile", "quantiles": (0.6, 0.9)}])
def test_without_quantiles_around_the_median_nothing_is_said_of_an_interval(loss):
    X, y = ragged()
    model = SequenceRegressor(**QUICK | {"max_epochs": 1} | loss).fit(X, y)
    assert "coverage" not in model.evaluate(X, y).metrics


def test_messages():
    X, y = ragged()
    with pytest.raises(UsageError, match="loss must be one of 'mse', 'mae', 'quantile'; got 'gaussian'"):
        SequenceRegressor(**QUICK, loss="gaussian").fit(X, y)
    with pytest.raises(UsageError, match="quantiles must rise"):
        SequenceRegressor(**QUICK, loss="quantile", quantiles=(0.9, 0.1)).fit(X, y)
    model = SequenceRegressor(**QUICK | {"max_epochs": 1}).fit(X, y)
    with pytest.raises(UsageError, match="has no quantiles"):
        model.predict_quantiles(X)
