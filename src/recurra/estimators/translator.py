"""`Translator`: sequences of symbols in, sequences of symbols out."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from recurra.batches.splits import content_keys
from recurra.checks import check_choice
from recurra.fitting import overlap
from recurra.fitting import resuming
from recurra.estimators.base import Estimator, plain_params, seed_of, trained, validation_pair
from recurra.fitting.judge_pairs import judge
from recurra.fitting.inputs.pairs import Pairs, as_text, read_pairs, read_texts
from recurra.fitting.option_checks import check_params
from recurra.evaluation.attention_map import AttentionMap
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.features.symbols import Symbols
from recurra.options import TranslatorOptions
from recurra.serving.translation import SCALED, Alignment, Answer, TranslationModel

# An answer may be this many times as long as the longest target of the training.
LONGER = 2


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

    model_: TranslationModel

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
        found, resume = self._begin(resume)
        given = read_pairs(who, X, y, groups, sample_weight)
        judges = (
            None if validation is None else read_pairs(who, *validation_pair(who, validation), None, None)
        )
        learned = [as_text(source) for source in given.sources]
        given = given.merged()
        self.seed_ = seed_of(resuming.random_state(self, found))
        if judges is None:
            given, judges = self._hold_out(given)
        source, target = self._symbols(given, resume)
        network = self._build(len(source), len(target), resume)
        examples = given.examples(source, target)
        validation_examples = None if judges is None else judges.examples(source, target)
        words = plain_params(self.get_params(deep=False))
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
            shared_generator=False,
        )
        self._keep(network, result, given, (source, target), words, examples)
        overlap.remember(self, learned, resume=resume)
        return self

    def _hold_out(self, given: Pairs) -> tuple[Pairs, Pairs | None]:
        """Return the part to learn from and the part that decides early stopping, if there is one."""
        keys = content_keys([as_text(source) for source in given.sources])
        parts = self._held_out(
            len(given), keys, given.groups, fraction=self.validation_fraction, fewest_groups=0
        )
        return (given, None) if parts is None else (given.take(parts[0]), given.take(parts[1]))

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
            **self._written_by(),
            "params": words,
            "task": "translation",
            "network": network.config.to_dict(),
            "max_length": LONGER * longest,
            "training": {
                "lengths": read.tolist(),
                "commonest": Counter(as_text(text) for text in given.targets).most_common(1)[0][0],
                **trained(result),
            },
        }
        self.model_ = TranslationModel(manifest, source, target, weights)
        self._learned()

    def _learned(self) -> None:
        super()._learned()
        self.max_length_ = self.model_.max_length
        self.source_symbols_ = list(self.model_.source.names)
        self.target_symbols_ = list(self.model_.target.names)

    # -------------------------------------------------------------- predict

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
        from recurra.nn.translator import TranslatorConfig, translator_from_arrays

        self._check_fitted()
        config = TranslatorConfig.from_dict(self.model_.manifest["network"])
        return translator_from_arrays(config, self.model_.weights).eval()

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self._model().save(path)


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
