"""The commands on a folder of clips."""

import json

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("av")

FLAGS = [
    *("--backbone", "small-cnn", "--image-size", 8),
    "--hidden-size",
    4,
    "--max-epochs",
    2,
    "--seed",
    0,
    "-q",
]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("bright", 250)):
        for clip in range(6):
            place = tmp_path / "clips" / label / str(clip)
            place.mkdir(parents=True)
            for t in range(3):
                pixels = rng.integers(0, level, (8, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{t}.png")
    return tmp_path / "clips"


def test_look_train_predict_eval_explain(cli, folder, tmp_path):
    looked = json.loads(cli("look", folder, "--json").out)
    assert looked["n_sequences"] == 12
    assert looked["next_command"].startswith(f"recurra train {folder}")
    out = tmp_path / "run"
    done = cli("train", folder, "-o", out, *FLAGS, "--json")
    assert done.code == 0, done.err
    metrics = json.loads(done.out)
    assert metrics["n_test"] == 2
    assert "Frames of clip" in (out / "report.html").read_text()
    config = json.loads((out / "config.json").read_text())
    assert (config["estimator"], config["kind"]) == ("VideoClassifier", "video")
    rows = cli("predict", out, folder, "--proba").out.splitlines()
    assert len(rows) == 13
    assert rows[1].startswith("bright/0,")
    assert len(cli("predict", out, folder / "dark" / "3").out.splitlines()) == 2
    assert json.loads(cli("eval", out, "--json").out)["accuracy"] == metrics["accuracy"]
    done = cli("explain", out, "--index", "1", "-o", tmp_path / "why.svg")
    assert done.code == 0, done.err
    assert "Frame" in (tmp_path / "why.svg").read_text()


def test_a_table_of_numbers_takes_no_words_of_clips(cli, tmp_path):
    (tmp_path / "t.csv").write_text("id,x,label\n" + "".join(f"{i},{i},{i % 2}\n" for i in range(10)))
    done = cli("train", tmp_path / "t.csv", "--id", "id", "--label", "label", "--frames", "4")
    assert done.code == 2
    assert "takes no" in done.err
