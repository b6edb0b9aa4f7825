"""What a user gives to a layer, checked: values of any form, initial states, and the layer's own weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.errors import ShapeError, UsageError
from recurra.nn.layers.layouts import Steps, as_lengths, autocasts, ragged_values, steps_of
from recurra.nn.layers.reference import States, Weights
from recurra.ragged import Ragged


@dataclass
class Batch:
    """What a user passed as input, and how to give the output back.

    ``values`` are flat ragged rows, or a padded tensor of three dimensions whose batch comes first or not.
    """

    values: Tensor
    steps: Steps
    batched: bool
    restore: Callable[[Tensor], Any]
    batch_first: bool | None = None  # None: ragged rows

    @property
    def time(self) -> int | None:
        """Steps of a padded tensor."""
        return None if self.batch_first is None else self.values.shape[1 if self.batch_first else 0]


def all_weights(module: torch.nn.RNNBase) -> list[list[Weights]]:
    """Weights of every layer, in each of its directions."""
    directions = (False, True) if module.bidirectional else (False,)
    return [
        [_weights(module, layer, reverse) for reverse in directions] for layer in range(module.num_layers)
    ]


def _weights(module: torch.nn.RNNBase, layer: int, reverse: bool) -> Weights:
    suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
    # By name, not from torch's flat list: so functional_call and parametrizations work. A parameter is where it is
    # looked up first; what torch's own attributes cost shows in a short step.
    own = module._parameters
    # the last one is there only with a projection, and to ask a module for what it has not takes as long as the rest
    names = [name + suffix for name in Weights._fields[: 5 if module.proj_size else 4]]
    found = [own[n] if n in own else getattr(module, n, None) for n in names]
    return Weights(*found, *[None] * (5 - len(found)))  # type: ignore[arg-type]


def read_input(who: str, module: torch.nn.RNNBase, input: Any, lengths: Any) -> Batch:
    """Return what a user gave a layer of torch's constructor as ``input``, checked."""
    if isinstance(input, PackedSequence | Ragged) and lengths is not None:
        raise UsageError(
            f"{who}: a {type(input).__name__} carries its own lengths; call it without lengths=."
        )
    if isinstance(input, PackedSequence):
        return _read_packed(who, module, input)
    if isinstance(input, Ragged):
        rows = ragged_values(who, input)
        steps = Steps(input.lengths, rows.device)
        check_rows(who, module, rows, f"(total_steps, input_size={module.input_size})")
        return Batch(rows, steps, True, input.replace)
    if not isinstance(input, Tensor):
        raise UsageError(
            f"{who}: input must be a Tensor, PackedSequence or Ragged; got {type(input).__name__}. "
            "Convert an array with torch.as_tensor, a list of sequences with recurra.nn.to_ragged."
        )
    return _read_padded(who, module, input, lengths)


def _read_packed(who: str, module: torch.nn.RNNBase, input: PackedSequence) -> Batch:
    check_rows(
        who, module, input.data, f"(total_steps, input_size={module.input_size}) inside the PackedSequence"
    )
    steps = steps_of(input)

    def restore(output: Tensor) -> PackedSequence:
        return PackedSequence(
            steps.pack(output), input.batch_sizes, input.sorted_indices, input.unsorted_indices
        )

    return Batch(steps.unpack(input.data), steps, True, restore)


def _read_padded(who: str, module: torch.nn.RNNBase, input: Tensor, lengths: Any) -> Batch:
    axes = "batch, time" if module.batch_first else "time, batch"
    check_rows(who, module, input, f"({axes}, input_size={module.input_size})", dims=(2, 3))
    batched = input.ndim == 3
    batch_first = module.batch_first or not batched  # one sequence: (1, time, input_size) is a view
    padded = input if batched else input.unsqueeze(0)
    batch, time = padded.shape[:2] if batch_first else (padded.shape[1], padded.shape[0])
    steps = Steps(as_lengths(who, lengths, batch=batch, time=time), input.device)

    def restore(output: Tensor) -> Tensor:
        return output if batched else output.squeeze(0)

    return Batch(padded, steps, batched, restore, batch_first)


