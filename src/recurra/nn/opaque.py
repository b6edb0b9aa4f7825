"""A recurrent layer as one operator of torch's, for `torch.compile`: no loop over time to unroll.

``recurra::layer`` and ``recurra::layer_backward`` compute a layer in all its directions on padded tensors. Inside,
the kernels run as chosen by `recurra.kernels.use` when the compiled program is called. The backward operator runs
the forward pass once more: an operator can hand on tensors only, and the kernels' saved gates are none.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from recurra.nn import bridge
from recurra.nn.gru import gru_direction
from recurra.nn.layouts import Steps, as_lengths
from recurra.nn.lstm import lstm_direction
from recurra.nn.recurrent import Direction, reference_of
from recurra.nn.rnn import rnn_direction

DIRECTIONS: dict[str, Direction] = {
    "rnn": partial(rnn_direction, nonlinearity="tanh"),
    "rnn_relu": partial(rnn_direction, nonlinearity="relu"),
    "lstm": lstm_direction,
    "gru": gru_direction,
}


def _grouped(weights: Sequence[Tensor], directions: int, bias: bool) -> list[list[Tensor | None]]:
    """Return torch's flat weights as `recurra.nn.bridge.DirectionWeights`."""
    count = len(weights) // directions
    result: list[list[Tensor | None]] = []
    for d in range(directions):
        one = list(weights[d * count : (d + 1) * count])
        biases: list[Tensor | None] = list(one[2:4]) if bias else [None, None]
        projection: list[Tensor | None] = list(one[4 if bias else 2 :]) or [None]
        result.append([*one[:2], *biases, *projection])
    return result


def _call(x: Tensor, lengths: Tensor | None, cell: str, batch_first: bool) -> bridge.Call:
    batch, time = (x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0])
    values = as_lengths(f"{cell.split('_')[0].upper()}.forward", lengths, batch=batch, time=time)
    reference = reference_of(DIRECTIONS[cell], Steps(values, x.device), batch_first)
    return bridge.Call(cell, values, batch_first, reference)


def _run(
    call: bridge.Call, x: Tensor, states: list[Tensor], weights: Any
) -> tuple[Tensor, tuple[Tensor, ...]]:
    if bridge.runs_native(x, [*states, *(w for one in weights for w in one)]):
        return bridge.layer(call, x, states, weights)
    assert call.reference is not None
    return call.reference(x, tuple(states), weights)


@torch.library.custom_op("recurra::layer", mutates_args=())
def opaque_layer(
    x: Tensor,
    weights: Sequence[Tensor],
    h_0: Tensor,
    c_0: Tensor | None,
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return output, h_n and c_n (empty but for the LSTM); shapes as torch's of one layer."""
    states = [h_0] if c_0 is None else [h_0, c_0]
    call = _call(x, lengths, cell, batch_first)
    output, finals = _run(call, x, states, _grouped(weights, directions, bias))
    return output, finals[0], finals[1] if len(finals) == 2 else x.new_empty(0)


@opaque_layer.register_fake
def _(
    x: Tensor,
    weights: Sequence[Tensor],
    h_0: Tensor,
    c_0: Tensor | None,
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    output = x.new_empty((x.shape[0], x.shape[1], directions * weights[1].shape[1]))
    c_n = x.new_empty(0) if c_0 is None else x.new_empty(c_0.shape)
    return output, x.new_empty(h_0.shape), c_n


@torch.library.custom_op("recurra::layer_backward", mutates_args=())
def opaque_backward(
    grad_output: Tensor,
    grad_h_n: Tensor,
    grad_c_n: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    h_0: Tensor,
    c_0: Tensor | None,
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
) -> list[Tensor]:
    """Return the gradients by x, h_0, c_0 (LSTM only) and every weight."""
    call = _call(x, lengths, cell, batch_first)
    inputs = [t.detach().requires_grad_() for t in (x, h_0, *([] if c_0 is None else [c_0]), *weights)]
    count = 2 if c_0 is None else 3
    with torch.enable_grad():
        grouped = _grouped(inputs[count:], directions, bias)
        output, finals = _run(call, inputs[0], inputs[1:count], grouped)
    given = [grad_output, grad_h_n, grad_c_n][:count]
    found = torch.autograd.grad([output, *finals], inputs, given, materialize_grads=True)
    return [g.contiguous() for g in found]


@opaque_backward.register_fake
def _(
    grad_output: Tensor,
    grad_h_n: Tensor,
    grad_c_n: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    h_0: Tensor,
    c_0: Tensor | None,
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in (x, h_0, *([] if c_0 is None else [c_0]), *weights)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, weights, h_0, c_0, lengths, *ctx.rest = inputs
    ctx.count = len(weights)
    ctx.save_for_backward(x, h_0, c_0, lengths, *weights)


def _differentiate(ctx: Any, *given: Tensor) -> tuple[Any, ...]:
    x, h_0, c_0, lengths, *weights = ctx.saved_tensors
    found = opaque_backward(*given, x, weights, h_0, c_0, lengths, *ctx.rest)
    states = 1 if c_0 is None else 2
    grad_c = found[2] if c_0 is not None else None
    return found[0], found[1 + states :], found[1], grad_c, None, None, None, None, None


opaque_layer.register_autograd(_differentiate, setup_context=_keep)
