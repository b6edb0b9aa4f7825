"""Batch normalization and scaling, which multiply each channel and add to it, folded into the layer behind them."""

from collections.abc import Sequence

import torch
from torch import nn

from recurra.checks import counted
from recurra.errors import DataError
from recurra.nn.imported.stages import OverSteps, OverTime, Recurrence, Stage

Stages = Sequence[tuple[str, nn.Module]]


def folded(stages: Stages) -> list[tuple[str, nn.Module]]:
    """Return stages with every linear layer that only scales its channels folded into the recurrence or linear layer behind.

    Where a mean over time stands between, it is folded over it; the mean of scaled rows is the scaled mean. Rows before and
    after stay what they were, so that the answers are the same but for rounding.

    Raises
    ------
    DataError
        If a layer reads another number of channels than the one before gives.
    """
    _check_sizes(stages)
    left = list(stages)
    for at in reversed(range(len(left))):
        stage = left[at][1]
        if not isinstance(stage, nn.Linear) or not _is_diagonal(stage):
            continue
        behind = at + 1
        while (
            behind < len(left) and isinstance(left[behind][1], OverTime) and left[behind][1].which == "mean"
        ):
            behind += 1
        if behind == len(left):
            continue
        target = left[behind][1]
        if isinstance(target, Recurrence):
            for end in ("", "_reverse")[: 2 if target.layer.bidirectional else 1]:
                _fold(
                    stage,
                    getattr(target.layer, f"weight_ih_l0{end}"),
                    getattr(target.layer, f"bias_ih_l0{end}"),
                )
        elif isinstance(target, nn.Linear):
            _fold(stage, target.weight, target.bias)
        else:
            continue
        del left[at]
    return left


def _is_diagonal(layer: nn.Linear) -> bool:
    weight = layer.weight
    return weight.shape[0] == weight.shape[1] and torch.equal(weight, torch.diag(weight.diagonal()))


def _fold(scaling: nn.Linear, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Let W (d x + s) + b become (W d) x + (W s + b), summed in float64."""
    with torch.no_grad():
        wide = weight.double()
        bias.copy_(bias.double() + wide @ scaling.bias.double())
        weight.copy_(wide * scaling.weight.diagonal().double())


def _check_sizes(stages: Stages) -> None:
    """Raise DataError unless each layer reads what the one before gives."""
    size, ended = None, False
    for name, stage in stages:
        if ended and isinstance(stage, Stage):
            raise DataError(f"layer {name!r} reads steps, and the one before gives one row a sequence.")
        ended = (
            ended or isinstance(stage, OverTime) or (isinstance(stage, Recurrence) and not stage.sequences)
        )
        reads, gives = _sizes(stage)
        if size is not None and reads is not None and reads != size:
            raise DataError(
                f"layer {name!r} reads {counted(reads, 'channel')}, and the one before gives {size}."
            )
        size = gives if gives is not None else size


def _sizes(stage: nn.Module) -> tuple[int | None, int | None]:
    if isinstance(stage, nn.Linear):
        return stage.in_features, stage.out_features
    if isinstance(stage, Recurrence):
        double = stage.layer.bidirectional and stage.merge == "concat"
        return stage.layer.input_size, stage.layer.hidden_size * (2 if double else 1)
    if isinstance(stage, OverSteps):
        return stage.convolution.in_channels, stage.convolution.out_channels
    if isinstance(stage, nn.LayerNorm):
        return stage.normalized_shape[0], None
    if isinstance(getattr(stage, "embedding", None), nn.Embedding):
        return None, stage.embedding.embedding_dim  # type: ignore[union-attr, return-value]
    return None, None
