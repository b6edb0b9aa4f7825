"""`import_weights`: a network that other software trained, as a module of `recurra.nn` or as an estimator."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from recurra.checks import check_choice
from recurra.errors import UsageError
from recurra.importing.containers import contents, kind_of
from recurra.importing.estimators import as_estimator
from recurra.importing.keras_files import read_h5, read_keras
from recurra.importing.matlab_files import read_matlab
from recurra.importing.onnx_files import read_onnx
from recurra.importing.state_dicts import layers_of, read_npz, read_safetensors, read_torch

FORMS = ("auto", "module", "estimator")


def import_weights(source: Any, *, to: str = "auto", classes: Sequence[Any] | None = None) -> Any:
    """Read a network that other software trained; nothing in its file is executed.

    Parameters
    ----------
    source : path, or mapping of str to Tensor or ndarray
        A ``.keras`` or old ``.h5`` file of Keras, an ONNX file, a ``.mat`` file that ``recurra_layers.m`` wrote, or weights
        alone: a state dict, or one in a ``.pt``, ``.safetensors`` or ``.npz`` file.
    to : {"auto", "module", "estimator"}, default="auto"
        What it becomes. "auto" gives an estimator where the network is one that recurra knows: one to many recurrent layers
        of one kind, the last state or the mean or maximum over time, and one linear layer. Otherwise a module.
    classes : sequence, optional
        Labels in the order of the outputs, for a classifier; 0, 1, ... where the file names none.

    Returns
    -------
    estimator or Module
        A fitted SequenceClassifier, SequenceRegressor or SequenceLabeler, which predicts, streams, saves and exports as one
        that recurra trained. Or a module: of Keras and MATLAB an `ImportedNetwork`, ``network(x, lengths)`` with x of shape
        (batch, time, channels); of ONNX an `ImportedGraph`, ``graph(x, ...)``, which gives the outputs by name; of a state
        dict the LSTM, GRU or RNN of `recurra.nn` that it holds, of one with more `ImportedLayers` by name: no state dict
        says which is joined to which.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If the file is damaged or foreign, or holds a layer that cannot be taken; the message names it and the reason.
    UsageError
        If it cannot become what ``to`` asks for, or ``classes`` do not fit it.
    MissingExtraError
        If reading it needs a package that is not installed: h5py for Keras and MATLAB 7.3, onnx for ONNX.
    """
    check_choice("import_weights", "to", to, FORMS)
    module, named = _read(source)
    classes = classes if classes is not None or not named else named
    if to == "module":
        if classes is not None and classes is not named:
            raise UsageError("import_weights: a module has no names for its outputs; leave classes= out.")
        return module
    try:
        return as_estimator(module, classes)
    except UsageError:
        if to == "estimator" or (classes is not None and classes is not named):
            raise
        return module


def _read(source: Any) -> tuple[nn.Module, list[str]]:
    """Return the module that a source holds, and the names of its classes where it has some."""
    if isinstance(source, Mapping):
        return layers_of("import_weights", source), []
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"import_weights: source must be a path or a state dict; got {type(source).__name__}."
        )
    path = Path(source)
    data = contents(path)
    kind = kind_of(path, data)
    if kind == "matlab":
        return read_matlab(path, data)
    if kind in ("keras", "hdf5", "onnx"):
        return {"keras": read_keras, "hdf5": read_h5, "onnx": read_onnx}[kind](path, data), []
    if kind == "torchscript":
        raise UsageError(
            f"{path}: is TorchScript, which is a program; save its weights with torch.save(model.state_dict(), path), or "
            "export it to ONNX."
        )
    readers = {"torch": read_torch, "safetensors": read_safetensors, "npz": read_npz}
    return layers_of(path, readers[kind](path, data)), []
