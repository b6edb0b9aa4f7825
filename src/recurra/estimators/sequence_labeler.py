"""One class per time step."""

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import accuracy_score

from recurra.checks import are_token_lists, as_token_lists
from recurra.errors import UsageError
from recurra.estimators import text_reading
from recurra.estimators.inputs import Given
from recurra.estimators.targets import ChainTarget, StepTarget, Target
from recurra.evaluation.explanation import Explanation
from recurra.features.chain import Chain
from recurra.serving.segments import Segment


class SequenceLabeler(text_reading.ReadsWords):
    """Recurrent network that gives every time step a class.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=100
        Hidden units per direction and layer.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    bidirectional : bool, default=False
        Read every sequence in both directions.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, between layers and before the output.
    initialization : {"default", "chrono", "identity", "torch"}, default="default"
        How weights begin: orthogonal recurrent weights, Glorot inputs and forget bias 1; gates spread over memories up
        to the longest training sequence; identity recurrent weights with ReLU in place of tanh (cell="rnn" only);
        torch's own. Sources in `recurra.nn.initialize`.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass, default="adam"
        How weights are changed.
    learning_rate : float, default=0.002
        Its step.
    lr_schedule : {"constant", "step", "cosine", "plateau", "onecycle", "warmup"} or dict, default="constant"
        How the learning rate changes; a dictionary holds the ``name`` and its options.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_epochs : int, default=50
        Passes over the training data at most.
    batch_size : int, default=32
        Sequences per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    curriculum : int, dict or None, default=None
        Training begins with sequences up to this length and takes in longer ones as it goes on; a dictionary holds
        ``start`` and the other fields of `recurra.training.curriculum.Curriculum`.
    class_weight : None, "balanced" or dict of class to weight, default=None
        Weight of each class in the loss.
    validation_fraction : float, default=0.1
        Share held out for early stopping, by group where groups are given; 0 switches off. Where it would hold fewer
        than 25 sequences, or there are fewer than 5 groups, nothing is held out.
    patience : int or None, default=10
        Epochs without a better validation loss before training stops; the best weights are kept.
    features : str, sequence of str, dict or None, default=None
        What is computed from a signal before it is scaled, such as "spectral" or ["statistics", "band_powers"]; a
        dictionary holds ``name`` and options such as ``window_s``; see `recurra.features.parts`.
    frontend : {"convolution", "patches"}, dict or None, default=None
        Trainable layers over windows of the signal, before the recurrence; a dictionary holds the ``name`` and its
        options; see `recurra.estimators.frontend`.
    tbptt : int or None, default=None
        Rows after which backpropagation is cut in training, while the state goes on.
    scaling : {"zscore", "robust", "none"}, default="zscore"
        Scaling per channel, learned on the training part.
    missing : {"error", "mask"}, default="error"
        NaN is an error, or is filled with the channel's last value and marked in a mask channel.
    memory : {"full", "sqrt"}, default="full"
        What training keeps of a sequence: the gates of every step, or the states between segments of about
        4 sqrt(T) steps, from which the rest is computed again. Very long sequences need "sqrt".
    network : callable (input_size, output_size) -> torch.nn.Module, optional
        An own design; called with a `Ragged` of torch values.
    callbacks : sequence of recurra.training.callbacks.Callback, default=()
        Called during training.
    checkpoint_dir : path or None, default=None
        Folder for checkpoints of the training; ``fit(..., resume=True)`` goes on from the newest.
    device : str, default="cpu"
        torch device to train on; prediction is on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Decides everything random; global generators are never touched.
    verbose : {0, 1, 2}, default=1
        Silent; a progress line on a terminal; one log line per epoch.
    crf : bool, default=False
        Choose the labels of a sequence together, by a conditional random field over neighbouring labels: for labels that
        follow rules, such as those of chunks (B-, I-, O). Such a network cannot stream.
    lowercase : bool, default=True
        Of words: read capitals as small letters. This and what follows is for sentences given as lists of words.
    min_count : int, default=1
        Times a word must occur in the training sentences to be known.
    vectors : str, path, WordVectors or None, default=None
        Pretrained word vectors, as for `TextClassifier`; None learns vectors from the sentences.
    train_vectors : bool, default=False
        Whether pretrained vectors are trained on.
    extra_words : int, default=50000
        Words with a pretrained vector that are kept beside those of the sentences.
    embedding_size : int, default=100
        Numbers of a learned vector.
    letters : int, default=0
        Units, in each direction, of a GRU that reads the letters of each word; 0 reads none.
    subwords : int, default=0
        Numbers of a vector learned for each run of 1 to 5 letters of a word; 0 learns none.
    input_dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, between vectors and network.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    model_ : FittedModel
        The trained network as data.
    history_ : list of dict
        One flat record per epoch.
    vocabulary_ : dict of str to int
        Number of each known word, where sentences were given.

    Examples
    --------
    Words of a sentence, one label each:

    >>> import recurra
    >>> X = [["Ann", "met", "Bob"], ["Bob", "slept"], ["we", "met", "Ann"]] * 5
    >>> y = [["NAME", "VERB", "NAME"], ["NAME", "VERB"], ["OTHER", "VERB", "NAME"]] * 5
    >>> tagger = recurra.SequenceLabeler(hidden_size=8, crf=True, learning_rate=0.03, random_state=0, verbose=0)
    >>> tagger.fit(X, y).predict([["we", "met", "Bob"]])[0].tolist()
    ['OTHER', 'VERB', 'NAME']
    """

    _pools: ClassVar[bool] = False

    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 100,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        initialization: str = "default",
        optimizer: Any = "adam",
        learning_rate: float = 0.002,
        lr_schedule: Any = "constant",
        weight_decay: float = 0.0,
        max_epochs: int = 50,
        batch_size: int = 32,
        grad_clip: float | None = 1.0,
        curriculum: Any = None,
        class_weight: Any = None,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        features: Any = None,
        frontend: Any = None,
        tbptt: int | None = None,
        scaling: str = "zscore",
        missing: str = "error",
        memory: str = "full",
        network: Callable[[int, int], Any] | None = None,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
        crf: bool = False,
        lowercase: bool = True,
        min_count: int = 1,
        vectors: Any = None,
        train_vectors: bool = False,
        extra_words: int = 50_000,
        embedding_size: int = 100,
        letters: int = 0,
        subwords: int = 0,
        input_dropout: float = 0.0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.initialization = initialization
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.curriculum = curriculum
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.features = features
        self.frontend = frontend
        self.tbptt = tbptt
        self.scaling = scaling
        self.missing = missing
        self.memory = memory
        self.network = network
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.crf = crf
        self.lowercase = lowercase
        self.min_count = min_count
        self.vectors = vectors
        self.train_vectors = train_vectors
        self.extra_words = extra_words
        self.embedding_size = embedding_size
        self.letters = letters
        self.subwords = subwords
        self.input_dropout = input_dropout

    def _fit_target(self, given: Given) -> StepTarget:
        who = type(self).__name__
        if self.crf and self.network is not None:
            raise UsageError(f"{who}: crf=True stands on this class's own network; leave out network=.")
        return (ChainTarget if self.crf else StepTarget).fit(who, given.y, given.names)

    def _loss(self, target: Target, weight_of_class: np.ndarray | None) -> Any:
        from recurra.training import losses

        return (losses.chain_cross_entropy if self.crf else losses.cross_entropy)(weight_of_class)

    # Sentences as lists of words are read as `TextClassifier` reads texts; everything else as signals.

    def _read(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
        tokens = are_token_lists(X)
        if not reset and hasattr(self, "model_"):
            tokens = not self.model_.features.reads_numbers
        return as_token_lists(X, who=type(self).__name__) if tokens else super()._read(X, reset=reset)

    def _check(self, given: Given) -> None:
        if not isinstance(given.sequences[0], list):
            super()._check(given)

    def _fit_features(self, given: Given) -> Chain:
        sentences: list[Any] = given.sequences
        if not isinstance(sentences[0], list):
            self._found: dict[str, Any] = {}  # what an earlier fit on words told is not of this one
            return super()._fit_features(given)
        for word in ("features", "frontend"):
            if getattr(self, word) is not None:
                raise UsageError(f"{type(self).__name__}: {word}= is for signals; leave it out for words.")
        words, self._rows, self._found = text_reading.fit_words(self, sentences, given.weights)
        return Chain([words], 0)

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> Explanation:
        """Say how much each input value speaks for an answer; see `SequenceClassifier.explain`. For signals only."""
        self._check_fitted()
        if not self.model_.features.reads_numbers:
            raise UsageError(
                f"{type(self).__name__}: explain is for signals; labels of words are not explained."
            )
        return super().explain(x, method=method, target=target, step=step, **options)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities: object array of float32 arrays of shape (time, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(*self._read(X, reset=False))

    def segments(self, X: Any, *, min_duration_s: float = 0.0) -> list[list[Segment]]:
        """Return the labels of each sequence as segments: from when to when, and what.

        Parameters
        ----------
        X : as in ``fit``
            Sequences.
        min_duration_s : float, default=0.0
            Shorter segments become part of their longer neighbour, the shortest first; in steps where the data had no
            sampling rate.

        Returns
        -------
        list of list of Segment
            With ``start``, ``end`` (the step after the last), ``label``, ``start_s`` and ``end_s``; those of a sequence
            cover it without a gap.
        """
        self._check_fitted()
        return self.model_.segments(*self._read(X, reset=False), min_duration_s=min_duration_s)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy over all time steps; a sequence's weight counts for each of its steps."""
        predicted = self.predict(X)
        lengths = [len(labels) for labels in predicted]
        weights = None if sample_weight is None else np.repeat(np.asarray(sample_weight), lengths)
        truth = np.concatenate([np.asarray(labels) for labels in y])
        return float(accuracy_score(truth, np.concatenate(predicted), sample_weight=weights))
