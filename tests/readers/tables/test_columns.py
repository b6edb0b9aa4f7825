import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.readers.tables import columns as cols


def message(kind, call, *args, **kwargs):
    with pytest.raises(kind) as caught:
        call(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def write(tmp_path):
    def make(data, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return make


def test_reads_names_and_cells(write):
    read = cols.read_delimited(write('id,"a, b",c\r\nx,"1","q ""w"""\r\n\r\ny,2,\r\n'))
    assert read.names == ["id", "a, b", "c"]
    assert read.numbers("a, b").tolist() == [1, 2]
    assert read.strings("c") == ['q "w"', None]
    assert [read.place(0), read.place(1)] == ["line 2", "line 4"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_the_delimiter(write, delimiter):
    read = cols.read_delimited(write(f"a{delimiter}b\n1{delimiter}2\n"))
    assert read.names == ["a", "b"]


def test_byte_order_mark_is_no_part_of_the_first_name(write):
    assert cols.read_delimited(write(b"\xef\xbb\xbfa,b\n1,2\n")).names == ["a", "b"]


@pytest.mark.parametrize("data", [b"", b"  \n\n"])
def test_empty_file(write, data):
    text = message(DataError, cols.read_delimited, write(data))
    assert text.endswith(
        f"data.csv: the file is empty ({len(data)} bytes). Check that writing it was finished."
    )


def test_header_only(write):
    text = message(DataError, cols.read_delimited, write("a,b\n"))
    assert "data.csv: has a header but no row: there is no time step in it." in text


def test_no_such_file(tmp_path):
    assert message(MissingDataError, cols.read_delimited, tmp_path / "no.csv").endswith(
        "no.csv: there is no such file."
    )


def test_wrong_encoding_names_the_byte(write):
    path = write("a,b\nGrün,1\n".encode("latin-1"))
    text = message(DataError, cols.read_delimited, path)
    assert (
        "data.csv: is not utf-8 text: byte 6 is 0xfc. Pass encoding='latin-1', or save it as UTF-8." in text
    )
    assert cols.read_delimited(path, encoding="latin-1").strings("a") == ["Grün"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("told", ["utf-8", "latin-1", "utf-16-le"])
def test_a_byte_order_mark_tells_the_encoding(write, encoding, told):
    read = cols.read_delimited(write("ä,b\n1,2\n".encode(encoding)), encoding=told)
    assert read.names == ["ä", "b"]
    assert read.numbers("b").tolist() == [2]


def test_utf16_without_mark_is_suggested(write):
    path = write("a,b\n1,2\n".encode("utf-16-le"))
    assert "pass encoding='utf-16-le'" in message(DataError, cols.read_delimited, path)
    assert cols.read_delimited(path, encoding="utf-16-le").numbers("b").tolist() == [2]


def test_unknown_encoding(write):
    text = message(UsageError, cols.read_delimited, write("a\n1\n"), encoding="utf-99")
    assert "there is no encoding 'utf-99'" in text


def test_binary_file(write):
    text = message(DataError, cols.read_delimited, write(b"PK\x03\x04\0\0"))
    assert "is not a text file: it is a ZIP archive" in text


def test_text_in_a_number_column(write):
    read = cols.read_delimited(write("a,b\n1,2\n\n3,oops\n"))
    assert message(DataError, read.numbers, "b").endswith(
        "data.csv: column 'b' must hold numbers; line 4 has 'oops'. "
        "Correct the cell, or leave it empty if the value is not known."
    )


def test_decimal_comma(write):
    path = write("a;b\n1,5;2\n")
    assert "If the comma is the decimal mark, pass decimal=','." in message(
        DataError, cols.read_delimited(path).numbers, "a"
    )
    assert cols.read_delimited(path, decimal=",").numbers("a").tolist() == [1.5]


def test_missing_cells_are_nan(write):
    read = cols.read_delimited(write("a\n1\nNA\nnan\n?\n-inf\n2e3\n"))
    np.testing.assert_array_equal(read.numbers("a"), [1, np.nan, np.nan, np.nan, -np.inf, 2000])


def test_doubled_name(write):
    text = message(DataError, cols.read_delimited, write("a,b,a\n1,2,3\n"))
    assert "columns 1 and 3 are both called 'a'. Give each column its own name, or pass header='none'" in text


def test_row_of_numbers_as_header(write):
    text = message(DataError, cols.read_delimited, write("1.5,2.5\n1,2\n"))
    assert (
        "the first row must name the columns; it holds only numbers ('1.5', '2.5'). Add a first row of names, or pass "
        "header='none'" in text
    )
    read = cols.read_delimited(write("1.5,2.5\n1,2\n"), header="maybe")
    assert read.names == ["channel_0", "channel_1"]
    assert (read.rows, read.place(1)) == (2, "line 2")


def test_row_too_long(write):
    text = message(DataError, cols.read_delimited, write("a,b\n1,2\n1,2,3\n"))
    assert (
        "line 3 has 3 fields, the header has 2. Put text that contains the separator between quotation marks"
        in text
    )


def test_unknown_column_is_guessed(write):
    read = cols.read_delimited(write("speaker,b\n1,2\n"))
    text = message(DataError, read.check_name, "speeker", "label")
    assert text.endswith(
        "has no column 'speeker' (given as label); its columns are 'speaker', 'b'. Did you mean 'speaker'?"
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2", None], [1, 2, None]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "x"], ["1", "x"]),
        (["007", "1"], ["007", "1"]),
        (["1_0", "2"], ["1_0", "2"]),
    ],
)
def test_labels_keep_their_kind(cells, expected):
    found = cols.typed(cells)
    assert found == expected
    assert [type(a) for a in found] == [type(b) for b in expected]


def test_pandas_and_parquet(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, None], "b": ["x", None], "n": pd.array([1, None], dtype="Int64")})
    read = cols.from_frame(frame)
    assert cols.is_frame(frame)
    assert not cols.is_frame([1])
    np.testing.assert_array_equal(read.numbers("a"), [1, np.nan])
    np.testing.assert_array_equal(read.numbers("n"), [1, np.nan])
    assert read.strings("b") == ["x", None]
    assert read.place(1) == "row 1"
    indexed = cols.from_frame(frame.set_index("b"))
    assert indexed.names == ["b", "a", "n"]
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    read = cols.read_parquet(path)
    np.testing.assert_array_equal(read.numbers("n"), [1, np.nan])
    assert read.strings("b") == ["x", None]
    path.write_bytes(path.read_bytes()[:-20])
    assert "t.parquet: cannot be read as Parquet:" in message(DataError, cols.read_parquet, path)
    path.write_bytes(b"")
    assert "the file is empty (0 bytes)" in message(DataError, cols.read_parquet, path)


def test_polars():
    pl = pytest.importorskip("polars")
    read = cols.from_frame(pl.DataFrame({"a": [1, None], "b": ["x", None]}))
    np.testing.assert_array_equal(read.numbers("a"), [1, np.nan])
    assert read.strings("b") == ["x", None]


def test_frame_without_rows():
    pd = pytest.importorskip("pandas")
    text = message(DataError, cols.from_frame, pd.DataFrame({"a": []}))
    assert text == "DataFrame: has 1 column and 0 rows; a table needs at least one of each."


@pytest.mark.parametrize("row", ['a,"1,up', 'a,1,"up', '"a,1,up'])
@pytest.mark.parametrize("behind", [1, 30])
def test_a_quotation_mark_that_is_never_closed_is_told_with_its_line(tmp_path, row, behind):
    (tmp_path / "t.csv").write_text("id,x,label\na,0,up\n" + row + "\n" + "b,2,down\n" * behind)
    with pytest.raises(DataError) as caught:
        recurra.load(tmp_path / "t.csv")
    begin = row[row.index('"') + 1 :]
    assert f"line 3 has a quotation mark that is never closed, before {begin!r}: the lines" in str(
        caught.value
    )
    (tmp_path / "t.csv").write_text('id,x,label\na,0,up\na,1,"up"\nb,3," 5"" pipe"\n')
    assert recurra.load(tmp_path / "t.csv").y.tolist() == ["up", '5" pipe']


@pytest.mark.parametrize("word", ["channels", "target", "known", "static"])
def test_a_column_named_twice_is_refused(tmp_path, word):
    path = tmp_path / "a.csv"
    path.write_text("time,a,b\n0,1,2\n1,3,4\n2,5,6\n")
    with pytest.raises(UsageError, match=f"load: {word} names 'a' twice. Name each column once."):
        recurra.load(path, **{word: ["a", "b", "a"]})
