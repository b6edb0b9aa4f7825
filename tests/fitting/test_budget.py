"""What is done with ``budget_s``: what is compared, kept, said and refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import recurra
from recurra.errors import StoreError, UsageError
from recurra.fitting import budget as budgets
from recurra.fitting.budget import FILE
from recurra.recipes import recipe
from recurra.training import checkpoints

rng = np.random.default_rng(0)
X = [rng.normal(loc=i % 2, size=(int(rng.integers(4, 9)), 2)) for i in range(30)]
CLASSES = np.array(["down", "up"])[np.arange(30) % 2]
STEPS = [np.where(x[:, 0] > 0, "h", "l") for x in X]
TEXTS = [f"{'oil leaks' if i % 2 else 'no power'} at gate {i}" for i in range(30)]
TASKS = {
    "SequenceClassifier": (X, CLASSES),
    "SequenceRegressor": (X, np.array([x.sum() for x in X])),
    "SequenceLabeler": (X, STEPS),
    "TextClassifier": (TEXTS, CLASSES),
    "TextRegressor": (TEXTS, np.array([float(i % 5) for i in range(30)])),
}


def make(name="SequenceClassifier", **options):
    return getattr(recurra, name)(**{"random_state": 0, "verbose": 0, "budget_s": 1000.0, **options})


def weights(estimator):
    return estimator.model_.weights


def assert_same_weights(one, other):
    assert weights(one).keys() == weights(other).keys()
    for name, array in weights(one).items():
        np.testing.assert_array_equal(array, weights(other)[name])


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Let two folds, 5 epochs and two members be enough, so that no outcome depends on the clock."""
    monkeypatch.setattr(budgets, "FOLDS", 2)
    monkeypatch.setattr(recipe, "STEPS", 1)
    monkeypatch.setattr(budgets, "MOST_MEMBERS", 2)


@pytest.fixture
def prefers(monkeypatch):
    """Let the comparison choose a recipe by its number."""

    def choose(number):
        monkeypatch.setattr(budgets, "_best", lambda candidates, losses: candidates[number])

    return choose


@pytest.mark.parametrize(("name", "number"), [(name, i % 2) for i, name in enumerate(TASKS)])
def test_the_parameters_kept_repeat_the_weights_without_a_budget(name, number, prefers):
    prefers(number)
    found = make(name).fit(*TASKS[name])
    kept = found.model_.manifest["params"]
    assert kept["budget_s"] is None
    assert kept["members"] == len(found.model_.members) == 2
    by_hand = getattr(recurra, name)(**kept).fit(*TASKS[name])
    assert_same_weights(found, by_hand)
    assert found.get_params()["budget_s"] == 1000.0


def test_members_are_trained_until_the_time_is_used(monkeypatch):
    took = [SimpleNamespace(result=SimpleNamespace(train_seconds=seconds)) for seconds in (1.0, 2.0)]
    for used, another in ((0.0, True), (7.7, True), (7.9, False), (20.0, False)):
        monkeypatch.setattr(budgets.Budget, "used", lambda _, used=used: used)
        assert budgets.Budget(10.0).room_for_another(took[:1]) is (used + 1.1 <= 10)
        monkeypatch.setattr(budgets, "MOST_MEMBERS", 3)
        assert budgets.Budget(10.0).room_for_another(took) is another
        assert budgets.Budget(10.0, begun=3).room_for_another(took)
    assert not budgets.Budget(1e9).room_for_another(took * 2)


def test_the_recipe_says_what_was_compared_and_what_was_taken(prefers):
    prefers(2)
    said = make().fit(X, CLASSES).recipe_
    assert "Compared in" in said
    assert "the usual recipe 0." in said
    assert "taken was cell='gru'." in said
    assert "Within the budget of 1000 s: 2 members." in said


def test_a_file_of_a_chosen_cell_is_loaded_and_trained_on(tmp_path, prefers):
    prefers(2)
    found = make().fit(X, CLASSES)
    found.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    np.testing.assert_array_equal(loaded.predict_proba(X), found.predict_proba(X))
    loaded.set_params(max_epochs=1).fit(X, CLASSES, resume=True)
    assert len(loaded.model_.members) == len(found.model_.members)
    found.set_params(budget_s=None, max_epochs=1).fit(X, CLASSES, resume=True)
    assert found.model_.manifest["network"]["cell"] == "gru"


