"""Forecasts and anomalies from the command line: train, eval, predict."""

import json

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.runs.predict import predict

SMALL = {"hidden_size": 4, "max_epochs": 1, "verbose": 0, "seed": 0}


@pytest.fixture
def table(tmp_path):
    hours = np.arange(300)
    mw = 100 + 10 * np.sin(2 * np.pi * hours / 24)
    times = pd.date_range("2024-01-01", periods=300, freq="h")
    pd.DataFrame({"date": times, "MW": mw}).drop(index=[50]).to_csv(tmp_path / "load.csv", index=False)
    return tmp_path / "load.csv"


def test_a_forecast_from_a_table_with_dates(table, tmp_path):
    told = []
    run = recurra.train(
        table, "forecast", out=tmp_path / "run", target="MW", time="date", horizon=24, loss="quantile",
        tell=told.append, **SMALL,
    )  # fmt: skip
    assert any("a step every hour" in line for line in told)
    assert any("1 step is missing" in line for line in told)
    assert run.metrics["n_test"] == 48
    assert {"mae", "mae_baseline", "coverage"} <= set(run.metrics)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["mae"] == run.metrics["mae"]
    assert "Skill" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "figures" / "forecast-worst.svg").is_file()
    assert recurra.evaluate(tmp_path / "run").metrics["mae"] == pytest.approx(run.metrics["mae"])
    rows = predict(tmp_path / "run", table, horizon=3)
    assert [row["time"] for row in rows] == [
        "2024-01-13T12:00:00",
        "2024-01-13T13:00:00",
        "2024-01-13T14:00:00",
    ]
    assert all(row["MW_low"] <= row["MW"] <= row["MW_high"] for row in rows)
    with pytest.raises(UsageError, match="proba needs classes"):
        predict(tmp_path / "run", table, proba=True)


def test_a_forecast_needs_dates(tmp_path):
    pd.DataFrame({"MW": [1.0, 2.0, 3.0]}).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match="needs a time column to be read as series"):
        recurra.train(tmp_path / "x.csv", "forecast", out=tmp_path / "run", **SMALL)


WRITTEN = ["%b %Y", "%b-%y", "%m/%Y", "%d %B, %Y", "%A, %d %b %Y", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d %H:%M"]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_first_column_of_dates_is_the_time_and_another_is_proposed(tmp_path, written):
    dates = pd.date_range("2005-01-31", periods=40, freq="ME").strftime(written)
    frame = pd.DataFrame({"sales": np.arange(40.0) % 7, "when it was": dates})
    frame.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match="Name it with time='when it was': 'when it was' holds dates"):
        recurra.load(tmp_path / "x.csv", kind="series")
    with pytest.raises(DataError, match="It holds dates: name it with time='when it was', or leave it out"):
        recurra.load(tmp_path / "x.csv")
    named = recurra.load(tmp_path / "x.csv", kind="series", time="when it was")[0]
    frame[["when it was", "sales"]].to_csv(tmp_path / "first.csv", index=False)
    found = recurra.load(tmp_path / "first.csv", kind="series")[0]
    assert named.values.tolist() == found.values.tolist() == (np.arange(40.0) % 7)[:, None].tolist()
    assert (named.freq, named.start) == (found.freq, found.start)


@pytest.mark.parametrize("written", WRITTEN)
def test_dates_in_text_of_a_frame_are_kept(written):
    dates = pd.date_range("2005-01-31", periods=60, freq="D")
    frame = pd.DataFrame({"s": np.arange(60.0), "when it was": dates.strftime("%Y-%m-%d")})
    text = frame.assign(**{"when it was": dates.strftime(written)}) if "%d" in written else frame
    model = recurra.Forecaster(horizon=3, hidden_size=3, max_epochs=1, random_state=0, verbose=0).fit(text)
    assert model.forecast().index.tolist() == pd.date_range("2005-04-01", periods=3).tolist()


