"""Layers of LSTM and GRU with something more: masks drawn while training, the loop over layers, the torch reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.checks import check_choice
from recurra.kernels.cell import EPSILON, SLOPES, Variant
from recurra.nn.layers import autograd_bridge
from recurra.nn.layers.gradient_checkpointing import MEMORIES
from recurra.nn.layers.layer_input import Batch
from recurra.nn.layers.layouts import Steps
from recurra.nn.layers.reference import States, layer_reference, scan
from recurra.nn.random_generators import dropout


class VariantWeights(NamedTuple):
    """`recurra.nn.layers.reference.Weights`, and those of layer normalization and peepholes; all but two may be None."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    weight_hr: Tensor | None
    peephole: Tensor | None  # (3 * hidden_size,): i, f, o
    gain_ih: Tensor | None  # (G * hidden_size,)
    gain_hh: Tensor | None  # (G * hidden_size,)
    gain_c: Tensor | None  # (hidden_size,), LSTM
    bias_c: Tensor | None  # (hidden_size,), LSTM


@dataclass(frozen=True)
class Masks:
    """What was drawn for one layer in all its directions.

    Parameters
    ----------
    drop : Tensor of shape (directions, batch, hidden_size), or None
        What the candidate is multiplied by, the same at every step of a sequence: 0, or 1 / (1 - p).
    zone : Tensor of shape (total_steps, directions * num_states * hidden_size), or None
        1 where a state stays as it was, else 0; of each direction the hidden state's, then the cell state's.
    """

    drop: Tensor | None = None
    zone: Tensor | None = None

    def of(self, direction: int, directions: int) -> "Masks":
        """Return those of one direction."""
        drop = None if self.drop is None else self.drop[direction]
        zone = None if self.zone is None else self.zone.chunk(directions, dim=1)[direction]
        return Masks(drop, zone)


def all_variant_weights(module: torch.nn.RNNBase) -> list[list[VariantWeights]]:
    """Weights of every layer, in each of its directions."""
    ends = ("", "_reverse") if module.bidirectional else ("",)
    return [
        [
            VariantWeights._make(getattr(module, f"{n}_l{layer}{end}", None) for n in VariantWeights._fields)
            for end in ends
        ]
        for layer in range(module.num_layers)
    ]


def draw(module: torch.nn.RNNBase, variant: Variant, like: Tensor, steps: Steps) -> Masks:
    """Draw the masks of one layer from ``module.generator``, or from torch's own; none while not training."""
    if not module.training:
        return Masks()
    generator = getattr(module, "generator", None)
    directions, drop, zone = 2 if module.bidirectional else 1, None, None
    p: Any = module.recurrent_dropout
    if p:
        drop = like.new_empty((directions, len(steps.lengths), module.hidden_size))
        drop = drop.bernoulli_(1 - float(p), generator=generator).div_(1 - float(p))
    if any(variant.zoneout):
        rates = variant.zoneout[: len(variant.cell.states)]
        zone = like.new_empty((steps.total, directions, len(rates), module.hidden_size))
        for place, rate in enumerate(rates):
            zone[:, :, place].bernoulli_(rate, generator=generator)
        zone = zone.flatten(1)
    return Masks(drop, zone)


def run_variant(
    module: torch.nn.RNNBase, variant: Variant, batch: Batch, states: States
) -> tuple[Tensor, States]:
    """Walk over the layers of a module whose ``variant`` is not None."""
    values, finals, everything = batch.values, [], all_variant_weights(module)
    memory = getattr(module, "memory", "full")
    check_choice(type(module).__name__, "memory", memory, MEMORIES)
    native = autograd_bridge.runs_native(
        values, [*states, *(w for pair in everything for one in pair for w in one)]
    )
    for layer, pair in enumerate(everything):
        if layer and module.dropout:
            values = dropout(module, values, module.dropout)
        masks = draw(module, variant, values, batch.steps)
        first, last = layer * len(pair), (layer + 1) * len(pair)
        compute = variant_reference(variant, batch.steps, batch.batch_first, masks)
        initial = tuple(s[first:last] for s in states)
        if native:
            call = autograd_bridge.Call(
                variant.base,
                batch.steps.lengths,
                batch.batch_first,
                compute,
                memory,
                variant,
                masks.drop,
                masks.zone,
            )
            values, final = autograd_bridge.layer(call, values, initial, pair)
        else:
            values, final = compute(values, initial, pair)
        finals.append(final)
    return values, tuple(torch.cat(final) for final in zip(*finals, strict=True))