@pytest.mark.parametrize(
    "given", [{"hidden_size": 7}, {"cell": "gru"}, {"max_epochs": 2}, {"pooling": "max"}]
)
def test_options_that_are_given_are_not_compared(given, monkeypatch):
    monkeypatch.setattr(budgets, "_compare", None)  # calling it would fail
    found = make(budget_s=0.3, **given).fit(X, CLASSES)
    assert {name: found.model_.manifest["params"][name] for name in given} == given


def test_a_candidate_leaves_every_other_option_as_given(monkeypatch):
    seen = []
    others = budgets._others
    monkeypatch.setattr(budgets, "_others", lambda *a: seen.extend(found := others(*a)) or found)
    make(patience=3, class_weight="balanced", causal=True).fit(X, CLASSES)
    assert seen
    assert all(not own["wide"] and not own["bidirectional"] for own in seen)
    assert {name for own in seen for name in own}.isdisjoint(
        {"patience", "class_weight", "causal", "missing"}
    )


def test_groups_are_never_cut_in_the_folds(monkeypatch):
    from recurra.inputs.sequences import Given

    monkeypatch.setattr(budgets, "FOLDS", 3)
    groups = np.arange(30) // 4
    given = Given(sequences=X, y=np.arange(30) % 2, groups=groups, weights=np.ones(30))
    for stratified in (True, False):
        parts = budgets._folds(given, stratified, 0)
        assert len(parts) == budgets.FOLDS
        for learn, held in parts:
            assert not set(groups[learn]) & set(groups[held])
            assert sorted([*learn, *held]) == list(range(30))
    assert (
        budgets._folds(
            Given(sequences=X, y=np.arange(30) % 2, groups=groups // 4, weights=np.ones(30)), True, 0
        )
        == []
    )


def _stop_after(monkeypatch, count, where=checkpoints.Checkpoints):
    seen = []

    def stop(self, run):
        seen.append(run)
        if len(seen) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(where, "on_batch_end", stop)


def test_stopped_in_a_member_the_choice_is_kept_and_the_weights_are_those_of_no_stop(
    tmp_path, monkeypatch, prefers
):
    prefers(2)
    with monkeypatch.context() as patch:
        _stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint_dir=tmp_path).fit(X, CLASSES)
    kept = json.loads((tmp_path / FILE).read_text())
    assert kept["options"]["cell"] == "gru"
    assert kept["begun"] == 1
    assert 0 < kept["spent"] < 1000
    with monkeypatch.context() as patch:
        patch.setattr(budgets, "_compare", None)
        found = make(checkpoint_dir=tmp_path).fit(X, CLASSES, resume=True)
        again = make(checkpoint_dir=tmp_path).fit(X, CLASSES, resume=True)
    assert "taken was cell='gru'" in found.recipe_
    kept = found.model_.manifest["params"]
    assert_same_weights(found, recurra.SequenceClassifier(**kept).fit(X, CLASSES))
    # What came to its end stays what it was.
    assert len(again.model_.members) >= len(found.model_.members)
    for name, array in again.model_.members[0].items():
        np.testing.assert_array_equal(array, found.model_.members[0][name])


def test_stopped_in_the_comparison_it_is_made_anew(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(budgets, "loss_of", stop)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint_dir=tmp_path).fit(X, CLASSES)
    assert not (tmp_path / FILE).exists()
    found = make(checkpoint_dir=tmp_path).fit(X, CLASSES, resume=True)
    assert "Compared in" in found.recipe_
    assert_same_weights(found, recurra.SequenceClassifier(**found.model_.manifest["params"]).fit(X, CLASSES))


