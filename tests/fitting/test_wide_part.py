"""The linear part: of classes two ridges mixed, of kernels and of shapelets, of numbers one; what is kept and refused."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import recurra
from recurra.errors import RecurraWarning, StoreError, UsageError
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
    found = found[-2:]  # those before compared how the sequences may be read, as their lengths differ
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


def rates(outputs=1):
    """Return how fast each sequence swings, and its level where two numbers are wanted."""
    fast = np.where(CLASSES == "fast", 1.5, 2.5) + 0.1 * rng.normal(size=40)
    level = np.array([100 * x.mean() for x in X])
    return fast if outputs == 1 else np.column_stack([fast, level])


@pytest.mark.parametrize("outputs", [1, 2])
def test_numbers_are_told_by_one_ridge_in_which_a_shapelet_is_worth_half_a_kernel(outputs):
    """The weights are those of scikit-learn's ridge, of the strength that leaves the least error of items left out."""
    y = rates(outputs)
    model = fitted("SequenceRegressor", y).model_
    wide, target = model.wide, model.manifest["target"]
    features = np.stack([wide.features.transform(x) for x in model.features.transform_all(X)])
    emphasis = wide.features.emphasis()
    own = wide.features.without_shapelets
    assert wide.features.size - own == 6000
    spread = features.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-6, emphasis / np.where(spread > 1e-6, spread, 1), 0)
    scale[own:] /= 2
    x = (features - features.mean(axis=0, dtype=np.float64)) * scale
    scaled = (y.reshape(40, -1) - target["center"]) / target["spread"]
    errors = []
    for strength in closed_form.STRENGTHS:
        fit = Ridge(alpha=strength).fit(x, scaled)
        errors.append(np.abs(fit.coef_.reshape(outputs, -1) * scale - wide.weight).max())
    assert min(errors) < 1e-4 * np.abs(wide.weight).max()


def test_what_both_read_is_said_and_other_estimators_have_none():
    for one in (fitted(), fitted("SequenceRegressor", np.arange(40.0))):
        assert "a linear map of fixed dilated kernels and shapelets has 80 % of the say" in one.recipe_
    assert fitted(hidden_size=4).model_.wide is None


@pytest.mark.parametrize("outputs", [1, 2])
def test_numbers_end_a_quarter_of_their_range_beyond_those_learned_from(outputs):
    y = rates(2)[:, 1] if outputs == 1 else rates(2)
    model = fitted("SequenceRegressor", y).model_
    alone = replace(model, wide=replace(model.wide, share=1.0))
    far = [scale * x + 20 * scale for x in X[:4] for scale in (-30, 30)]
    found = alone.predict(far).reshape(8, -1)
    true = y.reshape(40, -1)
    room = 0.25 * np.ptp(true, axis=0)
    free = replace(alone, wide=replace(alone.wide, limits=None)).predict(far).reshape(8, -1)
    assert (free > true.max(axis=0) + 2 * room).any()
    assert (free < true.min(axis=0) - 2 * room).any()
    np.testing.assert_allclose(
        found, np.clip(free, true.min(axis=0) - room, true.max(axis=0) + room), rtol=1e-4
    )
    near = alone.predict(X)
    np.testing.assert_array_equal(near, replace(alone, wide=replace(alone.wide, limits=None)).predict(X))
    assert fitted().model_.wide.limits is None


def noisy(count, seed):
    """Return waves of some size, and numbers that follow from it but for noise."""
    own = np.random.default_rng(seed)
    size = own.uniform(0.5, 2, count)
    waves = [s * np.sin(np.arange(30)[:, None] / 3) + 0.1 * own.normal(size=(30, 1)) for s in size]
    return waves, 10 * size + own.normal(size=count)


@pytest.mark.parametrize("outputs", [1, 2])
def test_quantiles_hold_what_they_promise(outputs, tmp_path):
    waves, y = noisy(150, 1)
    unseen, truth = noisy(400, 2)
    if outputs == 2:
        y, truth = (np.column_stack([own, -3 * own + 7]) for own in (y, truth))
    given = {"loss": "quantile", "quantiles": (0.025, 0.1, 0.5, 0.9, 0.975)}
    reg = recurra.SequenceRegressor(random_state=0, verbose=0, **given).fit(waves, y)
    found = reg.predict_quantiles(unseen).reshape(400, outputs, 5)
    truth = truth.reshape(400, outputs, 1)
    assert 0.74 < np.mean((found[..., [1]] <= truth) & (truth <= found[..., [3]])) < 0.9
    assert 0.9 < np.mean((found[..., [0]] <= truth) & (truth <= found[..., [4]])) < 0.99
    assert np.std(found[..., 2] - truth[..., 0], axis=0) == pytest.approx([1.0, 3.0][:outputs], rel=0.2)
    reg.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra").predict_quantiles(unseen[:9])
    np.testing.assert_array_equal(again.reshape(9, outputs, 5), found[:9])


