"""What comes out has one form: name, step or time, and what; time as it came in; the same names for a file and a folder."""

import csv
import io

import numpy as np

from recurra.estimators.loading import load_model
from recurra.runs.answers.long_form import long_form


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
