"""What the `forward` of RNN, LSTM and GRU calls: it chooses who computes, and walks over the layers.

`run_module` reads the input (`recurra.nn.layers.layer_input`) and gives the result back in its form. Between the two, one of
five computes:

- the native kernels (`recurra.nn.layers.autograd_bridge`), a layer in all its directions, padded or ragged;
- the same in float32, where 16 bits are asked for on a CPU (`recurra.nn.layers.widened`);
- torch's own fused layer (`recurra.nn.layers.torch_fused`), where the kernels do not take a dtype or device, and while
  something records the operations;
- the reference (`recurra.nn.layers.reference`): a loop over time in torch operations;
- under `torch.compile`, operators that hide one of the three (`recurra.nn.layers.torch_compile`).
"""

import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch._functorch import pyfunctorch
from torch.fx.experimental import proxy_tensor
from torch.utils._device import DeviceContext

from recurra.checks import check_choice
from recurra.errors import UsageError
from recurra.kernels.cell import MODES
from recurra.kernels.dispatch import asked_for_reference
from recurra.nn.layers import autograd_bridge, torch_fused, widened
from recurra.nn.layers.autograd_bridge import PLAIN, Call, runs_native
from recurra.nn.layers.cell_variants import run_variant
from recurra.nn.layers.gradient_checkpointing import MEMORIES
from recurra.nn.layers.layer_input import Batch, all_weights, read_input, read_states, zeros
from recurra.nn.layers.reference import States, Weights, layer_reference, over_layers, stack_reference
from recurra.nn.random_generators import dropout
from recurra.ragged import Ragged


def run_module(
    module: torch.nn.RNNBase,
    input: Any,
    hx: Any,
    lengths: Any,
    *,
    cell: str,
    state_sizes: Sequence[int],
) -> tuple[Any, States]:
    """Run a layer of torch's constructor and weights over a batch of any form.

    Parameters
    ----------
    module : torch.nn.RNNBase
        Supplies weights, sizes, dropout and whether it is training.
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
        Its name among the kernels.
    input : Tensor, PackedSequence or Ragged
        As in the layers' ``forward``.
    hx : Tensor, sequence of Tensor or None
        Initial states, one for each of ``state_sizes``; zeros if None.
    lengths : sequence of int or None
        As in the layers' ``forward``.
    state_sizes : sequence of int
        Channels of each state.

    Returns
    -------
    output : of the type of ``input``
        The last layer's output.
    states : tuple of Tensor, each (num_layers * num_directions, batch, size), or without batch
        Final states.
    """
    who = f"{type(module).__name__}.forward"
    compiling = torch.compiler.is_compiling()
    if not torch_has(module):
        return _run_without_torch(who, module, input, hx, lengths, cell, state_sizes)
    if compiling and not torch.compiler.is_exporting():
        from recurra.nn.layers import torch_compile  # which loads the compiler: seconds

        if isinstance(input, Tensor):
            return torch_compile.run_compiled(who, module, cell, input, hx, lengths, state_sizes)
        return torch_compile.run_uncompiled(run_eager, who, module, input, hx, lengths, cell, state_sizes)
    if compiling or recording(input) or isinstance(input, torch.fx.Proxy):
        return torch_fused.run_recorded(who, module, input, hx, lengths)
    return run_eager(who, module, input, hx, lengths, cell, state_sizes)


def _run_without_torch(
    who: str,
    module: torch.nn.RNNBase,
    input: Any,
    hx: Any,
    lengths: Any,
    cell: str,
    state_sizes: Sequence[int],
) -> tuple[Any, States]:
    """Run a layer that torch has none like: now, outside of a compiled program; arguments as for `run_module`."""
    exporting = torch.compiler.is_exporting()
    if "torch._dynamo" in sys.modules and not exporting:
        # a compiler may be about that this frame does not know of
        from recurra.nn.layers import torch_compile

        return torch_compile.run_uncompiled(
            _run_unrecorded, who, module, input, hx, lengths, cell, state_sizes
        )
    return _run_unrecorded(who, module, input, hx, lengths, cell, state_sizes)


def _run_unrecorded(who: str, module: torch.nn.RNNBase, input: Any, *arguments: Any) -> tuple[Any, States]:
    if torch.compiler.is_exporting() or recording(input) or isinstance(input, torch.fx.Proxy):
        raise UsageError(
            f"{who}: torch has no layer like {module}, and cannot record it. Run it as it is, or write a fitted model with "
            "recurra export."
        )
    return run_eager(who, module, input, *arguments)


