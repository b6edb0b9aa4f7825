"""A run is the same wherever the user stands, however the path to its data is written, and on every kind of data."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest

import recurra
from cli.waves import waves, write_forms
from recurra import store
from recurra.interrupts import Interrupted
from recurra.runs.compare import compare
from recurra.training.callbacks import Callback

pytestmark = pytest.mark.usefixtures("no_charts")

SMALL = {"hidden_size": 3, "max_epochs": 2, "verbose": 0, "seed": 3}


def folder(place):
    write_forms(place, "data", waves(30, seed=0))
    return "data", {}


def table(place):
    write_forms(place, "data", waves(30, seed=0))
    shutil.rmtree(place / "data")
    return "data.csv", {"id": "recording", "label": "gesture", "group": "who"}


def wide(place):
    rng = np.random.default_rng(0)
    rows = [f"{'ab'[i % 2]}," + ",".join(f"{v:.4f}" for v in rng.normal(i % 2, size=8)) for i in range(30)]
    (place / "data.csv").write_text(
        "label," + ",".join(f"s{k}" for k in range(8)) + "\n" + "\n".join(rows) + "\n"
    )
    return "data.csv", {}


def archive(place):
    write_forms(place, "data", waves(30, seed=0))
    return "data.ts", {}


def labelled(place):
    (place / "data").mkdir()
    rows = []
    for i, (values, label, group) in enumerate(waves(30, seed=0)):
        np.save(place / "data" / f"{i:02}.npy", values)
        rows.append(f"{i:02}.npy,{label},{group}")
    (place / "data" / "labels.csv").write_text("\n".join(["file,label,group", *rows]) + "\n")
    return "data", {}


def arrays(place):
    found = waves(30, seed=0)
    np.savez(place / "data.npz", *[v for v, _, _ in found], y=np.array([label for _, label, _ in found]))
    return "data.npz", {}


def zipped(place):
    write_forms(place, "data", waves(30, seed=0))
    with zipfile.ZipFile(place / "data.zip", "w") as out:
        for file in sorted((place / "data").rglob("*.csv")):
            out.write(file, file.relative_to(place))
    return "data.zip", {}


def texts(place):
    rows = [f"{'good fine' if i % 2 else 'bad poor'} number {i},{'ab'[i % 2]}" for i in range(30)]
    (place / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    return "data.csv", {}


def lines(place):
    (place / "data.txt").write_text("".join(f"{'good' if i % 2 else 'bad'} number {i}\n" for i in range(30)))
    (place / "labels.txt").write_text("".join(f"{'ab'[i % 2]}\n" for i in range(30)))
    return "data.txt", {"labels": "labels.txt"}


def pairs(place):
    (place / "data.csv").write_text("left,right\n" + "\n".join(f"n{i},{i} {i % 3}" for i in range(30)) + "\n")
    return "data.csv", {"source": "left", "target": "right", "embedding_size": 4}


def series(place):
    rng = np.random.default_rng(0)
    rows = [
        f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{np.sin(i / 4) + rng.normal() / 9:.4f}" for i in range(240)
    ]
    (place / "data.csv").write_text("time,load\n" + "\n".join(rows) + "\n")
    return "data.csv", {"task": "forecast", "target": "load", "horizon": 4, "context": 12}


def recordings(place):
    rng = np.random.default_rng(0)
    rows = [f"r{i},{np.sin(k / 3) + rng.normal() / 9:.4f}" for i in range(8) for k in range(60)]
    (place / "data.csv").write_text("id,x\n" + "\n".join(rows) + "\n")
    return "data.csv", {"task": "anomaly", "window": 20, "block": 2}


def clips(place):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    for i in range(12):
        clip = place / "data" / ("dark", "bright")[i % 2] / str(i)
        clip.mkdir(parents=True)
        for t in range(2):
            pixels = rng.integers(0, (40, 250)[i % 2], (8, 10, 3), dtype=np.uint8)
            image.fromarray(pixels).save(clip / f"{t}.png")
    return "data", {"backbone": "small-cnn", "image_size": 8}


def named(place):
    return "japanese-vowels", {}


KINDS = (
    folder,
    table,
    wide,
    archive,
    labelled,
    arrays,
    zipped,
    texts,
    lines,
    pairs,
    series,
    recordings,
    clips,
    named,
)


def as_seen(words, place):
    """Return words with their paths as seen from the folder the user stands in."""
    return {w: os.path.relpath(place / v) if w == "labels" else v for w, v in words.items()}


def facts(run):
    """Everything about a run that must not depend on where it was begun."""
    config = json.loads((run / "config.json").read_text())
    metrics = json.loads((run / "metrics.json").read_text())
    metrics.pop("train_seconds", None)
    _, arrays = store.load(run / "model.recurra")
    weights = {name: array.tobytes() for name, array in arrays.items()}
    return (
        {k: config[k] for k in ("data_digest", "test_digest", "n_test", "split", "data", "data_words")},
        metrics,
        weights,
    )


class AfterOne(Callback):
    def on_batch_begin(self, run, batch):
        if run.epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_run_is_the_same_from_everywhere(kind, cli, tmp_path, monkeypatch):
    home, away = tmp_path / "home", tmp_path / "away" / "deep"
    home.mkdir()
    away.mkdir(parents=True)
    name, words = kind(home)
    data = home / name if kind is not named else name
    words |= SMALL

    monkeypatch.chdir(home)
    recurra.train(name, out="runs/relative", **as_seen(words, home))
    with pytest.raises(Interrupted):
        recurra.train(name, out="runs/killed", callbacks=[AfterOne()], **as_seen(words, home))
    monkeypatch.chdir(away)
    (tmp_path / "link").symlink_to(home, target_is_directory=True)
    linked = str(tmp_path / "link" / name) if kind is not named else name
    seen = os.path.relpath(data) if kind is not named else name
    recurra.train(seen, out=home / "runs/away", **as_seen(words, home))
    recurra.train(linked, out=home / "runs/link", **as_seen(words, home))
    runs = home / "runs"
    done = cli("resume", os.path.relpath(runs / "killed"))
    assert done.code == 0, done.err
    first = facts(runs / "relative")
    for other in sorted(runs.iterdir()):
        assert facts(other) == first, other.name

    here = os.path.relpath(runs / "relative", away)
    figures, explained = [], []
    for stand, run in ((home, "runs/relative"), (away, here), (away, str(runs / "relative"))):
        monkeypatch.chdir(stand)
        figures.append(recurra.evaluate(run, write=False).metrics)
        if kind not in (series, recordings) and run != here:
            asked = cli("explain", run, "-o", tmp_path / "why.json")
            assert asked.code == 0, asked.err
            explained.append((tmp_path / "why.json").read_text())
    figures.append(recurra.evaluate(here, linked, write=False).metrics)  # of the training: its own test part
    assert all(metrics == figures[0] for metrics in figures)
    assert all(one == explained[0] for one in explained)
    answers = [cli("predict", here, place) for place in (seen, linked)]
    assert all(one.code == 0 and one.out == answers[0].out for one in answers), answers[0].err
    if kind not in (series, recordings, pairs):
        assert compare(here, str(runs / "away")).pairs[0].p_value == 1.0


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k not in (series, recordings, named)], ids=lambda kind: kind.__name__
)
def test_a_split_is_the_same_from_everywhere(kind, tmp_path, monkeypatch):
    name, words = kind(tmp_path)
    words = {w: v for w, v in words.items() if w in ("id", "label", "group", "source", "target", "labels")}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / name, target_is_directory=(tmp_path / name).is_dir())
    shown = []
    for source in (name, tmp_path / name, os.path.join(".", name), tmp_path / "link" / ".." / name):
        if os.path.isfile(name) and "link" in str(source):
            continue
        train, test = recurra.load(source, **words).split(random_state=0)
        shown.append(([r.name for r in train], [r.name for r in test]))
    assert all(one == shown[0] for one in shown)


@pytest.mark.parametrize("kind", [folder, lines, clips], ids=lambda kind: kind.__name__)
def test_a_run_moves_with_its_data(kind, cli, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    name, words = kind(home)
    monkeypatch.chdir(home)
    recurra.train(name, out="runs/first", **words, **SMALL)
    before = cli("eval", "runs/first", "--json").out
    monkeypatch.chdir(tmp_path)
    home.rename(tmp_path / "moved")
    assert cli("eval", "moved/runs/first", "--json").out == before
    shutil.move(tmp_path / "moved" / name, tmp_path / "elsewhere")
    done = cli("eval", "moved/runs/first")
    assert done.code == 3
    assert "there is no file or folder" in done.err


def test_data_are_the_folder_one_stands_in(cli, tmp_path, monkeypatch):
    folder(tmp_path)
    monkeypatch.chdir(tmp_path / "data")
    flags = ["--hidden-size", 3, "--max-epochs", 1, "--seed", 3, "-q"]
    assert cli("train", ".", *flags).code == 0
    assert [p.name for p in (tmp_path / "data" / "runs").iterdir()] == ["data"]
    before = cli("eval", "runs/data", "--json")
    assert before.code == 0, before.err  # what training wrote there is no data
    monkeypatch.chdir(tmp_path)
    assert cli("eval", "data/runs/data", "--json").out == before.out


def test_a_data_set_is_not_a_folder_of_its_name(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recurra.train("japanese-vowels", out="run", **SMALL)
    before = cli("eval", "run", "--json").out
    write_forms(tmp_path, "japanese-vowels", waves(9, seed=0))
    assert cli("eval", "run", "--json").out == before


def seed_that_splits_otherwise(source, then):
    """The first seed with which ``then`` leaves out other records than today: where the user stands decides."""
    from recurra.batches import splits
    from recurra.runs.data.identity import digest

    def left_out(seed):
        return digest(recurra.load(source).split(random_state=seed)[1])

    today = [left_out(seed) for seed in range(20)]
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(splits, "record_keys", then)
        return next(seed for seed, found in enumerate(today) if left_out(seed) != found)


@pytest.mark.parametrize("written", ["relative", "absolute"])
def test_clips_of_an_earlier_version_are_found_again(written, cli, tmp_path, monkeypatch):
    """Their split went by the path as it was written; the run says nothing of what it went by."""
    from recurra.batches import splits
    from recurra.runs.data.identity import digest

    name, words = clips(tmp_path)
    monkeypatch.chdir(tmp_path)
    source = name if written == "relative" else str(tmp_path / name)

    def by_path(data):
        return splits.content_keys(data.X)

    seed = seed_that_splits_otherwise(source, by_path)
    words |= SMALL | {"seed": seed}
    with monkeypatch.context() as then:
        then.setattr(splits, "record_keys", by_path)
        old = recurra.train(source, out="run", **words)
        with pytest.raises(Interrupted):
            recurra.train(source, out="killed", callbacks=[AfterOne()], **words)
    for run in ("run", "killed"):
        config = json.loads((tmp_path / run / "config.json").read_text())
        for later in ("identity", "beside"):
            del config[later]
        (tmp_path / run / "config.json").write_text(json.dumps(config))
    (tmp_path / "run" / "trained-on.recurra").unlink()
    assert digest(recurra.load(source).split(random_state=seed)[1]) != config["test_digest"]
    monkeypatch.chdir("/")
    judged = cli("eval", tmp_path / "run", "--json")
    assert judged.code == 0, judged.err
    assert json.loads(judged.out)["accuracy"] == old.metrics["accuracy"]
    assert "n_trained_on" not in json.loads(judged.out)
    done = cli("resume", tmp_path / "killed")
    assert done.code == 0, done.err
    assert facts(tmp_path / "killed")[2] == facts(tmp_path / "run")[2]
