"""A network that learns a language from texts and writes it."""

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recurra.checks import check_number, listing
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.estimators.base import Estimator
from recurra.evaluation.explanations.traces import Trace
from recurra.evaluation.report.context import ReportContext, report_context
from recurra.evaluation.results.text_generation import TextEvaluation
from recurra.features.texts.tokens import Words
from recurra.fitting.fit import fit
from recurra.fitting.resuming import seed_of
from recurra.fitting.tasks.language import LanguageTask, one_text
from recurra.inputs.request import Request
from recurra.insight.explanations.sequences import flow_of_language, trace_words
from recurra.options import TextGeneratorOptions
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.streams.language_model import Writer, nats

if TYPE_CHECKING:
    from recurra.evaluation.explanations.gradient_flow import GradientFlow

# Tokens of a stretch over which gradients are followed, where more are read at once in training.
MOST_STEPS = 200


class TextGenerator(TextGeneratorOptions, Estimator):
    """Recurrent network that foretells the next character, byte-pair piece or word, and so writes.

    The texts are one long stream, cut into ``batch_size`` stretches that are read side by side; the gradient is cut
    every ``tbptt`` steps, the state goes on. Where no option of network or training is given, a text of at most 250,000
    characters is read more often and in smaller steps than the defaults say; ``recipe_`` tells how.

    Examples
    --------
    >>> import recurra
    >>> writer = recurra.TextGenerator(hidden_size=24, max_epochs=30, tbptt=20, batch_size=4, random_state=0, verbose=0)
    >>> writer.fit(["abcd" * 100]).generate("ab", length=6, temperature=0)
    'cdabcd'
    """

    task = LanguageTask()
    instead: ClassVar[Mapping[str, str]] = {
        "explain": "is for networks that answer about a text; here evaluate(texts) says how well it foretells them, and "
        "trace(text) shows its states while it reads.",
    }
    model_: FittedModel
    recipe_: str  # what was decided, in a sentence; empty where nothing was

    def fit(self, X: Any, y: Any = None, *, validation: Any = None, resume: bool = False) -> Self:
        """Learn from texts.

        Parameters
        ----------
        X : list of str, Dataset of kind "text", or path of a text file
            Texts are read one after the other. A str is the path of a file; a single text is given as [text].
        y : None
            Not used; there for scikit-learn's tools.
        validation : as X, optional
            Texts that decide early stopping instead of the end of X.
        resume : bool, default=False
            Go on: an estimator that is not fitted from the newest checkpoint in ``checkpoint_dir``, or from the
            beginning if there is none yet; a fitted one from its weights and vocabulary, or from where this very
            training was interrupted.

        Raises
        ------
        DataError, UsageError
            Naming the value that cannot be used.
        TrainingError
            If the loss stops being finite.
        """
        return fit(self, Request(X, validation=validation), resume=resume)

    def _learned(self) -> None:
        super()._learned()
        self.vocabulary_ = self._words.vocabulary
        self.recipe_ = self.model_.manifest["training"].get("recipe", "")

    @property
    def _words(self) -> Words:
        """What makes numbers of a text."""
        words: Any = self.model_.features.steps[0]
        return words

    def _sequences(self, X: Any) -> list[Any]:
        return [one_text(X, type(self).__name__)]

    def _nats(self, text: str) -> np.ndarray:
        ids = self._words.numbers(text)
        if len(ids) < 2:
            raise DataError(
                f"{type(self).__name__}: a text to judge must have at least 2 tokens; got {len(ids)}."
            )
        return nats(self.model_.manifest["network"], self.model_.weights, ids)

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the bits per character of texts: higher is better."""
        self._check_fitted()
        text = one_text(X, type(self).__name__)
        return -_bits_per_character(self._nats(text), text)

    def evaluate(
        self, X: Any, *, samples: int = 2, length: int = 600, context: ReportContext | None = None
    ) -> TextEvaluation:
        """Judge on texts the network has not seen, and let it write.

        Parameters
        ----------
        X : as in ``fit``
        samples, length : int
            Texts to write, and their tokens.
        context : ReportContext, optional
            What the report should tell beside what the model knows, such as its title.
        """
        self._check_fitted()
        text = one_text(X, type(self).__name__)
        own, ids = self._nats(text), self._words.numbers(text)[1:]
        counts = np.asarray(self.model_.manifest["target"]["counts"], dtype=np.float64) + 1
        naive = -np.log(counts / counts.sum())[ids]
        metrics: dict[str, Any] = {}
        for end, each in (("", own), ("_baseline", naive)):
            metrics[f"bits_per_character{end}"] = _bits_per_character(each, text)
            metrics[f"perplexity{end}"] = float(np.exp(each.mean()))
        metrics |= {"n_test": len(text), "train_seconds": self.model_.manifest["training"]["seconds"]}
        written = [self.generate(length=length, random_state=seed) for seed in range(samples)]
        context = report_context(self.model_.manifest, context)
        return TextEvaluation(
            metrics=metrics, samples=written, nats=own, history=self.history_, context=context
        )

    def trace(self, x: Any, *, name: str = "") -> Trace:
        """Return every gate and state while the network reads a text.

        Parameters
        ----------
        x : str
            One text, of at least one token.
        name : str
            What to call it in pictures.
        """
        self._check_fitted()
        return trace_words(self, x, name)

    def gradient_flow(self, X: Any) -> "GradientFlow":
        """Measure how far the gradient of the loss reaches back through the states, on up to 32 stretches of texts.

        Parameters
        ----------
        X : as in ``fit``
            Texts, cut into stretches of ``tbptt`` tokens, as in training, at most 200.

        Returns
        -------
        GradientFlow
            ``summary()`` says what was found and what to do, ``plot()`` draws it.
        """
        self._check_fitted()
        ids = self._words.numbers(one_text(X, type(self).__name__))
        steps = min(int(self.tbptt or MOST_STEPS), MOST_STEPS)
        return flow_of_language(self, ids, steps)

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

        Warns
        -----
        RecurraWarning
            Of symbols of the prompt that were never seen in training.
        """
        self._check_fitted()
        check_number("generate", "length", length, integer=True, low=0)
        if not isinstance(prompt, str):
            raise UsageError(f"generate: prompt must be a str; got {type(prompt).__name__}.")
        begin = self._words.numbers(prompt)
        if not begin.all():
            unseen = sorted(
                {t for t, number in zip(self._words.tokens(prompt), begin, strict=True) if not number}
            )
            warnings.warn(
                f"generate: the prompt holds symbols never seen in training ({listing(unseen, 5)}); they are "
                "read as unknown.",
                RecurraWarning,
                stacklevel=2,
            )
        if not len(begin):
            begin = (
                self._words.numbers("\n") if "\n" in self._words.vocabulary else np.array([1])
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
        return self._words.written(writer.tokens(begin, length))


def _bits_per_character(nats_of_tokens: np.ndarray, text: str) -> float:
    """Return the bits for each character foretold; the first token of a text stands there without being foretold."""
    foretold = len(text) * len(nats_of_tokens) / (len(nats_of_tokens) + 1)
    return float(nats_of_tokens.sum()) / math.log(2) / foretold
