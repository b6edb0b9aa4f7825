"""`Translator`: sequences of symbols in, sequences of symbols out."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

import recurra
from recurra.batches.splits import content_keys, holdout
from recurra.checks import check_choice
from recurra.errors import UsageError
from recurra.estimators import resuming
from recurra.estimators.base import FEWEST_HELD_OUT, NotFittedError, _plain_params, _seed
from recurra.estimators.judging_pairs import judge
from recurra.estimators.pairs import Pairs, as_text, read_pairs, read_texts
from recurra.estimators.words import check_params, from_file
from recurra.evaluation.attention_map import AttentionMap
from recurra.evaluation.evaluation import Evaluation, ReportContext, installed_versions
from recurra.features.symbols import Symbols
from recurra.records import Dataset
from recurra.serving.translation import SCALED, Alignment, Answer, TranslationModel

# An answer may be this many times as long as the longest target of the training.
LONGER = 2


class Translator(BaseEstimator):
    """Encoder and decoder with attention: text to text, or any symbols to symbols.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell of encoder and decoder.
    hidden_size : int, default=128
        Units of the decoder, and of the encoder in each direction.
    num_layers : int, default=1
        Recurrent layers of each, one on top of the other.
    bidirectional : bool, default=True
        Whether the encoder reads in both directions.
    embedding_size : int, default=64
        Channels of an embedded symbol.
    attention : {"dot", "general", "additive"}, default="general"
        How the decoder's state is compared with the encoder's; see `recurra.nn.attention`.
    input_feeding : bool, default=False
        Whether the decoder also reads what it attended to last. It then trains step by step, several times slower.
    tie_embeddings : bool, default=False
        Whether the embedding of the target symbols is the matrix of the output too.
    source_level : {"character", "word", "bpe"}, default="character"
        What a symbol of the source is: a character, what stands between blanks, or a frequent part of a word
        (byte-pair encoding, which needs the package tokenizers). Texts given as lists of tokens are taken as they are.
    target_level : {"character", "word", "bpe"}, default="character"
        The same for the target.
    source_marks : bool, default=True
        Whether the source is read between a begin and an end symbol. They tell a short source from a part of a long one:
        without them, where few sources are short, "9" is read as the end of "99".
    vocabulary_size : int or None, default=None
        Most symbols of each side, the commonest; None takes all, of byte pairs 4,000. Words seen once count as unknown.
    dropout : float, default=0.2
        Share of features in [0, 1) zeroed in training, after every part.
    label_smoothing : float, default=0.0
        Share of the target's probability in [0, 1) spread over all symbols.
    scheduled_sampling : float, default=0.0
        Share of symbols in [0, 1] that the decoder reads from its own guesses in training.
    beam_size : int, default=1
        Beginnings kept at every step by ``predict``; 1 takes the best symbol at each.
    length_penalty : float, default=1.0
        With a beam, answers are ranked by log-probability over length to this power.
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
        Pairs per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    validation_fraction : float, default=0.1
        Share held out for early stopping, equal sources on one side; 0 switches off. Where it would hold fewer than 25
        sources, nothing is held out.
    patience : int or None, default=10
        Epochs without a better validation loss before training stops; the best weights are kept.
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
    model_ : TranslationModel
        The trained network as data; answers without torch.
    history_ : list of dict
        One flat record per epoch.
    max_length_ : int
        Most symbols of an answer, twice as many as the longest target of the training had.
    source_symbols_, target_symbols_ : list of str
        The vocabularies, special symbols first.

    Examples
    --------
    >>> import recurra
    >>> X = [a + b for a in "abcd" for b in "abcd"]
    >>> y = [x[::-1].upper() for x in X]
    >>> words = {"hidden_size": 16, "dropout": 0.0, "learning_rate": 0.02, "max_epochs": 30, "verbose": 0}
    >>> model = recurra.Translator(**words, random_state=0)
    >>> model.fit(X, y).predict(["ad", "cb"]).tolist()
    ['DA', 'BC']
    """

    model_: TranslationModel

    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding_size: int = 64,
        attention: str = "general",
        input_feeding: bool = False,
        tie_embeddings: bool = False,
        source_level: str = "character",
        target_level: str = "character",
        source_marks: bool = True,
        vocabulary_size: int | None = None,
        dropout: float = 0.2,
        label_smoothing: float = 0.0,
        scheduled_sampling: float = 0.0,
        beam_size: int = 1,
        length_penalty: float = 1.0,
        optimizer: Any = "adam",
        learning_rate: float = 0.002,
        lr_schedule: Any = "constant",
        weight_decay: float = 0.0,
        max_epochs: int = 50,
        batch_size: int = 32,
        grad_clip: float | None = 1.0,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.embedding_size = embedding_size
        self.attention = attention
        self.input_feeding = input_feeding
        self.tie_embeddings = tie_embeddings
        self.source_level = source_level
        self.target_level = target_level
        self.source_marks = source_marks
        self.vocabulary_size = vocabulary_size
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.scheduled_sampling = scheduled_sampling
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : Dataset, or sequence of str or of lists of tokens
            Sources.
        y : sequence of str or of lists of tokens
            Targets, one per source; not needed where X is a Dataset with labels. A source may come several times with
            different targets.
        groups : array-like of shape (sources,), optional
            What early stopping must not cut in two, such as the document.
        sample_weight : array-like of shape (sources,), optional
            A weight of 2 is the same as the pair twice.
        validation : (X, y) or Dataset, optional
            Decides early stopping instead of a part held out of X.
        resume : bool, default=False
            Go on: an estimator that is not fitted from the newest checkpoint in ``checkpoint_dir``; a fitted one from
            its weights and vocabularies, or from where this very training was interrupted.

        Raises
        ------
        DataError
            Naming the pair that cannot be used: an empty source or target, or lists of different length.
        UsageError
            If a word is out of range.
        TrainingError
            If the loss stops being finite; the last good weights are kept.
        """
        from recurra.training.loop import train

        who = type(self).__name__
        check_params(who, self.get_params(deep=False))
        found = resuming.find(self, resume)
        if self.checkpoint_dir is None:
            if resume:
                self._check_fitted()
        elif not resume and hasattr(self, "model_"):
            del self.model_  # should this training be interrupted, it is the one to go on with
        resume = resume and hasattr(self, "model_")
        given = read_pairs(who, X, y, groups, sample_weight)
        judges = None if validation is None else read_pairs(who, *_validation(who, validation))
        given = given.merged()
        self.seed_ = _seed(resuming.random_state(self, found))
        if judges is None:
            given, judges = self._hold_out(given)
        source, target = self._symbols(given, resume)
        network = self._build(len(source), len(target), resume)
        examples = given.examples(source, target)
        validation_examples = None if judges is None else judges.examples(source, target)
        words = _plain_params(self.get_params(deep=False))
        own = words | {SCALED: self.attention != "additive"}
        start, keepers = resuming.keep(self, found, own, examples, validation_examples, fitted=resume)
        result = train(
            network,
            examples,
            config=self._training_config(),
            loss=_loss(float(self.label_smoothing)),
            validation=validation_examples,
            score=_scores,
            callbacks=[*self.callbacks, *keepers],
            start=start,
        )
        self._keep(network, result, given, (source, target), words, examples)
        return self

    def _hold_out(self, given: Pairs) -> tuple[Pairs, Pairs | None]:
        """Return the part to learn from and the part that decides early stopping, if there is one."""
        keys = content_keys([as_text(source) for source in given.sources])
        if self.validation_fraction * len(set(keys)) < FEWEST_HELD_OUT:
            return given, None
        train, held_out = holdout(
            len(given),
            groups=given.groups,
            fraction=self.validation_fraction,
            random_state=self.seed_,
            keys=keys,
        )
        return (given.take(train), given.take(held_out)) if len(held_out) else (given, None)

    def _symbols(self, given: Pairs, resume: bool) -> tuple[Symbols, Symbols]:
        """Return the vocabularies, learned on the part that trains."""
        if resume:
            return self.model_.source, self.model_.target
        size = self.vocabulary_size
        return (
            Symbols.fit(given.sources, level=self.source_level, size=size, marks=bool(self.source_marks)),
            Symbols.fit(given.targets, level=self.target_level, size=size),
        )

    def _build(self, source_size: int, target_size: int, resume: bool) -> Any:
        from recurra.nn.translator import TranslatorConfig, build_translator, translator_from_arrays

        config = TranslatorConfig(
            cell=self.cell,
            source_size=source_size,
            target_size=target_size,
            embedding_size=int(self.embedding_size),
            hidden_size=int(self.hidden_size),
            num_layers=int(self.num_layers),
            bidirectional=bool(self.bidirectional),
            attention=self.attention,
            input_feeding=bool(self.input_feeding),
            tie_embeddings=bool(self.tie_embeddings),
            dropout=float(self.dropout),
        )
        network = build_translator(config, seed=self.seed_, sampling=float(self.scheduled_sampling))
        if resume:
            network.load_state_dict(translator_from_arrays(config, self.model_.weights).state_dict())
        return network

    def _training_config(self) -> Any:
        from recurra.training.config import TrainingConfig

        return TrainingConfig(
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            lr_schedule=self.lr_schedule,
            weight_decay=self.weight_decay,
            grad_clip=self.grad_clip,
            patience=self.patience,
            seed=self.seed_,
            device=self.device,
            verbose=self.verbose,
        )

    def _keep(
        self, network: Any, result: Any, given: Pairs, symbols: Any, words: dict[str, Any], examples: Any
    ) -> None:
        """Turn the trained module into the fitted model."""
        from recurra.nn.network import to_arrays

        weights = to_arrays(network)
        if network.config.tie_embeddings:
            del weights["head.weight"]
        source, target = symbols
        read = examples.lengths - examples.targets.astype(np.int64) - (2 if source.marks else 0)
        longest = int(examples.targets.max()) - 1
        if hasattr(self, "model_"):  # going on with other data does not make answers shorter
            longest = max(longest, self.model_.max_length // LONGER)
        manifest = {
            "estimator": type(self).__name__,
            "params": words,
            "task": "translation",
            "network": network.config.to_dict(),
            "max_length": LONGER * longest,
            "recurra": recurra.__version__,
            "versions": installed_versions(),
            "seed": self.seed_,
            "training": {
                "lengths": read.tolist(),
                "commonest": Counter(as_text(text) for text in given.targets).most_common(1)[0][0],
                "epochs": len(result.history),
                "best_epoch": result.best_epoch,
                "stopped": result.stopped,
                "seconds": result.train_seconds,
                "history": result.history,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        }
        self.model_ = TranslationModel(manifest, source, target, weights)
        self._learned()

    def _learned(self) -> None:
        """Set the attributes that ``fit`` learned from ``model_``."""
        self.history_ = self.model_.manifest["training"]["history"]
        self.best_epoch_ = self.model_.manifest["training"]["best_epoch"]
        self.seed_ = self.model_.manifest["seed"]
        self.max_length_ = self.model_.max_length
        self.source_symbols_ = list(self.model_.source.names)
        self.target_symbols_ = list(self.model_.target.names)

    # -------------------------------------------------------------- predict

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training data first."
            )

    def predict(self, X: Any) -> np.ndarray:
        """Answer.

        Parameters
        ----------
        X : Dataset, or sequence of str or of lists of tokens
            Sources.

        Returns
        -------
        ndarray of shape (sources,)
            Object array of str: the best answer to each, whatever the others are.

        Warns
        -----
        RecurraWarning
            Of symbols never seen in training, and of answers that did not come to an end.
        """
        self._check_fitted()
        return self._model().predict(*read_texts(X))

    def translate(
        self,
        X: Any,
        *,
        beam_size: int | None = None,
        n_best: int = 1,
        length_penalty: float | None = None,
        max_length: int | None = None,
    ) -> list[list[Answer]]:
        """Answer, with scores and alternatives.

        Parameters
        ----------
        X : as in ``predict``
        beam_size : int, optional
            The constructor's by default, at least ``n_best``.
        n_best : int, default=1
            Answers to each source.
        length_penalty : float, optional
            The constructor's by default.
        max_length : int, optional
            Most symbols of an answer, ``max_length_`` by default; an answer that had to stop there has ``cut`` set.

        Returns
        -------
        list of list of Answer
            For each source its answers, the best first.
        """
        self._check_fitted()
        texts, names = read_texts(X)
        return self.model_.translate(
            texts,
            beam_size=max(int(self.beam_size), n_best) if beam_size is None else beam_size,
            n_best=n_best,
            length_penalty=self.length_penalty if length_penalty is None else length_penalty,
            max_length=max_length,
            names=names,
        )

    def align(self, source: Any, target: Any = None) -> Alignment:
        """Return where the network looks while it writes an answer to one source, its own answer by default."""
        self._check_fitted()
        return self._model().align(source, target)

    def _model(self) -> TranslationModel:
        """Return the model with the words of decoding as they are now."""
        words = {"beam_size": self.beam_size, "length_penalty": self.length_penalty}
        params = self.model_.manifest["params"]
        if {word: params[word] for word in words} == words:
            return self.model_
        check_params(type(self).__name__, words)
        manifest = {**self.model_.manifest, "params": {**params, **words}}
        model = self.model_
        return TranslationModel(manifest, model.source, model.target, model.weights, model._decoders)

    def explain(
        self, x: Any, *, method: str = "attention", target: Any = None, name: str = ""
    ) -> AttentionMap:
        """Show where the network looks while it writes an answer.

        Parameters
        ----------
        x : str or list of tokens
            One source.
        method : {"attention"}
            There is one.
        target : str or list of tokens, optional
            An answer, for instance the true one; the network's own by default.
        name : str
            What to call the source.

        Returns
        -------
        AttentionMap
            Weights of every source symbol at every symbol of the answer.
        """
        check_choice("explain", "method", method, ("attention",))
        found = self.align(x, target)
        return AttentionMap(
            found.source, found.target, found.weights, found.log_probabilities, name or as_text(x)
        )

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        baseline: Sequence[str] | None = None,
        context: ReportContext | None = None,
    ) -> Evaluation:
        """Judge on pairs the model has not seen.

        Parameters
        ----------
        X, y, groups : as in ``fit``
            Intervals are over groups where given.
        baseline : sequence of str, optional
            A naive answer to each source; by default always the commonest answer of the training part.
        context : ReportContext, optional
            What the report should tell beside what the model knows, such as the command.

        Returns
        -------
        Evaluation
            ``.metrics`` is a flat dictionary with ``exact_match``, ``character_error_rate`` and, for words,
            ``symbol_error_rate`` and ``bleu``, each with the naive answer's beside it; ``.save("report.html")`` writes
            the report with attention maps and every mistake.
        """
        self._check_fitted()
        return judge(
            self._model(),
            read_pairs(type(self).__name__, X, y, groups, None),
            baseline=baseline,
            context=context,
        )

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of sources that are answered exactly."""
        self._check_fitted()
        given = read_pairs(type(self).__name__, X, y, None, None)
        answers = self._model().predict(given.sources, given.names)
        return float(np.mean([a == as_text(t) for a, t in zip(answers, given.targets, strict=True)]))

    def torch_network(self) -> Any:
        """Return the trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights."""
        from recurra.nn.translator import TranslatorConfig, translator_from_arrays

        self._check_fitted()
        config = TranslatorConfig.from_dict(self.model_.manifest["network"])
        return translator_from_arrays(config, self.model_.weights).eval()

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self._model().save(path)

    @classmethod
    def _from_model(cls, model: TranslationModel, own: dict[str, Any]) -> Self:
        """Build a fitted estimator around a loaded model; ``own`` are words a file cannot hold."""
        known = cls._get_param_names()
        estimator = cls(**from_file(model.manifest["params"], known) | own)
        estimator.model_ = model
        estimator._learned()
        return estimator


def _validation(who: str, validation: Any) -> tuple[Any, Any, None, None]:
    if isinstance(validation, Dataset):
        return validation, None, None, None
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise UsageError(
            f"{who}: validation must be a pair (X, y) or a Dataset; got {validation!r:.60}. "
            "To hold out a share of X, use validation_fraction."
        )
    return (*validation, None, None)


def _loss(smoothing: float) -> Any:
    """Return the mean over target symbols of the negative log-likelihood, smoothed."""

    def loss(outputs: Any, targets: Any, weights: Any = None) -> Any:
        # The columns are those of `TranslatorNetwork.forward`, summed over each target.
        likelihood = (1 - smoothing) * outputs[:, 0] + smoothing * outputs[:, 1]
        if weights is None:
            return -likelihood.sum() / targets.sum()
        return -(weights * likelihood).sum() / (weights * targets).sum().clamp_min(1e-30)

    return loss


def _scores(outputs: np.ndarray, examples: Any) -> dict[str, float]:
    """Return the share of targets, and of their symbols, that are found symbol by symbol.

    Where every symbol is the most probable one after the true ones before, greedy decoding finds the whole target: the
    share of targets is that of its exact answers.
    """
    right, count = outputs[:, 2], outputs[:, 3]
    return {
        "exact_match": float((right == count).mean()),
        "symbol_accuracy": float(right.sum() / count.sum()),
    }
