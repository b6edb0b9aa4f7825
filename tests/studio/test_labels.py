"""Labels are saved as the file that `recurra.load` reads, whole or not at all."""

import threading
import time

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, RecurraError, UsageError
from recurra.readers.signals.stretches import Stretch
from recurra.studio import labels
from recurra.studio.files import Below


@pytest.fixture
def below(tmp_path):
    for name, steps in (("a.npy", 50), ("b.npy", 40)):
        np.save(tmp_path / name, np.random.default_rng(0).normal(size=(steps, 2)))
    return Below.of(tmp_path)


def stretch(start, end, label):
    return {"start": start, "end": end, "label": label}


def test_what_is_saved_is_loaded(below):
    own = [stretch(30, 40, 'wal"k, "ü'), stretch(0, 10, "rest")]
    assert labels.write(below, below.root / "a.npy", own, 50) == 2
    labels.write(below, below.root / "b.npy", [stretch(39, 40, "rest")], 40)
    data = recurra.load(below.root)
    assert data.names == ["a.npy", "b.npy"]
    assert data.y[0].tolist() == ["rest"] * 10 + ["none"] * 20 + ['wal"k, "ü'] * 10 + ["none"] * 10
    assert data.y[1].tolist() == ["none"] * 39 + ["rest"]
    assert labels.read(below, below.root / "a.npy") == [Stretch(0, 10, "rest"), Stretch(30, 40, 'wal"k, "ü')]


def test_others_stay_and_own_are_replaced(below):
    labels.write(below, below.root / "a.npy", [stretch(0, 10, "rest")], 50)
    labels.write(below, below.root / "b.npy", [stretch(0, 9, "walk")], 40)
    labels.write(below, below.root / "a.npy", [], 50)
    assert labels.read(below, below.root / "a.npy") == []
    assert labels.read(below, below.root / "b.npy") == [Stretch(0, 9, "walk")]
    data = recurra.load(below.root)
    assert data.names == ["b.npy"]
    assert any("left out what has no labelled stretch" in note for note in data.notes)


@pytest.mark.parametrize(
    "bad",
    [
        [stretch(0, 10, "a"), stretch(9, 12, "b")], [stretch(5, 5, "a")], [stretch(-1, 5, "a")], [stretch(0, 51, "a")],
        [stretch(0, 5, "")], [stretch(0, 5, "  ")], [stretch(0, 5, "a\nb")], [stretch(0, 5, "a\0b")], [stretch(0.5, 5, "a")],
        [stretch("0", "5", "a")], [{"start": 0}], ["x"], "x", None, {"a": 1}, [stretch(0, 5, "x" * 101)],
        [stretch(True, 5, "a")],
        [stretch(0, 10**30, "a")],
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_written(below, bad):
    labels.write(below, below.root / "a.npy", [stretch(1, 2, "kept")], 50)
    before = (below.root / "labels.csv").read_bytes()
    with pytest.raises(RecurraError):
        labels.write(below, below.root / "a.npy", bad, 50)
    assert (below.root / "labels.csv").read_bytes() == before


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "=1+1", "a,b", '"', "'", "none", "日本"])
def test_any_printable_label_comes_back(below, label):
    labels.write(below, below.root / "a.npy", [stretch(0, 5, label)], 50)
    assert labels.read(below, below.root / "a.npy")[0].label == label
    assert recurra.load(below.root).y[0][0] == label


@pytest.mark.parametrize("content", ["file,label\na.npy,x\n", "file,start,end,label,who\na.npy,0,5,x,me\n"])
def test_a_label_file_of_another_kind_is_left_alone(below, content):
    (below.root / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=r"labels of whole files|columns beside"):
        labels.write(below, below.root / "a.npy", [stretch(0, 5, "x")], 50)
    assert (below.root / "labels.csv").read_text() == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,start,end,label\na.npy,0,5,x\na.npy,4,9,y\n", "overlap"),
        ("file,start,end,label\na.npy,0,99,x\n", "inside of the 50 time steps"),
        ("file,start,end,label\na.npy,0,x,x\n", "whole numbers from 0"),
        ("file,start,end,label\na.npy,0,5,\n", "'label' is empty"),
        ("file,start,end,label\nc.npy,0,5,x\n", "names 'c.npy', which is not there"),
        ("file,start,end\na.npy,0,5\n", "no column 'label'"),
    ],
)
def test_stretches_that_cannot_be_are_refused_by_load(below, content, said):
    (below.root / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        recurra.load(below.root)


def test_a_disk_that_is_full_leaves_what_was_there(below, monkeypatch):
    labels.write(below, below.root / "a.npy", [stretch(1, 2, "kept")], 50)
    before = (below.root / "labels.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        labels.write(below, below.root / "a.npy", [stretch(5, 9, "lost")], 50)
    assert (below.root / "labels.csv").read_bytes() == before


def test_only_a_labeler_proposes():
    class Estimator:
        class model_:
            task = "classification"

    with pytest.raises(UsageError, match="a label per time step"):
        labels.propose(Estimator(), None, 0, 5)


def test_two_pages_that_save_at_once_keep_both(below, monkeypatch):
    write = labels.write_text

    def slow(path, text):
        time.sleep(0.1)
        write(path, text)

    monkeypatch.setattr(labels, "write_text", slow)
    saves = [
        threading.Thread(target=labels.write, args=(below, below.root / name, [stretch(0, 5, name)], 40))
        for name in ("a.npy", "b.npy")
    ]
    for save in saves:
        save.start()
    for save in saves:
        save.join()
    assert [len(labels.read(below, below.root / name)) for name in ("a.npy", "b.npy")] == [1, 1]


def test_a_name_that_a_table_cannot_hold_is_refused(below):
    with pytest.raises(DataError, match="begins or ends with a space"):
        labels.write(below, below.root / " a.npy", [stretch(0, 5, "x")], 40)
    assert not (below.root / "labels.csv").exists()
