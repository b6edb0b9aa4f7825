"""The features computed from windows, by name."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from recurra.errors import StoreError
from recurra.features.windows.block import Part
from recurra.features.windows.spectral import (
    BandPowers,
    InstantaneousFrequency,
    LogMel,
    Mfcc,
    SpectralEntropy,
    Spectrum,
)
from recurra.features.windows.statistics import Motion, Samples, Statistics

PARTS: Mapping[str, Any] = {
    part.name: part
    for part in (
        Spectrum, LogMel, Mfcc, InstantaneousFrequency, SpectralEntropy, BandPowers, Statistics, Motion, Samples,
    )
}  # fmt: skip


def make_part(name: str, options: Mapping[str, Any]) -> Part:
    """Return the feature of this name with those of the options that are its own."""
    kind = PARTS[name]
    own = {field.name: options[field.name] for field in fields(kind) if field.name in options}
    part: Part = kind(**own)
    return part


def part_from_dict(config: Mapping[str, Any]) -> Part:
    """Return the part of a model file.

    Raises
    ------
    StoreError
        If it is unknown here, as in a file of a newer version.
    """
    options = dict(config)
    name = options.pop("name")
    if name not in PARTS or set(options) - {field.name for field in fields(PARTS[name])}:
        raise StoreError(
            f"model file: needs the feature {name!r} with options this version lacks. Update recurra."
        )
    return make_part(name, options)
