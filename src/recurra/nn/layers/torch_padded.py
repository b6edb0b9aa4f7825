"""Unequal lengths by torch's operator over padded sequences, which on a CPU is several times as fast as over packed ones.

A layer at a time, a direction at a time, each sequence from its first step:

- the reverse direction reads every sequence turned round within its own length;
- the last hidden state is picked from the output;
- the cell state of an LSTM is held past the end: one more input channel is 1 there, and its weights close the input gate
  and open the forget gate altogether, so that neither the state nor a gradient by it changes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

States = tuple[Tensor, ...]
SATURATED = 1e4  # a gate's pre-activation that gives 0 or 1 in every dtype, and is finite in half
# (input, states, flat weights of one direction) -> (output, states), batch first
Operator = Callable[[Tensor, Sequence[Tensor], list[Tensor]], tuple[Tensor, States]]


class Ends:
    """Where the sequences of a padded batch end.

    Parameters
    ----------
    lengths : Tensor of int64, shape (batch,)
    time : int
        Steps of the padded tensor.
    """

    def __init__(self, lengths: Tensor, time: int) -> None:
        steps = torch.arange(time, device=lengths.device)
        self.lengths = lengths
        self.running = (steps < lengths[:, None]).unsqueeze(-1)  # (batch, time, 1)
        # the step of each sequence to which a step goes when it is turned round; padding stays where it is
        self.turned = torch.where(self.running[..., 0], lengths[:, None] - 1 - steps, steps).unsqueeze(-1)
        self.empty = (lengths == 0)[None, :, None]
        self.last = (lengths - 1).clamp(min=0)[:, None, None]

    def masked(self, values: Tensor) -> Tensor:
        """Return (batch, time, channels) with zeros past every end, whatever stood there."""
        return torch.where(self.running, values, torch.zeros((), dtype=values.dtype, device=values.device))

    def turn(self, values: Tensor) -> Tensor:
        """Return every sequence from its last step to its first."""
        return values.gather(1, self.turned.expand(-1, -1, values.shape[2]))

    def pick_last(self, output: Tensor, initial: Tensor) -> Tensor:
        """Return the output of the last steps, (1, batch, channels); ``initial`` where a sequence has none."""
        last = output.gather(1, self.last.expand(-1, -1, output.shape[2])).transpose(0, 1)
        return torch.where(self.empty, initial.to(last.dtype), last)


def run(
    operator: Operator,
    ends: Ends,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Sequence[Any]],
    dropout: float,
) -> tuple[Tensor, States]:
    """Run a stack of layers.

    Parameters
    ----------
    operator : callable
        torch's, for one layer in one direction.
    ends : Ends
    x : Tensor of shape (batch, time, input_size)
    states : Tensors of shape (num_layers * num_directions, batch, size)
        Two of an LSTM.
    weights : sequence of sequences of `recurra.nn.layers.autograd_bridge.DirectionWeights`
        For every layer, in each of its directions.
    dropout : float
        Between layers; drawn from torch's global generator.

    Returns
    -------
    output : Tensor of shape (batch, time, num_directions * output_size)
        Zero past every end.
    states : tuple of Tensor of the shapes of ``states``
    """
    values, finals = ends.masked(x), []
    for layer, pair in enumerate(weights):
        if layer and dropout:
            values = torch.nn.functional.dropout(values, dropout)
        outputs = []
        for direction, own in enumerate(pair):
            place = layer * len(pair) + direction
            initial = [state[place : place + 1] for state in states]
            output, final = _direction(
                operator, ends, ends.turn(values) if direction else values, initial, own
            )
            outputs.append(ends.turn(output) if direction else output)
            finals.append(final)
        values = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
    return values, tuple(torch.cat(final) for final in zip(*finals, strict=True))


def _direction(
    operator: Operator, ends: Ends, x: Tensor, initial: Sequence[Tensor], weights: Sequence[Tensor | None]
) -> tuple[Tensor, States]:
    flat = [w for w in weights if w is not None]
    if len(initial) == 2:
        x = torch.cat([x, (~ends.running).to(x.dtype)], dim=-1)
        gates = flat[0].new_zeros((len(flat[0]), 1))
        quarter = len(gates) // 4
        gates[:quarter, 0], gates[quarter : 2 * quarter, 0] = -SATURATED, SATURATED
        flat[0] = torch.cat([flat[0], gates], dim=1)
    output, finals = operator(x, initial, flat)
    output = ends.masked(output)
    cells = [
        torch.where(ends.empty, c_0.to(c.dtype), c) for c_0, c in zip(initial[1:], finals[1:], strict=True)
    ]
    return output, (ends.pick_last(output, initial[0]), *cells)
