"""What is decided of sequences and texts where no option of network and training is given."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.features.texts.ngrams import are_single_words
from recurra.options import (
    Causal,
    Design,
    Directions,
    Pooling,
    Recurrence,
    Signals,
    Training,
    Wide,
    options_of,
)
from recurra.serving.models.wide import Wide as WidePart

if TYPE_CHECKING:
    # what `recurra look` asks of a recipe needs none of it, and should not wait for its imports
    from recurra.inputs.sequences import Given
    from recurra.inputs.targets import Target

# What a recipe may decide.
DECIDED = (
    "wide",
    "bidirectional",
    "pooling",
    "dropout",
    "max_epochs",
    "frontend",
    "cell",
    "hidden_size",
    "tokens",
)
# Of a linear answer in the model's. On the archive files the rule was made on (BasicMotions, ArrowHead, OSULeaf, Japanese
# vowels) shares from 0.7 to 0.85 were equally good; with more sequences a network learns more than a linear map. On
# short texts, up to 3,000 of them, 0.8 stayed best.
SHARE = 0.8
SHARE_OF_MANY, MANY = 0.5, 2000
# Of single words: what a word means follows from its stem, which a linear map knows, how it sounds from the order of its
# letters, which a network knows. So the share is the best on the part that stops the training early; this one, where that
# part is small. Their rows have half the length, so that the linear map may be as much stronger.
SHARE_OF_SINGLE_WORDS, STRENGTH_OF_SINGLE_WORDS = 0.5, 20.0
# Beyond these the features do not fit into memory, or their products take too long.
MOST_SEQUENCES = 20_000
# Steps that training may read, so that it ends within a minute on two cores.
STEPS = 4e6
# Steps of a batch, where the usual 32 sequences would have more of them: memory. On ECG of 9,000 steps (two splits), and on
# two archive files stretched to as many, log losses were within 1 % of those of 32, in half of the memory.
STEPS_OF_BATCH, USUAL_BATCH, SMALLEST_BATCH = 2**16, 32, 4
# Characters of single words that training may read, likewise.
CHARACTERS = 1.2e6
# Of labels per step: rows of a training window, and how far apart the steps are that the three convolutions see. What is
# seen at once must fit into a stretch of one label, or the network learns which labels followed one another. Made on the
# activity of a third of the people, motions and vowels behind one another; what else it was tried on is in
# docs/results.md.
WINDOW = 128
DILATIONS = ((64, (1, 4, 16)), (0, (1, 1, 1)))  # stretches of at least so many steps
SHARE_OF_STEPS = 0.3  # of STEPS: small batches of windows through convolutions take as much longer
# Of words with a label each: where more words to come than this will be new ones, they are read by their letters, capitals
# told apart. Units that read letters, numbers of a vector of their runs.
UNSEEN, LETTERS, SUBWORDS = 0.01, 24, 32
# What the recipe of labels per step, or a budget, may decide beside DECIDED. A network that goes on takes these from the
# options where they are given, or where they were not decided.
DECIDED_OF_TRAINING = ("window", "batch_size", "lr_schedule", "letters", "subwords", "lowercase")
# What a budget may take in place of the usual network. Beside a linear part that tells classes apart a network of
# convolutions is no riskier than the usual one: on seven sets that the rule was made on, the mix had the lower test loss
# with it on five (beside kernels over running sums as well, before there were shapelets). So the lower loss decides.
CONVOLUTIONS: Mapping[str, Any] = {
    "frontend": "convolutions",
    "batch_size": 16,
    "lr_schedule": "cosine",
}
# What a linear map is of: of sequences, of texts.
OF_SEQUENCES, OF_TEXTS = "fixed dilated kernels and shapelets", "words and runs of letters"
# Options that say how words are read: where one is given, words are read.
OF_WORDS = (
    "tokens",
    "vectors",
    "letters",
    "subwords",
    "extra_words",
    "max_tokens",
    "min_count",
    "max_vocabulary",
)


@dataclass(frozen=True)
class Facts:
    """What a recipe is decided by: of the training part alone.

    Parameters
    ----------
    sequences, steps : int
        How many there are, the steps of all sequences together.
    texts : bool
        Whether they are texts, or lists of words.
    task : {"classification", "regression", "labeling"}
    per_step : bool
        Whether there is an answer per step.
    characters : int, default=0
        Of texts that are single words: letters of all of them together; 0 of others.
    stretch : float, default=0.0
        Of labels per step: mean steps until the label changes or the sequence ends.
    unseen : float, default=0.0
        Of words with a label each: how likely the next word is a new one.
    """

    sequences: int
    steps: int
    texts: bool
    task: str
    per_step: bool
    characters: int = 0
    stretch: float = 0.0
    unseen: float = 0.0

    @classmethod
    def of(cls, given: "Given", target: "Target") -> "Facts":
        """Return those of training data."""
        texts = isinstance(given.sequences[0], str | list)
        steps = sum(len(sequence) for sequence in given.sequences)
        characters = characters_of(given.sequences) if texts else 0
        stretch = stretch_of(given.y) if target.task == "labeling" else 0.0
        unseen = unseen_of(given.sequences) if texts and target.task == "labeling" else 0.0
        return cls(
            len(given.sequences), steps, texts, target.task, target.per_step, characters, stretch, unseen
        )


def facts_of_part(part: Any, task: str) -> Facts:
    """Return those of a Dataset of sequences or texts, before an estimator has read it."""
    texts = part.kind == "text"
    steps = 0 if texts else sum(len(record.values) for record in part.records)
    characters = characters_of(part.X) if texts else 0
    stretch = stretch_of(part.y) if task == "labeling" else 0.0
    unseen = unseen_of(part.X) if texts and task == "labeling" else 0.0
    return Facts(len(part), steps, texts, task, bool(part.labels_per_step), characters, stretch, unseen)


def stretch_of(labels: Sequence[Any]) -> float:
    """Return the mean number of steps until a label changes or its sequence ends."""
    each = [np.asarray(own) for own in labels]
    stretches = sum(1 + np.count_nonzero(own[1:] != own[:-1]) for own in each if len(own))
    return sum(map(len, each)) / max(stretches, 1)


def unseen_of(sentences: Sequence[Any]) -> float:
    """Return how likely the next word is one that was never there: the share of those there once (Good and Turing).

    A sentence given twice counts once.
    """
    counts = Counter(word for sentence in {tuple(sentence) for sentence in sentences} for word in sentence)
    return sum(count == 1 for count in counts.values()) / max(counts.total(), 1)


def characters_of(texts: Sequence[Any]) -> int:
    """Return how many characters single words have together, 0 for texts of several words."""
    single = all(isinstance(text, str) for text in texts) and are_single_words(texts)
    return sum(map(len, texts)) if single else 0


def decided(estimator: Any, facts: Facts) -> dict[str, Any]:
    """Return options and values for an estimator to which none of network and training was given; empty otherwise."""
    if not isinstance(estimator, Wide):
        return _of_steps(estimator, facts) if facts.task == "labeling" else {}
    wide = estimator.wide
    if isinstance(estimator, Causal) and estimator.causal:
        own = _nothing_given(estimator) and not facts.per_step and estimator.wide == "auto"
        return {"wide": False, **(_causal(facts) if own else {})}
    if wide == "auto":
        wide = _nothing_given(estimator) and _fits(estimator, facts)
        if wide:
            return {
                "wide": True,
                **_network(facts),
                **_spelled(estimator, facts),
            }
    return {"wide": bool(wide)}


def _of_steps(estimator: Any, facts: Facts) -> dict[str, Any]:
    """Return options for a label per step; one that may come late is read from both sides."""
    if not _nothing_given(estimator) or estimator.crf or estimator.window is not None:
        return {}
    found = {"bidirectional": not estimator.causal, "dropout": 0.3}
    if facts.texts:
        return found | _by_letters(estimator, facts)
    dilations = next(own for least, own in DILATIONS if facts.stretch >= least)
    ends = ("", "_2", "_3")
    apart = {
        f"dilation{end}": dilation for end, dilation in zip(ends, dilations, strict=True) if dilation > 1
    }
    return found | {
        "frontend": {"name": "convolutions", **apart} if apart else "convolutions",
        "hidden_size": 64,
        "window": WINDOW,
        "batch_size": 16,
        "max_epochs": int(np.clip(SHARE_OF_STEPS * STEPS // max(facts.steps, 1), 5, 30)),
        "lr_schedule": "cosine",
    }


def _nothing_given(estimator: Any) -> bool:
    """Return whether every option of network and training has its default."""
    groups = (Design, Directions, Recurrence, Pooling, Signals, Training)
    names = {name for group in groups if isinstance(estimator, group) for name in options_of(group)}
    names -= {"missing"}  # which is of the data
    return len(left_to_data(estimator, names)) == len(names)


def left_to_data(estimator: Any, names: Iterable[str]) -> list[str]:
    """Return those of the options that the estimator has and that have their default."""
    known = options_of(type(estimator))
    return [name for name in names if name in known and getattr(estimator, name) == known[name].default]


def _fits(estimator: Any, facts: Facts) -> bool:
    """Return whether a linear part can be learned from these data."""
    if facts.per_step or facts.task not in ("classification", "regression"):
        return False
    return getattr(estimator, "loss", "mse") in ("mse", "quantile") and facts.sequences <= MOST_SEQUENCES


def _network(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {"bidirectional": True, "pooling": "mean+max", "dropout": 0.3}
    if not facts.texts:
        found["max_epochs"] = int(np.clip(STEPS // max(facts.steps, 1), 5, 50))
        batch = STEPS_OF_BATCH * facts.sequences // max(facts.steps, 1)
        if batch < USUAL_BATCH:
            found["batch_size"] = max(batch, SMALLEST_BATCH)
    return found


def _spelled(estimator: Any, facts: Facts) -> dict[str, Any]:
    """Return options by which single words are read letter by letter: as words, those to come are all unknown."""
    defaults = options_of(type(estimator))
    if not facts.characters or any(getattr(estimator, n) != defaults[n].default for n in OF_WORDS):
        return {}
    epochs = int(np.clip(CHARACTERS // facts.characters, 5, 30))
    return {"tokens": "character", "hidden_size": 64, "max_epochs": epochs}


def _by_letters(estimator: Any, facts: Facts) -> dict[str, Any]:
    """Return options by which words with a label each are read where many to come are unknown ones."""
    names = [name for name in OF_WORDS if name in options_of(type(estimator))]
    if facts.unseen < UNSEEN or len(left_to_data(estimator, names)) < len(names):
        return {}
    return {"letters": LETTERS, "subwords": SUBWORDS, "lowercase": False}


def _causal(facts: Facts) -> dict[str, Any]:
    """Return options of a network that can stream."""
    found = {**_network(facts), "bidirectional": False}
    if not facts.texts:
        found["frontend"] = "convolutions"
    return found


def foreseen(estimator: Any, facts: Facts) -> str:
    """Return the sentence of the recipe before anything is trained; empty where there is none."""
    options = decided(estimator, facts)
    if not options.get("wide"):
        return _sentence(options, None, "")
    single = facts.characters > 0
    if single and facts.task == "classification":
        say = "the share of the say that is best on words held out"
    else:
        say = _say(share_of(facts.sequences, texts=facts.texts, single=single))
        if facts.task == "regression" and not facts.texts and facts.sequences <= MANY:
            say += " or more"
    return _sentence(options, say, OF_TEXTS if facts.texts else OF_SEQUENCES)


def _say(share: float) -> str:
    return f"{100 * share:.0f} % of the say"


def share_of(sequences: int, *, texts: bool, single: bool) -> float:
    """Return the share that the linear part has in the answer."""
    if single:
        return SHARE_OF_SINGLE_WORDS
    return SHARE if texts or sequences <= MANY else SHARE_OF_MANY


def in_words(options: Mapping[str, Any], wide: WidePart | None) -> str:
    """Return the sentence that says what was decided and why; empty where nothing was."""
    if wide is None:
        return _sentence(options, None, "")
    return _sentence(options, _say(wide.share), OF_TEXTS if wide.reads_texts else OF_SEQUENCES)


def _sentence(options: Mapping[str, Any], say: str | None, what: str) -> str:
    rest = {name: value for name, value in options.items() if name != "wide"}
    if not rest:
        return ""
    own = ", ".join(f"{name}={value!r}" for name, value in rest.items())
    if say is None:
        return f"Recipe: a network with {own}, as no option of network or training was given."
    return (
        f"Recipe: a linear map of {what} has {say}, a network with {own} the rest, as no option of network or training "
        "was given."
    )
