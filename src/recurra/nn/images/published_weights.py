"""What published image networks share: their weights are read safely and by name, their pixels prepared."""

import io
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.checks import listing
from recurra.errors import DataError


class PerChannel(nn.Module):
    """Multiply and shift each channel by its own number.

    Parameters
    ----------
    scale, shift : sequence of float
        One per channel.
    """

    def __init__(self, *, scale: Sequence[float], shift: Sequence[float]) -> None:
        super().__init__()
        self.scale = tuple(scale)
        self.shift = tuple(shift)

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (images, channels, height, width), as given."""
        scale, shift = (torch.tensor(v, dtype=images.dtype)[:, None, None] for v in (self.scale, self.shift))
        return images * scale + shift


def as_images(network: Any, frames: np.ndarray) -> Tensor:
    """Turn frames into what a published network reads.

    Parameters
    ----------
    network : module with ``pixels``
        A published network.
    frames : ndarray of uint8, shape (frames, height, width, 3)
        Red, green, blue.

    Returns
    -------
    Tensor of shape (frames, 3, height, width)
        In the precision of the network's weights.
    """
    dtype = next(network.parameters()).dtype
    return network.pixels(torch.from_numpy(frames).permute(0, 3, 1, 2).to(dtype))


def load_published(network: Any, file: str | os.PathLike[str] | bytes, *, who: str) -> None:
    """Read a published state dict into a network, every key and shape checked; no code in the file is run.

    Parameters
    ----------
    network : module with ``published``
        Whose weights are set.
    file : path, or bytes
        What `torch.save` wrote.
    who : str
        What to call the file in messages.

    Raises
    ------
    DataError
        If it is no state dict of this network.
    """
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        state = torch.load(source, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise DataError(
            f"{who}: is no state dict that can be read without running code ({type(error).__name__}). "
            "Get the published file."
        ) from None
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"{who}: must hold a state dict, names and tensors; got {type(state).__name__}.")
    state = network.published(dict(state))
    name = type(network).__name__
    expected = network.state_dict()
    for word, names in (("lacks", set(expected) - set(state)), ("has unknown", set(state) - set(expected))):
        if names:
            raise DataError(f"{who}: is not of {name}: it {word} {listing(sorted(names), 3)}.")
    for key, tensor in state.items():
        if tensor.shape != expected[key].shape:
            raise DataError(
                f"{who}: is not of {name}: {key} must have shape {tuple(expected[key].shape)}; "
                f"got {tuple(tensor.shape)}."
            )
    network.load_state_dict(state)
