"""Clips in, labels out: files, arrays and folders; the image network by name and checksum; streams; broken clips."""

import numpy as np
import pytest
import torch

import recurra
from recurra import VideoClassifier
from recurra.errors import DataError, MissingDataError, RecurraWarning, ShapeError, UsageError
from recurra.inputs import clips as frame_inputs

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("av")


class Colours(torch.nn.Module):
    """Mean colour of each quarter of a frame: an image network that counts how often it is asked."""

    image_size = 16

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.asked = 0

    def forward(self, images):
        self.asked += len(images)
        return torch.nn.functional.adaptive_avg_pool2d(images, 2) * self.scale


def frames(up, rng, count=5):
    """A bright bar that goes up or down."""
    made = rng.integers(0, 60, (count, 20, 16, 3), dtype=np.uint8)
    for t in range(count):
        row = 3 * (count - 1 - t if up else t)
        made[t, row : row + 5] = 220
    return made


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    y = np.array(["up", "down"] * 15)
    return [frames(label == "up", rng, count=4 + i % 3) for i, label in enumerate(y)], y


@pytest.fixture(scope="module")
def folder(tmp_path_factory, arrays):
    """The same clips as folders of images, sorted by class."""
    root = tmp_path_factory.mktemp("clips")
    for i, (clip, label) in enumerate(zip(*arrays, strict=True)):
        place = root / label / f"{i:02d}"
        place.mkdir(parents=True)
        for t, frame in enumerate(clip):
            Image.fromarray(frame).save(place / f"{t}.png")
    return root


WORDS = {
    "hidden_size": 8,
    "max_epochs": 25,
    "learning_rate": 0.02,
    "dropout": 0.0,
    "random_state": 0,
    "verbose": 0,
}


@pytest.fixture(scope="module")
def fitted(arrays):
    X, y = arrays
    return VideoClassifier(backbone=Colours(), **WORDS).fit(X, y)


def test_files_and_arrays_give_the_same(fitted, arrays, folder, tmp_path):
    X, y = arrays
    clf = VideoClassifier(backbone=Colours(), cache_dir=tmp_path, **WORDS).fit(folder)
    assert clf.score(X, y) >= 0.9
    data = recurra.load(folder)
    assert data.kind == "video"
    assert (clf.predict(folder) == data.y).mean() >= 0.9
    assert clf.predict(data[0].values).tolist() == clf.predict(folder)[:1].tolist()
    order = [int(name.split("/")[1]) for name in data.names]
    np.testing.assert_array_equal(clf.predict_proba(data), clf.predict_proba([X[i] for i in order]))


def test_a_second_run_asks_the_image_network_for_nothing(folder, tmp_path):
    words = WORDS | {"max_epochs": 1}
    first, second = Colours(), Colours()
    VideoClassifier(backbone=first, cache_dir=tmp_path, **words).fit(folder)
    clf = VideoClassifier(backbone=second, cache_dir=tmp_path, **words).fit(folder)
    clf.predict(folder)
    assert first.asked > 100
    assert second.asked == 0


def factor():
    return 1.0


class Scaled(Colours):
    """The same weights, times a number that is no weight."""

    def __init__(self, by=1.0):
        super().__init__()
        self.by = by

    def forward(self, images):
        return super().forward(images) * self.by * factor()


def kept_features(module, clip, cache):
    clf = VideoClassifier(backbone=module, cache_dir=cache, verbose=0)
    return frame_inputs.sequences_of(clf, [clip])[0][0]


@pytest.mark.parametrize("how", ["attribute", "method", "function beside it", "hook", "part"])
def test_features_that_another_code_made_are_not_taken(folder, tmp_path, monkeypatch, how):
    clip = str(sorted((folder / "up").iterdir())[0])
    first = kept_features(Scaled(), clip, tmp_path)
    changed = Scaled(2.0 if how == "attribute" else 1.0)
    if how == "method":
        monkeypatch.setattr(Scaled, "forward", lambda self, images: 2 * Colours.forward(self, images))
    elif how == "function beside it":
        monkeypatch.setitem(globals(), "factor", lambda: 2.0)
    elif how == "hook":
        changed.register_forward_hook(lambda module, given, found: 2 * found)
    elif how == "part":
        changed.forward = lambda images: 2 * Scaled.forward(changed, images)
    np.testing.assert_array_equal(kept_features(changed, clip, tmp_path), 2 * first)


def test_the_same_code_finds_what_was_kept(folder, tmp_path):
    clip = str(sorted((folder / "up").iterdir())[0])
    kept_features(Scaled(3.0), clip, tmp_path)
    second = Scaled(3.0)
    kept_features(second, clip, tmp_path)
    assert second.asked == 0


def test_a_cache_that_is_no_folder_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("")
    clip = str(sorted((folder / "up").iterdir())[0])
    with pytest.raises(
        UsageError, match=r"^cache_dir: features cannot be kept in .*file \(.*Give another one\.$"
    ):
        kept_features(Scaled(), clip, tmp_path / "file")


