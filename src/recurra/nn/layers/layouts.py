"""Where the steps of a batch lie: padded, packed or ragged tensors, to flat ragged rows and back.

Every layer of this room computes on flat ragged rows, (total_steps, channels), sequence after sequence. What
a user passes is brought into that form once, on the way into a layer, and back once, on the way out.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.errors import ShapeError, UsageError
from recurra.ragged import Ragged


class Steps:
    """The steps of a ragged batch, and the order in which they can be computed together.

    Ragged order holds sequence after sequence. Packed order, torch's own in `PackedSequence`, holds time step
    after time step with the longest sequence first, so that the sequences still running are always the first
    ones and a step works on a slice.

    Parameters
    ----------
    lengths : ndarray of int64, shape (batch,)
        Steps of each sequence, each at least 0.
    device : torch.device
        Where the indices are wanted.
    order : ndarray of int64, shape (batch,), optional
        Sequence at each place of the packed order; by default by falling length, ties in the order given.
    """

    def __init__(self, lengths: np.ndarray, device: torch.device, order: np.ndarray | None = None) -> None:
        self.lengths = lengths
        self.device = device
        if order is not None:
            self.order = order

    @cached_property
    def order(self) -> np.ndarray:
        """Sequence at each place of the packed order."""
        return np.argsort(-self.lengths, kind="stable")

    @property
    def total(self) -> int:
        """Number of rows."""
        return int(self.lengths.sum())

    @cached_property
    def batch_sizes(self) -> list[int]:
        """Sequences still running at each time step, shape (time,)."""
        time = int(self.lengths.max(initial=0))
        ends = np.bincount(self.lengths, minlength=time + 1)
        return (len(self.lengths) - np.cumsum(ends)[:time]).tolist()

    @cached_property
    def sequence(self) -> np.ndarray:
        """Sequence of each ragged row, shape (total_steps,)."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def time(self) -> np.ndarray:
        """Time step of each ragged row, shape (total_steps,)."""
        return np.arange(self.total) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)

    @cached_property
    def _packed_rows(self) -> np.ndarray:
        """Place in packed order of each ragged row."""
        first = np.cumsum([0, *self.batch_sizes])
        return first[self.time] + np.argsort(self.order)[self.sequence]

    @cached_property
    def _to_ragged(self) -> Tensor | None:
        rows = self._packed_rows
        return None if _counts_up(rows) else torch.from_numpy(rows).to(self.device)

    @cached_property
    def _to_packed(self) -> Tensor | None:
        return None if self._to_ragged is None else torch.argsort(self._to_ragged)

    @cached_property
    def _sort(self) -> Tensor | None:
        return None if _counts_up(self.order) else torch.from_numpy(self.order).to(self.device)

    @cached_property
    def _unsort(self) -> Tensor | None:
        return None if self._sort is None else torch.argsort(self._sort)

    def pack(self, values: Tensor) -> Tensor:
        """Bring rows (total_steps, channels) from ragged into packed order."""
        return _select(values, self._to_packed)

    def unpack(self, values: Tensor) -> Tensor:
        """Bring rows (total_steps, channels) from packed into ragged order."""
        return _select(values, self._to_ragged)

    def sort(self, states: Sequence[Tensor], *, dim: int = 0) -> tuple[Tensor, ...]:
        """Bring states, whose axis ``dim`` is the batch, into packed order."""
        return tuple(_select(state, self._sort, dim) for state in states)

    def unsort(self, states: Sequence[Tensor], *, dim: int = 0) -> tuple[Tensor, ...]:
        """Bring states, whose axis ``dim`` is the batch, back into the order of the sequences."""
        return tuple(_select(state, self._unsort, dim) for state in states)


def _counts_up(index: np.ndarray) -> bool:
    return bool((index == np.arange(len(index))).all())


def _select(values: Tensor, index: Tensor | None, dim: int = 0) -> Tensor:
    return values if index is None else values.index_select(dim, index)


def steps_of(packed: PackedSequence) -> Steps:
    """Return the steps of a PackedSequence, its sequences in the order the user believes to have passed."""
    batch_sizes = _numbers("PackedSequence", "batch_sizes", packed.batch_sizes)
    # The sequence at place r of the packed order runs while batch_sizes > r.
    by_rank = (batch_sizes[None, :] > np.arange(int(batch_sizes[0]))[:, None]).sum(axis=1)
    if packed.sorted_indices is None:
        order = np.arange(len(by_rank))
    else:
        order = _numbers("PackedSequence", "sorted_indices", packed.sorted_indices)
    lengths = np.empty(len(by_rank), dtype=np.int64)
    lengths[order] = by_rank
    return Steps(lengths, packed.data.device, order)


def from_padded(padded: Tensor, steps: Steps, *, batch_first: bool) -> Tensor:
    """Return the valid rows, (total_steps, channels), of a three-dimensional padded tensor."""
    batch_major = padded if batch_first else padded.transpose(0, 1)
    flat = batch_major.reshape(-1, padded.shape[2])
    rows = _padded_rows(steps, batch_major.shape[1])
    return _select(flat, rows)


def to_padded(values: Tensor, steps: Steps, *, time: int, batch_first: bool) -> Tensor:
    """Return rows (total_steps, channels) as a padded tensor that is zero after each sequence's end."""
    batch = len(steps.lengths)
    rows = _padded_rows(steps, time)
    if rows is not None:
        values = values.new_zeros(batch * time, values.shape[1]).index_copy(0, rows, values)
    batch_major = values.reshape(batch, time, values.shape[1])
    return batch_major if batch_first else batch_major.transpose(0, 1).contiguous()


