"""What `LSTM` and `GRU` take beside torch's arguments: checked, and the weights that come with it."""

import math
from typing import Any

import torch

from recurra.checks import check_choice, check_number
from recurra.errors import UsageError
from recurra.kernels.cell import SLOPES, Variant


def become_variant(layer: Any, variant: Variant, recurrent_dropout: float) -> None:
    """Give a new layer of ours the options of a variant and its weights; nothing where all options are the usual ones.

    Raises
    ------
    UsageError
        If an option has a wrong value, or two do not go together.
    """
    if variant == Variant(variant.base) and recurrent_dropout == 0:
        return
    who = type(layer).__name__
    check_choice(who, "reset", variant.reset, ("after", "before"))
    check_choice(who, "recurrent_activation", variant.recurrent_activation, tuple(SLOPES))
    check_choice(who, "peepholes", variant.peepholes, (False, True))
    check_choice(who, "layer_norm", variant.layer_norm, (False, True))
    check_number(who, "recurrent_dropout", recurrent_dropout, low=0, high=1, high_open=True)
    if variant.layer_norm and variant.reset == "before":
        raise UsageError(
            f"{who}: layer_norm=True is defined with reset='after' only; got reset='before'. Leave one of them out."
        )
    if any(variant.zoneout) and getattr(layer, "proj_size", 0) > 0:
        raise UsageError(
            f"{who}: zoneout and proj_size do not go together; got zoneout={variant.zoneout} and "
            f"proj_size={layer.proj_size}. Leave one of them out."
        )
    layer.variant, layer.recurrent_dropout = variant, float(recurrent_dropout)
    like = layer.weight_ih_l0
    for number in range(layer.num_layers):
        for end in ("", "_reverse") if layer.bidirectional else ("",):
            for name, size in variant.extras(layer.hidden_size).items():
                weight = torch.nn.Parameter(torch.empty(size, device=like.device, dtype=like.dtype))
                layer.register_parameter(f"{name}_l{number}{end}", weight)
    begin_variant(layer)


def zoneout_rates(who: str, zoneout: Any, words: tuple[str, ...]) -> tuple[float, float]:
    """Return the probabilities of the hidden and of the cell state from one number or, for the LSTM, a pair."""
    pair = tuple(zoneout) if isinstance(zoneout, tuple | list) else (zoneout,) * len(words)
    if len(pair) != len(words):
        raise UsageError(
            f"{who}: zoneout must be a number or {len(words)} of them, {' and '.join(words)}; got {zoneout!r}."
        )
    for value in (rate for rate in pair if rate != 0):
        check_number(who, "zoneout", value, low=0, high=1)
    hidden, cell = (*map(float, pair), 0.0)[:2]
    return hidden, cell


@torch.no_grad()
def begin_variant(layer: Any) -> None:
    """Set gains to 1, the cell state's bias to 0, and draw peepholes as torch draws its weights."""
    bound = 1 / math.sqrt(layer.hidden_size)
    for name, weight in layer.named_parameters(recurse=False):
        if name.startswith("gain_"):
            weight.fill_(1.0)
        elif name.startswith("bias_c_"):
            weight.zero_()
        elif name.startswith("peephole_"):
            torch.nn.init.uniform_(weight, -bound, bound)


def shown(layer: Any) -> str:
    """Return the options of a variant as ``repr`` shows them."""
    variant: Variant | None = layer.variant
    if variant is None:
        return ""
    given = variant.options()
    if layer.recurrent_dropout:
        given["recurrent_dropout"] = layer.recurrent_dropout
    return "".join(f", {name}={value!r}" for name, value in given.items())
