import numpy as np
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.tables.preamble import find_table


def load(tmp_path, text, name="t.csv", **words):
    path = tmp_path / name
    path.write_text(text, newline="")
    return recurra.load(path, **words)


@pytest.mark.parametrize(
    "text",
    [
        "time,x,\n0,1,\n1,2,\n2,3,\n",
        "time,x\n0,1,\n1,2,\n2,3,,\n",
        "time,x,,\n0,1\n1,2\n2,3\n",
        "sep=;\ntime;x\n0;1\n1;2\n2;3\n",
        '"sep=,"\r\ntime,x\r\n0,1\r\n1,2\r\n2,3\r\n',
        "# device 7\n# 50 Hz\ntime,x\n0,1\n1,2\n# pause\n2,3\n# end\n",
        "# time,x\n0,1\n1,2\n2,3\n",
        "#time,x\n0,1\n1,2\n2,3\n",
        "Device: A7\nStart: 2020-01-01\n\ntime,x\n0,1\n1,2\n2,3\n",
        "Device: A7, serial 5\ntime;x\n0;1\n1;2\n2;3\n",
        "Device: A7;;;\ntime;x;;\n0;1;;\n1;2;;\n2;3;;\n;;;\n",
        "Device,A7\nMode,fast\n\ntime,x\n0,1\n1,2\n2,3\n",
        "time,x\ns,m/s\n0,1\n1,2\n2,3\n",
        "time,x\n[s],[m]\n0,1\n1,2\n2,3\n,\n,\n",
        "time\tx\r0\t1\r1\t2\r2\t3\r",
        "\n\n,,\ntime,x\n0,1\n1,2\n2,3\x1a",
    ],
)
def test_one_table_as_many_programs_write_it(tmp_path, text):
    found = load(tmp_path, text)
    assert found.channel_names == ["x"]
    assert [r.values.ravel().tolist() for r in found] == [[1, 2, 3]]


def test_units_of_the_time_column_count(tmp_path):
    found = load(tmp_path, "time,x\nms,m\n0,1\n20,2\n40,3\n60,4\n")
    assert found.sample_rate_hz == pytest.approx(50)
    assert "line 2 holds units (ms, m) and is no row." in " ".join(found.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,x\n0,oops\n1,2\n2,3\n", "line 2 has 'oops'"),
        ("x,y\n1,0.5,0.7\n2,0.6,0.8\n", "line 2 has 3 fields, the header has 2"),
        ("text,label\nwell, it is,good\nyes, no,bad\n", "line 2 has 3 fields, the header has 2"),
        ("1.5,2.5\n1,2\n", "pass header='none'"),
        ("0,1\n1,2\n2,3\n", "the first row must name the columns; it holds only numbers ('0', '1')"),
        ("1.5\n2.5\n", "it holds only numbers ('1.5')"),
        (
            "a,walk,1.5,-2.5\nb,run,3.5,4.5\n",
            "the first row must name the columns; it holds numbers ('1.5', '-2.5')",
        ),
        ("time,x\n0,12345678901234567891\n", "which a float64 cannot hold exactly"),
        ("# nothing\n# at all\n", ""),
    ],
)
def test_what_may_be_something_else_is_refused(tmp_path, text, words):
    with pytest.raises(DataError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_in_quotation_marks_is_no_comment_and_no_end(tmp_path):
    found = load(tmp_path, 'text,label\n"a\n# b\nc",x\n"d\n\n",y\n')
    assert [r.values for r in found] == ["a\n# b\nc", "d"]


def test_a_missing_first_row_is_no_row_of_units(tmp_path):
    found = load(tmp_path, "time,x\n0,-\n1,2\n2,3\n")
    np.testing.assert_array_equal(found[0].values.ravel(), [np.nan, 2, 3])


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "-", "?", "n/a", "NaN"])
def test_classes_ids_and_groups_are_what_stands_there(tmp_path, name):
    rows = f"{name},0,1,{name},{name}\n{name},1,2,{name},{name}\nb,0,1,DE,g\nb,1,2,DE,g\n"
    found = load(tmp_path, "id,time,x,label,group\n" + rows)
    assert found.y.tolist() == [name, "DE"]
    assert found.names == [name, "b"]
    assert found.groups.tolist() == [name, "g"]
    assert f"holds {name!r} (2 cells), read as what stands there" in " ".join(found.notes)
    with pytest.raises(DataError, match="is empty at line 2"):
        load(tmp_path, f"id,time,x,label\na,0,1,\nb,0,1,{name}\n")


