"""One class per time step."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score

from recurra.checks import are_token_lists, as_token_lists
from recurra.errors import UsageError
from recurra.fitting.inputs import words as text_reading
from recurra.fitting.inputs.sequences import Given
from recurra.estimators.signal_estimator import SignalEstimator
from recurra.fitting.targets import ChainTarget, StepTarget, Target
from recurra.features.chain import Chain
from recurra.options import SequenceLabelerOptions
from recurra.serving.segments import Segment


class SequenceLabeler(SequenceLabelerOptions, text_reading.ReadsWords, SignalEstimator):
    """Recurrent network that gives every time step a class.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
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
            self._found = {}  # what an earlier fit on words told is not of this one
            return super()._fit_features(given)
        for word in ("features", "frontend"):
            if getattr(self, word) is not None:
                raise UsageError(f"{type(self).__name__}: {word}= is for signals; leave it out for words.")
        words, self._rows, self._found = text_reading.fit_words(self, sentences, given.weights)
        return Chain([words], 0)

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
