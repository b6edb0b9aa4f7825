"""torch's own fused layers: where the native kernels do not run, and while something records the operations.

CUDA, MPS, an install without the extension, and 16 bits that `recurra.nn.layers.widened` leaves to it: there `run` calls
the operator that `torch.nn`'s layer calls. Unequal lengths are sorted, packed, run and unpacked, without the sequences that
have no step, where that is fast: on CUDA, and in double. Elsewhere torch's operator over padded sequences is
(`recurra.nn.layers.torch_padded`).

A recorder (`torch.jit.trace`, `make_fx`, export, functionalization, fake tensors) sees torch's operations only, and
would take what a kernel writes for memory that nobody wrote. There `run_recorded` calls torch's layer as a whole.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental import proxy_tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from recurra.errors import UsageError
from recurra.kernels.cell import CELLS, MODES
from recurra.nn.layers import torch_padded
from recurra.nn.layers.autograd_bridge import PER_DIRECTION, PLAIN, batched, differentiable
from recurra.nn.layers.layouts import Steps, autocasts, from_padded, to_padded
from recurra.ragged import Ragged

States = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Stack:
    """What torch's operator needs to know of a stack of layers besides its tensors.

    Parameters
    ----------
    cell : str
        One that torch has, see `recurra.kernels.cell.Cell`.
    steps : Steps
        Of a batch with at least one step.
    batch_first : bool or None
        Where a padded tensor has its batch; None for flat ragged rows.
    bias : bool
    num_layers : int
    bidirectional : bool
    dropout : float
        Between layers; 0 while not training.
    """

    cell: str
    steps: Steps
    batch_first: bool | None
    bias: bool
    num_layers: int
    bidirectional: bool
    dropout: float

    def forward(self, x: Tensor, states: States, weights: Sequence[Sequence[Any]]) -> tuple[Tensor, States]:
        """Return output and final states in the forms of ``x`` and ``states``, in torch's dtypes."""
        flat = [w for pair in weights for one in pair for w in one if w is not None]
        steps, time = self.steps, 0
        if self.batch_first is not None:
            time = x.shape[1 if self.batch_first else 0]
            if (steps.lengths == time).all():
                return self._call(x, states, flat, self.batch_first)
        # autocast leaves packed sequences in the dtype they have, and so should we
        as_given = self.batch_first is None and autocasts(x.device.type)
        if x.device.type == "cuda" or x.dtype == torch.float64 or as_given:
            return self._packed(x, states, flat, time)
        return self._padded(x, states, weights, time)

    def _padded(
        self, x: Tensor, states: States, weights: Sequence[Sequence[Any]], time: int
    ) -> tuple[Tensor, States]:
        """Run over padded sequences; ``time`` is that of a padded ``x``."""
        longest = int(self.steps.lengths.max())
        if self.batch_first is None:
            x = to_padded(x, self.steps, time=longest, batch_first=True)
        elif not self.batch_first:
            x = x.transpose(0, 1)
        single = dataclasses.replace(self, num_layers=1, bidirectional=False, dropout=0.0)
        ends = torch_padded.Ends(torch.from_numpy(self.steps.lengths).to(x.device), longest)
        output, finals = torch_padded.run(
            lambda *given: single._call(*given, True),
            ends,
            x[:, :longest],
            states,
            weights,
            self.dropout if self.num_layers > 1 else 0.0,
        )
        if self.batch_first is None:
            return from_padded(output, self.steps, batch_first=True), finals
        output = torch.nn.functional.pad(output, (0, 0, 0, time - longest))
        return output if self.batch_first else output.transpose(0, 1), finals

    def _packed(self, x: Tensor, states: States, flat: list[Tensor], time: int) -> tuple[Tensor, States]:
        """Run over packed sequences; ``time`` is that of a padded ``x``."""
        steps = self.steps
        rows = x if self.batch_first is None else from_padded(x, steps, batch_first=self.batch_first)
        initial = steps.sort(states, dim=1)
        running = steps.batch_sizes[0]
        output, finals = self._call(
            (steps.pack(rows), torch.tensor(steps.batch_sizes)), [s[:, :running] for s in initial], flat
        )
        if running < len(steps.lengths):  # those without steps stand last, and end as they began
            ends = zip(finals, initial, strict=True)
            finals = tuple(torch.cat([f, s[:, running:].to(f.dtype)], dim=1) for f, s in ends)
        output = steps.unpack(output)
        if self.batch_first is not None:
            output = to_padded(output, steps, time=time, batch_first=self.batch_first)
        return output, steps.unsort(finals, dim=1)

    def _call(
        self, input: Any, states: Sequence[Tensor], flat: list[Tensor], *layout: bool
    ) -> tuple[Tensor, States]:
        # cuDNN keeps what a gradient needs with train=True only, whatever the dropout
        options = (self.bias, self.num_layers, self.dropout, torch.is_grad_enabled(), self.bidirectional)
        operator = getattr(torch._VF, CELLS[self.cell].mode.lower())
        hx = list(states) if len(states) > 1 else states[0]
        if isinstance(input, tuple):
            output, *finals = operator(*input, hx, flat, *options)
        else:
            output, *finals = operator(input, hx, flat, *options, *layout)
        return output, tuple(finals)


