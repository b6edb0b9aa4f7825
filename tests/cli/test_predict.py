"""``predict``: CSV and JSON lines, with and without labels, without torch."""

import contextlib
import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

import recurra
from recurra.cli import terminal_output
from recurra.cli.verbs.predict import as_text
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record
from recurra.runs import predict as prediction
from recurra.runs.predict import predict


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_holds_what_the_estimator_predicts(cli, forms, trained):
    run = trained("long")
    done = cli("predict", run.path, forms / "new.csv", "--proba")
    assert done.code == 0
    assert done.err == ""
    rows = rows_of(done.out)
    data = recurra.load(forms / "new.csv", id="recording", label="gesture", group="who")
    assert [row["name"] for row in rows] == data.names
    assert [row["prediction"] for row in rows] == run.estimator.predict(data).tolist()
    shares = np.array([[float(row[f"p_{name}"]) for name in "abc"] for row in rows])
    np.testing.assert_allclose(shares, run.estimator.predict_proba(data), atol=1e-6)


def test_labels_need_not_be_there(cli, forms, trained):
    with_labels = cli("predict", trained("long").path, forms / "new.csv")
    without = cli("predict", trained("long").path, forms / "new-unlabelled.csv")
    assert without.code == 0
    assert without.out == with_labels.out


def test_json_lines_and_a_file(cli, forms, trained, tmp_path):
    run = trained("ts")
    out = tmp_path / "answers.jsonl"
    done = cli("predict", run.path, forms / "new.ts", "-o", out)
    assert done.out.splitlines() == [
        f"9 predictions in {out}",
        "Next:",
        f"recurra eval {run.path} {forms / 'new.ts'}",
    ]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["prediction"] for row in rows] == [
        r["prediction"] for r in rows_of(cli("predict", run.path, forms / "new.ts").out)
    ]
    done = cli("predict", run.path, forms / "new.ts", "-o", out, "--format", "csv", "--json")
    assert json.loads(done.out) == {"n_predicted": 9, "output": str(out)}
    assert out.read_text().startswith("name,prediction\n")
    assert cli("predict", run.path, forms / "new.ts", "--json").code == 2


def test_after_a_folder_a_single_file_is_one_recording(cli, forms, trained, tmp_path):
    run = trained("folder")
    everything = rows_of(cli("predict", run.path, forms / "new").out)
    one = forms / "new" / everything[4]["name"]
    done = cli("predict", run.path, one)
    assert done.code == 0, done.err
    assert rows_of(done.out) == [{"name": one.name, "prediction": everything[4]["prediction"]}]
    several = cli("predict", run.path, forms / "new-unlabelled.csv", "--id", "recording")
    assert len(rows_of(several.out)) == 9
    (tmp_path / "bad.csv").write_text("ax,ay\n1,2\n1,x\n")
    done = cli("predict", run.path, tmp_path / "bad.csv")
    assert done.code == 3
    assert done.err.startswith(
        f"Error: {tmp_path / 'bad.csv'}: column 'ay' must hold numbers; line 3 has 'x'."
    )


