"""Files of weights alone, as torch, safetensors and numpy write them: arrays by name become layers by name."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recurra.checks import listing
from recurra.errors import DataError
from recurra.importing.containers import members, reason
from recurra.importing.recurrent_layouts import linear, set_to
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.cells.rnn import RNN
from recurra.nn.imported.layers import ImportedLayers
from recurra.readers.files.unpacked_size import Unfolding

MOST_ARRAYS = 20_000

# Where trainers put the weights beside what else they save.
_INSIDE = ("state_dict", "model_state_dict", "model", "net", "weights")

# torch's names, those of its cells (without a layer's number), and the short ones of own files: w_ih, b_hh.
_RECURRENT = re.compile(
    r"(?P<layer>.*?)(?:^|[._])(?P<kind>weight|bias|w|b)_(?P<of>ih|hh|hr)(?:_l(?P<number>\d{1,3}))?(?P<reverse>_reverse)?$"
)
_PLAIN = re.compile(
    r"(?P<layer>.*?)(?:^|[._])(?P<kind>weight|bias|w|b|emb|running_mean|running_var|num_batches_tracked)$"
)


def read_torch(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.pt`` file of a state dict; torch builds nothing but tensors and plain containers."""
    members(path, data)  # what it claims to unfold to is within limits
    try:
        with torch.serialization.safe_globals([]):
            found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # whatever a damaged pickle makes of the reader: its own, KeyError, struct.error, ...
        text = str(error)
        if "Weights only load failed" in text or "weights_only" in text:
            raise DataError(
                f"{path}: holds more than weights, and opening it could run code; save "
                "torch.save(model.state_dict(), path) instead."
            ) from None
        raise DataError(
            f"{path}: cannot be read by torch: {reason(error)}. It may be cut; get it again."
        ) from None
    if isinstance(found, Mapping):
        for name in _INSIDE:
            if isinstance(found.get(name), Mapping):
                found = found[name]
                break
    if not isinstance(found, Mapping):
        raise DataError(f"{path}: holds a {type(found).__name__}, not a state dict; save model.state_dict().")
    return _arrays(path, found, Unfolding(path, len(data)))


