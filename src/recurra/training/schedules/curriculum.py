"""Lengths that grow: training begins with short sequences and takes in longer ones as it succeeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from recurra.checks import check_number, did_you_mean, listing
from recurra.errors import UsageError


@dataclass(frozen=True)
class Curriculum:
    """Which lengths an epoch trains on.

    An epoch takes every sequence up to a limit, so that shorter ones stay mixed in; the limit grows by ``factor``
    until it holds the longest. While it grows, validation is on sequences up to the limit, and early stopping waits.

    Parameters
    ----------
    start : int
        First limit, in time steps.
    factor : float
        By which it grows.
    below : float or None
        It grows after an epoch whose training loss is at most this; None: after every epoch. Regressors scale
        their targets to deviation 1, and so the loss.
    patience : int
        Epochs at one limit after which it grows whatever the loss is.

    Raises
    ------
    UsageError
        If a value is out of its range.

    References
    ----------
    .. [1] Bengio et al., "Curriculum Learning", ICML 2009; with short examples mixed in: Zaremba and Sutskever,
       "Learning to Execute", 2014, arXiv:1410.4615.
    """

    start: int  # time steps, at least 1
    factor: float = 1.5  # above 1
    below: float | None = None  # in the unit of the loss, above 0
    patience: int = 20  # epochs, at least 1

    def __post_init__(self) -> None:
        who = "Curriculum"
        check_number(who, "start", self.start, integer=True, low=1)
        check_number(who, "factor", self.factor, low=1, low_open=True)
        if self.below is not None:
            check_number(who, "below", self.below, low=0, low_open=True)
        check_number(who, "patience", self.patience, integer=True, low=1)

    def limit(self, history: Sequence[Mapping[str, Any]], longest: int) -> int:
        """Return the limit of the next epoch, at most ``longest``.

        It follows from the history alone, so that a run that was stopped goes on as if it had not been.
        """
        if not history:
            return min(self.start, longest)
        now = int(history[-1]["length_limit"])
        at_now = sum(1 for row in history if row["length_limit"] == now)
        succeeded = self.below is None or history[-1]["train_loss"] <= self.below
        if not succeeded and at_now < self.patience:
            return now
        return min(longest, max(now + 1, int(now * self.factor)))


def as_curriculum(given: Any) -> Curriculum | None:
    """Return a curriculum of a first length, a dictionary of its fields, or itself; None stays None.

    Raises
    ------
    UsageError
        If it is none of these, or has another field.
    """
    if given is None or isinstance(given, Curriculum):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return Curriculum(given)
    if not isinstance(given, Mapping):
        raise UsageError(
            f"TrainingConfig: curriculum must be a first length, a dictionary with 'start' and its options, or None; "
            f"got {given!r}."
        )
    known = [field.name for field in fields(Curriculum)]
    for word in given:
        if word not in known:
            raise UsageError(
                f"TrainingConfig: curriculum has no option {word!r}; its options are {listing(known)}."
                f"{did_you_mean(word, known)}"
            )
    if "start" not in given:
        raise UsageError(f"TrainingConfig: curriculum needs 'start', the first length; got {dict(given)!r}.")
    return Curriculum(**given)


def up_to(lengths: np.ndarray, limit: int) -> np.ndarray:
    """Return which sequences are no longer than the limit, or than the shortest if none is; int64 indices."""
    return np.flatnonzero(lengths <= max(limit, int(lengths.min())))
