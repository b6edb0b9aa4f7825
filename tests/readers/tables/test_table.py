import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from recurra.errors import DataError, UsageError
from recurra.readers.tables.columns import from_frame, parse
from recurra.readers.tables.table import MAX_CHANNELS, from_columns, read_table
from recurra.readers.tables.table_options import TableOptions


def table(text, **words):
    return from_columns(parse(text, who="t.csv"), TableOptions(**words))


def message(text, kind=DataError, **words):
    with pytest.raises(kind) as caught:
        table(text, **words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


LONG = "id,time,x,y,label\na,0,1,2,p\na,0.5,3,4,p\na,1,5,6,p\nb,0,7,8,q\nb,0.5,9,10,q\nb,1,11,12,q\n"


def test_long_table():
    data = table(LONG)
    assert data.names == ["a", "b"]
    assert data.channel_names == ["x", "y"]
    assert data[1].values.tolist() == [[7, 8], [9, 10], [11, 12]]
    assert data.y.tolist() == ["p", "q"]
    assert data.sample_rate_hz == 2.0
    assert data.notes == ("t.csv: found by name: id='id', time='time', label='label'.",)


def test_label_that_varies_is_one_per_step():
    data = table(LONG.replace("a,1,5,6,p", "a,1,5,6,q"))
    assert data.labels_per_step
    assert data[0].label.tolist() == ["p", "p", "q"]
    assert "t.csv: 'label' varies within sequences: read as one label per time step." in data.notes
    data = table(LONG.replace("a,1,5,6,p", "a,1,5,6,q") + "c,0,1,1,p\n")
    assert (
        "t.csv: 'label' varies within 1 of 3 sequences, such as 'a': read as one label per time step. Correct these if "
        "each sequence has one label." in data.notes
    )
    assert "must be constant in each sequence; it varies in 'a' (1 such sequences)" in message(
        LONG.replace("a,1,5,6,p", "a,1,5,6,q"), label_per="sequence"
    )
    assert table(LONG, label_per="step")[1].label.tolist() == ["q", "q", "q"]


def test_targets():
    text = "case,x,t,u\na,1,0.5,1\na,2,0.5,1\nb,3,1.5,2\n"
    assert table(text, id="case", target="t").y.tolist() == [0.5, 1.5]
    assert table(text, id="case", target=["t", "u"]).y.tolist() == [[0.5, 1], [1.5, 2]]
    steps = table("case,x,t\na,1,0.5\na,2,0.7\nb,3,1.5\n", id="case", target="t")
    assert steps[0].label.tolist() == [0.5, 0.7]


def test_groups():
    text = "id,x,person\na,1,p\na,2,p\nb,3,q\n"
    assert table(text, group="person", channels=["x"]).groups.tolist() == ["p", "q"]
    bad = message(text.replace("a,2,p", "a,2,q"), group="person")
    assert "the group column 'person' must be constant in each sequence; sequence 'a' has 'p' and 'q'." in bad


def test_wide_table():
    data = table("name,label,s0,s1,s2\nu,p,1,2,3\nv,q,4,,\nw,q,5,,6\n", id="name")
    assert [values[:, 0].tolist() for values in data.X][:2] == [[1, 2, 3], [4]]
    np.testing.assert_array_equal(data[2].values, [[5], [np.nan], [6]])
    assert data.y.tolist() == ["p", "q", "q"]
    assert data.names == ["u", "v", "w"]


def test_wide_table_with_rows_cut_short():
    data = table("label,0,1,2\np,1,2,3\nq,4\n")
    assert data.lengths.tolist() == [3, 1]


def test_wide_table_with_numbered_columns_and_pandas_index():
    assert table(",label,s0,s1\n0,p,1,2\n1,q,3,4\n").X[1].tolist() == [[3], [4]]


def test_texts():
    data = table('Text,label\nhello there,p\n"a, b",q\n')
    assert data.kind == "text"
    assert data.X == ["hello there", "a, b"]
    assert "the text column 'Text' must be filled; it is empty at line 3" in message(
        "Text,label\nhello,p\n,q\n"
    )


def test_one_recording_with_a_time_column():
    data = table("time,x\n0,1\n0.25,2\n0.5,3\n")
    assert len(data) == 1
    assert data.sample_rate_hz == 4.0


def test_interleaved_rows_are_joined_by_id():
    data = table("id,time,x\na,0,1\nb,0,2\na,1,3\nb,1,4\n")
    assert [values[:, 0].tolist() for values in data.X] == [[1, 3], [2, 4]]
    assert any(
        "the rows of 2 sequences stand in 4 pieces; they were joined by id." in note for note in data.notes
    )


def test_start_orders_records_by_date():
    data = table("id,time,x\na,2024-01-02,1\na,2024-01-03,1\nb,2024-01-01,1\nb,2024-01-02,1\n")
    assert data[0].start - data[1].start == 86400
    assert table(LONG)[0].start is None


# Bad input: one sentence each, with place, rule, what came, what to do.


def test_missing_column():
    assert message(LONG, label="lable").endswith(
        "has no column 'lable' (given as label); its columns are 'id', 'time', 'x', 'y', 'label'. Did you "
        "mean 'label'?"
    )


def test_text_in_number_column():
    assert message(LONG.replace("9,10", "9,ten")) == (
        "t.csv: column 'y' must hold numbers; line 6 has 'ten'. "
        "Correct the cell, or leave it empty if the value is not known."
    )
    table = "id,x,kind\n" + "".join(f"{i // 5},{i},{'old' if i % 5 else i}\n" for i in range(50))
    assert message(table, id="id").endswith(
        "Leave the column out with channels=, or say what it is with label=, group=, id= or static=."
    )


def test_missing_label():
    assert message(LONG.replace("a,0.5,3,4,p", "a,0.5,3,4,")) == (
        "t.csv: the label column 'label' must be filled; it is empty at line 3. Fill it, or remove these "
        "rows."
    )
    assert table("label,s0\n,1\n,2\n").y is None  # no label at all: data to predict


def test_missing_target():
    text = message("id,x,target\na,1,2\nb,1,\n", layout="long")
    assert "the label column 'target' must be filled; it is empty at line 3." in text


def test_nan_and_infinity_are_kept_and_counted():
    data = table(LONG.replace("3,4", ",inf"))
    assert np.isnan(data[0].values[1, 0])
    assert np.isinf(data[0].values[1, 1])
    assert (
        "t.csv: 1 of 12 values is missing (kept as NaN); fit with missing='mask', or fill them." in data.notes
    )
    assert "t.csv: 1 of 12 values is infinite (kept); replace them before fitting." in data.notes


def test_sequence_without_a_step():
    assert message("label,s0,s1\np,1,2\nq,,\n") == (
        "t.csv: line 3 has no value: a sequence needs at least one time step. Remove the row."
    )


def test_missing_id():
    assert "the id column 'id' must be filled; it is empty at line 2" in message("id,time,x\n,0,1\nb,0,1\n")


def test_doubled_id_in_a_wide_table():
    text = message("id,label,s0\na,p,1\nb,p,2\na,q,3\n", layout="wide")
    assert "id 'a' is given twice, at line 2 and line 4. Give every row its own id" in text


def test_id_that_comes_back():
    text = "id,x\na,1\na,2\nb,3\na,4\n"
    assert message(text) == (
        "t.csv: id 'a' comes back at line 5 after another sequence. If two sequences share the id, rename "
        "one; "
        "if its rows belong together in this order, pass sort=True."
    )
    assert table(text, sort=True).lengths.tolist() == [3, 1]


def test_two_sequences_of_one_id():
    text = message("id,time,x\na,0,1\na,1,2\nb,0,3\na,0,4\n")
    assert "line 5 (sequence 'a') has 0 after 1. Two sequences may share this id: rename one." in text


def test_time_that_goes_back():
    text = "id,time,x\na,0,1\na,2,3\na,1,2\n"
    assert message(text) == (
        "t.csv: time must not go back within a sequence; line 4 (sequence 'a') has 1 after 2. "
        "Sort the table, or pass sort=True."
    )
    assert table(text, sort=True)[0].values[:, 0].tolist() == [1, 2, 3]


def test_time_that_starts_again_without_an_id_names_the_word_for_it():
    assert message("time,x\n0,1\n1,2\n0,3\n1,4\n") == (
        "t.csv: time must not go back within a sequence; line 4 has 0 after 1. If the table holds several sequences, "
        "name the column that tells them apart with id=; else sort it, or pass sort=True."
    )


def test_doubled_time_is_kept_and_told():
    data = table("id,time,x\na,0,1\na,0.5,3\na,0.5,2\na,1,2\n")
    assert data.lengths.tolist() == [4]
    assert any(
        "1 time stamps repeat the one before, first at line 4 (sequence 'a')" in note for note in data.notes
    )


def test_irregular_and_mixed_sampling_are_told():
    irregular = table("id,time,x\na,0,1\na,0.1,2\na,5.5,3\n")
    assert irregular.sample_rate_hz is None
    assert any("sampled irregularly" in note for note in irregular.notes)
    mixed = table(
        "id,time,x\n"
        + "".join(f"{i},{k * step},1\n" for i, step in (("a", 0.5), ("b", 0.1)) for k in range(4))
    )
    assert any("sampled at different rates" in note for note in mixed.notes)


def test_a_hundred_thousand_columns():
    width = 100_000
    text = "time," + ",".join(f"c{i}" for i in range(width)) + "\n" + ",".join(["1"] * (width + 1)) + "\n"
    assert message(text) == (
        f"t.csv: has {width + 1} columns; a long table has one column per channel, at most {MAX_CHANNELS}. "
        "Pick the channels with channels=. If every row is a whole sequence, pass layout='wide'."
    )


def test_row_too_short_in_a_long_table():
    assert message("time,x,y\n0,1,2\n1,2\n") == (
        "t.csv: line 3 has fewer fields than the header's 3. Complete the row. "
        "If every row is a whole sequence, pass layout='wide'."
    )
    assert message("time,x,y\n0,1,2\n1,2\n", layout="long").endswith("Complete the row.")


def test_a_doubled_id_is_no_reason_to_give_a_layout_that_texts_have_not():
    with pytest.raises(DataError, match=r"id 'a' is given twice.*own id, or none at all\.$"):
        from_columns(
            parse("id,note,label\na,oil leaks,p\na,no power,q\n", who="t.csv"),
            TableOptions(text="note", id="id"),
        )


def test_no_values_left():
    assert "has no column left for the values" in message("id,label\na,p\nb,q\n")


def test_unknown_words():
    with pytest.raises(UsageError) as caught:
        TableOptions.from_dict({"labell": "x"}, who="t.csv")
    assert str(caught.value).startswith(
        "load: labell= does not apply to t.csv, a table or folder; it takes id=, time="
    )
    assert str(caught.value).endswith("Did you mean 'label'?")
    with pytest.raises(UsageError, match="layout must be one of"):
        TableOptions.from_dict({"layout": "tall"}, who="t.csv")
    with pytest.raises(UsageError, match="must be one character"):
        TableOptions.from_dict({"decimal": ".."}, who="t.csv")


def test_sort_without_anything_to_sort_by():
    assert "sort=True needs a time column or an id column" in message(
        "x\n1\n", kind=UsageError, sort=True, layout="long"
    )


def test_data_frame_equals_the_file(tmp_path):
    pd = pytest.importorskip("pandas")
    path = tmp_path / "t.csv"
    path.write_text(LONG)
    a, b = read_table(path), read_table(pd.read_csv(path))
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.values, two.values)
        assert (one.label, one.name, one.sample_rate_hz) == (two.label, two.name, two.sample_rate_hz)
    indexed = from_columns(from_frame(pd.read_csv(path).set_index(["id", "time"])), TableOptions())
    assert indexed.lengths.tolist() == [3, 3]


