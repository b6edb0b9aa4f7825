"""Further kernels in the linear part: when they are taken, what they answer, what is kept and refused."""

import re

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss

import recurra
from recurra.errors import StoreError, UsageError
from recurra.fitting import budget as budgets
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
    monkeypatch.setattr(budgets, "FOLDS", 2)
    monkeypatch.setattr(budgets, "MOST_MEMBERS", 1)
    monkeypatch.setattr(recipe, "STEPS", 1)


def fitted(name="SequenceClassifier", y=CLASSES, **options):
    return getattr(recurra, name)(random_state=0, verbose=0, **options).fit(X, y)


@pytest.fixture(scope="module")
def further():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "STEPS", 1)
        patch.setattr(wide_part, "STANDARD_ERRORS", -5.0)  # so that competing kernels have a share
        return fitted(wide_kernels="all")


def test_a_budget_takes_them_and_what_is_kept_repeats_the_answers(monkeypatch):
    monkeypatch.setattr(wide_part, "STANDARD_ERRORS", -5.0)
    found = fitted(budget_s=1000.0)
    kept = found.model_.manifest["params"]
    assert kept["wide_kernels"] == "all"
    assert "a linear map of dilated kernels, fixed and competing, has 80 % of the say" in found.recipe_
    assert found.model_.wide.features.competing is not None
    assert found.model_.wide.features.sums is not None
    again = recurra.SequenceClassifier(**{**kept, "verbose": 0}).fit(X, CLASSES)
    np.testing.assert_array_equal(found.predict_proba(X), again.predict_proba(X))


def test_given_by_hand_they_are_said_and_compared_as_a_budget_takes_them(further, monkeypatch):
    assert "a linear map of dilated kernels, fixed and competing, has 80 % of the say" in further.recipe_
    monkeypatch.setattr(wide_part, "STANDARD_ERRORS", -5.0)
    learned, true = [], budgets.loss_of
    monkeypatch.setattr(budgets, "loss_of", lambda model, *rest: learned.append(model) or true(model, *rest))
    found, folds = {}, {}
    for kernels in ("auto", "all"):
        learned.clear()
        found[kernels] = fitted(budget_s=1000.0, wide_kernels=kernels)
        folds[kernels] = [model.manifest["params"] for model in learned]
        assert all(model.wide.features.sums is None for model in learned)
    assert folds["auto"] == folds["all"]
    assert found["auto"].model_.manifest["params"] == found["all"].model_.manifest["params"]
    np.testing.assert_array_equal(found["auto"].predict_proba(X), found["all"].predict_proba(X))
    figures = [re.sub(r"in \d+ s", "", one.recipe_) for one in found.values()]
    assert figures[0] == figures[1]


def test_competing_kernels_without_a_share_are_not_in_the_model(further):
    found = fitted(wide_kernels="all")
    assert "a linear map of fixed dilated kernels has 80 % of the say" in found.recipe_
    wide, every = found.model_.wide, further.model_.wide.features
    assert wide.features.competing is None
    assert wide.features.sums is not None
    assert not any("competing" in name for name in wide.to_manifest()[1])
    assert wide.weight.shape == (2, every.without_competing)
    # With weights of nothing they would answer the same.
    padded = np.pad(wide.weight, [(0, 0), (0, every.size - every.without_competing)])
    rows = found.model_.prepare(X)
    expected = WidePart(every, padded, wide.bias, wide.share).scores(rows)
    np.testing.assert_allclose(wide.scores(rows), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"hidden_size": 8}, "there is none, as .* Say wide=True as well"),
        ({"wide": False}, "there is none, as .* Say wide=True as well"),
        ({"causal": True}, "causal=True asks for a network without one"),
        ({"hidden_size": 8, "budget_s": 1.0}, "Say wide=True as well"),
    ],
)
def test_without_a_linear_part_they_are_refused(words, message):
    with pytest.raises(UsageError, match=f"wide_kernels='all' is for a linear part, and .*{message}"):
        fitted(wide_kernels="all", **words)


def test_beside_a_network_of_ones_own_they_are_taken(monkeypatch):
    monkeypatch.setattr(wide_part, "STANDARD_ERRORS", -5.0)
    assert fitted(wide_kernels="all", wide=True, hidden_size=8).model_.wide.features.competing is not None
    assert fitted(wide_kernels="random", hidden_size=8).model_.wide is None