def _padded_rows(steps: Steps, time: int) -> Tensor | None:
    """Row of each step in a flattened (batch, time) grid; None if every sequence fills it."""
    if (steps.lengths == time).all():
        return None
    return torch.from_numpy(steps.sequence * time + steps.time).to(steps.device)


def as_lengths(who: str, lengths: Any, *, batch: int, time: int) -> np.ndarray:
    """Return lengths of any integer type as an int64 array of shape (batch,); None stands for ``time`` each.

    Raises
    ------
    ShapeError
        If there is not one whole number in [0, time] for each sequence.
    """
    if lengths is None:
        return np.full(batch, time, dtype=np.int64)
    array = _numbers(who, "lengths", lengths) if isinstance(lengths, Tensor) else np.asarray(lengths)
    if array.dtype.kind not in "iu" and array.size:
        raise ShapeError(
            f"{who}: lengths must be whole numbers; got dtype {array.dtype}. "
            "Convert them with lengths.astype(int)."
        )
    if array.ndim == 0:
        array = array[None]
    if array.shape != (batch,):
        raise ShapeError(
            f"{who}: lengths must have shape (batch={batch},); got {array.shape}. "
            "Give one length for each sequence."
        )
    wrong = np.flatnonzero((array < 0) | (array > time))
    if wrong.size:
        index = int(wrong[0])
        raise ShapeError(
            f"{who}: lengths must lie between 0 and time={time}; got {array[index]} for sequence {index}. "
            "Count the valid steps of each sequence."
        )
    return array.astype(np.int64)


def _numbers(who: str, name: str, tensor: Tensor) -> np.ndarray:
    """Return what a tensor of whole numbers holds, also inside of a transform of `torch.func`."""
    functorch = torch._C._functorch
    if not tensor.is_meta:
        tensor = tensor.detach().cpu()
    while functorch.is_functorch_wrapped_tensor(tensor) and not functorch.is_batchedtensor(tensor):
        tensor = functorch.get_unwrapped(tensor)  # wrapped as an argument of torch.func.grad
    if (
        functorch.is_batchedtensor(tensor)
        or tensor.is_meta
        or type(tensor) not in (Tensor, torch.nn.Parameter)
    ):
        raise UsageError(
            f"{who}: {name} must be numbers that are known now; got a {type(tensor).__name__} without them (of "
            "torch.func.vmap, of device meta, or a subclass). Give the same lengths to all as a list or array."
        )
    with torch._C._DisableFuncTorch():
        return tensor.numpy()


def autocasts(device_type: str) -> bool:
    """Return whether autocast is on for a type of device; there are some that have none, such as meta."""
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def pad(ragged: Ragged) -> tuple[Tensor, Tensor]:
    """Return a ragged batch as one padded tensor and its lengths, for a network that demands it.

    Parameters
    ----------
    ragged : Ragged
        Torch values of shape (total_steps, channels).

    Returns
    -------
    padded : Tensor of shape (batch, time, channels)
        Zero after each sequence's end; ``time`` is the longest length.
    lengths : LongTensor of shape (batch,)
        Valid steps of each sequence, on the CPU, as ``torch.nn.utils.rnn`` wants them.

    Raises
    ------
    UsageError
        If the ragged batch does not hold a torch tensor.
    ShapeError
        If its values are not two-dimensional.
    """
    values = ragged_values("nn.pad", ragged)
    steps = Steps(ragged.lengths, values.device)
    padded = to_padded(values, steps, time=int(ragged.lengths.max(initial=0)), batch_first=True)
    return padded, torch.from_numpy(ragged.lengths.copy())


def to_ragged(sequences: Sequence[Tensor]) -> Ragged:
    """Join tensors of shape (time, channels), of unequal time, to one ragged batch without padding.

    Raises
    ------
    ShapeError
        If there is none, or one is not two-dimensional or differs in its channels.
    """
    if not sequences:
        raise ShapeError("nn.to_ragged: needs at least one sequence; got an empty list.")
    shapes = [sequence.shape for sequence in sequences]
    channels = shapes[0][-1] if shapes[0] else 0
    if any([len(shape) != 2 or shape[1] != channels for shape in shapes]):
        index = next(k for k, shape in enumerate(shapes) if len(shape) != 2 or shape[1] != channels)
        raise ShapeError(
            f"nn.to_ragged: every sequence must have shape (time, channels={channels}); sequence "
            f"{index} has {tuple(shapes[index])}. Give every sequence the same channels."
        )
    return Ragged(torch.cat(list(sequences)), [shape[0] for shape in shapes])


def ragged_values(who: str, ragged: Ragged) -> Tensor:
    """Return the values of a ragged batch, checked to be a torch tensor of shape (total_steps, channels)."""
    values = ragged.values
    if not isinstance(values, Tensor):
        raise UsageError(
            f"{who}: the Ragged must hold a torch tensor; got {type(values).__name__}. "
            "Convert it with ragged.replace(torch.as_tensor(ragged.values))."
        )
    if values.ndim != 2:
        raise ShapeError(
            f"{who}: values of the Ragged must have shape (total_steps, channels); got {tuple(values.shape)}."
        )
    return values