cells = st.floats(allow_nan=True, allow_infinity=True, width=64)
sequences = st.integers(1, 3).flatmap(
    lambda channels: st.lists(
        st.lists(st.lists(cells, min_size=channels, max_size=channels), min_size=1, max_size=5),
        min_size=1,
        max_size=5,
    )
)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6).map(
    lambda text: "n" + text.strip()
)


@settings(max_examples=150, deadline=None)
@given(data=sequences, label=words, delimiter=st.sampled_from([",", ";", "\t"]))
def test_what_was_written_is_read(data, label, delimiter):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(["id", "label", *(f"c{i}" for i in range(len(data[0][0])))])
    for index, sequence in enumerate(data):
        for row in sequence:
            writer.writerow([f"{label}{index}", label + str(index % 2), *(repr(v) for v in row)])
    columns = parse(stream.getvalue(), who="t.csv", delimiter=delimiter)
    back = from_columns(columns, TableOptions(layout="long"))
    assert len(back) == len(data)
    for index, record in enumerate(back):
        np.testing.assert_array_equal(record.values, np.array(data[index]))
        assert record.name == f"{label}{index}".strip()
        assert record.label == (label + str(index % 2)).strip()


@settings(max_examples=50, deadline=None)
@given(data=st.lists(st.lists(st.floats(allow_nan=False), min_size=1, max_size=6), min_size=1, max_size=6))
def test_wide_what_was_written_is_read(data):
    width = max(len(row) for row in data)
    lines = [",".join(["label", *(f"s{i}" for i in range(width))])]
    lines += [",".join(["p", *(repr(v) for v in row), *[""] * (width - len(row))]) for row in data]
    back = table("\n".join(lines) + "\n")
    assert [values[:, 0].tolist() for values in back.X] == data


