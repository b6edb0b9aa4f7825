import zipfile

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError
from recurra.readers import archive
from recurra.readers.files import unpacked_size
from signal_files import message


def packed(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


TABLE = "x,y\n" + "\n".join(f"{i},{i * i}" for i in range(20)) + "\n"


def test_a_zipped_folder_is_read_like_the_folder(tmp_path):
    path = packed(
        tmp_path / "d.zip",
        {"data/up/a.csv": TABLE, "data/down/b.csv": TABLE, "data/readme.md": "hello", "__MACOSX/x": "y"},
    )
    data = recurra.load(path)
    assert [(r.name, r.label) for r in data.records] == [("down/b.csv", "down"), ("up/a.csv", "up")]
    assert data.source == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_messages_name_the_zip_file(tmp_path):
    path = packed(tmp_path / "d.zip", {"a.csv": TABLE, "b.csv": "x\n1\n2\n"})
    said = message(lambda: recurra.load(path), DataError)
    assert "b.csv: has a column 'x' and none called 'y', which a.csv has" in said
    assert "/tmp/tmp" not in said


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "x/../../a.csv", "C:\\a.csv"])
def test_names_that_lead_outside(tmp_path, name):
    path = packed(tmp_path / "d.zip", {name: TABLE})
    assert f"names the file {name!r}, which is outside of it" in message(
        lambda: recurra.load(path), DataError
    )


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = packed(tmp_path / "d.zip", {"a.csv": bytes(100 << 20)})
    assert path.stat().st_size < 200_000
    said = message(lambda: recurra.load(path), DataError)
    assert said.endswith(
        "to 104,857,600 bytes, more than 200 to 1, as a zip bomb does. If you trust it, unpack it yourself."
    )


def test_limits_of_count_and_size(tmp_path, monkeypatch):
    path = packed(tmp_path / "d.zip", {f"{i}.csv": TABLE for i in range(5)})
    monkeypatch.setattr(archive, "LIMIT_FILES", 4)
    assert "holds 5 files; at most 4 are read." in message(lambda: recurra.load(path), DataError)
    monkeypatch.setattr(archive, "LIMIT_FILES", 10)
    monkeypatch.setattr(unpacked_size, "LIMIT_BYTES", 100)
    assert "at most 100 are read" in message(lambda: recurra.load(path), DataError)


def test_a_directory_that_lies_about_the_size(tmp_path):
    path = packed(tmp_path / "d.zip", {"a.csv": TABLE * 100})
    raw = bytearray(path.read_bytes())
    size = len(TABLE * 100).to_bytes(4, "little")
    for place in range(len(raw) - 4):
        if raw[place : place + 4] == size:
            raw[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(raw)
    assert "\n" not in message(lambda: recurra.load(path), DataError)


def test_cut_locked_empty_and_absent(tmp_path):
    path = packed(tmp_path / "d.zip", {"a.csv": TABLE})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert "cannot be read as a zip file" in message(lambda: recurra.load(path), DataError)
    damaged = bytearray(whole)
    damaged[45] ^= 255
    path.write_bytes(damaged)
    assert "\n" not in message(lambda: recurra.load(path), DataError)
    packed(path, {"readme.md": "hello"})
    assert "holds 1 file, none that is read" in message(lambda: recurra.load(path), DataError)
    assert "no file or folder" in message(lambda: recurra.load(tmp_path / "e.zip"), MissingDataError)


def test_arrays_and_records_inside(tmp_path):
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.zeros((5, 2)))
    header = "r1 1 300 50\nr1.dat 16 200 16 0 0 0 0 ecg\n"
    data = recurra.load(packed(tmp_path / "d.zip", {"r1.hea": header, "r1.dat": bytes(100)}))
    assert data.lengths.tolist() == [50]
    assert recurra.load(packed(tmp_path / "e.zip", {"a.npy": buffer.getvalue()}))[0].values.shape == (5, 2)


def test_a_file_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a.csv", TABLE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("a.csv", "x,y\n9,9\n")
    said = message(lambda: recurra.load(path), DataError)
    assert said.endswith("holds 'a.csv' twice, and which of them counts is not known. Leave one out.")


def test_a_file_locked_by_a_password(tmp_path):
    path = packed(tmp_path / "d.zip", {"a.csv": TABLE})
    data = bytearray(path.read_bytes())
    for begin, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(begin) + at] |= 1
    path.write_bytes(data)
    said = message(lambda: recurra.load(path), DataError)
    assert said.endswith("'a.csv' is locked by a password. Unpack it, and give the folder.")