def test_without_a_budget_nothing_has_changed():
    bare, random = fitted(), fitted(wide_kernels="random")
    assert bare.model_.wide.features.competing is bare.model_.wide.features.sums is None
    assert not any(
        word in name for word in ("competing", "sums") for name in bare.model_.wide.to_manifest()[1]
    )
    np.testing.assert_array_equal(bare.predict_proba(X), random.predict_proba(X))


def test_many_sequences_and_options_given_take_none(monkeypatch):
    assert fitted(budget_s=0.01, hidden_size=4).model_.wide is None
    monkeypatch.setattr(recipe, "MANY", 39)
    assert fitted(budget_s=1000.0).model_.wide.features.sums is None


def test_a_budget_gives_them_no_more_than_a_share_of_its_time(capsys):
    """Reckoned by steps, so that few long recordings do not take minutes of a short budget."""
    assert fitted(budget_s=0.5).model_.wide.features.sums is None
    made = {budget_s: recurra.SequenceClassifier(budget_s=budget_s) for budget_s in (10.0, 60.0, 3600.0)}
    for sequences in (2, 40, 2000, 2001):
        for length in (1, 30, 1000, 5000, 100_000):
            facts = recipe.Facts(sequences, sequences * length, False, "classification", False)
            for budget_s, estimator in made.items():
                seconds = sequences * length * 0.00015
                expected = "all" if seconds <= budget_s / 5 and sequences <= 2000 else "auto"
                assert recipe.decided(estimator, facts).get("wide_kernels", "auto") == expected
    assert recipe.decided(recurra.SequenceClassifier(), facts).get("wide_kernels", "auto") == "auto"
    recurra.SequenceClassifier(random_state=0, verbose=2, budget_s=0.5).fit(X, CLASSES)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("budget: ")]
    assert ["linear part" in line for line in told][-2:] == [True, False]  # before the first member is


def test_the_two_answers_are_mixed_as_sequences_left_out_say(further, monkeypatch):
    """The weights are those of two ridges by scikit-learn, the share that of the lowest bound on a grid."""
    found = []
    true = closed_form.ridge

    def kept(features, targets, weights, **words):
        found.append((features, targets, words["emphasis"], true(features, targets, weights, **words)))
        return found[-1][-1]

    monkeypatch.setattr(closed_form, "ridge", kept)
    monkeypatch.setattr(wide_part, "STANDARD_ERRORS", -5.0)  # so that both have a share
    wide = fitted(wide_kernels="all").model_.wide
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
    first, second = warm
    judged = []
    for share in wide_part.SHARES:
        scores = share * second.left_out + (1 - share) * first.left_out
        proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        judged.append(-np.log(proba[np.arange(40), codes]))
    changes = [own - judged[0] for own in judged]
    bounds = [change.mean() - 5 * change.std(ddof=1) / 40**0.5 for change in changes]
    share = wide_part.SHARES[int(np.argmin(bounds))]
    assert share > 0
    features = np.stack([wide.features.transform(rows) for rows in further.model_.prepare(X)])
    own = features[:, : wide.features.without_competing]
    theirs = np.concatenate(
        [features[:, wide.features.statistics], features[:, wide.features.without_competing :]], axis=1
    )
    expected = (1 - share) * (own @ first.weight.T + first.bias)
    expected += share * (theirs @ second.weight.T + second.bias)
    np.testing.assert_allclose(wide.scores(further.model_.prepare(X)), expected, rtol=1e-3, atol=1e-3)


def test_a_file_gives_the_same_bits_and_batch_mates_change_nothing(further, tmp_path):
    further.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    found = further.predict_proba(X)
    np.testing.assert_array_equal(loaded.predict_proba(X), found)
    np.testing.assert_array_equal(np.concatenate([loaded.predict_proba([x]) for x in X]), found)
    np.testing.assert_array_equal(loaded.predict_proba(X[::-1])[::-1], found)


def test_what_cannot_be_done_is_said(further, tmp_path):
    with pytest.raises(UsageError, match="not written for the further kernels .* wide_kernels='random'"):
        further.export(tmp_path / "m.onnx")
    with pytest.raises(
        UsageError, match=r"train with wide=False, or run it with recurra\.load_model\(path\)\.$"
    ):
        further.export(tmp_path / "m", to="c")
    with pytest.raises(UsageError, match="wide_kernels must be one of .*'all'.*got 'competng'"):
        fitted(wide_kernels="competng")