ROWS = "id,t,x,z,label,words,more\n" + "".join(
    f"r{n // 6},{n % 6},{n}.5,{n % 5},{'ab'[n // 6 % 2]},w{n} v,u{n} q\n" for n in range(48)
)
WIDE = "name,c1,c2,c3,label\n" + "".join(f"r{n},{n},{n + 1},{n + 2},{'ab'[n % 2]}\n" for n in range(12))
TEXTS = "n,words,more,label\n" + "".join(f"r{n},w{n} v,u{n} q,{'ab'[n % 2]}\n" for n in range(12))
SERIES = "day,x,k\n" + "".join(f"2024-01-{n + 1:02},{n}.5,{n % 7}\n" for n in range(30))
LAYOUTS_READ = {
    "long": (ROWS, {"id": "id", "label": "label", "channels": ["x", "z"]}),
    "wide": (WIDE, {"label": "label", "layout": "wide", "id": "name"}),
    "texts": (TEXTS, {"text": "words", "label": "label"}),
    "pairs": (TEXTS, {"source": "words", "target": "more"}),
    "series": (SERIES, {"time": "day", "target": "x", "kind": "series"}),
}
COLUMN_WORDS = (
    "id", "time", "label", "group", "target", "known", "static", "text", "source", "channels",
)  # fmt: skip


@pytest.mark.parametrize("word", COLUMN_WORDS)
@pytest.mark.parametrize("layout", LAYOUTS_READ)
def test_a_column_that_is_not_there_is_said_in_every_layout(layout, word, tmp_path):
    text, words = LAYOUTS_READ[layout]
    (tmp_path / "data.csv").write_text(text)
    recurra.load(tmp_path / "data.csv", **words)
    with pytest.raises((DataError, UsageError)) as raised:
        recurra.load(tmp_path / "data.csv", **{**words, word: "nope"})
    said = str(raised.value)
    assert "\n" not in said
    assert "nope" in said or word in said
