"""Turning the recurrent layers of somebody else's model into ours, in place, and back."""

import importlib
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.utils.parametrize import is_parametrized

from recurra.errors import UsageError
from recurra.kernels.dispatch import describe
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.cells.rnn import RNN
from recurra.nn.layers.dispatch import torch_has
from recurra.nn.layers.drop_in import DropIn, exchange_class

OURS: dict[type, type] = {torch.nn.RNN: RNN, torch.nn.LSTM: LSTM, torch.nn.GRU: GRU}
TORCHS: dict[type, type] = {ours: theirs for theirs, ours in OURS.items()}
CELLS = (torch.nn.RNNCell, torch.nn.LSTMCell, torch.nn.GRUCell)


@dataclass(frozen=True)
class AccelerateReport:
    """What `accelerate` or `decelerate` did.

    Attributes
    ----------
    turned : list of str
        Names of the layers that were turned; the module itself has the name "".
    left : dict of str to str
        Name of each recurrent layer that was left as it is, and why.
    kernels : str
        What runs them: the instruction set of the native kernels; "torch" after `decelerate` or where the extension
        is absent, "reference" where it was chosen, each with the reason.
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
    told otherwise (``torch._dynamo.config.allow_rnn``), and sees one operator for each layer. `decelerate` is the way
    back.

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
    _check_module("accelerate", module)
    config: Any = importlib.import_module("torch._dynamo.config")
    config.allow_rnn = True
    runs = describe()
    if runs["runs"] == "native":
        kernels = str(runs["isa"])
    else:
        kernels = f"{'reference' if runs['chosen'] == 'reference' else 'torch'}, {runs['reason']}"
    report = AccelerateReport(kernels=kernels)
    for name, layer in module.named_modules():
        if exchange_class(layer, OURS):
            report.turned.append(name)
        elif _is_ours(layer):
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


def decelerate(module: torch.nn.Module) -> AccelerateReport:
    """Turn every layer of ours inside a module, or the module itself, back into torch's.

    Only the class of a layer changes, as with `accelerate`: the object, its parameters, hooks and state dict stay. For
    tools that know torch's layers by their class, such as ``torch.ao.quantization``.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    AccelerateReport
        What was turned; what was left is a subclass of ours.

    Raises
    ------
    UsageError
        If ``module`` is not a `torch.nn.Module`.
    """
    _check_module("decelerate", module)
    report = AccelerateReport(kernels="torch")
    for name, layer in module.named_modules():
        if isinstance(layer, DropIn) and not torch_has(layer):
            report.left[name] = f"torch has no layer like {layer}"
        elif exchange_class(layer, TORCHS):
            report.turned.append(name)
        elif isinstance(layer, tuple(TORCHS)):
            report.left[name] = (
                f"{type(layer).__name__} is a subclass of recurra's {type(layer).__mro__[1].__name__}, perhaps with "
                "code of its own"
            )
    return report


def _check_module(who: str, module: object) -> None:
    if not isinstance(module, torch.nn.Module):
        raise UsageError(
            f"{who}: module must be a torch.nn.Module; got {type(module).__name__}. Pass the model itself."
        )


def _is_ours(layer: torch.nn.Module) -> bool:
    """Return whether a layer has a class of ours, or the one that a parametrization made of it."""
    return type(layer) in TORCHS or (is_parametrized(layer) and type(layer).__mro__[1] in TORCHS)
