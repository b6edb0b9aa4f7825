"""``--static``: from a table through every verb."""

import json

import numpy as np
import pytest

SENSORS = ("old", "new")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write a table in which the label is what the sequence says, turned round by the sensor."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("static") / "table.csv"
    lines = ["id,time,x,sensor,age,label"]
    for i in range(80):
        side, sensor = rng.integers(0, 2, 2)
        x = rng.normal(2 * side - 1, 1, 10)
        label = ["no", "yes"][side ^ sensor]
        lines += [f"s{i},{t},{v:.4f},{SENSORS[sensor]},{30 + i % 40},{label}" for t, v in enumerate(x)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    import recurra

    folder = tmp_path_factory.mktemp("runs") / "run"
    recurra.train(
        str(table),
        out=folder,
        static=["sensor,age"],
        max_epochs=25,
        hidden_size=16,
        learning_rate=0.02,
        verbose=0,
    )
    return folder


def test_train_and_eval(cli, table, tmp_path):
    words = ("--static", "sensor,age", "--max-epochs", 25, "--hidden-size", 16, "--learning-rate", 0.02)
    done = cli("train", table, "-o", tmp_path / "run", *words, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["accuracy"] > 0.85
    assert json.loads(cli("eval", tmp_path / "run", "--json").out)["accuracy"] > 0.85
    page = (tmp_path / "run" / "report.html").read_text()
    assert "static inputs" in page
    assert "sensor, age" in page
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data_words"]["static"] == ["sensor", "age"]
    assert "--static sensor --static age" in config["command"]


@pytest.mark.usefixtures("no_charts")
def test_without_them_it_is_chance(cli, table, tmp_path):
    words = ("--channels", "x", "--max-epochs", 10, "--hidden-size", 16)
    done = cli("train", table, "-o", tmp_path / "run", *words, "--json")
    assert json.loads(done.out)["accuracy"] < 0.85


def test_look_suggests_them(cli, table):
    done = cli("look", table, "--static", "sensor")
    assert "Static inputs, one value a sequence: 'sensor'." in done.out
    assert "'age' never changes within a sequence" in done.out
    assert "--static age" in done.out
    assert f"recurra train {table}" in done.out.splitlines()[-1]
    assert done.out.splitlines()[-1].endswith("--static sensor")


def test_predict_from_run_and_model_file_with_columns_in_any_order(cli, table, run, tmp_path):
    new = tmp_path / "new.csv"
    rows = table.read_text().splitlines()[:21]
    cells = [line.split(",") for line in rows]
    new.write_text("\n".join(",".join([c[4], c[0], c[1], c[2], c[3]]) for c in cells) + "\n")
    found = [json.loads(line) for line in cli("predict", run, new, "--json").out.splitlines()]
    again = [
        json.loads(line) for line in cli("predict", run / "model.recurra", new, "--json").out.splitlines()
    ]
    assert found == again
    assert (
        cli("predict", run, new, "--chunk", 3, "--json").out.splitlines()
        == cli("predict", run, new, "--json").out.splitlines()
    )
    new.write_text("\n".join(",".join(c[:3]) for c in cells) + "\n")
    done = cli("predict", run, new)
    assert done.code == 3
    assert "sensor" in done.err
    assert "Traceback" not in done.err


def test_a_column_that_changes_is_refused(cli, table, tmp_path):
    done = cli("train", table, "-o", tmp_path / "run", "--static", "x,sensor,age", "--channels", "x")
    assert done.code == 3
    assert "the static column 'x' must be constant in each sequence; sequence 's0' has" in done.err


def test_an_anomaly_detector_takes_none(cli, table, tmp_path):
    done = cli("train", table, "-o", tmp_path / "run", "--task", "anomaly", "--static", "sensor,age")
    assert done.code == 2
    assert "an anomaly detector reads none" in done.err


def test_explain_tells_of_them(cli, run):
    done = cli("explain", run)
    assert done.code == 0, done.err
    assert "static inputs: sensor (" in done.out
    assert (run / "figures" / "explain-0.svg").is_file()


def answers(done):
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.filterwarnings("ignore:static. 'age' is missing")
def test_stream_reads_them_from_the_first_row_of_a_sequence(cli, run, table, tmp_path):
    import recurra

    model = recurra.load_model(run / "model.recurra")
    x = [0.5, 1.5, -0.25]

    def whole(sensor, age):
        row = {"sensor": sensor, "age": age}
        return [model.predict([np.array(x[: t + 1])[:, None]], static=[row])[0] for t in range(3)]

    source = tmp_path / "rows.csv"
    source.write_text("x,sensor,age\n0.5,old,40\n1.5,old,40\n-0.25,,\n")
    done = cli("stream", run, source)
    assert [line["prediction"] for line in answers(done)] == whole("old", 40)
    objects = [{"x": 0.5, "sensor": "old", "age": 40}, {"x": 1.5}, {"row": [-0.25]}, {"reset": True}]
    objects += [{"row": [0.5], "static": {"sensor": "new", "age": None}}, {"row": [1.5]}, {"row": [-0.25]}]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, objects)))
    done = cli("stream", run, source)
    assert [line["prediction"] for line in answers(done)] == whole("old", 40) + whole("new", None)


def test_named_streams_and_states(cli, run, tmp_path):
    rows = [
        {"s": "a", "x": 0.5, "sensor": "old", "age": 40},
        {"s": "b", "x": 0.5, "sensor": "new", "age": 40},
    ]
    rows += [{"s": "a", "x": 1.5}, {"s": "b", "x": 1.5}]
    first, second, state = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "state"
    whole = tmp_path / "all.jsonl"
    for path, part in ((whole, rows), (first, rows[:2]), (second, rows[2:])):
        path.write_text("\n".join(map(json.dumps, part)))
    words = ("--name", "s", "--proba")
    together = answers(cli("stream", run, whole, *words))
    parts = [answers(cli("stream", run, path, *words, "--state", state)) for path in (first, second)]
    assert together == parts[0] + parts[1]
    assert together[2]["probabilities"] != together[3]["probabilities"]


def test_stream_says_what_is_missing(cli, run, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text(
        '{"x": 1}\n{"x": 1, "sensor": "old", "age": 3}\n{"x": 1, "sensor": "new", "age": 3}\n{"x": 1, "age": 1}\n'
    )
    done = cli("stream", run, source)
    assert len(answers(done)) == 1
    assert "line 1: the first row of a sequence must carry its static inputs, 'sensor', 'age'" in done.err
    assert "line 3: its static inputs 'new', 3 are not those the sequence began with, 'old', 3" in done.err
    assert "line 4: it has the static input 'age' and lacks 'sensor'" in done.err
    source = tmp_path / "rows.csv"
    source.write_text("x,age\n1,2\n")
    done = cli("stream", run, source)
    assert done.code == 2
    assert "there is no column 'sensor'" in done.err
    source.write_text("1\n2\n")
    assert "but the first line is no header" in cli("stream", run, source).err