def test_a_clip_is_answered_alike_in_any_company(fitted, arrays):
    X, _ = arrays
    together = fitted.predict_proba(X)
    assert np.array_equal(np.concatenate([fitted.predict_proba([x]) for x in X]), together)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stream_answers_as_predict(arrays, bidirectional):
    X, y = arrays
    words = WORDS | {"max_epochs": 2}
    clf = VideoClassifier(backbone="small-cnn", image_size=16, bidirectional=bidirectional, frames=9, **words)
    clf.fit(X, y)
    for clip in X[:3]:
        stream = clf.stream()
        for t, frame in enumerate(clip):
            answer = stream.step(frame)
            (wanted,) = clf.predict_proba([clip[: t + 1]])
            assert np.array_equal(answer.probabilities, wanted)
        assert stream.steps == len(clip)
        assert stream.delay["frames"] == 0
        assert 0 < stream.delay["p50_seconds"] <= stream.delay["p99_seconds"]
        stream.reset()
        assert np.array_equal(stream.push(clip).probabilities, wanted)


def test_stream_refuses_what_is_no_frame(fitted):
    stream = fitted.stream()
    with pytest.raises(ShapeError, match=r"frames must be uint8 of shape .* got float64"):
        stream.step(np.zeros((4, 4, 3)))
    with pytest.raises(ShapeError, match="Use push for several"):
        stream.step(np.zeros((2, 4, 4, 3), np.uint8))


def test_the_file_names_the_image_network_and_its_checksum(fitted, arrays, tmp_path):
    X, _ = arrays
    fitted.save(tmp_path / "model.recurra")
    loaded = recurra.load_model(tmp_path / "model.recurra")
    assert loaded.model_.manifest["video"]["backbone"] == fitted.model_.manifest["video"]["backbone"]
    with pytest.raises(
        UsageError, match="backbone must be one of 'efficientnet-lite0', 'googlenet', 'small-cnn'"
    ):
        loaded.predict(X)
    loaded.set_params(backbone=Colours())
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    other = Colours()
    with torch.no_grad():
        other.scale += 1
    with pytest.raises(DataError, match="was trained with the image network 'module' of SHA-256"):
        loaded.set_params(backbone=other).predict(X)
    with pytest.raises(UsageError, match="a module cannot be written into a model file"):
        fitted.save(tmp_path / "model.recurra", include_backbone=True)