def test_a_table_on_standard_input(forms, trained):
    run = trained("long")
    table = (forms / "new-unlabelled.csv").read_text()
    command = [sys.executable, "-m", "recurra", "predict", str(run.path), "-"]
    done = subprocess.run(command, input=table, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["prediction"] for row in rows_of(done.stdout)] == [
        row["prediction"] for row in predict(run.path, forms / "new-unlabelled.csv")
    ]
    done = subprocess.run(
        command, input=table.replace("ax", "bx"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("Error: standard input: ")


def test_predicting_needs_neither_torch_nor_scikit_learn(forms, trained):
    """As in the light install: numpy, safetensors and click only."""
    code = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'matplotlib', 'rich', 'jinja2'): sys.modules[name] = None\n"
        "from recurra.cli.main import run\n"
        f"sys.exit(run(['predict', {str(trained('long').path)!r}, {str(forms / 'new.csv')!r}, '--proba']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(rows_of(done.stdout)) == 9


def test_a_model_file_alone(forms, trained, tmp_path):
    import shutil

    run = trained("long")
    shutil.copy(run.path / "model.recurra", tmp_path / "alone.recurra")
    rows = predict(tmp_path / "alone.recurra", forms / "new-unlabelled.csv", id="recording")
    assert rows == predict(run.path, forms / "new-unlabelled.csv")
    table = [line.split(",") for line in (forms / "new-unlabelled.csv").read_text().splitlines()]
    (tmp_path / "turned.csv").write_text("".join(f"{row[0]},{row[2]},{row[1]}\n" for row in table))
    assert predict(tmp_path / "alone.recurra", tmp_path / "turned.csv", id="recording") == rows


@pytest.mark.usefixtures("no_charts")
def test_numbers_and_labels_per_step(tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(3, 6), 1)) for _ in range(20)]
    words = {"hidden_size": 3, "max_epochs": 1, "verbose": 0, "test": 0, "seed": 0}
    two = Dataset([Record(x, label=np.array([x.sum(), x.max()])) for x in X])
    run = recurra.train(two, "regress", out=tmp_path / "two", **words)
    rows = predict(run.path, two)
    assert rows[0]["prediction"] == run.estimator.predict(two)[0].tolist()
    assert list(rows_of(as_text(rows, "csv"))[0]) == ["name", "prediction_1", "prediction_2"]
    with pytest.raises(UsageError, match="proba needs classes; this network predicts numbers"):
        predict(run.path, two, proba=True)
    steps = Dataset([Record(x, label=np.where(x[:, 0] > 0, "up", "down")) for x in X])
    run = recurra.train(steps, out=tmp_path / "steps", **words)
    rows = predict(run.path, steps, proba=True)
    assert [len(row["prediction"]) for row in rows] == [len(x) for x in X]
    lines = rows_of(as_text(rows, "csv"))
    assert len(lines) == sum(len(x) for x in X)
    assert list(lines[0]) == ["name", "step", "prediction", "p_down", "p_up"]
    assert [line["prediction"] for line in lines] == np.concatenate(run.estimator.predict(steps)).tolist()


def test_a_name_with_a_comma_is_quoted():
    assert as_text([{"name": 'a,"b"', "prediction": "x"}], "csv") == 'name,prediction\n"a,""b""",x\n'
    assert as_text([], "csv") == "name,prediction\n"


