"""``causal=True``: what is decided can stream, to the bit, and nothing else moves a bit."""

from functools import partial

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import UsageError
from recurra.recipes import recipe

rng = np.random.default_rng(0)
# Shorter than the kernels, as long, and longer.
LENGTHS = [1, 2, 3, 7, 8, 9, 15, 40] * 3
X = [rng.normal(loc=i % 2, size=(n, 2)) for i, n in enumerate(LENGTHS)]
CLASSES = np.array(["down", "up"])[np.arange(len(X)) % 2]
TASKS = {
    "SequenceClassifier": (X, CLASSES),
    "SequenceRegressor": (X, np.array([x.sum() for x in X])),
    "SequenceLabeler": (X, [np.where(x[:, 0] > 0, "h", "l") for x in X]),
    "TextClassifier": ([f"{'oil leaks' if i % 2 else 'no power'} at {i}" for i in range(24)], CLASSES),
    "TextRegressor": (
        [f"{'oil leaks' if i % 2 else 'no power'} at {i}" for i in range(24)],
        np.array([float(i % 5) for i in range(24)]),
    ),
}
SIGNALS = [name for name in TASKS if not name.startswith("Text")]
load_light = partial(recurra.load_model, runtime="light")


@pytest.fixture(scope="module", params=TASKS)
def fitted(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "STEPS", 1)  # 5 epochs
        return fit(request.param)


def fit(name, **options):
    return getattr(recurra, name)(causal=True, random_state=0, verbose=0, **options).fit(*TASKS[name])


def answers(model, sequences):
    return model.predict(sequences) if model.task == "regression" else model.predict_proba(sequences)


def streamed(stream, model, rows, chunk):
    found = []
    for first in range(0, len(rows), chunk):
        answer = stream.push(rows[first : first + chunk])
        found.append(answer.value if model.task == "regression" else answer.probabilities)
    return np.concatenate(found) if model.task == "labeling" else found[-1]


def check_streams(estimator, chunk):
    model = estimator.model_
    for rows in X[:8]:
        whole = answers(model, [rows])[0]
        np.testing.assert_array_equal(streamed(estimator.stream(), model, rows, chunk), whole)


@pytest.mark.parametrize("chunk", [1, 3, 40])
def test_a_stream_is_the_whole_in_any_chunks(fitted, chunk):
    if type(fitted).__name__ in SIGNALS:
        check_streams(fitted, chunk)
        return
    text = TASKS["TextClassifier"][0][0]
    stream = fitted.stream()
    for first in range(0, len(text), chunk):
        stream.push(text[first : first + chunk])
    last = stream.finish()
    found = last.value if fitted.model_.task == "regression" else last.probabilities
    np.testing.assert_array_equal(found, answers(fitted.model_, [text])[0])


def test_the_recipe_is_one_that_can_stream(fitted):
    network = fitted.model_.manifest["network"]
    assert network["bidirectional"] is False
    assert fitted.model_.wide is None
    if type(fitted).__name__ in ("SequenceClassifier", "SequenceRegressor"):
        assert network["front"]["name"] == "convolutions"
        assert network["front"]["causal"] is True
    assert fitted.recipe_.startswith("Recipe: a network with bidirectional=False, ")


@pytest.mark.parametrize("name", SIGNALS)
def test_members_behind_convolutions_stream_too(name):
    estimator = fit(name, frontend="convolutions", members=2, max_epochs=2, hidden_size=6)
    assert estimator.model_.manifest["network"]["front"]["causal"] is True
    check_streams(estimator, 3)
    streams = recurra.Streams(estimator.model_)
    for name, chunk in (("a", 2), ("b", 5)):
        whole = answers(estimator.model_, [X[7]])[0]
        for first in range(0, 40, chunk):
            answer = streams.push(name, X[7][first : first + chunk])
        last = answer.value if estimator.model_.task == "regression" else answer.probabilities
        found = last[-1] if estimator.model_.task == "labeling" else last
        expected = whole[-1] if estimator.model_.task == "labeling" else whole
        np.testing.assert_array_equal(np.ravel(found)[-np.size(expected) :], np.ravel(expected))


def test_batch_mates_order_and_threads_move_no_bit(fitted):
    given = TASKS[type(fitted).__name__][0]
    whole = answers(fitted.model_, given)
    back = answers(fitted.model_, given[::-1])[::-1]
    for k in range(len(given)):
        np.testing.assert_array_equal(back[k], whole[k])
        np.testing.assert_array_equal(answers(fitted.model_, [given[k]])[0], whole[k])
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for one, other in zip(answers(fitted.model_, given), whole, strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        torch.set_num_threads(before)


def test_the_light_runtime_answers_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    light, given = load_light(tmp_path / "m.recurra"), TASKS[type(fitted).__name__][0]
    for one, other in zip(answers(light.model_, given), answers(fitted.model_, given), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("word", "why"), [("bidirectional", "reads from the end"), ("wide", "reads whole sequences")]
)
def test_what_cannot_stream_is_refused(word, why):
    with pytest.raises(UsageError) as caught:
        fit("SequenceClassifier", **{word: True})
    assert str(caught.value) == (
        "SequenceClassifier: causal=True asks for a network that can stream, and "
        f"{word}=True {why}. Leave one of them out."
    )
