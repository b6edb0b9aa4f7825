"""What the estimators of signals share: features, front ends and missing values."""

from typing import Any

from recurra.checks import check_finite
from recurra.errors import UsageError
from recurra.fitting.frontend import frontend_words
from recurra.fitting.inputs.sequences import Given
from recurra.estimators.sequence_estimator import SequenceEstimator
from recurra.features.chain import Chain
from recurra.features.parts import feature_words, make_features
from recurra.options import Pooling, Signals
from recurra.plain_arrays import check_not_tiny


class SignalEstimator(Signals, SequenceEstimator):
    """Base of the estimators that read arrays of shape (time, channels)."""

    def _check(self, given: Given) -> None:
        check_finite(given.sequences, names=given.names, allow_nan=self.missing == "mask")
        check_not_tiny(given.sequences, "X")

    def _fit_features(self, given: Given) -> Chain:
        words, front = feature_words(self.features), frontend_words(self.frontend)
        channels = given.sequences[0].shape[1]
        chain = Chain.fit(
            given.sequences,
            given.weights,
            scaling=self.scaling,
            missing=self.missing,
            features=[] if words is None else make_features(words, channels, given.sample_rate_hz),
            rows=None if front is None else front.windows,
            names=given.names,
        )
        chain.check_lengths(given.sequences, given.names)
        if chain.alignment is None and not isinstance(self, Pooling):
            raise UsageError(
                f"{type(self).__name__}: beat_intervals gives a row per heartbeat, which cannot label every time step; "
                "choose features that give a row per window."
            )
        return chain

    def _front(self, features: Chain) -> dict[str, Any] | None:
        front = frontend_words(self.frontend)
        return None if front is None else front.description(features.input_size // front.windows.window)
