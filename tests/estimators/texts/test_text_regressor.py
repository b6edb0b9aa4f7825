"""`TextRegressor`: numbers from texts, in every form in which a network answers, and whole numbers questioned."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import recurra
from recurra import TextRegressor
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record
from recurra.runs.plan import prepare

pytest.importorskip("tokenizers")
GOOD, BAD = ("great", "lovely", "fine", "superb"), ("awful", "broken", "poor", "dull")
SMALL = {"hidden_size": 6, "embedding_size": 6, "max_epochs": 3, "random_state": 0, "verbose": 0}


def reviews(count, seed=0):
    rng = np.random.default_rng(seed)
    texts, scores = [], []
    for _ in range(count):
        good, bad = rng.integers(0, 4, 2)
        words = [*rng.choice(GOOD, good), *rng.choice(BAD, bad), "the", "thing"]
        texts.append(" ".join(rng.permutation(words)))
        scores.append(10 + 2.0 * good - 1.5 * bad)
    return texts, np.array(scores)


@pytest.fixture(scope="module")
def fitted():
    # A linear part beside a small network, as the recipe has them.
    return recurra.TextRegressor(**{**SMALL, "wide": True}).fit(*reviews(120))


def test_the_linear_part_ends_a_quarter_of_the_range_beyond_the_numbers_learned_from(fitted):
    model, y = fitted.model_, reviews(120)[1]
    alone = replace(model, wide=replace(model.wide, share=1.0, weight=1000 * model.wide.weight))
    found = alone.predict(reviews(60, seed=1)[0])
    room = 0.25 * np.ptp(y)
    np.testing.assert_allclose([found.min(), found.max()], [y.min() - room, y.max() + room], rtol=1e-5)


def test_the_numbers_are_learned(fitted):
    assert fitted.score(*reviews(60, seed=1)) > 0.7
    found = fitted.evaluate(*reviews(60, seed=1)).metrics
    assert found["mae"] < 0.6 * found["mae_baseline"]


def test_quantiles_hold_what_they_promise():
    texts, scores = reviews(400)
    scores = scores + np.random.default_rng(2).normal(size=400)
    reg = recurra.TextRegressor(random_state=0, verbose=0, loss="quantile").fit(texts[:150], scores[:150])
    low, _, high = reg.predict_quantiles(texts[150:]).T
    assert 0.7 < np.mean((low <= scores[150:]) & (scores[150:] <= high)) < 0.9


@pytest.mark.parametrize(
    "options", [{}, {"wide": True}, {"loss": "quantile"}, {"tokens": "character"}, {"members": 2}]
)
def test_a_file_and_the_light_runtime_answer_the_same(options, tmp_path):
    texts, scores = reviews(40)
    reg = recurra.TextRegressor(**{**SMALL, "wide": False, **options}).fit(texts, scores)
    reg.save(tmp_path / "m.recurra")
    expected = reg.predict(texts[:9])
    assert expected.shape == (9,)
    for runtime in ("full", "light"):
        model = recurra.load_model(tmp_path / "m.recurra", runtime=runtime)
        np.testing.assert_array_equal(model.predict(texts[:9]), expected)
    if options.get("loss") == "quantile":
        quantiles = reg.predict_quantiles(texts[:9])
        assert quantiles.shape == (9, 3)
        np.testing.assert_array_equal(quantiles[:, 1], expected)


def test_several_numbers_a_text_even_as_many_as_it_has_letters():
    texts = ["ab cd", "ef gh", "ab gh", "cd ef"] * 4
    y = [np.arange(5.0) + i % 4 for i in range(16)]  # five letters, five numbers: still a table
    reg = recurra.TextRegressor(**SMALL).fit(texts, y)
    assert reg.predict(texts).shape == (16, 5)
    both = recurra.TextRegressor(wide=True, **SMALL).fit(texts, y)
    assert both.predict(texts).shape == (16, 5)


def test_what_raises_and_what_lowers_the_number(fitted):
    found = fitted.word_scores(reviews(60)[0])
    assert set(GOOD) <= set(found["higher"])
    assert set(BAD) <= set(found["lower"])
    assert all(by > 0 for words in found.values() for by in words.values())
    about = fitted.explain("great awful", method="occlusion")
    assert about.values[0] > 0 > about.values[1]
    assert about.target is None  # the only number there is needs no name
    with pytest.raises(UsageError, match=r"explain: target must be in 0\.\.0; got 1"):
        fitted.explain("great", target=1, method="occlusion")


def test_signals_are_sent_elsewhere():
    reg = recurra.TextRegressor(**SMALL)
    with pytest.raises(DataError, match="Use SequenceRegressor for numbers over time"):
        reg.fit([np.zeros((3, 2))] * 4, [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(DataError, match="Use SequenceRegressor for signals"):
        reg.fit(Dataset([Record(np.zeros((3, 2)), label=1.0)]))


def plan(labels, tmp_path, task=None):
    texts, _ = reviews(len(labels))
    data = Dataset(
        [Record(t, label=y) for t, y in zip(texts, labels, strict=True)], kind="text", source="d.csv"
    )
    return prepare(data, task, tmp_path / "r", {}, {}, test=None, by=None, seed=0)


def test_whole_numbers_as_labels_of_texts(tmp_path):
    """Prices are numbers; scores of 1 to 5 are classes, which is told; many whole numbers are questioned."""
    prices = [0.5 * n for n in range(60)]
    assert (plan(prices, tmp_path).plan.task, plan(prices, tmp_path).estimator.__class__.__name__) == (
        "regress",
        "TextRegressor",
    )
    scores = [n % 5 + 1 for n in range(60)]
    taken = plan(scores, tmp_path)
    assert taken.plan.task == "classify"
    (note,) = (note for note in taken.dataset.notes if "whole numbers" in note)
    assert note.startswith(
        "The labels are 5 different whole numbers, taken as classes; task='regress' learns"
    )
    for task in ("regress", "regression"):
        told = plan(scores, tmp_path, task)
        assert told.plan.task == "regress"
        assert not any("whole numbers" in note for note in told.dataset.notes)
    assert not plan([n % 2 for n in range(60)], tmp_path).dataset.notes
    with pytest.raises(DataError, match="60 different whole numbers"):
        plan(list(range(60)), tmp_path)


def test_look_says_the_same(tmp_path):
    texts, _ = reviews(60)
    rows = "".join(f"{text},{n % 5 + 1}\n" for n, text in enumerate(texts))
    (tmp_path / "scores.csv").write_text("text,label\n" + rows)
    found = recurra.look(tmp_path / "scores.csv")
    assert found.task == "TextClassifier"
    assert any("5 different whole numbers, taken as classes" in remark for remark in found.remarks)
    (tmp_path / "prices.csv").write_text("text,label\n" + rows.replace("\n", ".25\n"))
    assert recurra.look(tmp_path / "prices.csv").task == "TextRegressor"


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_an_explanation_is_in_the_units_of_the_numbers(method):
    """The output it named was that of the network, -0.7 beside a prediction of 1,500, and the number was called '0'."""
    texts = ["works well, lovely", "works, fine", "poor, broken", "awful, it broke"] * 8
    prices = [2900.0, 2400.0, 1400.0, 1100.0] * 8
    reg = recurra.TextRegressor(hidden_size=8, max_epochs=8, random_state=0, verbose=0).fit(texts, prices)
    found = reg.explain(texts[0], method=method)
    assert found.output == pytest.approx(float(reg.predict([texts[0]])[0]), rel=1e-5)
    assert found.target is None
    assert "to '0'" not in found.summary()
    if method == "integrated_gradients":
        assert found.values.sum() - found.error == pytest.approx(found.details["change"], rel=1e-5)
    else:
        shorter = float(reg.predict(["well, lovely"])[0])
        assert found.values[0] == pytest.approx(found.output - shorter, rel=1e-3)


@pytest.mark.parametrize(
    ("odd", "said"), [(float("nan"), "NaN: text 2 has no"), (float("inf"), "infinity: text 2 has")]
)
def test_a_missing_number_is_named(odd, said):
    with pytest.raises(DataError, match=f"TextRegressor: Input y contains {said}"):
        recurra.TextRegressor(verbose=0).fit(["a b", "c d", "e f"], [1.0, 2.0, odd])
    with pytest.raises(DataError, match="text 0 has 'good'. For classes use TextClassifier"):
        recurra.TextRegressor(verbose=0).fit(["a b", "c d"], ["good", "bad"])


@pytest.mark.parametrize("loss", ["mse", "quantile"])
@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_texts_are_learned_without_a_warning(loss, count):
    texts, y = ["good thing", "bad thing"][:count], [1.0, 3.0][:count]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = TextRegressor(loss=loss, random_state=0, verbose=0).fit(texts, y)
    assert np.isfinite(model.predict(texts)).all()
