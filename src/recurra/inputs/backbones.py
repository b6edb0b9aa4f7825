"""Image networks by name, by file or as a module: each becomes a function from frames to features."""

import hashlib
import importlib
import importlib.util
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import did_you_mean, listing
from recurra.datasets import image_networks
from recurra.errors import MissingDataError, UsageError
from recurra.features.frames.clip_features import FrameNetwork
from recurra.features.frames.map_means import averaged, no_places
from recurra.features.frames.onnx_network import OnnxNetwork
from recurra.inputs.module_code import code_digest

OWN = "small-cnn"  # trained with the rest, a front of the network; see `recurra.nn.fronts.front`
PUBLISHED = {
    "efficientnet-lite0": ("recurra.nn.images.efficientnet_lite0", "EfficientNetLite0"),
    "googlenet": ("recurra.nn.images.googlenet", "GoogLeNet"),
}


@dataclass(frozen=True)
class Backbone:
    """What turns frames into features, and how a model file speaks of it.

    Parameters
    ----------
    name : str
        Name of a published network, "onnx" or "module".
    sha256 : str
        Of its weights, or of the whole file.
    image_size : int
        Pixels a side it was made for.
    network : FrameNetwork
        The function.
    file : bytes or None
        The weights or graph as a model file can hold them; None for a module.
    layer : str or None
        The layer that is read, None for the last.
    grid : int
        Places a side over which its maps are averaged.
    """

    name: str
    sha256: str
    image_size: int
    network: FrameNetwork
    file: bytes | None
    layer: str | None = None
    grid: int = 1

    @property
    def facts(self) -> dict[str, Any]:
        """What a model file says of it."""
        return {"name": self.name, "sha256": self.sha256, "layer": self.layer, "grid": self.grid}

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return the features of frames: float32 of shape (frames, channels)."""
        return self.network(frames)


def backbone_of(
    value: Any, *, layer: str | None = None, grid: int = 1, file: bytes | None = None
) -> Backbone:
    """Return the image network a user means.

    Parameters
    ----------
    value : str, path or torch.nn.Module
        Name of a published network; an ``.onnx`` file; or a module that takes images of shape (frames, 3, height,
        width) with ImageNet's mean and deviation brought to 0 and 1.
    layer : str, optional
        The layer of a published network that is read; by default the last.
    grid : int, default=1
        Places a side over which maps are averaged; 1 for the whole frame.
    file : bytes, optional
        Weights or graph from a model file, instead of those on this machine.

    Raises
    ------
    MissingDataError
        If its weights are not here; names address, checksum and the folder to put them in.
    UsageError
        If it is neither a name, a file nor a module, or has no such layer.
    """
    if isinstance(value, str) and value in PUBLISHED:
        _check_layer(value, layer)
        return _published(value, image_networks.weights(value) if file is None else file, layer, grid)
    if layer is not None:
        raise UsageError(
            f"layer is for the networks {listing([*PUBLISHED])}; got {layer!r} beside {value!r:.80}. Give a network that "
            "ends where you want it."
        )
    if value == "onnx" and file is not None:
        return _onnx(file, "model file", grid)
    if isinstance(value, str | os.PathLike) and str(value).endswith(".onnx"):
        if not Path(value).is_file():
            raise MissingDataError(f"backbone: there is no file {value}.")
        return _onnx(Path(value).read_bytes(), str(value), grid)
    if hasattr(value, "state_dict") and callable(value):
        return _module(value, grid)
    raise UsageError(
        f"backbone must be one of {listing([*PUBLISHED, OWN])}, an .onnx file, or a torch.nn.Module; got {value!r:.80}."
        f"{did_you_mean(value, [*PUBLISHED, OWN]) if isinstance(value, str) else ''}"
    )


def _check_layer(name: str, layer: str | None) -> None:
    module, kind = PUBLISHED[name]
    layers = getattr(importlib.import_module(module), kind).layers
    if layer is not None and layer not in layers:
        raise UsageError(
            f"layer must be one of {listing(layers, len(layers))} of {name}, or None for the last; got {layer!r}."
            f"{did_you_mean(str(layer), layers)}"
        )


@lru_cache(
    maxsize=2
)  # building a graph takes a second, and cross-validation asks for the same one many times
def _published(name: str, weights: bytes, layer: str | None, grid: int) -> Backbone:
    import torch

    from recurra.nn.images.published_weights import load_published
    from recurra.nn.random_generators import OwnDraws

    module, kind = PUBLISHED[name]
    with OwnDraws(), torch.device("cpu"):
        network = getattr(importlib.import_module(module), kind)()
    load_published(network, weights, who=f"weights of {name}")
    network.eval()
    sha256 = hashlib.sha256(weights).hexdigest()
    identity = " ".join([name, sha256, *([layer] if layer else []), *_of_grid(grid)])
    function = FrameNetwork(_runner(network, layer, grid), identity)
    return Backbone(name, sha256, network.image_size, function, weights, layer, grid)


def _of_grid(grid: int) -> list[str]:
    """Return what a grid adds to the identity of a network: nothing where there is none, as before there were any."""
    return [f"grid {grid}"] if grid > 1 else []


def _runner(network: Any, layer: str | None, grid: int) -> Any:
    """Return the fastest way there is to run a published network: onnxruntime, else torch."""
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        from recurra.nn.images.onnx_graph import frames_graph

        return OnnxNetwork(
            frames_graph(network, layer, pooled=grid == 1), who=type(network).__name__, grid=grid
        )

    def run(frames: np.ndarray) -> np.ndarray:
        import torch

        from recurra.nn.images.published_weights import as_images

        with torch.inference_mode():
            return averaged(network.maps(as_images(network, frames), layer).numpy(), grid)

    return run


def _onnx(model: bytes, who: str, grid: int) -> Backbone:
    network = OnnxNetwork(model, who=who, grid=grid)
    sha256 = hashlib.sha256(model).hexdigest()
    function = FrameNetwork(network, " ".join(["onnx", sha256, *_of_grid(grid)]))
    return Backbone("onnx", sha256, network.image_size or 224, function, model, grid=grid)


def _module(module: Any, grid: int) -> Backbone:
    """Return a user's module; its identity is its code's name, structure and weights, and what it computes with them."""
    # Networks of ours are known by where they stood when the first model files were written.
    home = type(module).__module__.replace("recurra.nn.images.", "recurra.nn.")
    digest = hashlib.sha256(f"{home}.{type(module).__qualname__}\n{module}".encode())
    for name, tensor in module.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}{values.dtype}{tuple(values.shape)}".encode() + values.numpy().tobytes())
    sha256 = digest.hexdigest()

    def run(frames: np.ndarray) -> np.ndarray:
        import torch

        from recurra.nn.images.googlenet import GoogLeNet
        from recurra.nn.images.published_weights import as_images

        was_training = module.training
        module.eval()
        images = GoogLeNet.pixels(torch.from_numpy(frames).permute(0, 3, 1, 2).float())
        with torch.inference_mode():
            published = hasattr(module, "pixels") and hasattr(module, "maps")
            found = module.maps(as_images(module, frames)) if published else module(images)
        module.train(was_training)
        if not isinstance(found, torch.Tensor) or len(found) != len(frames):
            raise UsageError(
                f"backbone: the module must return a tensor with one row per frame; got {type(found).__name__} for "
                f"{len(frames)} frames."
            )
        if found.ndim == 4:
            return averaged(found.float().cpu().numpy(), grid)
        if grid > 1:
            raise no_places(grid)
        return found.flatten(1).float().cpu().numpy()

    size = int(getattr(module, "image_size", 224))
    # What is kept goes by the code as well; a model file goes by the weights, which another Python reads alike.
    function = FrameNetwork(run, " ".join(["module", sha256, code_digest(module), *_of_grid(grid)]))
    return Backbone("module", sha256, size, function, None, grid=grid)
