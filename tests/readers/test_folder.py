import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError
from recurra.readers.folder import read_folder
from recurra.readers.tables.table_options import TableOptions


@pytest.fixture
def folder(tmp_path):
    def make(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, np.ndarray):
                np.save(path, content)
            else:
                path.write_text(content)
        return tmp_path

    return make


def message(path, kind=DataError, words=None):
    with pytest.raises(kind) as caught:
        read_folder(path, words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder_per_class(folder):
    root = folder(
        {
            "up/b.csv": "time,x,y\n0,1,2\n0.5,3,4\n1,5,6\n",
            "up/a.csv": "time,x,y\n0,7,8\n0.5,9,10\n1,1,1\n",
            "down/c.csv": "time,x,y\n0,0,0\n",
            "down/readme.md": "hello",
            "down/.hidden.csv": "x",
            "none/notes.md": "hello",
        }
    )
    data = read_folder(root)
    assert data.names == ["down/c.csv", "up/a.csv", "up/b.csv"]
    assert data.y.tolist() == ["down", "up", "up"]
    assert data.channel_names == ["x", "y"]
    assert data[2].sample_rate_hz == 2.0
    assert data[2].values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert any("left out 1 file of other kinds: 'readme.md'" in note for note in data.notes)
    assert any("the folder 'none' has no sequence file" in note for note in data.notes)


def test_files_without_header_and_arrays(folder):
    data = read_folder(
        folder({"a/1.tsv": "1\t2\n3\t4\n", "a/3.txt": "5 6\n".replace(" ", ","), "b/2.npy": np.ones((5, 2))})
    )
    assert data.lengths.tolist() == [2, 1, 5]
    assert data.X[0].tolist() == [[1, 2], [3, 4]]


def test_labels_csv(folder):
    root = folder(
        {
            "labels.csv": "file,label,group,part\nb.csv,p,1,train\nsub/a.csv,q,2,test\n",
            "b.csv": "x\n1\n2\n",
            "sub/a.csv": "x\n3\n",
        }
    )
    data = read_folder(root)
    assert data.names == ["b.csv", "sub/a.csv"]
    assert data.y.tolist() == ["p", "q"]
    assert data.groups.tolist() == [1, 2]
    assert [record.part for record in data] == ["train", "test"]


def test_labels_csv_with_other_columns(folder):
    root = folder({"labels.csv": "file,who,life\na.csv,p,0.5\n", "a.csv": "x\n1\n"})
    assert read_folder(root, TableOptions(target="life", group="who"))[0].label == 0.5
    assert "has no column 'whom' (given as group)" in message(root, words=TableOptions(group="whom"))


def test_official_split_and_label_per_step(folder):
    root = folder(
        {
            "train/a.csv": "x,label\n1,p\n2,q\n",
            "test/b.csv": "x,label\n3,p\n",
        }
    )
    data = read_folder(root)
    assert [(r.part, r.name) for r in data] == [("train", "train/a.csv"), ("test", "test/b.csv")]
    assert [label.tolist() for label in (data[0].label, data[1].label)] == [["p", "q"], ["p"]]


def test_pair_of_ts_files(folder):
    head = "@classLabel true a b\n@data\n"
    data = read_folder(folder({"P_TRAIN.ts": head + "1,2:a\n", "P_TEST.ts": head + "3:b\n"}))
    assert [record.part for record in data] == ["train", "test"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a/x.csv": "x\n1\n", "b/y.csv": ""}, "y.csv: the file is empty (0 bytes)."),
        ({"a/x.csv": "x,y\n1,2\n", "b/y.csv": "x\n1\n"}, "b/y.csv: has 1 channel, a/x.csv has 2."),
        (
            {"a/x.csv": "x,y\n1,2\n", "b/y.csv": "z,x\n1,2\n"},
            "b/y.csv: has a column 'z' and none called 'y', which a/x.csv has.",
        ),
        (
            {"a/x.csv": "x,y\n1,2\n", "b/y.csv": "x,y\n1,no\n"},
            "y.csv: column 'y' must hold numbers; line 2 has 'no'.",
        ),
        ({"a/x.csv": "x,y\n"}, "x.csv: has a header but no row: there is no time step in it."),
        ({"a/x.npy": np.zeros((0, 2))}, "x.npy: has no time step: its shape is (0, 2)."),
        (
            {"a/x.npy": np.zeros((2, 2, 2))},
            "x.npy: must hold numbers of shape (time, channels); got float64 of shape (2, 2, 2).",
        ),
        (
            {"a/x.md": "x"},
            "its folders hold no sequence file (.csv, .tsv, .txt, .npy, .wav, .flac, .ogg, .edf, .bdf, .mat, .hea).",
        ),
        (
            {"x.md": "x"},
            ".npy, .wav, .flac, .ogg, .edf, .bdf, .mat, .hea, it holds 'x.md'.",
        ),
        (
            {},
            "holds no sequence file; known are .csv, .tsv, .txt, .npy, .wav, .flac, .ogg, .edf, .bdf, .mat, .hea "
            "and it is empty.",
        ),
        (
            {"labels.csv": "datei,label\na.csv,p\n"},
            "labels.csv: has no column 'file'; its columns are 'datei', 'label'.",
        ),
        (
            {
                "labels.csv": "file,label\nrec_1.csv,p\nrec_3.csv,p\n",
                "rec_1.csv": "x\n1\n",
                "rec_2.csv": "x\n1\n",
            },
            "labels.csv: line 3 names 'rec_3.csv', which is not there. Did you mean 'rec_2.csv'?",
        ),
        (
            {"labels.csv": "file,label\na.csv,p\n", "a.csv": "x\n1\n", "b.csv": "x\n1\n"},
            "labels.csv: has no row for 'b.csv'. Add the label, or move the file away.",
        ),
        (
            {"labels.csv": "file,label\na.csv,p\na.csv,q\n", "a.csv": "x\n1\n"},
            "labels.csv: 'a.csv' is named twice, at line 2 and line 3. Remove one.",
        ),
        (
            {"labels.csv": "file,label\n../secret.csv,p\n", "a.csv": "x\n1\n"},
            "labels.csv: line 2 names '../secret.csv', which is outside the folder.",
        ),
        (
            {"labels.csv": "file,label\na.csv,p\nb.csv,\n", "a.csv": "x\n1\n", "b.csv": "x\n1\n"},
            "labels.csv: the label column 'label' must be filled; it is empty at line 3.",
        ),
        (
            {"labels.csv": "file,label\n,p\n", "a.csv": "x\n1\n"},
            "labels.csv: line 2 names no file in the column 'file'.",
        ),
        (
            {"labels.csv": "file,label,part\na.csv,p,dev\n", "a.csv": "x\n1\n"},
            "labels.csv: the column 'part' must hold 'train' or 'test'; line 2 has 'dev'.",
        ),
    ],
)
def test_bad_folders(folder, files, expected):
    assert expected in message(folder(files))