def test_of_running_sums_alone_the_same_is_said_and_of_neither_that_onnx_is_written(tmp_path):
    sums = fitted(wide_kernels="all")  # competing kernels have no share in these data
    with pytest.raises(UsageError, match="not written for the further kernels"):
        sums.export(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=r"or run it with recurra\.load_model\(path\)\.$"):
        sums.export(tmp_path / "m", to="c")
    with pytest.raises(UsageError, match=r"or export to ONNX\.$"):
        fitted().export(tmp_path / "m", to="c")


@pytest.mark.parametrize("kernels", ["random", "all"])
def test_a_file_whose_linear_part_is_not_of_finite_numbers_is_refused(kernels):
    wide = fitted(wide_kernels=kernels).model_.wide
    description, arrays = wide.to_manifest()
    spreads = [name for name in arrays if name.endswith("spread")]
    assert len(spreads) == (2 if kernels == "all" else 1)
    for name in ("weight", "bias", *spreads):
        for value in (np.nan, np.inf, 1e-45):
            broken = arrays[name].copy()
            broken.flat[0] = value
            if value == 1e-45 and name not in spreads:
                continue
            with pytest.raises(StoreError, match="wide part must be finite|spread of the .* makes no sense"):
                WidePart.from_manifest(description, {**arrays, name: broken}, channels=1, outputs=2)
    again = WidePart.from_manifest(description, arrays, channels=1, outputs=2)
    np.testing.assert_array_equal(
        again.scores([X[0].astype(np.float32)]), wide.scores([X[0].astype(np.float32)])
    )


def test_an_explanation_by_occlusion_asks_both_parts(further):
    told = further.explain(X[0], method="occlusion", target="fast")
    model, size = further.model_, told.details["window"]
    zero, one = (model.prepare([np.full((1, 1), value)])[0][0, 0] for value in (0.0, 1.0))
    whole, alone = model.outputs([X[0]])[0, 0], model.of_network.outputs([X[0]])[0, 0]
    assert told.output == pytest.approx(whole, abs=1e-4) != pytest.approx(alone, abs=1e-2)
    for first in range(0, len(X[0]), size):
        without = X[0].copy()
        without[first : first + size] = -zero / (one - zero)  # the mean, which the scaled channel has as 0
        fall = whole - model.outputs([without])[0, 0]
        np.testing.assert_allclose(told.values[first : first + size].sum(), fall, atol=1e-3)


@pytest.mark.parametrize("gain", [0.0, 2.0])
def test_a_second_answer_has_a_share_only_where_it_is_surely_better(gain):
    draws = np.random.default_rng(1)
    codes = draws.integers(0, 3, 200)
    true = np.eye(3)[codes]
    first, second = true + draws.normal(size=(200, 3)), gain * true + draws.normal(size=(200, 3))
    words = {"shares": wide_part.SHARES, "standard_errors": 2.0}
    found = closed_form.surely_better_share(first, second, codes, np.ones(200), **words)
    assert (found > 0) is (gain > 0)
    # An item of weight 50 is not 50 items: neither shares nor how sure they are change, also where the gain is weak.
    for weak in np.linspace(0.2, 1.2, 11):
        second = weak * true + draws.normal(size=(200, 3))
        weights = draws.uniform(0.1, 3, 200)
        expected = _share_by_formula(first, second, codes, weights)
        for times in (1, 0.02, 50):
            found = closed_form.surely_better_share(first, second, codes, times * weights, **words)
            assert found == expected


def _share_by_formula(first, second, codes, weights):
    """Return the share by scikit-learn's log loss, and by the plain standard error of a weighted mean."""
    changes = []
    for share in wide_part.SHARES:
        proba = softmax(share * second + (1 - share) * first, axis=1)
        changes.append(
            [log_loss([code], [own], labels=[0, 1, 2]) for code, own in zip(codes, proba, strict=True)]
        )
    bounds = []
    for change in np.array(changes) - np.array(changes[0]):
        mean = np.average(change, weights=weights)
        each = weights / weights.sum()
        error = np.sqrt((each**2 * (change - mean) ** 2).sum() * 200 / 199)
        bounds.append(mean + 2 * error)
    return wide_part.SHARES[int(np.argmin(bounds))]
