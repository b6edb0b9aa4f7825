"""The commands on a folder of clips."""

import json
import warnings

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


def film(path, frames, *, container="mp4", codec="h264"):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def opens(path):
    """Whether PyAV, asked by itself, gives a frame."""
    av = pytest.importorskip("av")
    try:
        with av.open(str(path)) as file:
            return next(file.decode(video=0), None) is not None
    except (av.FFmpegError, StopIteration, IndexError):
        return False


@pytest.fixture
def damaged(tmp_path):
    """Films of two classes, half of which are damaged in their own ways, and which of them open."""
    rng = np.random.default_rng(0)
    for label, level in (("dark", 60), ("bright", 250)):
        (tmp_path / "films" / label).mkdir(parents=True)
        for clip in range(8):
            path = tmp_path / "films" / label / f"{clip}.mp4"
            film(path, rng.integers(0, level, (6, 32, 32, 3), dtype=np.uint8))
            data = path.read_bytes()
            damage = {0: b"", 1: b"no film", 2: data[: len(data) // 3], 3: rng.bytes(len(data))}
            path.write_bytes(damage.get(clip, data))
    return tmp_path / "films"


def test_look_names_clips_that_cannot_be_decoded_and_training_goes_without(cli, damaged, monkeypatch):
    import shlex

    broken = sorted(str(path) for path in damaged.rglob("*.mp4") if not opens(path))
    assert len(broken) == 8
    found = json.loads(cli("look", damaged, "--json").out)
    said = next(problem for problem in found["problems"] if "cannot be decoded" in problem)
    assert said.startswith("8 of 16 clips cannot be decoded: ")
    assert sum(path in said for path in broken) == 5  # and the rest counted
    assert "And 3 more. Replace them, or leave them out with broken='skip'." in said
    monkeypatch.chdir(damaged.parent)
    command = shlex.split(found["next_command"])
    assert command[-2:] == ["--broken", "skip"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = cli(*command[1:], *FLAGS[:-1])
    assert done.code == 0, done.err
    assert "cannot be decoded and are left out" in done.err


def test_of_many_clips_some_are_opened(damaged):
    from recurra.readers.clips.decodable import undecodable

    paths = sorted(str(path) for path in damaged.rglob("*.mp4"))
    broken, opened = undecodable(paths, most=4)
    assert opened == 4
    assert set(broken) <= {path for path in paths if not opens(path)}
    assert undecodable(paths, seconds=0)[1] == 1


def test_nothing_but_clips_that_cannot_be_decoded_suggests_no_training(cli, damaged):
    for path in damaged.rglob("[4-7].mp4"):
        path.unlink()
    found = json.loads(cli("look", damaged, "--json").out)
    assert found["problems"][0].startswith("8 of 8 clips cannot be decoded")
    assert found["next_command"] == ""


def test_one_clip_and_pictures_without_labels_are_told_where_labels_stand(cli, folder):
    one = json.loads(cli("look", folder / "dark" / "0" / "0.png", "--json").out)["problems"]
    assert one == [
        "There are no labels, and it is one picture: to learn classes, give a folder that holds a folder of pictures for "
        "each class; a trained network answers for this one with predict."
    ]
    film(folder / "new.mp4", np.zeros((3, 32, 32, 3), np.uint8))
    one = json.loads(cli("look", folder / "new.mp4", "--json").out)["problems"]
    assert len(one) == 1
    assert "it is one clip: to learn classes, give a folder" in one[0]


def test_black_margins_of_pictures_are_no_problem(cli, tmp_path):
    for label in "ab":
        (tmp_path / "d" / label).mkdir(parents=True)
        for number in range(12):
            pixels = np.zeros((6, 6), np.uint8)
            pixels[2:4, 2:4] = np.random.default_rng(number).integers(1, 250, (2, 2))
            Image.fromarray(pixels).save(tmp_path / "d" / label / f"{number}.png")
    assert json.loads(cli("look", tmp_path / "d", "--json").out)["problems"] == []


def test_clips_are_counted_as_clips(cli, folder, tmp_path):
    said = cli("train", folder, "-o", tmp_path / "run", *FLAGS[:-1])
    assert "Judged on 2 test clips" in said.out + said.err
    assert "test sequences" not in said.out + said.err


def test_pictures_that_do_not_fit_are_called_pictures(cli, tmp_path, folder):
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "digits" / label).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 250, (6, 6), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "digits" / label / f"{number}.png")
    digits, clips = tmp_path / "rows", tmp_path / "clips-run"
    assert cli("train", tmp_path / "digits", "-o", digits, "--max-epochs", 1, "--seed", 0, "-q").code == 0
    Image.new("RGB", (9, 5)).save(tmp_path / "photo.png")
    assert cli("predict", digits, tmp_path / "photo.png").err.strip() == (
        "Error: photo.png: is a picture with 27 numbers a row, width times colours; those trained on have 6. Bring it to "
        "their size and colours: 6 pixels wide and grey, or 2 wide and in colours."
    )
    assert cli("predict", digits, tmp_path / "digits" / "a" / "0.png").code == 0
    assert cli("train", folder, "-o", clips, *FLAGS).code == 0
    assert "photo.png: holds pictures; the network was trained on clips." in (
        cli("predict", clips, tmp_path / "photo.png").err
    )
