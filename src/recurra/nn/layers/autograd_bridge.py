"""The autograd bridge: a recurrent layer's tensors to the native kernels, and their gradients back.

Three ways in, one computation:

- nothing needs a gradient: a direct call;
- something does: one `torch.autograd.Function` for a layer in all its directions. Its backward pass is native as
  well; where it must itself be differentiated, torch's own operations (the cell's reference) take over;
- under `torch.compile`: the operators ``recurra::layer`` and ``recurra::layer_backward``, so that a compiler sees
  one opaque node in place of a loop over time.

Padded tensors of any strides and flat ragged rows are read and written where they lie.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import unwrap_if_dead

from recurra.kernels.cell import CELLS, EXTRAS, Variant
from recurra.kernels.dispatch import current, native_module
from recurra.nn.layers import gradient_checkpointing

DTYPES = (torch.float32, torch.float64)
PLAIN = (Tensor, torch.nn.Parameter)  # a subclass may mean something else by its operations
# Weights of one direction: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr; the last three may be None.
DirectionWeights = Sequence[Tensor | None]
# Gradients of one direction in the order the extension takes them: the weights, then the state after each step.
PER_DIRECTION = 5


def runs_native(values: Tensor, others: Sequence[Tensor | None]) -> bool:
    """Return whether the kernels take a layer with these tensors; otherwise torch's own operations compute it."""
    dtype = values.dtype
    if dtype not in DTYPES or torch.is_autocast_enabled("cpu"):
        return False
    return all([t is None or t.dtype is dtype for t in others]) and in_memory(values, others)


def in_memory(values: Tensor, others: Sequence[Tensor | None]) -> bool:
    """Return whether the kernels find the numbers of these tensors in the memory of this machine, whatever their dtypes."""
    if not values.is_cpu or transformed() or not _has_numbers(values):
        return False
    parameter = (
        torch.nn.Parameter
    )  # asked here as well: most are parameters, and a call takes longer than the question
    found = [t is None or (t.is_cpu and (type(t) is parameter or _has_numbers(t))) for t in others]
    return all(found) and current() == "native"


def _has_numbers(tensor: Tensor) -> bool:
    """Return whether what a tensor means is what lies in its memory, which is all that the kernels see.

    Of a subclass nobody knows. A lazily negated view (``z.conj().imag``) and torch's zeros without memory are not asked of
    parameters, which own their memory: the question takes longer than reading a flag.
    """
    kind = type(tensor)
    if kind is torch.nn.Parameter:
        return True
    return kind is Tensor and not tensor.is_neg() and not tensor._is_zerotensor()


def _written_out(tensor: Tensor | None) -> Tensor | None:
    """Return a gradient with its numbers in memory, contiguous."""
    if tensor is None:
        return None
    if not _has_numbers(tensor):
        tensor = torch.zeros_like(tensor) if tensor._is_zerotensor() else tensor.resolve_neg()
    return tensor.contiguous()


def transformed() -> bool:
    """Return whether vmap, grad of torch.func or forward-mode derivatives are on, which see torch's operations only."""
    return torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0


def batched(given: Sequence[Tensor | None]) -> bool:
    """Return whether gradients are many at once: vmap over a backward pass, ``is_grads_batched``."""
    wrapped, legacy = (
        torch._C._functorch.is_functorch_wrapped_tensor,
        torch._C._functorch.is_legacy_batchedtensor,
    )
    return any(g is not None and (wrapped(g) or legacy(g)) for g in given)


