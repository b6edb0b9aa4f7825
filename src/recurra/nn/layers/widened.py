"""16 bits on a CPU, the caller's or autocast's: the kernels compute in float32, and round what comes out.

That is at least as exact as torch's operators in 16 bits, and faster, but for large layers over equal lengths on a processor
with matrix units for bfloat16. There torch's operator runs (`recurra.nn.layers.torch_fused`).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.kernels.cell import CELLS
from recurra.nn.layers import torch_fused
from recurra.nn.layers.autograd_bridge import DirectionWeights, in_memory
from recurra.nn.layers.layouts import Steps, as_lengths, autocasts
from recurra.nn.layers.reference import States

LOWER = (torch.bfloat16, torch.float16)
# From so many units torch's operator with matrix units is faster over equal lengths (2 cores, batches of 32 to 128): of an
# LSTM, for which it has that of oneDNN, and of other cells.
LARGE_LSTM, LARGE = 128, 512


def takes(cell: str, steps: Steps, time: int | None, values: Tensor, others: Sequence[Tensor | None]) -> bool:
    """Return whether a layer of these tensors is to be computed here.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
    steps : Steps
    time : int or None
        Steps of a padded batch.
    values : Tensor
    others : sequence of Tensor or None
        Initial states, if any, and all weights.
    """
    dtypes = {values.dtype, *(t.dtype for t in others if t is not None)}
    if not dtypes <= {torch.float32, *LOWER} or (dtypes == {torch.float32} and not autocasts("cpu")):
        return False
    if not in_memory(values, others):
        return False
    equal = time is not None and bool((steps.lengths == time).all())
    units = max(t.shape[0] for t in others if t is not None and t.ndim == 2) // CELLS[cell].blocks
    return not (equal and units >= (LARGE_LSTM if cell == "lstm" else LARGE) and _matrix_units())


def run(
    compute: Callable[..., tuple[Tensor, States]],
    cell: str,
    steps: Steps,
    batch_first: bool | None,
    values: Tensor,
    states: States,
    weights: Sequence[Sequence[DirectionWeights]],
) -> tuple[Tensor, States]:
    """Run ``compute(values, states, weights)`` in float32; return its results in the dtypes that torch gives."""
    dtypes = (values.dtype,) * (1 + len(CELLS[cell].states))
    if autocasts("cpu"):
        weight_ih, _, _, _, projection = weights[0][0]
        assert weight_ih is not None
        dtypes = autocast_dtypes(
            cell,
            "cpu",
            torch.get_autocast_dtype("cpu"),
            values.dtype,
            weight_ih.dtype,
            batch_first,
            states=tuple(s.dtype for s in states) or None,
            projected=projection is not None,
            unequal=batch_first is None and len(set(steps.lengths.tolist())) > 1,
        )
    with torch.autocast("cpu", enabled=False):
        wide = [[[None if w is None else w.float() for w in one] for one in pair] for pair in weights]
        output, finals = compute(values.float(), tuple(s.float() for s in states), wide)
    return output.to(dtypes[0]), tuple(f.to(d) for f, d in zip(finals, dtypes[1:], strict=True))


@functools.lru_cache(maxsize=256)
def autocast_dtypes(
    cell: str,
    device: str,
    autocast: torch.dtype,
    dtype: torch.dtype,
    weight: torch.dtype,
    batch_first: bool | None,
    *,
    states: tuple[torch.dtype, ...] | None = None,
    projected: bool,
    unequal: bool = False,
) -> tuple[torch.dtype, ...]:
    """Return the dtypes of output and final states under autocast, by asking torch with tensors of one number.

    ``batch_first`` is None of flat rows, which torch packs; ``states`` are the dtypes of the initial states where some were
    given.
    """
    like: dict[str, Any] = {"device": device, "dtype": weight}
    gates, hidden = CELLS[cell].blocks, 2 if projected else 1
    shapes = [(gates * hidden, 1), (gates * hidden, 1), (gates * hidden,), (gates * hidden,)]
    weights: list[Tensor | None] = [torch.zeros(shape, **like) for shape in shapes]
    weights.append(torch.zeros(1, 2, **like) if projected else None)
    sizes = (1, hidden)[: len(CELLS[cell].states)]
    given = states or (dtype,) * len(sizes)
    zeros = [torch.zeros(1, 2, s, device=device, dtype=d) for s, d in zip(sizes, given, strict=True)]
    x = torch.zeros(
        (3 if unequal else 4, 1) if batch_first is None else (2, 2, 1), device=device, dtype=dtype
    )
    steps = Steps(as_lengths("", [2, 1 if unequal else 2], batch=2, time=2), x.device)
    stack = torch_fused.Stack(
        cell, steps, batch_first, bias=True, num_layers=1, bidirectional=False, dropout=0.0
    )
    with torch.no_grad(), torch.autocast(device, autocast):
        output, finals = stack.forward(x, tuple(zeros), [[weights]])
    return output.dtype, *(final.dtype for final in finals)


@functools.cache
def _matrix_units() -> bool:
    """Return whether the processor multiplies matrices in bfloat16."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.11
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
