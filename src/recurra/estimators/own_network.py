"""A network given by the user: predicts through torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.ragged import Ragged


@dataclass(frozen=True)
class OwnNetwork:
    """Runs a user's module on numpy arrays.

    Parameters
    ----------
    module : torch.nn.Module
        Called with a `Ragged` of torch values; returns a tensor, or a Ragged with an answer per step.
    """

    module: Any

    def __call__(self, inputs: Ragged) -> np.ndarray:
        """Return the outputs of shape (batch, outputs) or (total_steps, outputs)."""
        import torch

        self.module.eval()
        with torch.inference_mode():
            outputs = self.module(inputs.replace(torch.from_numpy(inputs.values)))
        values = outputs.values if isinstance(outputs, Ragged) else outputs
        return values.detach().cpu().numpy()
