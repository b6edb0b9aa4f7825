"""`ImportedNetwork`: stages one behind the other, as Keras and MATLAB describe their networks."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import ShapeError
from recurra.nn.imported.stages import Stage


class ImportedNetwork(nn.Module):
    """A network that was trained elsewhere, stage by stage, in eval mode.

    Parameters
    ----------
    stages : sequence of (str, Module)
        In their order, with the names they had.

    Attributes
    ----------
    stages : Sequential
        By name; a dot in a name has become an underscore.
    """

    def __init__(self, stages: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        named: OrderedDict[str, nn.Module] = OrderedDict()
        for name, stage in stages:
            plain = name.replace(".", "_") or "stage"
            key = plain if plain not in named else f"{plain}_{type(stage).__name__.lower()}"
            while key in named:
                key = f"{plain}_{len(named)}"
            named[key] = stage
        self.stages = nn.Sequential(named)
        self.eval()

    def forward(self, x: Tensor, lengths: Any = None) -> Tensor:
        """Return the answer of the last stage.

        Parameters
        ----------
        x : Tensor of shape (batch, time, channels), or of tokens (batch, time)
        lengths : sequence of int, shape (batch,), optional
            Valid steps; what stands after them does not matter. A mask of the network's own shortens them further.

        Returns
        -------
        Tensor of shape (batch, outputs), or (batch, time, outputs)

        Raises
        ------
        ShapeError
            If there are not as many lengths as sequences, or they are longer than x.
        """
        if lengths is not None:
            lengths = torch.as_tensor(lengths, dtype=torch.int64, device=x.device)
            if lengths.shape != x.shape[:1] or (
                len(x) and not 0 <= lengths.min() <= lengths.max() <= x.shape[1]
            ):
                raise ShapeError(
                    f"ImportedNetwork: lengths must be one for each of {len(x)} sequences, 0 to {x.shape[1]}; got "
                    f"{lengths.tolist()[:8]}."
                )
        for stage in self.stages:
            if isinstance(stage, Stage):
                x, lengths = stage(x, lengths)
            else:
                x = stage(x)
        return x