@pytest.fixture(scope="module")
def walking(tmp_path_factory):
    """A causal labeler of windows, trained from the command's function."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(8):
        values = rng.normal(size=(300, 3))
        values[:, 2] += 9.81
        walks = (np.arange(300) // 60) % 2 == 1
        values[:, 0] += 5 * np.sin(np.arange(300) / 2) * walks
        records.append(
            Record(values, label=np.where(walks, "walk", "rest"), name=f"r{i}", sample_rate_hz=100.0)
        )
    data = Dataset(records)
    features = {"name": "statistics", "window_s": 0.3, "hop_s": 0.1}
    words = {"features": features, "hidden_size": 6, "max_epochs": 8, "verbose": 0, "test": 0, "seed": 0}
    out = tmp_path_factory.mktemp("walking") / "run"
    return data, recurra.train(data, out=out, **words)


def test_whole_and_in_chunks_are_the_same(walking):
    data, run = walking
    whole = predict(run.path, data, proba=True)
    for chunk in (1, 7, 100, 1000):
        assert predict(run.path, data, proba=True, chunk=chunk) == whole
    with pytest.raises(UsageError, match="chunk must be a whole number of at least 1; got 0"):
        predict(run.path, data, chunk=0)


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"members": 2}, {"frontend": "convolutions"}])
def test_numbers_per_step_whole_and_in_chunks_are_the_same(options, tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(steps, 2)) for steps in (40, 1, 23)]
    words = {"causal": True, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "verbose": 0}
    model = recurra.SequenceRegressor(**words, **options).fit(X, [x.cumsum(axis=0)[:, 0] for x in X])
    model.save(tmp_path / "m.recurra")
    whole = predict(tmp_path / "m.recurra", X)
    for row, own in zip(whole, model.predict(X), strict=True):
        np.testing.assert_array_equal(row["prediction"], own)
    for chunk in (1, 7, 1000):
        assert predict(tmp_path / "m.recurra", X, chunk=chunk) == whole


WHOLE = {
    "linear part": (
        {"wide": True, "bidirectional": False},
        "the linear part of this model reads whole sequences",
    ),
    "bidirectional": ({"wide": False, "bidirectional": True}, "this network is bidirectional"),
    "convolutions": (
        {"wide": False, "bidirectional": False, "frontend": "convolutions", "causal": False},
        "the convolutions of this network look ahead",
    ),
}


@pytest.mark.parametrize(("options", "reason"), WHOLE.values(), ids=WHOLE)
def test_what_reads_whole_sequences_refuses_chunks_and_reads_long_ones_without(
    options, reason, cli, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) + n % 2 for n in rng.integers(20, 30, 24)]
    y = np.array([len(x) % 2 for x in X])
    out = tmp_path / "m.recurra"
    fitted = recurra.SequenceClassifier(
        hidden_size=4, max_epochs=1, verbose=0, random_state=0, **options
    ).fit(X, y)
    fitted.save(out)
    with pytest.raises(UsageError) as refused:
        predict(out, X, chunk=5)
    assert str(refused.value).startswith(f"predict: chunk= reads row by row, as a stream does, and {reason}")
    assert "; leave chunk= out, or train with " in str(refused.value)
    np.savetxt(tmp_path / "a.csv", X[0], delimiter=",", header="p,q", comments="")
    typed = cli("predict", out, tmp_path / "a.csv", "--layout", "long", "--chunk", "5")
    assert typed.code == 2
    assert typed.err.startswith("Error: predict: --chunk reads row by row")
    assert "leave --chunk out" in typed.err
    (tmp_path / "two.csv").write_text("a,b\n1,2\n3,4\n")
    as_rows = cli("predict", out, tmp_path / "two.csv")
    assert "pass [X]" not in as_rows.err
    assert "read it with --layout long" in as_rows.err
    whole = predict(out, X)
    monkeypatch.setattr(prediction, "LONG", 100)
    assert predict(out, X) == whole


def test_long_recordings_are_read_in_chunks_by_themselves(walking, monkeypatch):
    data, run = walking
    whole = predict(run.path, data)
    monkeypatch.setattr(prediction, "LONG", 100)
    monkeypatch.setattr(prediction, "CHUNK", 13)
    assert predict(run.path, data) == whole
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert predict(run.path, data, progress=terminal_output.progress) == whole
    steps, read = [], []

    @contextlib.contextmanager
    def progress(n):
        steps.append(n)
        yield read.append

    assert predict(run.path, data, progress=progress) == whole
    assert steps == [sum(len(record.values) for record in data.records)] == [sum(read)]


def test_segments_cover_each_recording(walking):
    data, run = walking
    rows = predict(run.path, data, segments=True, min_duration_s=0.2)
    for row in rows:
        assert (row["segments"][0]["start_s"], row["segments"][-1]["end_s"]) == (0, 3)
    lines = rows_of(as_text(rows, "csv"))
    assert list(lines[0]) == ["name", "start", "end", "label", "start_s", "end_s"]
    assert len(lines) == sum(len(row["segments"]) for row in rows)


def test_data_of_another_rate(walking):
    data, run = walking
    slow = Dataset([Record(r.values, sample_rate_hz=50.0) for r in data.records], source="slow.csv")
    with pytest.raises(
        DataError, match=r"slow\.csv: the network was trained on 100 steps a second, these data have 50"
    ):
        predict(run.path, slow)


def test_an_electrocardiogram_whole_and_in_chunks(real_data, tmp_path):
    """Flags as a user types them, on PhysioNet records: the same answers by any chunks."""
    import zipfile

    from recurra.cli.main import run as command

    names = [f"A000{i:02d}" for i in range(1, 13)]
    with zipfile.ZipFile(real_data("cinc2017-validation/validation.zip")) as archive:
        letters = dict(line.split(",") for line in archive.read("REFERENCE.csv").decode().split())
        for name in names:
            archive.extract(f"{name}.hea", tmp_path / "hearts")
            archive.extract(f"{name}.mat", tmp_path / "hearts")
    lines = [f"{name}.hea,{'sick' if letters[name] == 'A' else 'other'}" for name in names]
    (tmp_path / "hearts" / "labels.csv").write_text("file,label\n" + "\n".join(lines) + "\n")
    out = tmp_path / "run"
    features = '{"name": "spectral", "window_s": 0.5}'
    words = ["--features", features, "--hidden-size", "4", "--max-epochs", "1", "--test", "0", "--seed", "0"]
    assert command(["train", str(tmp_path / "hearts"), "-o", str(out), *words]) == 0
    record = tmp_path / "hearts" / "A00001.hea"
    whole = predict(out, record, proba=True)
    assert [predict(out, record, proba=True, chunk=chunk) for chunk in (1, 777, 100_000)] == [whole] * 3


def test_options_that_would_do_nothing(cli, trained, forms, tmp_path):
    done = cli("predict", trained("long").path, forms / "new.csv", "--min-duration-s", "1")
    assert done.code == 2
    assert done.err.startswith("Error: predict: --min-duration-s joins short segments; give --segments too")
    rows = "\n".join(f"2024-01-01 {h:02}:00,{h % 5}.5" for h in range(24))
    (tmp_path / "load.csv").write_text(f"time,load\n{rows}\n")
    words = {"target": "load", "horizon": 2, "context": 4, "hidden_size": 2, "max_epochs": 1, "verbose": 0}
    recurra.train(tmp_path / "load.csv", "forecast", out=tmp_path / "run", test=0, seed=0, **words)
    for flags in (["--segments"], ["--chunk", "9"]):
        done = cli("predict", tmp_path / "run", tmp_path / "load.csv", *flags)
        assert done.code == 2
        assert f"{flags[0]} does nothing for a network that forecasts" in done.err


@pytest.mark.parametrize("name", ["out.xlsx", "out.xls", "out.ods", "out.parquet", "out.npy", "out.tsv"])
def test_a_kind_of_file_that_is_not_written_is_refused(cli, forms, trained, tmp_path, name):
    made = cli("predict", trained("ts").path, forms / "new.ts", "-o", tmp_path / name)
    assert made.code == 2
    assert "answers are written as CSV or JSON lines" in made.err
    assert not (tmp_path / name).exists()
    said = cli("predict", trained("ts").path, forms / "new.ts", "-o", tmp_path / name, "--format", "csv")
    assert said.code == 0
    assert (tmp_path / name).read_text().startswith("name,prediction\n")


@pytest.fixture(scope="module", params=[("u",), ("u", "v")], ids=["one channel", "two channels"])
def of_channels(request, tmp_path_factory):
    """Return the run of recordings in memory whose channels have names, and the names."""
    rng = np.random.default_rng(0)
    records = [
        Record(rng.normal(size=(n, len(request.param))) + n % 2, label="ab"[n % 2])
        for n in rng.integers(9, 14, 24)
    ]
    data = Dataset(records, channel_names=list(request.param))
    words = {"hidden_size": 3, "max_epochs": 1, "verbose": 0, "test": 0, "seed": 0}
    return recurra.train(data, out=tmp_path_factory.mktemp("channels") / "run", **words), request.param


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_a_table_of_the_channels_trained_on_is_one_recording(of_channels, steps, cli, tmp_path):
    run, names = of_channels
    values = np.random.default_rng(steps).normal(size=(steps, len(names)))
    (expected,) = predict(run.path, [values], proba=True)
    table, turned = tmp_path / "new.csv", tmp_path / "turned.csv"
    for path, order in ((table, names), (turned, names[::-1])):
        rows = values[:, [names.index(name) for name in order]]
        np.savetxt(path, rows, delimiter=",", header=",".join(order), comments="")
        (row,) = rows_of(cli("predict", run.path, path, "--proba").out)
        assert row["prediction"] == expected["prediction"]
        assert [float(row[f"p_{c}"]) for c in "ab"] == pytest.approx(
            [expected["probabilities"][c] for c in "ab"], abs=1e-6
        )
    other = cli("predict", run.path, table, "--layout", "wide")
    assert len(rows_of(other.out)) == (steps if len(names) == 1 else 0)


def test_a_column_that_may_tell_sequences_apart_is_not_passed_over(of_channels, cli, tmp_path):
    run, names = of_channels
    rows = "\n".join(",".join(["1.5"] * len(names)) + f",{k // 3}" for k in range(6))
    (tmp_path / "several.csv").write_text(f"{','.join(names)},patient\n{rows}\n")
    found = cli("predict", run.path, tmp_path / "several.csv")
    assert len(rows_of(found.out)) != 1
    parted = cli("predict", run.path, tmp_path / "several.csv", "--id", "patient")
    assert len(rows_of(parted.out)) == 2


def test_a_table_of_other_columns_is_read_as_before(of_channels, cli, tmp_path):
    run, names = of_channels
    (tmp_path / "other.csv").write_text("p,q,r\n1,2,3\n4,5,6\n")
    found = cli("predict", run.path, tmp_path / "other.csv")
    assert len(rows_of(found.out)) == (2 if len(names) == 1 else 0)