def test_a_choice_of_another_training_is_refused_and_a_new_fit_makes_its_own(tmp_path):
    make(checkpoint_dir=tmp_path).fit(X, CLASSES)
    before = (tmp_path / FILE).read_text()
    for other, y in (({"random_state": 1}, CLASSES), ({"patience": 4}, CLASSES), ({}, CLASSES[::-1])):
        with pytest.raises(
            UsageError, match=r"decided\.json was decided for other data, options or another seed"
        ):
            make(checkpoint_dir=tmp_path, **other).fit(X, y, resume=True)
    assert (tmp_path / FILE).read_text() == before
    make(checkpoint_dir=tmp_path).fit(X, CLASSES[::-1])
    assert json.loads((tmp_path / FILE).read_text())["of"] != json.loads(before)["of"]


def test_a_choice_made_before_an_option_existed_goes_on_where_the_option_is_not_given(tmp_path, monkeypatch):
    true = budgets.plain_params
    first = make(checkpoint_dir=tmp_path).fit(X, CLASSES)
    kept = json.loads((tmp_path / FILE).read_text())
    assert "patience" in kept.pop("names")
    (tmp_path / FILE).write_text(json.dumps(kept))  # an earlier version kept no names
    with pytest.raises(UsageError, match="was decided for other data, options"):
        make(checkpoint_dir=tmp_path, patience=4).fit(X, CLASSES, resume=True)
    assert_same_weights(make(checkpoint_dir=tmp_path).fit(X, CLASSES, resume=True), first)
    # The next option that is added is one that the file has no name of.
    for name in ("patience", "wide", "scaling"):
        with monkeypatch.context() as patch:
            patch.setattr(
                budgets, "plain_params", lambda own, no=name: {n: v for n, v in true(own).items() if n != no}
            )
            make(checkpoint_dir=tmp_path / name).fit(X, CLASSES)
        with monkeypatch.context() as patch:
            patch.setattr(budgets, "_compare", None)
            make(checkpoint_dir=tmp_path / name).fit(X, CLASSES, resume=True)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"of": 1, "options": 3}', "[" * 5000, "\x00\xff", '{"options": {}, "spent": 1}'],
)
def test_a_damaged_choice_is_our_error(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin1"))
    with pytest.raises(StoreError, match=r"decided\.json: is damaged\. Give another checkpoint_dir"):
        make(checkpoint_dir=tmp_path).fit(X, CLASSES, resume=True)


def test_a_budget_for_fitted_weights_is_refused():
    found = make(budget_s=0.2).fit(X, CLASSES)
    with pytest.raises(
        UsageError, match=r"budget_s=0\.2 chooses a recipe and members for a new training, and this one"
    ):
        found.fit(X, CLASSES, resume=True)


def test_time_used_and_left_is_shown_where_training_shows_how_far_it_is(capsys):
    make(verbose=2).fit(X, CLASSES)
    shown = capsys.readouterr().err
    assert "budget: fold 1 of 2, recipe 1 of 4, loss" in shown
    assert "budget: member 1, " in shown
    assert "of 1000 s used, " in shown
    assert " s left" in shown
    make(verbose=0).fit(X, CLASSES)
    assert capsys.readouterr().err == ""


def test_a_recipe_is_taken_only_where_it_is_better_by_more_than_chance():
    candidates = [{"n": 0}, {"n": 1}, {"n": 2}]
    base = np.array([1.0, 1.2, 0.8, 1.1])
    surely, hardly = base - np.array([0.5, 0.4, 0.5, 0.6]), base - np.array([1.0, -0.9, 0.5, -0.5])
    assert budgets._best(candidates, {0: [base], 1: [hardly], 2: [surely]}) == {"n": 2}
    assert budgets._best(candidates, {0: [base], 1: [hardly], 2: []}) == {"n": 0}
    assert budgets._best(candidates, {0: [base[:1]], 1: [surely[:1]], 2: []}) == {"n": 0}


def training_data(n=40, classes=True):
    target = SimpleNamespace(task="classification" if classes else "regression")
    return SimpleNamespace(target=target, given=SimpleNamespace(sequences=[None] * n))


def test_where_classes_are_told_apart_a_network_of_convolutions_needs_no_more_than_the_lower_loss():
    usual = {"wide": True, "max_epochs": 5}
    candidates = [usual, *budgets._others(make(), usual, training_data())]
    base = np.array([1.0, 1.2, 0.8, 1.1])
    hardly = base - np.array([1.0, -0.9, 0.5, -0.5])
    chosen = budgets._best(candidates, {0: [base], 1: [hardly], 2: [hardly], 3: []})
    assert chosen == {**usual, "frontend": "convolutions", "batch_size": 16, "lr_schedule": "cosine"}
    assert budgets._best(candidates, {0: [base], 1: [base + 0.1], 2: [hardly], 3: []}) == usual
    # These two are trained on every fold before the others are on any; without them all are alike.
    order = budgets._order(candidates, 2)
    assert order == [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (3, 0), (2, 1), (3, 1)]
    assert budgets._order([{"n": 0}, {"n": 1}], 2) == [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_a_network_that_goes_on_keeps_the_front_that_a_budget_chose(prefers):
    prefers(1)
    found = make().fit(X, CLASSES)
    kept = found.model_.manifest["params"]
    assert (kept["frontend"], kept["batch_size"], kept["lr_schedule"]) == ("convolutions", 16, "cosine")
    found.set_params(budget_s=None).fit(X, CLASSES, resume=True)
    again = found.model_.manifest["params"]
    assert all(again[name] == kept[name] for name in ("frontend", "batch_size", "lr_schedule"))
    # One of the two given anew: it is as given, and the other stays as it was chosen.
    found.set_params(batch_size=8).fit(X, CLASSES, resume=True)
    again = found.model_.manifest["params"]
    assert (again["frontend"], again["batch_size"], again["lr_schedule"]) == ("convolutions", 8, "cosine")


def test_options_that_happen_to_be_those_of_a_budget_are_not_taken_for_its_choice():
    own = {"frontend": "convolutions", "batch_size": 16, "lr_schedule": "cosine"}
    found = make(budget_s=None, wide=True, max_epochs=1, **own).fit(X, CLASSES)
    found.set_params(batch_size=32, lr_schedule="constant").fit(X, CLASSES, resume=True)
    kept = found.model_.manifest["params"]
    assert (kept["batch_size"], kept["lr_schedule"]) == (32, "constant")


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceRegressor"])
def test_a_network_that_goes_on_takes_what_no_budget_chose_from_its_options(name):
    found = make(name, budget_s=None, wide=True, lr_schedule="cosine", batch_size=8, max_epochs=1).fit(
        *TASKS[name]
    )
    found.set_params(lr_schedule="constant", batch_size=32).fit(*TASKS[name], resume=True)
    kept = found.model_.manifest["params"]
    assert (kept["lr_schedule"], kept["batch_size"]) == ("constant", 32)


@pytest.mark.parametrize(
    ("data", "more"),
    [(training_data(2001), {}), (training_data(classes=False), {}), (training_data(), {"wide": None})],
)
def test_elsewhere_convolutions_must_be_surely_better(data, more):
    usual = {"wide": True, "max_epochs": 5, **more}
    candidates = [usual, *budgets._others(make(), usual, data)]
    assert candidates[1] == {**usual, "frontend": "convolutions"}
    base = np.array([1.0, 1.2, 0.8, 1.1])
    hardly = base - np.array([1.0, -0.9, 0.5, -0.5])
    assert budgets._best(candidates, {0: [base], 1: [hardly], 2: [], 3: []}) == usual
    assert budgets._order(candidates, 1) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_the_linear_part_comes_before_the_members_and_so_within_the_budget(monkeypatch):
    from recurra.fitting import fit as fitting
    from recurra.fitting.tasks import sequences

    order = []
    learn, train = sequences._linear_part, fitting.train_member
    monkeypatch.setattr(sequences, "_linear_part", lambda *g: [order.append("linear"), learn(*g)][1])
    monkeypatch.setattr(fitting, "train_member", lambda *g, **k: [order.append("member"), train(*g, **k)][1])
    make(budget_s=0.5).fit(X, CLASSES)
    first = order.index("member")
    assert order[first - 1] == "linear"
    assert "linear" not in order[first:]
