"""A whole network of one stream as one native call: scaling, stacked layers, pooling, head and softmax.

The kernels called are those of `recurra.kernels.networks.stack` and `recurra.kernels.heads.pooling`, in the same order,
so the bits are the same; what is saved is the way through Python between them, which takes longer than a small network.
"""

from typing import Any

import numpy as np

from recurra.kernels import native_calls
from recurra.kernels.dispatch import native_module
from recurra.kernels.heads.pooling import POOLINGS, RunningPool
from recurra.kernels.networks.stack import StackStep


def fused(
    stack: StackStep,
    *,
    pool: RunningPool | None,
    weight: np.ndarray,
    bias: np.ndarray,
    center: np.ndarray | None,
    spread: np.ndarray | None,
    channels: int,
) -> Any:
    """Return an object with ``step(row, outputs, probabilities)``, or None where the native kernels do not run.

    It works on the state of ``stack`` and ``pool`` themselves. ``row`` has shape (channels,) in float32 or float64;
    ``outputs`` and, unless None, ``probabilities`` are contiguous float32 arrays that are written. ``step`` returns
    False, with nothing changed, for a row of another kind and for one that is not finite.

    Parameters
    ----------
    stack : StackStep
        With a batch of 1.
    pool : RunningPool, optional
        With a batch of 1; without it the last layer's state goes to the head.
    weight, bias : float32 arrays of shape (outputs, features) and (outputs,)
        The linear head.
    center, spread : float64 array of shape (channels,), optional
        The row goes in as ``(row - center) / spread``.
    channels : int
        Numbers of a row.
    """
    if stack._native is None or not native_calls.runs_native(stack.h.dtype) or stack.h.dtype != np.float32:
        return None
    if center is not None and spread is not None:
        center, spread = (np.ascontiguousarray(a, np.float64) for a in (center, spread))
    score, context = (None, None) if pool is None or pool._heads is None else pool._heads
    named: dict[str, Any] = dict.fromkeys(("total", "top", "mass", "count"))
    if pool is not None:
        named = {name: getattr(pool, name) for name in named}
    head = native_calls.linear(weight, bias, np.float32)
    return native_module().Running(
        keep=(stack, pool, head, center, spread, score, context, named),
        stack=stack._native,
        head=head,
        channels=channels,
        center=center,
        spread=spread,
        kind=-1 if pool is None else POOLINGS.index(pool.pooling),
        score=score,
        context=context,
        **named,
    )
