"""Why training could not go on, in words: a number that is not finite, or no memory left."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.batches.examples import Batch, Examples
from recurra.checks import where
from recurra.errors import TrainingError

if TYPE_CHECKING:
    from recurra.training.config import TrainingConfig
    from recurra.training.state import TrainingResult

# What torch's CPU and CUDA allocators say; the CPU one raises a plain RuntimeError.
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")

_SHOWN = 5  # sequences a message names


class FailedTrainingError(TrainingError):
    """A `TrainingError` that carries what there was until then.

    Attributes
    ----------
    reason : {"non_finite", "out_of_memory"}
        What happened.
    epoch, batch : int
        Where, both counted from 1; batch 0 is the validation.
    indices : tuple of int
        The sequences that come into question, by their position in the examples.
    result : TrainingResult or None
        History until then; its ``state`` is None.
    """

    def __init__(
        self, message: str, *, reason: str = "", epoch: int = 0, batch: int = 0, indices: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.epoch = epoch
        self.batch = batch
        self.indices = indices
        self.result: TrainingResult | None = None


def non_finite(
    what: str,
    value: float,
    *,
    epoch: int,
    number: int,
    batch: Batch,
    examples: Examples,
    outputs: torch.Tensor | None,
    config: "TrainingConfig",
    kept: str,
) -> FailedTrainingError:
    """Return the error for a loss or gradient that is NaN or infinite.

    Parameters
    ----------
    what : str
        "loss", "gradient" or "validation loss".
    value : float
        What it was.
    epoch, number : int
        Epoch and batch, counted from 1; batch 0 for the validation.
    batch, examples : Batch, Examples
        Where it happened.
    outputs : Tensor of shape (rows, ...), optional
        What the network gave; sequences whose inputs, else whose outputs, are not finite are named before
        others.
    kept : str
        Which weights the network is left with, in words.
    """
    suspects, blame = _suspects(batch, outputs)
    place = f"epoch {epoch}" + (f", batch {number}" if number else "")
    clipping = (
        "set grad_clip=1.0" if config.grad_clip is None else f"lower grad_clip (now {config.grad_clip:g})"
    )
    message = (
        f"train: the {what} became {_word(value)} in {place}; {blame} {_names(suspects, examples)}. "
        f"The network keeps {kept}. Lower learning_rate (now {config.learning_rate:g}), {clipping}, "
        "or check these sequences and their targets for extreme values."
    )
    return FailedTrainingError(message, reason="non_finite", epoch=epoch, batch=number, indices=suspects)


def out_of_memory(
    *, epoch: int, number: int, batch: Batch, examples: Examples, kept: str, fits: int
) -> FailedTrainingError:
    """Return the error for a batch that did not fit, naming the batch size that would, 0 if none does."""
    size, steps, longest = len(batch.indices), batch.inputs.total_steps, int(batch.inputs.lengths.max())
    advice = (
        f"Use batch_size={fits}, which fits."
        if fits and number
        else f"Try batch_size={fits}."
        if fits
        else "One sequence alone does not fit: cut it into shorter ones or take a smaller hidden_size."
    )
    place = f"epoch {epoch}" + (f", batch {number}" if number else ", validation")
    indices = tuple(batch.indices.tolist())
    message = (
        f"train: out of memory in {place}, with {size} sequences of {steps} time steps together, the longest "
        f"{longest}: {_names(indices, examples)}. The network keeps {kept}. {advice}"
    )
    return FailedTrainingError(message, reason="out_of_memory", epoch=epoch, batch=number, indices=indices)


def most_that_fits(batch: Batch, examples: Examples, attempt: Callable[[Batch], None]) -> int:
    """Return how many of a batch's sequences, the longest first, fit into memory, found by halving; 0 if none.

    Parameters
    ----------
    attempt : callable
        Computes the gradient of a batch.
    """
    longest_first = batch.indices[np.argsort(-batch.inputs.lengths, kind="stable")]
    size = len(longest_first) // 2
    while size:
        try:
            attempt(examples.batch(longest_first[:size]))
            return size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        size //= 2
    return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that no memory was left."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)


def _suspects(batch: Batch, outputs: torch.Tensor | None) -> tuple[tuple[int, ...], str]:
    """Return the sequences to name and the words to name them with."""
    candidates: list[tuple[Any, str]] = [(batch.inputs.values, "inputs are not finite in")]
    if np.issubdtype(batch.targets.dtype, np.floating):
        candidates.append((batch.targets, "targets are not finite in"))
    if outputs is not None:
        candidates.append((outputs.detach().cpu().numpy(), "the network's output is not finite for"))
    for values, words in candidates:
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if len(bad) != len(batch.indices):
            bad = np.bincount(np.repeat(np.arange(len(batch.indices)), batch.inputs.lengths), bad) > 0
        if bad.any():
            return tuple(batch.indices[bad].tolist()), words
    return tuple(batch.indices.tolist()), "in the batch were"


def _names(indices: tuple[int, ...], examples: Examples) -> str:
    shown = ", ".join(where(i, examples.names) for i in indices[:_SHOWN])
    return shown if len(indices) <= _SHOWN else f"{shown}, ... ({len(indices)} in all)"


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"
