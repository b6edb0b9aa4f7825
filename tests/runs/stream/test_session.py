"""Lines are answered by a session without a terminal: what is written, told and warned of goes to whoever asked."""

import io
import json

import numpy as np
import pytest

import recurra
from recurra.errors import DataError
from recurra.runs.stream.lines import Lines
from recurra.runs.stream.opening import answering_rows
from recurra.runs.stream.session import answer_lines


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X, y = [rng.normal(size=(6, 2)) for _ in range(12)], ["a", "b"] * 6
    clf = recurra.SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0, verbose=0)
    return clf.fit(recurra.Dataset([recurra.Record(x, label=c) for x, c in zip(X, y, strict=True)])).model_


def answered(model, text, *, strict=False):
    """Return the steps that were answered, what was told of, and what was warned of."""
    written, told, warned = [], [], []
    how = {"kind": "auto", "name": None, "look_ahead": None, "proba": False}
    session, lines = answering_rows(model, **how, warn=warned.append)
    write, tell = written.append, told.append
    answer_lines(session, lines, io.BytesIO(text.encode()), strict=strict, write=write, tell=tell)
    return [json.loads(line)["step"] for line in written], told, warned


def test_a_line_that_holds_no_row_is_told_of_and_left_out(model):
    steps, told, _ = answered(model, "[1, 2]\n[1]\n[3, 4]\n")
    assert steps == [0, 1]
    assert told == ["Skipped line 2: it has 1 number, the network reads 2."]
    with pytest.raises(DataError, match=r"stream: line 2: it has 1 number, the network reads 2\."):
        answered(model, "[1, 2]\n[1]\n", strict=True)


BAD = "it has 1 number, the network reads 2."


@pytest.mark.parametrize(
    ("bad", "rest"),
    [
        (1, []),
        (3, []),
        (4, ["Skipped line 5: the same fault."]),
        (5, ["Skipped 2 more up to line 6: the same fault."]),
        (10, ["Skipped 7 more up to line 11: the same fault."]),
        (
            50,
            [
                "Skipped 7 more up to line 11: the same fault.",
                "Skipped 40 more up to line 51: the same fault.",
            ],
        ),
    ],
)
@pytest.mark.parametrize("then", ["[3, 4]", "x"])
def test_the_same_fault_line_after_line_is_told_of_a_few_times_and_counted(model, bad, rest, then):
    steps, told, _ = answered(model, "[1, 2]\n" + "[1]\n" * bad + f"{then}\n[1]\n")
    assert steps == [0, 1][: 1 + (then != "x")]
    named = [f"Skipped line {2 + n}: {BAD}" for n in range(min(bad, 3))]
    other = [f"Skipped line {bad + 2}: it is not JSON: 'x'."] if then == "x" else []
    assert told == [*named, *rest, *other, f"Skipped line {bad + 3}: {BAD}"]


def test_faults_that_differ_in_what_stood_there_alone_are_the_same(model):
    _, told, _ = answered(model, "[1, 2]\n" + "".join(f"x{n}\n" for n in range(6)))
    assert told[2:] == [
        "Skipped line 4: it is not JSON: 'x2'.",
        "Skipped 3 more up to line 7: the same fault.",
    ]


@pytest.mark.parametrize(("column", "written"), [("who", "who"), ("who is it", "'who is it'")])
def test_the_column_that_told_sequences_apart_in_training_is_named(column, written):
    warned = []
    lines = Lines(1, ["ax"], kind="csv", name=None, warn=warned.append, trained_id=column)
    list(lines.read(io.BytesIO(f"{column},ax\na,1\nb,2\n".encode())))
    assert warned == [
        f"not read: {column}. All rows are one sequence; {column!r} told sequences apart in training: give --name {written}."
    ]


def test_columns_that_nobody_reads_are_warned_of():
    warned = []
    lines = Lines(1, ["ax"], kind="csv", name=None, warn=warned.append)
    assert [row.values for row in lines.read(io.BytesIO(b"who,ax\n1,2\n"))] == [[2.0]]
    assert warned == [
        "not read: who. All rows are one sequence; if a column names the recording of a row, give --name COLUMN."
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["ax", "ay"], "it has 3 cells; 2, 'ax', 'ay', are expected."),
        (None, "it has 3 cells; 2 are expected."),
        (["ax"], "it has 3 cells; 1, 'ax', is expected."),
    ],
)
def test_a_line_of_another_width_is_told_which_channels_are_read(names, told):
    lines = Lines(len(names or "ab"), names, kind="csv", name=None)
    bad = list(lines.read(io.BytesIO(b"0.1,2,3\n0.2,4,5\n")))
    assert [str(line) for line in bad] == [f"line 1: {told}", f"line 2: {told}"]
