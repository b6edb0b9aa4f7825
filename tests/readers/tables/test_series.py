import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError


def frame(n=48, **more):
    times = pd.date_range("2024-01-01", periods=n, freq="h")
    return pd.DataFrame({"date": times, "MW": np.arange(float(n)), **more})


def test_a_table_with_dates_becomes_a_series():
    data = recurra.load(frame(), kind="series", time="date")
    record = data[0]
    assert (data.kind, record.freq, record.values.shape) == ("series", "h", (48, 1))
    assert record.start == pd.Timestamp("2024-01-01").timestamp()
    assert any("a step every hour" in note for note in data.notes)


def test_gaps_are_missing_steps_and_named():
    table = frame().drop(index=[5, 6, 20])
    data = recurra.load(table, kind="series", time="date", target="MW")
    assert np.flatnonzero(np.isnan(data[0].values[:, 0])).tolist() == [5, 6, 20]
    assert any(
        "3 steps are missing and are masked: 2 missing after 2024-01-01 04:00:00" in n for n in data.notes
    )


def test_rows_without_target_tell_what_is_known_ahead():
    table = frame(temp=np.arange(48.0) / 2)
    table.loc[40:, "MW"] = np.nan
    record = recurra.load(table, kind="series", time="date", target="MW", known=["temp"])[0]
    assert record.values.shape == (40, 1)
    assert record.known.shape == (48, 1)


def test_many_series_with_attributes():
    table = pd.concat([frame(30, id="a", site="north"), frame(40, id="b", site="south")])
    data = recurra.load(table, kind="series", time="date", target="MW", static=["site"])
    assert data.lengths.tolist() == [30, 40]
    assert [record.static for record in data] == [["north"], ["south"]]
    table.loc[3, "site"] = "east"
    with pytest.raises(DataError, match="the attribute 'site' must be the same in every row of a series"):
        recurra.load(table, kind="series", time="date", target="MW", static=["site"])


def test_order_duplicates_and_mixed_frequencies():
    table = frame()
    shuffled = table.sample(frac=1, random_state=0)
    with pytest.raises(DataError, match="time stamps must rise"):
        recurra.load(shuffled, kind="series", time="date")
    ordered = recurra.load(shuffled, kind="series", time="date", sort=True)
    assert ordered[0].values[:, 0].tolist() == list(range(48))
    with pytest.raises(DataError, match="appears twice"):
        recurra.load(pd.concat([table, table.iloc[[4]]]), kind="series", time="date", sort=True)
    daily = table.assign(id="b", date=pd.date_range("2024-01-01", periods=48, freq="D"))
    with pytest.raises(DataError, match="its series have several frequencies: D, h"):
        recurra.load(pd.concat([table.assign(id="a"), daily]), kind="series", time="date", target="MW")
    with pytest.raises(DataError, match="needs a time column"):
        recurra.load(pd.DataFrame({"MW": [1.0, 2.0]}), kind="series")


@pytest.mark.parametrize("scale", [1, 100, 1e6])
def test_a_time_column_of_values_is_refused_with_the_column_of_dates(scale):
    pd = pytest.importorskip("pandas")
    values = scale * np.random.default_rng(0).normal(size=40).round(2)
    frame = pd.DataFrame(
        {"date": pd.date_range("2024-01-01", periods=40), "MW": values, "warm": values[::-1]}
    )
    with pytest.raises(DataError) as caught:
        recurra.load(frame, kind="series", time="MW", target="warm")
    assert str(caught.value).endswith(
        "of 39 steps, so it holds values and no times. 'date' holds dates: give time='date'."
    )
    with pytest.raises(DataError, match=r"Name the column of times with time=\."):
        recurra.load(frame.drop(columns="date"), kind="series", time="MW", target="warm")
    shuffled = frame.assign(t=np.random.default_rng(1).permutation(40) * 60.0)
    with pytest.raises(DataError, match=r"Sort the rows by time, or give sort=True"):
        recurra.load(shuffled[["t", "warm"]], kind="series", time="t", target="warm")
