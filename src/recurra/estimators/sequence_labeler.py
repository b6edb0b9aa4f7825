"""One class per time step."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score

from recurra.estimators.sequence_estimator import SequenceEstimator
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.texts import WORDS_OR_SIGNALS
from recurra.inputs.targets import step_loss, step_target
from recurra.options import SequenceLabelerOptions
from recurra.serving.segments import Segment


class SequenceLabeler(SequenceLabelerOptions, SequenceEstimator):
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

    task = SequenceTask(WORDS_OR_SIGNALS, step_target, step_loss)

    def predict_proba(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Return probabilities: object array of float32 arrays of shape (time, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(self._inputs(X, static))

    def segments(self, X: Any, *, min_duration_s: float = 0.0, static: Any = None) -> list[list[Segment]]:
        """Return the labels of each sequence as segments: from when to when, and what.

        Parameters
        ----------
        X : as in ``fit``
            Sequences.
        min_duration_s : float, default=0.0
            Shorter segments become part of their longer neighbour, the shortest first; in steps where the data had no
            sampling rate.
        static : as in ``fit``
            With the columns of the training.

        Returns
        -------
        list of list of Segment
            With ``start``, ``end`` (the step after the last), ``label``, ``start_s`` and ``end_s``; those of a sequence
            cover it without a gap.
        """
        self._check_fitted()
        return self.model_.segments(self._inputs(X, static), min_duration_s=min_duration_s)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, static: Any = None) -> float:
        """Return the accuracy over all time steps; a sequence's weight counts for each of its steps.

        y is not needed where X is a Dataset with labels per step.
        """
        return self._score(accuracy_score, X, y, sample_weight, static)
