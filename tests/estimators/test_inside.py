"""A look inside each of the ten estimators: an answer, or a sentence that says what to use."""

import re

import numpy as np
import pytest

import recurra
from every_task import CLIPS, PAIRS, SEQUENCES, TASKS, TEXTS, WAVE, fit, make
from recurra.errors import UsageError
from recurra.estimators.base import NotFittedError

ONE = {
    "TextClassifier": TEXTS[0],
    "TextRegressor": TEXTS[0],
    "TextGenerator": "the cat sat",
    "Translator": PAIRS[0],
    "VideoClassifier": CLIPS[0],
    "Forecaster": WAVE,
    "AnomalyDetector": WAVE[:, None],
}
VARIANTS = {
    "plain": {},
    "members": {"members": 2},
    "convolutions": {"frontend": "convolutions"},
    "patches": {"frontend": {"name": "patches", "window": 2}},
    "deep": {"num_layers": 2, "cell": "gru", "bidirectional": True},
    "attention": {"pooling": ("last", "attention")},
    "crf": {"crf": True},
    "letters": {"letters": 6, "subwords": 4},
    "characters": {"tokens": "character"},
    "tied": {"tie_embeddings": True, "input_feeding": True},
    "bare": None,
}
# What has nothing to tell, and a word of what it names in its place.
INSTEAD = {
    ("Forecaster", "explain"): r"forecast\(X\)\.plot\(\)",
    ("Forecaster", "trace"): r"draw\.network\(forecaster\)",
    ("Forecaster", "gradient_flow"): "history_",
    ("AnomalyDetector", "explain"): r"segments\(X\)",
    ("AnomalyDetector", "gradient_flow"): r"trace\(x\)",
    ("TextGenerator", "explain"): r"trace\(text\)",
    ("Translator", "trace"): r"explain\(source\)",
    ("Translator", "gradient_flow"): "history_",
}


def cases():
    found = []
    for name in TASKS:
        known = recurra.options.options_of(getattr(recurra, name))
        for variant, given in VARIANTS.items():
            of_words = name == "SequenceLabeler" and variant == "letters"  # which reads signals here
            if all(word in known for word in given or ()) and not of_words:
                found.append(pytest.param(name, variant, id=f"{name}-{variant}"))
    return found


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def get(name, variant):
        if (name, variant) not in made:
            given = VARIANTS[variant]
            if given is None:  # the recipe decides, the linear part stands beside
                own = {w: v for w, v in TASKS[name][0].items() if w in ("horizon", "backbone", "image_size")}
                small = {"max_epochs": 1} if name in ("VideoClassifier", "AnomalyDetector") else {}
                estimator = getattr(recurra, name)(random_state=0, verbose=0, **own, **small)
            else:
                estimator = make(name, max_epochs=1, **given)
            made[name, variant] = fit(estimator)
        return made[name, variant]

    return get


def parameters(estimator):
    """All trained numbers of a model file: of every member, and of the linear part."""
    model = estimator.model_
    wide = getattr(model, "wide", None)
    beside = 0 if wide is None else wide.weight.size + wide.bias.size
    statistics = sum(w.size for n, w in model.weights.items() if ".running_" in n)  # of a normalization
    return sum(w.size for w in model.weights.values()) - statistics + beside


@pytest.mark.parametrize(("name", "variant"), cases())
def test_the_drawing_counts_every_parameter(fitted, name, variant):
    estimator = fitted(name, variant)
    blocks, _, total = recurra.draw.network(estimator).description.rpartition(". ")
    members = estimator.model_.manifest.get("members", 1)
    shown = [int(found.replace(",", "")) for found in re.findall(r"([\d,]+) parameters", blocks)]
    beside = getattr(estimator.model_, "wide", None)
    linear = 0 if beside is None else shown.pop()  # drawn last, once
    assert members * sum(shown) + linear == parameters(estimator)
    assert total.endswith(f"{parameters(estimator):,} parameters in all.")
    assert "Other parameters" not in blocks
    assert "× 0" not in blocks


@pytest.mark.parametrize(("name", "variant"), cases())
@pytest.mark.parametrize("method", ["explain", "trace", "gradient_flow"])
@pytest.mark.filterwarnings("ignore:.*gradients tell of the network")
def test_each_look_inside_answers_or_says_what_to_use(fitted, name, variant, method):
    estimator, given = fitted(name, variant), TASKS[name][1]
    asked = given if method == "gradient_flow" else (ONE.get(name, SEQUENCES[0]),)
    if (name, method) in INSTEAD:
        with pytest.raises(UsageError, match=f"{name}: {method} is for .*{INSTEAD[name, method]}"):
            getattr(estimator, method)(*asked)
        return
    assert getattr(estimator, method)(*asked).plot() is not None


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("method", ["explain", "trace", "gradient_flow"])
def test_nothing_is_told_before_fit(name, method):
    with pytest.raises(NotFittedError):
        getattr(make(name), method)(None)
    with pytest.raises(NotFittedError):
        recurra.draw.network(make(name))


@pytest.mark.parametrize("name", [n for n in TASKS if n not in ("TextGenerator", "Forecaster", "Translator")])
@pytest.mark.parametrize("method", ["explain", "trace"])
def test_one_sequence_is_taken_in_a_list_and_several_are_refused(fitted, name, method):
    if (name, method) in INSTEAD:
        pytest.skip("has nothing to tell")
    estimator, one = fitted(name, "plain"), ONE.get(name, SEQUENCES[0])
    assert repr(getattr(estimator, method)([one])) == repr(getattr(estimator, method)(one))
    for several in (
        [one, one, one],
        recurra.load([one, one, one]) if isinstance(one, np.ndarray) and one.ndim == 2 else [one] * 3,
    ):
        with pytest.raises(
            UsageError, match=rf"{name}: {method} takes one (sequence|text|clip); got 3\. Give one"
        ):
            getattr(estimator, method)(several)


def test_words_of_a_text_stand_above_its_states(fitted):
    traced = fitted("TextClassifier", "plain").trace("Oil leaks at gate 3", name="a text")
    assert list(traced.words) == ["oil", "leaks", "at", "gate", "3"]
    svg = traced.plot().svg
    assert all(word in svg for word in ("oil", "leaks", "Token"))
    assert "5 tokens" in traced.summary()


def test_a_labeler_of_words_traces_a_sentence():
    sentences = [["the", "cat", "sat"], ["a", "dog", "ran", "off"]] * 8
    labels = [["d", "n", "v", "p"][: len(s)] for s in sentences]
    model = make("SequenceLabeler", max_epochs=1).fit(sentences, labels)
    assert list(model.trace(sentences[0]).words) == sentences[0]
    assert list(model.trace([sentences[0]]).words) == sentences[0]
    with pytest.raises(UsageError, match="trace takes one sentence; got 16"):
        model.trace(sentences)
    with pytest.raises(UsageError, match=r"explain is for signals.*trace\(words\)"):
        model.explain(sentences[0])


def test_two_recurrences_are_unrolled_one_at_a_time(fitted):
    with pytest.raises(
        UsageError, match=r"has 2 recurrent layers; give one .* estimator\.torch_network\(\)\.encoder"
    ):
        recurra.draw.unrolled(fitted("Forecaster", "plain"))
    assert recurra.draw.unrolled(fitted("Forecaster", "plain").torch_network().encoder)
    assert recurra.draw.unrolled(fitted("TextClassifier", "letters"))
