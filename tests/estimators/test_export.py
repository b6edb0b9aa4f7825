"""`export` of every estimator: what can be written answers as the estimator itself, the rest is refused with a reason."""

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError
from recurra.estimators.base import NotFittedError
from recurra.export.onnx_file import Runner, padded

SMALL = {"hidden_size": 5, "max_epochs": 2, "validation_fraction": 0.0, "random_state": 0, "verbose": 0}


def ragged(seed=0, n=24):
    rng = np.random.default_rng(seed)
    return [rng.normal(i % 2, size=(rng.integers(3, 12), 2)) for i in range(n)]


def labels(n=24):
    return np.array(["no", "yes"])[np.arange(n) % 2]


def answers_of(path, rows):
    return Runner(path.read_bytes())(**padded(rows))


@pytest.mark.parametrize(
    "options", [{}, SMALL, SMALL | {"members": 2}, {"random_state": 0, "verbose": 0, "max_epochs": 1}]
)
def test_classifier(options, tmp_path):
    clf = recurra.SequenceClassifier(**{"verbose": 0, "random_state": 0} | options).fit(ragged(), labels())
    X = [x.astype(np.float32) for x in ragged(1)]
    (file,) = clf.export(tmp_path / "m.onnx", X=X)
    assert file.agreement.of_run
    found = answers_of(file.path, X)
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(X), atol=1e-5)
    assert clf.classes_[found["label"]].tolist() == clf.predict(X).tolist()


def test_regressor_in_the_units_of_y(tmp_path):
    y = [1e4 + 300 * float(x.sum()) for x in ragged()]
    reg = recurra.SequenceRegressor(**SMALL, quantiles=[0.1, 0.5, 0.9], loss="quantile").fit(ragged(), y)
    X = [x.astype(np.float32) for x in ragged(1)]
    reg.export(tmp_path / "m.onnx", X=X)
    found = answers_of(tmp_path / "m.onnx", X)
    np.testing.assert_allclose(found["value"][:, 0], reg.predict(X), rtol=1e-6)
    np.testing.assert_allclose(found["quantiles"][:, 0], reg.predict_quantiles(X), rtol=1e-6)


def test_labeler_with_a_frontend_that_answers_every_step(tmp_path):
    y = [np.where(x[:, 0] > 0.5, "up", "down") for x in ragged()]
    front = {"name": "patches", "window": 3, "hop": 2, "size": 4}
    tagger = recurra.SequenceLabeler(**SMALL, frontend=front).fit(ragged(), y)
    X = [x.astype(np.float32) for x in ragged(1)]
    tagger.export(tmp_path / "m.onnx", X=X)
    found = answers_of(tmp_path / "m.onnx", X)
    for index, right in enumerate(tagger.predict(X)):
        assert tagger.classes_[found["label"][index, : len(right)]].tolist() == right.tolist()
        assert (found["label"][index, len(right) :] == -1).all()


def test_chain_of_labels_hands_scores_and_transitions_out(tmp_path):
    from recurra.kernels.heads import crf

    y = [np.where(x[:, 0] > 0.5, "up", "down") for x in ragged()]
    tagger = recurra.SequenceLabeler(**SMALL, crf=True).fit(ragged(), y)
    X = [x.astype(np.float32) for x in ragged(1)]
    tagger.export(tmp_path / "m.onnx", X=X)
    found = answers_of(tmp_path / "m.onnx", X)
    tables = {f"crf.{name}": found[name] for name in ("transitions", "begin", "end")}
    for index, right in enumerate(tagger.predict(X)):
        scores = found["scores"][index, : found["score_lengths"][index]]
        assert tagger.classes_[crf.best_path(scores, tables)].tolist() == right.tolist()


def test_features_stay_outside_and_the_file_says_so(tmp_path):
    import onnx

    rng = np.random.default_rng(0)
    X = [rng.normal(size=(200, 1)) for _ in range(8)]
    features = {"name": "statistics", "window_s": 20, "hop_s": 10, "sample_rate_hz": 1}
    clf = recurra.SequenceClassifier(**SMALL, features=features).fit(X, labels(8))
    (file,) = clf.export(tmp_path / "m.onnx", X=X)
    facts = {entry.key: entry.value for entry in onnx.load(file.path).metadata_props}
    assert facts["input"] == "rows of features"
    assert '"window": 20' in facts["features"]
    rows = [clf.model_.features.steps[0].transform(x) for x in X]
    np.testing.assert_allclose(answers_of(file.path, rows)["probabilities"], clf.predict_proba(X), atol=1e-5)


def test_texts_clips_and_language(tmp_path):
    pytest.importorskip("tokenizers")
    pytest.importorskip("PIL")
    texts = [["oil leaks out of it", "no power at all"][i % 2] for i in range(12)]
    clf = recurra.TextClassifier(embedding_size=4, letters=3, subwords=20, wide=False, **SMALL).fit(
        texts, labels(12)
    )
    (file,) = clf.export(tmp_path / "text.onnx", X=texts)
    assert file.agreement.of_run
    clips = [
        np.random.default_rng(i).integers(0, 99 + 99 * (i % 2), (3, 8, 8, 3), dtype=np.uint8)
        for i in range(12)
    ]
    video = recurra.VideoClassifier(backbone="small-cnn", image_size=8, **SMALL).fit(clips, labels(12))
    assert video.export(tmp_path / "video.onnx", X=clips)[0].agreement.of_run
    writer = recurra.TextGenerator(embedding_size=4, **SMALL).fit(["the cat sat on the mat. " * 30])
    whole, step = writer.export(tmp_path / "writer.onnx", X=["the cat sat"], step=True)
    assert whole.agreement.of_run
    assert step.path == tmp_path / "writer-step.onnx"


