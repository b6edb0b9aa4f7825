"""`Known`: what comes with a series beside its values."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Known:
    """What comes with a series beside its values.

    Parameters
    ----------
    future : ndarray of shape (time or more, n_known), optional
        What is known in advance, from the first step of the history on.
    static : ndarray of shape (n_static,), optional
        Attributes of the whole series.
    phase : int
        Place of the first step on a common calendar, in steps.
    start : float, optional
        Time stamp of the step at place ``begin``, in seconds since 1970; None where there are none.
    begin : int
        A place on that calendar.
    zone : str, optional
        Time zone of the stamps.
    names : tuple of str
        Of the columns of ``future``, where they have any.
    """

    future: np.ndarray | None = None
    static: np.ndarray | None = None
    phase: int = 0
    start: float | None = None
    begin: int = 0
    zone: str | None = None
    names: tuple[str, ...] = ()