@pytest.mark.parametrize("told", [{}, {"header": "none", "label": "column_0", "layout": "wide"}])
def test_tables_of_the_archives_have_the_class_first(tmp_path, told):
    text = "1\t0.1\t0.2\t0.3\n2\t0.3\t0.2\tNaN\n1\t0.1\t0.25\t0.35\n"
    found = load(tmp_path, text, "GunPoint_TRAIN.tsv" if not told else "any.tsv", **told)
    assert found.y.tolist() == [1, 2, 1]
    assert [r.values.ravel().tolist() for r in found] == [[0.1, 0.2, 0.3], [0.3, 0.2], [0.1, 0.25, 0.35]]


def test_classes_of_people_are_answered_with_what_to_write(tmp_path):
    for name in ("walk/s1/a.csv", "walk/s2/a.csv", "run/s1/a.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n1\n2\n")
    with pytest.raises(DataError) as caught:
        recurra.load(tmp_path)
    assert "its folders hold folders" in str(caught.value)
    (tmp_path / "labels.csv").write_text(
        "file,label,group\nwalk/s1/a.csv,walk,s1\nwalk/s2/a.csv,walk,s2\nrun/s1/a.csv,run,s1\n"
    )
    assert recurra.load(tmp_path).groups.tolist() == ["s1", "s2", "s1"]


def test_a_point_in_a_single_name_parts_nothing(tmp_path):
    assert load(tmp_path, "a.b\n1.5\n2.5\n", layout="long").channel_names == ["a.b"]


@pytest.mark.parametrize("first", ["id,time,x", "id,time,x,y", "time,x"])
@pytest.mark.parametrize("second", ["id,time,y", "id,time,x,z,w", "id,time,x"])
def test_two_tables_in_a_file_are_never_read_as_one(tmp_path, first, second):
    def table(header):
        return "\n".join([header, *(",".join([str(k)] * (header.count(",") + 1)) for k in range(3))])

    path = tmp_path / "t.csv"
    path.write_text(f"{table(first)}\n\n{table(second)}\n")
    with pytest.raises(DataError) as caught:
        recurra.load(path)
    assert "\n" not in str(caught.value)


def test_two_tables_are_named_with_their_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,time,x\na,0,1\na,1,2\n\nid,time,y\na,0,1\na,1,2\n")
    with pytest.raises(
        DataError, match="holds two tables: names of columns stand in line 1 and again in line 5"
    ):
        recurra.load(path)
    path.write_text("id,time,x\na,0,1\na,1,2\nid,time,x\nb,0,1\n")
    with pytest.raises(
        DataError, match="the time column 'time' must hold numbers or dates .*; line 4 has 'time'"
    ):
        recurra.load(path)


def test_byte_order_marks_one_before_the_other(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" * 2 + b"sep=;\nid;time;x\na;0;1\nb;0;2\n")
    assert [record.name for record in recurra.load(path)] == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4\n",
        "x,y\n1,2\n3,-4.5e3",
        "x,y\n1,2\n3,4\n\n\n",
        "x,y\n\n1,2\n3,4\n",
        "x,nan\n1,2\n3,4\n",
        "x,y\n1,2\n3\n",
        "x,y\n1,2,3\n4\n",
        "x,y\n1,2\n,\n",
        "x,y\n1,m\n3,4\n",
        "x,y\ns,m\n3,4\n5,6\n",
        "x,y\n# two\n1,2\n",
        "x,y\n1,2\n\x1a",
        "x;y,z\n1;2,3\n",
        "x\n1\n2\n",
        "x,y\n1,٣\n",
    ],
)
def test_the_plainest_tables_are_what_all_others_are(text, monkeypatch):
    quick = find_table(text)
    monkeypatch.setattr("recurra.readers.tables.preamble._PLAINEST_SIZE", -1)
    assert find_table(text) == quick