def test_an_onnx_file_and_its_content_in_the_model_file(arrays, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    X, y = arrays
    nodes = [
        onnx.helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
        onnx.helper.make_node("Flatten", ["p"], ["y"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "quarters", [value("x", 1, ["n", 3, 16, 16])], [value("y", 1, ["n", 12])]
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "quarters.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    clf = VideoClassifier(backbone=str(path), **WORDS).fit(X, y)
    assert clf.score(X, y) >= 0.9
    clf.save(tmp_path / "model.recurra", include_backbone=True)
    wanted = clf.predict_proba(X)
    path.unlink()
    loaded = recurra.load_model(tmp_path / "model.recurra")
    assert np.array_equal(loaded.predict_proba(X), wanted)
    assert np.array_equal(loaded.stream(look_ahead=8).push(X[0]).probabilities, wanted[0])


def test_a_grid_tells_what_is_where(arrays, tmp_path):
    X, y = arrays
    words = WORDS | {"max_epochs": 2}
    clf = VideoClassifier(backbone=Colours(), grid=2, projection=5, **words).fit(X, y)
    assert clf.model_.weights["front.weight"].shape == (5, 12)
    assert clf.frame_features(X[:1])[0].shape == (4, 12)
    fours = VideoClassifier(backbone=Colours(), **words).fit(X, y).frame_features(X[:1])[0]
    means = clf.frame_features(X[:1])[0].reshape(4, 4, 3).mean(axis=1)
    np.testing.assert_allclose(fours, means, atol=1e-5)
    clf.save(tmp_path / "model.recurra")
    loaded = recurra.load_model(tmp_path / "model.recurra").set_params(backbone=Colours())
    assert np.array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    assert np.array_equal(clf.stream().push(X[0]).probabilities, clf.predict_proba(X[:1])[0])
    with pytest.raises(UsageError, match="was trained with layer=None and grid=2; got layer=None and grid=1"):
        loaded.set_params(grid=1).predict(X)
    with pytest.raises(UsageError, match="grid must be at most 2, the places a side"):
        clf.set_params(grid=3).fit(X, y)
    assert clf.set_params(grid=1).fit(X, y).model_.manifest["video"]["backbone"]["grid"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"backbone": Colours(), "layer": "stage5"}, "layer is for the networks 'efficientnet-lite0'"),
        (
            {"layer": "stage8"},
            "layer must be one of 'stage1', .*'stage7' of efficientnet-lite0.* got 'stage8'",
        ),
        (
            {"backbone": "small-cnn", "grid": 2},
            "layer, grid and projection are for image networks that are trained",
        ),
        ({"backbone": torch.nn.Flatten(), "grid": 2}, "grid must be 1 for an image network that gives a row"),
    ],
)
def test_a_layer_that_is_not_there_is_named(arrays, words, message):
    with pytest.raises(UsageError, match=message):
        VideoClassifier(image_size=16, verbose=0, **words).fit(*arrays)


def test_small_cnn_is_trained_with_the_rest(arrays, tmp_path):
    X, y = arrays
    clf = VideoClassifier(backbone="small-cnn", image_size=16, **WORDS).fit(X, y)
    assert clf.score(X, y) >= 0.9
    assert "front.conv1.weight" in clf.model_.weights
    clf.save(tmp_path / "model.recurra")
    loaded = recurra.load_model(tmp_path / "model.recurra")
    assert np.array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_broken_clips(arrays, folder, tmp_path):
    _, y = arrays
    paths = [str(folder / label / f"{i:02d}") for i, label in enumerate(y)]
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no clip")
    clf = VideoClassifier(backbone=Colours(), cache_dir=tmp_path / "cache", **(WORDS | {"max_epochs": 2}))
    labels = [*y, "up"]
    with pytest.raises(DataError, match=r"bad\.mp4: it cannot be decoded .* broken='skip'"):
        clf.fit([*paths, str(bad)], labels)
    clf.set_params(broken="skip")
    with pytest.warns(RecurraWarning, match=r"1 of 31 clips cannot be decoded and is left out: '.*bad\.mp4'"):
        clf.fit([*paths, str(bad)], labels, sample_weight=np.ones(31))
    with pytest.warns(RecurraWarning, match="left out"):
        assert clf.evaluate([*paths, str(bad)], labels).metrics["n_test"] == 30
    with pytest.raises(DataError, match=r"it cannot be decoded .* Remove the file, or replace it\.$"):
        clf.predict([str(bad)])
    with pytest.raises(DataError, match="none of 1 clip can be read"):
        clf.fit([str(bad)], ["up"])
    with pytest.raises(MissingDataError, match=r"gone\.mp4: there is no such file"):
        clf.fit([*paths, str(tmp_path / "gone.mp4")], labels)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros((3, 4, 4, 3))], "clip 0 must hold frames, uint8 of shape"),
        ([np.zeros((0, 4, 4, 3), np.uint8)], "clip 0 has no frame"),
        ([1.5], "clip 0 must be a path or an array of frames; got float"),
        ([], "found 0 clips"),
        ("nowhere", "there is no file or folder nowhere"),
    ],
)
def test_what_is_no_clip_is_named(X, message):
    with pytest.raises((DataError, ShapeError, MissingDataError), match=message):
        VideoClassifier(backbone=Colours(), verbose=0).fit(X, ["a"])


def test_missing_weights_name_address_checksum_and_folder(arrays, monkeypatch, tmp_path):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    from recurra.datasets import fetch

    def offline(*args):
        raise OSError("no network")

    monkeypatch.setattr(fetch, "_from_address", offline)
    with pytest.raises(MissingDataError) as caught:
        VideoClassifier(backbone="googlenet", verbose=0).fit(*arrays)
    for word in ("https://download.pytorch.org/models/googlenet-1378be20.pth", "1378be20", str(tmp_path)):
        assert word in str(caught.value)


def test_the_report_shows_frames(fitted, arrays, tmp_path):
    X, y = arrays
    turned = np.where(np.arange(len(y)) == 3, y[0], y)  # one label wrong, so that there is a mistake to show
    evaluation = fitted.evaluate(X, turned)
    assert 0.8 < evaluation.metrics["accuracy"] < 1
    evaluation.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("Frames of clip") >= 3  # at least one mistake, and two right answers
    assert "The worst mistakes" in page
    assert "Right answers" in page
    assert "Probability of the true class" in page
    assert "data:image/png;base64" in page


def test_an_explanation_is_of_frames(fitted, arrays):
    X, _ = arrays
    found = fitted.explain(X[0])
    assert found.kind == "video"
    assert found.input.shape == (len(X[0]), 16, 16, 3)
    assert len(found.per_step) == len(X[0])
    assert "frames" in found.summary()
    assert found.plot() is not None
    with pytest.raises(UsageError, match="explain takes one clip"):
        fitted.explain(X)


@pytest.mark.parametrize("words", [{"start_seconds": 0.2}, {"end_seconds": 1.0}])
def test_seconds_are_of_video_files_alone(arrays, folder, words):
    clf = VideoClassifier(backbone=Colours(), **WORDS, **words)
    for X, y in (arrays, (folder, None)):
        with pytest.raises(UsageError, match=r"are for video files, .* holds images\. Leave them out"):
            clf.fit(X, y)


def test_rate_of_arrays_is_theirs():
    clf = VideoClassifier(backbone=Colours(), rate_hz=5.0, verbose=0)
    assert len(frame_inputs.sequences_of(clf, [np.zeros((40, 16, 16, 3), np.uint8)])[0][0]) == 40
