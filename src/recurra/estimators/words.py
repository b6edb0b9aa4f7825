"""The constructor words: one table for Python, the command line and the reference page."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recurra.checks import check_choice, check_number, listing
from recurra.errors import UsageError
from recurra.features.series import SEASONAL, TRANSFORMS
from recurra.serving.anomaly_model import METHODS

CELLS = ("rnn", "lstm", "gru")
POOLINGS = ("last", "mean", "max", "attention")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
SCHEDULES = ("constant", "step", "cosine", "plateau", "onecycle", "warmup")
INITIALIZATIONS = ("default", "chrono", "identity", "torch")
SCALINGS = ("zscore", "robust", "none")
MISSING = ("error", "mask")
CROPS = ("centre", "letterbox", "stretch")
BROKEN = ("error", "skip")
ATTENTIONS = ("dot", "general", "additive")
LEVELS = ("character", "word", "bpe")
FORECAST_LOSSES = ("mae", "mse", "gaussian", "quantile")
MEMORIES = ("full", "sqrt")


@dataclass(frozen=True)
class Word:
    """One constructor word.

    Parameters
    ----------
    help : str
        One line, for ``--help``.
    kind : {"int", "float", "bool", "choice", "ints", "floats", "object"}
        What a value is; "ints" and "floats" are one number or several (``12,24`` on the command line); an "object"
        cannot be given there.
    choices : tuple of str
        For "choice".
    low, high : float, optional
        Bounds of a number.
    low_open, high_open : bool
        Whether a bound itself is left out.
    none : bool
        Whether None is allowed ("none" on the command line).
    also : tuple of type
        Types that are accepted beside, in Python only.
    """

    help: str
    kind: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    none: bool = False
    also: tuple[type, ...] = ()


WORDS: Mapping[str, Word] = {
    "tokens": Word("What of a text is read one after the other.", "choice", ("word", "character", "bpe")),
    "lowercase": Word("Read capitals as small letters.", "bool"),
    "min_count": Word("Times a token must occur in the training texts to be known.", "int", low=1),
    "max_vocabulary": Word("Tokens known at most; none knows all.", "int", low=1, none=True),
    "max_tokens": Word("Tokens of a text that are read; none reads all.", "int", low=1, none=True),
    "crf": Word("Choose the labels of a sequence together (conditional random field).", "bool"),
    "vectors": Word(
        "Pretrained word vectors: glove-6b-50d, or a file of GloVe, word2vec or fastText; none learns them.",
        "object",
        none=True,
    ),
    "train_vectors": Word("Train pretrained vectors on.", "bool"),
    "extra_words": Word(
        "Words with a pretrained vector kept beside those of the training texts.", "int", low=0
    ),
    "embedding_size": Word("Numbers of a learned vector.", "int", low=1),
    "letters": Word("Units of a GRU that reads the letters of each word; 0 reads none.", "int", low=0),
    "subwords": Word(
        "Numbers of a vector learned for each run of letters of a word; 0 learns none.", "int", low=0
    ),
    "input_dropout": Word(
        "Share of features zeroed in training before the network.", "float", low=0, high=1, high_open=True
    ),
    "cell": Word("Recurrent cell.", "choice", CELLS),
    "hidden_size": Word("Hidden units per direction and layer.", "int", low=1),
    "num_layers": Word("Recurrent layers, one on top of the other.", "int", low=1),
    "bidirectional": Word("Read every sequence in both directions.", "bool"),
    "pooling": Word("How the states over time become one answer.", "choice", POOLINGS),
    "dropout": Word(
        "Share of features zeroed in training, between layers and before the output.",
        "float",
        low=0,
        high=1,
        high_open=True,
    ),
    "initialization": Word(
        "How weights begin: orthogonal with forget bias 1; chrono for long memory; identity (plain RNN, "
        "with ReLU); torch's own.",
        "choice",
        INITIALIZATIONS,
    ),
    "optimizer": Word("Optimizer.", "choice", OPTIMIZERS, also=(type,)),
    "learning_rate": Word("Learning rate.", "float", low=0, low_open=True),
    "lr_schedule": Word("How the learning rate changes over training.", "choice", SCHEDULES, also=(dict,)),
    "weight_decay": Word("Weight decay of the optimizer.", "float", low=0),
    "max_epochs": Word("Passes over the training data at most.", "int", low=1),
    "batch_size": Word("Sequences per training step.", "int", low=1),
    "grad_clip": Word(
        "Largest global norm of the gradient; none switches off.", "float", low=0, low_open=True, none=True
    ),
    "curriculum": Word(
        "First length where training is to begin with short sequences and let lengths grow; none takes all at once.",
        "int",
        low=1,
        none=True,
        also=(dict,),
    ),
    "class_weight": Word(
        "Weight of each class in the loss; balanced makes all classes count the same.",
        "choice",
        ("balanced",),
        none=True,
        also=(dict,),
    ),
    "validation_fraction": Word(
        "Share of the training data held out for early stopping; 0 switches off.",
        "float",
        low=0,
        high=1,
        high_open=True,
    ),
    "patience": Word(
        "Epochs without a better validation loss before training stops; none switches off.",
        "int",
        low=1,
        none=True,
    ),
    "features": Word(
        "What is computed from a signal before it is scaled: names with commas between, or JSON with options.",
        "object",
        none=True,
    ),
    "frontend": Word(
        "Trainable layers over windows of the signal, before the recurrence: convolution, patches, or JSON with options.",
        "object",
        none=True,
    ),
    "tbptt": Word(
        "Rows after which backpropagation is cut, while the state goes on; none reaches back to the beginning.",
        "int",
        low=1,
        none=True,
    ),
    "scaling": Word("Scaling per channel, learned on the training part.", "choice", (*SCALINGS, "common")),
    "missing": Word("Missing values: an error, or filled with a mask channel.", "choice", MISSING),
    "backbone": Word(
        "Image network: efficientnet-lite0, googlenet, small-cnn (trained with the rest), or an .onnx file.",
        "object",
    ),
    "layer": Word(
        "Layer of a published image network that is read, such as stage5; none for its last.",
        "object",
        none=True,
    ),
    "grid": Word("Places a side over which maps of an image network are averaged.", "int", low=1),
    "projection": Word(
        "Numbers a trained linear map makes of a frame's features; none for all of them.",
        "int",
        low=1,
        none=True,
    ),
    "frames": Word("Frames taken of a clip, evenly over it.", "int", low=1),
    "rate_hz": Word("Frames taken per second, instead of a count.", "float", low=0, low_open=True, none=True),
    "start_seconds": Word("Where a clip begins.", "float", low=0),
    "end_seconds": Word("Where a clip ends.", "float", low=0, low_open=True, none=True),
    "crop": Word("How a frame becomes a square.", "choice", CROPS),
    "image_size": Word(
        "Pixels a side; none for what the image network was made for.", "int", low=1, none=True
    ),
    "broken": Word("A clip that cannot be decoded: an error, or named and left out.", "choice", BROKEN),
    "cache_dir": Word("Folder of the features that are kept.", "object", none=True),
    "attention": Word("How the decoder's state is compared with the source's.", "choice", ATTENTIONS),
    "input_feeding": Word("The decoder also reads what it attended to last.", "bool"),
    "tie_embeddings": Word("One matrix embeds the target's symbols and gives the output.", "bool"),
    "source_marks": Word("The source is read between a begin and an end symbol.", "bool"),
    "source_level": Word("What a symbol of the source is.", "choice", LEVELS),
    "target_level": Word("What a symbol of the target is.", "choice", LEVELS),
    "vocabulary_size": Word(
        "Most symbols of each side; none takes all, of byte pairs 4,000.", "int", low=4, none=True
    ),
    "label_smoothing": Word(
        "Share of a target's probability spread over all symbols.", "float", low=0, high=1, high_open=True
    ),
    "scheduled_sampling": Word(
        "Share of symbols the decoder reads from its own guesses in training.", "float", low=0, high=1
    ),
    "beam_size": Word("Beginnings of an answer kept at every step; 1 is greedy.", "int", low=1),
    "length_penalty": Word(
        "With a beam, answers are ranked by log-probability over length to this power.", "float", low=0
    ),
    "horizon": Word(
        "Steps ahead that are forecast at once; more are forecast in a closed loop.", "int", low=1
    ),
    "context": Word(
        "Last steps the network reads; none is two seasons, at least the horizon and 24.",
        "int",
        low=1,
        none=True,
    ),
    "season": Word(
        "Steps of a season, or of several; none takes what is usual for the frequency, 1 says there is none.",
        "ints",
        low=1,
        none=True,
    ),
    "seasonal": Word(
        "The place in the season as inputs, or taken out of each series first, or neither.",
        "choice",
        SEASONAL,
    ),
    "lags": Word(
        "Values this many steps before stand beside each step; at least the horizon.", "ints", low=1
    ),
    "transform": Word("Before scaling: nothing, or the logarithm of positive values.", "choice", TRANSFORMS),
    "level": Word(
        "Each window counts from the mean of its last so many values; 0 leaves it out.", "int", low=0
    ),
    "highway": Word("Last values that also reach the forecast in a straight line; 0 for none.", "int", low=0),
    "loss": Word(
        "What is minimised; gaussian and quantile give intervals.",
        "choice",
        FORECAST_LOSSES,
    ),
    "quantiles": Word(
        "Quantiles forecast with loss quantile.", "floats", low=0, high=1, low_open=True, high_open=True
    ),
    "members": Word("Networks trained from different weights, whose mean is the forecast.", "int", low=1),
    "calibrate": Word("Make intervals as wide as the errors on held out values say.", "bool"),
    "stride": Word("Steps between the training windows of a series.", "int", low=1),
    "noise": Word(
        "Deviation of noise added to the values read while training, in scaled units.", "float", low=0
    ),
    "method": Word(
        "What anomalies are found by: telling planted faults from the normal, undoing them, or forecasting.",
        "choice",
        METHODS,
    ),
    "block": Word("Time steps the network reads at once.", "int", low=1),
    "window": Word("Time steps of a training window.", "int", low=2),
    "windows": Word("Training windows; none draws four times the steps there are.", "int", low=1, none=True),
    "longest": Word(
        "Steps of the longest fault planted while training; none is a third of the window.",
        "int",
        low=1,
        none=True,
    ),
    "smooth": Word("Errors are averaged over so many steps on either side.", "int", low=0),
    "reach": Word("A step is as anomalous as the worst within so many steps on either side.", "int", low=0),
    "contamination": Word(
        "Share of the training steps called anomalous; none takes the quantile.",
        "float",
        low=0,
        high=0.5,
        low_open=True,
        none=True,
    ),
    "quantile": Word(
        "The threshold is this quantile of the training scores.",
        "float",
        low=0,
        high=1,
        low_open=True,
        high_open=True,
    ),
    "memory": Word(
        "What training keeps of a sequence: every step; or about 4 sqrt(T) of T steps, for up to 1.4 times the time.",
        "choice",
        MEMORIES,
    ),
    "network": Word(
        "Function (input_size, output_size) -> torch.nn.Module, for an own design.", "object", none=True
    ),
    "callbacks": Word("Objects with the methods of recurra.training.callbacks.Callback.", "object"),
    "checkpoint_dir": Word("Folder for checkpoints of the training.", "object", none=True),
    "device": Word("torch device to train on, such as cpu or cuda.", "object"),
    "random_state": Word("Seed of everything random; none draws a new one.", "object", none=True),
    "verbose": Word("0 silent, 1 a progress line, 2 one line per epoch.", "int", low=0, high=2),
}


def check_params(who: str, params: Mapping[str, Any]) -> None:
    """Raise UsageError at the first word whose value is out of its range."""
    for name, value in params.items():
        word = WORDS[name]
        if (value is None and word.none) or (word.also and isinstance(value, word.also)):
            continue
        if word.kind in ("int", "float"):
            bounds = {
                "low": word.low,
                "high": word.high,
                "low_open": word.low_open,
                "high_open": word.high_open,
            }
            check_number(who, name, value, integer=word.kind == "int", **bounds)  # type: ignore[arg-type] # bools and floats by name
        elif word.kind in ("ints", "floats"):
            _check_several(who, name, value, word)
        elif word.kind == "bool" and type(value).__name__ not in ("bool", "bool_"):
            raise UsageError(f"{who}: {name} must be True or False; got {value!r}.")
        elif word.kind == "choice":
            check_choice(who, name, value, (*word.choices, None) if word.none else word.choices)
    _check_initialization(who, params)
    _check_signal_words(who, params)
    if params.get("network") is not None and not callable(params["network"]):
        raise UsageError(
            f"{who}: network must be a function (input_size, output_size) -> torch.nn.Module; got {params['network']!r}."
        )
    directory = params.get("checkpoint_dir")
    if directory is not None and (not isinstance(directory, str | os.PathLike) or not str(directory)):
        raise UsageError(f"{who}: checkpoint_dir must be the path of a folder; got {directory!r}.")
    _check_callbacks(who, params.get("callbacks", ()))


def _check_several(who: str, name: str, value: Any, word: Word) -> None:
    several = isinstance(value, list | tuple)
    if not several and not isinstance(value, int | float):
        raise UsageError(f"{who}: {name} must be a number or several; got {value!r}.")
    for number in value if several else [value]:
        check_number(
            who,
            name,
            number,
            integer=word.kind == "ints",
            low=word.low,
            high=word.high,
            low_open=word.low_open,
            high_open=word.high_open,
        )


def _check_initialization(who: str, params: Mapping[str, Any]) -> None:
    initialization, cell = params.get("initialization", "default"), params.get("cell")
    if initialization == "identity" and cell != "rnn":
        raise UsageError(
            f"{who}: initialization='identity' is for cell='rnn', which it turns into a ReLU network; got cell={cell!r}. "
            "Use 'default' or 'chrono'."
        )
    if initialization == "chrono" and cell == "rnn":
        raise UsageError(
            f"{who}: initialization='chrono' sets the gates of an LSTM or GRU; cell='rnn' has none. "
            "Use 'default' or 'identity'."
        )


def _check_signal_words(who: str, params: Mapping[str, Any]) -> None:
    """Raise UsageError at features or a frontend that do not exist, or words that exclude each other."""
    from recurra.estimators.frontend import frontend_words
    from recurra.features.parts import feature_words

    feature_words(params.get("features"))
    frontend_words(params.get("frontend"))
    if params.get("tbptt") is not None and params.get("bidirectional"):
        raise UsageError(
            f"{who}: tbptt carries the state forward from cut to cut and cannot go with bidirectional=True, whose backward "
            "direction begins at the end. Leave one of them out."
        )


def _check_callbacks(who: str, callbacks: Any) -> None:
    if not isinstance(callbacks, list | tuple):
        raise UsageError(
            f"{who}: callbacks must be a list of callback objects; got {callbacks!r}. Wrap it in a list."
        )
    wrong = [c for c in callbacks if isinstance(c, type)]
    if wrong:
        raise UsageError(
            f"{who}: callbacks must be objects, not classes; got {listing(c.__name__ for c in wrong)}. Call the class."
        )


# What a file says of these would lead code, writing or deleting elsewhere: they are taken from the caller alone.
NEVER_FROM_A_FILE = ("callbacks", "checkpoint_dir", "cache_dir", "device", "network")


def from_file(params: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the words of a model file that its estimator knows and that a file may decide."""
    allowed = set(known) - set(NEVER_FROM_A_FILE)
    return {name: value for name, value in params.items() if name in allowed}
