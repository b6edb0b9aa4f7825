"""Losses as functions (outputs, targets, weights) -> scalar: the weighted mean over rows.

A row is a sequence, or a time step where every step has its target; then a step has the weight of its
sequence (`recurra.batches.examples.Batch` repeats it), so one function serves both. The mean is ``sum(w * l)
/ sum(w)``, which makes a weight of two the same as giving a sequence twice. If all weights are zero, so is
the loss.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from recurra.errors import ShapeError

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def cross_entropy(class_weights: Sequence[float] | np.ndarray | None = None) -> Loss:
    """Return the cross entropy of class scores.

    Parameters
    ----------
    class_weights : sequence of float, shape (classes,), optional
        Each row's weight is multiplied by that of its class.

    Returns
    -------
    function
        Of outputs (rows, classes), before softmax; targets (rows,), int64 in [0, classes); weights (rows,) or
        None.
    """
    by_class = (
        None if class_weights is None else torch.as_tensor(np.asarray(class_weights), dtype=torch.float32)
    )

    def loss(
        outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        if outputs.ndim != 2 or outputs.shape[:1] != targets.shape:
            raise ShapeError(
                f"cross_entropy: outputs must have shape (rows={targets.shape[0]}, classes); got "
                f"{tuple(outputs.shape)}. "
                "The network must give one row of class scores per target."
            )
        if by_class is not None:
            of_class = by_class.to(outputs.device, outputs.dtype)[targets]
            weights = of_class if weights is None else of_class * weights
        if weights is None:
            return F.cross_entropy(outputs, targets)
        return _weighted_mean(F.cross_entropy(outputs, targets, reduction="none"), weights)

    return loss


def step_cross_entropy(class_weights: Sequence[float] | np.ndarray | None = None) -> Loss:
    """Return `cross_entropy` for one target per time step: rows are steps, each with its sequence's weight."""
    return cross_entropy(class_weights)


def mean_squared_error(
    outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean squared difference; outputs and targets of shape (rows, targets) or (rows,)."""
    _check_same_shape("mean_squared_error", outputs, targets)
    return _row_mean((outputs - targets).square(), weights)


def mean_absolute_error(
    outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean absolute difference; outputs and targets of shape (rows, targets) or (rows,)."""
    _check_same_shape("mean_absolute_error", outputs, targets)
    return _row_mean((outputs - targets).abs(), weights)


def _row_mean(errors: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    if weights is None:
        return errors.mean()
    return _weighted_mean(errors.flatten(1).mean(1) if errors.ndim > 1 else errors, weights)


def _weighted_mean(rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    # clamp_min: a batch whose sequences all weigh nothing teaches nothing, instead of 0 / 0.
    return (weights * rows).sum() / weights.sum().clamp_min(torch.finfo(rows.dtype).tiny)


def _check_same_shape(who: str, outputs: torch.Tensor, targets: torch.Tensor) -> None:
    # Broadcasting (rows, 1) against (rows,) would compare every row with every other.
    if outputs.shape != targets.shape:
        raise ShapeError(
            f"{who}: outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)} must have the same "
            f"shape."
        )