def test_few_sequences_get_quantiles_as_far_apart_as_the_errors_that_were_seen():
    errors, once = np.array([-4.0, -1.0, 0.0, 1.0, 8.0]), np.ones(5)
    found = wide_part.distances(errors, once, (0.01, 0.35, 0.5, 0.65, 0.7, 0.9))
    np.testing.assert_array_equal(
        found, [-4, -1, 0, 1, 8, 8]
    )  # 0.7: beyond 1 lie two of six, with the further one
    np.testing.assert_array_equal(
        wide_part.distances(errors, np.array([1, 1, 1, 1, 0.0]), (0.1, 0.5, 0.9)), [-4, -0.5, 8]
    )
    nine, shares = np.arange(9.0), (0.1, 0.2, 0.3, 0.7, 0.8, 0.9)  # ten parts, with the further one
    for weight in (1.0, 0.1, 0.3, 1 / 7):
        np.testing.assert_array_equal(
            wide_part.distances(nine, np.full(9, weight), shares), [0, 1, 2, 6, 7, 8]
        )
    rng = np.random.default_rng(0)
    many = rng.normal(size=20_000)
    np.testing.assert_allclose(
        wide_part.distances(many, np.ones(20_000), (0.1, 0.9)), [-1.2816, 1.2816], atol=0.04
    )


@pytest.mark.parametrize("growth", [0.0, 2.0])
def test_windows_that_overlap_are_told(growth):
    own = np.random.default_rng(0)
    series = np.cumsum(own.normal(size=130) + growth)
    windows = [series[i : i + 30, None] for i in range(100)]
    words = {"loss": "quantile", "random_state": 0, "verbose": 0}
    with pytest.warns(
        RecurraWarning, match=r"sequences have a stretch in common with another one, as windows that overlap"
    ):
        recurra.SequenceRegressor(**words).fit(windows, series[30:])
    apart = [own.normal(size=(30, 1)).cumsum(axis=0) for _ in range(100)]
    beats = [np.round(one) for one in apart]  # few values, which come again by chance
    assert wide_part.overlapping([*windows, np.ones((1, 1))]) > 0.9 * len(windows)
    for given in (apart, beats):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RecurraWarning)
            recurra.SequenceRegressor(**words).fit(given, series[30:])


def test_limits_are_kept_in_a_file_and_exported(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    reg = fitted("SequenceRegressor", rates(2))
    reg.save(tmp_path / "m.recurra")
    far = [X[0], 30 * X[1] + 600, -30 * X[2] - 600]
    expected = reg.predict(far)
    np.testing.assert_array_equal(recurra.load_model(tmp_path / "m.recurra").predict(far), expected)
    reg.export(tmp_path / "m.onnx", X=X)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for x, own in zip(far, expected, strict=True):
        given = {"x": x[None].astype(np.float32), "lengths": np.array([len(x)], np.int64)}
        given = {one.name: given[one.name] for one in session.get_inputs() if one.name in given}
        np.testing.assert_allclose(np.ravel(session.run(None, given)[0]), own, rtol=1e-4)


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


def test_limits_that_make_no_sense_are_refused():
    description, arrays = fitted("SequenceRegressor", rates(2)).model_.wide.to_manifest()
    limits = arrays["limits"]
    for broken, said in (
        (limits[::-1], "limits of the wide part must have the least answer first"),
        (limits[:, :1], "limits of the wide part must be float32 of shape"),
        (limits.astype(np.float64), "limits of the wide part must be float32 of shape"),
        (limits * np.float32(np.nan), "limits of the wide part must be finite"),
    ):
        with pytest.raises(StoreError, match=said):
            WidePart.from_manifest(description, {**arrays, "limits": broken}, channels=1, outputs=2)


EARLIER = Path(__file__).parents[1] / "data/earlier"


def test_a_file_from_before_numbers_had_shapelets_and_limits_answers_as_it_did():
    """The file and its answers, some far beyond what was learned from, are of the version before (0b727a7)."""
    model = recurra.load_model(EARLIER / "numbers-before-limits.recurra").model_
    with np.load(EARLIER / "numbers-before-limits.npz") as asked:
        x, answers = list(asked["X"]), asked["answers"]
    assert model.wide.limits is None
    assert answers.max() > 15  # learned from -10 to 10, beyond which a quarter of the range is the limit now
    np.testing.assert_allclose(model.predict(x), answers, rtol=1e-4)


def shifts(count, noise, seed=0):
    """Return sequences that differ by their level, and numbers that the level tells but for noise."""
    drawn = np.random.default_rng(seed)
    levels = drawn.uniform(-1, 1, count)
    return [
        np.sin(np.arange(30.0))[:, None] * level + 0.01 * drawn.normal(size=(30, 1)) for level in levels
    ], levels + noise * drawn.normal(size=count)


def test_a_linear_part_that_leaves_little_error_has_more_of_the_say(monkeypatch):
    """Its share is 1 less the error that it leaves of that of the mean; found by leaving each sequence out in turn."""
    found, true = [], closed_form.ridge

    def kept(features, targets, weights, **words):
        found.append((features, targets, weights, words, true(features, targets, weights, **words)))
        return found[-1][-1]

    monkeypatch.setattr(closed_form, "ridge", kept)
    data, y = shifts(30, 0.02)
    reg = recurra.SequenceRegressor(random_state=0, verbose=0).fit(data, y)
    features, targets, weights, words, one = found[-1]
    monkeypatch.setattr(closed_form, "STRENGTHS", [strength_of(features, targets, words["emphasis"], one)])
    left = []
    for out in range(30):
        rest = np.delete(np.arange(30), out)
        again = true(features[rest], targets[rest], weights[rest], **words)
        left.append(features[out] @ again.weight.T + again.bias)
    expected = 1 - np.sqrt(np.mean(np.square(np.array(left) - targets)) / targets.var())
    assert 0.85 < expected < 0.99
    assert reg.model_.wide.share == pytest.approx(expected, abs=0.01)
    assert f"{100 * reg.model_.wide.share:.0f} % of the say" in reg.recipe_
    foreseen = recipe.foreseen(recurra.SequenceRegressor(), recipe.Facts(30, 900, False, "regression", False))
    assert "80 % of the say or more" in foreseen
    data, y = shifts(30, 0.5)
    assert recurra.SequenceRegressor(random_state=0, verbose=0).fit(data, y).model_.wide.share == 0.8


def strength_of(features, targets, emphasis, one):
    """Return the strength with which a map was found."""
    spread = features.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-6, emphasis / np.where(spread > 1e-6, spread, 1), 0)
    x = (features - features.mean(axis=0, dtype=np.float64)) * scale
    maps = [
        Ridge(alpha=strength).fit(x, targets).coef_.reshape(1, -1) * scale
        for strength in closed_form.STRENGTHS
    ]
    return closed_form.STRENGTHS[int(np.argmin([np.abs(own - one.weight).max() for own in maps]))]


