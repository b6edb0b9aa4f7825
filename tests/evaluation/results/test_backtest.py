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
