"""What RNN, LSTM and GRU share: reading the arguments, who computes, the stack of layers, the time loop.

A layer's `forward` calls `run_module`, which reads the input and gives the result back in its form. Between the
two, one of four computes:

- the native kernels (`recurra.nn.bridge`), a layer in all its directions, padded or ragged;
- torch's own fused layer (`recurra.nn.fused`), where the kernels do not take a dtype or device, and while
  something records the operations;
- the reference: a loop over time in torch operations (`scan`), for each layer and direction by the cell's own
  function (`rnn_direction`, `lstm_direction`, `gru_direction`). It works on every device, in every floating dtype,
  and can be differentiated any number of times and by `torch.func`;
- under `torch.compile`, operators that hide one of the three (`recurra.nn.opaque`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.checks import check_choice
from recurra.errors import ShapeError, UsageError
from recurra.kernels.dispatch import asked_for_reference
from recurra.nn import bridge, fused
from recurra.nn.bridge import Call, runs_native
from recurra.nn.generators import dropout
from recurra.nn.layouts import Steps, as_lengths, autocasts, from_padded, ragged_values, steps_of, to_padded
from recurra.ragged import Ragged

States = tuple[Tensor, ...]


class Weights(NamedTuple):
    """Weights of one layer in one direction, with torch's names and shapes (G gates, in torch's order)."""

    weight_ih: Tensor  # (G * hidden_size, layer input size)
    weight_hh: Tensor  # (G * hidden_size, output size)
    bias_ih: Tensor | None  # (G * hidden_size,)
    bias_hh: (
        Tensor | None
    )  # (G * hidden_size,); kept for torch's state dicts, the GRU's maths alone needs two
    weight_hr: Tensor | None  # (proj_size, hidden_size), LSTM with a projection only


class Direction(Protocol):
    """One layer in one direction over a ragged batch."""

    def __call__(
        self, x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool
    ) -> tuple[Tensor, States]:
        """Return the output of every step and the final states.

        Parameters
        ----------
        x : Tensor of shape (total_steps, layer input size)
            Flat ragged rows, sequence after sequence.
        steps : Steps
            Their lengths (``steps.lengths``, a numpy array) and orders.
        weights : Weights
            Of this layer and direction.
        states : tuple of Tensor, each of shape (batch, size)
            Initial states: h_0, for the LSTM h_0 and c_0.
        reverse : bool
            Whether every sequence is read from its own last step to its first.

        Returns
        -------
        output : Tensor of shape (total_steps, output size)
            In the order of ``x``, whatever the direction.
        states : tuple of Tensor, each of shape (batch, size)
            After the last step read; the initial state for a sequence without steps.
        """


def scan(
    step: Callable[[Tensor, States], States], inputs: Tensor, *, steps: Steps, states: States, reverse: bool
) -> tuple[Tensor, States]:
    """Loop over time, at each step with the sequences that are still running (or, in reverse, already are).

    Parameters
    ----------
    step : callable (rows, states) -> states
        Rows of one time step, (running, channels), and the states before it to the states after it; the first
        state is the output.
    inputs : Tensor of shape (total_steps, channels)
        Packed order (see `Steps`).
    steps : Steps
        Supplies how many sequences run at each time step.
    states : tuple of Tensor, each of shape (batch, size)
        Initial states, in packed order.
    reverse : bool
        Whether time runs from each sequence's end to its start.

    Returns
    -------
    output : Tensor of shape (total_steps, output size)
        Packed order.
    states : tuple of Tensor, each of shape (batch, size)
        Final states, in packed order.
    """
    sizes = steps.batch_sizes
    if not sizes:
        return inputs[:, : states[0].shape[1]], states
    running = _scan_reverse if reverse else _scan_forward
    outputs, finals = running(step, inputs.split(sizes), sizes, states)
    return torch.cat(outputs), finals


def _scan_forward(
    step: Callable[[Tensor, States], States], rows: Sequence[Tensor], sizes: list[int], states: States
) -> tuple[list[Tensor], States]:
    outputs: list[Tensor] = []
    ended: list[States] = []
    for x, size in zip(rows, sizes, strict=True):
        if size < len(states[0]):
            ended.append(tuple(s[size:] for s in states))
            states = tuple(s[:size] for s in states)
        states = step(x, states)
        outputs.append(states[0])
    # The shortest ended first and stand last.
    parts = [states, *reversed(ended)]
    return outputs, tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True)) if ended else states


def _scan_reverse(
    step: Callable[[Tensor, States], States], rows: Sequence[Tensor], sizes: list[int], states: States
) -> tuple[list[Tensor], States]:
    initial = states
    outputs: list[Tensor] = []
    states = tuple(s[:0] for s in initial)
    for x, size in zip(reversed(rows), reversed(sizes), strict=True):
        before = len(states[0])
        if size > before:
            states = _join(states, tuple(s[before:size] for s in initial))
        states = step(x, states)
        outputs.append(states[0])
    if sizes[0] < len(initial[0]):  # sequences without steps
        states = _join(states, tuple(s[sizes[0] :] for s in initial))
    return outputs[::-1], states


def _join(first: States, second: States) -> States:
    return second if not len(first[0]) else tuple(torch.cat(pair) for pair in zip(first, second, strict=True))


@dataclass(frozen=True)
class _Batch:
    """What a user passed as input, and how to give the output back.

    ``values`` are flat ragged rows, or a padded tensor of three dimensions whose batch comes first or not.
    """

    values: Tensor
    steps: Steps
    batched: bool
    restore: Callable[[Tensor], Any]
    batch_first: bool | None = None  # None: ragged rows

    @property
    def rows(self) -> Tensor:
        """Flat ragged rows, (total_steps, channels)."""
        if self.batch_first is None:
            return self.values
        return from_padded(self.values, self.steps, batch_first=self.batch_first)

    def padded(self, rows: Tensor) -> Tensor:
        """Return rows in the form of ``values``."""
        if self.batch_first is None:
            return rows
        time = self.values.shape[1 if self.batch_first else 0]
        return to_padded(rows, self.steps, time=time, batch_first=self.batch_first)


def run_module(
    module: torch.nn.RNNBase,
    direction: Direction,
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
    direction : callable
        The cell's `Direction`.
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
    if compiling and not torch.compiler.is_exporting():
        from recurra.nn import opaque

        if isinstance(input, Tensor):
            return opaque.run_compiled(who, module, cell, input, hx, lengths, state_sizes)
        return opaque.run_uncompiled(who, module, direction, input, hx, lengths, cell, state_sizes)
    if compiling or fused.recording(input) or isinstance(input, torch.fx.Proxy):
        return fused.run_recorded(who, module, input, hx, lengths)
    return run_eager(who, module, direction, input, hx, lengths, cell, state_sizes)


def run_eager(
    who: str,
    module: torch.nn.RNNBase,
    direction: Direction,
    input: Any,
    hx: Any,
    lengths: Any,
    cell: str,
    state_sizes: Sequence[int],
) -> tuple[Any, States]:
    """Run a layer now; arguments as for `run_module`."""
    batch = _read_input(who, module, input, lengths)
    count = len(batch.steps.lengths)
    states = (
        () if hx is None else read_states(who, module, hx, batch.values, count, batch.batched, state_sizes)
    )
    weights = all_weights(module)
    everything = [*states, *(w for pair in weights for one in pair for w in one)]
    if runs_native(batch.values, everything):
        output, finals = _run_native(module, direction, cell, batch, states, weights)
    else:
        states = states or zeros(module, batch.values, count, state_sizes)
        output, finals = _run_elsewhere(module, direction, cell, batch, states, weights)
    if not batch.batched:
        finals = tuple(final.squeeze(1) for final in finals)
    return batch.restore(output), finals


def _run_elsewhere(
    module: torch.nn.RNNBase,
    direction: Direction,
    cell: str,
    batch: _Batch,
    states: States,
    weights: list[list[Weights]],
) -> tuple[Tensor, States]:
    """Run a layer where the native kernels do not: torch's own, or the loop over time."""
    drops = module.training and module.dropout > 0 and module.num_layers > 1
    between = (lambda x: dropout(module, x, module.dropout)) if drops else None
    compute = stack_reference(direction, batch.steps, batch.batch_first, between)
    if not batch.steps.total or asked_for_reference() or bridge.transformed():
        return compute(batch.values, states, weights)
    stack = fused.Stack(
        cell,
        batch.steps,
        batch.batch_first,
        bias=module.bias,
        num_layers=module.num_layers,
        bidirectional=module.bidirectional,
        dropout=module.dropout if drops else 0.0,
    )
    if between is None or getattr(module, "generator", None) is None:
        return fused.run(stack, compute, batch.values, states, weights)
    # torch's operator draws its dropout from the global generator; ours is drawn between layers run one by one.
    single = dataclasses.replace(stack, num_layers=1, dropout=0.0)
    layer = stack_reference(direction, batch.steps, batch.batch_first, None)
    return over_layers(lambda *given: fused.run(single, layer, *given), between)(
        batch.values, states, weights
    )