def variant_reference(variant: Variant, steps: Steps, batch_first: bool | None, masks: Masks) -> Any:
    """Return the function that computes a layer in torch operations, as `recurra.nn.layers.reference.layer_reference`."""
    direction = partial(variant_direction, variant=variant, masks=masks)
    return partial(layer_reference, variant.base, steps, batch_first, direction=direction)


def variant_direction(
    x: Tensor,
    *,
    steps: Steps,
    weights: Sequence[Tensor | None],
    states: States,
    reverse: bool,
    variant: Variant,
    masks: Masks,
) -> tuple[Tensor, States]:
    """Run one layer in one direction; arguments and results as `recurra.nn.layers.reference.Direction` says."""
    own = VariantWeights._make(weights)
    columns = len(states) * own.weight_ih.shape[0] // variant.cell.blocks
    directions = 1 if masks.zone is None else masks.zone.shape[1] // columns
    found = masks.of(int(reverse), directions)
    drop = None if found.drop is None else steps.sort((found.drop,))[0]
    inputs = F.linear(steps.pack(x), own.weight_ih)
    gates = inputs.shape[1]
    if found.zone is not None:
        inputs = torch.cat([inputs, steps.pack(found.zone)], dim=1)
    cell = _lstm if variant.base == "lstm" else _gru

    def step(rows: Tensor, before: States) -> States:
        kept = None if drop is None else drop[: len(rows)]
        after = cell(variant, rows[:, :gates], before, own, kept)
        if found.zone is not None:
            zones: Any = rows[:, gates:].chunk(len(before), dim=1)
        else:
            zones = variant.zoneout
        return tuple(
            new if isinstance(zone, float) and not zone else new + zone * (old - new)
            for new, old, zone in zip(after, before, zones, strict=False)
        )

    output, finals = scan(step, inputs, steps=steps, states=steps.sort(states), reverse=reverse)
    return steps.unpack(output), steps.unsort(finals)


def _activation(variant: Variant, x: Tensor) -> Tensor:
    slope = SLOPES[variant.recurrent_activation]
    return (slope * x + 0.5).clamp(0, 1) if slope else x.sigmoid()


def _normalized(a: Tensor, gain: Tensor | None) -> Tensor:
    return F.layer_norm(a, a.shape[1:], gain, eps=EPSILON)


def _lstm(variant: Variant, a: Tensor, states: States, w: VariantWeights, drop: Tensor | None) -> States:
    """Return the new states from the product of the input with its weights."""
    h, c = states
    u = F.linear(h, w.weight_hh)
    if variant.layer_norm:
        a, u = _normalized(a, w.gain_ih), _normalized(u, w.gain_hh)
    a = a + u
    if w.bias_ih is not None and w.bias_hh is not None:
        a = a + w.bias_ih + w.bias_hh
    i, f, g, o = a.chunk(4, dim=1)
    if w.peephole is not None:
        p_i, p_f, p_o = w.peephole.chunk(3)
        i, f = i + p_i * c, f + p_f * c
    g = g.tanh() if drop is None else g.tanh() * drop
    c = _activation(variant, f) * c + _activation(variant, i) * g
    o = _activation(variant, o if w.peephole is None else o + p_o * c)
    inside = c
    if variant.layer_norm:
        inside = _normalized(c, w.gain_c) + w.bias_c  # type: ignore[operator]
    h = o * inside.tanh()
    return (h if w.weight_hr is None else F.linear(h, w.weight_hr)), c


def _gru(variant: Variant, a: Tensor, states: States, w: VariantWeights, drop: Tensor | None) -> States:
    """Return the new state from the product of the input with its weights."""
    (h,) = states
    two = 2 * h.shape[1]
    gates, n = a[:, :two], a[:, two:]
    u = F.linear(h, w.weight_hh[:two])
    q = F.linear(h, w.weight_hh[two:]) if variant.reset == "after" else None
    if w.gain_ih is not None and w.gain_hh is not None and q is not None:
        gates, n = _normalized(gates, w.gain_ih[:two]), _normalized(n, w.gain_ih[two:])
        u, q = _normalized(u, w.gain_hh[:two]), _normalized(q, w.gain_hh[two:])
    gates = gates + u
    if w.bias_ih is not None and w.bias_hh is not None:
        gates, n = gates + w.bias_ih[:two] + w.bias_hh[:two], n + w.bias_ih[two:]
    r, z = _activation(variant, gates).chunk(2, dim=1)
    if q is None:
        q, r = F.linear(r * h, w.weight_hh[two:]), torch.ones_like(r)
    if w.bias_hh is not None:
        q = q + w.bias_hh[two:]
    n = (n + r * q).tanh()
    if drop is not None:
        n = n * drop
    return (n + z * (h - n),)
