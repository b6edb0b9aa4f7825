"""Every option of the estimators, once: name, type, range or choices, default, and the sentence that tells what it does.

An option is a field of a keyword-only dataclass. Groups that several estimators share come first, then one class per
estimator, which is the constructor of the estimator of that name. A default that differs for one task is one line in its
class; what is not said again there (choices, bounds, text) stays that of the group. Constructors, docstrings, the flags
of the command line, the checks at ``fit`` and the page ``docs/options.md`` are all made of what stands here.
"""

import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

T = TypeVar("T")

CELLS = ("rnn", "lstm", "gru", "lstm_peephole", "lstm_norm", "gru_norm", "gru_before")
POOLINGS = ("last", "mean", "max", "attention", "mean+max")
INITIALIZATIONS = ("default", "chrono", "identity", "torch")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
SCHEDULES = ("constant", "step", "cosine", "plateau", "onecycle", "warmup")
SCALINGS = ("zscore", "robust", "none")
LEVELS = ("character", "word", "bpe")
# Layouts of a table, said where flags are made without numpy.
LAYOUTS = ("auto", "long", "wide", "lines", "paragraphs", "tokens")
# Ranges of shares: one that may be 0, and one that lies inside.
SHARE: Mapping[str, Any] = {"low": 0, "high": 1, "high_open": True}
INSIDE: Mapping[str, Any] = {**SHARE, "low_open": True}


@dataclass(frozen=True)
class Option:
    """What is known of one option.

    Parameters
    ----------
    name : str
        Its name in the constructor.
    default : object
        Its value where none is given.
    doc : str
        What it does; the first sentence is the help of the command line.
    kind : {"int", "float", "bool", "choice", "ints", "floats", "object"}
        What a value is; "ints" and "floats" are one number or several, an "object" has no range.
    choices : tuple of str
        For "choice".
    low, high : float, optional
        Bounds of a number.
    low_open, high_open : bool
        Whether a bound itself is left out.
    none : bool
        Whether None is a value.
    also : tuple of type
        Types that are accepted beside, in Python only.
    auto : bool
        Whether the word ``"auto"`` is a value, for which ``fit`` finds one by the training data.
    type_doc : str
        The type as docstrings show it; made of the others where it is empty.
    """

    name: str
    default: Any
    doc: str = ""
    kind: str = "object"
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    none: bool = False
    also: tuple[type, ...] = ()
    auto: bool = False
    type_doc: str = ""

    @property
    def help(self) -> str:
        """The first sentence, as the command line shows it."""
        return (self.doc.split(". ")[0].rstrip(".") + ".").replace("``", "").replace("None", "none")

    @property
    def shown_type(self) -> str:
        """The type, as docstrings show it."""
        if self.type_doc:
            return self.type_doc
        number = self.kind.removesuffix("s")
        parts = (
            ["{" + ", ".join(f'"{choice}"' for choice in self.choices) + "}"] if self.choices else [number]
        )
        parts += [f"sequence of {number}"] if self.kind in ("ints", "floats") else []
        parts += [also.__name__ for also in self.also] + ['"auto"'] * self.auto + ["None"] * self.none
        return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    def numpydoc(self) -> str:
        """Return the entry of a docstring's section of parameters."""
        default = f'"{self.default}"' if isinstance(self.default, str) else repr(self.default)
        return f"{self.name} : {self.shown_type}, default={default}\n    {self.doc}"


def option(default: T, doc: str, **facts: Any) -> T:
    """Return a field of a dataclass of options.

    Parameters
    ----------
    default : object
        Its value where none is given.
    doc : str
        What it does; the first sentence, which is also the help of the command line, ends at a full stop and a blank.
    **facts
        ``choices``, ``low``, ``high``, ``low_open``, ``high_open``, ``also``, ``auto``, ``type_doc`` of an `Option`;
        the rest of it follows from the annotation.
    """
    made: Any = field(default=default, metadata={"doc": doc, **facts})
    return made


def _read_options(owner: Any) -> Mapping[str, Option]:
    fields = getattr(owner, "__dataclass_fields__", {})
    facts: dict[str, dict[str, Any]] = {name: {} for name in fields}
    for base in reversed(owner.__mro__):
        own = vars(base).get("__dataclass_fields__", {})
        for name in inspect.get_annotations(base):
            if name in fields and name in own:
                facts[name] |= own[name].metadata
    found = {name: _option(name, one.type, one.default, facts[name]) for name, one in fields.items()}
    return types.MappingProxyType(found)


