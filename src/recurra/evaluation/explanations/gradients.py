"""Explanations by gradients of a torch network.

Every function here runs the network in evaluation mode and leaves it as it was: mode of every submodule,
gradients of the weights, the generators of random numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from recurra.checks import check_number
from recurra.errors import ShapeError
from recurra.evaluation.explanations.explanation import Explanation
from recurra.plain_arrays import as_sequence
from recurra.ragged import Ragged

Network = Callable[[Ragged], torch.Tensor]


def gradient_times_input(
    network: torch.nn.Module,
    sequence: Any,
    *,
    target: int = 0,
    step: int | None = None,
    label: Any = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    name: str = "",
) -> Explanation:
    r"""Multiply each input value by the slope of the output along it.

    .. math:: a_{tc} = x_{tc} \frac{\partial f(x)}{\partial x_{tc}}

    Parameters
    ----------
    network : Module
        Takes a `Ragged` of torch values of shape (total_steps, channels) and returns outputs of shape (1,
        outputs), or (time, outputs) with one output per step.
    sequence : ndarray of shape (time, channels)
        What the network receives: after scaling and other features.
    target : int, default=0
        Which output to explain: the class, or the number of the target.
    step : int, optional
        With one output per step: the step whose output is explained; the sum over all steps if omitted.
    label : Any, optional
        What to call the target; its number if omitted.

    Returns
    -------
    Explanation
        ``error`` is the sum of the values minus f(x) - f(0): zero for a linear network, otherwise a measure
        of how far the slope at x is from the way between nothing and x.

    Raises
    ------
    ShapeError
        If the network has no such output, or is not a function of its input.

    References
    ----------
    .. [1] A. Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating
       Activation Differences", 2016, arXiv:1605.01713.
    .. [2] M. Ancona et al., "Towards better understanding of gradient-based attribution methods for deep
       neural networks", ICLR 2018, arXiv:1711.06104.
    """
    who = "gradient_times_input"
    check_number(who, "target", target, integer=True, low=0)
    given = as_sequence(sequence, index=0, who="gradient_times_input")
    values = torch.as_tensor(np.array(given)).to(**kind_of_weights(network))
    with evaluation_mode(network), torch.enable_grad():
        values.requires_grad_(True)
        output = outputs_at(who, network, values[None], target=target, step=step)[0]
        if not output.requires_grad:
            raise ShapeError(
                "gradient_times_input: the network's output does not depend on its input, so it has no slope."
            )
        (slope,) = torch.autograd.grad(output, values)
    with evaluation_mode(network), torch.no_grad():
        nothing = outputs_at(who, network, torch.zeros_like(values)[None], target=target, step=step)[0]
    parts = (values.detach() * slope).double().cpu().numpy()
    change = float(output.detach()) - float(nothing)
    return Explanation(
        values=parts,
        input=given,
        method="gradient_times_input",
        target=target if label is None else label,
        output=float(output.detach()),
        error=float(parts.sum()) - change,
        channel_names=channel_names,
        sample_rate_hz=sample_rate_hz,
        name=name,
        details={} if step is None else {"step": step},
    )


@contextmanager
def evaluation_mode(network: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off inside, and give every submodule its own mode back afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def kind_of_weights(network: torch.nn.Module) -> dict[str, Any]:
    """Device and floating type of the weights."""
    for parameter in network.parameters():
        if parameter.is_floating_point():
            return {"device": parameter.device, "dtype": parameter.dtype}
    return {"dtype": torch.float32}


def outputs_at(
    who: str, network: torch.nn.Module, values: torch.Tensor, *, target: int, step: int | None
) -> torch.Tensor:
    """Return the output that is explained for each of several sequences of one length, shape (batch,).

    Parameters
    ----------
    who : str
        Whose message it is if the network has no such output.
    values : Tensor of shape (batch, time, channels)
        The sequences.
    target, step : int, int or None
        As in `gradient_times_input`.

    Raises
    ------
    ShapeError
        If the network has no such output.
    """
    batch, steps = values.shape[:2]
    outputs = network(Ragged(values.reshape(batch * steps, -1), [steps] * batch))
    outputs = outputs.values if isinstance(outputs, Ragged) else outputs
    per_step = outputs.ndim == 2 and len(outputs) == batch * steps and (steps > 1 or step is not None)
    rows = steps if per_step else 1
    if (
        outputs.ndim != 2
        or len(outputs) not in (batch, batch * steps)
        or target >= outputs.shape[1]
        or (step is not None and not -rows <= step < rows)
    ):
        raise ShapeError(
            f"{who}: the network must give outputs of shape (1 or time, more than target={target}), and step must be "
            f"one of them; got {tuple(outputs.shape)} and step={step}."
        )
    column = outputs[:, target].reshape(batch, rows)
    return column.sum(dim=1) if step is None else column[:, step]