@dataclass(eq=False)  # not frozen: one is made at every call of a layer, and takes three times as long then
class Call:
    """What a layer needs to know besides its tensors.

    Parameters
    ----------
    cell : str
        One of `recurra.kernels.cell.PLAIN`.
    lengths : int64 ndarray of shape (batch,)
    batch_first : bool or None
        Where a padded tensor has its batch; None for flat ragged rows.
    reference : callable or None
        (rows, states, weights) -> (output, final states) in torch operations, for second derivatives; None where no
        graph is built.
    memory : {"full", "sqrt", "auto"}
        Whether training keeps the gates of every step, states between segments only, or which follows from the batch: see
        `recurra.nn.layers.gradient_checkpointing`.
    variant : Variant, optional
        Then there are more weights: those of `recurra.nn.layers.cell_variants.VariantWeights`.
    drop, zone : Tensor, optional
        What `recurra.nn.layers.cell_variants.Masks` holds.
    """

    cell: str
    lengths: np.ndarray
    batch_first: bool | None
    reference: Callable[..., tuple[Tensor, tuple[Tensor, ...]]] | None
    memory: str = "full"
    variant: Variant | None = None
    drop: Tensor | None = None
    zone: Tensor | None = None

    @property
    def has_cell_state(self) -> bool:
        """Whether there is a second state, c."""
        return "c" in CELLS[self.cell].states

    @property
    def per_direction(self) -> int:
        """Weights of a direction."""
        return PER_DIRECTION if self.variant is None else PER_DIRECTION + len(EXTRAS)

    def steps(self, x: Tensor) -> int:
        """Return how many steps all sequences of a batch have together."""
        return len(x) if self.batch_first is None else int(self.lengths.sum())

    def grouped(self, flat: Sequence[Tensor | None]) -> list[DirectionWeights]:
        """Return the weights of each direction."""
        return [flat[at : at + self.per_direction] for at in range(0, len(flat), self.per_direction)]

    def masks(self) -> tuple[Any, ...] | None:
        """Return the masks as the extension takes them."""
        if self.drop is None and self.zone is None:
            return None
        width = 0 if self.zone is None else self.zone.shape[1]
        return _address(self.drop), _address(self.zone), self._first_rows * width, width

    def starts(self, values: Tensor) -> tuple[np.ndarray | None, int]:
        """Return `places`, but None where one sequence follows the other, as the extension finds by itself."""
        return (None, values.stride(0)) if self.batch_first is None else self.places(values)

    def places(self, values: Tensor) -> tuple[np.ndarray, int]:
        """Return where each sequence's first row lies in ``values``, and the stride between steps, in numbers."""
        if self.batch_first is None:
            width = values.stride(0)
            return self._first_rows * width, width
        batch, time = (0, 1) if self.batch_first else (1, 0)
        return np.arange(len(self.lengths)) * values.stride(batch), values.stride(time)

    @cached_property
    def _first_rows(self) -> np.ndarray:
        return np.cumsum(self.lengths) - self.lengths

    def end_with_zeros(self, values: Tensor) -> Tensor:
        """Write zeros into the steps of a padded tensor past the end of its sequences; return it."""
        if self.batch_first is not None:
            time = values.shape[1 if self.batch_first else 0]
            if (self.lengths != time).any():
                # not zeros everywhere: the recurrence writes most of it itself
                native_module().clear_ends(
                    values.dtype == torch.float64, values.data_ptr(), *self.places(values), self.lengths,
                    len(self.lengths), time, values.shape[2], torch.get_num_threads(),
                )  # fmt: skip
        return values


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _pack(call: Call, weights: Sequence[DirectionWeights], *, back: bool) -> list[Any]:
    """Lay out the weights of every direction for the kernels."""
    weight_ih, weight_hh, *_ = weights[0]
    assert weight_ih is not None
    assert weight_hh is not None
    return native_module().pack(
        CELLS[call.cell].code,
        weight_ih.dtype == torch.float64,
        weight_ih.shape[1],
        weight_ih.shape[0] // CELLS[call.cell].blocks,
        weight_hh.shape[1],
        [[None if w is None else w.data_ptr() for w in one] for one in weights],
        back,
        torch.get_num_threads(),
        None if call.variant is None else call.variant.numbers(),
    )


@dataclass
class Kept:
    """What a forward pass leaves for the backward pass besides tensors."""

    packed: list[Any]
    memory: Any
    segmented: list[gradient_checkpointing.Direction] | None = None


