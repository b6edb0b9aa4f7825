"""Time columns that tables call in their own way."""

import numpy as np
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
