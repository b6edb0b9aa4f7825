"""One or several numbers per sequence, or per time step."""

from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from recurra.errors import UsageError
from recurra.estimators.base import RegressorMixin
from recurra.estimators.sequence_estimator import SequenceEstimator
from recurra.fitting.inputs.sequences import check_answers
from recurra.fitting.tasks.answers import number_loss, number_target
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.signals import SIGNALS
from recurra.options import SequenceRegressorOptions


class SequenceRegressor(RegressorMixin, SequenceRegressorOptions, SequenceEstimator):
    """Recurrent network that gives every sequence, or every time step, one number or several.

    With y a list of arrays of shape (time,) or (time, targets), one for each sequence, the network answers at every
    step, and ``pooling`` is not used. The scaling of the targets is undone in every answer.
    """

    task = SequenceTask(SIGNALS, number_target, number_loss)

    def predict_quantiles(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Predict the quantiles, where the loss was "quantile".

        Returns
        -------
        ndarray of shape (sequences, quantiles) or (sequences, targets, quantiles)
            An object array of such arrays with numbers per time step.
        """
        self._check_fitted()
        if not self.model_.manifest["target"].get("quantiles"):
            raise UsageError(f"{type(self).__name__}: has no quantiles. Train with loss='quantile'.")
        return self.model_.predict_quantiles(*self._inputs(X, static))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, static: Any = None) -> float:
        """Return R2, over all time steps with numbers per step; a sequence's weight counts for each of its steps.

        y is not needed where X is a Dataset with numbers as labels.
        """
        X, y = self._to_score(X, y)
        predicted = self.predict(X, static=static)
        check_answers(self, "score", y, predicted, None)
        if predicted.dtype != object:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        lengths = [len(own) for own in predicted]
        weights = None if sample_weight is None else np.repeat(np.asarray(sample_weight), lengths)
        true = np.concatenate([np.asarray(own) for own in y])
        return float(r2_score(true, np.concatenate(list(predicted)), sample_weight=weights))