def run_eager(
    who: str,
    module: torch.nn.RNNBase,
    input: Any,
    hx: Any,
    lengths: Any,
    cell: str,
    state_sizes: Sequence[int],
) -> tuple[Any, States]:
    """Run a layer now; arguments as for `run_module`."""
    batch = read_input(who, module, input, lengths)
    count = len(batch.steps.lengths)
    states = (
        () if hx is None else read_states(who, module, hx, batch.values, count, batch.batched, state_sizes)
    )
    variant: Any = getattr(module, "variant", None)
    if variant is not None:
        states = states or zeros(module, batch.values, count, state_sizes)
        output, finals = run_variant(module, variant, batch, states)
        return batch.restore(output), finals if batch.batched else tuple(f.squeeze(1) for f in finals)
    weights = all_weights(module)
    everything = [*states, *chain.from_iterable(chain.from_iterable(weights))]
    if runs_native(batch.values, everything):
        output, finals = _run_native(module, cell, batch, states, weights)
    elif widened.takes(cell, batch.steps, batch.time, batch.values, everything):

        def in_float32(values: Tensor, states: States, weights: Any) -> tuple[Tensor, States]:
            return _run_native(module, cell, dataclasses.replace(batch, values=values), states, weights)

        output, finals = widened.run(
            in_float32, cell, batch.steps, batch.batch_first, batch.values, states, weights
        )
    else:
        states = states or zeros(module, batch.values, count, state_sizes)
        output, finals = _run_elsewhere(module, cell, batch, states, weights)
    if not batch.batched:
        finals = tuple(final.squeeze(1) for final in finals)
    return batch.restore(output), finals


def _run_elsewhere(
    module: torch.nn.RNNBase,
    cell: str,
    batch: Batch,
    states: States,
    weights: list[list[Weights]],
) -> tuple[Tensor, States]:
    """Run a layer where the native kernels do not: torch's own, or the loop over time."""
    drops = module.training and module.dropout > 0 and module.num_layers > 1
    between = (lambda x: dropout(module, x, module.dropout)) if drops else None
    compute = stack_reference(cell, batch.steps, batch.batch_first, between)
    if (
        not (batch.steps.total and torch_has(module))
        or asked_for_reference()
        or autograd_bridge.transformed()
    ):
        return compute(batch.values, states, weights)
    stack = torch_fused.Stack(
        cell,
        batch.steps,
        batch.batch_first,
        bias=module.bias,
        num_layers=module.num_layers,
        bidirectional=module.bidirectional,
        dropout=module.dropout if drops else 0.0,
    )
    if between is None or getattr(module, "generator", None) is None:
        return torch_fused.run(stack, compute, batch.values, states, weights)
    # torch's operator draws its dropout from the global generator; ours is drawn between layers run one by one.
    single = dataclasses.replace(stack, num_layers=1, dropout=0.0)
    layer = stack_reference(cell, batch.steps, batch.batch_first, None)
    return over_layers(lambda *given: torch_fused.run(single, layer, *given), between)(
        batch.values, states, weights
    )


def _run_native(
    module: torch.nn.RNNBase,
    cell: str,
    batch: Batch,
    states: States,
    weights: list[list[Weights]],
) -> tuple[Tensor, States]:
    """Walk over layers, each with the native kernels; ``values`` keep their form."""
    values, finals = batch.values, []
    reference = partial(layer_reference, cell, batch.steps, batch.batch_first)
    memory = getattr(module, "memory", "full")
    if memory not in MEMORIES:
        check_choice(type(module).__name__, "memory", memory, MEMORIES)
    call = Call(cell, batch.steps.lengths, batch.batch_first, reference, memory)
    for layer, pair in enumerate(weights):
        if layer and module.dropout:
            values = dropout(module, values, module.dropout)
        first, last = layer * len(pair), (layer + 1) * len(pair)
        values, final = autograd_bridge.layer(call, values, [s[first:last] for s in states], pair)
        finals.append(final)
    if len(finals) == 1:
        return values, finals[0]
    return values, tuple(torch.cat(final) for final in zip(*finals, strict=True))


def torch_has(layer: Any) -> bool:
    """Return whether torch has a layer that computes the same."""
    return getattr(layer, "variant", None) is None and MODES[layer.mode].in_torch


def recording(input: Any) -> bool:
    """Return whether something writes down, counts or replaces torch's operations, and would miss a kernel's.

    A mode that only watches does not know a Ragged, which cannot be recorded: with numbers of its own it runs as ever.
    """
    if isinstance(input, Ragged) and type(input.values) in PLAIN and proxy_tensor.get_proxy_mode() is None:
        watched = False
    else:
        watched = torch._C._len_torch_dispatch_stack() > 0 or (
            torch._C._len_torch_function_stack() > 0 and function_mode()
        )
    return (
        watched
        or torch._C._get_tracing_state() is not None
        or (torch._C._are_functorch_transforms_active() and _functionalized())
    )


def function_mode() -> bool:
    """Return whether a mode over torch's functions is on, other than that of `torch.set_default_device`."""
    modes = torch.overrides._get_current_function_mode_stack()
    return any(not isinstance(mode, DeviceContext) for mode in modes)


def _functionalized() -> bool:
    """Return whether `torch.func.functionalize` is on, whose tensors hold no numbers of their own."""
    levels = pyfunctorch.retrieve_all_functorch_interpreters()
    return any(level.key() is torch._C._functorch.TransformType.Functionalize for level in levels)
