import numpy as np
import pytest

from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.results.backtest import Backtest, Origins, last_value, seasonal_naive, smape


def test_naive_forecasts_by_hand():
    values = np.arange(10.0)[:, None]
    assert last_value(values, 6, 3)[:, 0].tolist() == [5, 5, 5]
    assert seasonal_naive(values, 6, 5, season=3)[:, 0].tolist() == [3, 4, 5, 3, 4]
    values[4] = np.nan
    assert seasonal_naive(values, 6, 3, season=3)[:, 0].tolist() == [3, 1, 5]
    values[6:] = 1e9  # nothing from the origin on is looked at
    assert last_value(values, 6, 3)[:, 0].tolist() == [5, 5, 5]


def test_symmetric_percentage_error():
    assert smape(np.array([100.0, 0.0]), np.array([50.0, 0.0])) == pytest.approx(100 / 3)
    assert smape(np.array([100.0, np.nan]), np.array([50.0, 3.0])) == pytest.approx(200 / 3)


def made(season=4, **words):
    values = [np.tile([1.0, 2, 3, 4], 6)[:, None]]
    point = np.array([[[1.0], [3.0]], [[1.0], [2.0]]])
    truth = np.array([[[1.0], [2.0]], [[1.0], [2.0]]])
    origins = Origins(np.array([0, 0]), np.array([16, 20]), truth, point, low=point - 0.5, high=point + 0.5)
    context = ReportContext(title="<b>pumps</b>")
    return Backtest.made(
        values, origins, season=season, coverage=0.8, names=["pump"], target_names=None, context=context
    )


def test_figures_by_hand():
    metrics = made().metrics
    assert next(iter(metrics)) == "skill"
    assert metrics["mae"] == 0.25
    assert metrics["rmse"] == 0.5
    assert metrics["mae_last_value"] == 2.5
    assert metrics["mae_baseline"] == metrics["mae_seasonal_naive"] == 0
    assert metrics["coverage"] == 0.75
    assert metrics["n_origins"] == 2
    assert made(season=1).metrics["skill"] == pytest.approx(0.9)
    assert [row["mae"] for row in made().by_horizon] == [0, 0.5]


def test_the_skill_comes_first_and_the_report_is_a_page(tmp_path):
    judged = made(season=1)
    assert judged.summary().startswith(
        "Skill 0.900: a mean absolute error of 0.25, 90 % less than that of the last value (2.5)"
    )
    page = judged.save(tmp_path / "report.html").read_text()
    assert "&lt;b&gt;pumps&lt;/b&gt;" in page
    assert page.count("<svg") >= 3
    assert "src=" not in page
    assert judged.plot(1).axes


def test_origins_are_told_by_date_and_each_series_has_a_row():
    rng = np.random.default_rng(0)
    values = [np.arange(40.0)[:, None], rng.normal(size=(40, 1))]
    series, places = np.array([0, 0, 1, 1]), np.array([20, 30, 20, 30])
    truth = np.stack([values[i][o : o + 2] for i, o in zip(series, places, strict=True)])
    times = np.datetime64("2024-03-01T00:00:00") + np.arange(40) * np.timedelta64(6, "h")
    e = Backtest.made(
        values,
        Origins(series, places, truth, truth + np.array([0.1, 0.1, 5, 5])[:, None, None]),
        season=1,
        coverage=None,
        names=["<a>", "b"],
        target_names=["MW"],
        context=ReportContext(
            data={"n_sequences": 2, "kind": "series", "notes": ["said once"]}, warnings=["w", "w"]
        ),
        times=[times, None],
    )
    assert [row["series"] for row in e.by_series()] == ["<a>", "b"]
    assert e.by_series()[0]["mae"] == pytest.approx(0.1)
    assert e.by_series()[0]["mae_baseline"] == pytest.approx(1.5)
    assert e.by_series()[1]["skill"] < 0
    page = e.to_html()
    assert "&lt;a&gt;, forecast from 2024-03-06 on" in page  # without a time of day that is midnight
    assert "b, forecast from step 20 on" in page
    assert page.count("said once") == 1
    assert page.count(">w<") == 1
    assert "n_sequences" not in page
    assert "Mean absolute error of each series, in the unit of MW" in page
    assert page.index("<td>b</td>") < page.index("<td>&lt;a&gt;</td>")  # the worst first


def test_a_skill_just_below_1_is_not_1():
    point = np.array([[[1.0], [2.0]]])
    e = Backtest.made(
        [np.tile([1000.0, -1000.0], 20)[:, None]],
        Origins(np.array([0]), np.array([20]), point, point + 0.01),
        season=1,
        coverage=None,
        names=["a"],
        target_names=None,
        context=ReportContext(),
    )
    assert e.headline().startswith("Skill 0.9999")
