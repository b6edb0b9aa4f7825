"""Stretches in the ``labels.csv`` of a folder label every step of its recordings."""

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path):
    for name, steps in (("a.npy", 50), ("b.npy", 40)):
        np.save(tmp_path / name, np.random.default_rng(0).normal(size=(steps, 2)))
    return tmp_path


def test_a_label_per_step_and_what_is_left_out(folder):
    (folder / "labels.csv").write_text("File,Start,End,Label\na.npy,30,40,None\na.npy,0,10,7\n")
    data = recurra.load(folder)
    assert data.names == ["a.npy"]
    assert data.y[0].tolist() == ["7"] * 10 + ["none"] * 20 + ["None"] * 10 + ["none"] * 10
    assert any("left out what has no labelled stretch: 'b.npy'" in note for note in data.notes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.npy,0,5,x\na.npy,4,9,y\n", "stretches 0 to 5 ('x') and 4 to 9 ('y') overlap"),
        ("a.npy,0,99,x\n", "inside of the 50 time steps; got 0 to 99 ('x')"),
        ("a.npy,5,5,x\n", "must begin before it ends"),
        ("a.npy,0,2.5,x\n", "start and end must be time steps, whole numbers from 0; got '0' and '2.5'"),
        ("a.npy,-1,2,x\n", "whole numbers from 0"),
        ("a.npy,0,5,\n", "line 2: 'label' is empty"),
        (",0,5,x\n", "'file' is empty"),
        ("c.npy,0,5,x\n", "names 'c.npy', which is not there. Correct the name"),
        ("../a.npy,0,5,x\n", "names '../a.npy', which is not there"),
    ],
)
def test_stretches_that_cannot_be_are_refused(folder, rows, said):
    (folder / "labels.csv").write_text("file,start,end,label\n" + rows)
    with pytest.raises(DataError) as error:
        recurra.load(folder)
    assert said in str(error.value)


def test_words_that_do_nothing_are_refused(folder):
    (folder / "labels.csv").write_text("file,start,end,label\na.npy,0,5,x\n")
    with pytest.raises(UsageError, match="group"):
        recurra.load(folder, group="label")


def test_without_label_the_columns_are_named(folder):
    (folder / "labels.csv").write_text("file,start,end\na.npy,0,5\n")
    with pytest.raises(DataError, match="no column 'label'"):
        recurra.load(folder)


@pytest.mark.parametrize("rate", [10, 25, 50, 75, 100])
def test_stretches_count_the_steps_of_the_recording_as_it_is(rate, tmp_path):
    edfio = pytest.importorskip("edfio")
    square = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], 100)  # two stretches that the values show, at 50 Hz
    edfio.Edf([edfio.EdfSignal(square, 50, label="EEG")]).write(tmp_path / "a.edf")
    (tmp_path / "labels.csv").write_text("file,start,end,label\na.edf,100,200,up\na.edf,300,400,up\n")
    data = recurra.load(tmp_path, resample_hz=rate)
    high = data.X[0][:, 0] > 0.5
    up = data.y[0] == "up"
    assert len(up) == 10 * rate
    assert (high != up).sum() <= 4  # the low-pass of resampling blurs each edge
    assert any(
        "labels.csv: counts the steps of the recordings as they are, at 50 Hz" in n for n in data.notes
    ) == (rate != 50)


def test_stretches_of_signals_of_several_rates_count_the_steps_of_their_common_one(tmp_path):
    edfio = pytest.importorskip("edfio")
    signals = [edfio.EdfSignal(np.arange(10.0 * hz), hz, label=f"{hz}") for hz in (50, 10)]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    (tmp_path / "labels.csv").write_text("file,start,end,label\na.edf,100,200,up\n")
    data = recurra.load(tmp_path, resample_hz=20)
    assert np.flatnonzero(data.y[0] == "up").tolist() == list(range(100, 200))
