"""A recurrent layer as one operator of torch's, for `torch.compile`: no loop over time to unroll.

``recurra::layer`` and ``recurra::layer_backward`` compute a layer in all its directions on padded tensors. Inside
runs what would run without a compiler, as chosen by `recurra.kernels.use` when the compiled program is called: the
native kernels, torch's fused layer or the reference. The backward operator runs the forward pass once more: an
operator can hand on tensors only, and the kernels' saved gates are none.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.kernels.dispatch import asked_for_reference
from recurra.nn.layers import autograd_bridge, torch_fused, widened
from recurra.nn.layers.layer_input import all_weights, check_rows, read_states, zeros
from recurra.nn.layers.layouts import Steps, as_lengths, autocasts
from recurra.nn.layers.reference import States, stack_reference
from recurra.nn.random_generators import dropout


@torch.compiler.disable
def run_uncompiled(run: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``run`` outside of the compiled program: packed and ragged sequences are no tensors that it could follow."""
    return run(*arguments)


def run_compiled(
    who: str, module: torch.nn.RNNBase, cell: str, input: Tensor, hx: Any, lengths: Any, sizes: Sequence[int]
) -> tuple[Tensor, States]:
    """Walk over layers as one operator each: what `torch.compile` traces. Lengths are checked when it runs."""
    axes = "batch, time" if module.batch_first else "time, batch"
    check_rows(who, module, input, f"({axes}, input_size={module.input_size})", dims=(2, 3))
    alone = input.ndim == 2
    values = input.unsqueeze(0) if alone else input
    batch_first = module.batch_first or alone
    directions = 2 if module.bidirectional else 1
    sequences = values.shape[0 if batch_first else 1]
    if hx is None:
        states = zeros(module, values, sequences, sizes)
    else:
        states = read_states(who, module, hx, values, sequences, not alone, sizes)
    where = None if lengths is None else torch.as_tensor(lengths)
    device = values.device.type
    autocast = torch.get_autocast_dtype(device) if autocasts(device) else None
    finals: list[States] = []
    for layer, pair in enumerate(all_weights(module)):
        if layer and module.dropout:
            values = dropout(module, values, module.dropout)
        first, last = layer * directions, (layer + 1) * directions
        flat = [w for one in pair for w in one if w is not None]
        dtype = c_dtype = values.dtype
        if autocast is not None:
            weight, projected = flat[0].dtype, pair[0].weight_hr is not None
            dtype, _, c_dtype = _dtypes(
                cell,
                device,
                autocast,
                dtype,
                weight,
                True,
                states=tuple(s.dtype for s in states),
                projected=projected,
                unequal=where is not None and device != "cpu",  # packed there: autocast leaves it as it is
            )
        # Made contiguous out here, where autograd sees it: inside of an operator it does not.
        values, h_n, c_n = opaque_layer(
            values.contiguous(),
            [w.contiguous() for w in flat],
            [s[first:last].contiguous() for s in states],
            where,
            cell,
            batch_first,
            directions,
            module.bias,
            autocast,
            dtype,
            c_dtype,
        )
        finals.append((h_n,) if len(states) == 1 else (h_n, c_n))
    joined = tuple(torch.cat(final) for final in zip(*finals, strict=True))
    return (values.squeeze(0), tuple(final.squeeze(1) for final in joined)) if alone else (values, joined)


@torch._dynamo.assume_constant_result
def _dtypes(*arguments: Any, **words: Any) -> tuple[torch.dtype, torch.dtype, torch.dtype]:
    output, *finals = widened.autocast_dtypes(*arguments, **words)
    return output, finals[0], finals[-1]


def _grouped(weights: Sequence[Tensor], directions: int, bias: bool) -> list[list[Tensor | None]]:
    """Return torch's flat weights as `recurra.nn.layers.autograd_bridge.DirectionWeights`."""
    count = len(weights) // directions
    result: list[list[Tensor | None]] = []
    for d in range(directions):
        one = list(weights[d * count : (d + 1) * count])
        biases: list[Tensor | None] = list(one[2:4]) if bias else [None, None]
        projection: list[Tensor | None] = list(one[4 if bias else 2 :]) or [None]
        result.append([*one[:2], *biases, *projection])
    return result


def _run(
    x: Tensor,
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
    autocast: torch.dtype | None,
) -> tuple[Tensor, States]:
    """Compute a layer as it would be without a compiler."""
    batch, time = (x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0])
    who = f"{cell.split('_')[0].upper()}.forward"
    steps = Steps(as_lengths(who, lengths, batch=batch, time=time), x.device)
    grouped = _grouped(weights, directions, bias)
    call = autograd_bridge.Call(cell, steps.lengths, batch_first, None)
    with torch.autocast(x.device.type, autocast) if autocast is not None else contextlib.nullcontext():
        if autograd_bridge.runs_native(x, [*states, *weights]):
            return autograd_bridge.layer(call, x, states, grouped)
        if widened.takes(cell, steps, time, x, [*states, *weights]):

            def in_float32(x: Tensor, states: States, given: Any) -> tuple[Tensor, States]:
                return autograd_bridge.layer(call, x, states, given[0])

            return widened.run(in_float32, cell, steps, batch_first, x, tuple(states), [grouped])
        reference = stack_reference(cell, steps, batch_first, None)
        if asked_for_reference() or not steps.total:
            return reference(x, tuple(states), [grouped])
        stack = torch_fused.Stack(
            cell, steps, batch_first, bias=bias, num_layers=1, bidirectional=directions == 2, dropout=0.0
        )
        return stack.forward(x, tuple(states), [grouped])


