"""How texts are read, and sentences given as lists of words where signals may be given as well."""

from typing import Any

from recurra.checks import are_token_lists, as_texts, as_token_lists, by_hand
from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.fitting import text_inputs
from recurra.fitting.tasks import signals
from recurra.fitting.tasks.sequences import Learned, Reading
from recurra.inputs.sequences import Given
from recurra.options import SequenceLabelerOptions, TextOptions, Vocabulary, WordVectors, options_of

# What acts on one kind of what a labeler reads.
OF_SIGNALS = ("features", "frontend", "scaling", "missing")
OF_WORDS = tuple(name for group in (WordVectors, Vocabulary) for name in options_of(group))
WordOptions = TextOptions | SequenceLabelerOptions


def read(estimator: Any, X: Any, *, reset: bool) -> tuple[list[str], list[str] | None]:
    """Return texts, and their names where X is a Dataset."""
    return as_texts(X, who=type(estimator).__name__)


def features(options: WordOptions, given: Given) -> Learned:
    """Learn the vocabulary from the part that trains."""
    texts: list[Any] = given.sequences
    found, rows, facts = text_inputs.fit_words(options, texts, given.weights)
    return Learned(Chain([found], 0), rows, facts)


def front(options: WordOptions, learned: Learned) -> dict[str, Any] | None:
    """Describe the layers that read words."""
    first: Any = learned.features.steps[0]
    return text_inputs.front(options, first, learned.first_vectors)


def told(options: WordOptions, learned: Learned, manifest: dict[str, Any]) -> dict[str, Any]:
    """Add what is known of the words."""
    return manifest | ({"text": learned.facts} if learned.facts else {})


TEXTS = Reading(read, None, features, front, told=told, takes_static=False)


# Sentences as lists of words are read as texts are; everything else as signals.
def read_words(estimator: Any, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
    """Return sentences or signals; a model reads what it was trained on."""
    tokens = are_token_lists(X)
    if not reset and hasattr(estimator, "model_"):
        tokens = not estimator.model_.features.reads_numbers
    if tokens:
        return as_token_lists(X, who=type(estimator).__name__)
    return signals.SIGNALS.read(estimator, X, reset=reset)


def _are_words(given: Given) -> bool:
    return isinstance(given.sequences[0], list)


def check_words(options: SequenceLabelerOptions, given: Given) -> None:
    """Raise DataError naming the first signal that cannot be learned from, UsageError at an option of the other kind.

    Words themselves are checked as they are read.
    """
    words, known = _are_words(given), options_of(type(options))
    values = {name: getattr(options, name) for name in known}
    for name in by_hand(values, known, OF_SIGNALS if words else OF_WORDS):
        kinds = ("signals", "words") if words else ("words", "signals")
        raise UsageError(f"{type(options).__name__}: {name}= is for {kinds[0]}; leave it out for {kinds[1]}.")
    if not words:
        signals.check(options, given)


def features_of_words(options: SequenceLabelerOptions, given: Given) -> Learned:
    """Learn the vocabulary of sentences, or the features of signals."""
    if not _are_words(given):
        return signals.features(options, given)
    return features(options, given)


def front_of_words(options: SequenceLabelerOptions, learned: Learned) -> dict[str, Any] | None:
    """Describe the layers before the recurrence."""
    return (signals.front if learned.features.reads_numbers else front)(options, learned)


WORDS_OR_SIGNALS = Reading(read_words, check_words, features_of_words, front_of_words, told=told)
