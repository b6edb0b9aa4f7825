"""What people have goes in as it is: frames and Series with dates, columns by name; what does not fit is refused."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra import Forecaster
from recurra.errors import DataError, RecurraWarning

QUICK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "verbose": 0, "context": 12, "horizon": 3}


def wave(n=60):
    return 10 + 2 * np.sin(2 * np.pi * np.arange(n) / 12)


def dated(n=60, freq="ME", start="2018-01-31", **words):
    return pd.Series(wave(n), index=pd.date_range(start, periods=n, freq=freq, **words), name="tide")


def test_every_usual_shape_is_one_series():
    values = wave()
    expected = Forecaster(**QUICK).fit(values).predict()
    for X in (values[:, None], values.tolist(), pd.Series(values), pd.DataFrame({"y": values}), [values]):
        found = Forecaster(**QUICK).fit(X).predict()
        np.testing.assert_array_equal(found[0] if isinstance(found, list) else found, expected)
    assert Forecaster(**QUICK).fit(values).predict(values[:, None]).shape == (3,)


def test_dates_of_an_index_are_kept_and_tell_the_season(tmp_path):
    series = dated()
    want = pd.date_range(series.index[-1], periods=6, freq="ME")[1:]
    for X in (series, series.to_frame(), series.rename_axis("month").to_frame(), series.reset_index()):
        model = Forecaster(**QUICK).fit(X)
        assert model.model_.features.seasons == (12,)
        assert (model.forecast(horizon=5).index == want).all()
    frame = model.forecast(horizon=5).to_frame()
    assert (frame.columns.tolist(), frame.shape) == (["tide"], (5, 1))
    model.save(tmp_path / "m.recurra")
    assert (recurra.load_model(tmp_path / "m.recurra").forecast(horizon=5).index == want).all()
    assert model.backtest(series, test=12).season == 12
    periods = pd.Series(wave(), index=pd.period_range("2018-01", periods=60, freq="M"))
    assert Forecaster(**QUICK).fit(periods).forecast().index[0] == pd.Timestamp("2023-01-01")
    years = pd.Series(wave(), index=list(range(1960, 2020)))
    assert Forecaster(**QUICK).fit(years).forecast().index[0] == pd.Timestamp("2020-01-01")


def test_a_frame_of_several_columns_is_one_series_of_several_targets():
    frame = pd.DataFrame({"a": wave(), "b": -wave()}, index=pd.date_range("2020-01-01", periods=60, freq="D"))
    model = Forecaster(**QUICK).fit(frame)
    assert model.predict().shape == (3, 2)
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame[["b", "a"]]))
    with pytest.raises(DataError, match="must have the columns of the training, 'a', 'b'; got 'a', 'c'"):
        model.predict(frame.rename(columns={"b": "c"}))
    assert len(Forecaster(**QUICK).fit([frame, frame[20:]]).predict()) == 2
    with pytest.raises(
        DataError, match="column 'name' must hold numbers; row 0 has 'x'. Leave the column out, or read the"
    ):
        Forecaster(**QUICK).fit(frame.assign(name="x"))


def test_gaps_of_an_index_are_missing_steps():
    series = dated(80, "h", "2020-01-01").drop(pd.Timestamp("2020-01-02 03:00"))
    with pytest.warns(
        RecurraWarning, match="1 step is missing and is masked: 1 missing after 2020-01-02 02:00:00"
    ):
        model = Forecaster(**QUICK).fit(series)
    assert model.model_.manifest["training"]["lengths"] == [80]


def test_updates_go_on_by_date():
    series = dated(80, "h", "2020-03-27", tz="Europe/Berlin")
    model = Forecaster(**QUICK).fit(series[:60])
    model.update(series[60:63])
    assert model.forecast().index[0] == series.index[63]
    model.update(series[65:70])  # two steps were not observed
    assert model.forecast().index[0] == series.index[70]
    model.update(series[70:71].to_frame())
    assert model.forecast().index[0] == series.index[71]
    with pytest.raises(
        DataError, match=r"begins at 2020-03-28 .* seen already; the next step is 2020-03-30 00:00\+02:00"
    ):
        model.update(series[40:80])
    with pytest.raises(DataError, match="the series has a time zone, this has none"):
        model.update(series[71:75].tz_localize(None))
    whole = Forecaster(**QUICK).fit(series[:60]).update(series.to_numpy()[60:71])
    assert whole.forecast().index[0] == series.index[71]


def test_another_frequency_is_refused_in_every_verb():
    model = Forecaster(**QUICK).fit(dated(60, "h", "2020-01-01"))
    after = "2020-01-03 12:00"
    for freq in ("15min", "2h", "D", "ME"):
        other = dated(60, freq, after)
        for verb in (model.predict, model.forecast, model.evaluate, model.update, model.score):
            with pytest.raises(
                DataError, match="has a step every .* the network was trained on a step every hour"
            ):
                verb(other)
        with pytest.raises(DataError, match="the network was trained on a step every hour"):
            model.backtest(other, test=10)
    finer = dated(240, "15min", "2020-01-01")
    assert model.predict(finer.resample("h").mean()).shape == (3,)
    table = finer.rename_axis("time").reset_index()
    assert model.predict(recurra.load(table, kind="series", resample="h")).shape == (3,)
    assert Forecaster(**QUICK).fit(dated(60, "W-MON", "2020-01-06")).predict(
        dated(60, "W-FRI", "2020-01-03")
    ).shape == (3,)


def test_evaluate_leaves_out_what_was_trained_on():
    series = dated(80, "h", "2020-01-01")
    model = Forecaster(**QUICK).fit(series[:60])
    expected = model.evaluate(series[60:]).metrics
    with pytest.warns(RecurraWarning, match="1 of 1 series begins with steps the network was trained on"):
        found = model.evaluate(series)
    # The wave repeats, so its steps are counted by content on both sides.
    own = {name: value for name, value in found.metrics.items() if name != "n_trained_on"}
    np.testing.assert_equal(own, {name: value for name, value in expected.items() if name != "n_trained_on"})
    assert found.metrics["n_trained_on"] >= 60
    with pytest.raises(
        DataError, match="holds no step after those the network has seen; the next would be 2020-01-03 12:00"
    ):
        model.evaluate(series[:60])


def known_frame(n=63):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"price": rng.normal(size=n), "holiday": (np.arange(n) % 7 == 0) * 9.0})


def test_inputs_known_in_advance_go_by_name():
    known = known_frame()
    model = Forecaster(**QUICK).fit(wave(), known=known)
    expected = model.predict()
    turned = known[["holiday", "price"]]
    np.testing.assert_array_equal(model.predict(known=turned[60:]), expected)
    np.testing.assert_array_equal(model.predict(wave(), known=turned), expected)
    for other in (known.rename(columns={"price": "oil"}), known[["price"]], known.assign(more=1.0)):
        with pytest.raises(DataError, match="must have the columns of the training, 'price', 'holiday'; got"):
            model.predict(known=other[60:])
        with pytest.raises(DataError, match="must have the columns of the training"):
            model.predict(wave(), known=other)
    static = pd.DataFrame({"site": ["a", "b"], "size": [1.0, 2.0]})
    two = Forecaster(**QUICK).fit([wave(), wave() + 1], static=static)
    np.testing.assert_array_equal(
        two.predict([wave(), wave() + 1], static=static[["size", "site"]])[0], two.predict()[0]
    )


def test_inputs_known_in_advance_go_by_date():
    series, known = dated(60, "D", "2020-01-01"), known_frame(80)
    known.index = pd.date_range("2019-12-25", periods=80, freq="D")
    model = Forecaster(**QUICK).fit(series, known=known)
    np.testing.assert_array_equal(model.states_[0].known.future[-1], known.to_numpy()[-1])
    expected = model.predict()
    np.testing.assert_array_equal(model.predict(known=known[50:]), expected)
    with pytest.raises(DataError, match="must have a row every day"):
        model.predict(known=known.set_index(pd.date_range("2019-12-25", periods=80, freq="h")))


def test_what_is_not_known_is_said_and_never_filled():
    known = known_frame()
    known.loc[5:6, "price"] = np.nan
    with pytest.raises(
        DataError, match="'price' is not at row 5, 2 rows in all. Fill it first, or leave the column out"
    ):
        Forecaster(**QUICK).fit(wave(), known=known)
    table = known_frame().assign(y=[*wave(), None, None, None], day=pd.date_range("2020-01-01", periods=63))
    words = {"kind": "series", "time": "day", "target": "y", "known": ["price", "holiday"]}
    model = Forecaster(**QUICK).fit(recurra.load(table, **words))
    with pytest.raises(DataError) as caught:
        model.predict(recurra.load(table[:61], **words))
    assert (
        "To forecast 3 steps append 2 rows, 2020-03-02 to 2020-03-03, to the end, with 'price', 'holiday' filled"
        in str(caught.value)
    )
    assert str(caught.value).endswith("and 'y' left empty.")
    holes = recurra.load(known.assign(y=table["y"], day=table["day"]), **words)
    assert holes.summary()["n_missing"] == 2
    assert any("'price', known in advance, is missing at 2 of 63 steps" in note for note in holes.notes)
    found = recurra.look(known.assign(y=table["y"], day=table["day"]), **words)
    assert {channel.name: channel.missing for channel in found.channels}["price"] == 2
    with pytest.raises(DataError, match="'price' is not at row 5"):
        Forecaster(**QUICK).fit(holes)


def test_files_written_before_still_load(tmp_path):
    from recurra import store

    model = Forecaster(**QUICK).fit(dated(60, "MS", "2018-01-01"))
    model.save(tmp_path / "m.recurra")
    manifest, arrays = store.load(tmp_path / "m.recurra")
    for state in manifest["states"]:
        for word in ("begin", "start", "zone", "known_names"):
            del state[word]
        state["offset"] = 0.0
    for word in ("known_names", "attribute_names"):
        del manifest["input"][word]
    manifest["input"]["freq"] = "MS"
    store.save(tmp_path / "old.recurra", manifest, arrays)
    old = recurra.load_model(tmp_path / "old.recurra")
    np.testing.assert_array_equal(old.predict(), model.predict())
    assert (old.forecast().index == pd.date_range("2023-01-01", periods=3, freq="MS")).all()
