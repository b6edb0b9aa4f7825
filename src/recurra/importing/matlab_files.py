"""The structs that `recurra_layers.m` writes, in ``.mat`` files of any version; no object of MATLAB is ever loaded."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.importing.containers import reason
from recurra.importing.folding import folded
from recurra.importing.hdf5_files.tree import Tree
from recurra.importing.matlab_layers import stages_of
from recurra.nn.imported.chain import ImportedNetwork
from recurra.readers.signals.matlab import check_unfolded

VARIABLE = "recurra_network"
SCRIPT = Path(__file__).with_name("recurra_layers.m")
MOST_LAYERS = 1_000
MOST_PROPERTIES = 100
_ADVICE = (
    "in MATLAB, write the network with recurra_layers(net, 'net.mat'); recurra import --matlab-script FOLDER puts "
    "recurra_layers.m there."
)


def read_matlab(path: Path, data: bytes) -> tuple[ImportedNetwork, list[str]]:
    """Return the network of a ``.mat`` file, and the names of its classes where it has some.

    Raises
    ------
    DataError
        If it is damaged or was not written by ``recurra_layers.m``, or a layer cannot be taken; the message names it.
    MissingExtraError
        If it is of version 7.3 and h5py is not installed.
    """
    layers = _from_hdf5(path, data) if data[512:520] == b"\x89HDF\r\n\x1a\n" else _from_version_5(path, data)
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise DataError(f"{path}: holds {len(layers)} layers; a network has 1 to {MOST_LAYERS}.")
    stages: list[tuple[str, Any]] = []
    classes: list[str] = []
    for at, own in enumerate(layers):
        kind, name = (
            str(own.get("class", "")).rsplit(".", 1)[-1],
            str(own.get("name", "") or f"layer {at + 1}"),
        )
        try:
            stages += [(name, stage) for stage in stages_of(kind, own)]
        except DataError as error:
            raise DataError(f"{path}: layer {name!r} ({kind}) cannot be taken: {error}") from None
        if kind == "ClassificationOutputLayer" and isinstance(own.get("Classes"), list):
            classes = [str(one) for one in own["Classes"]]
    if not stages:
        raise DataError(f"{path}: holds no layer with weights; {_ADVICE}")
    try:
        return ImportedNetwork(folded(stages)), classes
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _from_version_5(path: Path, data: bytes) -> list[Mapping[str, Any]]:
    from scipy.io import loadmat

    check_unfolded(path, io.BytesIO(data), len(data))
    try:
        raw = loadmat(
            io.BytesIO(data),
            variable_names=[VARIABLE],
            chars_as_strings=True,
            verify_compressed_data_integrity=True,
        )
        network = raw[VARIABLE]
    except KeyError:
        raise DataError(f"{path}: has no variable {VARIABLE}; {_ADVICE}") from None
    except Exception as error:  # scipy's own, zlib's, and whatever a damaged header makes of numpy
        raise DataError(f"{path}: cannot be read as a MATLAB file: {reason(error)}. It may be cut.") from None
    names = network.dtype.names if isinstance(network, np.ndarray) else None
    if not names or "layers" not in names or network.size != 1:
        raise DataError(f"{path}: {VARIABLE} is no struct with layers; {_ADVICE}")
    layers = network.reshape(-1)[0]["layers"]
    if not isinstance(layers, np.ndarray) or layers.dtype != object or layers.dtype.names:
        raise DataError(f"{path}: the layers of {VARIABLE} are no cell array; {_ADVICE}")
    found: list[Mapping[str, Any]] = []
    for one in layers.reshape(-1, order="F"):
        fields = one.dtype.names if isinstance(one, np.ndarray) else None
        if not fields or one.size != 1 or len(fields) > MOST_PROPERTIES:
            raise DataError(f"{path}: a layer of {VARIABLE} is no struct; {_ADVICE}")
        found.append({word: _plain(one.reshape(-1)[0][word]) for word in fields})
    return found


def _plain(value: Any) -> Any:
    """Return numbers as an array, text as str, a cell array of texts as a list; None for anything else."""
    array = np.asarray(value)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in "US":
        return str(array.reshape(-1)[0]) if array.size == 1 else ""
    if array.dtype == object and array.dtype.names is None:
        texts = [np.asarray(one) for one in array.reshape(-1, order="F")]
        if all(one.dtype.kind in "US" and one.size <= 1 for one in texts):
            return [str(one.reshape(-1)[0]) if one.size else "" for one in texts]
    return None


def _from_hdf5(path: Path, data: bytes) -> list[Mapping[str, Any]]:
    tree = Tree(path, data)
    cells = f"{VARIABLE}/layers"
    if tree.node(cells) is None:
        raise DataError(f"{path}: has no variable {VARIABLE} with layers; {_ADVICE}")
    return [_properties(tree, place) for place in tree.referred(cells)]


def _properties(tree: Tree, place: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    words = tree.names(place)
    if len(words) > MOST_PROPERTIES:
        raise DataError(
            f"{tree.path}: a layer has {len(words)} properties; at most {MOST_PROPERTIES} are read."
        )
    for word in words:
        own = f"{place}/{word}"
        kind = tree.attribute(own, "MATLAB_class")
        if kind == "char":
            found[word] = _text(tree, own)
        elif kind == "cell":
            places = tree.referred(own)
            if all(tree.attribute(one, "MATLAB_class") == "char" for one in places):
                found[word] = [_text(tree, one) for one in places]
        elif tree.attribute(own, "MATLAB_empty") is None and kind in ("double", "single", "logical"):
            found[word] = tree.array(own).T  # MATLAB's order of axes
    return found


def _text(tree: Tree, place: str) -> str:
    if tree.attribute(place, "MATLAB_empty") is not None:
        return ""
    codes = tree.array(place).T.reshape(-1)
    if (
        codes.dtype.kind not in "iu"
        or codes.size > 10_000
        or (codes.size and not 0 <= codes.max() <= 0x10FFFF)
    ):
        raise DataError(f"{tree.path}: {place} is no text.")
    return "".join(map(chr, codes.tolist()))
