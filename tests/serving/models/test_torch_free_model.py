"""The light runtime: the estimator's own answers, without torch, scipy and scikit-learn."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

import recurra
from models import random_model, recording_for
from recurra.errors import ShapeError, UsageError
from recurra.records import Dataset, Record

HEAVY = ("torch", "scipy", "sklearn", "rich", "matplotlib", "jinja2", "pandas")
# A finder that refuses what a bare environment does not have.
BARE = f"""
import sys
import venv
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def bare(code):
    """Run code where the heavy packages are absent; return what it wrote."""
    done = subprocess.run([sys.executable, "-c", BARE + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def saved(tmp_path, **words):
    model = random_model(np.random.default_rng(0), **words)
    model.save(tmp_path / "m.recurra")
    return model, tmp_path / "m.recurra"


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("task", ["classification", "regression", "labeling"])
def test_answers_are_those_of_the_estimator_bit_for_bit(tmp_path, task, bidirectional):
    rng = np.random.default_rng(1)
    for _ in range(5):
        model = random_model(rng, task=task, bidirectional=bidirectional)
        path = tmp_path / "m.recurra"
        model.save(path)
        light, full = recurra.load_model(path, runtime="light"), recurra.load_model(path)
        X = [recording_for(rng, model, n) for n in (1, 9, 4)]
        for a, b in zip(light.predict(X), full.predict(X), strict=True):
            np.testing.assert_array_equal(a, b)
        if task != "regression":
            for a, b in zip(light.predict_proba(X), full.predict_proba(X), strict=True):
                np.testing.assert_array_equal(a, b)
            assert light.classes_.tolist() == full.classes_.tolist()
        assert light.n_channels_ == full.n_channels_
        assert light.estimator == type(full).__name__


def test_the_estimator_streams_as_the_light_model_does(tmp_path):
    model, path = saved(tmp_path, task="classification", missing="error")
    rows = recording_for(np.random.default_rng(2), model, 6)
    light, full = recurra.load_model(path, runtime="light"), recurra.load_model(path)
    found, expected = light.stream().push(rows), full.stream().push(rows)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert found.state == expected.state
    assert recurra.Streams(full).step({"a": rows[0]})["a"] == recurra.Streams(light).step({"a": rows[0]})["a"]
    assert full.stream(look_ahead=2).push(rows).label == light.stream(look_ahead=2).push(rows).label


def test_nothing_heavy_is_needed(tmp_path):
    model, path = saved(tmp_path, task="labeling", missing="mask")
    code = f"""
import numpy as np, recurra
rows = np.arange({4 * model.features.n_channels}.).reshape(4, -1)
model = recurra.load_model({str(path)!r}, runtime="light")
stream = model.stream()
labels = stream.push(rows[:2]).labels.tolist() + stream.push(rows[2:]).labels.tolist()
recurra.Streams(model).step({{"a": rows[0]}})
assert labels == model.predict([rows])[0].tolist()
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{*{HEAVY}}}))
"""
    assert bare(code) == "[]\n"


@pytest.mark.parametrize("verb", ["predict", "stream"])
def test_the_commands_need_nothing_heavy(tmp_path, verb):
    model, path = saved(tmp_path, task="classification", missing="error", channels=2)
    rows = recording_for(np.random.default_rng(3), model, 4)
    table = tmp_path / "rows.csv"
    table.write_text("a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist()))
    words = [str(path), str(table), *(["--layout", "long", "--format", "jsonl"] if verb == "predict" else [])]
    out = bare(f"from recurra.cli.main import run\nsys.exit(run({[verb, *words]!r}))")
    assert (
        repr(model.predict([rows])[0]).replace("'", '"').removeprefix("np.str_(").rstrip(")")
        in out.splitlines()[-1]
    )


def test_ready_150_ms_after_numpy(tmp_path):
    """Importing numpy takes 0.1 to 0.3 s, by machine; what comes on top of it is ours."""
    resource = pytest.importorskip("resource", reason="not on this system")
    _, path = saved(tmp_path, task="classification", channels=3, missing="error")
    code = f"""
import recurra
recurra.load_model({str(path)!r}, runtime="light").predict([[[1.0, 2.0, 3.0]]])
"""
    # Compiled files are kept, as everywhere but in a workplace that forbids them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def seconds(code):  # of the processor: what the process waits for others is not its own
        before = resource.getrusage(resource.RUSAGE_CHILDREN)  # os.times counts in hundredths
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    seconds(code)
    # Of a machine that imports numpy in 0.12 s; a slower one, or a slower moment, may take longer for both.
    pairs = [(seconds(code), seconds("import numpy")) for _ in range(9)]
    above = [(ready - numpy) / max(1.0, numpy / 0.12) for ready, numpy in pairs]
    assert sorted(above)[2] < 0.15  # neither a lucky moment nor the common ones of a busy machine


def test_input_as_the_estimator_takes_it(tmp_path):
    model, path = saved(tmp_path, task="classification", channels=1, missing="error")
    light = recurra.load_model(path, runtime="light")
    sequences = [np.arange(4.0), np.arange(2.0)]
    expected = model.predict([s[:, None] for s in sequences]).tolist()
    objects = np.empty(2, dtype=object)
    objects[:] = sequences
    records = Dataset([Record(s[:, None], name=str(i)) for i, s in enumerate(sequences)])
    for X in (sequences, objects, records, [s.tolist() for s in sequences]):
        assert light.predict(X).tolist() == expected
    table = np.arange(8.0).reshape(2, 4)
    assert light.predict(table).tolist() == model.predict([row[:, None] for row in table]).tolist()


def test_a_table_of_other_columns_is_refused(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.random.default_rng(0).normal(size=(12, 3)), columns=list("abc"))
    clf = recurra.SequenceClassifier(max_epochs=1, hidden_size=2, verbose=0, random_state=0)
    clf.fit(table, ["x", "y"] * 6)
    clf.save(tmp_path / "m.recurra")
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light")
    assert light.predict(table).tolist() == clf.predict(table).tolist()
    with pytest.raises(
        ShapeError, match="X: the columns must be those of the training data .* got 'c' out of place"
    ):
        light.predict(
            table[["c", "b", "a"]].rename(columns={"a": "d"})[["c", "b", "d"]].rename(columns={"d": "a"})
        )
    with pytest.raises(
        ShapeError, match="X: has 2 features, but SequenceClassifier is expecting 3 features as input"
    ):
        light.predict(table.to_numpy()[:, :2])


def test_what_the_light_runtime_cannot_do(tmp_path):
    model, path = saved(tmp_path, task="regression", missing="error")
    light = recurra.load_model(path, runtime="light")
    with pytest.raises(UsageError, match="predict_proba: needs classes; SequenceRegressor predicts numbers"):
        light.predict_proba([recording_for(np.random.default_rng(0), model, 2)])
    with pytest.raises(
        UsageError, match="load_model: runtime must be one of 'full', 'light'; got 'ligt'. Did you mean"
    ):
        recurra.load_model(path, runtime="ligt")
    with pytest.raises(UsageError, match="load_model: network needs torch to run; leave runtime='light' out"):
        recurra.load_model(path, runtime="light", network=lambda i, o: None)
    own = type(model)({**model.manifest, "network": None}, model.features, model.weights)
    own.save(path)
    with pytest.raises(UsageError, match="holds weights of an own network, which needs torch to run"):
        recurra.load_model(path, runtime="light")
    with pytest.raises(UsageError, match="stream: this network is your own, so what it remembers"):
        own.stream()


@pytest.mark.slow
def test_in_an_environment_with_three_packages(tmp_path):
    """What `pip install --no-deps recurra numpy safetensors click` gives, with the sources in place of the wheel."""
    model, path = saved(tmp_path, task="classification", missing="error", channels=2)
    venv.create(tmp_path / "bare", with_pip=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "numpy", "safetensors", "click"], check=True)
    rows = recording_for(np.random.default_rng(3), model, 4)
    table = tmp_path / "rows.csv"
    table.write_text("a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist()))
    environment = {**os.environ, "PYTHONPATH": str(Path(recurra.__file__).parents[1])}
    command = [
        python,
        "-m",
        "recurra",
        "predict",
        str(path),
        str(table),
        "--layout",
        "long",
        "--format",
        "jsonl",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["prediction"] == model.predict([rows])[0]
    command = [python, "-m", "recurra", "stream", str(path), str(table)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["prediction"] == model.predict([rows])[0]
