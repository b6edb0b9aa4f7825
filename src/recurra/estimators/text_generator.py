"""A network that learns a language from texts and writes it."""

import logging
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

import recurra
from recurra.checks import as_texts, check_number
from recurra.errors import DataError, UsageError
from recurra.estimators.base import NotFittedError, _plain_params, _seed
from recurra.estimators.words import check_params, from_file
from recurra.evaluation.evaluation import installed_versions
from recurra.features.chain import Chain
from recurra.features.text import Words
from recurra.serving.model import FittedModel
from recurra.serving.writing import Writer, nats
from recurra.store import write_text

_log = logging.getLogger(__name__)

# Between two texts, so that one does not run into the next.
BETWEEN = "\n\n"
FEWEST_HELD_OUT = 500


@dataclass(frozen=True)
class TextEvaluation:
    """How well a network foretells a text.

    Parameters
    ----------
    metrics : dict
        ``bits_per_character``, ``perplexity`` (per token), ``n_test`` (characters), each with ``_baseline``: tokens as
        frequent as in training whatever stands before.
    samples : list of str
        What it writes.
    history : list of dict
        Of the training.
    title : str
        Heading of the page.
    """

    metrics: dict[str, Any]
    samples: list[str]
    history: list[dict[str, Any]] = field(default_factory=list)
    title: str = "TextGenerator"

    def to_html(self) -> str:
        """Return figures, losses and samples as one page that needs nothing else."""
        from recurra.evaluation.charts import learning_curves

        curves = learning_curves(self.history) if self.history else ""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.4g}</td></tr>" for name, value in self.metrics.items()
        )
        samples = "".join(f"<pre>{escape(sample)}</pre>" for sample in self.samples)
        style = "body{font-family:sans-serif;max-width:760px;margin:2em auto;color:#1d2329;background:#fff}"
        style += "pre{white-space:pre-wrap;border:1px solid #d9dee4;padding:1em}td{padding:2px 12px 2px 0}"
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{style}</style><h1>{escape(self.title)}</h1><table>{rows}</table>{curves}"
            f"<h2>What it writes</h2>{samples}</html>\n"
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page in one step."""
        write_text(Path(path), self.to_html())
        return Path(path)


class TextGenerator(BaseEstimator):
    """Recurrent network that foretells the next character, byte-pair piece or word, and so writes.

    The texts are one long stream, cut into ``batch_size`` stretches that are read side by side; the gradient is cut
    every ``tbptt`` steps, the state goes on.

    Parameters
    ----------
    tokens : {"character", "bpe", "word"}, default="character"
        What is foretold.
    lowercase : bool, default=False
        Read and write small letters only.
    min_count : int, default=1
        Times a token must occur to be known.
    max_vocabulary : int or None, default=None
        Tokens known at most.
    embedding_size : int, default=64
        Numbers of a token's vector.
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=256
        Hidden units per layer.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, before the network, between layers and before the output.
    tbptt : int or None, default=100
        Steps after which the gradient is cut; None never cuts it.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass, default="adam"
        How weights are changed.
    learning_rate : float, default=0.002
        Its step.
    lr_schedule : {"constant", "step", "cosine", "plateau", "onecycle", "warmup"} or dict, default="cosine"
        How the learning rate changes.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_epochs : int, default=10
        Passes over the text at most.
    batch_size : int, default=32
        Stretches read side by side.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    validation_fraction : float, default=0.1
        Share at the end of the text that decides which epoch's weights are kept; 0 trains on everything. Where it would
        hold fewer than 500 tokens, nothing is held out.
    patience : int or None, default=None
        Epochs without a better validation loss before training stops.
    random_state : int, RandomState, Generator or None, default=None
        Decides everything random; global generators are never touched.
    verbose : {0, 1, 2}, default=1
        2 logs a line an epoch.

    Attributes
    ----------
    model_ : FittedModel
        The trained network as data.
    history_ : list of dict
        One flat record per epoch.

    Examples
    --------
    >>> import recurra
    >>> writer = recurra.TextGenerator(hidden_size=24, max_epochs=30, tbptt=20, batch_size=4, random_state=0, verbose=0)
    >>> writer.fit("abcd" * 100).generate("ab", length=6, temperature=0)
    'cdabcd'
    """

    def __init__(
        self,
        *,
        tokens: str = "character",
        lowercase: bool = False,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        embedding_size: int = 64,
        cell: str = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
        tbptt: int | None = 100,
        optimizer: Any = "adam",
        learning_rate: float = 0.002,
        lr_schedule: Any = "cosine",
        weight_decay: float = 0.0,
        max_epochs: int = 10,
        batch_size: int = 32,
        grad_clip: float | None = 1.0,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.tokens = tokens
        self.lowercase = lowercase
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.embedding_size = embedding_size
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.tbptt = tbptt
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from texts.

        Parameters
        ----------
        X : str, list of str, or Dataset of kind "text"
            Read one after the other.
        y : None
            Not used; there for scikit-learn's tools.

        Raises
        ------
        DataError, UsageError
            Naming the value that cannot be used.
        TrainingError
            If the loss stops being finite.
        """
        from recurra.nn.network import NetworkConfig, build, to_arrays
        from recurra.training.config import TrainingConfig
        from recurra.training.text_streams import train_on_text

        who = type(self).__name__
        check_params(who, self.get_params(deep=False))
        text = _one_text(X, who)
        self.seed_ = _seed(self.random_state)
        cut = int(len(text) * (1 - self.validation_fraction))
        held_out = text[cut:] if self.validation_fraction and len(text) - cut >= FEWEST_HELD_OUT else ""
        learned = text[:cut] if held_out else text
        words = Words.fit(
            [learned],
            level=self.tokens,
            lowercase=bool(self.lowercase),
            min_count=int(self.min_count),
            max_vocabulary=self.max_vocabulary,
        )
        ids, validation_ids = words.numbers(learned), words.numbers(held_out) if held_out else None
        size = len(words.vocabulary)
        config = NetworkConfig(
            cell=self.cell,
            input_size=1,
            hidden_size=int(self.hidden_size),
            output_size=size,
            num_layers=int(self.num_layers),
            pooling="none",
            dropout=float(self.dropout),
            front={"name": "embedding", "vocabulary": size, "size": int(self.embedding_size)},
        )

        def judge(network: Any) -> float:
            assert validation_ids is not None
            return float(nats(config.to_dict(), to_arrays(network), validation_ids).mean())

        result = train_on_text(
            network := build(config, seed=self.seed_),
            ids,
            tbptt=int(self.tbptt) if self.tbptt is not None else len(ids),
            config=TrainingConfig(
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                optimizer=self.optimizer,
                learning_rate=self.learning_rate,
                lr_schedule=self.lr_schedule,
                weight_decay=self.weight_decay,
                grad_clip=self.grad_clip,
                patience=self.patience,
                seed=self.seed_,
            ),
            validation=None if validation_ids is None else judge,
            tell=self._tell,
        )
        counts = np.bincount(ids, minlength=size)
        manifest: dict[str, Any] = {
            "estimator": who,
            "params": _plain_params(self.get_params(deep=False)),
            "task": "generation",
            "target": {"counts": counts.tolist()},
            "network": config.to_dict(),
            "channel_names": None,
            "sample_rate_hz": None,
            "input": {"n_features_in": None, "feature_names_in": []},
            "recurra": recurra.__version__,
            "versions": installed_versions(),
            "seed": self.seed_,
            "training": {
                "epochs": len(result.history),
                "best_epoch": result.best_epoch,
                "seconds": result.train_seconds,
                "history": result.history,
            },
        }
        self._keep(FittedModel(manifest, Chain([words], 0), to_arrays(network)))
        return self

    def _tell(self, row: dict[str, Any]) -> None:
        if self.verbose:
            level = logging.INFO if self.verbose == 2 else logging.DEBUG
            shown = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
            _log.log(level, "epoch %d of %d: %s", row["epoch"], self.max_epochs, shown)

    def _keep(self, model: FittedModel) -> None:
        self.model_ = model
        self.history_ = model.manifest["training"]["history"]
        self.seed_ = model.manifest["seed"]
        words: Any = model.features.steps[0]
        self.vocabulary_ = words.vocabulary

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training texts first."
            )

    def _nats(self, text: str) -> np.ndarray:
        words: Any = self.model_.features.steps[0]
        ids = words.numbers(text)
        if len(ids) < 2:
            raise DataError(
                f"{type(self).__name__}: a text to judge must have at least 2 tokens; got {len(ids)}."
            )
        return nats(self.model_.manifest["network"], self.model_.weights, ids)

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the bits per character of texts: higher is better."""
        self._check_fitted()
        text = _one_text(X, type(self).__name__)
        return -_bits_per_character(self._nats(text), text)

    def evaluate(self, X: Any, *, samples: int = 2, length: int = 600) -> TextEvaluation:
        """Judge on texts the network has not seen, and let it write.

        Parameters
        ----------
        X : as in ``fit``
        samples, length : int
            Texts to write, and their tokens.
        """
        self._check_fitted()
        text = _one_text(X, type(self).__name__)
        words: Any = self.model_.features.steps[0]
        own, ids = self._nats(text), words.numbers(text)[1:]
        counts = np.asarray(self.model_.manifest["target"]["counts"], dtype=np.float64) + 1
        naive = -np.log(counts / counts.sum())[ids]
        metrics: dict[str, Any] = {}
        for end, each in (("", own), ("_baseline", naive)):
            metrics[f"bits_per_character{end}"] = _bits_per_character(each, text)
            metrics[f"perplexity{end}"] = float(np.exp(each.mean()))
        metrics |= {"n_test": len(text), "train_seconds": self.model_.manifest["training"]["seconds"]}
        written = [self.generate(length=length, random_state=seed) for seed in range(samples)]
        return TextEvaluation(metrics, written, self.history_)

    def generate(self, prompt: str = "", **options: Any) -> str:
        """Write on from a prompt; the options are those of `write`."""
        return "".join(self.write(prompt, **options))

    def write(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Iterator[str]:
        """Yield what follows a prompt, piece by piece as it is drawn.

        Parameters
        ----------
        prompt : str
            What stands before; a line's end if empty.
        length : int, default=500
            Tokens to write.
        temperature : float, default=1.0
            Below 1 the likely becomes likelier; 0 always takes the most likely.
        top_k : int, optional
            Draw from the k most likely tokens only.
        top_p : float, optional
            Draw from the most likely tokens that together have this probability, in (0, 1].
        random_state : int, RandomState, Generator or None
            Decides what is drawn.
        """
        self._check_fitted()
        check_number("generate", "length", length, integer=True, low=0)
        if not isinstance(prompt, str):
            raise UsageError(f"generate: prompt must be a str; got {type(prompt).__name__}.")
        words: Any = self.model_.features.steps[0]
        begin = words.numbers(prompt)
        if not len(begin):
            begin = (
                words.numbers("\n") if "\n" in words.vocabulary else np.array([1])
            )  # the most frequent token
        writer = Writer(
            self.model_.manifest["network"],
            self.model_.weights,
            rng=np.random.default_rng(_seed(random_state)),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            banned=(0,),
        )
        return words.written(writer.tokens(begin, length))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path)

    @classmethod
    def _from_model(cls, model: FittedModel, own: dict[str, Any]) -> Self:
        known = cls._get_param_names()
        estimator = cls(**from_file(model.manifest["params"], known) | own)
        estimator._keep(model)
        return estimator


def _one_text(X: Any, who: str) -> str:
    texts: Iterable[str] = [X] if isinstance(X, str) else as_texts(X, who=who)[0]
    text = BETWEEN.join(texts)
    if not text.strip():
        raise DataError(f"{who}: the text is empty. Give one with at least two tokens.")
    return text


def _bits_per_character(nats_of_tokens: np.ndarray, text: str) -> float:
    """Return the bits for each character foretold; the first token of a text stands there without being foretold."""
    foretold = len(text) * len(nats_of_tokens) / (len(nats_of_tokens) + 1)
    return float(nats_of_tokens.sum()) / math.log(2) / foretold
