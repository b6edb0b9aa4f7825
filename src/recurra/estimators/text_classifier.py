"""One class per text."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import ClassifierMixin

from recurra.checks import as_texts
from recurra.errors import UsageError
from recurra.estimators import text_reading
from recurra.estimators.inputs import Given
from recurra.estimators.targets import ClassTarget
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.evaluation.explanation import Explanation
from recurra.features.chain import Chain
from recurra.serving.text_stream import TextStream


class TextClassifier(ClassifierMixin, text_reading.ReadsWords):
    """Recurrent network that reads a text and gives it one class.

    Parameters
    ----------
    tokens : {"word", "character", "bpe"}, default="word"
        What is read one after the other: words and signs, characters, or byte-pair pieces learned from the texts.
    lowercase : bool, default=True
        Read capitals as small letters.
    min_count : int, default=1
        Times a token must occur in the training texts to be known.
    max_vocabulary : int or None, default=None
        Tokens known at most, the most frequent ones.
    max_tokens : int or None, default=None
        Tokens of a text that are read; None reads all of them. ``cut_`` says how many training texts were cut.
    vectors : str, path, WordVectors or None, default=None
        Pretrained word vectors: ``"glove-6b-50d"``, a file of GloVe, word2vec or fastText in text form, or
        `recurra.WordVectors`. None learns vectors from the texts.
    train_vectors : bool, default=False
        Whether pretrained vectors are trained on; else they stay as they are.
    extra_words : int, default=50000
        Words with a pretrained vector that are kept beside those of the training texts, the first ones of the file, so
        that they are known in new texts.
    embedding_size : int, default=100
        Numbers of a learned vector.
    letters : int, default=0
        Units, in each direction, of a GRU that reads the letters of each word beside its vector; 0 reads no letters.
        A word without a vector is then still read.
    subwords : int, default=0
        Numbers of a vector learned for each run of 1 to 5 letters of a word, as in fastText; the mean of a word's runs
        stands beside its vector. 0 learns none. Words that share a stem or an ending share what is learned of it.
    input_dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, between vectors and network.
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=100
        Hidden units per direction and layer.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    bidirectional : bool, default=False
        Read every text in both directions.
    pooling : {"last", "mean", "max", "attention"}, default="last"
        How the states over time become one answer.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, between layers and before the output.
    initialization : {"default", "chrono", "identity", "torch"}, default="default"
        How weights begin; see `SequenceClassifier`.
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
        Texts per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    curriculum : int, dict or None, default=None
        Training begins with texts up to this many tokens; see `SequenceClassifier`.
    class_weight : None, "balanced" or dict of class to weight, default=None
        Weight of each class in the loss.
    validation_fraction : float, default=0.1
        Share held out for early stopping, by group where groups are given; 0 switches off. Where it would hold fewer
        than 25 texts, or there are fewer than 5 groups, nothing is held out.
    patience : int or None, default=10
        Epochs without a better validation loss before training stops; the best weights are kept.
    network : callable (input_size, output_size) -> torch.nn.Module, optional
        An own design; called with a `Ragged` of the rows of `recurra.features.text.Words`.
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

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    vocabulary_ : dict of str to int
        Number of each known token.
    coverage_ : float
        Share of the different words of the training texts that have a pretrained vector; 1 where none are used.
    cut_ : int
        Training texts of more than ``max_tokens`` tokens.
    model_ : FittedModel
        The trained network as data.
    history_ : list of dict
        One flat record per epoch.

    Examples
    --------
    >>> import recurra
    >>> texts = ["oil leaks out", "it is leaking oil", "no power at all", "the power is gone"] * 5
    >>> labels = ["leak", "leak", "power", "power"] * 5
    >>> clf = recurra.TextClassifier(hidden_size=8, embedding_size=8, max_epochs=30, random_state=0, verbose=0)
    >>> clf.fit(texts, labels).predict(["oil is leaking"]).tolist()
    ['leak']
    """

    def __init__(
        self,
        *,
        tokens: str = "word",
        lowercase: bool = True,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        max_tokens: int | None = None,
        vectors: Any = None,
        train_vectors: bool = False,
        extra_words: int = 50_000,
        embedding_size: int = 100,
        letters: int = 0,
        subwords: int = 0,
        input_dropout: float = 0.0,
        cell: str = "lstm",
        hidden_size: int = 100,
        num_layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
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
        network: Callable[[int, int], Any] | None = None,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.tokens = tokens
        self.lowercase = lowercase
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.max_tokens = max_tokens
        self.vectors = vectors
        self.train_vectors = train_vectors
        self.extra_words = extra_words
        self.embedding_size = embedding_size
        self.letters = letters
        self.subwords = subwords
        self.input_dropout = input_dropout
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
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
        self.network = network
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _fit_target(self, given: Given) -> ClassTarget:
        return ClassTarget.fit(type(self).__name__, given.y, given.names)

    def _read(self, X: Any, *, reset: bool) -> tuple[list[str], list[str] | None]:
        return as_texts(X, who=type(self).__name__)

    def _check(self, given: Given) -> None:
        """Nothing more is asked of a text than `as_texts` has checked."""

    def _fit_features(self, given: Given) -> Chain:
        words, self._rows, self._found = text_reading.fit_words(
            self, list(map(str, given.sequences)), given.weights
        )
        return Chain([words], 0)

    def _learned(self) -> None:
        super()._learned()
        found = self.model_.manifest["text"]
        self.coverage_ = found["with_vector"] / found["words"]
        self.cut_ = found["cut"]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class: float32 array of shape (texts, classes)."""
        self._check_fitted()
        texts: Any = self._read(X, reset=False)[0]
        return self.model_.predict_proba(texts)

    def evaluate(
        self, X: Any, y: Any = None, *, groups: Any = None, context: ReportContext | None = None
    ) -> Evaluation:
        """Judge on labelled texts; see `SequenceClassifier.evaluate`. The report shows a word cloud of each class."""
        found = super().evaluate(X, y, groups=groups, context=context)
        texts = self._read(X, reset=False)[0]
        return replace(
            found, context=replace(found.context, pictures=lambda: text_reading.pictures(self, texts))
        )

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> Explanation:
        """Say how much each word of a text speaks for an answer.

        Parameters
        ----------
        x : str
            One text.
        method : {"integrated_gradients", "occlusion"}
            Along the way from no vector at all to the vectors of the words; or by leaving out one word after the other.
        target : label, optional
            The class to explain; the predicted one by default.
        step : None
            For networks with an answer per time step; this one has none.
        **options
            ``points`` of integrated gradients.

        Returns
        -------
        Explanation
            Of kind "text": values of shape (tokens,). A notebook shows the words in colours.
        """
        self._check_fitted()
        if step is not None:
            raise UsageError(
                "TextClassifier: step is for networks with an answer per time step; leave it out."
            )
        return text_reading.explain(self, x, method=method, target=target, options=options)

    def word_scores(self, X: Any) -> dict[Any, dict[str, float]]:
        """Return the words that speak for each class, as the network judges each different word read alone.

        Parameters
        ----------
        X : list of str
            Texts whose words are judged.

        Returns
        -------
        dict of label to dict of str to float
            For each word of a class, by how much the class leads over the next one, in [0, 1].
        """
        self._check_fitted()
        return text_reading.word_scores(self, self._read(X, reset=False)[0])

    def word_cloud(self, X: Any, *, max_words: int = 60) -> Figure:
        """Draw a cloud of words for each class, at most four, sized by `word_scores`.

        Parameters
        ----------
        X : list of str
            Texts whose words are shown.
        max_words : int, default=60
            Words of a cloud at most.

        Returns
        -------
        Figure
            ``savefig`` writes it as PNG or SVG.
        """
        from recurra.evaluation.word_cloud import word_clouds

        self._check_fitted()
        return word_clouds(text_reading.clouds(self, self._read(X, reset=False)[0]), max_words=max_words)

    def stream(self, *, look_ahead: int | None = None) -> TextStream:  # type: ignore[override] # of text, not rows
        """Begin a text that comes piece by piece; ``push(piece)`` answers as ``predict`` does for all of it so far.

        Raises
        ------
        UsageError
            If the network is bidirectional or the user's own.
        """
        self._check_fitted()
        if look_ahead is not None:
            raise UsageError(
                "TextClassifier: look_ahead is for signals; a text is read with bidirectional=False."
            )
        return TextStream(self.model_)
