"""`Translator` as users meet it: what it learns, remembers, refuses and says."""

import numpy as np
import pytest
from sklearn.base import clone

import recurra
from recurra import store
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.records import Dataset, Record

SMALL = {
    "hidden_size": 24,
    "dropout": 0.0,
    "batch_size": 16,
    "learning_rate": 0.01,
    "max_epochs": 20,
    "validation_fraction": 0.0,
    "random_state": 0,
    "verbose": 0,
}
X = [a + b + c for a in "abcd" for b in "abcd" for c in "abcd"]
Y = [x[::-1].upper() for x in X]
LEARNED = [i for i in range(64) if i % 3]
UNSEEN = [i for i in range(64) if not i % 3]


def of(indices):
    return [X[i] for i in indices], [Y[i] for i in indices]


@pytest.fixture(scope="module")
def fitted():
    return recurra.Translator(**SMALL | {"max_epochs": 40}).fit(*of(LEARNED))


def test_it_learns_to_turn_words_round(fitted):
    assert fitted.score(*of(LEARNED)) == 1
    assert fitted.score(*of(UNSEEN)) >= 0.7
    assert fitted.max_length_ == 6
    assert fitted.model_.manifest["training"]["lengths"] == [3] * len(LEARNED)
    assert fitted.history_[-1]["train_loss"] < fitted.history_[0]["train_loss"]


def test_a_file_brings_it_back_with_and_without_torch(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    assert again.predict(X).tolist() == fitted.predict(X).tolist()
    assert again.get_params()["hidden_size"] == 24
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light")
    assert light.predict(X).tolist() == fitted.predict(X).tolist()
    assert light.translate(X[:3], beam_size=2, n_best=2) == fitted.translate(X[:3], beam_size=2, n_best=2)


def test_the_same_seed_gives_the_same_weights_in_any_order_of_the_data():
    words = SMALL | {"max_epochs": 2, "dropout": 0.2, "scheduled_sampling": 0.3, "label_smoothing": 0.1}
    one = recurra.Translator(**words).fit(X, Y)
    other = recurra.Translator(**words).fit(X[::-1], Y[::-1])
    assert one.model_.fingerprint == other.model_.fingerprint


def test_a_pair_twice_is_a_pair_of_weight_two():
    words = SMALL | {"max_epochs": 2}
    twice = recurra.Translator(**words).fit([*X, X[0]], [*Y, Y[0]])
    weights = np.ones(len(X))
    weights[0] = 2
    weighted = recurra.Translator(**words).fit(X, Y, sample_weight=weights)
    assert twice.model_.fingerprint == weighted.model_.fingerprint


def test_training_goes_on_bit_for_bit(tmp_path):
    words = SMALL | {"max_epochs": 4, "dropout": 0.2, "validation_fraction": 0.45}
    whole = recurra.Translator(**words).fit(X, Y)

    class Stop:
        def __getattr__(self, name):
            return lambda *args: None

        def on_epoch_end(self, run):
            if run.epoch == 3:
                raise KeyboardInterrupt

    part = recurra.Translator(**words, checkpoint_dir=tmp_path, callbacks=[Stop()])
    with pytest.raises(KeyboardInterrupt):
        part.fit(X, Y)
    rest = recurra.Translator(**words, checkpoint_dir=tmp_path).fit(X, Y, resume=True)
    assert rest.model_.fingerprint == whole.model_.fingerprint


def test_a_training_begun_with_undivided_attention_is_not_gone_on_with(tmp_path):
    words = SMALL | {"max_epochs": 2, "verbose": 0, "checkpoint_dir": tmp_path}
    recurra.Translator(**words).fit(X, Y)
    for path in tmp_path.glob("*.recurra"):
        manifest, arrays = store.load(path)
        assert manifest["identity"]["words"].pop("attention_scaled") is True
        manifest["finished"] = False
        store.save(path, manifest, arrays)
    with pytest.raises(UsageError, match="attention_scaled is True"):
        recurra.Translator(**words).fit(X, Y, resume=True)


def test_a_fitted_one_goes_on_from_its_weights(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra").set_params(max_epochs=1, verbose=0)
    again.fit(X, Y, resume=True)
    assert again.history_[0]["train_loss"] < fitted.history_[0]["train_loss"] / 2


def test_tokens_in_tokens_known():
    sounds = {"a": "AH", "b": "B", "c": "S IY", "d": "D"}
    targets = [[s for letter in x for s in sounds[letter].split()] for x in X]
    model = recurra.Translator(**SMALL).fit(X, targets)
    assert model.predict(["abc"]).tolist() == ["AH B S IY"]
    ((best,),) = model.translate(["abc"])
    assert best.symbols == ("AH", "B", "S", "IY")
    assert "symbol_error_rate" in model.evaluate(X, targets).metrics


def test_evaluation_says_what_it_should(fitted, tmp_path):
    sources, targets = of(LEARNED)
    ev = fitted.evaluate(sources, [*targets[:-1], "AAAA"])
    m = ev.metrics
    assert m["n_test"] == 42
    assert m["exact_match"] == 41 / 42
    assert 0 < m["character_error_rate"] < m["character_error_rate_baseline"]
    page = ev.to_html()
    assert "Mistake by mistake" in page
    assert "Right would be: AAAA" in page
    assert page.count("<svg") >= 6
    assert "exactly right" in ev.summary()
    ev.save(tmp_path / "r.html")
    named = fitted.evaluate(X[:3], Y[:3], baseline=Y[:3])
    assert named.metrics["exact_match_baseline"] == 1


def test_an_explanation_shows_where_it_looked(fitted):
    e = fitted.explain("abcd", target="DCBA")
    assert e.source == ("(begin)", *"abcd", "(end)")
    assert e.weights.shape == (5, 6)
    assert e.to_svg().startswith("<svg")
    assert e.plot().axes
    assert "least sure of" in e.summary()
    assert e.to_dict()["target"][-1] == "(end)"


def test_words_of_decoding_can_be_changed_after_fit(fitted):
    wide = clone(fitted).set_params(beam_size=4)
    wide.model_ = fitted.model_
    assert wide.predict(X[:4]).tolist() == [a.text for (a, *_) in fitted.translate(X[:4], beam_size=4)]


def test_lists_of_different_length_are_named():
    with pytest.raises(DataError, match="got 3 sources in X and 2 entries in y"):
        recurra.Translator(**SMALL).fit(["a", "b", "c"], ["A", "B"])


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (
            ["ab", ""],
            ["A", "B"],
            "the source of sequence 1 is empty; a pair needs at least one symbol on each",
        ),
        (["ab", "b"], ["A", " "], "the target of sequence 1 is empty"),
        (["ab", "b"], [["A"], []], "the target of sequence 1 is empty"),
        (["ab", "b"], None, "requires y to be passed, but the target y is None"),
        (
            ["ab", 3],
            ["A", "B"],
            r"X: sequence 1 must be a text or a list of tokens; got 3. Turn numbers into text",
        ),
        (["ab", ["b"]], ["A", "B"], "X: holds both texts and lists of tokens"),
        ("ab", ["A"], r"X: expected a list of texts; got str. Pass \[X\] for a single one"),
        ([], [], "X: found 0 texts"),
    ],
)
def test_pairs_that_cannot_be_used_are_named(sources, targets, message):
    with pytest.raises(DataError, match=message):
        recurra.Translator(**SMALL).fit(sources, targets)


