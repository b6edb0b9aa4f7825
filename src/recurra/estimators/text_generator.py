"""A network that learns a language from texts and writes it."""

import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from recurra.checks import as_texts, check_number
from recurra.errors import DataError, UsageError
from recurra.estimators.base import Estimator, plain_params, seed_of
from recurra.evaluation.text_generation import TextEvaluation
from recurra.features.chain import Chain
from recurra.features.text import Words
from recurra.options import TextGeneratorOptions
from recurra.serving.model import FittedModel
from recurra.serving.writing import Writer, nats

_log = logging.getLogger(__name__)

# Between two texts, so that one does not run into the next.
BETWEEN = "\n\n"
FEWEST_HELD_OUT = 500


class TextGenerator(TextGeneratorOptions, Estimator):
    """Recurrent network that foretells the next character, byte-pair piece or word, and so writes.

    The texts are one long stream, cut into ``batch_size`` stretches that are read side by side; the gradient is cut
    every ``tbptt`` steps, the state goes on.

    Examples
    --------
    >>> import recurra
    >>> writer = recurra.TextGenerator(hidden_size=24, max_epochs=30, tbptt=20, batch_size=4, random_state=0, verbose=0)
    >>> writer.fit("abcd" * 100).generate("ab", length=6, temperature=0)
    'cdabcd'
    """

    model_: FittedModel

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
        from recurra.training.text_streams import train_on_text

        who = type(self).__name__
        self._check_options()
        text = _one_text(X, who)
        self.seed_ = seed_of(self.random_state)
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
            config=self._training_config(),
            validation=None if validation_ids is None else judge,
            tell=self._tell,
        )
        counts = np.bincount(ids, minlength=size)
        manifest: dict[str, Any] = {
            **self._written_by(),
            "params": plain_params(self.get_params(deep=False)),
            "task": "generation",
            "target": {"counts": counts.tolist()},
            "network": config.to_dict(),
            "channel_names": None,
            "sample_rate_hz": None,
            "input": {"n_features_in": None, "feature_names_in": []},
            "training": {
                "epochs": len(result.history),
                "best_epoch": result.best_epoch,
                "seconds": result.train_seconds,
                "history": result.history,
            },
        }
        self.model_ = FittedModel(manifest, Chain([words], 0), to_arrays(network))
        self._learned()
        return self

    def _tell(self, row: dict[str, Any]) -> None:
        if self.verbose:
            level = logging.INFO if self.verbose == 2 else logging.DEBUG
            shown = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
            _log.log(level, "epoch %d of %d: %s", row["epoch"], self.max_epochs, shown)

    def _learned(self) -> None:
        super()._learned()
        words: Any = self.model_.features.steps[0]
        self.vocabulary_ = words.vocabulary

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
        return TextEvaluation(metrics=metrics, samples=written, history=self.history_)

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
            rng=np.random.default_rng(seed_of(random_state)),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            banned=(0,),
        )
        return words.written(writer.tokens(begin, length))


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