# The options of an estimator, or of a class of options, in the order of its constructor; read off it once.
options_of: Callable[[Any], Mapping[str, Option]] = functools.cache(_read_options)


def _option(name: str, annotation: Any, default: Any, facts: Mapping[str, Any]) -> Option:
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    members = typing.get_args(annotation) if union else (annotation,)
    origins = [typing.get_origin(member) for member in members]
    kinds = [kind for kind in (bool, int, float) if kind in members]
    several = [kind for kind in (int, float) if Sequence[kind] in members]  # type: ignore[valid-type] # one of two
    kind = "choice" if facts.get("choices") else kinds[0].__name__ if kinds else "object"
    return Option(
        name=name,
        default=default,
        kind=f"{several[0].__name__}s" if several else kind,
        none=type(None) in members or default is None,
        also=(*(found for found in (dict, type) if found in origins), *facts.get("also", ())),
        **{fact: known for fact, known in facts.items() if fact != "also"},
    )


# fmt: off
# What follows is a table: a line or two an option.
# ------------------------------------------------------------------------------------------------- shared groups
# A class lists its groups from the last to the first: that is the order in which dataclasses collect their fields.

@dataclass(kw_only=True, eq=False, repr=False)
class Options:
    """Base of all groups of options."""

@dataclass(kw_only=True, eq=False, repr=False)
class Vocabulary(Options):
    """Which tokens of texts are known."""

    lowercase: bool = option(True, "Read capitals as small letters.")
    min_count: int = option(1, "Times a token must occur in the training texts to be known.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class Tokens(Vocabulary):
    """What of a text is read."""

    tokens: str = option("word", "What of a text is read one after the other: words and signs, characters, or byte-pair "
        "pieces learned from the texts.", choices=("word", "character", "bpe"))
    max_vocabulary: int | None = option(None, "Tokens known at most, the most frequent ones; None knows all.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class Embedding(Options):
    """How large the learned vectors of tokens are."""

    embedding_size: int = option(100, "Numbers of a learned vector.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class WordVectors(Embedding):
    """How words become numbers."""

    vectors: Any = option(None, "Pretrained word vectors: glove-6b-50d, or a file of GloVe, word2vec or fastText in text "
        "form, or `recurra.WordVectors`; None learns them from the texts.", type_doc="str, path, WordVectors or None")
    train_vectors: bool = option(False, "Train pretrained vectors on; else they stay as they are.")
    extra_words: int = option(50_000, "Words with a pretrained vector kept beside those of the training texts. They are "
        "the first ones of the file, and then known in new texts.", low=0)
    letters: int = option(0, "Units, in each direction, of a GRU that reads the letters of each word beside its vector; "
        "0 reads none. A word without a vector is then still read.", low=0)
    subwords: int = option(0, "Numbers of a vector learned for each run of 1 to 5 letters of a word, as in fastText; 0 "
        "learns none. The mean of a word's runs stands beside its vector, and words that share a stem or an ending share "
        "what is learned of it.", low=0)
    input_dropout: float = option(0.0, "Share of features in [0, 1) zeroed in training between vectors and layers.", **SHARE)

@dataclass(kw_only=True, eq=False, repr=False)
class Recurrence(Options):
    """The recurrent layers of every network."""

    cell: str = option("lstm", "Recurrent cell.", choices=CELLS)
    hidden_size: int = option(100, "Hidden units per direction and layer.", low=1)
    num_layers: int = option(1, "Recurrent layers, one on top of the other.", low=1)
    dropout: float = option(0.0, "Share of features in [0, 1) zeroed in training, between layers and before the output.",
        **SHARE)

@dataclass(kw_only=True, eq=False, repr=False)
class Directions(Options):
    """Which way sequences are read."""

    bidirectional: bool = option(False, "Read every sequence in both directions.")

@dataclass(kw_only=True, eq=False, repr=False)
class Causal(Options):
    """Whether answers may wait for what comes later."""

    causal: bool = option(False, "A network that can stream: one direction, convolutions that see only what came before, "
        "and no linear part beside it. Where no option of network and training is given, the best known one is taken.")

@dataclass(kw_only=True, eq=False, repr=False)
class Pooling(Options):
    """From states to one answer."""

    pooling: str | Sequence[str] = option("last", "How the states over time become one answer, or several side by side: "
        "``mean+max`` is ``(\"mean\", \"max\")``.", choices=POOLINGS, type_doc="str or sequence of str")

@dataclass(kw_only=True, eq=False, repr=False)
class Wide(Options):
    """A linear answer beside that of the network."""

    wide: bool | str = option("auto", "Whether a linear map of the whole sequence answers beside the network: of random "
        "dilated kernels and shapelets over numbers; of words and runs of letters over text. Auto: yes, "
        "with a bidirectional network and pooling over all steps, where no option of network or training is given. Such a "
        "model does not stream. Of numbers all sequences are stretched to one length for it where that leaves less error in "
        "training.",
        auto=True, type_doc='bool or "auto"')

@dataclass(kw_only=True, eq=False, repr=False)
class Training(Options):
    """How weights are learned."""

    optimizer: str | type[Any] = option("adam", "How weights are changed.",
        choices=OPTIMIZERS, type_doc='{"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass')
    learning_rate: float = option(0.002, "Learning rate, the step of the optimizer.", low=0, low_open=True)
    lr_schedule: str | dict[str, Any] = option("constant", "How the learning rate changes over training. A dictionary "
        "holds the ``name`` and its options.", choices=SCHEDULES)
    weight_decay: float = option(0.0, "Weight decay of the optimizer.", low=0)
    max_epochs: int = option(50, "Passes over the training data at most.", low=1)
    batch_size: int = option(32, "Sequences per training step.", low=1)
    grad_clip: float | None = option(1.0, "Largest global norm of the gradient; None switches off.", low=0, low_open=True)

@dataclass(kw_only=True, eq=False, repr=False)
class ClassWeights(Options):
    """How much a class counts."""

    class_weight: str | dict[Any, float] | None = option(None, "Weight of each class in the loss; balanced makes all "
        "classes count the same.", choices=("balanced",), type_doc='None, "balanced" or dict of class to weight')

@dataclass(kw_only=True, eq=False, repr=False)
class Stopping(Options):
    """When training ends."""

    validation_fraction: float = option(0.1, "Share of the training data held out for early stopping; 0 switches off. "
        "Groups are never cut in two. Where it would hold fewer than 25 sequences, or there are fewer than 5 groups, "
        "nothing is held out.", **SHARE)
    patience: int | None = option(10, "Epochs without a better validation loss before training stops; None switches off. "
        "The best weights are kept.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class Scaling(Options):
    """How numbers are scaled, and how much of them training keeps."""

    scaling: str = option("zscore", "Scaling per channel, learned on the training part.", choices=SCALINGS)
    memory: str = option("auto", 'What training keeps of a sequence: every step; or about 4 sqrt(T) of T steps, the '
        'rest computed again, for up to 1.4 times the time; "auto" does so beyond 1 GiB a layer.',
        choices=("auto", "full", "sqrt"))

@dataclass(kw_only=True, eq=False, repr=False)
class Signals(Scaling):
    """How signals are read."""

    features: str | Sequence[str] | dict[str, Any] | None = option(None, "What is computed from a signal before it is "
        "scaled: names with commas between, or a dictionary (JSON) with ``name`` and options such as ``window_s``; see "
        "`recurra.features.registry`.", type_doc="str, sequence of str, dict or None")
    frontend: str | dict[str, Any] | None = option(None, "Trainable layers over windows of the signal, before the "
        "recurrence: convolution, patches, or a dictionary (JSON) with ``name`` and options; or convolutions, which give "
        "a row for each step. See `recurra.fitting.frontend`.",
        type_doc='{"convolution", "patches", "convolutions"}, dict or None')
    tbptt: int | None = option(None, "Rows after which backpropagation is cut in training, while the state goes on; None "
        "reaches back to the beginning.", low=1)
    missing: str = option("error", "Missing values (NaN): an error, or filled with the channel's last value, before the "
        "first with its mean: marked in a mask channel, or just filled, as ``features`` need it. A linear part beside the "
        "network reads straight lines over marked gaps.",
        choices=("error", "mask", "fill"))

@dataclass(kw_only=True, eq=False, repr=False)
class Running(Options):
    """Where and how training runs, and what is seen of it."""

    callbacks: Sequence[Any] = option((), "Objects with the methods of `recurra.training.callbacks.Callback`, called "
        "during training.", type_doc="sequence of recurra.training.callbacks.Callback")
    checkpoint_dir: str | os.PathLike[str] | None = option(None, "Folder for checkpoints of the training. ``fit(..., "
        "resume=True)`` goes on from the newest.", type_doc="path or None")
    shards: int = option(1, "Parts of a batch whose gradients are computed alone and added in a fixed order, by one process "
        "or shared among several (``recurra train --workers``, torchrun). The weights depend on how many there are, not on "
        "who computes them.", low=1)
    device: str = option("cpu", "torch device to train on, such as cpu or cuda. Prediction is on the CPU.", type_doc="str")

@dataclass(kw_only=True, eq=False, repr=False)
class Seed(Options):
    """What every estimator takes last."""

    random_state: Any = option(None, "Seed of everything random; None draws a new one. Global generators are never "
        "touched.", type_doc="int, RandomState, Generator or None")
    verbose: int = option(1, "0 silent, 1 a progress line on a terminal, 2 one log line per epoch. True is 1, False 0.",
        low=0, high=2, also=(bool,))

@dataclass(kw_only=True, eq=False, repr=False)
class Design(Options):
    """What the network is beside its layers."""

    initialization: str = option("default", "How weights begin: orthogonal with forget bias 1; chrono for long memory; "
        "identity (plain RNN, with ReLU); torch's own. The first has Glorot inputs; \"chrono\" spreads gates over "
        "memories up to the longest training sequence; \"identity\" is for cell=\"rnn\" only. Sources in "
        "`recurra.nn.initialize`.", choices=INITIALIZATIONS)
    curriculum: int | dict[str, Any] | None = option(None, "First length where training is to begin with short sequences "
        "and let lengths grow; None takes all at once. A dictionary holds ``start`` and the other fields of "
        "`recurra.training.schedules.curriculum.Curriculum`.", low=1)
    network: Callable[[int, int], Any] | None = option(None, "Function (input_size, output_size) -> torch.nn.Module, for "
        "an own design. It is called with a `Ragged` of torch values, for texts of the rows of "
        "`recurra.features.texts.tokens.Words`.", type_doc="callable (input_size, output_size) -> torch.nn.Module, or None")

@dataclass(kw_only=True, eq=False, repr=False)
class Clips(Options):
    """How clips are seen."""

    backbone: Any = option("efficientnet-lite0", "Image network: efficientnet-lite0, googlenet, small-cnn (trained with "
        "the rest), or an .onnx file. Or a module that takes images of shape (frames, 3, height, width), ImageNet's mean "
        "and deviation brought to 0 and 1.", type_doc="str, path or torch.nn.Module")
    layer: str | None = option(None, 'Layer of a published image network that is read, such as stage5; None for its '
        'last. They are "stage1" to "stage7" or "inception3a" to "inception5b"; the last knows what is in a picture but '
        'not what it looks like in detail.', type_doc="str or None")
    grid: int = option(1, "Places a side over which maps of an image network are averaged. 1 is for the whole frame, 2 "
        "for each quarter by itself, and so on; a finer grid tells what is where.", low=1)
    projection: int | None = option(None, "Numbers a trained linear map makes of a frame's features; None for all of "
        "them. Fewer make training faster, and a finer grid needs it.", low=1)
    frames: int = option(16, "Frames taken of a clip, evenly over it; all where it has fewer.", low=1)
    rate_hz: float | None = option(None, "Frames taken per second, instead of a count.", low=0, low_open=True)
    start_seconds: float = option(0.0, "Where a clip begins.", low=0)
    end_seconds: float | None = option(None, "Where a clip ends; None for its own end.", low=0, low_open=True)
    crop: str = option("centre", "How a frame becomes a square: its middle, filled up with black, or stretched.",
        choices=("centre", "letterbox", "stretch"))
    image_size: int | None = option(None, "Pixels a side; None: as the image network wants (32 for small-cnn).", low=1)
    broken: str = option("error", "A clip that cannot be decoded: an error, or named in a warning and left out of "
        "training and judging.", choices=("error", "skip"))
    cache_dir: str | os.PathLike[str] | None = option(None, "Folder of the features that are kept; None for the user's "
        "cache.", type_doc="path or None")

@dataclass(kw_only=True, eq=False, repr=False)
class Translation(Options):
    """From a sequence to a sequence."""

    attention: str = option("general", "How the decoder's state is compared with the encoder's; see "
        "`recurra.nn.heads.attention`.", choices=("dot", "general", "additive"))
    input_feeding: bool = option(False, "The decoder also reads what it attended to last. It then trains step by step, "
        "several times slower.")
    tie_embeddings: bool = option(False, "One matrix embeds the target's symbols and gives the output.")
    source_level: str = option("character", "What a symbol of the source is: a character, what stands between blanks, or "
        "a frequent part of a word. The last (byte-pair encoding) needs the package tokenizers; texts given as lists of "
        "tokens are taken as they are.", choices=LEVELS)
    target_level: str = option("character", "What a symbol of the target is, as of the source.", choices=LEVELS)
    source_marks: bool = option(True, 'The source is read between a begin and an end symbol. They tell a short source '
        'from a part of a long one: without them, where few sources are short, "9" is read as the end of "99".')
    vocabulary_size: int | None = option(None, "Most symbols of each side, the commonest; None takes all, of byte pairs "
        "4,000. Words seen once count as unknown.", low=4)
    label_smoothing: float = option(0.0, "Share of a target's probability in [0, 1) spread over all symbols.", **SHARE)
    scheduled_sampling: float = option(0.0, "Share of symbols in [0, 1] that the decoder reads from its own guesses in "
        "training.", low=0, high=1)
    beam_size: int = option(1, "Beginnings of an answer kept at every step of ``predict``; 1 is greedy.", low=1)
    length_penalty: float = option(1.0, "With a beam, answers rank by log-probability over length to this power.", low=0)

@dataclass(kw_only=True, eq=False, repr=False)
class Loss(Options):
    """What numbers are learned by."""

    loss: str = option("mae", "What is minimised; gaussian and quantile give intervals.",
        choices=("mae", "mse", "gaussian", "quantile"))
    quantiles: Sequence[float] = option((0.1, 0.5, 0.9), "Quantiles forecast with loss quantile, rising.", **INSIDE,
        type_doc="sequence of float")

@dataclass(kw_only=True, eq=False, repr=False)
class SequenceLoss(Loss):
    """What numbers of a sequence or a text are learned by."""

    loss: str = option("mse", 'What is minimised; "quantile" gives the ``quantiles``, and ``predict`` the median.',
        choices=("mse", "mae", "quantile"))

@dataclass(kw_only=True, eq=False, repr=False)
class Forecasting(Options):
    """From a history to what follows."""

    horizon: int = option(1, "Steps ahead that are forecast at once; more are forecast in a closed loop. The forecasts "
        "then take the place of what is not yet seen; with ``horizon=1`` the classical recursive forecast.", low=1)
    context: int | None = option(None, "Last steps the network reads; None is two seasons, at least the horizon and 24. "
        "A shorter series is read as one whose first steps are missing.", low=1)
    season: int | Sequence[int] | None = option(None, "Steps of a season, or of several; None takes what is usual for "
        "the frequency, 1 says there is none. Of several the main one comes first; the frequency is that of the time "
        "stamps (12 for months), where there are any.", low=1)
    seasonal: str = option("inputs", "The place in each season as inputs, or the first season taken out of each series "
        "first, or neither. What was taken out is put back into the forecast.", choices=("inputs", "adjust", "none"))
    lags: int | Sequence[int] = option((), "Values this many steps before stand beside every step, those ahead included; "
        "at least the horizon.", low=1)
    transform: str = option("none", "Before scaling: nothing, or the logarithm of positive values. It is for errors that "
        "grow with the values.", choices=("none", "log"))
    level: int = option(0, "Each window counts from the mean of its last so many values; 0 leaves it out. The forecast "
        "then follows a level that moves.", low=0)
    highway: int = option(0, "Last values that also reach the forecast in a straight line; 0 for none.", low=0)
    calibrate: bool = option(True, "Make intervals as wide as the errors on held out values say (conformal calibration). "
        "Held out is the ``validation_fraction``; without it, and with several ``members``, a part of the history from "
        "each member, another one for each. With one member and no validation there is nothing to judge by, and "
        "intervals stay as they were trained: usually too narrow.")
    stride: int = option(1, "Steps between the training windows of a series.", low=1)
    noise: float = option(0.0, "Deviation of noise added in training, in scaled units: steadies a closed loop.", low=0)

@dataclass(kw_only=True, eq=False, repr=False)
class Windowed(Options):
    """Pieces of sequences to learn from."""

    window: int | None = option(None, "Time steps of a training window: longer sequences are learned from in such pieces, "
        "answers read them whole. A detector rounds it up to whole blocks; None learns from whole sequences.", low=2)

@dataclass(kw_only=True, eq=False, repr=False)
class Anomalies(Windowed):
    """What is like the normal, and what is not."""

    method: str = option("planted", 'What anomalies are found by: telling planted faults from the normal, undoing them, '
        'or forecasting. "planted": faults are planted into the normal sequences, and the network learns to tell them '
        'from what is normal; the score is its logit. "autoencoder": it learns to undo such faults, reading in both '
        'directions; the score is how far a sequence is from what it makes of it (a denoising autoencoder). '
        '"forecaster": it forecasts the next block from those before; the score is the error.',
        choices=("planted", "autoencoder", "forecaster"))
    block: int = option(1, "Time steps the network reads, and writes, at once.", low=1)
    window: int = 512
    windows: int | None = option(None, "Training windows drawn from all sequences; None draws each step four times.", low=1)
    longest: int | None = option(None, "Steps of the longest planted fault; None is a third of the window.", low=1)
    smooth: int = option(0, "Errors are averaged over so many steps on either side.", low=0)
    reach: int = option(0, "A step is as anomalous as the worst within so many steps on either side.", low=0)
    neighbours: bool | str = option("auto", "Whether the distance of windows to the nearest normal ones counts beside the "
        "network. ``\"auto\"`` does so where no option of network, training and method is given.", auto=True)
    contamination: float | None = option(None, "Share of the training steps called anomalous, in (0, 0.5]; None takes "
        "the quantile.", low=0, high=0.5, low_open=True)
    quantile: float | str = option("auto", "The threshold is this quantile of the training scores. ``\"auto\"`` is 0.999; "
        "but where unusual stretches of the training part alone lie as high, six deviations (of the median) above the "
        "median, though not below the quantile 0.95.", auto=True, **INSIDE)

@dataclass(kw_only=True, eq=False, repr=False)
class Ensemble(Options):
    """How many networks answer."""

    members: int = option(1, "Networks trained from different first weights, whose mean is the answer. Of classes it is the "
        "mean of the probabilities. Training and answers take as many times as long.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class Budget(Options):
    """How long training may take."""

    budget_s: float | None = option(None, "Seconds to spend: recipes are compared on parts of the training data held out "
        "in turn, and what is left goes into members whose mean answers. None compares nothing and trains ``members``. "
        "On the command line also 90s, 2m or 1h.", low=0, low_open=True)

@dataclass(kw_only=True, eq=False, repr=False)
class SequenceOptions(Seed, Running, Stopping, Training, Ensemble, Design, Directions, Recurrence):
    """What all share that give labels or numbers to sequences, clips and texts."""

# ------------------------------------------------------------------------------------------------- one per estimator

@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifierOptions(ClassWeights, Signals, Budget, Causal, Wide, Pooling, SequenceOptions):
    """Options of `SequenceClassifier`."""

@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressorOptions(SequenceLoss, Signals, Budget, Causal, Wide, Pooling, SequenceOptions):
    """Options of `SequenceRegressor`."""

@dataclass(kw_only=True, eq=False, repr=False)
class SequenceLabelerOptions(Windowed, WordVectors, Vocabulary, ClassWeights, Signals, Budget, Causal, SequenceOptions):
    """Options of `SequenceLabeler`; those of words are for sentences given as lists of words."""

    crf: bool = option(False, "Choose the labels of a sequence together (conditional random field). For labels that "
        "follow rules, such as those of chunks (B-, I-, O). Such a network cannot stream.")

@dataclass(kw_only=True, eq=False, repr=False)
class TextOptions(Budget, Causal, Wide, Pooling, WordVectors, Tokens, SequenceOptions):
    """What those share that give a class or numbers to texts."""

    max_tokens: int | None = option(None, "Tokens of a text that are read; None reads all. ``cut_`` says how many "
        "training texts were cut.", low=1)

@dataclass(kw_only=True, eq=False, repr=False)
class TextClassifierOptions(ClassWeights, TextOptions):
    """Options of `TextClassifier`."""

@dataclass(kw_only=True, eq=False, repr=False)
class TextRegressorOptions(SequenceLoss, TextOptions):
    """Options of `TextRegressor`."""

@dataclass(kw_only=True, eq=False, repr=False)
class VideoClassifierOptions(ClassWeights, Scaling, Pooling, SequenceOptions, Clips):
    """Options of `VideoClassifier`."""

    bidirectional: bool = True
    dropout: float = 0.5

@dataclass(kw_only=True, eq=False, repr=False)
class TextGeneratorOptions(Seed, Running, Stopping, Training, Recurrence, Embedding, Tokens):
    """Options of `TextGenerator`."""

    tokens: str = "character"
    lowercase: bool = False
    embedding_size: int = 64
    hidden_size: int = 256
    tbptt: int | None = option(100, "Steps after which the gradient is cut; None never cuts it.", low=1)
    lr_schedule: str | dict[str, Any] = "cosine"
    max_epochs: int = 10
    batch_size: int = option(32, "Stretches of the text read side by side.")
    validation_fraction: float = option(0.1, "Share at the end of the text that decides which epoch's weights are kept; "
        "0 trains on everything. Where it would hold fewer than 500 tokens, nothing is held out.")
    patience: int | None = None

@dataclass(kw_only=True, eq=False, repr=False)
class TranslatorOptions(Seed, Running, Stopping, Training, Directions, Recurrence, Embedding, Translation):
    """Options of `Translator`."""

    hidden_size: int = option(128, "Units of the decoder, and of the encoder in each direction.")
    bidirectional: bool = option(True, "Whether the encoder reads in both directions.")
    dropout: float = option(0.2, "Share of features in [0, 1) zeroed in training, after every part.")
    batch_size: int = option(32, "Pairs per training step.")
    validation_fraction: float = option(0.1, "Share held out for early stopping, equal sources on one side; 0 switches "
        "off. Where it would hold fewer than 25 sources, nothing is held out.")
    embedding_size: int = option(64, "Channels of an embedded symbol.")

@dataclass(kw_only=True, eq=False, repr=False)
class ForecasterOptions(Seed, Running, Stopping, Training, Ensemble, Recurrence, Loss, Forecasting):
    """Options of `Forecaster`."""

    hidden_size: int = option(32, "Hidden units of encoder and decoder.")
    learning_rate: float = 0.003
    lr_schedule: str | dict[str, Any] = "cosine"
    max_epochs: int = 20
    batch_size: int = option(64, "Windows per training step.")
    validation_fraction: float = option(0.0, "Share of each series, its newest part, held out for early stopping. Off by "
        "default: the newest part is what a forecast depends on most.")
    scaling: str = option("zscore", "Of each series by its own history, or one scale for all.",
        choices=("zscore", "robust", "common", "none"))
    statistical: bool | str = option("auto", "Mix the network's forecast with a statistical one (exponential smoothing, "
        "autoregressions, last value, seasonal naive), each with the weight that rolling origins inside the history give "
        "it. ``\"auto\"`` does so for series of one target where nothing of the network or its training is set by hand: "
        "horizon, season, loss and its intervals do not count. A short series is then forecast without the network, and "
        "many windows may leave it to the network. A regression there tells what inputs known in advance add.", auto=True)

@dataclass(kw_only=True, eq=False, repr=False)
class AnomalyDetectorOptions(Seed, Running, Training, Recurrence, Anomalies):
    """Options of `AnomalyDetector`."""

    hidden_size: int = 32
    learning_rate: float = 0.005
    lr_schedule: str | dict[str, Any] = "cosine"
    max_epochs: int = 12
    batch_size: int = option(16, "Windows per training step.")


# fmt: on
# ------------------------------------------------------------------------------------------------- tables

# Estimator -> its options.
ESTIMATORS: Mapping[str, type[Options]] = {
    owner.__name__.removesuffix("Options"): owner
    for owner in (
        SequenceClassifierOptions, SequenceRegressorOptions, SequenceLabelerOptions, TextClassifierOptions,
        TextRegressorOptions, VideoClassifierOptions, TextGeneratorOptions, TranslatorOptions, ForecasterOptions,
        AnomalyDetectorOptions,
    )
}  # fmt: skip


def _all_options() -> dict[str, Option]:
    """Return every option as its group has it, in the order of this file, with the choices of all estimators."""
    groups = [thing for thing in globals().values() if isinstance(thing, type) and issubclass(thing, Options)]
    found: dict[str, Option] = {}
    for group in groups:
        for name, one in options_of(group).items():
            first = found.setdefault(name, one)
            found[name] = replace(first, choices=tuple(dict.fromkeys((*first.choices, *one.choices))))
    return found


# Name -> the option, for the command line, where an option is one for all tasks.
OPTIONS: Mapping[str, Option] = _all_options()