def run(
    stack: Stack,
    reference: Callable[..., tuple[Tensor, States]],
    x: Tensor,
    states: States,
    weights: Sequence[Sequence[Any]],
) -> tuple[Tensor, States]:
    """Run a stack of layers by torch's operator, with derivatives of any order where torch has the first only.

    Parameters
    ----------
    stack : Stack
    reference : callable (x, states, weights) -> (output, states)
        The same in torch operations that can be differentiated any number of times.
    x : Tensor
        Rows (total_steps, input_size), or a padded tensor of three dimensions.
    states : tuple of Tensor of shape (num_layers * num_directions, batch, size)
    weights : sequence of sequences of `recurra.nn.layers.autograd_bridge.DirectionWeights`
        For every layer, in each of its directions.
    """
    tensors = (x, *states, *(w for pair in weights for one in pair for w in one))
    learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    # A mask of dropout cannot be drawn again by the reference, and autocast chooses dtypes by operator: there the
    # graph is torch's own.
    theirs = (stack.dropout and stack.num_layers > 1) or autocasts(x.device.type)
    if not learns or theirs or not all(t is None or type(t) in PLAIN for t in tensors):
        return stack.forward(x, states, weights)
    output, *finals = _Stack.apply(stack, reference, len(states), *tensors)  # type: ignore[no-untyped-call]
    return output, tuple(finals)


def _grouped(stack: Stack, count: int, tensors: Sequence[Tensor | None]) -> tuple[Any, Any, Any]:
    """Return x, states and weights as `run` takes them from one flat sequence with ``count`` states."""
    x, states, flat = tensors[0], tuple(tensors[1 : 1 + count]), tensors[1 + count :]
    directions = [flat[at : at + PER_DIRECTION] for at in range(0, len(flat), PER_DIRECTION)]
    width = 2 if stack.bidirectional else 1
    return x, states, [directions[at : at + width] for at in range(0, len(directions), width)]


class _Stack(torch.autograd.Function):
    """A stack of layers as one node: inside, torch's graph; by the reference where that cannot be differentiated."""

    @staticmethod
    def forward(
        ctx: Any, stack: Stack, reference: Any, count: int, *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        leaves = [None if t is None else t.detach().requires_grad_(t.requires_grad) for t in tensors]
        with torch.enable_grad():
            output, finals = stack.forward(*_grouped(stack, count, leaves))
        ctx.inside = leaves, (output, *finals)
        ctx.call = stack, reference, count
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return output.detach(), *(final.detach() for final in finals)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        stack, reference, count = ctx.call
        needed, tensors = ctx.needs_input_grad[3:], ctx.saved_tensors
        if all(g is None for g in given):
            return (None,) * (3 + len(needed))
        if torch.is_grad_enabled() or batched(given):

            def compute(*inputs: Tensor | None) -> tuple[Tensor, ...]:
                output, finals = reference(*_grouped(stack, count, inputs))
                return output, *finals

            return (None, None, None, *differentiable(compute, tensors, given, needed))
        keep = torch._C._autograd._get_current_graph_task_keep_graph()
        leaves, outputs = ctx.inside
        pairs = [(o, g) for o, g in zip(outputs, given, strict=True) if g is not None]
        wanted = [t for t, need in zip(leaves, needed, strict=True) if need]
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs], wanted, [g for _, g in pairs], retain_graph=keep, allow_unused=True
            )
        )
        if not keep:
            ctx.inside = None
        return (None, None, None, *(next(found) if need else None for need in needed))


def torch_class(layer: torch.nn.RNNBase) -> Any:
    """Return torch's class of a layer's mode."""
    return getattr(torch.nn, layer.mode.partition("_")[0])