def reference_of(
    direction: Direction, steps: Steps, batch_first: bool | None
) -> Callable[..., tuple[Tensor, States]]:
    """Return the function that computes a layer in all its directions in torch operations.

    It takes rows (or a padded tensor, see `recurra.nn.bridge.Call`), states of shape (directions, batch, size)
    and the weights of each direction; it returns output and final states of the same forms.
    """

    def compute(x: Tensor, states: States, given: Sequence[Any]) -> tuple[Tensor, States]:
        batch = _Batch(x, steps, True, lambda output: output, batch_first)
        rows, outputs, ends = batch.rows, [], []
        if not steps.total:
            # Nothing is computed, but still joined to everything, so that a loss of it has gradients: zeros.
            rows = rows + sum(w[:0].sum() for one in given for w in one if w is not None)
        for d, one in enumerate(given):
            initial = tuple(s[d] for s in states)
            output, end = direction(rows, steps=steps, weights=Weights(*one), states=initial, reverse=d == 1)
            outputs.append(output)
            ends.append(end)
        return batch.padded(torch.cat(outputs, dim=1)), tuple(torch.stack(e) for e in zip(*ends, strict=True))

    return compute


def stack_reference(
    direction: Direction, steps: Steps, batch_first: bool | None, between: Callable[[Tensor], Tensor] | None
) -> Callable[..., tuple[Tensor, States]]:
    """Return the function that computes a stack of layers in torch operations.

    As that of `reference_of`, but it takes states of shape (num_layers * num_directions, batch, size) and, for every
    layer, the weights of each direction. ``between`` is done to the values between two layers: dropout, while training.
    """
    layer = reference_of(direction, steps, batch_first)
    return over_layers(lambda x, states, pairs: layer(x, states, pairs[0]), between)