def check_rows(
    who: str, module: torch.nn.RNNBase, values: Tensor, rule: str, dims: Sequence[int] = (2,)
) -> None:
    """Raise unless ``values`` have ``input_size`` channels, as ``rule`` says, and the dtype of the weights."""
    check_layout(who, "input", values)
    if values.ndim not in dims or values.shape[-1] != module.input_size:
        advice = "Put the features of a step last."
        if values.ndim == 3:
            advice = (
                f"If the {'time' if module.batch_first else 'batch'} comes first, construct the layer with "
            )
            advice += f"batch_first={not module.batch_first}; the features come last."
        raise ShapeError(f"{who}: input must have shape {rule}; got {tuple(values.shape)}. {advice}")
    dtype = module.weight_ih_l0.dtype
    if values.dtype != dtype and not autocasts(values.device.type):
        other = f" or layer.to({values.dtype})" if values.dtype.is_floating_point else ""
        raise UsageError(
            f"{who}: input must have the dtype of the weights, {dtype}; got {values.dtype}. "
            f"Convert with input.to({dtype}){other}."
        )


def check_layout(who: str, name: str, tensor: Tensor) -> None:
    """Raise at a tensor that is no plain array: nested, sparse, of MKL-DNN, masked."""
    if tensor.is_nested:
        raise UsageError(
            f"{who}: {name} must be a padded tensor with lengths=, or ragged; got a nested tensor. Pass "
            "recurra.nn.to_ragged(list(x.unbind()))."
        )
    if tensor.layout is not torch.strided:
        raise UsageError(
            f"{who}: {name} must be a dense tensor; got the layout {tensor.layout}. Convert it with {name}.to_dense()."
        )
    if type(tensor) is not Tensor and hasattr(tensor, "get_mask"):
        raise UsageError(
            f"{who}: {name} must be a tensor without a mask; got a MaskedTensor. Pass {name}.to_tensor(value), and where "
            "masked steps end a sequence lengths=."
        )


def zeros(module: torch.nn.RNNBase, values: Tensor, sequences: int, sizes: Sequence[int]) -> States:
    """Return initial states for a user who gave none."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    return tuple(values.new_zeros(count, sequences, size) for size in sizes)


def read_states(
    who: str,
    module: torch.nn.RNNBase,
    hx: Any,
    values: Tensor,
    sequences: int,
    batched: bool,
    sizes: Sequence[int],
) -> States:
    """Return the initial states a user gave, checked against the input's ``values``; with a batch in any case."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    given = (hx,) if len(sizes) == 1 else hx
    names = ("hx",) if len(sizes) == 1 else ("h_0", "c_0")
    if (
        not isinstance(given, tuple | list)
        or len(given) != len(sizes)
        or not all(isinstance(g, Tensor) for g in given)
    ):
        wanted = "a Tensor" if len(sizes) == 1 else "a pair of Tensors (h_0, c_0)"
        raise UsageError(
            f"{who}: hx must be {wanted}; got {type(hx).__name__}. Leave it out to start from zeros."
        )
    for name, state, size in zip(names, given, sizes, strict=True):
        check_layout(who, name, state)
        expected = (count, sequences, size) if batched else (count, size)
        if tuple(state.shape) != expected:
            rule = (
                f"num_layers * num_directions={count}, "
                + (f"batch={sequences}, " if batched else "")
                + str(size)
            )
            raise ShapeError(
                f"{who}: {name} must have shape ({rule}); got {tuple(state.shape)}. "
                "Leave it out to start from zeros."
            )
        if state.dtype != values.dtype and not autocasts(state.device.type):
            raise UsageError(
                f"{who}: {name} must have the dtype of the input, {values.dtype}; got {state.dtype}. "
                f"Convert with {name}.to({values.dtype})."
            )
    return tuple(state if batched else state.unsqueeze(1) for state in given)
