"""The reference: each cell as a loop over time in torch's operations.

It works on every device, in every floating dtype, and can be differentiated any number of times and by `torch.func`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.nn.layers.layouts import Steps, from_padded, to_padded

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


def rnn_direction(
    x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool, nonlinearity: str
) -> tuple[Tensor, States]:
    """Run one layer in one direction; arguments and results as `Direction` says.

    ``nonlinearity`` is "tanh" or "relu".
    """
    bias = None if weights.bias_ih is None or weights.bias_hh is None else weights.bias_ih + weights.bias_hh
    projected = F.linear(steps.pack(x), weights.weight_ih, bias)
    weight_hh = weights.weight_hh.t()
    activation = torch.tanh if nonlinearity == "tanh" else torch.relu

    def step(rows: Tensor, states: States) -> States:
        return (activation(torch.addmm(rows, states[0], weight_hh)),)

    output, finals = scan(step, projected, steps=steps, states=steps.sort(states), reverse=reverse)
    return steps.unpack(output), steps.unsort(finals)


def lstm_direction(
    x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool
) -> tuple[Tensor, States]:
    """Run one layer in one direction; arguments and results as `Direction` says."""
    bias = None if weights.bias_ih is None or weights.bias_hh is None else weights.bias_ih + weights.bias_hh
    projected = F.linear(steps.pack(x), weights.weight_ih, bias)
    weight_hh = weights.weight_hh.t()
    weight_hr = None if weights.weight_hr is None else weights.weight_hr.t()

    def step(rows: Tensor, states: States) -> States:
        h, c = states
        i, f, g, o = torch.addmm(rows, h, weight_hh).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h if weight_hr is None else h @ weight_hr), c

    output, finals = scan(step, projected, steps=steps, states=steps.sort(states), reverse=reverse)
    return steps.unpack(output), steps.unsort(finals)


def gru_direction(
    x: Tensor, *, steps: Steps, weights: Weights, states: States, reverse: bool
) -> tuple[Tensor, States]:
    """Run one layer in one direction; arguments and results as `Direction` says."""
    projected = F.linear(steps.pack(x), weights.weight_ih, weights.bias_ih)
    hidden_size = weights.weight_hh.shape[1]

    def step(rows: Tensor, states: States) -> States:
        (h,) = states
        recurrent = F.linear(h, weights.weight_hh, weights.bias_hh)
        from_input, n_input = rows.split([2 * hidden_size, hidden_size], dim=1)
        from_state, n_state = recurrent.split([2 * hidden_size, hidden_size], dim=1)
        r, z = (from_input + from_state).sigmoid().chunk(2, dim=1)
        n = (n_input + r * n_state).tanh()
        return (n + z * (h - n),)  # (1 - z) n + z h with one product less

    output, finals = scan(step, projected, steps=steps, states=steps.sort(states), reverse=reverse)
    return steps.unpack(output), steps.unsort(finals)


# By the names the kernels have for them.
DIRECTIONS: dict[str, Direction] = {
    "rnn": partial(rnn_direction, nonlinearity="tanh"),
    "rnn_relu": partial(rnn_direction, nonlinearity="relu"),
    "lstm": lstm_direction,
    "gru": gru_direction,
}


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


def layer_reference(
    cell: str,
    steps: Steps,
    batch_first: bool | None,
    x: Tensor,
    states: States,
    given: Sequence[Any],
    *,
    direction: Callable[..., Any] | None = None,
) -> tuple[Tensor, States]:
    """Compute a layer in all its directions in torch operations.

    Parameters
    ----------
    x : Tensor
        Rows, or a padded tensor, see `recurra.nn.layers.autograd_bridge.Call`.
    states : tuple of Tensor of shape (directions, batch, size)
    given : sequence
        Weights of each direction.
    direction : callable, optional
        Takes the place of the cell's own in `DIRECTIONS`, and weights as they are given.

    Returns
    -------
    output, final states
        Of the same forms.
    """
    rows = x if batch_first is None else from_padded(x, steps, batch_first=batch_first)
    outputs, ends = [], []
    if not steps.total:
        # Nothing is computed, but still joined to everything, so that a loss of it has gradients: zeros.
        rows = rows + sum(w[:0].sum() for one in given for w in one if w is not None)
    for d, one in enumerate(given):
        run, weights = (DIRECTIONS[cell], Weights(*one)) if direction is None else (direction, one)
        initial = tuple(s[d] for s in states)
        output, end = run(rows, steps=steps, weights=weights, states=initial, reverse=d == 1)
        outputs.append(output)
        ends.append(end)
    joined = torch.cat(outputs, dim=1)
    if batch_first is not None:
        time = x.shape[1 if batch_first else 0]
        joined = to_padded(joined, steps, time=time, batch_first=batch_first)
    return joined, tuple(torch.stack(e) for e in zip(*ends, strict=True))


def stack_reference(
    cell: str, steps: Steps, batch_first: bool | None, between: Callable[[Tensor], Tensor] | None
) -> Callable[..., tuple[Tensor, States]]:
    """Return the function that computes a stack of layers in torch operations.

    As `layer_reference`, but it takes states of shape (num_layers * num_directions, batch, size) and, for every
    layer, the weights of each direction. ``between`` is done to the values between two layers: dropout, while training.
    """
    layer = partial(layer_reference, cell, steps, batch_first)
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
