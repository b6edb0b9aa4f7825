"""A plan: the task that data say, where the run stands, and the command that repeats it."""

from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, RecurraError, UsageError
from recurra.records import Dataset, Record
from recurra.runs.plan import Plan, choose_task, default_folder, prepare


def dataset(label, n=10, **facts):
    return Dataset([Record(np.full((3, 1), i, dtype=float), label=label(i)) for i in range(n)], **facts)


@pytest.mark.parametrize(
    ("data", "task"),
    [
        (dataset(lambda i: "ab"[i % 2]), "classify"),
        (dataset(lambda i: i / 3), "regress"),
        (dataset(lambda i: np.array(["a", "b", "a"])), "label"),
        (dataset(lambda i: np.array([0.5, 1.5, i])), "regress"),
        (dataset(lambda i: None, kind="series"), "forecast"),
        (dataset(lambda i: "text", kind="pairs"), "translate"),
    ],
)
def test_the_data_say_the_task(data, task):
    assert choose_task(data) == task


def test_the_folder_is_named_after_the_data(tmp_path, monkeypatch):
    assert str(default_folder("recordings/gestures.csv")) == "runs/gestures"
    assert str(default_folder(dataset(lambda i: "a", source="made up"))) == "runs/made up"
    assert str(default_folder([1, 2])) == "runs/run"
    monkeypatch.chdir(tmp_path)
    assert default_folder(".").name == tmp_path.name


def test_the_command_repeats_the_plan(tmp_path):
    facts = {"source": "my data.csv", "folder": tmp_path, "task": "classify", "seed": 3}
    plan = Plan(**facts, data_options={"id": "who"}, options={"bidirectional": True}, test=0.25, by="group")
    assert plan.command == (
        f"recurra train 'my data.csv' -o {tmp_path} --task classify --test 0.25 --by group "
        "--id who --bidirectional --seed 3"
    )
    of_python = Plan(**{**facts, "source": None}, data_options={}, options={}, test=[1], by=None)
    assert of_python.command == f"recurra train DATA -o {tmp_path} --task classify --test TEST --seed 3"


def prepared(data, task=None, folder="out", test=0.2, by=None, **options):
    return prepare(data, task, folder, {}, options, test=test, by=by, seed=0)


def test_data_and_options_become_what_is_trained():
    data = dataset(lambda i: "ab"[i % 2], source="here")
    made = prepared(data, hidden_size=7)
    assert (made.plan.task, made.plan.kind, made.plan.source) == ("classify", "sequence", None)
    assert (len(made.split.train), len(made.split.test)) == (8, 2)
    assert (made.estimator.hidden_size, made.estimator.random_state) == (7, 0)
    assert not made.goes_on


def test_what_cannot_be_trained_is_refused_at_once():
    data = dataset(lambda i: "ab"[i % 2])
    with pytest.raises(UsageError, match="hidden_size must be a whole number of at least 1; got 0"):
        prepared(data, hidden_size=0)
    with pytest.raises(UsageError, match=r"the task 'forecast' takes no 'pooling'\."):
        prepared(data, "forecast", pooling="max")
    with pytest.raises(UsageError, match="by= says how a share is held out; with test=0 none is"):
        prepared(data, test=0, by="group")
    with pytest.raises(DataError, match="of the 2 classes only 'a' is in the training part of 9"):
        prepared(dataset(lambda i: "a" if i < 9 else "b"), test=0.1, by="time")


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        ("a b\n\nc d\n", {}, r"has no labels\. Texts without labels can be learned to be written: task='generate'\."),
        ("a b\tX Y\n", {"task": "translate"}, r"name the columns of .*data\.tsv they stand in with source= and target="),
        ("the\tDET\ndog\tNOUN\n\n", {"task": "classify"}, r"holds sentences, on which .* Give task='label'\."),
        ("a fine day\tX\na sad day\tY\n", {"task": "label"}, r"holds texts, .* Give task='classify' or task='regress' or "),
    ],
    ids=["without labels", "pairs without names", "sentences", "texts"],
)  # fmt: skip
def test_what_cannot_be_trained_is_told_by_what_the_data_are(tmp_path, lines, words, said):
    suffix = "tsv" if words.get("task") == "translate" else "txt"
    data = tmp_path / f"data.{suffix}"
    data.write_text(lines * 6)
    with pytest.raises(RecurraError, match=said):
        recurra.train(data, out=tmp_path / "run", **words)


@pytest.mark.parametrize(
    ("source", "name"),
    [("big/*.parquet", "big"), ("a/b/**/x*.csv", "b"), ("a/b.csv", "b"), ("a/data", "data")],
)
def test_a_run_is_called_after_its_data_also_where_a_pattern_names_them(source, name):
    assert default_folder(source) == Path("runs") / name
