"""How the linear part reads a sequence: over gaps, and at which length; both decided from the training data."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import recurra
from recurra.errors import StoreError
from recurra.recipes import recipe
from recurra.serving.models.wide import Wide as WidePart
from recurra.serving.summaries import Summary, View
from recurra.training import closed_form


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(recipe, "STEPS", 1)


def waves(rng, count, *, by_clock, lost=0.0, equal=False):
    """Return waves of 20 to 80 steps of two classes: of so many steps, or of so many in a sequence."""
    X, y = [], np.arange(count) % 2
    for own in y:
        steps = 50 if equal else int(rng.integers(20, 80))
        turns = steps / (9, 6)[own] if by_clock else (2, 3)[own]
        values = np.sin(2 * np.pi * (np.linspace(0, turns, steps) + rng.random()))[:, None]
        values = np.concatenate([values, rng.normal(size=(steps, 1))], axis=1) + 0.3 * rng.normal(
            size=(steps, 2)
        )
        values[rng.random((steps, 2)) < lost] = np.nan
        X.append(values)
    return X, y


def fitted(X, y, name="SequenceClassifier", **options):
    return getattr(recurra, name)(random_state=0, verbose=0, **options).fit(X, y)


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceRegressor"])
def test_sequences_are_stretched_where_the_rate_alone_makes_their_length(name):
    rng = np.random.default_rng(0)
    X, y = waves(rng, 60, by_clock=False)
    model = fitted(X, y * 1.0, name)
    found = model.model_.wide.features
    assert found.view == View(length=int(np.median([len(x) for x in X])))
    np.testing.assert_allclose(
        found.transform(X[0].astype(np.float32))[found._shares], np.log(len(X[0])), rtol=1e-6
    )
    new, truth = waves(rng, 100, by_clock=False)
    assert np.mean(np.round(np.clip(model.predict(new), 0, 1)) == truth) > 0.9


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceRegressor"])
def test_sequences_are_left_as_they_are_where_their_steps_say_more(name, monkeypatch):
    rng = np.random.default_rng(1)
    X, y = waves(rng, 60, by_clock=True)
    model = fitted(X, y * 1.0, name)
    assert model.model_.wide.features.view == View()
    asked, fit = [], Summary.fit
    monkeypatch.setattr(closed_form, "error_left_out", lambda *given: 0.0)
    monkeypatch.setattr(Summary, "fit", lambda *given, **words: asked.append(1) or fit(*given, **words))
    assert fitted(X, y, name).model_.wide.features.view == View()  # of equal errors
    assert len(asked) == 2
    assert fitted(*waves(rng, 20, by_clock=True, equal=True), name).model_.wide.features.view == View()
    assert len(asked) == 3  # lengths that hardly differ are read in one way


def test_the_error_left_out_is_that_of_maps_without_the_item():
    rng = np.random.default_rng(2)
    codes, weights = rng.integers(0, 3, 30), rng.uniform(0.5, 2, 30)
    scores, numbers = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = closed_form.error_left_out(scores, scores, codes, weights)
    np.testing.assert_allclose(found, log_loss(codes, shares, sample_weight=weights, labels=[0, 1, 2]))
    found = closed_form.error_left_out(scores[:, :2], numbers, None, weights)
    np.testing.assert_allclose(found, mean_squared_error(numbers, scores[:, :2], sample_weight=weights))


def test_marked_gaps_are_crossed_and_their_share_is_told():
    rng = np.random.default_rng(3)
    X, y = waves(rng, 40, by_clock=True, lost=0.3, equal=True)
    X[1][:, 1] = np.nan
    model = fitted(X, y, missing="mask").model_
    found, scaling = model.wide.features, model.features.steps[0]
    assert found.view == View(marked=True)
    for x, rows in zip(X, model.prepare(X), strict=True):
        lines = scaling.transform(x)
        for c in range(2):
            there = np.flatnonzero(np.isfinite(x[:, c]))
            lines[:, c] = np.interp(np.arange(50), there, lines[there, c]) if len(there) else 0
        first = found._shares
        own = found.transform(rows)
        np.testing.assert_allclose(own[first + 1 : first + 3], lines.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(own[first + 7 : first + 9], lines.max(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(own[first + 9 : first + 11], np.isnan(x).mean(axis=0), rtol=1e-6)
    assert found.beside_shapelets.tolist() == list(range(first, first + 11))


def test_with_four_values_of_ten_lost_it_is_not_behind_logistic_regression_on_straight_lines():
    """Before there were straight lines, the linear part read the value before a gap as if it were there."""
    rng = np.random.default_rng(4)

    def drawn(count):
        y = np.arange(count) % 3
        X = [np.cumsum(rng.normal((-0.15, 0, 0.15)[own], 0.6, (40, 1)), axis=0) for own in y]
        for x in X:
            x[rng.random(x.shape) < 0.4] = np.nan
        return X, y

    def lines(X):
        at = [np.flatnonzero(np.isfinite(x[:, 0])) for x in X]
        return [np.interp(np.arange(40), there, x[there, 0]) for x, there in zip(X, at, strict=True)]

    (X, y), (new, truth) = drawn(60), drawn(200)
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(lines(X), y)
    ours = fitted(X, y, missing="mask").score(new, truth)
    assert ours >= peer.score(lines(new), truth)


@pytest.mark.parametrize("static", [False, True])
def test_a_file_and_a_graph_answer_with_the_same(static, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(5)
    X, y = waves(rng, 40, by_clock=False, lost=0.3)
    for x in X[:4]:
        x[: len(x) // 2, 0] = np.nan
        x[:, 1] = np.nan
    X = [x.astype(np.float32) for x in X]
    beside = {"static": rng.normal(size=(40, 1))} if static else {}
    clf = recurra.SequenceClassifier(random_state=0, verbose=0, missing="mask").fit(X, y, **beside)
    view = clf.model_.wide.features.view
    assert view.marked
    assert view.length
    found = clf.predict_proba(X, **beside)
    clf.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    assert loaded.model_.wide.features.view == view
    np.testing.assert_array_equal(loaded.predict_proba(X, **beside), found)
    clf.export(tmp_path / "m.onnx", X=None if static else X)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    longest = max(map(len, X))
    batch = np.stack([np.pad(x, ((0, longest - len(x)), (0, 0)), constant_values=9) for x in X])
    given = {"x": batch.astype(np.float32), "lengths": np.array([len(x) for x in X]), **beside}
    names = [one.name for one in session.get_outputs()]
    answers = dict(zip(names, session.run(None, given), strict=True))
    np.testing.assert_allclose(answers["probabilities"], found, atol=2e-5)


def test_a_view_that_makes_no_sense_is_refused():
    rng = np.random.default_rng(6)
    wide = fitted(*waves(rng, 20, by_clock=False, lost=0.2), missing="mask").model_.wide
    description, arrays = wide.to_manifest()
    assert description["kind"] == "resampled summary"
    words = {"channels": 4, "outputs": 2}
    assert WidePart.from_manifest(description, arrays, **words).features.view == wide.features.view
    for view in ([2, 0], [1, 8], [1, -9], [1, 2**24], [1], [[1, 0]], [1.0, 0.0]):
        with pytest.raises(StoreError, match="how the linear part reads a sequence makes no sense"):
            WidePart.from_manifest(description, arrays | {"features.view": np.array(view)}, **words)
    with pytest.raises(StoreError, match="how the linear part reads a sequence makes no sense"):
        WidePart.from_manifest(description, arrays, channels=3, outputs=2)
    with pytest.raises(StoreError, match="says it is of kind 'summary', and its arrays say otherwise"):
        WidePart.from_manifest({**description, "kind": "summary"}, arrays, **words)
    plain = fitted(*waves(rng, 20, by_clock=True, equal=True)).model_.wide
    assert plain.to_manifest()[0]["kind"] == "summary"
    assert "features.view" not in plain.to_manifest()[1]
