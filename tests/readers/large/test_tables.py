"""Large tables say what the reader of text says: the same records and notes, or the same sentence."""

import time

import numpy as np
import pytest

from recurra.datasets import load_any
from recurra.errors import DataError, RecurraError
from recurra.readers.large import delimited, tables
from recurra.readers.tables import table
from recurra.readers.tables.table_options import TableOptions

ROWS = "".join(f"r{i // 10},{i % 10 / 4},{'ab'[i // 10 % 2]},{i * 0.37:.2f},{i % 7}\n" for i in range(300))
LONG = "id,time,label,x,y\n" + ROWS
AGAIN = ROWS.replace("r", "s")

PLAIN = {
    "long": LONG,
    "ends of Windows": LONG.replace("\n", "\r\n"),
    "byte-order mark": "\ufeff" + LONG,
    "no last end": LONG.rstrip("\n"),
    "empty lines": LONG + "\n\n",
    "quoted": LONG.replace(",a,", ',"a",').replace("r1,", '"r1",'),
    "separator in quotes": LONG.replace(",a,", ',"a, b",'),
    "missing": LONG.replace(",1.85,", ",NA,").replace(",3\n", ",\n"),
    "missing far down": LONG + AGAIN.replace(",3\n", ",n/a\n"),
    "fractions far down": LONG + AGAIN.replace(",3\n", ",3.25\n"),
    "a label that says nothing": LONG.replace(",a,", ",NA,"),
    "codes": LONG.replace("r", "00").replace(",a,", ",01,").replace(",b,", ",02,"),
    "whole and broken labels": LONG.replace(",a,", ",1,").replace(",b,", ",1.0,"),
    "dates": LONG.replace("time", "when").replace("r", "r").replace(",0.25,", ",0.25,"),
    "semicolons": LONG.replace(",", ";"),
    "exponents": LONG + "z1,0,a,1e3,2\nz1,1,a,-1.5E-2,3\n",
    "scattered": LONG + "r0,9.5,a,1,2\n",
    "labels per step": LONG + "z1,0,a,1,2\nz1,1,b,1,2\n",
    "names of pandas": "Unnamed: 0" + LONG.replace("id", ",id", 1).replace("\nr", "\n0,r"),
}
ODD = {
    "a word among numbers": LONG + "z1,0,a,broken,2\n",
    "a row too long": LONG + "z1,0,a,1,2,3\n",
    "a row too short": LONG + "z1,0,a\n",
    "time goes back": LONG + "z1,1,a,1,2\nz1,0,a,1,2\n",
    "time repeats": LONG + "z1,1,a,1,2\nz1,1,a,1,2\n",
    "thousands": LONG.replace("y\n", "y,n\n", 1).replace(
        ROWS, "".join(f"{r},1.234\n" for r in ROWS.splitlines())
    )
    + "z,0,a,1,2,56\n",
    "groups of thousands": LONG + 'z1,0,a,"1,234.5",2\n',
    "infinite": LONG + "z1,0,a,inf,2\n",
    "too large": LONG + "z1,0,a,1e999,2\n",
    "whole and too large": LONG + "z1,0,a,1,12345678901234567890\n",
    "hexadecimal": LONG + "z1,0,a,1,0x1F\n",
    "hexadecimal times": "id,step,y,z\n"
    + "".join(f"a,{i},{i % 3},{i % 7}\n" for i in range(300))
    + "a,0x1F4,1,2\n",
    "a comment": LONG + "# the end\n",
    "units": LONG.replace("\n", "\n,s,,m,m\n", 1),
    "a preamble": "Logger 7\n\n" + LONG,
    "no name": LONG.replace(",y", ",", 1),
    "one name twice": LONG.replace(",y", ",x", 1),
    "numbers in the first row": ROWS.replace("r", "").replace("a", "1").replace("b", "2"),
    "an id missing": LONG + ",0,a,1,2\n",
    "a label missing": LONG + "z1,0,,1,2\n",
    "old ends": LONG.replace("\n", "\r"),
    "no UTF-8": LONG.encode() + b"z1,0,\xe9,1,2\n",
    "zero bytes": LONG + "z1,0,a,1,\0\n",
    "underscores": LONG + "z1,0,a,1_000,2\n",
    "separators at the end": LONG + ",,,,\n,,,,\n",
    "only a header": "id,time,x\n",
}


