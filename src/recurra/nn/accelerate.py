"""Turning the recurrent layers of somebody else's model into ours, in place."""

import importlib
from dataclasses import dataclass, field
from typing import Any

import torch

from recurra.errors import UsageError
from recurra.kernels.dispatch import describe
from recurra.nn.gru import GRU
from recurra.nn.lstm import LSTM
from recurra.nn.rnn import RNN

OURS: dict[type, type] = {torch.nn.RNN: RNN, torch.nn.LSTM: LSTM, torch.nn.GRU: GRU}
CELLS = (torch.nn.RNNCell, torch.nn.LSTMCell, torch.nn.GRUCell)


@dataclass(frozen=True)
class AccelerateReport:
    """What `accelerate` did.

    Attributes
    ----------
    turned : list of str
        Names of the layers that are ours now; the module itself has the name "".
    left : dict of str to str
        Name of each recurrent layer that was left as it is, and why.
    kernels : str
        What runs them: the instruction set of the native kernels, or "reference" and why.
    """

    turned: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    kernels: str = ""

    def __str__(self) -> str:
        lines = [f"turned: {', '.join(repr(n) for n in self.turned) or 'nothing'} (kernels: {self.kernels})"]
        return "\n".join([*lines, *(f"left {name!r}: {why}" for name, why in self.left.items())])


def accelerate(module: torch.nn.Module) -> AccelerateReport:
    """Turn every `torch.nn.RNN`, `LSTM` and `GRU` inside a module, or the module itself, into ours.

    Only the class of a layer changes: the object, its parameters, hooks and state dict stay, and so does
    ``isinstance(layer, torch.nn.LSTM)``. `torch.compile` refuses recurrent layers unless told otherwise; it is
    told otherwise (``torch._dynamo.config.allow_rnn``), and sees one operator for each layer.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    AccelerateReport
        What was turned, and what was not and why.

    Raises
    ------
    UsageError
        If ``module`` is not a `torch.nn.Module`.
    """
    if not isinstance(module, torch.nn.Module):
        raise UsageError(
            f"accelerate: module must be a torch.nn.Module; got {type(module).__name__}. Pass the model itself."
        )
    config: Any = importlib.import_module("torch._dynamo.config")
    config.allow_rnn = True
    runs = describe()
    report = AccelerateReport(
        kernels=str(runs["isa"]) if runs["runs"] == "native" else f"reference, {runs['reason']}"
    )
    for name, layer in module.named_modules():
        ours = OURS.get(type(layer))
        if ours is not None:
            layer.__class__ = ours
            report.turned.append(name)
        elif type(layer) in OURS.values():
            report.left[name] = "it is one of ours already"
        elif isinstance(layer, tuple(OURS)):
            report.left[name] = (
                f"{type(layer).__name__} is a subclass of {type(layer).__mro__[1].__name__}, perhaps with code of its own"
            )
        elif isinstance(layer, CELLS):
            report.left[name] = (
                f"a {type(layer).__name__} computes single steps; use {type(layer).__name__[:-4]}"
            )
        elif isinstance(layer, torch.jit.ScriptModule) and "RNN" in str(getattr(layer, "original_name", "")):
            report.left[name] = "it is compiled by torch.jit"
    return report