def test_an_empty_source_is_refused_when_asked(fitted):
    with pytest.raises(DataError, match="sequence 1 is empty"):
        fitted.predict(["ab", ""])


def test_a_symbol_never_seen_is_named_and_answered(fitted):
    with pytest.warns(RecurraWarning, match=r"never seen in training \('é'\); they are read as unknown"):
        (answer,) = fitted.predict(["aéb"])
    assert set(answer) <= set("ABCD")


def test_a_longer_target_than_any_in_training_is_judged_and_never_cut_in_silence(fitted):
    ev = fitted.evaluate(["abcabcabca"], ["ACBACBACBA"])
    assert ev.metrics["n_test"] == 1
    ((short,),) = fitted.translate(["abc"], max_length=2)
    assert short.cut
    assert short.text == "CB"
    with pytest.warns(RecurraWarning, match="1 of 1 answer did not end within 1 symbol"):
        recurra.Translator(**SMALL | {"max_epochs": 1})._from_model(
            type(fitted.model_)(
                {**fitted.model_.manifest, "max_length": 1},
                fitted.model_.source,
                fitted.model_.target,
                fitted.model_.weights,
            ),
            {},
        ).predict(["abc"])


def test_a_data_set_of_pairs_is_taken():
    data = Dataset([Record(x, label=y) for x, y in zip(X, Y, strict=True)], kind="pairs")
    model = recurra.Translator(**SMALL | {"max_epochs": 1}).fit(data)
    assert len(model.translate(data)) == len(X)
    assert data.class_counts() == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"attention": "none"},
            "Translator: attention must be one of 'dot', 'general', 'additive'; got 'none'",
        ),
        ({"source_level": "letter"}, "Translator: source_level must be one of 'character', 'word', 'bpe'"),
        ({"label_smoothing": 1.0}, r"Translator: label_smoothing must be a number in \[0, 1\); got 1.0"),
        ({"source_marks": 2}, "Translator: source_marks must be True or False; got 2"),
        ({"input_feeding": "yes"}, "Translator: input_feeding must be True or False; got 'yes'"),
    ],
)
def test_words_out_of_range_are_named(words, message):
    with pytest.raises(UsageError, match=message):
        recurra.Translator(**SMALL | words).fit(X, Y)


def test_asking_before_fitting_says_so():
    with pytest.raises(recurra.errors.RecurraError, match="is not fitted yet"):
        recurra.Translator().predict(["a"])


def test_predict_takes_the_options_of_a_search(fitted):
    sources = of(LEARNED)[0][:5]
    several = fitted.predict(sources, beam_size=6, n_best=3)
    assert several.shape == (5, 3)
    expected = [[one.text for one in own] for own in fitted.translate(sources, beam_size=6, n_best=3)]
    assert several.tolist() == expected
    assert fitted.predict(sources, beam_size=6).tolist() == [own[0] for own in expected]
    assert fitted.predict(sources, n_best=4).shape == (5, 4)  # the beam is wide enough by itself
    assert fitted.model_.predict(sources, n_best=2).shape == (5, 2)
    with pytest.raises(UsageError, match=r"n_best must be a whole number in \[1, 2\]; got 3"):
        fitted.predict(sources, beam_size=2, n_best=3)
    with pytest.raises(UsageError, match=r"n_best must be a whole number of at least 1; got 0"):
        fitted.predict(sources, n_best=0)
