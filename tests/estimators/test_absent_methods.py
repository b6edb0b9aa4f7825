"""A method that an estimator has not names one that it has."""

import copy
import inspect
import pickle

import pytest
from sklearn.utils.validation import check_is_fitted

import every_task
import recurra
from recurra.insight.absent_methods import ANSWERS, INSTEAD, OF_SOME_TASKS, called

NAMES = sorted(every_task.TASKS)


def methods(name):
    found = inspect.getmembers(getattr(recurra, name), callable)
    return {
        m for m, _ in found if not m.startswith("_") and not m.endswith("_request")
    }  # those are of scikit-learn


EVERY = set().union(*(methods(name) for name in NAMES))


def test_every_estimator_and_every_method_that_only_some_have_is_known():
    assert set(ANSWERS) == set(NAMES)
    assert {m for m in EVERY if any(m not in methods(name) for name in NAMES)} - {"score"} == OF_SOME_TASKS


@pytest.mark.parametrize("name", NAMES)
def test_what_is_absent_is_one_sentence_that_names_methods_which_are_there(name):
    estimator, own = every_task.make(name), methods(name)
    absent = sorted((EVERY | set(INSTEAD)) - own - set(vars(estimator)))  # transform is an option of one
    assert absent
    for method in absent:
        with pytest.raises(AttributeError) as raised:
            getattr(estimator, method)
        sentence = str(raised.value)
        assert sentence.startswith(f"{name} has no method {method!r}: ")
        assert sentence.count(". ") == 0
        named = called(sentence)
        assert named <= own, sentence
        assert named or "recurra.load_model(" in sentence or "recurra.draw" in sentence
        assert not hasattr(estimator, method)
        assert getattr(estimator, method, None) is None


@pytest.mark.parametrize(
    ("name", "method", "told"),
    [
        ("TextGenerator", "predict", "generate(prompt) writes what follows a text"),
        ("TextGenerator", "predict_proba", "score(X) says how well texts are foretold"),
        ("AnomalyDetector", "predict_proba", "score_samples(X)"),
        ("AnomalyDetector", "score", "evaluate(X, y)"),
        ("Forecaster", "predict_proba", "forecast(X) gives intervals"),
        ("Forecaster", "stream", "update(observed)"),
        ("SequenceRegressor", "predict_proba", "predict_quantiles(X)"),
        ("SequenceClassifier", "forecast", "predict(X) gives the class"),
        ("VideoClassifier", "transform", "frame_features(X)"),
        ("Translator", "generate", "translate(X)"),
        ("SequenceLabeler", "partial_fit", "resume=True"),
    ],
)
def test_what_is_named(name, method, told):
    with pytest.raises(AttributeError) as raised:
        getattr(every_task.make(name), method)
    assert told in str(raised.value)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_absent_is_not_listed_and_other_names_stay_pythons(name):
    estimator = every_task.make(name)
    listed = {m for m in dir(estimator) if not m.startswith("_") and not m.endswith("_request")}
    assert methods(name) <= listed
    assert not (EVERY | set(INSTEAD)) - methods(name) - set(vars(estimator)) & listed
    for other in ("model_", "evalute", "_sklearn_anything"):
        with pytest.raises(AttributeError, match=f"^'{name}' object has no attribute '{other}'"):
            getattr(estimator, other)


def test_an_estimator_of_a_users_own_class_is_told_as_well():
    class Own(recurra.TextGenerator):
        def forecast(self):
            return "its own"

        @property
        def broken(self):
            return self.nothing_at_all

    assert Own().forecast() == "its own"
    assert "forecast" in dir(Own())

    with pytest.raises(AttributeError, match=r"^TextGenerator has no method 'predict': generate\(prompt\)"):
        Own().predict  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing_at_all'"):
        Own().broken  # noqa: B018


def test_copies_and_files_of_pickle_are_as_before():
    estimator = recurra.SequenceClassifier(hidden_size=4, max_epochs=1, random_state=0, verbose=0)
    every_task.fit(estimator)
    for again in (copy.copy(estimator), copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))):
        check_is_fitted(again)
        assert (
            again.predict(every_task.SEQUENCES).tolist() == estimator.predict(every_task.SEQUENCES).tolist()
        )