def over_layers(
    run: Callable[[Tensor, States, Sequence[Any]], tuple[Tensor, States]],
    between: Callable[[Tensor], Tensor] | None,
) -> Callable[..., tuple[Tensor, States]]:
    """Return the function that runs layers one after the other, by a function that runs one."""

    def compute(x: Tensor, states: States, given: Sequence[Sequence[Any]]) -> tuple[Tensor, States]:
        finals: list[States] = []
        for number, pair in enumerate(given):
            if number and between is not None:
                x = between(x)
            first, last = number * len(pair), (number + 1) * len(pair)
            x, final = run(x, tuple(s[first:last] for s in states), [pair])
            finals.append(final)
        return x, tuple(torch.cat(final) for final in zip(*finals, strict=True))

    return compute


def _run_native(
    module: torch.nn.RNNBase,
    direction: Direction,
    cell: str,
    batch: _Batch,
    states: States,
    weights: list[list[Weights]],
) -> tuple[Tensor, States]:
    """Walk over layers, each with the native kernels; ``values`` keep their form."""
    values, finals = batch.values, []
    reference = reference_of(direction, batch.steps, batch.batch_first)
    memory = getattr(module, "memory", "full")
    check_choice(type(module).__name__, "memory", memory, ("full", "sqrt"))
    call = Call(cell, batch.steps.lengths, batch.batch_first, reference, memory)
    for layer, pair in enumerate(weights):
        if layer and module.dropout:
            values = dropout(module, values, module.dropout)
        first, last = layer * len(pair), (layer + 1) * len(pair)
        values, final = bridge.layer(call, values, [s[first:last] for s in states], pair)
        finals.append(final)
    if len(finals) == 1:
        return values, finals[0]
    return values, tuple(torch.cat(final) for final in zip(*finals, strict=True))


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
    names = [name + suffix for name in Weights._fields]
    return Weights(*(own[n] if n in own else getattr(module, n, None) for n in names))  # type: ignore[arg-type]


def _read_input(who: str, module: torch.nn.RNNBase, input: Any, lengths: Any) -> _Batch:
    if isinstance(input, PackedSequence | Ragged) and lengths is not None:
        raise UsageError(
            f"{who}: a {type(input).__name__} carries its own lengths; call it without lengths=."
        )
    if isinstance(input, PackedSequence):
        return _read_packed(who, module, input)
    if isinstance(input, Ragged):
        rows = ragged_values(who, input)
        check_rows(who, module, rows, f"(total_steps, input_size={module.input_size})")
        return _Batch(rows, Steps(input.lengths, rows.device), True, input.replace)
    if not isinstance(input, Tensor):
        raise UsageError(
            f"{who}: input must be a Tensor, PackedSequence or Ragged; got {type(input).__name__}. "
            "Convert an array with torch.as_tensor, a list of sequences with recurra.nn.to_ragged."
        )
    return _read_padded(who, module, input, lengths)


def _read_packed(who: str, module: torch.nn.RNNBase, input: PackedSequence) -> _Batch:
    check_rows(
        who, module, input.data, f"(total_steps, input_size={module.input_size}) inside the PackedSequence"
    )
    steps = steps_of(input)

    def restore(output: Tensor) -> PackedSequence:
        return PackedSequence(
            steps.pack(output), input.batch_sizes, input.sorted_indices, input.unsorted_indices
        )

    return _Batch(steps.unpack(input.data), steps, True, restore)


def _read_padded(who: str, module: torch.nn.RNNBase, input: Tensor, lengths: Any) -> _Batch:
    axes = "batch, time" if module.batch_first else "time, batch"
    check_rows(who, module, input, f"({axes}, input_size={module.input_size})", dims=(2, 3))
    batched = input.ndim == 3
    batch_first = module.batch_first or not batched  # one sequence: (1, time, input_size) is a view
    padded = input if batched else input.unsqueeze(0)
    batch, time = padded.shape[:2] if batch_first else (padded.shape[1], padded.shape[0])
    steps = Steps(as_lengths(who, lengths, batch=batch, time=time), input.device)

    def restore(output: Tensor) -> Tensor:
        return output if batched else output.squeeze(0)

    return _Batch(padded, steps, batched, restore, batch_first)


def check_rows(
    who: str, module: torch.nn.RNNBase, values: Tensor, rule: str, dims: Sequence[int] = (2,)
) -> None:
    """Raise unless ``values`` have ``input_size`` channels, as ``rule`` says, and the dtype of the weights."""
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
