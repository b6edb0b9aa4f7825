"""Explanations by gradients along the way from nothing to the input, with what they miss stated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.checks import as_sequence, check_number
from recurra.errors import ShapeError
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.gradients import evaluation_mode, kind_of_weights, outputs_at

# Where no number is given: from so many on, twice as many until the error is this share of the output's change at most.
POINTS, MOST_POINTS, SMALL = 32, 512, 0.05
# Steps in one batch of points: bounds the memory, far above what fills the machine.
STEPS_AT_ONCE = 20_000


def integrated_gradients(
    network: torch.nn.Module,
    sequence: Any,
    *,
    target: int = 0,
    step: int | None = None,
    points: int | None = None,
    baseline: Any = None,
    label: Any = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    name: str = "",
) -> Explanation:
    r"""Add up the slopes of the output on the straight way from a baseline to the input.

    .. math:: a_{tc} = (x_{tc} - x'_{tc}) \int_0^1 \frac{\partial f(x' + \alpha (x - x'))}{\partial x_{tc}} d\alpha

    The values add up to :math:`f(x) - f(x')` [1]_, but for the error of the integral, which is taken by
    Gauss-Legendre quadrature and stated as ``error``.

    Parameters
    ----------
    network : Module
        Takes a `Ragged` of torch values of shape (total_steps, channels) and returns outputs of shape (batch,
        outputs), or (total_steps, outputs) with one output per step.
    sequence : ndarray of shape (time, channels)
        What the network receives: after scaling and other features.
    target : int, default=0
        Which output to explain: the class, or the number of the target.
    step : int, optional
        With one output per step: the step whose output is explained; the sum over all steps if omitted.
    points : int, optional
        Places on the way at which slopes are taken, in 1..1000. If omitted 32, and twice as many up to 512 until the
        error is at most a twentieth of the output's change.
    baseline : ndarray of shape (time, channels) or (channels,), optional
        x'; zeros if omitted, after scaling the mean of every channel.
    label : Any, optional
        What to call the target; its number if omitted.

    Returns
    -------
    Explanation
        ``error`` is the sum of the values minus f(x) - f(x').

    Raises
    ------
    ShapeError
        If the network has no such output, or the baseline another shape.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017,
       arXiv:1703.01365.
    """
    who = "integrated_gradients"
    check_number(who, "target", target, integer=True, low=0)
    if points is not None:
        check_number(who, "points", points, integer=True, low=1, high=1000)
    given = as_sequence(sequence, index=0, who=who)
    start = as_baseline(who, baseline, given)
    kind = kind_of_weights(network)
    here, nothing = (torch.as_tensor(np.array(values)).to(**kind) for values in (given, start))
    with evaluation_mode(network):
        with torch.no_grad():
            ends = outputs_at(who, network, torch.stack([here, nothing]), target=target, step=step).double()
        change = float(ends[0] - ends[1])
        many = POINTS if points is None else points
        while True:
            slope = _mean_slope(network, nothing, here, many, target=target, step=step)
            values = ((here - nothing).double() * slope).cpu().numpy()
            error = float(values.sum()) - change
            if points is not None or abs(error) <= SMALL * abs(change) or many >= MOST_POINTS:
                break
            many *= 2
    return Explanation(
        values=values,
        input=given,
        method=who,
        target=target if label is None else label,
        output=float(ends[0]),
        error=error,
        channel_names=channel_names,
        sample_rate_hz=sample_rate_hz,
        name=name,
        details={"points": many, "change": change} | ({} if step is None else {"step": step}),
    )


def _mean_slope(
    network: torch.nn.Module,
    nothing: torch.Tensor,
    here: torch.Tensor,
    points: int,
    *,
    target: int,
    step: int | None,
) -> torch.Tensor:
    """Return the mean of the slopes on the way, by Gauss-Legendre quadrature with so many points."""
    places, weights = np.polynomial.legendre.leggauss(points)
    slope = torch.zeros_like(here, dtype=torch.float64)
    at_once = max(1, STEPS_AT_ONCE // len(here))
    for first in range(0, points, at_once):
        share = torch.as_tensor((places[first : first + at_once] + 1) / 2).to(here)
        way = (nothing + share[:, None, None] * (here - nothing)).requires_grad_(True)
        found = _slopes(network, way, target=target, step=step)
        part = torch.as_tensor(weights[first : first + at_once] / 2).to(found.device)
        slope += (part[:, None, None] * found.double()).sum(dim=0)
    return slope


def _slopes(network: torch.nn.Module, way: torch.Tensor, *, target: int, step: int | None) -> torch.Tensor:
    with torch.enable_grad():
        outputs = outputs_at("integrated_gradients", network, way, target=target, step=step)
        if not outputs.requires_grad:
            raise ShapeError(
                "integrated_gradients: the network's output does not depend on its input, so it has no slope."
            )
        (slopes,) = torch.autograd.grad(outputs.sum(), way)
    return slopes


def as_baseline(who: str, baseline: Any, given: np.ndarray) -> np.ndarray:
    """Return a baseline of the shape of the input; ShapeError if it cannot be one."""
    if baseline is None:
        return np.zeros_like(given)
    array = np.asarray(baseline, given.dtype)
    if array.shape not in (given.shape, given.shape[1:]):
        raise ShapeError(
            f"{who}: baseline must have the shape of the input, {given.shape}, or of one step, {given.shape[1:]}; "
            f"got {array.shape}."
        )
    return np.broadcast_to(array, given.shape)
