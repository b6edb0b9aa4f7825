"""Losses as functions (outputs, targets, weights) -> scalar: the weighted mean over rows.

A row is a sequence, or a time step where every step has its target; then a step has the weight of its
sequence (`recurra.batches.examples.Batch` repeats it), so one function serves both. The mean is ``sum(w * l)
/ sum(w)``, which makes a weight of two the same as giving a sequence twice. If all weights are zero, so is
the loss.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from recurra.checks import check_choice
from recurra.errors import ShapeError

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


class CrossEntropy:
    """The cross entropy of class scores; called with outputs (rows, classes), before softmax.

    Targets (rows,) are int64 in [0, classes), weights (rows,) or None.

    Parameters
    ----------
    class_weights : sequence of float, shape (classes,), optional
        Each row's weight is multiplied by that of its class.
    """

    def __init__(self, class_weights: Sequence[float] | np.ndarray | None = None) -> None:
        self._by_class = (
            None if class_weights is None else torch.as_tensor(np.asarray(class_weights), dtype=torch.float32)
        )

    def __call__(
        self, outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the weighted mean over rows."""
        if outputs.ndim != 2 or outputs.shape[:1] != targets.shape:
            raise ShapeError(
                f"cross_entropy: outputs must have shape (rows={targets.shape[0]}, classes); got "
                f"{tuple(outputs.shape)}. "
                "The network must give one row of class scores per target."
            )
        weights = self.row_weights(targets, weights, outputs)
        if weights is None:
            return F.cross_entropy(outputs, targets)
        return _weighted_mean(F.cross_entropy(outputs, targets, reduction="none"), weights)

    def row_weights(
        self, targets: torch.Tensor, weights: torch.Tensor | None, like: torch.Tensor
    ) -> torch.Tensor | None:
        """Return each row's weight, with that of its class as ``like`` holds numbers; None where all are one."""
        if self._by_class is None:
            return weights
        of_class = self._by_class.to(like.device, like.dtype)[targets]
        return of_class if weights is None else of_class * weights


def cross_entropy(class_weights: Sequence[float] | np.ndarray | None = None) -> Loss:
    """Return the cross entropy of class scores, see `CrossEntropy`."""
    return CrossEntropy(class_weights)


def chain_cross_entropy(class_weights: Sequence[float] | np.ndarray | None = None) -> Loss:
    """Return minus the log-likelihood of a conditional random field, per step.

    Parameters
    ----------
    class_weights : sequence of float, shape (classes,), optional
        Each step's weight is multiplied by that of its class.

    Returns
    -------
    function
        Of outputs (rows, classes * classes), as `recurra.nn.heads.crf.CRF` gives them; targets (rows, 2), the class before,
        any for a first step, and the class; weights (rows,) or None.
    """
    by_step = cross_entropy(class_weights)

    def loss(
        outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        classes = math.isqrt(outputs.shape[1])
        rows = torch.arange(len(outputs), device=outputs.device)
        return by_step(outputs.view(-1, classes, classes)[rows, targets[:, 0]], targets[:, 1], weights)

    return loss


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


def binary_cross_entropy(
    outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean cross entropy of logits of shape (rows, 1) and shares in [0, 1] of shape (rows,)."""
    _check_same_shape("binary_cross_entropy", outputs[:, 0], targets)
    return _row_mean(F.binary_cross_entropy_with_logits(outputs[:, 0], targets, reduction="none"), weights)


def observed(kind: str, quantiles: Sequence[float] = ()) -> Loss:
    """Return a loss of numbers of which some may be missing; a missing one teaches nothing.

    Parameters
    ----------
    kind : {"mae", "mse", "gaussian", "quantile"}
        Absolute or squared difference; minus the logarithm of a normal density; or the pinball loss [1]_.
    quantiles : sequence of float
        For "quantile": shares in (0, 1).

    Returns
    -------
    function
        Of outputs (rows, targets * n) with the n numbers of a target side by side (n is 2 for "gaussian": mean and
        logarithm of the deviation; one per quantile for "quantile"; else 1), targets (rows, targets) with NaN where
        missing, and weights (rows,) or None.

    References
    ----------
    .. [1] Koenker and Bassett, "Regression Quantiles", Econometrica 46 (1), 1978.
    """
    check_choice("observed", "kind", kind, ("mae", "mse", "gaussian", "quantile"))
    n = {"gaussian": 2, "quantile": len(quantiles)}.get(kind, 1)
    shares = torch.tensor(quantiles, dtype=torch.float32, device="cpu")

    def loss(
        outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        if outputs.ndim != 2 or outputs.shape != (len(targets), targets[:1].numel() * n):
            raise ShapeError(
                f"observed: outputs must have shape ({len(targets)}, {targets[:1].numel()} targets * {n}); got "
                f"{tuple(outputs.shape)}."
            )
        targets = targets.flatten(1)
        there = torch.isfinite(targets)
        each = outputs.view(*targets.shape, n)
        truth = torch.where(there, targets, torch.zeros_like(targets))[..., None]
        losses = _each(kind, each, truth, shares.to(outputs.device)) * there
        mass = there.to(losses.dtype) if weights is None else there * weights[:, None]
        if weights is not None:
            losses = losses * weights[:, None]
        return losses.sum() / mass.sum().clamp_min(torch.finfo(losses.dtype).tiny)

    return loss


# Beyond these a normal density's logarithm of the deviation no longer means anything; within, nothing is cut.
LOG_SPREAD = (-7.0, 7.0)


def _each(kind: str, outputs: torch.Tensor, truth: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the loss of every number: outputs (rows, targets, n), truth (rows, targets, 1) -> (rows, targets)."""
    if kind == "gaussian":
        spread = outputs[..., 1].clamp(*LOG_SPREAD)
        return spread + 0.5 * ((truth[..., 0] - outputs[..., 0]) * torch.exp(-spread)).square()
    error = truth - outputs
    if kind == "quantile":
        return torch.maximum(shares * error, (shares - 1) * error).mean(-1)
    return (error.abs() if kind == "mae" else error.square())[..., 0]


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