@pytest.mark.parametrize("first", ["constant", "binary", "hour"])
def test_windows_are_seen_to_overlap_whatever_their_first_channel_is(first):
    series = np.cumsum(np.random.default_rng(1).normal(size=(600, 2)), axis=0)
    own = {"constant": np.ones(600), "binary": series[:, 0] > 0, "hour": np.arange(600) % 24}[first]
    rows = np.column_stack([own, series]).astype(float)
    assert wide_part.overlapping([rows[at : at + 50] for at in range(0, 550, 10)]) > 45
    assert wide_part.overlapping([rows[at : at + 50] for at in range(0, 550, 50)]) == 0


@pytest.mark.parametrize(
    ("quantiles", "told"), [((0.01, 0.5, 0.9), "0.01: .* at least 99 sequences"), ((0.1, 0.97), None)]
)
def test_quantiles_that_so_few_sequences_cannot_tell_are_named(quantiles, told):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(9, 1)) + i / 10 for i in range(40)]
    regressor = recurra.SequenceRegressor(
        loss="quantile",
        quantiles=quantiles,
        hidden_size=4,
        max_epochs=1,
        random_state=0,
        verbose=0,
        wide=True,
    )
    y = [x.mean() for x in X]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regressor.fit(X, y)
    found = [str(one.message) for one in caught if "too few to tell the quantile" in str(one.message)]
    assert len(found) == (told is not None)
    assert told is None or re.search(told, found[0])


def test_windows_that_overlap_and_many_sequences_leave_it_at_its_share(monkeypatch):
    series = np.cumsum(np.random.default_rng(1).normal(size=200))[:, None]
    windows = [series[first : first + 30] for first in range(0, 160, 5)]
    apart = [series[first : first + 30] for first in range(0, 160, 30)]
    assert wide_part.overlapping(windows) > 0.8 * len(windows)
    assert wide_part.overlapping(apart) == 0
    assert wide_part.overlapping([*apart, apart[0]]) == 0  # given twice is no overlap
    assert (
        wide_part.overlapping([series[:end] for end in range(30, 190, 5)]) > 25
    )  # what was there by then is one
    y = [float(x.mean()) for x in windows]
    assert recurra.SequenceRegressor(random_state=0, verbose=0).fit(windows, y).model_.wide.share == 0.8
    data, y = shifts(30, 0.02)
    monkeypatch.setattr(wide_part, "MANY", 29)
    assert recurra.SequenceRegressor(random_state=0, verbose=0).fit(data, y).model_.wide.share == 0.8