def test_no_such_folder(tmp_path):
    assert message(tmp_path / "no", MissingDataError).endswith("no: there is no such folder.")


def test_mixed_rates_are_told_once(folder):
    rows = lambda step: "time,x\n" + "".join(f"{k * step},1\n" for k in range(5))  # noqa: E731
    data = read_folder(folder({"a/1.csv": rows(0.5), "a/2.csv": rows(0.1), "b/3.csv": rows(0.1)}))
    assert [note for note in data.notes if "different rates: 10 Hz (2), 2 Hz (1)" in note]
    assert [record.sample_rate_hz for record in data] == [2.0, 10.0, 10.0]


def same_files(root, text, count=4):
    for k in range(count):
        file = root / "ab"[k % 2] / f"{k}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize("row", ["0,1", "0,1,2", "2019,2020", "1,2,3,7", "10,20"])
@pytest.mark.parametrize("flat", [False, True])
def test_one_first_row_of_rising_numbers_may_be_names(tmp_path, row, flat):
    count = row.count(",") + 1
    body = "".join(",".join(str(v + 0.5) for v in range(k, k + count)) + "\n" for k in range(3))
    root = same_files(tmp_path / "d", f"{row}\n{body}")
    root = root / "a" if flat else root
    with pytest.raises(DataError) as caught:
        recurra.load(root)
    assert f"its first row, {row}, stands in every file of the folder and may be the names" in str(
        caught.value
    )
    first, none = (recurra.load(root, header=word) for word in ("first", "none"))
    assert list(first.channel_names) == row.split(",")
    assert first.lengths.tolist() == [3] * len(first)
    assert none.lengths.tolist() == [4] * len(none)
    assert none[0].values[0].tolist() == [float(v) for v in row.split(",")]


@pytest.mark.parametrize("row", ["1,0", "0,0", "0.5,1", "0"])
def test_other_first_rows_of_numbers_are_data(tmp_path, row):
    count = row.count(",") + 1
    data = recurra.load(same_files(tmp_path, "\n".join([row] + [",".join(["3"] * count)] * 2)))
    assert data.lengths.tolist() == [3] * 4
    assert not any("first row is data" in note for note in data.notes)


def test_first_rows_that_differ_are_data_and_names_may_stand_in_some_files_only_in_a_sentence(tmp_path):
    root = same_files(tmp_path, "0,1\n3,4\n")
    (root / "a" / "0.csv").write_text("0,2\n3,4\n")
    assert recurra.load(root).lengths.tolist() == [2] * 4
    (root / "a" / "0.csv").write_text("x,y\n3,4\n")
    with pytest.raises(DataError, match="has a column .channel_0. and none called .x."):
        recurra.load(root)


@pytest.mark.parametrize("first", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_is_no_channel(tmp_path, first):
    data = recurra.load(same_files(tmp_path, f"{first},x,y\n0,1,2\n1,3,4\n2,5,6\n"))
    assert list(data.channel_names) == ["x", "y"]
    assert data[0].values.tolist() == [[1, 2], [3, 4], [5, 6]]
    other = recurra.load(same_files(tmp_path, f"{first},x,y\n0,1,2\n2,3,4\n"))
    assert len(other.channel_names) == 3


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_labels_stand_in_a_table_of_either_kind(folder, ending):
    mark = {"csv": ",", "tsv": "\t"}[ending]
    rows = {f"{i}.tsv": f"a\tb\n{i}\t1\n2\t3\n" for i in range(4)}
    table = "".join(f"{i}.tsv,{'xy'[i % 2]},p{i}\n" for i in range(4))
    root = folder({**rows, f"labels.{ending}": f"file,label,group\n{table}".replace(",", mark)})
    data = read_folder(root)
    assert (data.names, data.y.tolist()) == (list(rows), ["x", "y", "x", "y"])
    assert data.groups.tolist() == ["p0", "p1", "p2", "p3"]
    stretches = "".join(f"{i}.tsv,0,1,up\n" for i in range(4))
    (root / f"labels.{ending}").write_text(f"file,start,end,label\n{stretches}".replace(",", mark))
    assert read_folder(root).y[0].tolist() == ["up", "none"]


def test_two_tables_of_labels_are_refused(folder):
    root = folder({"0.csv": "a\n1\n", "labels.csv": "file,label\n0.csv,x\n", "labels.tsv": "file\tlabel\n"})
    assert message(root).endswith("Move one of them away.")
