"""What comes out has one form: name, step or time, and what; time as it came in; the same names for a file and a folder."""

import csv
import io
import json

import numpy as np
import pytest

from recurra import SequenceRegressor
from recurra.estimators.loading import load_model
from recurra.runs.answers.long_form import long_form
from recurra.runs.predict import predict


def rows_of(done):
    assert done.code == 0, done.err
    return list(csv.DictReader(io.StringIO(done.out)))


def test_labels_per_step_have_the_time_they_came_with(cli, nine):
    rows = rows_of(cli("predict", nine("labeler"), nine.folder / "steps.csv"))
    table = list(csv.DictReader(io.StringIO((nine.folder / "steps.csv").read_text())))
    assert list(rows[0]) == ["name", "step", "time", "prediction"]
    assert [row["name"] for row in rows] == [row["recording"] for row in table]
    assert [row["time"] for row in rows] == [row["when"] for row in table]


def test_numbers_per_step(cli, nine):
    rows = rows_of(cli("predict", nine("numbers per step"), nine.folder / "levels.csv"))
    table = (nine.folder / "levels.csv").read_text().splitlines()[1:]
    assert list(rows[0]) == ["name", "step", "prediction"]
    assert [row["name"] for row in rows] == [row.split(",")[0] for row in table]
    assert [int(row["step"]) for row in rows[:3]] == [0, 1, 2]


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("per_step", [False, True])
def test_quantiles_stand_beside_the_median(per_step, targets, tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(9, 1)) for _ in range(12)]
    y = [x.cumsum(axis=0) for x in X] if per_step else [x.sum(axis=0) for x in X]
    y = [np.concatenate([own, -own], axis=-1) if targets == 2 else own[..., 0] for own in y]
    words = {"hidden_size": 3, "max_epochs": 2, "random_state": 0, "verbose": 0}
    model = SequenceRegressor(loss="quantile", quantiles=(0.05, 0.5, 0.95), **words)
    model.fit(X, y if per_step else np.array(y)).save(tmp_path / "m.recurra")
    rows = predict(tmp_path / "m.recurra", X)
    answers = model.predict_quantiles(X)
    light = load_model(tmp_path / "m.recurra", runtime="light").predict_quantiles(X)
    for own, same in zip(answers, light, strict=True):
        np.testing.assert_array_equal(own, same)
    for place, share in enumerate(("0.05", "0.5", "0.95")):
        for row, own in zip(rows, answers, strict=True):
            np.testing.assert_array_equal(row["quantiles"][share], own[..., place])
    table = long_form(rows)
    names = ["prediction", "q_0.05", "q_0.5", "q_0.95"]
    if per_step:
        assert list(table[0]) == ["name", "step", *names]
    elif targets == 1:
        assert list(table[0]) == ["name", *names]
    else:
        assert list(table[0]) == ["name", *(f"{one}_{target}" for one in names for target in (1, 2))]
    assert len(table) == (108 if per_step else 12)
    last, of_last = (
        (names[-1], answers[-1][..., -1]) if targets == 1 or per_step else ("q_0.95_2", answers[-1][-1, -1])
    )
    np.testing.assert_array_equal(table[-1][last], of_last[-1] if per_step else of_last)


def test_a_stream_writes_what_predict_writes(cli, tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(9, 1)) for _ in range(12)]
    words = {"causal": True, "hidden_size": 3, "max_epochs": 2, "random_state": 0, "verbose": 0}
    model = SequenceRegressor(loss="quantile", **words).fit(X, np.array([x.sum() for x in X]))
    model.save(tmp_path / "m.recurra")
    (tmp_path / "r.jsonl").write_text("".join(f"{row.tolist()}\n" for row in X[0]))
    done = cli("stream", tmp_path / "m.recurra", tmp_path / "r.jsonl")
    lines = [json.loads(line) for line in done.out.splitlines()]
    (expected,) = predict(tmp_path / "m.recurra", X[:1])
    assert lines[-1]["quantiles"] == expected["quantiles"]
    assert list(lines[0]["quantiles"]) == ["0.1", "0.5", "0.9"]


def test_numbers_that_wait_for_later_rows_are_all_written(cli, tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(9, 1)) for _ in range(12)]
    words = {"bidirectional": True, "hidden_size": 3, "max_epochs": 2, "random_state": 0, "verbose": 0}
    model = SequenceRegressor(**words).fit(X, [x.cumsum() for x in X])
    model.save(tmp_path / "m.recurra")
    (tmp_path / "r.jsonl").write_text("".join(f"{row.tolist()}\n" for row in X[0]))
    done = cli("stream", tmp_path / "m.recurra", tmp_path / "r.jsonl", "--look-ahead", 8)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["step"] for line in lines] == list(range(9))
    np.testing.assert_allclose(
        [line["prediction"] for line in lines], model.predict(X[:1])[0], rtol=0, atol=1e-6
    )


