"""`Request`: what `fit` of an estimator was called with."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What `fit` of an estimator was called with, beside its options.

    Parameters
    ----------
    X, y, groups, sample_weight, validation, known, static
        As the estimator's ``fit`` describes them.
    """

    X: Any
    y: Any = None
    groups: Any = None
    sample_weight: Any = None
    validation: Any = None
    known: Any = None
    static: Any = None