def forward_pass(
    call: Call,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[DirectionWeights],
    *,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Kept]:
    """Run a layer; tensors are contiguous but for x, whose last axis is."""
    packed = _pack(call, weights, back=save)
    directions, batch = len(weights), len(call.lengths)
    weight_ih, weight_hh = weights[0][0], weights[0][1]
    assert weight_ih is not None
    assert weight_hh is not None
    hidden_size, output_size = weight_ih.shape[0] // CELLS[call.cell].blocks, weight_hh.shape[1]
    output = call.end_with_zeros(x.new_empty((*x.shape[:-1], directions * output_size)))
    steps = call.steps(x)
    numbers = steps * directions * (CELLS[call.cell].blocks + 1) * hidden_size  # gates, and the state
    if save and gradient_checkpointing.in_segments(call.memory, numbers, x.element_size()):
        return _forward_in_segments(call, packed, x, h_0, c_0, output, (output_size, hidden_size))
    h_n = x.new_empty((directions, batch, output_size))
    c_n = x.new_empty((directions, batch, hidden_size)) if call.has_cell_state else None
    memory = native_module().Saved(packed[0], steps, directions) if save else None
    native_module().forward(
        packed,
        batch,
        call.lengths,
        x.data_ptr(),
        *call.starts(x),
        output.data_ptr(),
        *call.starts(output),
        _address(h_0),
        _address(c_0),
        False,
        h_n.data_ptr(),
        _address(c_n),
        memory,
        torch.get_num_threads(),
        0,
        call.masks(),
    )
    return output, h_n, c_n, Kept(packed, memory)


def _forward_in_segments(
    call: Call,
    packed: list[Any],
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    output: Tensor,
    sizes: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor | None, Kept]:
    """Run a layer keeping only the states between segments."""
    batch, found = len(call.lengths), []
    for d, one in enumerate(packed):
        h = x.new_zeros((batch, sizes[0])) if h_0 is None else h_0[d].contiguous()
        c = None
        if call.has_cell_state:
            c = x.new_zeros((batch, sizes[1])) if c_0 is None else c_0[d].contiguous()
        rows = gradient_checkpointing.Rows(x.data_ptr(), *call.places(x))
        out = gradient_checkpointing.Rows(
            output.data_ptr() + d * sizes[0] * x.element_size(), *call.places(output)
        )
        direction = gradient_checkpointing.Direction(
            one,
            call.lengths,
            d == 1,
            rows,
            out,
            [(h, c)],
            torch.get_num_threads(),
            _masks_of(call, d, len(packed)),
        )
        direction.forward()
        found.append(direction)
    h_n = torch.stack([direction.states[-1][0] for direction in found])
    c_n = (
        None
        if not call.has_cell_state
        else torch.stack([d.states[-1][1] for d in found if d.states[-1][1] is not None])
    )
    return output, h_n, c_n, Kept(packed, None, found)


def _masks_of(call: Call, direction: int, directions: int) -> Any:
    """Return the masks of one direction of a layer."""
    found = call.masks()
    if found is None:
        return None
    drop, zone, start, width = found
    if call.drop is not None:
        drop = call.drop[direction].data_ptr()
    if call.zone is not None:
        zone += direction * width // directions * call.zone.element_size()
    return gradient_checkpointing.SegmentMasks(drop, gradient_checkpointing.Rows(zone, start, width))


