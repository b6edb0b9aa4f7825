"""What a network was trained on is recognized by content and said first, whatever it is called and however it is cut."""

import html
import json
import re
import shutil

import numpy as np
import pytest

import recurra
from charts import charts
from cli.waves import waves, write_forms

SMALL = {"hidden_size": 3, "max_epochs": 1, "verbose": 0, "seed": 3}
WORDS = {"id": "recording", "label": "gesture", "group": "who"}
FLAGS = ("--id", "recording", "--label", "gesture", "--group", "who")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Return a folder with a table, and a run that was trained on a part of it."""
    place = tmp_path_factory.mktemp("table")
    write_forms(place, "old", waves(36, seed=0))
    write_forms(place, "new", waves(9, seed=1))
    run = recurra.train(place / "old.csv", out=place / "run", **WORDS, **SMALL)
    return place, run


def judged(cli, run, *arguments):
    done = cli("eval", run, *arguments)
    assert done.code == 0, done.err
    return done


def test_the_training_table_itself(cli, table):
    place, run = table
    n = run.metrics["n_train"]
    says = f"{n} of 36 sequences were trained on: the figures say how well these are remembered"
    shutil.copy(place / "old.csv", place / "copy.csv")
    for arguments in ([place / "old.csv", *FLAGS], [place / "copy.csv"]):
        done = judged(cli, run.path, *arguments)
        assert done.out.startswith(says)
        name = f"eval-{arguments[0].stem}"
        assert json.loads((run.path / f"{name}.json").read_text())["n_trained_on"] == n
        page = re.sub(r"\s+", " ", html.unescape((run.path / f"{name}.html").read_text()))
        assert 0 < page.index(says) < page.index('class="headline"')
        with charts(drawn=False):
            shown = cli("eval", run.path, *arguments, "--json")
        assert json.loads(shown.out)["n_trained_on"] == n
        assert shown.err.startswith(f"Warning: {says}")
    for arguments in ([], [place / "new.csv"]):
        with charts(drawn=False):
            done = judged(cli, run.path, *arguments)
            assert "trained on" not in done.out
            assert json.loads(cli("eval", run.path, *arguments, "--json").out)["n_trained_on"] == 0
    assert run.metrics["n_trained_on"] == 0


def test_first_rows_other_files_and_other_channels(cli, table, tmp_path):
    """A table that was cut within a sequence, files of another kind, columns in another order, rows among new ones."""
    place, run = table
    rows = (place / "old.csv").read_text().splitlines()
    (tmp_path / "head.csv").write_text("\n".join(rows[:100]) + "\n")
    names = {row.split(",")[0] for row in rows[1:100]}
    known = {r.name for r in recurra.load(place / "old.csv", **WORDS)} - {
        r.name for r in recurra.load(place / "old.csv", **WORDS).split(random_state=3)[1]
    }
    found = recurra.evaluate(run.path, tmp_path / "head.csv", write=False)
    assert found.metrics["n_trained_on"] in (
        len(names & known) - 1,
        len(names & known),
    )  # of the last too few steps
    turned = [",".join(np.array(row.split(","))[[0, 2, 1, 3, 4]]) for row in rows]
    new = (place / "new.csv").read_text().splitlines()[1:]
    new = [",".join(np.array(row.split(","))[[0, 2, 1, 3, 4]]) for row in new]
    (tmp_path / "turned.csv").write_text("\n".join([*turned, *new]) + "\n")
    for data in (place / "old", place / "old.ts", tmp_path / "turned.csv"):
        found = recurra.evaluate(run.path, data, write=False)
        assert found.metrics["n_trained_on"] == run.metrics["n_train"], data


@pytest.mark.usefixtures("no_charts")
def test_part_of_a_long_sequence(tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(i % 2, size=(200, 2)) for i in range(12)]
    y = ["ab"[i % 2] for i in range(12)]
    run = recurra.train(recurra.load(X, labels=y), out=tmp_path / "run", test=0, **SMALL)
    parts = [
        X[0][50:150],
        X[1][:30],
        np.concatenate([rng.normal(size=(80, 2)), X[2][:20]]),
        rng.normal(size=(90, 2)),
    ]
    found = recurra.evaluate(run.path, recurra.load(parts, labels=["a", "b", "a", "b"]), write=False)
    assert found.metrics["n_trained_on"] == 2
    assert found.summary().startswith("2 of 4 sequences were trained on (2 of them in part): the figures")


@pytest.mark.usefixtures("no_charts")
def test_what_stands_still_is_not_recognized(tmp_path):
    """Stretches of nothing, and signals of few values, come again by chance."""
    rng = np.random.default_rng(0)
    for make in (lambda: np.zeros((60, 1)), lambda: rng.integers(0, 2, size=(60, 1)).astype(float)):
        X = [np.concatenate([make(), rng.integers(0, 2, size=(30, 1))]).astype(float) for _ in range(12)]
        run = recurra.train(
            recurra.load(X, labels=list("ab") * 6), out=tmp_path / "run", test=0, force=True, **SMALL
        )
        new = [np.concatenate([make(), rng.integers(0, 2, size=(30, 1))]).astype(float) for _ in range(6)]
        found = recurra.evaluate(run.path, recurra.load(new, labels=list("ab") * 3), write=False)
        assert found.metrics["n_trained_on"] == 0


@pytest.mark.usefixtures("no_charts")
def test_texts_and_pairs(cli, tmp_path):
    rows = [f"{'good fine' if i % 2 else 'bad poor'} number {i},{'ab'[i % 2]}" for i in range(30)]
    (tmp_path / "texts.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    run = recurra.train(tmp_path / "texts.csv", out=tmp_path / "run", **SMALL)
    (tmp_path / "more.csv").write_text(
        "label,text\n" + "\n".join(",".join(r.split(",")[::-1]) for r in rows) + "\na,new\n"
    )
    done = judged(cli, run.path, tmp_path / "more.csv")
    assert done.out.startswith(f"{run.metrics['n_train']} of 31 texts were trained on")
    words = {"source": "left", "target": "right"}
    (tmp_path / "pairs.csv").write_text(
        "left,right\n" + "\n".join(f"n{i},{i} {i % 3}" for i in range(30)) + "\n"
    )
    run = recurra.train(tmp_path / "pairs.csv", out=tmp_path / "pairs", embedding_size=4, **words, **SMALL)
    shutil.copy(tmp_path / "pairs.csv", tmp_path / "copy.csv")
    done = judged(cli, run.path, tmp_path / "copy.csv")
    assert done.out.startswith(f"{run.metrics['n_train']} of 30 sources were trained on")


@pytest.mark.usefixtures("no_charts")
def test_clips(cli, tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    for i in range(16):
        clip = tmp_path / ("old" if i < 12 else "new") / ("dark", "bright")[i % 2] / str(i)
        clip.mkdir(parents=True)
        image.fromarray(rng.integers(0, 90, (8, 10, 3), dtype=np.uint8)).save(clip / "0.png")
    run = recurra.train(tmp_path / "old", out=tmp_path / "run", backbone="small-cnn", image_size=8, **SMALL)
    shutil.copytree(tmp_path / "old", tmp_path / "new", dirs_exist_ok=True)
    done = judged(cli, run.path, tmp_path / "new")
    assert done.out.startswith(f"{run.metrics['n_train']} of 16 clips were trained on")
    assert (
        run.estimator.evaluate(recurra.load(tmp_path / "new")).metrics["n_trained_on"]
        == run.metrics["n_train"]
    )


RENAMED = {
    "a letter before": lambda name: f"n{name}",
    "with zeros": lambda name: name.zfill(9),
    "other words": lambda name: f"frame {int(name[:-4]) + 7:03}.png",
    "large letters": str.upper,
}


@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize("renamed", RENAMED)
def test_clips_whose_images_were_renamed(renamed, cli, tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    for i in range(12):
        clip = tmp_path / "old" / ("dark", "bright")[i % 2] / str(i)
        clip.mkdir(parents=True)
        for frame in range(12):
            image.fromarray(rng.integers(0, 90, (8, 10, 3), dtype=np.uint8)).save(clip / f"{frame}.png")
    run = recurra.train(tmp_path / "old", out=tmp_path / "run", backbone="small-cnn", image_size=8, **SMALL)
    n = run.metrics["n_train"]
    for clip in sorted((tmp_path / "old").glob("*/*")):
        new = tmp_path / "new" / clip.parent.name / f"clip {clip.name}"
        new.mkdir(parents=True)
        for file in clip.iterdir():
            shutil.copy(file, new / RENAMED[renamed](file.name))
    done = judged(cli, run.path, tmp_path / "new")
    assert done.out.startswith(f"{n} of 12 clips were trained on")
    assert run.estimator.evaluate(recurra.load(tmp_path / "new")).metrics["n_trained_on"] == n
    for clip in (tmp_path / "new").glob("*/*"):  # the other way round is another clip
        names = sorted(file.name for file in clip.iterdir())
        for name in names:
            (clip / name).rename(clip / f"_{name}")
        for name, other in zip(names, names[::-1], strict=True):
            (clip / f"_{name}").rename(clip / other)
    assert "trained on" not in judged(cli, run.path, tmp_path / "new").out.split("\n")[0]


@pytest.mark.filterwarnings("ignore:Forecaster.evaluate")
def test_series_and_recordings(cli, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{np.sin(i / 4) + rng.normal() / 9:.4f}" for i in range(240)
    ]
    (tmp_path / "load.csv").write_text("time,load\n" + "\n".join(rows) + "\n")
    words = {"task": "forecast", "target": "load", "horizon": 4, "context": 12}
    run = recurra.train(tmp_path / "load.csv", out=tmp_path / "run", **words, **SMALL)
    assert run.metrics["n_trained_on"] == 0
    (tmp_path / "later.csv").write_text("time,load\n" + "\n".join(rows[150:]) + "\n")
    done = judged(cli, run.path, tmp_path / "later.csv")
    assert done.out.startswith("42 of 90 steps were trained on: ")  # 192 of 240 are the training part
    assert "42 of 90 steps were trained on" in html.unescape((run.path / "eval-later.html").read_text())
    rows = [f"r{i},{np.sin(k / 3) + rng.normal() / 9:.4f}" for i in range(8) for k in range(60)]
    (tmp_path / "heart.csv").write_text("id,x\n" + "\n".join(rows) + "\n")
    run = recurra.train(
        tmp_path / "heart.csv", "anomaly", out=tmp_path / "heart", window=20, block=2, **SMALL
    )
    shutil.copy(tmp_path / "heart.csv", tmp_path / "copy.csv")
    done = judged(cli, run.path, tmp_path / "copy.csv")
    assert done.out.startswith(f"{run.metrics['n_train']} of 8 sequences were trained on")


def test_in_python_too(table, tmp_path):
    _, run = table
    rng = np.random.default_rng(0)
    X, y = [rng.normal(i % 2, size=(9, 2)) for i in range(20)], ["ab"[i % 2] for i in range(20)]
    fitted = recurra.SequenceClassifier(max_epochs=1, hidden_size=2, verbose=0, random_state=0).fit(
        X[:12], y[:12]
    )
    found = fitted.evaluate(X, y)
    assert found.metrics["n_trained_on"] == 12
    assert found.summary().startswith("12 of 20 sequences were trained on")
    fitted.fit(X[12:16], y[12:16], resume=True)
    assert fitted.evaluate(X, y).metrics["n_trained_on"] == 16
    fitted.save(tmp_path / "alone.recurra")
    assert "n_trained_on" not in recurra.load_model(tmp_path / "alone.recurra").evaluate(X, y).metrics
    loaded = recurra.load_model(run.path / "model.recurra")
    values = [(v, label) for v, label, _ in waves(36, seed=0)]
    found = loaded.evaluate([v for v, _ in values], [label for _, label in values])
    assert found.metrics["n_trained_on"] == run.metrics["n_train"]


@pytest.mark.usefixtures("no_charts")
def test_compare_says_it(cli, table):
    place, run = table
    shutil.copytree(run.path, place / "other", dirs_exist_ok=True)
    done = cli("compare", run.path, place / "other", "--data", place / "old.csv", *FLAGS)
    assert done.code == 0, done.err
    n = run.metrics["n_train"]
    assert done.err.startswith(f"Warning: run was trained on {n} of what all runs are judged on.")


@pytest.mark.usefixtures("no_charts")
def test_a_damaged_file_is_named(cli, table):
    place, run = table
    shutil.copytree(run.path, place / "damaged", dirs_exist_ok=True)
    file = place / "damaged" / "trained-on.recurra"
    assert file.stat().st_size < 20_000
    file.write_bytes(file.read_bytes()[:-9])
    done = cli("eval", place / "damaged")
    assert done.code == 3
    assert done.err.startswith(f"Error: {file}: ")
    shutil.copy(run.path / "model.recurra", file)
    assert "it must hold digests of training data" in cli("eval", place / "damaged").err


def test_words_without_data_are_refused(cli, table):
    _, run = table
    for verb in (["eval", run.path], ["explain", run.path], ["compare", run.path, run.path]):
        done = cli(*verb, "--label", "gesture")
        assert done.code == 2
    assert done.err.startswith("Error: compare: ")
    assert cli("eval", run.path, "--label", "gesture").err.startswith(
        "Error: eval: --label says how data are read, and none are given. Give the data, or leave that out."
    )
