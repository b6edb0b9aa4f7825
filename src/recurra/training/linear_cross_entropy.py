"""A network's linear head and its cross entropy as one node of the graph, each way one native call.

Where rows and classes are few, torch's operations for them and for their gradients (the final states side by side, the
product, the softmax, the targets' share) take several times as long as what they compute: a sixth of a step of a small
network. Elsewhere `outputs_and_loss` is what it stands for: the network's outputs, and the loss of them.
"""

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules import module as hooks

from recurra.kernels.dispatch import current, native_module
from recurra.nn.layers.autograd_bridge import DTYPES
from recurra.nn.networks.sequence_network import SequenceNetwork
from recurra.nn.random_generators import dropout
from recurra.ragged import Ragged
from recurra.training.losses import CrossEntropy, Loss

# Multiply-adds of the head beyond which torch's matrix product is the faster one.
MOST_PRODUCTS = 1 << 20


def outputs_and_loss(
    network: nn.Module, loss: Loss, ragged: Ragged, targets: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return a network's outputs for a batch, and the loss of them.

    Parameters
    ----------
    network : Module
        Called with ``ragged``, unless its head is computed together with the loss.
    loss : callable
        See `recurra.training.losses`.
    ragged : Ragged
        Torch values of shape (total_steps, input_size).
    targets : Tensor of shape (rows, ...)
    weights : Tensor of shape (rows,) or None

    Returns
    -------
    outputs : Tensor of shape (rows, output_size)
        Outside of the graph where they were computed together with the loss.
    loss : Tensor of shape ()
    """
    if not (isinstance(loss, CrossEntropy) and _is_taken(network, targets)):
        outputs: Tensor = network(ragged)
        return outputs, loss(outputs, targets, weights)
    config, head, p = network.config, network.head, network.config.dropout
    output, h_n = network.run(ragged)
    if config.pooling == "last" and p == 0:
        seen, parts = h_n, 2 if config.bidirectional else 1
    else:
        seen, parts = dropout(network, network.pooled(output, h_n), p)[None], 1
    if seen.shape[1] != len(targets) or seen.dtype is not head.weight.dtype:
        outputs = network.answer(network.pooled(output, h_n) if parts > 1 else seen[-1], ragged.lengths)
        return outputs, loss(outputs, targets, weights)
    by_row = loss.row_weights(targets, weights, seen)
    if by_row is not None:
        by_row = by_row.to(seen.dtype).contiguous()
    found, outputs = _apply(seen, parts, head.weight, head.bias, targets.contiguous(), by_row)
    return outputs, found


def _is_taken(network: nn.Module, targets: Tensor) -> TypeGuard[SequenceNetwork]:
    """Return whether head and loss of this network may be one node: nothing else is in between, or looks on."""
    if type(network) is not SequenceNetwork or "forward" in network.__dict__ or network.crf is not None:
        return False
    head = network.head
    if type(head) is not nn.Linear or "forward" in head.__dict__ or head.weight.dtype not in DTYPES:
        return False
    few = targets.ndim == 1 and len(targets) * head.weight.numel() <= MOST_PRODUCTS
    native = head.weight.is_cpu and targets.dtype is torch.int64 and current() == "native"
    return few and native and not (_hooked(network) or _hooked(head) or torch.is_autocast_enabled("cpu"))


def _hooked(module: nn.Module) -> bool:
    own = module._forward_hooks or module._forward_pre_hooks
    own = own or module._backward_hooks or module._backward_pre_hooks
    everywhere = hooks._global_forward_hooks or hooks._global_forward_pre_hooks
    return bool(own or everywhere or hooks._global_backward_hooks or hooks._global_backward_pre_hooks)


class _LinearCrossEntropy(torch.autograd.Function):
    """Mean cross entropy of what a linear head gives for the last ``parts`` of ``seen``, side by side.

    ``seen`` has the shape (parts or more, rows, size), the head's weight (classes, parts * size).
    """

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
        first = seen[-parts:] if len(seen) > parts else seen
        arrays = (first, weight, bias, targets, row_weights, outputs, slopes)
        ctx.at = [0 if array is None else array.data_ptr() for array in arrays]
        value = native_module().linear_cross_entropy(ctx.is_double, ctx.sizes, ctx.at)
        # the addresses are good for as long as the arrays are there
        ctx.save_for_backward(seen, weight, bias)
        ctx.kept = arrays[3:]
        ctx.mark_non_differentiable(outputs)
        return seen.new_full((), value), outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        seen, weight, bias = ctx.saved_tensors
        parts = ctx.sizes[0]
        by_seen, _, by_weight, by_bias = (
            torch.empty_like(t) if need and t is not None else None
            for t, need in zip((seen, None, weight, bias), ctx.needs_input_grad[:4], strict=True)
        )
        last = by_seen
        if by_seen is not None and len(seen) > parts:
            by_seen[:-parts] = 0
            last = by_seen[-parts:]
        native_module().linear_gradients(
            ctx.is_double,
            ctx.sizes,
            ctx.at,
            slope.item(),
            *[None if t is None else t.data_ptr() for t in (last, by_weight, by_bias)],
        )
        return by_seen, None, by_weight, by_bias, None, None


_apply: Callable[..., Any] = _LinearCrossEntropy.apply
