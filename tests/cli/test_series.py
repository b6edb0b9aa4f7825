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
    assert any("a step every h" in line for line in told)
    assert any("1 steps are missing" in line for line in told)
    assert run.metrics["n_test"] == 48
    assert {"skill", "mae", "mae_baseline", "coverage"} <= set(run.metrics)
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


def test_stream_names_predict_for_networks_of_whole_series(cli, table, tmp_path):
    run = tmp_path / "a run"
    recurra.train(table, "forecast", out=run, target="MW", time="date", horizon=24, **SMALL)
    for named in (run, run / "model.recurra"):
        done = cli("stream", named)
        assert done.code == 2
        assert f"Use: recurra predict '{named}' DATA" in done.err
        assert "runtime" not in done.err


def test_stream_names_predict_for_detectors(cli, tmp_path):
    X = [np.sin(np.arange(80)[:, None] / 4 + i) for i in range(10)]
    recurra.train(X, "anomaly", out=tmp_path / "run", window=40, method="autoencoder", **SMALL)
    done = cli("stream", tmp_path / "run")
    assert (
        f"marks the steps of whole series and does not answer row by row. Use: recurra predict {tmp_path / 'run'} DATA"
        in done.err
    )
