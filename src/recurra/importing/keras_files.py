"""`.keras` files of Keras 3 and `.h5` files of Keras 1 to 3: the description, and the weights of each layer."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.importing.containers import member, members, parsed
from recurra.importing.folding import folded
from recurra.importing.hdf5_files.tree import Tree
from recurra.importing.keras_config import RECURRENT, WITHOUT_EFFECT, stages_of
from recurra.nn.imported.chain import ImportedNetwork
from recurra.nn.imported.stages import Masked, OverTime, Tokens

MOST_LAYERS = 1_000
MOST_ARRAYS = 64  # of one layer

# Weights of a layer by its place in the network, its class, its description.
Finder = Callable[[str, str, Mapping[str, Any]], list[np.ndarray]]


def read_keras(path: Path, data: bytes) -> ImportedNetwork:
    """Return the network of a ``.keras`` file.

    Raises
    ------
    DataError
        If it is damaged, or a layer cannot be taken; the message names it.
    MissingExtraError
        If h5py is not installed.
    """
    config = parsed(path, member(path, data, "config.json"), "its description")
    tree = Tree(path, member(path, data, "model.weights.h5"))
    return _network(path, config, _by_class(tree), _version_in_zip(path, data))


def read_h5(path: Path, data: bytes) -> ImportedNetwork:
    """Return the network of an ``.h5`` file; see `read_keras`."""
    tree = Tree(path, data)
    text = tree.attribute("", "model_config")
    if not isinstance(text, str):
        raise DataError(
            f"{path}: holds weights without the description of the network; save the whole with model.save(path)."
        )
    version = _major(tree.attribute("", "keras_version"))
    return _network(path, parsed(path, text, "its description"), _by_name(tree), version)


def _version_in_zip(path: Path, data: bytes) -> int:
    if "metadata.json" not in members(path, data):
        return 3
    metadata = parsed(path, member(path, data, "metadata.json"), "its metadata")
    return _major(metadata.get("keras_version") if isinstance(metadata, Mapping) else None)


def _major(version: Any) -> int:
    """Return the first number of a version of Keras; of none that of the newest."""
    found = re.match(r"\d{1,3}", version) if isinstance(version, str) else None
    return int(found[0]) if found else 3


def _network(path: Path, config: Any, weights: Finder, version: int) -> ImportedNetwork:
    stages: list[tuple[str, Any]] = []
    for name, kind, own in _layers(path, config):
        try:
            own_weights = [] if kind in WITHOUT_EFFECT else weights(name, kind, own)
            found = stages_of(kind, own, own_weights, version=version)
            _check_place(kind, found, [stage for _, stage in stages])
        except DataError as error:
            text = str(error)
            if text.startswith(f"{path}"):
                raise
            raise DataError(f"{path}: layer {name!r} ({kind}) cannot be taken: {text}") from None
        stages += [(name, stage) for stage in found]
    if not stages:
        raise DataError(f"{path}: holds no layer.")
    try:
        return ImportedNetwork(folded(stages))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _check_place(kind: str, found: list[Any], before: list[Any]) -> None:
    masked = any(isinstance(s, Masked) or (isinstance(s, Tokens) and s.masked) for s in before)
    if masked and any(isinstance(s, OverTime) and s.which == "max" for s in found):
        raise DataError("Keras takes the largest over masked rows too, and recurra over the others alone.")
    if masked and kind == "Conv1D":
        raise DataError("it stands behind a mask, which Keras does not heed in a convolution.")


def _layers(path: Path, config: Any) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return name, class and options of each layer, in the order in which they are computed."""
    kind = config.get("class_name") if isinstance(config, Mapping) else None
    own = config.get("config") if isinstance(config, Mapping) else None
    if kind not in ("Sequential", "Functional", "Model") or not isinstance(own, Mapping | list):
        raise DataError(
            f"{path}: describes a {str(kind)[:40]!r}; a Sequential or Functional network is taken."
        )
    given = own if isinstance(own, list) else own.get("layers")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_LAYERS:
        raise DataError(f"{path}: its description names no layers, or more than {MOST_LAYERS}.")
    found = []
    for at, one in enumerate(given):
        inner = one.get("config") if isinstance(one, Mapping) else None
        if (
            not isinstance(one, Mapping)
            or not isinstance(inner, Mapping)
            or not isinstance(one.get("class_name"), str)
        ):
            raise DataError(f"{path}: layer {at} is not described.")
        name = one.get("name", inner.get("name"))
        if not isinstance(name, str):
            raise DataError(f"{path}: layer {at} has no name.")
        registered = one.get("registered_name")
        if registered not in (None, one["class_name"]) and ">" in str(registered):
            raise DataError(
                f"{path}: layer {name!r} is code of its author ({str(registered)[:40]}), which is never run."
            )
        found.append((name, one["class_name"], inner))
    if kind != "Sequential":
        _check_chain(path, given)
    return found


