"""One or several numbers per sequence, or per time step."""

from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from recurra.errors import UsageError
from recurra.estimators.base import RegressorMixin
from recurra.fitting.inputs.sequences import Given
from recurra.estimators.signal_estimator import SignalEstimator
from recurra.fitting.targets import NumberTarget, Target
from recurra.options import SequenceRegressorOptions


class SequenceRegressor(RegressorMixin, SequenceRegressorOptions, SignalEstimator):
    """Recurrent network that gives every sequence, or every time step, one number or several.

    With y a list of arrays of shape (time,) or (time, targets), one for each sequence, the network answers at every
    step, and ``pooling`` is not used. The scaling of the targets is undone in every answer.
    """

    def _fit_target(self, given: Given) -> NumberTarget:
        quantiles = [float(q) for q in self.quantiles] if self.loss == "quantile" else []
        if self.loss == "quantile" and (not quantiles or quantiles != sorted(set(quantiles))):
            raise UsageError(f"{type(self).__name__}: quantiles must rise; got {quantiles}.")
        lengths = [len(sequence) for sequence in given.sequences]
        return NumberTarget.fit(type(self).__name__, given.y, lengths, quantiles=quantiles)

    def _loss(self, target: Target, weight_of_class: Any) -> Any:
        from recurra.training import losses

        if self.loss == "mse":
            return losses.mean_squared_error
        return losses.observed(self.loss, getattr(target, "quantiles", ()))

    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Predict the quantiles, where the loss was "quantile".

        Returns
        -------
        ndarray of shape (sequences, quantiles) or (sequences, targets, quantiles)
            An object array of such arrays with numbers per time step.
        """
        self._check_fitted()
        if not self.model_.manifest["target"].get("quantiles"):
            raise UsageError(f"{type(self).__name__}: has no quantiles. Train with loss='quantile'.")
        return self.model_.predict_quantiles(*self._read(X, reset=False))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, over all time steps with numbers per step; a sequence's weight counts for each of its steps."""
        predicted = self.predict(X)
        if predicted.dtype != object:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        lengths = [len(own) for own in predicted]
        weights = None if sample_weight is None else np.repeat(np.asarray(sample_weight), lengths)
        true = np.concatenate([np.asarray(own) for own in y])
        return float(r2_score(true, np.concatenate(list(predicted)), sample_weight=weights))
