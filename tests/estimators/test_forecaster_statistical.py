"""The statistical part of a forecaster: its weight, its files, its states, and no bit moved by other series."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra import Forecaster, store
from recurra.errors import StoreError, UsageError
from recurra.recipes import weighing
from recurra.serving.statistical import smoothing

BARE = {"random_state": 0, "verbose": 0}


def passengers(seed=0, n=120):
    rng = np.random.default_rng(seed)
    time = np.arange(n)
    return np.exp(4.7 + 0.008 * time + 0.2 * np.sin(2 * np.pi * time / 12 + seed) + 0.02 * rng.normal(size=n))


@pytest.fixture(scope="module")
def several():
    return Forecaster(horizon=6, season=12, loss="quantile", **BARE).fit(
        [passengers(s, 60 + s) for s in range(3)]
    )


def weight(model):
    found = model.model_.manifest["statistical"]
    return None if found is None else found["weight"]


def test_a_short_series_is_forecast_without_the_network():
    values = passengers()
    model = Forecaster(horizon=12, season=12, **BARE).fit(values[:-12])
    assert weight(model) == 1
    sentence = model.model_.manifest["statistical"]["sentence"]
    assert sentence.startswith("Recipe: the statistical forecast alone, ")
    assert model.recipe_ == sentence
    assert "too short for a network" in sentence
    judged = model.evaluate(values[-12:]).metrics
    assert judged["mae"] < 0.75 * min(judged["mae_last_value"], judged["mae_seasonal_naive"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [1, 2])
def test_the_sentence_names_a_method_for_the_end_of_one_history_alone(seed, count):
    rng = np.random.default_rng(seed)
    kinds = (np.cumsum(rng.normal(size=60)), passengers(seed, 60), np.r_[rng.normal(size=40), np.ones(20)])
    walk, pattern = kinds[seed % 3], rng.normal(size=7)
    model = Forecaster(horizon=4, **BARE).fit(walk if count == 1 else [walk, walk[::-1]])
    (end, method) = re.search(
        r"forecast alone, chosen anew from each history that is forecast from \(at the end of the ([a-z ]+): (.+?)\), bec",
        model.recipe_,
    ).groups()
    assert end == ("history" if count == 1 else "first series")
    at_the_end = smoothing.forecast(walk, 4)
    assert method == at_the_end.method + (f", season {at_the_end.season}" * (at_the_end.season > 1))
    first = model.predict() if count == 1 else model.predict()[0]
    np.testing.assert_allclose(first, at_the_end.point, rtol=1e-6, atol=1e-9)
    # From another history it is another one: the value one season before, which is exact here.
    np.testing.assert_allclose(model.predict(np.resize(pattern, 70)), np.resize(pattern, 74)[-4:], rtol=1e-6)
    assert "one season of 7 steps before" not in model.recipe_


def test_a_pure_season_goes_on_exactly():
    pattern = np.random.default_rng(0).normal(size=12)
    model = Forecaster(horizon=12, season=12, **BARE).fit(np.resize(pattern, 60))
    np.testing.assert_allclose(model.predict(24), np.resize(pattern, 24), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("freq", "seasons"), [("h", (24, 168)), ("2h", (12, 84)), ("D", (7,)), ("bh", (8, 40)), ("MS", (12,))]
)
def test_a_week_beside_the_day_is_a_season_where_it_shows(freq, seasons):
    rng = np.random.default_rng(0)
    day, week = seasons[0], seasons[-1]
    time = np.arange(6 * week)
    plain = 10 * np.sin(2 * np.pi * time / day) + rng.normal(size=len(time))
    weekly = plain - 8 * (time // day % (week // day) == 0)
    for values, found in ((plain, seasons[:1]), (weekly, seasons), ([plain, weekly, weekly], seasons)):
        many = values if isinstance(values, list) else [values]
        series = [pd.Series(v, pd.date_range("2024-01-01 09:00", periods=len(v), freq=freq)) for v in many]
        model = Forecaster(horizon=4, max_epochs=1, **BARE).fit(series if len(series) > 1 else series[0])
        assert model.model_.features.seasons == found


def test_what_is_set_by_hand_leaves_the_network_alone():
    values = passengers()
    for name, value in (
        ("max_epochs", 1),
        ("hidden_size", 4),
        ("context", 13),
        ("level", 3),
        ("transform", "log"),
    ):
        model = Forecaster(horizon=6, statistical="auto", **{"max_epochs": 1, name: value}, **BARE).fit(
            values
        )
        assert weight(model) is None
    both = [np.stack([values, values], axis=1)]
    assert weight(Forecaster(horizon=6, statistical="auto", **BARE).fit([both[0][:40]])) is None
    assert weight(Forecaster(horizon=6, statistical=False, **BARE).fit(values[:40])) is None
    assert weight(Forecaster(horizon=6, statistical=True, max_epochs=1, **BARE).fit(both)) == 1
    with pytest.raises(UsageError, match="statistical"):
        Forecaster(statistical="always").fit(values)


def test_very_many_windows_are_thinned_without_a_rhythm(monkeypatch):
    monkeypatch.setattr(weighing, "MOST_WINDOWS", 40)
    monkeypatch.setattr(weighing, "STEPS_OF_EPOCH", 60 * 30)
    values = passengers(n=600)
    bare = Forecaster(horizon=6, season=12, **BARE).fit(values)
    steps = bare.model_.manifest["context"] + 6
    assert steps == 30
    most = {1.0: 40}.get(weight(bare), 60)
    assert bare.model_.manifest["training"]["windows"] == most
    assert [len(weighing.taught(bare, share, 571, steps)) for share in (1.0, 0.5)] == [40, 60]
    by_hand = Forecaster(horizon=6, season=12, statistical=True, max_epochs=1, **BARE).fit(values)
    assert by_hand.model_.manifest["training"]["windows"] == 571
    chosen = weighing.spread(12 * 500, 500)  # evenly spaced they would all begin in the same month
    assert np.array_equal(chosen // 12, np.arange(500))
    assert np.bincount(chosen % 12, minlength=12).min() > 20
    assert np.array_equal(weighing.spread(7, 7), np.arange(7))


def test_inputs_known_in_advance_leave_it_to_the_network():
    """What two inputs do together no regression on each sees."""
    rng = np.random.default_rng(0)
    promotion = rng.choice([-1.0, 1.0], size=(640, 2))
    values = 5 * promotion[:, 0] * promotion[:, 1] + 0.1 * rng.normal(size=640)
    model = Forecaster(horizon=6, **BARE).fit(values[:600], known=promotion)
    assert weight(model) == 0
    assert model.model_.manifest["statistical"]["sentence"].startswith("Recipe: the network alone, because")
    assert model.evaluate(values[600:]).metrics["skill"] > 0.5


@pytest.fixture(scope="module")
def shop():
    """Return 60 days of sales, their promotions with 8 days more, and a model of the first 50."""
    rng = np.random.default_rng(0)
    promotion = (rng.random((68, 1)) < 0.3).astype(float)
    sales = np.cumsum(rng.normal(size=60)) + 40 + 12 * promotion[:60, 0]
    model = Forecaster(horizon=8, loss="quantile", **BARE).fit(sales[:50], known=promotion)
    return sales, promotion, model


def test_a_short_series_reads_what_is_known_in_advance(shop):
    sales, _, model = shop
    assert weight(model) == 1
    assert "with what the inputs known in advance add" in model.recipe_
    judged = model.evaluate(sales[50:]).metrics
    assert judged["mae"] < 0.5 * judged["mae_last_value"]
    with_it, without = (model.predict(known=np.full((8, 1), there)) for there in (1.0, 0.0))
    np.testing.assert_allclose(with_it - without, 12, atol=2)


def test_a_series_that_moved_on_is_forecast_as_its_whole_history(shop):
    sales, promotion, model = shop
    moved = model.model_.begin(sales[:50, None], replace(model.states_[0].known, future=promotion))
    model.model_.advance(moved, sales[50:, None])
    whole = model.model_.at(sales[:, None], replace(moved.known, future=promotion), moved.scale, 60)
    np.testing.assert_array_equal(*(model.model_.outputs([state], 8) for state in (moved, whole)))


@pytest.mark.parametrize("steps", [30, 60, 100])
def test_static_inputs_of_short_series_are_told_to_change_nothing(steps):
    series = [passengers(seed, steps) for seed in range(3)]
    told = Forecaster(horizon=6, season=12, **BARE).fit(series, static=[[1.0], [2.0], [3.0]])
    plain = Forecaster(horizon=6, season=12, **BARE).fit(series)
    assert weight(told) == weight(plain) == 1
    for one, other in zip(told.predict(), plain.predict(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert told.recipe_.endswith("Static inputs change nothing there: each series is forecast by itself.")
    assert "Static" not in plain.recipe_


def test_files_with_and_without_inputs_known_in_advance(shop, tmp_path):
    _, promotion, model = shop
    model.save(tmp_path / "m.rcr")
    np.testing.assert_array_equal(recurra.load_model(tmp_path / "m.rcr").predict(), model.predict())
    manifest, arrays = store.load(tmp_path / "m.rcr")
    assert manifest["statistical"].pop("known") is True
    store.save(tmp_path / "old.rcr", manifest, arrays)
    old = recurra.load_model(tmp_path / "old.rcr")
    np.testing.assert_array_equal(old.predict(known=promotion[50:58] * 0), old.predict())
    manifest["statistical"]["known"] = 1
    store.save(tmp_path / "bad.rcr", manifest, arrays)
    with pytest.raises(StoreError):
        recurra.load_model(tmp_path / "bad.rcr")


def test_a_file_gives_the_same_bits(several, tmp_path):
    several.save(tmp_path / "m.rcr")
    loaded = recurra.load_model(tmp_path / "m.rcr")
    assert loaded.model_.manifest["statistical"] == several.model_.manifest["statistical"]
    for steps in (3, 6, 15):
        for found, expected in zip(loaded.predict(steps), several.predict(steps), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_file_without_a_statistical_part_is_forecast_by_its_network(several, tmp_path):
    several.save(tmp_path / "m.rcr")
    manifest, arrays = store.load(tmp_path / "m.rcr")
    alone = {k: v for k, v in manifest.items() if k != "statistical"}
    store.save(tmp_path / "old.rcr", alone, arrays)
    old = recurra.load_model(tmp_path / "old.rcr")
    again = Forecaster(horizon=6, season=12, loss="quantile", statistical=False, max_epochs=1, **BARE)
    again.fit([passengers(s, 60 + s) for s in range(3)])
    for found, expected in zip(old.predict(), again.predict(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("word", "value"),
    [("weight", 2.0), ("weight", "1"), ("weight", float("nan")), ("seasons", [0]), ("search", 1)],
)
def test_a_damaged_statistical_part_is_refused(several, tmp_path, word, value):
    several.save(tmp_path / "m.rcr")
    manifest, arrays = store.load(tmp_path / "m.rcr")
    manifest["statistical"] = {**manifest["statistical"], word: value}
    try:
        store.save(tmp_path / "bad.rcr", manifest, arrays)
    except ValueError:
        return  # a file cannot hold it
    with pytest.raises(StoreError):
        recurra.load_model(tmp_path / "bad.rcr")


def test_other_series_move_no_bit(several):
    histories = [passengers(s, 50 + 7 * s) for s in range(4)]
    together = several.forecast(histories)
    for history, one in zip(histories[::-1], together[::-1], strict=True):
        alone = several.forecast(history)
        np.testing.assert_array_equal(alone.point, one.point)
        np.testing.assert_array_equal(alone.low, one.low)


def test_update_equals_a_history_given_whole():
    values = passengers(n=140)
    model = Forecaster(horizon=6, season=12, **BARE).fit(values[:60])
    state = model.states_[0]
    model.update(values[60:100]).update(values[100:])
    whole = model.model_.at(values[:, None], state.known, state.scale, len(values))
    np.testing.assert_array_equal(model.predict(), model.model_.restored(
        model.model_.point(model.model_.outputs([whole], 6)[0]), whole
    )[:, 0])  # fmt: skip


def test_a_state_keeps_what_the_statistical_part_reads():
    values = np.sin(np.arange(2000) / 3)
    model = Forecaster(horizon=3, season=19, statistical=True, max_epochs=1, **BARE).fit(values[:30])
    assert weight(model) == 1
    assert len(model.states_[0].tail) == model.model_.needed
    assert len(model.update(values[30:]).states_[0].tail) == 1500
    assert len(model.forecast().history) == 1500


def test_intervals_move_with_the_point(several):
    values = passengers(0, 66)
    found = several.forecast([values[:60]], coverage=0.8)[0]
    assert (found.low < found.point).all()
    assert (found.point < found.high).all()
    assert np.abs(found.point[:, 0] - values[60:]).mean() < 0.1 * values.mean()
    gaussian = (
        Forecaster(horizon=6, season=12, loss="gaussian", **BARE).fit(values[:60]).forecast(coverage=0.5)
    )
    assert (gaussian.low < gaussian.point).all()


def test_backtest_reads_nothing_after_its_origins(several):
    values = passengers(1, 90)
    later = values.copy()
    later[80:] *= 3
    first, second = (several.backtest(v, test=30, horizon=6).origins for v in (values, later))
    before = first.places <= 80
    np.testing.assert_array_equal(first.point[before], second.point[before])


def test_missing_values_and_few_steps():
    values = passengers(0, 50)
    values[[3, 20, 49]] = np.nan
    assert np.isfinite(Forecaster(horizon=6, season=12, **BARE).fit(values).predict()).all()
    assert np.isfinite(Forecaster(horizon=1, **BARE).fit([1.0, 3.0, 2.0]).predict()).all()
    np.testing.assert_allclose(Forecaster(horizon=2, **BARE).fit(np.full(30, 7.0)).predict(), 7.0)
