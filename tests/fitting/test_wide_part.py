"""The linear part of a classifier: two ridges mixed, of kernels and of shapelets; what is kept, exported and refused."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import recurra
from recurra.errors import StoreError, UsageError
from recurra.recipes import recipe, wide_part
from recurra.serving.models.wide import Wide as WidePart
from recurra.training import closed_form

rng = np.random.default_rng(0)
CLASSES = np.array(["slow", "fast"])[np.arange(40) % 2]
X = [
    np.sin(np.arange(int(rng.integers(20, 40)))[:, None] / (2.5 - i % 2)) + rng.normal(size=(1, 1))
    for i in range(40)
]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(recipe, "STEPS", 1)


def fitted(name="SequenceClassifier", y=CLASSES, **options):
    return getattr(recurra, name)(random_state=0, verbose=0, **options).fit(X, y)


@pytest.mark.parametrize("static", [False, True])
def test_the_answer_is_half_that_of_kernels_and_half_that_of_shapelets(static, monkeypatch):
    """The weights are those of two ridges by scikit-learn; both read the simple statistics and static inputs."""
    found = []
    true = closed_form.ridge

    def kept(features, targets, weights, **words):
        found.append((features, targets, words["emphasis"], true(features, targets, weights, **words)))
        return found[-1][-1]

    monkeypatch.setattr(closed_form, "ridge", kept)
    clf = recurra.SequenceClassifier(random_state=0, verbose=0)
    beside = {"static": np.arange(40.0)[:, None] ** 2} if static else {}
    y = CLASSES.copy()
    y[::7] = y[1::7][: len(y[::7])]  # so that no map answers all rightly, and the two differ
    model = clf.fit(X, y, **beside).model_
    wide = model.wide
    codes = (found[0][1][:, 1] > 0).astype(int)
    warm = []
    for features, targets, emphasis, one in found:
        spread = features.std(axis=0, dtype=np.float64)
        scale = np.where(spread > 1e-6, emphasis / np.where(spread > 1e-6, spread, 1), 0)
        x = (features - features.mean(axis=0, dtype=np.float64)) * scale
        errors = []
        for strength in closed_form.STRENGTHS:
            fit = Ridge(alpha=strength).fit(x, targets)
            error = np.abs(fit.coef_ * scale - one.weight).max()
            errors.append(error / np.abs(one.weight).max())
        assert min(errors) < 1e-4
        warm.append(one.warmed(max(closed_form.best_temperature(one.left_out, codes, np.ones(40)), 0.1)))
    kernels, shapelets = warm
    assert np.abs(kernels.left_out - shapelets.left_out).max() > 0.1
    own = wide.features.without_shapelets
    assert kernels.weight.shape == (2, own)
    n_static = int(static)
    beside_shapelets = 1 + 4 + n_static * (1 + 5)
    assert shapelets.weight.shape == (2, beside_shapelets + wide.features.size - own)
    expected = (found[0][0] @ kernels.weight.T + kernels.bias) / 2
    expected += (found[1][0] @ shapelets.weight.T + shapelets.bias) / 2
    whole = np.concatenate([found[0][0], found[1][0][:, beside_shapelets:]], axis=1)
    np.testing.assert_allclose(whole @ wide.weight.T + wide.bias, expected, rtol=1e-3, atol=1e-3)


def test_numbers_and_other_estimators_have_none():
    numbers = fitted("SequenceRegressor", np.arange(40.0))
    assert numbers.model_.wide.features.shapelets is None
    assert "a linear map of fixed dilated kernels has" in numbers.recipe_
    assert "a linear map of fixed dilated kernels and shapelets has 80 % of the say" in fitted().recipe_
    assert fitted(hidden_size=4).model_.wide is None


def test_of_many_sequences_fewer_numbers_are_computed(monkeypatch):
    few = fitted().model_.wide.features
    monkeypatch.setattr(wide_part, "MANY", 39)
    many = fitted().model_.wide.features
    assert few.shapelets.size == 6000
    assert many.shapelets.size == 1500
    assert many.size < few.size / 2


def test_a_file_gives_the_same_bits_and_batch_mates_change_nothing(tmp_path):
    clf = fitted()
    clf.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    found = clf.predict_proba(X)
    np.testing.assert_array_equal(loaded.predict_proba(X), found)
    np.testing.assert_array_equal(np.concatenate([loaded.predict_proba([x]) for x in X]), found)
    np.testing.assert_array_equal(loaded.predict_proba(X[::-1])[::-1], found)
    again = fitted(wide=True, bidirectional=True, pooling="mean+max", dropout=0.3, max_epochs=5)
    assert again.model_.wide.features.shapelets is not None
    np.testing.assert_array_equal(again.predict_proba(X), found)


def test_onnx_is_written_and_of_c_it_is_said_what_to_do(tmp_path):
    pytest.importorskip("onnxruntime")
    fitted().export(tmp_path / "m.onnx", X=X)
    with pytest.raises(UsageError, match=r"train with wide=False, or export to ONNX\.$"):
        fitted().export(tmp_path / "m", to="c")


def test_a_file_whose_linear_part_is_not_of_finite_numbers_is_refused():
    wide = fitted().model_.wide
    description, arrays = wide.to_manifest()
    spreads = [name for name in arrays if name.endswith("spread")]
    assert len(spreads) == 1
    for name in ("weight", "bias", *spreads):
        for value in (np.nan, np.inf, 1e-45):
            broken = arrays[name].copy()
            broken.flat[0] = value
            if value == 1e-45 and name not in spreads:
                continue
            with pytest.raises(StoreError, match="wide part must be finite|spread of the .* makes no sense"):
                WidePart.from_manifest(description, {**arrays, name: broken}, channels=1, outputs=2)
    without = {name: array for name, array in arrays.items() if "shapelets" not in name}
    with pytest.raises(StoreError, match="weight of the wide part must be float32 of shape"):
        WidePart.from_manifest(description, without, channels=1, outputs=2)
    again = WidePart.from_manifest(description, arrays, channels=1, outputs=2)
    np.testing.assert_array_equal(
        again.scores([X[0].astype(np.float32)]), wide.scores([X[0].astype(np.float32)])
    )


def test_a_file_from_before_there_were_shapelets_answers_as_it_did():
    wide = fitted("SequenceRegressor", np.arange(40.0)).model_.wide
    description, arrays = wide.to_manifest()
    assert not any("shapelets" in name for name in arrays)
    again = WidePart.from_manifest(description, arrays, channels=1, outputs=1)
    np.testing.assert_array_equal(
        again.scores([X[0].astype(np.float32)]), wide.scores([X[0].astype(np.float32)])
    )
