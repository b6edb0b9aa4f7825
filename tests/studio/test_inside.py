"""What the page shows of a run is what the estimator itself says."""

import base64

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record
from recurra.runs.folder.files import RunFolder
from recurra.studio import begin, inside, labels
from recurra.studio.files import Below
from recurra.studio.recordings import Recordings


@pytest.fixture(scope="module")
def below(trained_folder):
    return Below.of(trained_folder)


@pytest.fixture(scope="module")
def judged(below):
    return inside.Inside(below).judged(RunFolder(below.root / "runs" / "gru"))


def test_the_worst_mistakes_come_first(judged):
    found = inside.cases(judged)
    assert found["n"] == len(judged.data) == len(found["cases"])
    wrong = [row["wrong"] for row in found["cases"]]
    assert wrong == sorted(wrong, reverse=True)
    for row in found["cases"]:
        assert (row["predicted"] != row["true"]) == row["wrong"]
    sure = [row["confidence"] for row in found["cases"] if row["wrong"]]
    assert sure == sorted(sure, reverse=True)


def test_a_sequence_with_what_was_thought_over_time(judged):
    found = inside.case(judged, 0)
    x = judged.data[0].values
    assert np.array_equal(found["signal"]["values"], np.asarray(x, float).T)
    assert found["channels"] == ["ax", "ay"]
    shares = dict(found["shares"])
    proba = judged.estimator.predict_proba([x])[0]
    assert [shares[name] for name in judged.estimator.classes_] == pytest.approx(proba.tolist())
    over = found["over"]
    assert over["steps"][-1] == len(x) - 1
    assert np.asarray(over["values"])[:, -1] == pytest.approx(proba)
    middle = len(over["steps"]) // 2
    cut = judged.estimator.predict_proba([x[: over["steps"][middle] + 1]])[0]
    assert np.asarray(over["values"])[:, middle] == pytest.approx(cut)


def test_another_run_shows_the_same_sequence(judged):
    turned = inside.replace(judged, data=judged.data.take(np.arange(len(judged.data))[::-1]))
    for index in range(len(judged.data)):
        place = inside.same_sequence(judged, index, turned)
        assert turned.data[place].name == judged.data[index].name
        assert inside.same_sequence(judged, index, judged) == index
    fewer = inside.replace(judged, data=judged.data.take(np.arange(1)))
    with pytest.raises(DataError, match="is not in the part that this run was judged on"):
        inside.same_sequence(judged, 1, fewer)


def test_explanation_and_trace_are_those_of_the_estimator(judged):
    x = judged.data[0].values
    found = inside.explanation(judged, 0, "gradient_times_input")
    values = judged.estimator.explain(x, method="gradient_times_input").values
    assert unpacked(found["heat"]) == pytest.approx(values.T, abs=found["heat"]["high"] / 120)
    (layer,) = inside.trace(judged, 0)["layers"]
    own = judged.estimator.trace(x).layer()
    assert unpacked(layer["rows"]["z"]) == pytest.approx(own.gates["z"][:, own.order].T, abs=1 / 250)
    assert list(layer["rows"]) == ["r", "z", "n", "h"]


def unpacked(heat):
    content = np.frombuffer(base64.b64decode(heat["bytes"]), np.uint8).reshape(heat["rows"], heat["columns"])
    return heat["low"] + content / 255 * (heat["high"] - heat["low"])


@pytest.mark.parametrize("targets", [1, 2])
def test_numbers_per_step_are_drawn_over_time(targets):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(steps, 2)) for steps in (9, 14)]
    y = [x.cumsum(axis=0)[:, 0 if targets == 1 else slice(2)] for x in X]
    model = recurra.SequenceRegressor(hidden_size=3, max_epochs=1, random_state=0, verbose=0).fit(X, y)
    data = Dataset([Record(x, label=own) for x, own in zip(X, y, strict=True)])
    found = inside.answer(inside.Judged(model, data, None), data[1])
    assert found["over"]["names"] == (["answer"] if targets == 1 else ["answer 1", "answer 2"])
    np.testing.assert_array_equal(found["over"]["steps"], np.arange(14))
    np.testing.assert_allclose(found["over"]["values"], model.predict(X)[1].reshape(14, targets).T)


def test_changed_values_change_the_answer(judged):
    as_it_was = inside.what_if(judged, 0, text=None, changes=[])
    assert as_it_was["shares"] == inside.case(judged, 0)["shares"]
    changed = inside.what_if(judged, 0, text=None, changes=[[0, 3, 9, 5.0], [1, 0, 0, -2.0]])
    x = np.array(judged.data[0].values, float)
    x[3:10, 0] += 5
    x[0, 1] -= 2
    assert np.array_equal(changed["signal"]["values"], x.T)
    assert max(changed["shares"])[1] == pytest.approx(max(dict(changed["shares"]).values()), abs=1)
    assert dict(changed["shares"])["fast"] == pytest.approx(
        judged.estimator.predict_proba([x])[0][judged.estimator.classes_.tolist().index("fast")]
    )


