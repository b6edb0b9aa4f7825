import numpy as np
import pytest

from recurra.batches.splits import record_keys
from recurra.batches.training_digests import TrainedOn
from recurra.errors import DataError, UsageError
from recurra.inspection.inspection import inspect
from recurra.readers.folder import read_folder
from recurra.readers.tables.columns import parse
from recurra.readers.tables.series import series_from_columns
from recurra.readers.tables.table import from_columns
from recurra.readers.tables.table_options import TableOptions, UnusedWordError

LONG = (
    "id,time,x,age,sensor,label\n"
    "a,0,1,34,old,p\na,1,2,34,old,p\na,2,3,34,old,p\n"
    "b,0,1,51,new,q\nb,1,2,51,new,q\nb,2,3,51,new,q\n"
    "c,0,1,,new,p\nc,1,2,,new,p\nc,2,4,,new,p\n"
)


def table(text, **words):
    return from_columns(parse(text, who="t.csv"), TableOptions.from_dict(words, who="t.csv"))


@pytest.mark.parametrize("static", [["age", "sensor"], "age,sensor", ["age, sensor"]])
def test_static_columns_of_a_long_table_are_no_channels(static):
    data = table(LONG, static=static)
    assert data.channel_names == ["x"]
    assert data.static_names == ["age", "sensor"]
    assert data.static == [[34.0, "old"], [51.0, "new"], [None, "new"]]
    assert [r.values.shape for r in data] == [(3, 1)] * 3


def test_a_column_with_a_comma_in_its_name_is_one():
    text = LONG.replace("x,age,sensor", 'x,"age,y",sensor')
    assert table(text, static=["age,y", "sensor"]).static_names == ["age,y", "sensor"]


def test_a_column_that_changes_is_refused_in_a_sentence():
    text = LONG.replace("b,1,2,51", "b,1,2,52")
    with pytest.raises(
        DataError,
        match=r"t.csv: the static column 'age' must be constant in each sequence; sequence "
        r"'b' has 51 and 52. Leave it among the channels, or correct it.",
    ):
        table(text, static="age,sensor")
    with pytest.raises(DataError, match="sequence 'a' has 34 and an empty cell"):
        table(LONG.replace("a,1,2,34", "a,1,2,"), static="age,sensor")
    with pytest.raises(DataError, match="agee"):
        table(LONG, static="agee")
    with pytest.raises(DataError, match="'sensor' must hold numbers.* or static="):
        table(LONG, static="age")
    with pytest.raises(UsageError, match="static= names 'label', the column with what is to be learned"):
        table(LONG, static="label", label="label")


def test_a_wide_table_has_static_columns_too():
    data = table("who,v1,v2,age,label\na,1,2,30,p\nb,3,4,40,q\n", static=["age"], id="who", label="label")
    assert data.static == [[30], [40]]
    assert data[0].values.tolist() == [[1], [2]]


def test_texts_take_none():
    with pytest.raises(UnusedWordError, match="static= does not apply"):
        table("text,age,label\nhello you,3,p\nbye,4,q\n", static="age")


def test_series_take_one_name_as_a_string():
    columns = parse("t,v,kind\n2020-01-01,1,a\n2020-01-02,2,a\n2020-01-03,3,a\n", who="t.csv")
    words = TableOptions(time="t", target="v", static="kind", kind="series")
    assert series_from_columns(columns, words)[0].static == ["a"]


def test_a_folder_takes_them_from_labels_csv_and_from_its_files(tmp_path):
    for name, age in (("a", 3), ("b", 4)):
        (tmp_path / f"{name}.csv").write_text(f"x,age\n1,{age}\n2,{age}\n")
    own = read_folder(tmp_path, TableOptions.from_dict({"static": "age"}, who="folder"))
    assert own.static == [[3], [4]]
    assert own.channel_names == ["x"]
    (tmp_path / "labels.csv").write_text("file,label,sensor\na.csv,p,old\nb.csv,q,new\n")
    told = read_folder(tmp_path, TableOptions.from_dict({"static": ["sensor"]}, who="folder"))
    assert (told.static, told.static_names) == ([["old"], ["new"]], ["sensor"])
    assert told.channel_names == ["x", "age"]


def test_folders_of_classes_take_them_from_their_files(tmp_path):
    for label, name, age in (("p", "a", 3), ("q", "b", 4)):
        (tmp_path / label).mkdir()
        (tmp_path / label / f"{name}.csv").write_text(f"x,age\n1,{age}\n2,{age}\n")
    data = read_folder(tmp_path, TableOptions.from_dict({"static": "age"}, who="folder"))
    assert (data.static, data.channel_names, data.static_names) == ([[3], [4]], ["x"], ["age"])


def test_equal_sequences_with_other_static_inputs_are_two():
    data = table(LONG, static=["age", "sensor"])
    plain = table(LONG, channels=["x"])
    assert len(set(record_keys(plain))) == 2
    assert len(set(record_keys(data))) == 3
    same = table(LONG.replace("51", "34").replace("new", "old"), static=["age", "sensor"])
    assert record_keys(same)[0] == record_keys(same)[1]  # 34 of a column of floats
    # Windows, subsets and splits keep them.
    assert data.windows(2)[0].static == data[0].static
    assert data.take([1]).static == [[51.0, "new"]]
    assert {tuple(r.static) for side in data.split(1) for r in side} == {tuple(r) for r in data.static}


def test_digests_of_training_data_know_static_inputs():
    data = table(LONG, static=["age", "sensor"])
    known = TrainedOn.of(data)
    same, other = (known.overlap(data.X, static=static) for static in (data.static, [[1, "old"]] * 3))
    assert same.known == 3
    assert other.known == other.in_part == 0  # too short for a stretch


def test_look_speaks_of_static_inputs():
    remarks = inspect(table(LONG, static="sensor")).remarks
    assert any("'age' never changes within a sequence" in one and "--static age " in one for one in remarks)
    found = inspect(table(LONG, static=["age", "sensor"]))
    assert "Static inputs, one value a sequence: 'age', 'sensor'." in found.remarks
    assert not any("never change" in one for one in found.remarks)


def test_look_finds_a_static_input_that_is_the_label():
    rows = "".join(f"{i},{t},{t % 3},{i % 2},{'pq'[i % 2]}\n" for i in range(8) for t in range(3))
    found = inspect(table("id,time,x,side,label\n" + rows, static="side"))
    assert any("side" in leak for leak in found.leaks)
    assert np.all([r.static[0] in (0, 1) for r in table("id,time,x,side,label\n" + rows, static="side")])
