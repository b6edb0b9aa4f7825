"""Whether the features and weights of a model file fit each other, and what its manifest says of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.checks import listing
from recurra.errors import StoreError
from recurra.features.chain import Chain
from recurra.features.rows.missing import FilledGaps
from recurra.features.rows.scaling import Scaling
from recurra.features.static import StaticInputs
from recurra.features.texts.tokens import FIRST_LETTER, Words
from recurra.features.windows.sliding import Windows
from recurra.serving.prediction import expected_shapes
from recurra.serving.streams.ensemble import parted


def check_fit(manifest: Mapping[str, Any], features: Chain, weights: Mapping[str, np.ndarray]) -> None:
    """Raise unless the features can be computed, and the network reads them with the weights there are.

    Parameters
    ----------
    manifest : mapping
        Checked by itself; see `recurra.serving.models.manifest_check`.
    features : Chain
        Of the file.
    weights : mapping of str to ndarray
        Of the network, or of its members.

    Raises
    ------
    StoreError, UsageError
        Naming what does not fit.
    """
    _check_features(features)
    if manifest["network"] is not None:
        for member in _members(manifest, weights):
            _check_weights(manifest["network"], member)
        _check_reads(manifest["network"], features, manifest.get("static"))


def _members(manifest: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the weights of each member a file claims.

    Raises
    ------
    StoreError
        If it does not hold that many.
    """
    claimed = manifest.get("members", 1)
    if type(claimed) is not int or not 1 <= claimed <= max(len(weights), 1):
        raise StoreError(f"the model claims {claimed!r} members; the file holds {len(weights)} weights.")
    numbers = {name.partition(".")[0] for name in weights}
    if claimed > 1 and numbers != {str(number) for number in range(claimed)}:
        raise StoreError(
            f"the model claims {claimed} members; the weights are of {listing(sorted(numbers))}."
        )
    return parted(weights, claimed)


def _check_features(features: Chain) -> None:
    """Raise StoreError or UsageError unless every feature can be computed from what the one before gives."""
    channels = features.n_channels
    for step in features.steps:
        if isinstance(step, Windows):
            step.check(channels)
        known = {Scaling: ("center", "spread"), FilledGaps: ("center",)}.get(type(step), ())
        for word in known:
            numbers = getattr(step, word)
            fits = numbers.shape == (channels,) and numbers.dtype == np.float64 and np.isfinite(numbers).all()
            if not fits or (word == "spread" and not numbers.all()):
                what = "scaling" if isinstance(step, Scaling) else "filled gaps"
                raise StoreError(
                    f"the {word} of the {what} must be {channels} float64 numbers. Use a backup."
                )
        channels = step.output_size(channels)


def _check_reads(network: Mapping[str, Any], features: Chain, static: Mapping[str, Any] | None) -> None:
    """Raise StoreError unless the network reads what the features give, and the static inputs behind."""
    beside = network.get("static_size", 0)
    if network["input_size"] - beside != features.input_size:
        raise StoreError(
            f"the network reads {network['input_size'] - beside} channels, the features give {features.input_size}. Use a "
            "backup."
        )
    if beside != (0 if static is None else StaticInputs.from_manifest(static).size):
        raise StoreError(
            f"the network reads {beside} static inputs, the manifest describes others. Use a backup."
        )
    front, words = network.get("front") or {}, features.steps[0] if features.steps else None
    if isinstance(words, Words) and front.get("name") == "text":
        letters = FIRST_LETTER + len(words.alphabet) if words.alphabet else 0
        if front["letters"] not in (0, letters):
            raise StoreError("the network spells with other letters than the features give. Use a backup.")


def _check_weights(network: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    if network["num_layers"] > len(weights):  # before anything is made for every layer it claims
        raise StoreError(
            f"the network claims {network['num_layers']} layers, the file holds {len(weights)} weights."
        )
    expected = expected_shapes(network)
    for name, shape in expected.items():
        if name not in weights:
            raise StoreError(f"the weight {name!r} is missing.")
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            raise StoreError(
                f"the weight {name!r} must be float32 of shape {shape}; got {weights[name].dtype} of {weights[name].shape}."
            )
    extra = set(weights) - set(expected)
    if extra:
        raise StoreError(f"the weight {min(extra)!r} does not belong to this network.")