def _backward_in_segments(
    call: Call, kept: Kept, x: Tensor, given: Sequence[Tensor | None], wanted: list[Tensor | None]
) -> list[Tensor | None]:
    """Fill ``wanted``, laid out by `_room`, direction by direction."""
    assert kept.segmented is not None
    grad_x = wanted[0]
    for d, direction in enumerate(kept.segmented):
        last_h, last_c = direction.states[-1]
        grads = (
            torch.zeros_like(last_h) if given[1] is None else given[1][d].contiguous(),
            None
            if last_c is None
            else torch.zeros_like(last_c)
            if given[2] is None
            else given[2][d].contiguous(),
        )
        at = 3 + d * call.per_direction
        weights = [None if w is None else w.zero_() for w in wanted[at : at + call.per_direction]]
        # the extension writes; the second direction's part is added by hand
        part = grad_x if d == 0 or grad_x is None else torch.zeros_like(grad_x)
        offset = d * last_h.shape[1] * x.element_size()
        output = None if given[0] is None else given[0].data_ptr() + offset
        grads = direction.backward(output, grads, _address(part), weights)
        if d == 1 and grad_x is not None and part is not None:
            grad_x += part
        for total, g in zip(wanted[1:3], grads, strict=True):
            if total is not None and g is not None:
                total[d] = g
    return wanted


