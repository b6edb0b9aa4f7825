"""What estimators that read text share: vocabulary and vectors, the front, explanations by words."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.checks import as_texts, check_choice
from recurra.errors import DataError, MissingExtraError, UsageError
from recurra.fitting import recipe
from recurra.estimators.sequence_estimator import SequenceEstimator
from recurra.fitting.targets import Target
from recurra.evaluation.explanation import Explanation
from recurra.features.chain import Chain
from recurra.features.embeddings import WordVectors, scaled_rows
from recurra.features.text import FIRST_LETTER, Words
from recurra.options import Tokens, Vocabulary
from recurra.options import WordVectors as WordVectorOptions

METHODS = ("integrated_gradients", "occlusion")
LETTER_SIZE = 24
# Runs of letters share rows of a table by their hash, as in fastText; 5,000 words have some 50,000 different runs, and
# with a quarter of these rows a network lost a percent of accuracy on words.
SUBWORD_ROWS = 2**16
MAX_CLOUDS = 4

_log = logging.getLogger(__name__)


class ReadsWords(WordVectorOptions, Vocabulary, SequenceEstimator):
    """The steps of fitting that differ where ``_fit_features`` read words, by `fit_words`, and kept what it returned."""

    vocabulary_: dict[str, int]
    _rows: np.ndarray | None
    _found: dict[str, Any]

    def _front(self, features: Chain) -> dict[str, Any] | None:
        return super()._front(features) if features.reads_numbers else front(self, features)

    def _build(self, features: Chain, output_size: int, resume: bool, longest: int) -> Any:
        network = super()._build(features, output_size, resume, longest)
        rows = self.__dict__.pop("_rows", None)
        if not resume:
            put_vectors(network, rows)
        return network

    def _manifest(self, X: Any, target: Target) -> dict[str, Any]:
        found = self.__dict__.pop("_found", None)
        if found is None and hasattr(self, "model_"):
            found = self.model_.manifest.get("text")
        return super()._manifest(X, target) | ({"text": found} if found else {})

    def _learned(self) -> None:
        super()._learned()
        self.__dict__.pop("vocabulary_", None)  # of an earlier fit
        for step in self.model_.features.steps:
            if isinstance(step, Words):
                self.vocabulary_ = step.vocabulary


def fit_words(
    estimator: ReadsWords, texts: Sequence[str], weights: np.ndarray | None
) -> tuple[Words, np.ndarray | None, dict[str, Any]]:
    """Return the fitted words, the rows that trainable vectors begin with, and what to tell about them."""
    e = estimator
    vectors = _vectors(e)
    max_tokens = getattr(e, "max_tokens", None)
    options: dict[str, Any] = {
        "level": e.tokens
        if isinstance(e, Tokens)
        else "token",  # an estimator without the word reads lists of words
        "lowercase": bool(e.lowercase),
        "min_count": int(e.min_count),
        "max_vocabulary": e.max_vocabulary if isinstance(e, Tokens) else None,
        "letters": e.letters > 0 or e.subwords > 0,
        "max_tokens": max_tokens,
    }
    more: list[str] = [] if vectors is None else vectors.words[: int(e.extra_words)]
    words = Words.fit(texts, weights, more_words=more, **options)
    cut = words.cut(texts)
    if cut:
        told = (type(e).__name__, cut, len(texts), max_tokens)
        _log.warning("%s: %d of %d texts have more than %d tokens and were cut", *told)
    if vectors is None:
        return words, None, {"words": len(words.vocabulary), "with_vector": len(words.vocabulary), "cut": cut}
    seen = sorted({token for text in texts for token in words.tokens(text)})
    vocabulary = sorted(words.vocabulary, key=lambda token: words.vocabulary[token])
    rows, found = scaled_rows(vectors, vocabulary, seen)
    _log.info("%s: %d of %d words have a vector", type(e).__name__, found["with_vector"], found["words"])
    found |= {"cut": cut}
    return (words, rows, found) if e.train_vectors else (words.with_vectors(rows), None, found)


def _vectors(estimator: ReadsWords) -> WordVectors | None:
    given = estimator.vectors
    if given is None:
        return None
    if isinstance(estimator, Tokens) and estimator.tokens != "word":
        raise UsageError(
            f"{type(estimator).__name__}: vectors are of words; got tokens={estimator.tokens!r}. Use tokens='word'."
        )
    return given if isinstance(given, WordVectors) else WordVectors.load(given)


def front(estimator: ReadsWords, features: Chain) -> dict[str, Any]:
    """Describe the layers before the recurrence; see `recurra.nn.text`."""
    words: Any = features.steps[0]
    trained = words.vectors is None
    rows = getattr(estimator, "_rows", None)
    size = int(estimator.embedding_size) if rows is None else int(rows.shape[1])
    return {
        "name": "text",
        "words": len(words.vocabulary) if trained else 0,
        "size": size if trained else int(words.vectors.shape[1]),
        "letters": FIRST_LETTER + len(words.alphabet) if estimator.letters else 0,
        "letter_size": LETTER_SIZE,
        "spelling": int(estimator.letters),
        "subwords": SUBWORD_ROWS if estimator.subwords else 0,
        "subword_size": int(estimator.subwords),
        "dropout": float(estimator.input_dropout),
    }


def put_vectors(network: Any, rows: np.ndarray | None) -> None:
    """Let trainable vectors begin with pretrained ones."""
    if rows is None:
        return
    import torch

    with torch.no_grad():
        network.front.words.copy_(torch.from_numpy(rows))


def explain(
    estimator: ReadsWords, x: Any, *, method: str, target: Any, options: Mapping[str, Any]
) -> Explanation:
    """Explain one prediction by the words of the text."""
    who = type(estimator).__name__
    check_choice(who, "method", method, METHODS)
    if not isinstance(x, str):
        raise UsageError(f"{who}: explain takes one text; got {type(x).__name__}.")
    texts, _ = as_texts([x], who=who)
    model: Any = estimator.model_
    if model.wide is not None and method != "occlusion":
        recipe.warn_of_one_part(who, model.wide)
        model = model.of_network
    outputs = model.outputs(texts)[0]
    known = estimator.classes_.tolist()
    if target is not None:
        check_choice("explain", "target", target, known)
    index = int(outputs.argmax()) if target is None else known.index(target)
    words = model.features.steps[0].tokens(x)
    if method == "occlusion":
        if options:
            raise UsageError(
                "explain: method 'occlusion' has no options for texts; each word is left out in turn."
            )
        values, error = _without_each(model, texts[0], index, float(outputs[index])), None
        details: dict[str, Any] = {}
    else:
        values, error, details = _along_the_way(estimator, texts[0], index, options)
    return Explanation(
        values=values,
        input=words,
        method=method,
        kind="text",
        target=known[index],
        output=float(outputs[index]),
        error=error,
        details=details,
    )


def _without_each(model: Any, text: str, index: int, whole: float) -> np.ndarray:
    """Return how far the output falls without each token; an average, unknown word stands where the only one was."""
    from recurra.ragged import Ragged
    from recurra.serving.prediction import network_outputs, portions

    if model.wide is not None:
        # Both parts read the text again; what stands between two tokens is a blank, or nothing between characters.
        words = model.features.steps[0]
        between = "" if words.level == "character" else " "
        cut = words.tokens(text)
        left = [between.join([*cut[:at], *cut[at + 1 :]]) or "?" for at in range(len(cut))]
        return whole - np.asarray(model.outputs(left))[:, index].astype(np.float64)
    (rows,) = model.prepare([text])
    if len(rows) == 1:
        variants = [np.zeros_like(rows)]
    else:
        variants = [np.delete(rows, at, axis=0) for at in range(len(rows))]
    found = []
    for portion in portions(variants):
        inputs = Ragged.from_list(portion)
        run = model.own_network
        found.append(
            run(inputs)
            if run is not None
            else network_outputs(model.manifest["network"], model.weights, inputs)
        )
    return whole - np.concatenate(found)[:, index].astype(np.float64)


def _along_the_way(
    estimator: ReadsWords, text: str, index: int, options: Mapping[str, Any]
) -> tuple[np.ndarray, float | None, dict[str, Any]]:
    """Return integrated gradients of what the front gives, summed for each token."""
    import torch

    from recurra.evaluation.integrated_gradients import integrated_gradients
    from recurra.ragged import Ragged

    for word in options:
        if word != "points":
            raise UsageError(
                f"explain: method 'integrated_gradients' has no option {word!r}; its options are points."
            )
    if estimator.model_.own_network is not None:
        raise UsageError("explain: the words of a network= of your own are explained by method='occlusion'.")
    network, model = estimator.torch_network(), estimator.model_
    (rows,) = model.prepare([text])  # type: ignore[list-item] # a text is a sequence here
    with torch.no_grad():
        read = network.front(Ragged(torch.from_numpy(rows), [len(rows)])).values.numpy()
    network.front = None
    found = integrated_gradients(network, read, target=index, **options)
    return found.per_step, found.error, dict(found.details)


def word_scores(estimator: ReadsWords, texts: Sequence[str]) -> dict[Any, dict[str, float]]:
    """Return for each class the words that speak for it, read alone, and by how much it leads."""
    reader: Any = estimator.model_.features.steps[0]
    words = sorted({token for text in texts for token in reader.tokens(text)})
    words = [word for word in words if any(letter.isalnum() for letter in word)]
    if not words:
        raise DataError(
            f"{type(estimator).__name__}: the texts hold no word. Give texts with letters or digits."
        )
    model: Any = estimator.model_
    proba = np.asarray(model.predict_proba(words), dtype=np.float64)
    best, ordered = proba.argmax(axis=1), np.sort(proba, axis=1)
    lead = ordered[:, -1] - ordered[:, -2] if proba.shape[1] > 1 else ordered[:, -1]
    return {
        label: {words[i]: float(lead[i]) for i in np.flatnonzero(best == number)}
        for number, label in enumerate(estimator.classes_.tolist())
    }


def clouds(estimator: ReadsWords, texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what word clouds show of the classes with the most words, at most `MAX_CLOUDS`."""
    scores = {str(label): own for label, own in word_scores(estimator, texts).items() if own}
    most = sorted(scores, key=lambda label: -len(scores[label]))[:MAX_CLOUDS]
    return {label: own for label, own in scores.items() if label in most}


def pictures(estimator: ReadsWords, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the word clouds for a report, with a caption; nothing where the package that lays them out is absent."""
    from recurra.evaluation.word_cloud import word_clouds_svg

    try:
        svg = word_clouds_svg(clouds(estimator, texts))
    except MissingExtraError as error:
        _log.warning("%s", error)
        return []
    except DataError:  # texts without a word
        return []
    caption = "Words of these texts, each read alone: the larger, the surer the network is of the class."
    return [(svg, caption)]
