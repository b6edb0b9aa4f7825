"""What to call where an estimator has no method of a name: those of other tasks, of scikit-learn and of torch."""

import inspect
import re
from typing import Any

# What answers, by the estimator.
ANSWERS = {
    "SequenceClassifier": "predict(X) gives the class of each sequence, predict_proba(X) the probabilities",
    "SequenceRegressor": "predict(X) gives the numbers of each sequence",
    "SequenceLabeler": "predict(X) gives the label of each step, segments(X) the stretches of one label",
    "TextClassifier": "predict(X) gives the class of each text, predict_proba(X) the probabilities",
    "TextRegressor": "predict(X) gives the numbers of each text",
    "VideoClassifier": "predict(X) gives the class of each clip, predict_proba(X) the probabilities",
    "TextGenerator": "generate(prompt) writes what follows a text, score(X) says how well texts are foretold",
    "Translator": "predict(X) gives an answer to each text, translate(X) several with their scores",
    "Forecaster": "predict(X) gives the next steps, forecast(X) their intervals too",
    "AnomalyDetector": "predict(X) gives 1 or -1 for each step, score_samples(X) numbers, segments(X) the anomalies",
}
# What to call for a method that only some have, or none: the first sentence whose methods the estimator has.
INSTEAD = {
    "predict_proba": (
        "score_samples(X) says how normal each step is",
        "forecast(X) gives intervals",
        "translate(X) gives scores",
        "predict_quantiles(X), after training with loss='quantile', says how sure a number is",
        "score(X) says how well texts are foretold",
    ),
    "predict_log_proba": ("numpy.log of predict_proba(X) is the same",),
    "predict_quantiles": (
        "forecast(X) gives intervals",
        "predict_proba(X) gives probabilities",
        "score_samples(X) says how normal each step is",
    ),
    "decision_function": ("predict_proba(X) gives the score of each class",),
    "score_samples": ("predict_proba(X) gives the score of each class",),
    "score": ("evaluate(X, y) judges on labelled data",),
    "transform": ("frame_features(X) gives what the network reads of each clip",),
    "fit_transform": ("frame_features(X) gives what the network reads of each clip",),
    "fit_predict": ("fit(X, y) comes first, then predict(X)", "fit(X) comes first, then generate(prompt)"),
    "partial_fit": ("fit(X, y, resume=True) goes on from the weights of a fitted one",),
    "train": ("fit(X, y) trains",),
    "stream": (
        "update(observed) takes in what came since, and predict() goes on from there",
        "write(prompt) gives what follows piece by piece",
        "score_samples(X) answers for what is there so far",
        "predict(X) answers each text as it comes",
    ),
    "update": ("stream() takes what comes row by row", "fit(X, y, resume=True) learns on"),
    "backtest": ("evaluate(X, y) judges on data that were not trained on",),
    "generate": ("forecast(X) goes on from where a series ends",),
    "load": ("recurra.load_model(path) reads what save(path) wrote",),
    "plot": ("evaluate(X, y).save('report.html') draws the answers, recurra.draw.network(estimator) the network",),
    "summary": ("recurra.draw.network(estimator) draws the network, get_params() has the options",),
    **dict.fromkeys(
        ("forward", "parameters", "named_parameters", "state_dict", "load_state_dict", "eval", "to", "cuda"),
        ("torch_network() is the trained network as a module of torch",),
    ),
}  # fmt: skip
# Methods of one task; with any other estimator what answers is named.
OF_SOME_TASKS = {
    "predict", "predict_proba", "predict_quantiles", "segments", "stream", "decision_function", "score_samples",
    "fit_predict", "frame_features", "word_scores", "word_cloud", "generate", "write", "translate", "align", "forecast",
    "update", "backtest",
}  # fmt: skip


class Absent:
    """Stands for a method that an estimator has not: whoever asks for it is told what to call instead.

    Parameters
    ----------
    sentence : str
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Raise AttributeError, so that there is no such method for ``hasattr``."""
        raise AttributeError(self.sentence)


def name_absent_methods(estimator: type) -> None:
    """Let every method of the tables that an estimator's class has not say what to call instead."""
    if estimator.__name__ not in ANSWERS:
        return
    has = {name for name in dir(estimator) if not name.startswith("_") and not is_absent(estimator, name)}
    for name in (INSTEAD.keys() | OF_SOME_TASKS) - has:
        told = next((sentence for sentence in INSTEAD.get(name, ()) if called(sentence) <= has), None)
        sentence = f"{estimator.__name__} has no method {name!r}: {told or ANSWERS[estimator.__name__]}."
        setattr(estimator, name, Absent(sentence))


def is_absent(estimator: type, name: str) -> bool:
    """Whether a name stands for a method that the class has not."""
    return isinstance(inspect.getattr_static(estimator, name, None), Absent)


def called(sentence: str) -> set[str]:
    """Return the methods of an estimator that a sentence names: words before a bracket, with no dot before them."""
    return set(re.findall(r"(?<![\w.])(\w+)\(", sentence))