def run_recorded(who: str, module: torch.nn.RNNBase, input: Any, hx: Any, lengths: Any) -> tuple[Any, States]:
    """Run torch's own layer, so that a recorder writes down what it would of a `torch.nn` model.

    Raises
    ------
    UsageError
        If the input is a Ragged, or the numbers of ``lengths`` are not known while recording.
    """
    forward = torch_class(module).forward
    if isinstance(input, torch.fx.Proxy):
        return _leaf(who, module, input, hx, lengths)
    if isinstance(input, Ragged):
        raise UsageError(
            f"{who}: a Ragged cannot be recorded, its lengths would become constants. "
            "Pass a padded tensor with lengths=, or a PackedSequence."
        )
    if lengths is None:
        output, states = forward(module, input, hx)
        states = states if isinstance(states, tuple) else (states,)
        if isinstance(input, PackedSequence) and torch.onnx.is_in_onnx_export():
            # torch's exporter breaks where nobody unpacks the output; the sum of no numbers is zero
            nothing = pad_packed_sequence(output)[0][:0].sum()
            states = tuple(state + nothing for state in states)
        return output, states
    if isinstance(input, PackedSequence):
        raise UsageError(f"{who}: a PackedSequence carries its own lengths; call it without lengths=.")
    return _recorded_lengths(who, module, forward, input, hx, lengths)


def _recorded_lengths(
    who: str, module: torch.nn.RNNBase, forward: Any, input: Tensor, hx: Any, lengths: Any
) -> tuple[Any, States]:
    """Pack in operations that hold for other lengths as well; a sequence without steps runs one, and is undone."""
    if torch.compiler.is_exporting() or not _has_numbers(lengths):
        raise UsageError(
            f"{who}: lengths have no numbers while this records (as in torch.export, or with fake tensors). "
            "Record without lengths=, or use torch.jit.trace or torch.onnx.export(..., dynamo=False)."
        )
    where = torch.as_tensor(lengths)
    alone = input.ndim == 2
    batch_first = module.batch_first or alone
    x = input.unsqueeze(0) if alone else input
    where = where.reshape(-1)
    axis = 1 if batch_first else 0
    time = x.shape[axis]
    steps = torch.arange(time, device=x.device)
    ends = where.to(x.device)
    running = (steps < ends[:, None] if batch_first else steps[:, None] < ends).unsqueeze(-1)
    # what lies past the end may be NaN, and a zero gradient times NaN is NaN
    x = torch.where(running, x, torch.zeros((), dtype=x.dtype, device=x.device))
    packed = pack_padded_sequence(
        x if batch_first == module.batch_first else x.transpose(0, 1),
        where.clamp(min=1).cpu(),
        batch_first=module.batch_first,
        enforce_sorted=False,
    )
    given = () if hx is None else hx if isinstance(hx, tuple | list) else (hx,)
    initial = tuple(s.unsqueeze(1) for s in given) if alone else tuple(given)
    passed = None if hx is None else initial if isinstance(hx, tuple | list) else initial[0]
    output, finals = forward(module, packed, passed)
    output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=time)
    output = torch.where(running, output, torch.zeros((), dtype=output.dtype, device=output.device))
    finals = finals if isinstance(finals, tuple) else (finals,)
    began = initial or tuple(torch.zeros_like(f) for f in finals)
    nothing = (ends == 0)[None, :, None]
    finals = tuple(torch.where(nothing, b.to(f.dtype), f) for b, f in zip(began, finals, strict=True))
    if alone:
        return output.squeeze(0), tuple(f.squeeze(1) for f in finals)
    return output, finals


def _has_numbers(lengths: Any) -> bool:
    if proxy_tensor.get_proxy_mode() is not None:
        return False
    return not isinstance(lengths, Tensor) or (type(lengths) in PLAIN and not lengths.is_meta)


def _leaf(who: str, module: torch.nn.RNNBase, input: Any, hx: Any, lengths: Any) -> tuple[Any, States]:
    """Put a call of the layer itself into the graph of `torch.fx.symbolic_trace`, as it does for torch's layers."""
    tracer = input.tracer
    name = tracer.path_of_module(module)
    if not name:
        raise UsageError(
            f"{who}: torch.fx cannot trace a recurrent layer by itself, only a module that holds one. "
            "Trace the module around it."
        )
    arguments = {"hx": hx, "lengths": lengths}
    arguments = {key: value for key, value in arguments.items() if value is not None}
    if module._forward_hooks or module._forward_pre_hooks:
        # these are being traced already, around this call; a call of the module would run them again
        layer = tracer.create_proxy("get_attr", name, (), {})
        result = tracer.create_proxy("call_method", "forward", (layer, input), arguments)
    else:
        result = tracer.create_proxy("call_module", name, (input,), arguments)
    states = result[1]
    return result[0], (states[0], states[1]) if len(MODES[module.mode].states) > 1 else (states,)
