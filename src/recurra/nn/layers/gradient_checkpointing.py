"""Training long sequences in little memory: only the states between segments are kept, the rest is computed again.

With segments of about 4 sqrt(T) steps, memory for T steps falls from T to about 4 sqrt(T) steps, for one more forward
pass [1]_; shorter ones would save little more and cost a call of the kernels each. Each direction counts its segments in
its own order of computation.

References
----------
.. [1] Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.kernels.dispatch import native_module

# What a layer may keep for its gradients.
MEMORIES = ("full", "sqrt", "auto")
# Up to this much "auto" keeps every step. It asks the batch and not the machine: the two sum the gradients of the weights
# in another order, and the same data must train to the same bits everywhere.
FULL_BYTES = 1 << 30


def in_segments(memory: str, numbers: int, itemsize: int) -> bool:
    """Return whether only states between segments are kept of a layer whose gates and states are so many numbers."""
    return memory == "sqrt" or (memory == "auto" and numbers * itemsize > FULL_BYTES)


@dataclass(frozen=True)
class Rows:
    """Where the rows of a tensor lie: address of the first number, first row of each sequence, stride of a step."""

    address: int | None
    start: np.ndarray
    step: int

    def at(self, steps: np.ndarray) -> tuple[int | None, np.ndarray, int]:
        """Return the arguments of the extension, each sequence begun ``steps`` later."""
        return self.address, self.start + steps * self.step, self.step


@dataclass(frozen=True)
class SegmentMasks:
    """Masks of a variant for one direction: address of one row a sequence, and where those of the steps lie."""

    drop: int | None
    zone: Rows


@dataclass(frozen=True)
class Segment:
    """Steps of each sequence computed together: how many, and the first of them in time."""

    lengths: np.ndarray
    first: np.ndarray


def segments(lengths: np.ndarray, *, reverse: bool) -> Iterator[Segment]:
    """Yield segments of about 4 sqrt(longest) steps in the order of computation."""
    longest = int(lengths.max(initial=0))
    size = max(1, 4 * math.isqrt(longest))
    for begin in range(0, longest, size):
        taken = np.clip(lengths - begin, 0, size)
        first = np.maximum(lengths - begin - taken, 0) if reverse else np.full_like(lengths, begin)
        yield Segment(taken, first)


@dataclass
class Direction:
    """One direction of a layer: its rows, packed weights, and states between segments.

    ``states`` holds (h, c) before each segment and after the last; c is None but for the LSTM.
    """

    packed: Any
    lengths: np.ndarray
    reverse: bool
    x: Rows
    output: Rows
    states: list[tuple[Tensor, Tensor | None]]
    threads: int
    masks: SegmentMasks | None = None

    def _masks(self, segment: Segment) -> Any:
        return None if self.masks is None else (self.masks.drop, *self.masks.zone.at(segment.first))

    def _forward(self, segment: Segment, before: Any, after: Any, memory: Any) -> None:
        native_module().forward(
            [self.packed],
            len(self.lengths),
            segment.lengths,
            *self.x.at(segment.first),
            *self.output.at(segment.first),
            *(None if s is None else s.data_ptr() for s in before),
            self.reverse,
            *(None if s is None else s.data_ptr() for s in after),
            memory,
            self.threads,
            0,
            self._masks(segment),
        )

    def forward(self) -> None:
        """Run every segment, keeping the states between them."""
        for segment in segments(self.lengths, reverse=self.reverse):
            before = self.states[-1]
            after = (torch.empty_like(before[0]), None if before[1] is None else torch.empty_like(before[1]))
            self._forward(segment, before, after, None)
            self.states.append(after)

    def backward(
        self,
        grad_output: int | None,
        grads: tuple[Tensor, Tensor | None],
        x: int | None,
        weights: Sequence[Tensor | None],
    ) -> tuple[Tensor, Tensor | None]:
        """Go back segment by segment; add to ``weights``, write at address ``x``; return the states' gradients."""
        parts = [None if w is None else torch.empty_like(w) for w in weights]
        addresses = [None if p is None else p.data_ptr() for p in parts]
        all_segments = list(segments(self.lengths, reverse=self.reverse))
        for segment, before in zip(reversed(all_segments), self.states[-2::-1], strict=True):
            memory = native_module().Saved(self.packed, int(segment.lengths.sum()), 1)
            scrap = (torch.empty_like(before[0]), None if before[1] is None else torch.empty_like(before[1]))
            self._forward(segment, before, scrap, memory)
            earlier = (torch.empty_like(grads[0]), None if grads[1] is None else torch.empty_like(grads[1]))
            # gradients of rows lie as the rows do: the extension takes one place for both
            native_module().backward(
                [self.packed],
                len(self.lengths),
                segment.lengths,
                *self.x.at(segment.first),
                *self.output.at(segment.first),
                *(None if s is None else s.data_ptr() for s in before),
                self.reverse,
                memory,
                [grad_output, *(None if g is None else g.data_ptr() for g in grads)],
                [
                    x,
                    *(None if g is None else g.data_ptr() for g in earlier),
                    *addresses[:5],
                    None,  # the derivative by every state
                    *addresses[5:],
                ],
                self.threads,
                0,
                self._masks(segment),
            )
            for total, part in zip(weights, parts, strict=True):
                if total is not None and part is not None:
                    total += part
            grads = earlier
        return grads