def test_words_are_not_proposed_as_the_time(tmp_path):
    pd.DataFrame({"who": ["May Lee 2", "Jan"] * 5, "code": ["7 b", "3-x"] * 5, "sales": range(10)}).to_csv(
        tmp_path / "x.csv", index=False
    )
    with pytest.raises(DataError, match=r"Name it with time=\.$"):
        recurra.load(tmp_path / "x.csv", kind="series")


@pytest.mark.parametrize(
    ("words", "target"), [({}, "MW"), ({"target": "heat"}, "heat"), ({"target": "MW"}, "MW")]
)
def test_one_series_without_a_task_is_told_how_to_forecast(tmp_path, words, target):
    dates = pd.date_range("2024-01-01", periods=40)
    table = pd.DataFrame({"date": dates, "MW": np.arange(40.0) / 3, "heat": np.arange(40.0) / 7})
    table.to_csv(tmp_path / "x.csv", index=False)
    problems = recurra.look(tmp_path / "x.csv", **words).problems
    assert any(f"pass task='forecast' target='{target}'" in problem for problem in problems)
    if words:
        with pytest.raises(DataError, match=f"pass task='forecast' target='{target}'"):
            recurra.train(tmp_path / "x.csv", out=tmp_path / "run", **words, **SMALL)


@pytest.mark.usefixtures("no_charts")
def test_what_needs_no_labels_is_not_told_how_to_learn_classes(tmp_path):
    said = []
    X = [np.random.default_rng(i).normal(size=(60, 1)) for i in range(8)]
    recurra.train(X, "anomaly", out=tmp_path / "run", tell=said.append, window=20, block=4, **SMALL)
    assert said
    assert not any("labels" in line for line in said)


def test_a_detector_refuses_one_label_a_sequence_before_it_trains(tmp_path):
    X = [np.random.default_rng(i).normal(size=(60, 1)) for i in range(8)]
    data = recurra.load(X, labels=["calm", "shaking"] * 4)
    with pytest.raises(DataError, match="one label per sequence, such as 'calm'.*label=''"):
        recurra.train(data, "anomaly", out=tmp_path / "run", window=20, block=4, **SMALL)
    assert not (tmp_path / "run").exists()


def test_anomalies_of_arrays(tmp_path):
    rng = np.random.default_rng(0)
    X = [np.sin(np.arange(80)[:, None] / 4) + 0.1 * rng.normal(size=(80, 1)) for _ in range(10)]
    words = {"window": 40, "block": 4, "method": "autoencoder"}
    run = recurra.train(X, "anomaly", out=tmp_path / "run", **words, **SMALL)
    assert 0 <= run.metrics["share_anomalous"] <= 1
    assert (tmp_path / "run" / "figures" / "anomalies.svg").is_file()
    rows = predict(tmp_path / "run", X[:2])
    assert len(rows) == 160
    assert {row["prediction"] for row in rows} <= {-1, 1}


@pytest.mark.usefixtures("no_charts")
def test_stream_names_predict_for_networks_of_whole_series(cli, table, tmp_path):
    run = tmp_path / "a run"
    recurra.train(table, "forecast", out=run, target="MW", time="date", horizon=24, **SMALL)
    for named in (run, run / "model.recurra"):
        done = cli("stream", named)
        assert done.code == 2
        assert f"Use: recurra predict '{named}' DATA" in done.err
        assert "runtime" not in done.err


@pytest.mark.usefixtures("no_charts")
def test_stream_names_predict_for_detectors(cli, tmp_path):
    X = [np.sin(np.arange(80)[:, None] / 4 + i) for i in range(10)]
    recurra.train(X, "anomaly", out=tmp_path / "run", window=40, method="autoencoder", **SMALL)
    done = cli("stream", tmp_path / "run")
    assert (
        f"marks the steps of whole series and does not answer row by row. Use: recurra predict {tmp_path / 'run'} DATA"
        in done.err
    )
