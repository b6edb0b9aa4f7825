"""Reports on a telephone: no column of a table is cut at 400 pixels."""

import numpy as np
import pytest

import recurra

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("studio.browser")

CUT = """() => [...document.querySelectorAll(".hold")]
  .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent.slice(0, 80))"""


@pytest.mark.filterwarnings("ignore::recurra.errors.RecurraWarning")
def test_the_table_of_a_forecast_with_intervals_fits_a_telephone(tmp_path, browser):
    series = 400 + 300 * np.sin(np.arange(400) / 4)
    model = recurra.Forecaster(
        horizon=12,
        season=24,
        loss="quantile",
        quantiles=(0.1, 0.5, 0.9),
        hidden_size=4,
        max_epochs=1,
        verbose=0,
    ).fit(series[:300])
    model.backtest(series, test=100, horizon=12).save(tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert "Coverage" in page.inner_text("main")
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.close()