def read_safetensors(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(data)
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise DataError(f"{path}: cannot be read as safetensors: {reason(error)}. Get it again.") from None
    return _arrays(path, found, Unfolding(path, len(data)))


def read_npz(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.npz`` file."""
    members(path, data)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile's, zlib's, numpy's own of a damaged header
        raise DataError(
            f"{path}: cannot be read as .npz: {reason(error)}. It may be cut; get it again."
        ) from None
    return _arrays(path, found, Unfolding(path, len(data)))


def _arrays(path: Any, found: Mapping[Any, Any], unfolding: Unfolding | None) -> dict[str, np.ndarray]:
    """Return tensors and arrays as float32; what is neither is left."""
    arrays = {}
    for name, value in found.items():
        if isinstance(value, torch.Tensor):
            if value.is_sparse or value.is_quantized or value.is_complex() or value.device.type == "meta":
                raise DataError(
                    f"{path}: {name} is a {value.layout} tensor of {value.dtype}; save it as plain numbers."
                )
            if unfolding is not None:
                # A stride of 0 makes a tensor of any size out of one number.
                unfolding.add(4 * value.numel())
            try:
                value = value.detach().to("cpu", torch.float32).numpy()
            except (RuntimeError, TypeError, NotImplementedError) as error:
                raise DataError(f"{path}: {name} is a {value.dtype} tensor: {reason(error)}.") from None
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            if not isinstance(name, str):
                raise DataError(f"{path}: names of weights must be text; got {name!r}.")
            own = name.removeprefix("module.")
            if own in arrays:
                raise DataError(
                    f"{path}: holds {own} twice, with and without 'module.' before it; leave one out."
                )
            arrays[own] = np.asarray(value, np.float32)
    if not arrays or len(arrays) > MOST_ARRAYS:
        raise DataError(f"{path}: holds {len(arrays)} arrays; a network has 1 to {MOST_ARRAYS}.")
    return arrays


def layers_of(path: Any, given: Mapping[str, Any]) -> nn.Module:
    """Return the layers of a state dict: one recurrent layer as it is, several layers by name.

    Raises
    ------
    DataError
        If there is no recurrent layer, or one whose weights do not fit each other.
    """
    recurrent: dict[str, dict[tuple[str, str, int, bool], np.ndarray]] = {}
    plain: dict[str, dict[str, np.ndarray]] = {}
    left: dict[str, str] = {}
    for name, array in _arrays(path, given, None).items():
        if found := _RECURRENT.match(name):
            key = (found["kind"][0], found["of"], int(found["number"] or 0), found["reverse"] is not None)
            weights = recurrent.setdefault(found["layer"], {})
            if key in weights:
                raise DataError(
                    f"{path}: {name} is a second name of a weight that is there already; leave one out."
                )
            weights[key] = array
        elif found := _PLAIN.match(name):
            plain.setdefault(name if found["kind"] == "emb" else found["layer"], {})[found["kind"]] = array
        else:
            left[name] = "its name is none that torch gives to a layer's weights"
    if not recurrent:
        raise DataError(
            f"{path}: holds no recurrent layer: no weight is called weight_ih_l0 and weight_hh_l0; its arrays are "
            f"{listing(given)}."
        )
    layers: dict[str, nn.Module] = {}
    for name, weights in recurrent.items():
        layers[name] = _recurrent(f"{path}: {name or 'the recurrent layer'}", weights)
    if len(layers) == 1 and not plain and not left:
        return next(iter(layers.values())).eval()
    for name, own in plain.items():
        made = _other(f"{path}: {name}", own)
        if isinstance(made, str):
            left[name] = made
        else:
            layers[name] = made
    return ImportedLayers(layers, left)


def _recurrent(who: str, weights: Mapping[tuple[str, str, int, bool], np.ndarray]) -> nn.Module:
    """Return the layer of weights by (w or b, ih or hh or hr, layer, reverse)."""
    count = 1 + max(number for _, _, number, _ in weights)
    first, state = weights.get(("w", "ih", 0, False)), weights.get(("w", "hh", 0, False))
    if (
        first is None
        or state is None
        or first.ndim != 2
        or state.ndim != 2
        or not first.size
        or not state.size
    ):
        raise DataError(f"{who}: lacks weight_ih_l0 or weight_hh_l0, or they are no matrices.")
    projection = weights.get(("w", "hr", 0, False))
    if projection is not None and projection.ndim != 2:
        raise DataError(
            f"{who}: weight_hr_l0 must be a matrix; got the shape {projection.shape}. Get it again."
        )
    hidden = state.shape[1] if projection is None else projection.shape[1]
    kinds: dict[float, Any] = {4: LSTM, 3: GRU, 1: RNN}
    kind = kinds.get(len(state) / max(hidden, 1))
    if kind is None or count > len(weights):
        raise DataError(
            f"{who}: weight_hh_l0 of shape {state.shape} is that of no cell; an LSTM has 4 rows for each unit, a GRU 3, a "
            "plain one 1."
        )
    options: dict[str, Any] = {
        "num_layers": count,
        "bias": any(which == "b" for which, *_ in weights),
        "bidirectional": any(reverse for *_, reverse in weights),
    }
    if projection is not None:
        if kind is not LSTM or len(projection) >= hidden:
            raise DataError(f"{who}: weight_hr_l0 of shape {projection.shape} is no projection of an LSTM.")
        options["proj_size"] = len(projection)
    made: nn.Module = kind(first.shape[1], hidden, **options)
    wanted = dict(made.named_parameters())
    for (which, of, number, reverse), array in weights.items():
        full = f"{'weight' if which == 'w' else 'bias'}_{of}_l{number}{'_reverse' if reverse else ''}"
        if full not in wanted or tuple(wanted[full].shape) != array.shape:
            shape = tuple(wanted[full].shape) if full in wanted else "none"
            raise DataError(f"{who}: {full} has shape {array.shape}; the other weights ask for {shape}.")
        set_to(wanted.pop(full), array)
    if wanted:
        raise DataError(f"{who}: lacks {listing(wanted)}.")
    return made


def _other(who: str, own: Mapping[str, np.ndarray]) -> nn.Module | str:
    """Return a linear layer, an embedding or a batch normalization; or why it is none."""
    weight = own.get("weight", own.get("w", own.get("emb")))
    bias = own.get("bias", own.get("b"))
    if weight is None:
        return "it has no weight"
    if "running_mean" in own and "running_var" in own:
        parts = {
            "weight": weight,
            "bias": bias,
            "running_mean": own["running_mean"],
            "running_var": own["running_var"],
        }
        wanted = (own["running_mean"].size,)
        norm = nn.BatchNorm1d(*wanted)
        for name, array in parts.items():
            if array is None or array.shape != wanted:
                shape = "none" if array is None else array.shape
                raise DataError(
                    f"{who}: {name} of its batch normalization has shape {shape}; the others ask for {wanted}."
                )
            set_to(getattr(norm, name), array)
        return norm
    if weight.ndim != 2:
        return f"its weight has the shape {weight.shape}; linear layers and embeddings are taken"
    if not weight.size:
        return "its weight is empty"
    if bias is None:
        # An embedding and a linear layer without bias look alike but for the name.
        names = who.rsplit(": ", 1)[-1].lower()
        if "emb" in names or "emb" in own:
            made = nn.Embedding(*weight.shape)
            set_to(made.weight, weight)
            return made
    try:
        return linear(weight, bias)
    except DataError as error:
        raise DataError(f"{who}: {error}") from None