def _check_chain(path: Path, layers: list[Any]) -> None:
    """Raise DataError unless every layer of a Functional network reads the one before it, and that alone."""
    before = ""
    for at, one in enumerate(layers):
        name = str(one.get("name", one["config"].get("name")))
        read = set(_read_by(one.get("inbound_nodes")))
        if read != ({before} if at else set()) or (at and one["class_name"] == "InputLayer"):
            raise DataError(
                f"{path}: layer {name!r} ({one['class_name']}) cannot be taken: it does not read the layer before it alone, "
                "and networks with branches are not taken; export it to ONNX."
            )
        before = name


def _read_by(node: Any, depth: int = 0) -> list[str]:
    """Return the names of the layers that inbound nodes name, as Keras 2 and 3 write them."""
    if depth > 12:
        return []
    if isinstance(node, Mapping):
        history = node.get("keras_history")
        if isinstance(history, list) and history and isinstance(history[0], str):
            return [history[0]]
        return [name for value in node.values() for name in _read_by(value, depth + 1)]
    if isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and type(node[1]) is int:
            return [node[0]]
        return [name for value in node for name in _read_by(value, depth + 1)]
    return []


def _by_class(tree: Tree) -> Finder:
    """Return what finds weights in a file of Keras 3, which counts layers by class: ``lstm``, ``lstm_1``, ..."""
    seen: dict[str, int] = {}

    def find(name: str, kind: str, own: Mapping[str, Any]) -> list[np.ndarray]:
        snake = re.sub(
            r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W", "", kind))
        ).lower()
        number = seen.get(snake, 0)
        seen[snake] = number + 1
        place = f"layers/{snake}" + (f"_{number}" if number else "")
        if tree.node(place) is None:
            if kind in ("Masking", "Activation", "ReLU", "LeakyReLU", "Softmax") or kind.startswith("Global"):
                return []
            raise DataError(f"the file holds no weights of it (at {place}).")
        if kind == "Bidirectional":
            return [
                array
                for side in ("forward_layer", "backward_layer")
                for array in _vars(tree, f"{place}/{side}/cell/vars")
            ]
        if kind == "TimeDistributed":
            return _vars(tree, f"{place}/layer/vars")
        return _vars(tree, f"{place}/cell/vars" if kind in RECURRENT else f"{place}/vars")

    return find


def _vars(tree: Tree, place: str) -> list[np.ndarray]:
    names = tree.names(place)
    if len(names) > MOST_ARRAYS:
        raise DataError(f"the file holds {len(names)} arrays for it.")
    return [tree.array(f"{place}/{number}") for number in range(len(names))]


def _by_name(tree: Tree) -> Finder:
    """Return what finds weights in an ``.h5`` file, where each layer's group lists its arrays."""
    root = "model_weights" if tree.node("model_weights") is not None else ""

    def find(name: str, kind: str, own: Mapping[str, Any]) -> list[np.ndarray]:
        if name in ("", ".", "..") or "/" in name:
            raise DataError("its name is no name of a layer.")
        place = f"{root}/{name}"
        listed = tree.attribute(place, "weight_names")
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            return []
        if len(listed) > MOST_ARRAYS:
            raise DataError(f"the file lists {len(listed)} arrays for it.")
        return [tree.array(f"{place}/{one}") for one in listed]

    return find
