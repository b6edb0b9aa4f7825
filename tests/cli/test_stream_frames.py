"""``stream`` of frames: of clips and of pixels from a pipe, answered as ``predict`` answers what came so far."""

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import recurra
from recurra.runs.stream.frames import RawFrames

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("av")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Twelve clips as arrays, labels, and the first as a folder of images."""
    rng = np.random.default_rng(0)
    y = ["dark", "bright"] * 6
    X = [rng.integers(0, 40 if label == "dark" else 250, (5, 8, 10, 3), dtype=np.uint8) for label in y]
    folder = tmp_path_factory.mktemp("clip")
    for t, frame in enumerate(X[0]):
        Image.fromarray(frame).save(folder / f"{t}.png")
    return X, y, folder


@pytest.fixture(scope="module", params=[False, True], ids=["one direction", "both directions"])
def model(request, clips, tmp_path_factory):
    X, y, _ = clips
    words = {"backbone": "small-cnn", "image_size": 8, "hidden_size": 4, "max_epochs": 2, "frames": 4}
    clf = recurra.VideoClassifier(**words, bidirectional=request.param, random_state=0, verbose=0).fit(X, y)
    path = tmp_path_factory.mktemp("model") / "m.recurra"
    clf.save(path)
    return SimpleNamespace(clf=clf, path=path)


def shares(out, clf):
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["step"] for line in lines] == list(range(len(lines)))
    return np.array([[line["probabilities"][label] for label in clf.classes_] for line in lines])


def test_the_frames_of_a_clip_end_at_the_answer_of_predict(cli, model, clips):
    folder = clips[2]
    done = cli("stream", model.path, folder, "--proba")
    assert done.code == 0, done.err
    found = shares(done.out, model.clf)
    assert len(found) == 4
    np.testing.assert_allclose(found[-1], model.clf.predict_proba([str(folder)])[0], atol=1e-6)
    assert done.err.splitlines()[0].split() == ["frames", "4"]
    assert done.err.splitlines()[1].split() == ["frames", "waited", "for", "0"]


def test_pixels_on_standard_input_are_answered_one_by_one(cli, model, clips, monkeypatch):
    frames = clips[0][1]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(frames.tobytes() + b"cut")))
    done = cli("stream", model.path, "--frame-size", "10x8", "--proba")
    assert done.code == 0, done.err
    stream = model.clf.stream()
    wanted = [stream.step(frame).probabilities for frame in frames]
    np.testing.assert_allclose(shares(done.out, model.clf), wanted, atol=1e-6)
    assert done.err.startswith("Skipped frame 6: it ends after 3 of 240 bytes; frames of 10x8 pixels")


def test_a_state_is_left_and_gone_on_from(cli, model, clips, monkeypatch, tmp_path):
    frames, state = clips[0][1], tmp_path / "state"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(frames[:2].tobytes())))
    cli("stream", model.path, "--frame-size", "10x8", "--state", state)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(frames[2:].tobytes())))
    done = cli("stream", model.path, "--frame-size", "10x8", "--state", state, "--proba")
    last = json.loads(done.out.splitlines()[-1])
    assert last["step"] == 4
    wanted = model.clf.stream().push(frames).probabilities
    np.testing.assert_allclose(list(last["probabilities"].values()), wanted, atol=1e-6)


def test_a_square_of_the_network_is_the_frame_where_no_size_is_given():
    source = io.BytesIO(bytes(range(8)) * 48)
    assert [row.values.shape for row in RawFrames(8, 8).read(source)] == [(8, 8, 3)] * 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-", "--frame-size", "10"), "stream: --frame-size must be width x height in pixels"),
        (("-", "--frame-size", "0x8"), "stream: --frame-size must be width x height in pixels"),
        (("-", "--frame-size", "99999x99999"), "at most 33177600 in all; got '99999x99999'"),
        (("-", "--name", "camera"), "stream: --name and --format are for rows of numbers"),
        (("CLIP", "--frame-size", "10x8"), "stream: --frame-size is for pixels on standard input"),
        (("-", "--realtime"), "stream: --realtime paces a file"),
        (("CLIP", "--realtime"), "stream: the network does not know its sample rate"),
    ],
)
def test_what_cannot_be_is_said(cli, model, clips, args, message):
    done = cli("stream", model.path, *(clips[2] if arg == "CLIP" else arg for arg in args))
    assert done.code == 2
    assert message in done.err


def test_rows_of_numbers_have_no_size_of_frames(cli, tmp_path):
    X = [np.ones((3, 2)) * i for i in range(6)]
    words = {"hidden_size": 2, "max_epochs": 1, "random_state": 0, "verbose": 0}
    recurra.SequenceClassifier(**words).fit(X, [0, 1] * 3).save(tmp_path / "m.recurra")
    done = cli("stream", tmp_path / "m.recurra", "--frame-size", "10x8")
    assert done.code == 2
    assert "stream: --frame-size is for a network that reads frames" in done.err
