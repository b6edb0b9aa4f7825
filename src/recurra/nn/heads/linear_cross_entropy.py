"""A linear head and its mean cross entropy as one node of the graph, each way one native call.

Where rows and classes are few, torch's operations for them and for their gradients (the final states side by side, the
product, the softmax, the targets' share) take several times as long as what they compute: a quarter of a step of a small
network.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recurra.kernels.dispatch import current, native_module
from recurra.nn.layers.autograd_bridge import DTYPES

# Multiply-adds of the head beyond which torch's matrix product is the faster one: forward and back 50,000 took 0.17 ms here
# and 0.30 there, 160,000 took 0.39 and 0.38.
MOST_PRODUCTS = 1 << 17


def fits(seen: Tensor, parts: int, head: nn.Linear, targets: Tensor) -> bool:
    """Return whether `linear_cross_entropy` takes these, and is the faster way; arguments as there."""
    dtype = seen.dtype
    few = len(targets) * head.weight.numel() <= MOST_PRODUCTS and seen.shape[1] == len(targets)
    shaped = (
        head.weight.shape[1] == parts * seen.shape[2] and targets.ndim == 1 and targets.dtype is torch.int64
    )
    alike = dtype in DTYPES and head.weight.dtype is dtype and (head.bias is None or head.bias.dtype is dtype)
    return few and shaped and alike and seen.is_cpu and current() == "native"


def linear_cross_entropy(
    seen: Tensor, parts: int, head: nn.Linear, targets: Tensor, row_weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return a head's outputs and their weighted mean cross entropy.

    Parameters
    ----------
    seen : Tensor of shape (parts or more, rows, size)
        What the head sees: the last ``parts`` of it, side by side.
    parts : int
    head : Linear
        From parts * size features to classes.
    targets : int64 Tensor of shape (rows,)
        In [0, classes).
    row_weights : Tensor of shape (rows,) or None

    Returns
    -------
    outputs : Tensor of shape (rows, classes)
        Outside of the graph.
    loss : Tensor of shape ()

    Raises
    ------
    IndexError
        If a target is no class.
    """
    if row_weights is not None:
        row_weights = row_weights.to(seen.dtype).contiguous()
    loss, outputs = _apply(seen, parts, head.weight, head.bias, targets.contiguous(), row_weights)
    return outputs, loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        seen: Tensor,
        parts: int,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        row_weights: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        seen, weight = seen.contiguous(), weight.contiguous()
        _, rows, size = seen.shape
        outputs, slopes = seen.new_empty((2, rows, len(weight))).unbind()
        ctx.sizes, ctx.is_double = [parts, rows, size, len(weight)], seen.dtype is torch.float64
        last = seen[-parts:] if len(seen) > parts else seen
        arrays = (last, weight, bias, targets, row_weights, outputs, slopes)
        ctx.at = [0 if array is None else array.data_ptr() for array in arrays]
        value = native_module().linear_cross_entropy(ctx.is_double, ctx.sizes, ctx.at)
        # the addresses are good for as long as the arrays are there
        ctx.save_for_backward(seen, weight, bias)
        ctx.kept = (targets, row_weights, outputs, slopes)
        ctx.spent = False
        ctx.mark_non_differentiable(outputs)
        return seen.new_full((), value), outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        seen, weight, bias = ctx.saved_tensors
        parts = ctx.sizes[0]
        if ctx.spent:  # the slopes were multiplied by the factor of the first backward pass
            native_module().linear_cross_entropy(ctx.is_double, ctx.sizes, ctx.at)
        ctx.spent = True
        by_seen, _, by_weight, by_bias = (
            torch.empty_like(t) if need and t is not None else None
            for t, need in zip((seen, None, weight, bias), ctx.needs_input_grad[:4], strict=True)
        )
        by_last = by_seen
        if by_seen is not None and len(seen) > parts:
            by_seen[:-parts] = 0
            by_last = by_seen[-parts:]
        wanted = [None if t is None else t.data_ptr() for t in (by_last, by_weight, by_bias)]
        native_module().linear_gradients(ctx.is_double, ctx.sizes, ctx.at, slope.item(), *wanted)
        return by_seen, None, by_weight, by_bias, None, None


_apply: Callable[..., Any] = _LinearCrossEntropy.apply
