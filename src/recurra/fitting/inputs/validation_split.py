"""Which records decide early stopping."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.batches.splits import holdout

# Fewer held-out records, or groups in all, are too weak a witness to stop training on; everything is then trained on.
FEWEST_HELD_OUT = 25


def held_out(
    y: Any, keys: Sequence[Any], groups: np.ndarray | None, *, fraction: float, fewest_groups: int, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which records to learn from and which decide early stopping; None where the latter are too few.

    Parameters
    ----------
    y : ndarray or int
        Classes of the records, or their number.
    keys : sequence
        Equal for records that must stay on one side.
    """
    if fraction * len(set(keys)) < FEWEST_HELD_OUT:
        return None
    if groups is not None and len(set(groups.tolist())) < fewest_groups:
        return None
    train, judges = holdout(y, groups=groups, fraction=fraction, random_state=seed, keys=keys)
    return (train, judges) if len(judges) else None
