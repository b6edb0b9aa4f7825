"""What newcomers type in their first hour, mistakes too: each is answered from the facts of the call."""

import shlex

import pytest

WORDS = "id,x,label\n" + "".join(f"{i // 5},{i % 7},{'ab'[i // 5 % 2]}\n" for i in range(100))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty folder, and return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("first", ["table.csv", "notes.txt", "recording.wav", "photos"])
@pytest.mark.parametrize(
    "verb", ["predict {} run", "eval {} run", "stream {} run", "explain {} run", "export {}"]
)
def test_data_where_a_run_belongs_are_told_to_stand_behind_it(cli, here, first, verb):
    (here / "photos").mkdir()
    for name in ("table.csv", "notes.txt", "recording.wav"):
        (here / name).write_text(WORDS)
    done = cli(*shlex.split(verb.format(first)), *(["-o", "a.onnx"] if "export" in verb else []))
    assert done.code in (2, 3)
    assert f"{first}: is no run folder" in done.err
    assert "comes first, and the data behind it." in done.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("gone.csv", None), ("measurment.csv", "measurement.csv"), ("mesung", "messung"), ("A0", "a0.csv")],
)
def test_a_name_is_near_by_its_letters_and_not_by_its_ending(cli, here, typed, meant):
    for name in ("bin.csv", "measurement.csv", "a0.csv"):
        (here / name).write_text(WORDS)
    (here / "messung").mkdir()
    done = cli("look", typed)
    assert done.code == 3
    assert ("Did you mean" in done.err) == (meant is not None)
    assert meant is None or f"Did you mean '{meant}'?" in done.err


def test_a_sentence_in_place_of_data_is_told_how_to_come_in(cli, here):
    assert "echo 'the pump leaks' | recurra predict RUN -" in cli("look", "the pump leaks").err


def test_a_labelled_file_is_near_its_name_without_the_ending(cli, here):
    (here / "a0.csv").write_text("x\n1\n2\n")
    (here / "labels.csv").write_text("file,label\na0,one\n")
    assert "Did you mean 'a0.csv'?" in cli("look", here).err


def test_a_suggested_run_folder_is_free(cli, here):
    (here / "table.csv").write_text(WORDS)
    assert "-o runs/table\n" in cli("look", "table.csv").out
    (here / "runs" / "table").mkdir(parents=True)
    (here / "runs" / "table-2").write_text("")
    assert "-o runs/table-3\n" in cli("look", "table.csv").out


def test_capitals_of_a_choice_are_no_mistake(cli, here):
    (here / "table.csv").write_text("id,x,label\n1,2,a\n")
    done = cli(
        "train", "table.csv", "-o", "run", "--cell", "LSTM", "--layout", "LONG", "--pooling", "MEAN,max"
    )
    assert "is not one of" not in done.err
    assert "at least two classes" in done.err or "hold" in done.err


def test_one_argument_too_many_is_told_where_it_belongs(cli, here):
    done = cli("train", "runs/first", "table.csv")
    assert done.code == 2
    assert "recurra train takes DATA, and where to write with -o; got table.csv as well." in done.err
