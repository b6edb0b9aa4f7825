"""How signals are read: arrays of shape (time, channels), features, front ends and missing values."""

from typing import Any

from recurra.array_summaries import Findings, check_finite, check_not_tiny
from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.features.registry import make_features, parse_features
from recurra.features.rows.missing import FILLING
from recurra.fitting.frontend import parse_frontend
from recurra.fitting.tasks.sequences import Learned, Reading
from recurra.inputs.sequences import Given, read_sequences
from recurra.options import (
    Pooling,
    SequenceClassifierOptions,
    SequenceLabelerOptions,
    SequenceRegressorOptions,
)

SignalOptions = SequenceClassifierOptions | SequenceRegressorOptions | SequenceLabelerOptions


def check(options: SignalOptions, given: Given) -> None:
    """Raise DataError naming the first signal that cannot be learned from."""
    findings = given.findings or Findings()
    check_finite(given.sequences, names=given.names, allow_nan=options.missing in FILLING, findings=findings)
    check_not_tiny(given.sequences, "X", findings)


def features(options: SignalOptions, given: Given) -> Learned:
    """Learn scaling and features from the part that trains."""
    words = None if options.features is None else parse_features(options.features)
    front = None if options.frontend is None else parse_frontend(options.frontend)
    channels = given.sequences[0].shape[1]
    chain = Chain.fit(
        given.sequences,
        given.weights,
        scaling=options.scaling,
        missing=options.missing,
        features=[] if words is None else make_features(words, channels, given.sample_rate_hz),
        rows=None if front is None else front.windows,
        names=given.names,
        complete=options.missing not in FILLING or (given.findings or Findings()).complete(given.sequences),
    )
    if words is not None and chain.alignment is None and not isinstance(options, Pooling):
        raise UsageError(
            f"{type(options).__name__}: beat_intervals gives a row per heartbeat, which cannot label every time step; "
            "choose features that give a row per window."
        )
    return Learned(chain)


def front(options: SignalOptions, learned: Learned) -> dict[str, Any] | None:
    """Describe the trainable layers before the recurrence, see `recurra.nn.fronts.front`; None for none."""
    found = None if options.frontend is None else parse_frontend(options.frontend)
    return None if found is None else found.description(learned.features.input_size, causal=options.causal)


SIGNALS = Reading(read_sequences, check, features, front)
