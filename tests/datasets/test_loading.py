import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError, UsageError


def message(kind, *args, **words):
    with pytest.raises(kind) as caught:
        recurra.load(*args, **words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind(tmp_path):
    values = [np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])]
    (tmp_path / "t.csv").write_text("id,time,x,y,label\na,0,1,2,p\na,1,3,4,p\nb,0,5,6,q\n")
    np.savez(tmp_path / "t.npz", *values, y=np.array(["p", "q"]))
    (tmp_path / "t.ts").write_text("@classLabel true p q\n@data\n1,3:2,4:p\n5:6:q\n")
    for name, text in (("p/1.csv", "1,2\n3,4\n"), ("q/1.csv", "5,6\n")):
        (tmp_path / "folder" / name).parent.mkdir(parents=True)
        (tmp_path / "folder" / name).write_text(text)
    sources = [tmp_path / "t.csv", str(tmp_path / "t.npz"), tmp_path / "t.ts", tmp_path / "folder"]
    for data in [*(recurra.load(source) for source in sources), recurra.load(values, labels=["p", "q"])]:
        assert [v.tolist() for v in data.X] == [v.tolist() for v in values]
        assert data.y.tolist() == ["p", "q"]


def test_names_and_data_sets():
    assert len(recurra.load("japanese-vowels", split="train")) == 270
    data = recurra.load(np.zeros((3, 4, 2)))
    assert recurra.load(data) is data


def test_data_frame():
    pd = pytest.importorskip("pandas")
    data = recurra.load(
        pd.DataFrame({"who": ["a", "a", "b"], "x": [1, 2, 3], "t": [0, 1, 0]}), id="who", time="t"
    )
    assert data.lengths.tolist() == [2, 1]


def test_what_is_not_there(tmp_path):
    (tmp_path / "speech.csv").write_text("x\n")
    text = message(MissingDataError, str(tmp_path / "speach.csv"))
    assert text.startswith("load: there is no file or folder ")
    assert text.endswith("Did you mean 'speech.csv'?")
    text = message(MissingDataError, "japanese-vowls")
    assert text.startswith(
        "load: there is neither a file or folder nor a data set called 'japanese-vowls'; data sets are "
    )
    assert text.endswith("Did you mean 'japanese-vowels'?")


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "song.mp3").write_text("x")
    assert "song.mp3: files ending in '.mp3' are not read; known are .csv, .tsv, .txt, .parquet" in message(
        UsageError, tmp_path / "song.mp3"
    )
    assert message(UsageError, 7).endswith("or a list of arrays; got int.")
    assert "is an address; download the file first" in message(UsageError, "https://example.org/a.csv")


def test_words_that_do_not_apply(tmp_path):
    (tmp_path / "a.ts").write_text("@data\n1\n")
    text = message(UsageError, tmp_path / "a.ts", labels=[1])
    assert "load: labels= does not apply to " in text
    assert text.endswith("it takes encoding=, time_unit=, time_format=, time_zone=, sort=, part=.")
    assert message(UsageError, [np.zeros((2, 1))], label=[1]).endswith("Did you mean 'labels'?")
    assert "names= does not apply" in message(UsageError, tmp_path, names=[1])
    assert "labels must be the path of a file" in message(UsageError, tmp_path, labels=[1])
    assert "put labels.csv into a folder" in message(UsageError, tmp_path, labels="y.txt")
    assert message(UsageError, recurra.load([np.zeros((2, 1))]), id="x").endswith(
        "to a Dataset, which is read already; it takes no words."
    )


@pytest.mark.parametrize(
    "suffix",
    [
        ".csv", ".tsv", ".txt", ".parquet", ".npy", ".npz", ".ts", ".arff", ".conll", ".wav", ".edf", ".mat", ".hea", ".zip",
        ".png", ".mp4",
    ],
)  # fmt: skip
def test_a_link_to_what_never_ends_is_not_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/zero")
    assert message(DataError, path) == f"{path}: is a device, which is not read. Give a file."


def test_files_named_beside_the_data_are_no_devices(tmp_path):
    (tmp_path / "a.txt").write_text("good\nbad\n")
    (tmp_path / "y.txt").symlink_to("/dev/zero")
    assert message(DataError, tmp_path / "a.txt", labels=tmp_path / "y.txt").endswith("Give a file.")
