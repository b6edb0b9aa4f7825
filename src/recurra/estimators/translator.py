"""`Translator`: sequences of symbols in, sequences of symbols out."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_choice
from recurra.estimators.base import Estimator
from recurra.evaluation.explanations.attention_map import AttentionMap
from recurra.evaluation.results.evaluation import Evaluation, ReportContext
from recurra.fitting import overlap
from recurra.fitting.fit import fit
from recurra.fitting.option_checks import check_params
from recurra.fitting.tasks.pairs import PairTask
from recurra.inputs.pairs import as_text, read_pairs, read_texts
from recurra.inputs.request import Request
from recurra.insight.evaluating.pairs import judge
from recurra.options import TranslatorOptions
from recurra.serving.models.translation import Alignment, Answer, TranslationModel


class Translator(TranslatorOptions, Estimator):
    """Encoder and decoder with attention: text to text, or any symbols to symbols.

    Attributes
    ----------
    model_ : TranslationModel
        The trained network as data; answers without torch.
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

    task = PairTask()
    instead: ClassVar[Mapping[str, str]] = {
        "trace": "is for networks with one recurrence; this one has two. explain(source) shows where it looks while it "
        "writes, torch_network() has the layers.",
        "gradient_flow": "is for networks with one recurrence; attention gives this one a short way to every symbol. "
        "history_ has grad_norm_median and grad_norm_max of every epoch.",
    }
    model_: TranslationModel

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
        request = Request(X, y, groups=groups, sample_weight=sample_weight, validation=validation)
        return fit(self, request, resume=resume)

    def _learned(self) -> None:
        super()._learned()
        self.max_length_ = self.model_.max_length
        self.source_symbols_ = list(self.model_.source.names)
        self.target_symbols_ = list(self.model_.target.names)

    def _sequences(self, X: Any) -> list[Any]:
        return list(read_texts(X)[0])

    # -------------------------------------------------------------- predict

    def predict(
        self, X: Any, *, beam_size: int | None = None, n_best: int = 1, length_penalty: float | None = None
    ) -> np.ndarray:
        """Answer.

        Parameters
        ----------
        X : Dataset, or sequence of str or of lists of tokens
            Sources.
        beam_size, n_best, length_penalty
            As in `translate`, which gives scores too.

        Returns
        -------
        ndarray of shape (sources,), or (sources, n_best)
            Object array of str: the best answers to each, whatever the others are; where the search found fewer than
            ``n_best``, the last is given again.

        Warns
        -----
        RecurraWarning
            Of symbols never seen in training, and of answers that did not come to an end.
        """
        self._check_fitted()
        how: dict[str, Any] = {"beam_size": beam_size, "n_best": n_best, "length_penalty": length_penalty}
        return self._model().predict(*read_texts(X), **how)

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
        model = self._model()
        how = model.searching(beam_size, n_best, length_penalty)
        return model.translate(texts, max_length=max_length, names=names, **how)

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
        given = read_pairs(type(self).__name__, X, y, groups, None)
        found = judge(self._model(), given, baseline=baseline, context=context)
        return overlap.told(self, found, [as_text(source) for source in given.sources], "sources")

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of sources that are answered exactly."""
        self._check_fitted()
        given = read_pairs(type(self).__name__, X, y, None, None)
        answers = self._model().predict(given.sources, given.names)
        return float(np.mean([a == as_text(t) for a, t in zip(answers, given.targets, strict=True)]))

    def torch_network(self) -> Any:
        """Return the trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights."""
        from recurra.nn.networks.translator_network import TranslatorConfig, translator_from_arrays

        self._check_fitted()
        config = TranslatorConfig.from_dict(self.model_.manifest["network"])
        return translator_from_arrays(config, self.model_.weights).eval()

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self._model().save(path)
