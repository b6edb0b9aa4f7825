"""`load_model`: a model file becomes the estimator that wrote it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import recurra
from recurra import store
from recurra.checks import check_choice, listing
from recurra.errors import StoreError, UsageError
from recurra.export.model.rounding import in_int8
from recurra.serving.models.fitted_model import FittedModel, open_file
from recurra.serving.models.torch_free_model import LightModel

# These hold series and how they stand, and read themselves.
SERIES = ("AnomalyDetector", "Forecaster")

RUNTIMES = ("full", "light")
WEIGHTS = ("float", "int8")


def load_model(
    path: str | os.PathLike[str],
    *,
    network: Callable[[int, int], Any] | None = None,
    runtime: str = "full",
    weights: str = "float",
) -> Any:
    """Read a model file and return the fitted estimator, or what predicts without torch.

    Parameters
    ----------
    path : path
        Written by ``save`` of an estimator; in a run folder what it was trained on is known too, by content.
    network : callable (input_size, output_size) -> torch.nn.Module, optional
        The function the model was trained with, for a network of the user's own; a file never holds code.
    runtime : {"full", "light"}, default="full"
        The estimator that wrote the file, or a `LightModel`: ``predict``, ``predict_proba`` and ``stream`` with the
        same answers, where only numpy and safetensors are installed.
    weights : {"float", "int8"}, default="float"
        With ``runtime="light"``: answer as C exported with ``int8`` does, whose matrices have eight bits a number. It
        shows what they cost in accuracy; memory is that of float.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StoreError
        If the file is damaged, foreign, or of a newer version.
    UsageError
        If the model needs ``network``, or its weights do not fit it.
    """
    check_choice("load_model", "runtime", runtime, RUNTIMES)
    check_choice("load_model", "weights", weights, WEIGHTS)
    if weights == "int8" and runtime != "light":
        raise UsageError("load_model: weights='int8' needs runtime='light'; give both, or leave weights out.")
    if runtime == "light":
        if network is not None:
            raise UsageError("load_model: network needs torch to run; leave runtime='light' out.")
        light = LightModel.load(path)
        if weights == "float":
            return light
        if not isinstance(light, LightModel):
            raise UsageError("load_model: weights='int8' is not for translators; leave weights out.")
        return LightModel(in_int8(light.model_))
    # Imported here, so that what predicts with numpy alone does not load what estimators need.
    from recurra.batches.training_digests import TrainedOn
    from recurra.fitting import overlap

    estimator = _estimator(path, network)
    if (known := TrainedOn.load(Path(path).with_name(overlap.FILE))) is not None:
        estimator.trained_on_ = known
    return estimator


def _estimator(path: str | os.PathLike[str], network: Callable[[int, int], Any] | None) -> Any:
    # The table of options, which light models do not need. The name in a file chooses from its estimators and from
    # nothing else: loading never imports what a file names.
    from recurra.options import ESTIMATORS
    from recurra.serving.models.manifest_options import check_options

    manifest, arrays = store.load(path)
    check_options(path, manifest)
    kind = str(manifest.get("estimator"))
    if manifest.get("kind") == "model" and kind in SERIES:
        if network is not None:
            raise UsageError(f"load_model: a {kind} has no own network; leave network out.")
        return getattr(recurra, kind)._from_parts(path, manifest, arrays)
    model = open_file(path)
    name = model.manifest["estimator"]
    if name not in ESTIMATORS:
        raise StoreError(
            f"{path}: was written by {name!r}; this version knows {listing(ESTIMATORS)}. Update recurra."
        )
    estimator = getattr(recurra, name)
    if model.manifest["network"] is not None:
        return estimator._from_model(model, {})
    if network is None or not isinstance(model, FittedModel):
        raise UsageError(
            f"{path}: holds weights of an own network, whose code is not in the file. "
            "Pass the function: load_model(path, network=function)."
        )
    return estimator._from_model(_with_network(model, network, path), {"network": network})


def _with_network(model: FittedModel, network: Callable[[int, int], Any], path: Any) -> FittedModel:
    import torch

    from recurra.fitting.own_network import OwnNetwork
    from recurra.nn.random_generators import seeded_globally

    target = model.manifest["target"]
    output_size = len(target["classes"] if "classes" in target else target["center"])
    modules = []
    for weights in model.members:
        with seeded_globally(0):
            module = network(model.features.input_size, output_size)
        try:
            module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        except RuntimeError as error:
            raise UsageError(f"{path}: the weights do not fit the given network: {error}") from None
        modules.append(module)
    return replace(model, own_network=OwnNetwork(modules, probabilities=model.task != "regression"))