def _room(call: Call, inputs: Sequence[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """Return tensors for the gradients by x, h_0, c_0 and every weight; None where not ``needed``."""
    # where rows of x lie must be as in x; the others are contiguous
    wanted = [
        torch.empty_like(t) if need and t is not None else None
        for t, need in zip(inputs, needed, strict=True)
    ]
    if wanted[0] is not None:
        call.end_with_zeros(wanted[0])  # rows past the end of a sequence have no gradient
    return wanted


def backward_pass(
    call: Call,
    kept: Kept,
    x: Tensor,
    output: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[DirectionWeights],
    given: Sequence[Tensor | None],
    wanted: list[Tensor | None],
) -> list[Tensor | None]:
    """Run a layer backward into ``wanted``: tensors for the gradients by x, h_0, c_0 and every weight, or None."""
    # bound to a name: an address does not keep its tensor alive
    laid_out = [_written_out(g) for g in given]
    if kept.segmented is not None:
        return _backward_in_segments(call, kept, x, laid_out, wanted)
    native_module().backward(
        kept.packed,
        len(call.lengths),
        call.lengths,
        x.data_ptr(),
        *call.starts(x),
        output.data_ptr(),
        *call.starts(output),
        _address(h_0),
        _address(c_0),
        False,
        kept.memory,
        [_address(g) for g in laid_out],
        _wanted_addresses(wanted, call),
        torch.get_num_threads(),
        0,
        call.masks(),
    )
    return wanted


def _wanted_addresses(wanted: Sequence[Tensor | None], call: Call) -> list[int | None]:
    addresses = [_address(t) for t in wanted[:3]]
    for own in call.grouped(wanted[3:]):
        found = [None if t is None else t.data_ptr() for t in own]
        # between the weights of every layer and those of a variant: the derivative by every state
        addresses += [*found[:PER_DIRECTION], None, *found[PER_DIRECTION:]]
    return addresses


class _Layer(torch.autograd.Function):
    """A layer in all its directions, as one node of the graph."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        output, h_n, c_n, ctx.kept = forward_pass(call, x, h_0, c_0, call.grouped(weights), save=True)
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, h_0, c_0, *weights)
        # Not saved through torch, which would refuse what its own layers allow: an output that is changed in place.
        ctx.output, ctx.version = output.detach(), output._version
        return output, h_n, c_n

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        x, h_0, c_0, *weights = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if all(g is None for g in given):
            return (None,) * (1 + len(needed))
        if torch.is_grad_enabled() or batched(given):

            def compute(x: Tensor, h_0: Tensor | None, c_0: Tensor | None, *flat: Tensor | None) -> Any:
                states = tuple(s for s in (h_0, c_0) if s is not None) or _zeros(
                    ctx.call, x, ctx.call.grouped(flat)
                )
                output, finals = ctx.call.reference(x, states, ctx.call.grouped(flat))
                return output, *finals

            return (None, *differentiable(compute, (x, h_0, c_0, *weights), given, needed))
        kept, output = ctx.kept, ctx.output
        if not torch._C._autograd._get_current_graph_task_keep_graph():
            ctx.kept = ctx.output = None
        if output._version != ctx.version or (kept.memory is not None and kept.memory.spent):
            # The output was changed in place; or a second backward pass through a retained graph: the first has
            # overwritten the gates.
            output, _, _, kept = forward_pass(ctx.call, x, h_0, c_0, ctx.call.grouped(weights), save=True)
        wanted = _room(ctx.call, (x, h_0, c_0, *weights), needed)
        return (
            None,
            *backward_pass(ctx.call, kept, x, output, h_0, c_0, ctx.call.grouped(weights), given, wanted),
        )


def differentiable(
    compute: Callable[..., Any],
    inputs: Sequence[Tensor | None],
    given: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Compute gradients by torch's own operations, so that they can be differentiated again, or be many at once.

    Parameters
    ----------
    compute : callable
        From ``inputs`` to the values that ``given`` are the gradients by.
    inputs : sequence of Tensor or None
        Those of the node.
    given : sequence of Tensor or None
        Gradients by its outputs.
    needed : sequence of bool
        Which of the inputs want a gradient.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        pairs = [(value, g) for value, g in zip(compute(*inputs), given, strict=False) if g is not None]
        wanted = [t for t, need in zip(inputs, needed, strict=True) if need and t is not None]
        found = iter(
            torch.autograd.grad(
                [v for v, _ in pairs], wanted, [g for _, g in pairs], create_graph=again, allow_unused=True
            )
        )
    return [next(found) if need and t is not None else None for t, need in zip(inputs, needed, strict=True)]


def _zeros(call: Call, x: Tensor, weights: Sequence[DirectionWeights]) -> tuple[Tensor, ...]:
    """Return initial states where none are given."""
    weight_ih, weight_hh = weights[0][0], weights[0][1]
    assert weight_ih is not None
    assert weight_hh is not None
    sizes = [weight_hh.shape[1], weight_ih.shape[0] // CELLS[call.cell].blocks][
        : 2 if call.has_cell_state else 1
    ]
    return tuple(x.new_zeros(len(weights), len(call.lengths), size) for size in sizes)


# Not Function.apply, which looks for the two things that are known here: transforms, under which the kernels do not run,
# and what a finished one left behind.
_apply: Callable[..., Any] = super(torch.autograd.Function, _Layer).apply


def layer(
    call: Call,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[DirectionWeights],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a layer in one direction or both.

    Parameters
    ----------
    call : Call
    x : Tensor of shape (total_steps, input_size), or padded
    states : one or two Tensors of shape (num_directions, batch, size), or none
        h_0, for the LSTM h_0 and c_0; zeros where there is none.
    weights : one or two sequences of `DirectionWeights`
        Forward first.

    Returns
    -------
    output : Tensor shaped as x, with num_directions * output_size channels
    states : tuple of Tensor of shape (num_directions, batch, size)
    """
    x = unwrap_if_dead(x)
    if not x.is_contiguous() and (
        torch.empty_like(x, device="meta").stride() != x.stride() or (x.shape[-1] > 1 and x.stride(-1) != 1)
    ):
        x = x.contiguous()
    h_0, c_0 = (*[unwrap_if_dead(s).contiguous() for s in states], None, None)[:2]
    parameter = torch.nn.Parameter
    flat = [
        None if w is None else (w if type(w) is parameter else unwrap_if_dead(w)).contiguous()
        for one in weights
        for w in one
    ]
    if torch.is_grad_enabled() and any([t is not None and t.requires_grad for t in (x, h_0, c_0, *flat)]):
        # what `torch.inference_mode` made cannot be saved for a backward pass; a copy can
        x = x.clone() if x.is_inference() else x
        h_0, c_0 = (t.clone() if t is not None and t.is_inference() else t for t in (h_0, c_0))
        output, h_n, c_n = _apply(call, x, h_0, c_0, *flat)
    else:
        output, h_n, c_n, _ = forward_pass(call, x, h_0, c_0, call.grouped(flat), save=False)
    return output, (h_n,) if c_n is None else (h_n, c_n)