def test_stamps_follow_the_rows_when_they_are_sorted(cli, nine, tmp_path):
    head, *table = (nine.folder / "steps.csv").read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(table))
    (tmp_path / "mixed.csv").write_text("\n".join([head, *(table[i] for i in order)]) + "\n")
    plain = rows_of(cli("predict", nine("labeler"), nine.folder / "steps.csv"))
    mixed = rows_of(cli("predict", nine("labeler"), tmp_path / "mixed.csv", "--sort"))
    key = lambda row: (row["name"], row["time"])  # noqa: E731
    assert sorted(map(tuple, (row.values() for row in mixed))) == sorted(
        map(tuple, (row.values() for row in plain))
    )
    assert [key(row) for row in mixed] != [key(row) for row in plain]


def test_segments_of_labels_and_of_anomalies_have_one_form(cli, nine):
    labels = rows_of(cli("predict", nine("labeler"), nine.folder / "steps.csv", "--segments"))
    assert list(labels[0]) == ["name", "start", "end", "label", "start_s", "end_s", "first_time", "last_time"]
    detector = load_model(nine("anomalies") / "model.recurra")
    rows = rows_of(cli("predict", nine("anomalies"), nine.folder / "normal.csv"))
    assert list(rows[0]) == ["name", "step", "prediction", "score"]
    segments = rows_of(cli("predict", nine("anomalies"), nine.folder / "normal.csv", "--segments"))
    assert segments
    assert list(segments[0]) == ["name", "start", "end", "label", "start_s", "end_s", "peak"]
    marked = {(row["name"], int(row["step"])) for row in rows if row["prediction"] == "-1"}
    covered = {(s["name"], step) for s in segments for step in range(int(s["start"]), int(s["end"]))}
    assert covered == marked
    assert max(float(s["peak"]) for s in segments) > -detector.offset_
    longer = rows_of(
        cli("predict", nine("anomalies"), nine.folder / "normal.csv", "--segments", "--min-duration-s", "3")
    )
    assert longer == [s for s in segments if int(s["end"]) - int(s["start"]) >= 3]


def test_forecasts_have_the_same_first_columns(cli, nine):
    rows = rows_of(cli("predict", nine("series"), nine.folder / "load.csv"))
    assert list(rows[0])[:4] == ["name", "step", "time", "MW"]
    assert rows[0]["name"] == "load.csv"
    assert rows[0]["time"] == "2024-01-09T08:00:00"
    forecast = load_model(nine("series") / "model.recurra").forecast()
    frame = (forecast if not isinstance(forecast, list) else forecast[0]).to_frame()
    assert next(iter(frame.columns)) == "MW"


def test_the_same_names_for_a_file_a_folder_and_several_files(cli, forms, trained):
    run, folder = trained("folder"), forms / "new"
    whole = rows_of(cli("predict", run.path, folder))
    files = [folder / row["name"] for row in whole]
    assert rows_of(cli("predict", run.path, *files)) == whole
    assert rows_of(cli("predict", run.path, *reversed(files))) == whole[::-1]
    for file, row in list(zip(files, whole, strict=True))[:3]:
        assert rows_of(cli("predict", run.path, file)) == [row | {"name": file.name}]


def test_several_tables_name_file_and_sequence(cli, forms, trained):
    run = trained("long")
    rows = rows_of(cli("predict", run.path, forms / "new.csv", forms / "old.csv"))
    assert rows[0]["name"] == "new.csv/new0"
    assert len(rows) == 9 + 36
    alone = rows_of(cli("predict", run.path, forms / "new.csv"))
    assert [row["prediction"] for row in rows[:9]] == [row["prediction"] for row in alone]


def test_several_files_that_cannot_be_one_set(cli, forms, trained, tmp_path):
    run = trained("long")
    for files in ((forms / "new.csv", forms / "new.csv"), (forms / "new.csv", "-")):
        done = cli("predict", run.path, *files)
        assert done.code == 2
        assert "several files must be different ones, standard input alone" in done.err
    (tmp_path / "other.csv").write_text((forms / "new.csv").read_text().replace("ax", "bx", 1))
    assert cli("predict", run.path, forms / "new.csv", tmp_path / "other.csv").code == 3


def test_rows_of_different_kinds_have_the_same_columns():
    rows = [
        {"name": "a", "segments": []},
        {"name": "b", "segments": [{"start": 0, "peak": 1.0}, {"start": 3}]},
    ]
    assert long_form(rows) == [{"name": "b", "start": 0, "peak": 1.0}, {"name": "b", "start": 3, "peak": ""}]


def test_one_recording_is_called_after_its_file(cli, nine, tmp_path):
    np.save(tmp_path / "night.npy", np.sin(np.arange(60) / 3)[None, :, None])
    rows = rows_of(cli("predict", nine("anomalies"), tmp_path / "night.npy"))
    assert {row["name"] for row in rows} == {"night.npy"}
