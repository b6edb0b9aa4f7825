"""Explanations by leaving out: how much lower is the output without this stretch of this channel?"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.checks import check_number
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.gradients import evaluation_mode, kind_of_weights, outputs_at
from recurra.evaluation.explanations.integrated_gradients import STEPS_AT_ONCE, as_baseline
from recurra.plain_arrays import as_sequence

# Stretches a sequence is cut into where no window is given.
STRETCHES = 20


def occlusion(
    network: torch.nn.Module,
    sequence: Any,
    *,
    target: int = 0,
    step: int | None = None,
    window: int | None = None,
    baseline: Any = None,
    channel_groups: Sequence[Sequence[int]] | None = None,
    whole_groups: Sequence[Sequence[int]] = (),
    label: Any = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    name: str = "",
) -> Explanation:
    """Replace each stretch of each channel by the baseline and note how far the output falls [1]_.

    Parameters
    ----------
    network : Module
        Takes a `Ragged` of torch values of shape (total_steps, channels) and returns outputs of shape (batch,
        outputs), or (total_steps, outputs) with one output per step.
    sequence : ndarray of shape (time, channels)
        What the network receives: after scaling and other features.
    target : int, default=0
        Which output to explain.
    step : int, optional
        With one output per step: the step whose output is explained; the sum over all steps if omitted.
    window : int, optional
        Time steps of a stretch, at least 1; by default a twentieth of the sequence. Stretches do not overlap.
    baseline : ndarray of shape (time, channels) or (channels,), optional
        What stands in its place; zeros if omitted, after scaling the mean of every channel.
    channel_groups : sequence of sequence of int, optional
        Channels that are left out together; each on its own by default.
    whole_groups : sequence of sequence of int
        Channels that are left out together from the first step to the last, such as static inputs.
    label : Any, optional
        What to call the target; its number if omitted.

    Returns
    -------
    Explanation
        The fall of the output without a stretch is spread evenly over its values. ``error`` is None: the falls
        need not add up to anything, since what one stretch says another may repeat.

    Raises
    ------
    ShapeError
        If the network has no such output, or the baseline another shape.
    UsageError
        If ``window`` is out of range.

    References
    ----------
    .. [1] M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
       arXiv:1311.2901.
    """
    who = "occlusion"
    check_number(who, "target", target, integer=True, low=0)
    given = as_sequence(sequence, index=0, who=who)
    steps, channels = given.shape
    if window is not None:
        check_number(who, "window", window, integer=True, low=1)
    size = window or max(1, math.ceil(steps / STRETCHES))
    start = as_baseline(who, baseline, given)
    groups = (
        [list(group) for group in channel_groups]
        if channel_groups is not None
        else [[c] for c in range(channels)]
    )
    places = [
        (slice(first, min(first + size, steps)), group) for first in range(0, steps, size) for group in groups
    ]
    places += [(slice(0, steps), list(group)) for group in whole_groups if len(group)]
    at_once = max(1, STEPS_AT_ONCE // steps)
    kind = kind_of_weights(network)
    values = np.zeros(given.shape)
    with evaluation_mode(network), torch.no_grad():
        whole = float(
            outputs_at(
                who, network, torch.as_tensor(np.array(given))[None].to(**kind), target=target, step=step
            )
        )
        for first in range(0, len(places), at_once):
            chosen = places[first : first + at_once]
            without = np.repeat(given[None], len(chosen), axis=0)
            for copy, (stretch, group) in zip(without, chosen, strict=True):
                copy[stretch, group] = start[stretch, group]
            outputs = outputs_at(who, network, torch.as_tensor(without).to(**kind), target=target, step=step)
            for output, (stretch, group) in zip(outputs.double().tolist(), chosen, strict=True):
                values[stretch, group] = (whole - output) / ((stretch.stop - stretch.start) * len(group))
    return Explanation(
        values=values,
        input=given,
        method=who,
        target=target if label is None else label,
        output=whole,
        channel_names=channel_names,
        sample_rate_hz=sample_rate_hz,
        name=name,
        details={"window": size} | ({} if step is None else {"step": step}),
    )
