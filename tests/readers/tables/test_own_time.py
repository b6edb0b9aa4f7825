"""Time columns that tables call in their own way."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.tables.columns import parse
from recurra.readers.tables.table import from_columns
from recurra.readers.tables.table_options import TableOptions

STEPS = 12


def folder(path, head, rows):
    for name in ("a", "b"):
        (path / name).mkdir(parents=True)
        for number in range(2):
            (path / name / f"{number}.csv").write_text("\n".join([head, *rows]) + "\n")
    return path


def rows(time, unit=1.0):
    return [f"{t * unit:.10g},{np.sin(t):.4f},{10 + t % 3}" for t in time]


NAMES = {
    "t": 1, "Zeit": 1, "zeit [s]": 1, "Time [ms]": 1e-3, "Time (us)": 1e-6, "time / min": 60, "Temps (s)": 1,
    "TIEMPO": 1, "Elapsed": 1, "TIME": 1, "Time{h}": 3600, "tijd_(ms)": 1e-3, "Messzeit [ms]": 1e-3,
}  # fmt: skip


@pytest.mark.parametrize(("name", "seconds"), NAMES.items())
def test_a_column_that_is_called_time_gives_the_rate(tmp_path, name, seconds):
    data = recurra.load(folder(tmp_path, f"{name},x,y", rows(np.arange(STEPS) * 0.5)))
    assert data.channel_names == ["x", "y"]
    assert data.sample_rate_hz == pytest.approx(2 / seconds, rel=1e-6)
    kept = recurra.load(tmp_path, time="")
    assert kept.channel_names == [name, "x", "y"]


@pytest.mark.parametrize("name", ["x0", "depth", "Kanal 1", "clock"])
def test_a_first_column_that_rises_evenly_is_time_whatever_its_name(tmp_path, name):
    jittering = np.arange(STEPS) * 0.5 + np.random.default_rng(0).uniform(-1e-3, 1e-3, STEPS)
    data = recurra.load(folder(tmp_path, f"{name},x,y", rows(jittering)))
    assert data.channel_names == ["x", "y"]
    assert data.sample_rate_hz == pytest.approx(2, rel=1e-2)
    (note,) = (note for note in data.notes if "rise evenly" in note)
    assert note.startswith("4 files have such a note: ")
    assert note.endswith(f"time={name!r}. Pass time='' to keep it as a channel.")


@pytest.mark.parametrize(
    "first",
    [
        np.arange(STEPS)[::-1],  # falls
        np.arange(STEPS) ** 2,  # rises, not evenly
        np.zeros(STEPS),
        np.sin(np.arange(STEPS)),
        np.arange(5),  # too few rows to tell
    ],
)
def test_any_other_first_column_is_a_channel(tmp_path, first):
    data = recurra.load(folder(tmp_path, "x0,x,y", rows(first)))
    assert data.channel_names == ["x0", "x", "y"]


@pytest.mark.parametrize("name", ["t", "Zeit"])
def test_a_channel_of_such_a_name_that_does_not_rise_stays_one(tmp_path, name):
    data = recurra.load(folder(tmp_path, f"x,{name},y", [f"{k},{20 + k % 2},1" for k in (3, 1, 2, 5, 4)]))
    assert name in data.channel_names


def table(text, **words):
    return from_columns(parse(text, who="t.csv"), TableOptions(**words))


def test_a_table_of_several_recordings():
    lines = [f"r{k},{i * 5},{i % 3},{'ud'[k % 2]}" for k in range(3) for i in range(STEPS)]
    data = table("\n".join(["rec,Zeit [ms],x,class", *lines]), id="rec")
    assert data.channel_names == ["x"]
    assert data.sample_rate_hz == pytest.approx(200)
    assert any("found by name: time='Zeit [ms]'" in note for note in data.notes)
    assert table("\n".join(["rec,q,x,class", *lines]), id="rec").channel_names == ["x"]
    assert table("\n".join(["rec,q,x,class", *lines]), id="rec", channels=["q", "x"]).channel_names == [
        "q",
        "x",
    ]


def test_rows_of_a_wide_table_may_be_numbered():
    lines = [f"{k},{'ud'[k % 2]},{k % 3},{k % 5},{k % 7}" for k in range(20)]
    data = table("\n".join(["nr,class,s0,s1,s2", *lines]), channels=["s0", "s1", "s2"])
    assert len(data) == 20


def test_columns_in_another_order_are_taken_by_name(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "0.csv").write_text("time,x,y\n0,1,2\n1,3,4\n")
    (tmp_path / "b" / "1.csv").write_text("y,time,x\n6,0,5\n8,1,7\n")
    data = recurra.load(tmp_path)
    assert data.channel_names == ["x", "y"]
    assert data[1].values.tolist() == [[5, 6], [7, 8]]
    (tmp_path / "b" / "1.csv").write_text("z,time,x\n6,0,5\n8,1,7\n")
    with pytest.raises(
        DataError, match=r"b/1\.csv: has a column 'z' and none called 'y', which a/0\.csv has"
    ):
        recurra.load(tmp_path)


RISING = pd.date_range("2021-01-04", periods=30) + pd.to_timedelta(
    np.arange(30) ** 2 % 7 + np.arange(30) * 7, "D"
)
REFUSED = "It holds dates: name it with time='{}', or leave it out"


def dated(name, dates, **columns):
    return pd.DataFrame({name: pd.DatetimeIndex(dates).strftime("%Y-%m-%d"), **columns})


@pytest.mark.parametrize("word", ["label", "outcome", "target"])
def test_dates_of_rows_that_have_a_label_each_are_no_time_of_steps(tmp_path, word):
    x = np.arange(30.0) ** 1.5
    table = dated("admitted", RISING, f1=x, f2=-x, **{word: np.arange(30) // 3 % 2})
    table.to_csv(tmp_path / "x.csv", index=False)
    words = {"label": "outcome"} if word == "outcome" else {}
    with pytest.raises(DataError, match=REFUSED.format("admitted")):
        recurra.load(tmp_path / "x.csv", **words)
    for told in ({"time": "admitted"}, {"layout": "long"}):
        assert recurra.load(tmp_path / "x.csv", **words, **told).lengths.tolist() == [30]
    for freq in ("D", "MS", "B", "W", "QE", "36h"):
        even = dated("admitted", pd.date_range("2021-01-04", periods=30, freq=freq))
        even["admitted"] = pd.date_range("2021-01-04", periods=30, freq=freq).strftime("%Y-%m-%d %H:%M")
        table.assign(admitted=even["admitted"]).to_csv(tmp_path / "even.csv", index=False)
        data = recurra.load(tmp_path / "even.csv", **words)
        assert (data.lengths.tolist(), data.channel_names) == ([30], ["f1", "f2"])


def test_a_table_that_dates_make_one_sequence_says_so(tmp_path):
    dated("admitted", RISING, f1=range(30), f2=range(30), f3=range(30)).to_csv(
        tmp_path / "x.csv", index=False
    )
    data = recurra.load(tmp_path / "x.csv")
    assert data.lengths.tolist() == [30]
    (note,) = (note for note in data.notes if "one sequence" in note)
    assert note.endswith(
        "'admitted' is read as the time of one sequence; pass id='admitted' if each row is one."
    )
    each = recurra.load(tmp_path / "x.csv", id="admitted")
    assert each.lengths.tolist() == [3] * 30
    assert not any("one sequence" in note for note in recurra.load(tmp_path / "x.csv", layout="long").notes)
    for sort in ("a", "b"):
        (tmp_path / "d" / sort).mkdir(parents=True)
        (tmp_path / "d" / sort / "0.csv").write_text((tmp_path / "x.csv").read_text())
    folder = recurra.load(tmp_path / "d")
    assert folder.channel_names == ["f1", "f2", "f3"]
    assert not any("one sequence" in note for note in folder.notes)


@pytest.mark.parametrize(
    "dates",
    [np.repeat(RISING[:10], 3), RISING[::-1], RISING[np.random.default_rng(0).permutation(30)]],
    ids=["repeated", "falling", "unordered"],
)
@pytest.mark.parametrize("words", [{}, {"layout": "long"}])
def test_dates_that_do_not_rise_are_no_time(tmp_path, dates, words):
    dated("birth", dates, shop=np.arange(30) % 3, sales=np.arange(30.0), n=1).to_csv(
        tmp_path / "x.csv", index=False
    )
    with pytest.raises(DataError, match=REFUSED.format("birth")):
        recurra.load(tmp_path / "x.csv", **words)


def test_dates_that_belong_to_a_whole_sequence_are_no_time(tmp_path):
    table = dated("birth", np.repeat(RISING[:3], 10), x=np.arange(30.0), label=np.repeat([0, 1, 0], 10))
    table.insert(0, "id", np.repeat(["p", "q", "r"], 10))
    table.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=REFUSED.format("birth")):
        recurra.load(tmp_path / "x.csv")
    table["birth"] = np.tile(RISING[:10].strftime("%Y-%m-%d"), 3)
    table.to_csv(tmp_path / "y.csv", index=False)
    data = recurra.load(tmp_path / "y.csv")
    assert (data.lengths.tolist(), data.channel_names) == ([10] * 3, ["x"])
    assert not any("one sequence" in note for note in data.notes)


@pytest.mark.parametrize("dates", [RISING, RISING[::-1]])
def test_channels_leave_a_column_of_dates_out(tmp_path, dates):
    table = dated("birth", dates, x=np.arange(30.0), y=0)
    table.to_csv(tmp_path / "x.csv", index=False)
    data = recurra.load(tmp_path / "x.csv", channels=["x"], layout="long")
    assert np.ravel(data[0].values).tolist() == table["x"].tolist()
    assert recurra.load(tmp_path / "x.csv", channels=["x", "y"]).lengths.tolist() == [2] * 30