@pytest.mark.parametrize(
    "changes",
    [[[9, 0, 0, 1]], [[0, 5, 3, 1]], [[0, 0, 999, 1]], [[0, 0]], ["x"], [[0, 0, 0, "1"]], [[0, -1, 0, 1]]],
)
def test_changes_outside_of_the_sequence_are_refused(judged, changes):
    with pytest.raises(UsageError, match="a change must"):
        inside.what_if(judged, 0, text=None, changes=changes)


@pytest.mark.parametrize("index", [-1, 5, 10**9])
def test_no_such_sequence(judged, index):
    with pytest.raises(UsageError, match=r"index must be in 0\.\.4"):
        inside.case(judged, index)


@pytest.mark.parametrize("which", ["network", "unrolled"])
def test_diagrams(below, which):
    svg = inside.diagram(inside.Inside(below), RunFolder(below.root / "runs" / "gru"), which)
    assert svg.startswith("<svg")


def test_labels_per_step_and_proposals(kinds_folder):
    below = Below.of(kinds_folder)
    judged = inside.Inside(below).judged(RunFolder(kinds_folder / "runs" / "labeler"))
    found = inside.case(judged, 0)
    assert {one["label"] for one in found["truth"]} <= {"up", "down"}
    assert sum(one["stop"] - one["start"] for one in found["answers"]) == 120
    assert np.shape(found["over"]["values"]) == (2, 120)
    recording = Recordings().open(kinds_folder / "signals" / "0.npy")
    proposed = labels.propose(judged.estimator, recording, 10, 90)
    assert [one["certainty"] for one in proposed] == sorted(one["certainty"] for one in proposed)
    ordered = sorted(proposed, key=lambda one: one["start"])
    assert (ordered[0]["start"], ordered[-1]["end"]) == (10, 90)
    said = judged.estimator.predict([recording.values[10:90]])[0]
    for one in ordered:
        assert set(said[one["start"] - 10 : one["end"] - 10]) == {one["label"]}


def test_texts_words_and_what_if(kinds_folder):
    judged = inside.Inside(Below.of(kinds_folder)).judged(RunFolder(kinds_folder / "runs" / "texts"))
    found = inside.case(judged, 0)
    assert found["kind"] == "text"
    why = inside.explanation(judged, 0, "occlusion")
    assert len(why["words"]) == len(why["values"])
    changed = inside.what_if(judged, 0, text="no power in the hall", changes=[])
    proba = judged.estimator.predict_proba(["no power in the hall"])[0]
    assert dict(changed["shares"])["power"] == pytest.approx(
        proba[judged.estimator.classes_.tolist().index("power")]
    )


@pytest.mark.parametrize(
    "options",
    [{"checkpoint_dir": "/tmp"}, {"network": "x"}, {"labels": "x"}, {"no_such": 1}, {"label": "--force"},
     {"label": {"a": 1}},
     {"callbacks": []}, {"hidden_size": None}, {"label": [{}]}],
)  # fmt: skip
def test_options_that_the_page_does_not_choose(below, options):
    with pytest.raises(UsageError):
        begin.Beginnings(below).words("gestures.csv", "runs/x", options)


@pytest.mark.parametrize(
    "out", ["", "..", "../x", "/tmp/x", ".hidden", "a//b", "a\\b", "a\0", "runs/../../x", "x" * 200]
)
def test_run_folders_stay_below(below, out):
    with pytest.raises(UsageError, match="no name for a new folder"):
        begin.Beginnings(below).train("gestures.csv", out, {})


def test_the_command_and_the_python_do_the_same(below):
    found = begin.Beginnings(below).words(
        "gestures.csv", "runs/x", {"label": "gesture", "max_epochs": 3, "bidirectional": True}
    )
    assert (
        found["command"]
        == "recurra train gestures.csv -o runs/x --label gesture --max-epochs 3 --bidirectional"
    )
    compile(found["python"], "python", "exec")
    assert "out='runs/x', label='gesture', max_epochs=3, bidirectional=True" in found["python"]


def test_data_outside_are_not_read(below, tmp_path):
    import shutil

    shutil.copytree(below.root / "runs" / "gru", tmp_path / "gru")
    with pytest.raises(recurra.errors.DataError, match="outside of"):
        inside.Inside(Below.of(tmp_path)).judged(RunFolder(tmp_path / "gru"))
