"""Which words of a text speak for an answer, and which words stand for a class."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.checks import as_texts, check_choice, check_torch
from recurra.errors import DataError, MissingExtraError, UsageError
from recurra.evaluation.explanations.explanation import Explanation
from recurra.inputs.sequences import only_one
from recurra.insight.explanations.sequences import (
    in_units_of_y,
    medians,
    target_index,
    warn_of_one_part,
)
from recurra.serving.models.fitted_model import middle

METHODS = ("integrated_gradients", "occlusion")
MAX_CLOUDS = 4
# Stop words that do speak for a class.
NEGATIONS = frozenset({"no", "nor", "not", "cannot", "never", "n't", "against", "very", "too"})

_log = logging.getLogger(__name__)


def explain(estimator: Any, x: Any, *, method: str, target: Any, options: Mapping[str, Any]) -> Explanation:
    """Explain one prediction by the words of the text."""
    who = type(estimator).__name__
    check_choice(who, "method", method, METHODS)
    x = only_one(x, f"{who}: explain takes one text", rank=0)
    if not isinstance(x, str):
        raise UsageError(f"{who}: explain takes one text; got {type(x).__name__}.")
    texts, _ = as_texts([x], who=who)
    model: Any = estimator.model_
    outputs = model.outputs(texts)
    index = target_index(estimator, outputs, target)
    if model.wide is not None and method != "occlusion":
        warn_of_one_part(who, model.wide)
        model = model.of_network
        outputs = model.outputs(texts)
    outputs = middle(outputs, model.quantiles)
    whole = float(outputs[0, index])
    words = model.features.steps[0].tokens(x)
    if method == "occlusion":
        if options:
            raise UsageError(
                "explain: method 'occlusion' has no options for texts; each word is left out in turn."
            )
        values, error = _without_each(model, texts[0], index, whole), None
        details: dict[str, Any] = {}
    else:
        values, error, details = _along_the_way(estimator, texts[0], index, options)
    numbered = index if outputs.shape[1] > 1 else None  # the only number there is needs no name
    found = Explanation(
        values=values,
        input=words,
        method=method,
        kind="text",
        target=numbered if model.task == "regression" else estimator.classes_.tolist()[index],
        output=whole,
        error=error,
        details={**details, "level": model.features.steps[0].level},
    )
    return in_units_of_y(model, found, index)


def _without_each(model: Any, text: str, index: int, whole: float) -> np.ndarray:
    """Return how far the output falls without each token; an average, unknown word stands where the only one was."""
    from recurra.ragged import Ragged
    from recurra.serving.prediction import portions
    from recurra.serving.streams.ensemble import outputs_of

    if model.wide is not None:
        # Both parts read the text again; what stands between two tokens is a blank, or nothing between characters.
        words = model.features.steps[0]
        between = "" if words.level == "character" else " "
        cut = words.tokens(text)
        left = [between.join([*cut[:at], *cut[at + 1 :]]) or "?" for at in range(len(cut))]
        without = middle(np.asarray(model.outputs(left)), model.quantiles)
        return whole - without[:, index].astype(np.float64)
    (rows,) = model.prepare([text])
    if len(rows) == 1:
        variants = [np.zeros_like(rows)]
    else:
        variants = [np.delete(rows, at, axis=0) for at in range(len(rows))]
    found = []
    for portion in portions(variants):
        inputs = Ragged.from_list(portion)
        run = model.own_network
        found.append(run(inputs) if run is not None else outputs_of(model.manifest, model.members, inputs))
    return whole - middle(np.concatenate(found), model.quantiles)[:, index].astype(np.float64)


def _along_the_way(
    estimator: Any, text: str, index: int, options: Mapping[str, Any]
) -> tuple[np.ndarray, float | None, dict[str, Any]]:
    """Return integrated gradients of what the front gives, summed for each token."""
    check_torch(f"{type(estimator).__name__}.explain with method='integrated_gradients'")
    import torch

    from recurra.evaluation.explanations.integrated_gradients import integrated_gradients
    from recurra.ragged import Ragged

    for word in options:
        if word != "points":
            raise UsageError(
                f"explain: method 'integrated_gradients' has no option {word!r}; its options are points."
            )
    if estimator.model_.own_network is not None:
        raise UsageError("explain: the words of a network= of your own are explained by method='occlusion'.")
    (rows,) = estimator.model_.prepare([text])
    found = []
    for member in range(len(estimator.model_.members)):
        network = estimator.torch_network(member)
        with torch.no_grad():
            read = network.front(Ragged(torch.from_numpy(rows), [len(rows)])).values.numpy()
        network.front = None
        found.append(integrated_gradients(medians(network, estimator.model_), read, target=index, **options))
    # Of several networks each tells of its own output; the mean adds up to the mean of the outputs.
    errors = [one.error for one in found if one.error is not None]
    values = np.mean([one.per_step for one in found], axis=0)
    details = dict(found[0].details)
    details |= {
        word: float(np.mean([one.details[word] for one in found])) for word in ("change",) if word in details
    }
    return values, float(np.mean(errors)) if errors else None, details


def word_scores(estimator: Any, texts: Sequence[str]) -> dict[Any, dict[str, float]]:
    """Return for each class the words that speak for it, read alone, and by how much it leads; of numbers `_shifts`."""
    reader: Any = estimator.model_.features.steps[0]
    words = sorted({token for text in texts for token in reader.tokens(text)})
    words = [word for word in words if any(letter.isalnum() for letter in word)]
    if not words:
        raise DataError(
            f"{type(estimator).__name__}: the texts hold no word. Give texts with letters or digits."
        )
    model: Any = estimator.model_
    if model.task == "regression":
        return _shifts(model, words)
    proba = np.asarray(model.predict_proba(words), dtype=np.float64)
    best, ordered = proba.argmax(axis=1), np.sort(proba, axis=1)
    lead = ordered[:, -1] - ordered[:, -2] if proba.shape[1] > 1 else ordered[:, -1]
    return {
        label: {words[i]: float(lead[i]) for i in np.flatnonzero(best == number)}
        for number, label in enumerate(estimator.classes_.tolist())
    }


def _shifts(model: Any, words: Sequence[str]) -> dict[Any, dict[str, float]]:
    """Return by how much words raise the first number over the mean of the training, and by how much others lower it."""
    numbers = np.asarray(model.predict(words), dtype=np.float64).reshape(len(words), -1)[:, 0]
    shift = dict(zip(words, (numbers - model.manifest["target"]["center"][0]).tolist(), strict=True))
    return {
        "higher": {word: by for word, by in shift.items() if by > 0},
        "lower": {word: -by for word, by in shift.items() if by < 0},
    }


def clouds(estimator: Any, texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what word clouds show of the headings of `word_scores` with the most words, at most `MAX_CLOUDS`."""
    scores = {
        str(label): _without_stop_words(own) for label, own in word_scores(estimator, texts).items() if own
    }
    most = sorted(scores, key=lambda label: -len(scores[label]))[:MAX_CLOUDS]
    return {label: own for label, own in scores.items() if label in most}


def _without_stop_words(scores: dict[str, float]) -> dict[str, float]:
    """Leave out the articles, pronouns and prepositions of English, which speak for a class by chance alone."""
    try:
        from wordcloud import STOPWORDS
    except ImportError:
        return scores  # whoever draws the cloud says what is missing
    kept = {
        word: s for word, s in scores.items() if word.lower() not in STOPWORDS or word.lower() in NEGATIONS
    }
    return kept or scores


def pictures(estimator: Any, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the word clouds for a report, with a caption; nothing where the package that lays them out is absent."""
    from recurra.evaluation.drawing.word_cloud import word_clouds_drawing

    try:
        svg = word_clouds_drawing(clouds(estimator, texts)).element
    except MissingExtraError as error:
        _log.warning("%s", error)
        return []
    except DataError:  # texts without a word
        return []
    means = (
        "further the number is from the mean of the training"
        if estimator.model_.task == "regression"
        else "surer the network is of the class"
    )
    caption = f"Words of these texts, each read alone: the larger, the {means}."
    return [(svg, caption)]
