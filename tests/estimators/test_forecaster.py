"""Forecasts: nothing after the origin is read, states move without training, files give the same numbers."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import recurra
from recurra import Forecaster, store
from recurra.errors import DataError, RecurraWarning, ShapeError, StoreError, UsageError
from recurra.records import Dataset, Record

QUICK = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "verbose": 0, "context": 16}


def wave(n=120, period=12, seed=0, level=10.0):
    rng = np.random.default_rng(seed)
    return level + 2 * np.sin(2 * np.pi * np.arange(n) / period) + 0.1 * rng.normal(size=n)


def several():
    rng = np.random.default_rng(1)
    series = [np.stack([wave(n, seed=n), wave(n, seed=n + 1)], axis=1) for n in (60, 80, 90)]
    known = [rng.normal(size=(len(s) + 30, 2)) for s in series]
    return series, known, [["a", 1.0], ["b", 2.0], ["a", 3.0]]


FULL = QUICK | {"horizon": 4, "season": 12, "lags": (12,), "level": 3, "highway": 8, "loss": "quantile"}


@pytest.fixture(scope="module")
def fitted():
    series, known, static = several()
    return Forecaster(**FULL).fit(series, known=known, static=static)


def test_a_wave_is_learned():
    values = wave(200)
    words = {**QUICK, "max_epochs": 25, "hidden_size": 16, "context": 24}
    model = Forecaster(horizon=6, season=12, **words).fit(values[:160])
    judged = model.backtest(values, test=40, horizon=12, step=4)
    assert judged.metrics["rmse"] < 0.5  # amplitude 2
    assert judged.metrics["mae"] < judged.metrics["mae_last_value"] / 3
    assert model.score(values[160:]) == pytest.approx(model.evaluate(values[160:]).metrics["skill"])


def test_one_series_gives_one_array_many_give_a_list(fitted):
    one = Forecaster(horizon=3, **QUICK).fit(wave())
    assert one.predict().shape == (3,)
    assert one.predict(7).shape == one.predict(horizon=7).shape == (7,)
    assert [p.shape for p in one.predict([wave(50), wave(70)])] == [(3,), (3,)]
    assert [p.shape for p in fitted.predict(horizon=10)] == [(10, 2)] * 3
    assert Forecaster(horizon=3, **QUICK).fit(np.stack([wave(), wave(seed=1)])).predict()[1].shape == (3,)


@pytest.mark.parametrize("horizon", [4, 11])
def test_nothing_after_the_origin_changes_a_forecast(fitted, horizon):
    series, known, static = several()
    first = fitted.backtest(series, known=known, static=static, test=25, horizon=horizon, step=25)
    origins = {int(i): int(o) for i, o in zip(first.origins.series, first.origins.places, strict=True)}
    changed = [s.copy() for s in series]
    for index, origin in origins.items():
        changed[index][origin:] = -1e6 + np.arange(len(changed[index]) - origin)[:, None]
    second = fitted.backtest(changed, known=known, static=static, test=25, horizon=horizon, step=25)
    for word in ("point", "low", "high"):
        np.testing.assert_array_equal(getattr(first.origins, word), getattr(second.origins, word))
    np.testing.assert_array_equal(first.naive, second.naive)


def test_a_change_before_the_origin_does_change_it(fitted):
    series, known, static = several()
    before = fitted.predict(series, known=known, static=static)
    series[0][-1] += 1
    assert not np.array_equal(before[0], fitted.predict(series, known=known, static=static)[0])


def test_fitting_reads_nothing_after_the_history():
    values = wave(100)
    first = Forecaster(horizon=3, **QUICK).fit(values[:80]).predict()
    values[80:] = 1e9
    np.testing.assert_array_equal(first, Forecaster(horizon=3, **QUICK).fit(values[:80]).predict())


def test_updates_move_the_state_as_the_whole_history_does(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    model = recurra.load_model(tmp_path / "m.recurra")
    rng = np.random.default_rng(5)
    more = [rng.normal(10, 2, size=(9, 2)) for _ in range(3)]
    weights = {name: w.copy() for name, w in model.model_.weights.items()}
    for step in range(9):
        model.update([m[step : step + 1] for m in more])
    assert all(np.array_equal(w, model.model_.weights[name]) for name, w in weights.items())
    series, known, static = several()
    whole = [np.concatenate([s, m]) for s, m in zip(series, more, strict=True)]
    expected = fitted.backtest(
        [np.concatenate([w, np.zeros((4, 2))]) for w in whole], known=known, static=static, test=13, step=9
    )  # the same scale: learned before the first origin
    at = expected.origins.places == [len(whole[i]) for i in expected.origins.series]
    np.testing.assert_allclose(np.stack(model.predict()), expected.origins.point[at], rtol=1e-6)


def test_a_file_gives_the_same_numbers(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    for mine, theirs in zip(fitted.forecast(horizon=9), again.forecast(horizon=9), strict=True):
        np.testing.assert_array_equal(mine.point, theirs.point)
        np.testing.assert_array_equal(mine.low, theirs.low)
    assert again.get_params()["horizon"] == 4
    with pytest.raises(UsageError, match="without runtime='light'"):
        recurra.load_model(tmp_path / "m.recurra", runtime="light")


def test_a_damaged_file_is_refused(fitted, tmp_path):
    manifest, arrays = store.load(_saved(fitted, tmp_path))
    states = [{**manifest["states"][0], "sizes": [["tail", [10**9, 1]], *manifest["states"][0]["sizes"][1:]]}]
    for word, value, match in (
        ("members", 10**9, "members must be a whole number of at most 1,000; got 1000000000"),
        ("context", 2, "shorter than what the network needs"),
        ("states", states, "claim more numbers"),
        ("features", {}, "does not fit the features"),
    ):
        store.save(tmp_path / "bad.recurra", {**manifest, word: value}, arrays)
        with pytest.raises(StoreError, match=match):
            recurra.load_model(tmp_path / "bad.recurra")
    del arrays["network.0.head.bias"]
    store.save(tmp_path / "bad.recurra", manifest, arrays)
    with pytest.raises(StoreError, match="the weight '0.head.bias' must be float32"):
        recurra.load_model(tmp_path / "bad.recurra")


def _saved(model, folder):
    model.save(folder / "m.recurra")
    return folder / "m.recurra"


def test_same_seed_same_numbers_and_batch_mates_do_not_matter(fitted):
    series, known, static = several()
    again = clone(fitted).fit(series, known=known, static=static)
    together = fitted.predict(series, known=known, static=static)
    for mine, theirs in zip(together, again.predict(series, known=known, static=static), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    alone = fitted.predict(series[1:2], known=known[1:2], static=static[1:2])
    np.testing.assert_array_equal(alone[0], together[1])


def test_quantiles_do_not_cross_and_hold_what_they_say():
    rng = np.random.default_rng(0)
    values = rng.normal(5, 2, size=900)
    for loss in ("quantile", "gaussian"):
        words = {**QUICK, "max_epochs": 12, "batch_size": 16, "learning_rate": 0.01}
        model = Forecaster(horizon=2, loss=loss, **words).fit(values[:600])
        judged = model.backtest(values, test=300)
        assert 0.72 < judged.metrics["coverage"] < 0.88
        forecast = model.forecast()
        assert (forecast.low < forecast.point).all()
        assert (forecast.point < forecast.high).all()
        assert forecast.plot(truth=np.zeros(2)).axes
        assert forecast.svg().startswith("<svg")


def test_missing_values_are_masked():
    values = wave(100)
    values[[3, 40, 41, 99]] = np.nan
    model = Forecaster(horizon=3, **QUICK).fit(values)
    assert np.isfinite(model.predict()).all()
    model.update([np.nan, 11.0])
    assert np.isfinite(model.predict()).all()
    assert np.isfinite(model.backtest(values, test=20).metrics["mae"])


def test_a_constant_series_is_forecast_as_it_is():
    model = Forecaster(horizon=3, level=1, **QUICK).fit(np.full(60, 7.0))
    np.testing.assert_allclose(model.predict(), 7.0, atol=0.2)
    assert model.backtest(np.full(60, 7.0), test=10).metrics["mae_baseline"] == 0


def test_a_series_shorter_than_the_context_is_read_as_one_with_missing_steps():
    short = "1 of 2 series is shorter than the 16 steps the network reads, such as sequence 1 of 9"
    with pytest.warns(RecurraWarning, match=short):
        model = Forecaster(horizon=3, **QUICK).fit([wave(60), wave(9)])
    assert [p.shape for p in model.predict()] == [(3,), (3,)]
    with pytest.warns(RecurraWarning, match="1 of 1 series is shorter than the 16 steps"):
        assert model.predict([wave(2)])[0].shape == (3,)
    with (
        pytest.warns(RecurraWarning, match="shorter than the 16 steps"),
        pytest.warns(
            RecurraWarning,
            match=r"1 of 2 series has no step before a horizon of 3 and teaches nothing: sequence 1",
        ),
    ):
        Forecaster(horizon=3, **QUICK).fit([wave(60), wave(3)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecurraWarning)
        with pytest.raises(DataError, match="the longest has 3 steps, the horizon is 3"):
            Forecaster(horizon=3, **QUICK).fit(wave(3))


def test_dates_come_back():
    start = float(np.datetime64("2020-01-01", "s").astype(np.int64))
    data = Dataset([Record(wave(60)[:, None], start=start, freq="MS", name="tide")], kind="series")
    model = Forecaster(horizon=3, **QUICK).fit(data)
    assert model.model_.features.seasons == (12,)
    forecast = model.forecast()
    assert forecast.times[-3:].astype("datetime64[D]").astype(str).tolist() == [
        "2025-01-01",
        "2025-02-01",
        "2025-03-01",
    ]
    model.update(wave(2))
    assert str(model.forecast().times[-3])[:10] == "2025-03-01"
    mixed = [Record(wave(60)[:, None], start=start, freq=f) for f in ("MS", "h")]
    with pytest.raises(DataError, match="all series must have the same frequency; got MS, h"):
        Forecaster(**QUICK).fit(Dataset(mixed, kind="series"))


def test_known_must_reach_the_end_of_the_horizon(fitted):
    series, known, static = several()
    with pytest.raises(DataError, match="must be known for"):
        fitted.predict(series, known=[k[: len(s)] for k, s in zip(known, series, strict=True)], static=static)
    with pytest.raises(ShapeError, match="must have 2 columns known in advance; got 0"):
        fitted.predict(series, static=static)
    with pytest.raises(ShapeError, match=r"known: must have shape \(steps, 2\)"):
        fitted.predict(known=[np.zeros((4, 1))] * 3)
    assert fitted.predict(horizon=40, known=[np.zeros((40, 2))] * 3)[0].shape == (40, 2)


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        ({"horizon": 0}, UsageError, "horizon must be a whole number of at least 1; got 0"),
        ({"horizon": 5, "lags": 3}, UsageError, "lags must be at least the horizon of 5 steps"),
        ({"context": 4, "highway": 8}, UsageError, "context must be at least level and highway, 8; got 4"),
        ({"loss": "quantile", "quantiles": (0.9, 0.1)}, UsageError, "quantiles must rise"),
        ({"transform": "log"}, DataError, "transform='log' needs positive values"),
        ({"season": "12"}, UsageError, "season must be a number or a list of numbers; got '12'"),
    ],
)
def test_words_that_do_not_fit(words, error, match):
    with pytest.raises(error, match=match):
        Forecaster(**QUICK | words).fit(wave(level=0.0))


def test_other_messages(fitted):
    with pytest.raises(ShapeError, match="X must have the 2 targets of the training series; got 1"):
        fitted.predict([wave()])
    with pytest.raises(DataError, match="observed must have one array per training series, 3; got 1"):
        fitted.update([np.zeros((1, 2))])
    with pytest.raises(UsageError, match="the horizon is given twice"):
        fitted.predict(3, horizon=4)
    point = Forecaster(horizon=2, **QUICK).fit(wave())
    assert point.forecast().low is None
    with pytest.raises(DataError, match="has fewer steps than the horizon of 30"):
        point.backtest(wave(), test=20, horizon=30)
    with pytest.raises(DataError, match="must be longer than the 120 steps tested; got 120"):
        point.backtest(wave(), test=120)
    with pytest.raises(DataError, match="has no value at all in channel 0"):
        point.fit([wave(), np.full(20, np.nan)])


def test_members_are_averaged_and_training_goes_on(tmp_path):
    values, words = wave(), QUICK | {"horizon": 2, "members": 2}
    both = Forecaster(**words).fit(values)
    first = Forecaster(**words | {"members": 1}).fit(values).predict()
    second = Forecaster(**words | {"members": 1, "random_state": 1}).fit(values).predict()
    np.testing.assert_allclose(both.predict(), (first + second) / 2, rtol=1e-5)

    class Stop(recurra_callback()):
        def on_batch_end(self, run):
            if run.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Forecaster(**words, checkpoint_dir=tmp_path, callbacks=[Stop()]).fit(values)
    resumed = Forecaster(**words, checkpoint_dir=tmp_path).fit(values, resume=True)
    np.testing.assert_array_equal(resumed.predict(), both.predict())


def recurra_callback():
    from recurra.training.callbacks import Callback

    return Callback


def test_validation_is_the_newest_part():
    model = Forecaster(horizon=2, **QUICK | {"validation_fraction": 0.2, "max_epochs": 3}).fit(wave())
    assert all("valid_loss" in row for row in model.history_)


@pytest.mark.parametrize("moved", [0, 5])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("n", [10, 60])
def test_known_that_begins_with_the_history_is_refused_where_the_steps_ahead_are_asked_for(n, count, moved):
    """It was read as if its first row were of the first step ahead: other numbers, without a word."""
    rng = np.random.default_rng(n + count)
    known = [(rng.random((n + 20, 1)) < 0.3).astype(float) for _ in range(count)]
    series = [rng.normal(size=n + moved) + 5 * k[: n + moved, 0] for k in known]
    model = Forecaster(horizon=4, random_state=0, verbose=0).fit([s[:n] for s in series], known=known)
    if moved:
        model.update([s[n:] for s in series])
    expected = model.predict()
    steps = n + moved
    with pytest.raises(DataError) as raised:
        model.predict(known=known)
    assert str(raised.value) == (
        "Forecaster: known of sequence 0: the first row must be of the first step ahead; these begin "
        f"with the {steps} steps of the history. Give known[{steps}:], or nothing where fit was told."
    )
    for one, other in zip(model.predict(known=[k[steps:] for k in known]), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    if not moved:
        for one, other in zip(model.predict(series, known=known), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_whole_series_is_judged_with_all_that_is_known():
    """`evaluate` leaves out what the model has seen, of both."""
    rng = np.random.default_rng(0)
    known = (rng.random((60, 1)) < 0.3).astype(float)
    series = pd.Series(rng.normal(size=60) + 5 * known[:, 0], pd.date_range("2020-01-01", periods=60))
    model = Forecaster(horizon=4, random_state=0, verbose=0).fit(series[:50], known=known)
    with pytest.warns(RecurraWarning, match="they are left out"):
        whole = model.evaluate(series, known=known)
    assert whole.metrics["mae"] == model.evaluate(series[50:], known=known[50:]).metrics["mae"]


def test_days_of_a_week_for_a_year_ahead_are_no_history():
    days = np.resize(np.eye(7), (400, 7))
    rng = np.random.default_rng(0)
    series = days[:35] @ rng.normal(size=7) + 0.1 * rng.normal(size=35)
    model = Forecaster(horizon=4, random_state=0, verbose=0).fit(series, known=days)
    np.testing.assert_array_equal(model.predict(known=days[35:]), model.predict())
    np.testing.assert_array_equal(model.predict(known=days), model.predict())


def test_days_without_a_holiday_are_no_history():
    holidays = np.zeros((100, 1))
    holidays[[40, 70]] = 1.0
    model = Forecaster(horizon=4, random_state=0, verbose=0).fit(np.arange(30.0), known=holidays[:34])
    assert np.isfinite(model.predict(known=holidays)).all()