def said(read, path, words):
    try:
        return read(path, TableOptions.from_dict(words, who=str(path)))
    except RecurraError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "portion", [500, 11]
)  # bytes: a table in a dozen portions, and lines longer than one
@pytest.mark.parametrize("case", [*PLAIN, *ODD])
def test_says_what_the_reader_of_text_says(case, portion, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LARGE_BYTES", 0)
    for name in ("_PORTION", "_CHUNK"):
        monkeypatch.setattr(delimited, name, portion)
    path = tmp_path / "data.csv"
    content = {**PLAIN, **ODD}[case]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for words in ({}, {"label": "", "id": "id"}, {"time": "", "sort": True}, {"channels": ["x"]}):
        fast, slow = said(tables.read_table, path, words), said(table.read_table, path, words)
        if isinstance(slow, str):
            assert fast == slow
            continue
        assert (fast.notes, fast.channel_names, fast.names) == (slow.notes, slow.channel_names, slow.names)
        for one, other in zip(fast.records, slow.records, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
            assert one.values.dtype == other.values.dtype
            np.testing.assert_array_equal(one.label, other.label)
            assert type(one.label) is type(other.label)
            assert (one.sample_rate_hz, one.start) == (other.sample_rate_hz, other.start)


@pytest.mark.parametrize("case", PLAIN)
def test_is_read_by_pyarrow(case, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(PLAIN[case], encoding="utf-8", newline="")
    columns = tables.read_columns(path, TableOptions(), header="auto")
    assert columns is not None
    assert columns.block is not None
    assert columns.rows == sum(bool(line.strip()) for line in PLAIN[case].splitlines()) - 1


@pytest.mark.parametrize("portion", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_portions_are_the_file_in_whole_lines(portion, end, tmp_path, monkeypatch):
    """Seen to fail with the rest of a portion put behind the next one."""
    lines = [b"x" * (i * 37 % 211) for i in range(200)]
    path = tmp_path / "data.csv"
    path.write_bytes(b"\n".join(lines) + end.encode())
    monkeypatch.setattr(delimited, "_PORTION", portion)
    found = [bytes(text) for text in delimited._portions(path)]
    assert b"".join(found).rstrip(b"\n") == path.read_bytes().rstrip(b"\n")
    assert all(text.endswith(b"\n") for text in found[:-1])


def test_nothing_is_kept_of_other_kinds(tmp_path, monkeypatch):
    """Seen to fail with columns taken for numbers by their first rows alone."""
    path = tmp_path / "data.csv"
    path.write_text(LONG + "z1,0,a,broken,2\n", encoding="utf-8")
    columns = tables.read_columns(path, TableOptions(), header="auto")
    assert columns.block_names == ["y"]
    assert columns["x"][-1] == "broken"
    monkeypatch.setattr(delimited, "_TRIES", 1)
    assert tables.read_columns(path, TableOptions(), header="auto") is None


def test_parquet_is_read_the_same(tmp_path, monkeypatch):
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    n = 1000
    made = {
        "id": [f"r{i // 50}" for i in range(n)],
        "time": np.datetime64("2024-01-01", "ms") + np.arange(n),
        "label": [i // 50 % 3 for i in range(n)],
        "x": pa.array([None if i % 97 == 0 else float(i) for i in range(n)]),
        "k": pa.array([None if i % 77 == 0 else i for i in range(n)], pa.int32()),
        "f": rng.normal(size=n).astype(np.float32),
    }
    parquet.write_table(pa.table(made), tmp_path / "a.parquet", row_group_size=130)
    slow = table.read_table(tmp_path / "a.parquet")
    monkeypatch.setattr(tables, "LARGE_BYTES", 0)
    fast = tables.read_table(tmp_path / "a.parquet")
    assert fast.notes == slow.notes
    for one, other in zip(fast.records, slow.records, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.label, one.name, one.start) == (other.label, other.name, other.start)


@pytest.mark.parametrize("odd", ["", "1,2,broken\n", "0.5,1,2\n"])
def test_folders_of_large_files_are_read_the_same(odd, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            rows = "".join(
                f"{t * 0.25},{x:.3f},{y:.3f}\n" for t, (x, y) in enumerate(rng.normal(size=(50, 2)))
            )
            names = "time,x,y\n" if number else "time,x,y\n\n"
            (tmp_path / label / f"{number}.csv").write_text(names + rows + (odd if number == 2 else ""))
    slow = said(lambda path, _: load_any(path), tmp_path, {})
    monkeypatch.setattr(tables, "LARGE_BYTES", 0)
    fast = said(lambda path, _: load_any(path), tmp_path, {})
    if odd:
        assert fast == slow
        assert "2.csv" in fast
        return
    assert (fast.notes, fast.names, fast.channel_names) == (slow.notes, slow.names, slow.channel_names)
    for one, other in zip(fast.records, slow.records, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.label, one.sample_rate_hz) == (other.label, other.sample_rate_hz)


@pytest.mark.parametrize("times", [False, True])
def test_an_index_of_pandas_without_a_name_is_no_channel_but_times_are(times, tmp_path, monkeypatch):
    import pandas as pd

    frame = pd.DataFrame({"ax": np.sin(np.arange(40.0)), "ay": np.cos(np.arange(40.0))})
    frame.index = pd.date_range("2024-01-01", periods=40, freq="h") if times else np.arange(3, 43)
    if not times:
        frame["time"] = np.arange(40) / 10
    frame.to_parquet(tmp_path / "a.parquet")
    for read in (table.read_table, tables.read_table):
        monkeypatch.setattr(tables, "LARGE_BYTES", 0)
        found = read(tmp_path / "a.parquet")
        assert found.channel_names == ["ax", "ay"]
        assert found.records[0].sample_rate_hz == pytest.approx(1 / 3600 if times else 10)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_levels_of_an_index_without_a_name(stored, order, tmp_path):
    import pandas as pd

    def load(*levels, names=None):
        index = pd.MultiIndex.from_arrays(
            [levels[i] for i in order], names=names and [names[i] for i in order]
        )
        frame = pd.DataFrame({"ax": np.sin(np.arange(40.0)), "ay": np.arange(40) % 7}, index=index)
        if stored:
            frame.to_parquet(tmp_path / "a.parquet")
        return load_any(tmp_path / "a.parquet" if stored else frame)

    times = [*pd.date_range("2024-01-01", periods=20, freq="h")] * 2
    one = pd.date_range("2024-01-01", periods=40, freq="h")
    for own in (["a"] * 20 + ["b"] * 20, pd.Categorical(["un"] * 20 + ["né"] * 20)):
        data = load(own, times)
        assert (data.channel_names, [len(x) for x in data.X]) == (["ax", "ay"], [20, 20])
        assert data[1].sample_rate_hz == pytest.approx(1 / 3600)
    data = load(np.arange(40), one, names=(None, "time"))
    assert (data.channel_names, len(data)) == (["ax", "ay"], 1)
    who = "a.parquet" if stored else "DataFrame"
    with pytest.raises(DataError) as caught:
        load(one, one + pd.Timedelta("30D"))
    assert f"{who}: 2 levels of the index hold times and have no name, so which" in str(caught.value)
    with pytest.raises(DataError, match=r"column 'level_0' must hold numbers; row 0 has '.'\. .* with.* id="):
        load(list("ab") * 20, list("cd") * 20)


@pytest.mark.parametrize("least", [0, 1 << 20])
def test_a_zone_that_is_none(tmp_path, monkeypatch, least):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(tables, "LARGE_BYTES", least)
    times = pa.array([60 * 10**6 * i for i in range(9)], pa.timestamp("us", "Mars/Phobos"))
    parquet.write_table(pa.table({"time": times, "a": np.arange(9.0)}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as caught:
        load_any(tmp_path / "a.parquet")
    assert str(caught.value).endswith(
        "a.parquet: cannot be read as Parquet: its times are of the zone 'Mars/Phobos', which is not known"
    )


def test_the_time_for_many_columns_does_not_grow_with_their_square(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({f"c{i}": np.arange(2.0) for i in range(6000)}), path)
    begun = time.process_time()
    data = load_any(path)
    assert data.lengths.tolist() == [6000, 6000]
    assert time.process_time() - begun < 10  # 1 s, and 30 s where the schema was made for every column


@pytest.mark.parametrize("least", [0, 1 << 20])
def test_a_text_that_stands_there_many_times_is_a_bomb(tmp_path, monkeypatch, least):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(tables, "LARGE_BYTES", least)
    path = tmp_path / "a.parquet"
    for copies, refused in ((2, False), (20_000, True)):
        texts = pa.array(["good film " * 100_000]).dictionary_encode().take(pa.array([0] * copies))
        parquet.write_table(pa.table({"text": texts}), path, compression="zstd")
        assert path.stat().st_size < 10_000
        if not refused:
            assert len(load_any(path, text="text")) == 2
            continue
        with pytest.raises(DataError) as caught:
            load_any(path, text="text")
        assert str(caught.value).endswith(
            "its texts unfold to 20,000,000,000 bytes; at most 8,589,934,592 are read"
        )