@torch.library.custom_op("recurra::layer", mutates_args=())
def opaque_layer(
    x: Tensor,
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
    autocast: torch.dtype | None,
    dtype: torch.dtype,
    c_dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return output, h_n and c_n (empty but for the LSTM); shapes as torch's of one layer."""
    output, finals = _run(x, weights, states, lengths, cell, batch_first, directions, bias, autocast)
    h_n, c_n = (*finals, x.new_empty(0))[:2]
    dtypes = (dtype, dtype, c_dtype)
    # what an operator returns must be no view of what it was given, as a state is where there is no step
    given = {t.untyped_storage().data_ptr() for t in (x, *states)}
    results = [t.to(d).contiguous() for t, d in zip((output, h_n, c_n), dtypes, strict=True)]
    output, h_n, c_n = (t.clone() if t.untyped_storage().data_ptr() in given else t for t in results)
    return output, h_n, c_n


@opaque_layer.register_fake
def _(
    x: Tensor, weights: Sequence[Tensor], states: Sequence[Tensor], lengths: Tensor | None, *options: Any
) -> tuple[Tensor, Tensor, Tensor]:
    _, _, directions, _, _, dtype, c_dtype = options
    output = x.new_empty((x.shape[0], x.shape[1], directions * weights[1].shape[1]), dtype=dtype)
    h_n = x.new_empty(states[0].shape, dtype=dtype)
    return output, h_n, x.new_empty(states[1].shape if len(states) == 2 else 0, dtype=c_dtype)


@contextlib.contextmanager
def _recorded_by_autograd() -> Iterator[None]:
    """Let autograd record inside of an operator, where it is switched off."""
    guard = torch._C._SetExcludeDispatchKeyGuard
    keys = torch._C.DispatchKey
    with (
        guard(keys.AutogradFunctionality, False),
        guard(keys.AutogradOther, False),
        guard(keys.ADInplaceOrView, False),
        torch.enable_grad(),
    ):
        yield


@torch.library.custom_op("recurra::layer_backward", mutates_args=())
def opaque_backward(
    grad_output: Tensor,
    grad_h_n: Tensor,
    grad_c_n: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    lengths: Tensor | None,
    cell: str,
    batch_first: bool,
    directions: int,
    bias: bool,
    autocast: torch.dtype | None,
) -> list[Tensor]:
    """Return the gradients by x, every weight and every state."""
    inputs = [t.detach().requires_grad_() for t in (x, *weights, *states)]
    with _recorded_by_autograd():
        own = inputs[1 : 1 + len(weights)], inputs[1 + len(weights) :]
        output, finals = _run(inputs[0], *own, lengths, cell, batch_first, directions, bias, autocast)
        given = [
            g.to(t.dtype) for g, t in zip((grad_output, grad_h_n, grad_c_n), (output, *finals), strict=False)
        ]
        found = torch.autograd.grad([output, *finals], inputs, given, materialize_grads=True)
    seen: set[int] = {g.untyped_storage().data_ptr() for g in (grad_output, grad_h_n, grad_c_n)}
    results = []
    for gradient in found:
        own_memory = gradient.contiguous()
        if own_memory.untyped_storage().data_ptr() in seen:
            own_memory = own_memory.clone()
        seen.add(own_memory.untyped_storage().data_ptr())
        results.append(own_memory)
    return results


@opaque_backward.register_fake
def _(
    grad_output: Tensor,
    grad_h_n: Tensor,
    grad_c_n: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    *options: Any,
) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in (x, *weights, *states)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, weights, states, lengths, *rest = inputs
    ctx.rest, ctx.count = rest[:-2], len(weights)
    ctx.save_for_backward(x, lengths, *weights, *states)


def _differentiate(ctx: Any, *given: Tensor) -> tuple[Any, ...]:
    x, lengths, *others = ctx.saved_tensors
    weights, states = others[: ctx.count], others[ctx.count :]
    found = opaque_backward(*given, x, weights, states, lengths, *ctx.rest)
    by_weights, by_states = found[1 : 1 + ctx.count], found[1 + ctx.count :]
    return found[0], by_weights, by_states, *(None,) * (1 + len(ctx.rest) + 2)


opaque_layer.register_autograd(_differentiate, setup_context=_keep)
