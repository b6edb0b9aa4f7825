"""Labels are saved as the file that `recurra.load` reads, whole or not at all."""

import os
import threading
import time

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, RecurraError, UsageError
from recurra.folder_lock import FolderLock
from recurra.readers.signals.stretches import Stretch
from recurra.studio import labels
from recurra.studio.files import Below
from recurra.studio.words import ChangedError


@pytest.fixture
def below(tmp_path):
    for name, steps in (("a.npy", 50), ("b.npy", 40)):
        np.save(tmp_path / name, np.random.default_rng(0).normal(size=(steps, 2)))
    return Below.of(tmp_path)


def stretch(start, end, label):
    return {"start": start, "end": end, "label": label}


def save(below, name, stretches, steps):
    """Write what a page writes that has read the file just now."""
    path = below.root / name
    return labels.write(below, path, stretches, steps, read=labels.mark(labels.read(below, path)))


def test_what_is_saved_is_loaded(below):
    own = [stretch(30, 40, 'wal"k, "ü'), stretch(0, 10, "rest")]
    assert save(below, "a.npy", own, 50) == labels.mark(labels.read(below, below.root / "a.npy"))
    save(below, "b.npy", [stretch(39, 40, "rest")], 40)
    data = recurra.load(below.root)
    assert data.names == ["a.npy", "b.npy"]
    assert data.y[0].tolist() == ["rest"] * 10 + ["none"] * 20 + ['wal"k, "ü'] * 10 + ["none"] * 10
    assert data.y[1].tolist() == ["none"] * 39 + ["rest"]
    assert labels.read(below, below.root / "a.npy") == [Stretch(0, 10, "rest"), Stretch(30, 40, 'wal"k, "ü')]


def test_others_stay_and_own_are_replaced(below):
    save(below, "a.npy", [stretch(0, 10, "rest")], 50)
    save(below, "b.npy", [stretch(0, 9, "walk")], 40)
    save(below, "a.npy", [], 50)
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
    save(below, "a.npy", [stretch(1, 2, "kept")], 50)
    before = (below.root / "labels.csv").read_bytes()
    with pytest.raises(RecurraError):
        save(below, "a.npy", bad, 50)
    assert (below.root / "labels.csv").read_bytes() == before


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "=1+1", "a,b", '"', "'", "none", "日本"])
def test_any_printable_label_comes_back(below, label):
    save(below, "a.npy", [stretch(0, 5, label)], 50)
    assert labels.read(below, below.root / "a.npy")[0].label == label
    assert recurra.load(below.root).y[0][0] == label


@pytest.mark.parametrize("content", ["file,label\na.npy,x\n", "file,start,end,label,who\na.npy,0,5,x,me\n"])
def test_a_label_file_of_another_kind_is_left_alone(below, content):
    (below.root / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=r"labels of whole files|columns beside"):
        save(below, "a.npy", [stretch(0, 5, "x")], 50)
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
    save(below, "a.npy", [stretch(1, 2, "kept")], 50)
    before = (below.root / "labels.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(below, "a.npy", [stretch(5, 9, "lost")], 50)
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
    names = ["a.npy", "b.npy"]
    saves = [threading.Thread(target=save, args=(below, name, [stretch(0, 5, name)], 40)) for name in names]
    for one in saves:
        one.start()
    for one in saves:
        one.join()
    assert [len(labels.read(below, below.root / name)) for name in names] == [1, 1]
    assert sorted(child.name for child in below.root.iterdir()) == ["a.npy", "b.npy", "labels.csv"]


def test_another_studio_that_saves_is_waited_for(below, monkeypatch):
    with FolderLock(below.root) as other:
        threading.Timer(0.2, other.release).start()
        save(below, "a.npy", [stretch(0, 5, "x")], 50)
    monkeypatch.setattr(labels, "SECONDS_FOR_ANOTHER", 0.1)
    with FolderLock(below.root), pytest.raises(DataError, match="another process has been writing"):
        save(below, "a.npy", [], 50)
    assert labels.read(below, below.root / "a.npy") == [Stretch(0, 5, "x")]


def test_what_was_saved_from_somewhere_else_is_not_written_over(below):
    a, b = below.root / "a.npy", below.root / "b.npy"
    nothing = labels.mark([])
    first = labels.write(below, a, [stretch(0, 5, "x")], 50, read=nothing)
    labels.write(below, b, [stretch(0, 5, "x")], 40, read=nothing)  # of another recording
    second = labels.write(below, a, [stretch(0, 6, "x")], 50, read=first)
    for read in (nothing, first, "", labels.mark(labels.read(below, b))):
        with pytest.raises(
            ChangedError, match=r"a\.npy in labels\.csv are not those that this page has read"
        ):
            labels.write(below, a, [stretch(7, 9, "y")], 50, read=read)
    (below.root / "labels.csv").write_text("file,start,end,label\na.npy,1,2,by hand\n")
    with pytest.raises(ChangedError):
        labels.write(below, a, [stretch(7, 9, "y")], 50, read=second)
    assert labels.read(below, a) == [Stretch(1, 2, "by hand")]


def test_a_name_that_a_table_cannot_hold_is_refused(below):
    with pytest.raises(DataError, match="begins or ends with a space"):
        save(below, " a.npy", [stretch(0, 5, "x")], 40)
    assert not (below.root / "labels.csv").exists()


@pytest.mark.skipif(os.name == "nt", reason="names are texts there")
def test_a_name_that_is_no_text_is_refused(below):
    name = os.fsdecode(b"caf\xe9.npy")
    np.save(below.root / name, np.zeros((9, 1)))
    with pytest.raises(DataError, match="is not UTF-8, and a table of labels is"):
        save(below, name, [stretch(0, 5, "x")], 9)


def test_labels_in_a_table_by_tabs_are_told_of_and_no_second_table_is_written(below):
    (below.root / "labels.tsv").write_text("file\tstart\tend\tlabel\na.npy\t0\t10\trest\n")
    with pytest.raises(
        DataError, match=r"stand in labels\.tsv; save them as labels\.csv, which studio writes\."
    ):
        save(below, "a.npy", [stretch(0, 10, "walk")], 50)
    assert not (below.root / "labels.csv").exists()
