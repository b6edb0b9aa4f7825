"""How far the gradient of a loss reaches back through the states of a `SequenceNetwork`.

Recurrent layers run through the kernels, which hand out the derivative by every state; only pooling and head are
differentiated by torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recurra.kernels.cell import CELLS
from recurra.kernels.networks.activations import DirectionInside, stack_hidden_gradients, stack_inside
from recurra.kernels.step_order import Steps
from recurra.nn.networks.sequence_network import SequenceNetwork, to_arrays
from recurra.ragged import Ragged

# The gradient counts as gone when this share of it is left, as exploded when it has grown by the inverse of
# EXPLODED.
GONE = 0.01
EXPLODED = 0.001
# Stands for a norm beyond the range of numbers, so that a history stays plain JSON.
LARGEST = 1e300

POOLED_EVERYWHERE = ("mean", "max", "attention")

# From outputs of shape (rows, output_size) to a scalar.
LossOfOutputs = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Insides:
    """A network run over a ragged batch, and what its loss says to the last recurrent layer.

    Parameters
    ----------
    layers : list of list of DirectionInside
        Every layer and direction.
    loss : float
        The loss.
    grad_output : ndarray of shape (total_steps, num_directions * hidden_size) or None
        Derivative of the loss by the last layer's output; None where only final states count.
    grad_h_n : ndarray of shape (num_directions, batch, hidden_size) or None
        Derivative by the last layer's final states.
    """

    layers: list[list[DirectionInside]]
    loss: float
    grad_output: np.ndarray | None
    grad_h_n: np.ndarray | None

    def hidden_gradients(self) -> list[list[np.ndarray]]:
        """Return d loss / d h_t for every layer and direction, each of shape (total_steps, hidden_size)."""
        return stack_hidden_gradients(self.layers, grad_output=self.grad_output, grad_h_n=self.grad_h_n)

    def last_seed(self, place: int = 0) -> np.ndarray:
        """Return the derivative by what direction ``place`` of the last layer gives at its last step.

        Shape (batch, hidden_size); only what the loss says there, not what came back from other steps.
        """
        direction = self.layers[-1][place]
        if self.grad_h_n is not None:
            return self.grad_h_n[place]
        assert self.grad_output is not None
        size = direction.hidden_size
        seed = np.zeros_like(direction.h_n)
        mine = self.grad_output[direction.last_rows(), place * size : (place + 1) * size]
        seed[direction.lengths > 0] = mine
        return seed


def look_inside(network: SequenceNetwork, inputs: Ragged, loss: LossOfOutputs) -> Insides:
    """Run a network over a batch, without dropout, and ask its loss for gradients.

    Parameters
    ----------
    network : SequenceNetwork
        Neither its mode nor its gradients are changed.
    inputs : Ragged
        numpy values of shape (total_steps, input_size).
    loss : function
        Of outputs of shape (batch or total_steps, output_size); returns a scalar tensor.
    """
    config = network.config
    inputs = _read_by_recurrence(network, inputs)
    layers = stack_inside(
        inputs.values.astype(network.head.weight.detach().cpu().numpy().dtype, copy=False),
        lengths=inputs.lengths,
        cell=config.cell,
        weights=to_arrays(network.recurrent),
        num_layers=config.num_layers,
        bidirectional=config.bidirectional,
    )
    like: dict[str, Any] = {"dtype": network.head.weight.dtype, "device": network.head.weight.device}
    output = torch.tensor(np.concatenate([d.output for d in layers[-1]], axis=1), **like).requires_grad_(True)
    h_n = torch.tensor(np.stack([d.h_n for d in layers[-1]]), **like).requires_grad_(True)
    with torch.enable_grad():
        value = loss(network.answer(network.pooled(Ragged(output, inputs.lengths), h_n), inputs.lengths))
        found = torch.autograd.grad(value, [output, h_n], allow_unused=True)
    by_output, by_h_n = (None if g is None else g.cpu().numpy() for g in found)
    return Insides(layers, float(value.detach()), by_output, by_h_n)


def _read_by_recurrence(network: SequenceNetwork, inputs: Ragged) -> Ragged:
    """Return what the recurrent layers read: numpy values, the front applied."""
    if network.front is None:
        return inputs
    weight = network.head.weight
    given = inputs.replace(torch.from_numpy(inputs.values).to(weight.device, weight.dtype))
    with torch.no_grad():
        found = network.read(given)
    return found.replace(found.values.cpu().numpy())


def carried_gradients(direction: DirectionInside, hidden: np.ndarray) -> np.ndarray:
    r"""Return the whole derivative of a loss by the state that carries a cell's memory.

    That is h, but for the LSTM c, which passes by the gates that h must go through:

    .. math:: \frac{dL}{dc_t} = \frac{dL}{dh_t} \odot o_t (1 - \tanh^2 c_t) + f_{t+1} \odot \frac{dL}{dc_{t+1}}

    Parameters
    ----------
    direction : DirectionInside
        A layer that was run.
    hidden : ndarray of shape (total_steps, hidden_size)
        The whole derivative by every h.
    """
    return _carried(direction, hidden, _into_memory(direction))


def _into_memory(direction: DirectionInside) -> tuple[np.ndarray, ...] | None:
    """Return o, 1 - tanh(c)^2 and f of every step, each (total_steps, hidden_size); None where h carries the memory."""
    if direction.cell != "lstm":  # with normalization or peepholes the way from c to h is another
        return None
    gates = direction.gates()
    return gates["o"], 1 - np.tanh(direction.saved.c) ** 2, gates["f"]


def _carried(
    direction: DirectionInside, hidden: np.ndarray, into_memory: tuple[np.ndarray, ...] | None
) -> np.ndarray:
    if into_memory is None:
        return hidden
    output_gate, slope, forget = into_memory
    entering = hidden * output_gate * slope
    carried = np.empty_like(entering)
    later = np.zeros((len(direction.lengths), forget.shape[1]), forget.dtype)
    for rows in reversed(Steps(direction.lengths, reverse=direction.reverse)):
        running = len(rows)
        carried[rows] = later[:running] + entering[rows]
        later[:running] = carried[rows] * forget[rows]
    return carried


def transported(direction: DirectionInside, seed: np.ndarray) -> list[np.ndarray]:
    """Follow a gradient at the last step back to the first, as it passes through the states alone.

    Measured on the state that carries the memory, see `carried_gradients`.

    Parameters
    ----------
    direction : DirectionInside
        A layer that was run.
    seed : ndarray of shape (batch, hidden_size)
        The gradient at the last step each sequence reads.

    Returns
    -------
    list of ndarray of shape (length,)
        For each sequence with steps and a gradient: its norm after 0, 1, 2, ... steps back, over that of the seed.
    """
    into_memory = _into_memory(direction)  # before the backward pass, which writes over the gates
    with np.errstate(over="ignore", invalid="ignore"):  # what explodes may leave the range of numbers
        hidden = direction.backward(None, grad_h_n=np.ascontiguousarray(seed, direction.output.dtype))[
            "hidden"
        ]
        norms = np.linalg.norm(_carried(direction, hidden, into_memory).astype(np.float64), axis=1)
    norms = np.nan_to_num(norms, nan=LARGEST, posinf=LARGEST)
    ends = np.cumsum(direction.lengths)
    out = []
    for first, last in zip(ends - direction.lengths, ends, strict=True):
        mine = norms[first:last] if direction.reverse else norms[first:last][::-1]
        if len(mine) and mine[0] > 0:
            out.append(np.where(mine < LARGEST, mine / mine[0], LARGEST))
    return out


@dataclass(frozen=True)
class Setting:
    """What decides how far gradients reach, as it is in one training; advice names what is not so already.

    Parameters
    ----------
    cell : str
    pooling : str
        "none" with an answer for every step.
    initialization : str, optional
        None where it is not known.
    grad_clip : float, optional
        None where nothing is clipped, or it is not known.
    """

    cell: str
    pooling: str
    initialization: str | None = None
    grad_clip: float | None = None

    @classmethod
    def of(cls, network: SequenceNetwork, *, grad_clip: float | None = None) -> "Setting":
        """Return the setting of a network."""
        config = network.config
        return cls(config.cell, config.pooling, network.initialization, grad_clip)

    def against_vanishing(self) -> str:
        """Return what lets gradients reach further."""
        gated = CELLS[self.cell].keeping_gate is not None
        ways = [] if gated else ["cell='lstm' or 'gru'"]
        if gated and self.initialization != "chrono":
            ways.append("initialization='chrono'")
        elif not gated and self.cell == "rnn" and self.initialization != "identity":
            ways.append("initialization='identity'")
        if self.pooling != "none" and not set(self.pooling.split("+")) & set(POOLED_EVERYWHERE):
            ways.append("a pooling over all steps (pooling='mean' or 'attention')")
        return _in_a_row("Take", [*ways, "lengths that grow (curriculum)", "shorter sequences"])

    def against_explosion(self) -> str:
        """Return what keeps gradients small."""
        verb, clip = (
            ("Set", "grad_clip=1.0")
            if self.grad_clip is None
            else ("Lower", f"grad_clip (now {self.grad_clip:g})")
        )
        ways = [clip, "lower learning_rate"]
        if self.initialization not in (None, "default"):
            ways.append("take initialization='default' (orthogonal)")
        return _in_a_row(verb, [*ways, "cut the sequences into shorter ones"])


def _in_a_row(verb: str, ways: list[str]) -> str:
    return f"{verb} {', '.join(ways[:-1])}, or {ways[-1]}."


def horizon(shares: list[np.ndarray]) -> float:
    """Return the steps until a gradient has fallen to 1 % and stays below, the median over sequences.

    Parameters
    ----------
    shares : list of ndarray of shape (length,)
        From `transported`.

    Returns
    -------
    float
        Infinite if in the median sequence more than 1 % arrives at the first step; NaN without sequences.
    """
    if not shares:
        return float("nan")
    each = []
    for share in shares:
        alive = np.flatnonzero(share > GONE)
        last = int(alive[-1]) if len(alive) else 0
        each.append(float("inf") if last == len(share) - 1 else float(last + 1))
    return float(np.sort(each)[(len(each) - 1) // 2])


def growth(shares: list[np.ndarray]) -> float:
    """Return how many times larger the gradient becomes on its way back, at most, the median over sequences."""
    return float(np.median([share.max() for share in shares])) if shares else float("nan")