def test_text_as_words_and_counted_ngrams(tmp_path):
    from recurra.export.model.beside import Beside
    from recurra.features.texts.ngrams import counted

    texts = [["oil leaks out of it", "no power at all"][i % 2] for i in range(12)]
    clf = recurra.TextClassifier(**SMALL, wide=True).fit(texts, labels(12))
    (file,) = clf.export(tmp_path / "text.onnx", X=texts)
    assert "with n-grams drawn at random" in str(file.agreement)
    new = ["oil out of power", "it leaks, leaks", "Öl"]
    beside = Beside(grams=[counted(text) for text in new]).inputs(None)
    rows = [clf.model_.features.transform(text) for text in new]
    found = Runner(file.path.read_bytes())(**padded(rows), **beside)
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(new), atol=1e-5)


def test_static_inputs_go_in_as_they_are_and_categories_by_number(tmp_path):
    import json

    import onnx

    kinds = [["tall", "small"][i % 3 == 0] for i in range(24)]
    static = {"year": [1990.5 + i for i in range(24)], "kind": kinds}
    clf = recurra.SequenceClassifier(**SMALL | {"causal": True}).fit(ragged(), labels(), static=static)
    X = [x.astype(np.float32) for x in ragged(1)]
    whole, step = clf.export(tmp_path / "m.onnx", X=X, step=True)
    facts = {entry.key: entry.value for entry in onnx.load(whole.path).metadata_props}
    known = json.loads(facts["static"])[1]["categories"]
    given = np.array([[year, known.index(kind)] for year, kind in zip(*static.values(), strict=True)])
    found = Runner(whole.path.read_bytes())(**padded(X), static=given)
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(X, static=static), atol=1e-5)
    assert step.inputs["static"] == ["batch", 2]
    with pytest.raises(
        UsageError, match="no place for static inputs; train without static=, or export to ONNX"
    ):
        clf.export(tmp_path / "net", to="c")


def refused():
    wave = np.sin(np.arange(120)[:, None] / 3)
    short = {name: value for name, value in SMALL.items() if name != "validation_fraction"}
    pairs = [a + b for a in "abcdef" for b in "abcd"]
    yield (
        recurra.Forecaster(horizon=4, context=16, **short).fit(wave),
        "the season and the calendar of a whole series",
    )
    yield (
        recurra.Translator(**SMALL).fit(pairs, [p[::-1] for p in pairs]),
        "searches for its answer between two networks",
    )
    yield (
        recurra.AnomalyDetector(window=60, block=4, **short).fit([wave, wave + 1]),
        "depends on blocks of samples",
    )
    texts = [["oil leaks out of it", "no power at all"][i % 2] for i in range(12)]
    yield (
        recurra.TextClassifier(wide=True, **SMALL).fit(texts, labels(12)),
        "train with wide=False, or export to ONNX",
    )


def test_what_cannot_become_c_says_why_and_what_to_do(tmp_path):
    pytest.importorskip("tokenizers")
    for estimator, words in refused():
        with pytest.raises(UsageError, match=words):
            estimator.export(tmp_path / "net", to="c")
    with pytest.raises(NotFittedError):
        recurra.SequenceClassifier().export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_c_of_an_estimator(tmp_path):
    clf = recurra.SequenceClassifier(**SMALL, members=2, missing="mask").fit(ragged(), labels())
    (folder,) = clf.export(tmp_path / "net", X=ragged(1), to="c", name="gate")
    assert folder.name == "gate"
    assert folder.agreement is None or folder.agreement.of_run
    with pytest.raises(UsageError, match="step is for to='c'|step is for to='onnx'"):
        clf.export(tmp_path / "net", to="c", step=True)
    with pytest.raises(UsageError, match="there is no option 'opsets'"):
        clf.export(tmp_path / "net.onnx", opsets=3)
    features = {"name": "statistics", "window_s": 20, "hop_s": 10, "sample_rate_hz": 1}
    X = [np.random.default_rng(i).normal(size=(200, 1)) for i in range(8)]
    clf = recurra.SequenceClassifier(**SMALL, features=features).fit(X, labels(8))
    with pytest.raises(UsageError, match="features of this model are not computed by the C"):
        clf.export(tmp_path / "features", to="c")


def test_own_network(tmp_path):
    import torch

    class Own(torch.nn.Module):
        def __init__(self, input_size, output_size):
            super().__init__()
            self.map = torch.nn.Linear(input_size, output_size)

        def forward(self, ragged):
            return torch.stack([self.map(x.mean(dim=0)) for x in ragged])

    clf = recurra.SequenceClassifier(network=Own, max_epochs=1, verbose=0).fit(ragged(), labels())
    with pytest.raises(
        UsageError, match=r"export it with torch\.onnx\.export from estimator\.torch_network\(\)"
    ):
        clf.export(tmp_path / "m.onnx")
