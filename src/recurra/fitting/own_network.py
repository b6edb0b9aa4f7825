"""A network given by the user: predicts through torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import ShapeError, UsageError
from recurra.ragged import Ragged
from recurra.serving.streams.ensemble import mean_of


@dataclass(frozen=True)
class OwnNetwork:
    """Runs a user's modules on numpy arrays.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
        The members, usually one; called with a `Ragged` of torch values, each returns a tensor, or a Ragged with an answer
        per step.
    probabilities : bool
        See `recurra.serving.streams.ensemble.mean_of`.
    """

    modules: Sequence[Any]
    probabilities: bool

    def __call__(self, inputs: Ragged) -> np.ndarray:
        """Return the outputs of shape (batch, outputs) or (total_steps, outputs)."""
        return mean_of(
            [_outputs(module, inputs) for module in self.modules], probabilities=self.probabilities
        )


def _outputs(module: Any, inputs: Ragged) -> np.ndarray:
    import torch

    module.eval()
    with torch.inference_mode():
        outputs = module(inputs.replace(torch.from_numpy(inputs.values)))
    values = outputs.values if isinstance(outputs, Ragged) else outputs
    return values.detach().cpu().numpy()


def built(
    function: Callable[[int, int], Any], input_size: int, output_size: int, *, seed: int, who: str
) -> Any:
    """Return the module that a user's function builds, its first weights decided by the seed.

    Raises
    ------
    UsageError
        If it returns something else.
    """
    import torch

    from recurra.nn.random_generators import seeded_globally

    with seeded_globally(seed):
        module = function(input_size, output_size)
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"{who}: network must return a torch.nn.Module; got {type(module).__name__}.")
    return module


def judged(loss: Callable[..., Any], output_size: int, *, who: str) -> Callable[..., Any]:
    """Return a loss that first looks at what a user's network answers: too many outputs would pass without a word.

    Raises
    ------
    ShapeError
        If an answer is no tensor of shape (rows, output_size).
    UsageError
        If nothing can be learned through it.
    """
    import torch

    def compute(outputs: Any, targets: Any, weights: Any = None) -> Any:
        shape = (len(targets), output_size)
        if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != shape:
            got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else f"a {type(outputs).__name__}"
            raise ShapeError(
                f"{who}: network must answer with a tensor of shape (rows={shape[0]}, outputs={shape[1]}); got {got}. Let "
                "its forward return that alone."
            )
        if torch.is_grad_enabled() and not outputs.requires_grad:
            raise UsageError(
                f"{who}: network gives an answer without a gradient, so that nothing can be learned. Leave out detach(), "
                "no_grad() and inference_mode() in its forward."
            )
        return loss(outputs, targets, weights)

    return compute
