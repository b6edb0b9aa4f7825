"""The state of a stream as bytes, in the format of model files, and back for the same model only."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import store
from recurra.errors import StoreError
from recurra.serving.schema import MANIFEST, Count, Json, Part, T, read

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel

SCHEMA = 1
WHO = "stream state"


def to_bytes(
    model: "FittedModel", kind: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> bytes:
    """Return the bytes of a state.

    Parameters
    ----------
    model : FittedModel
        Whose state it is; its fingerprint goes along.
    kind : {"stream", "look-ahead stream", "streams"}
        What has this state.
    facts : mapping
        JSON-able counts.
    arrays : mapping of str to ndarray
        Everything remembered.
    """
    manifest = {"kind": kind, "schema": SCHEMA, "model": model.fingerprint, **facts}
    return store.dumps(manifest, arrays)


def from_bytes(model: "FittedModel", kind: str, data: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return manifest and arrays of the bytes of a state.

    Raises
    ------
    StoreError
        If the bytes are damaged, of a newer version, the state of something else, or of another model.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StoreError(f"{WHO}: must be the bytes that .state gave; got {type(data).__name__}.")
    manifest, arrays = store.loads(bytes(data), who=WHO)
    if manifest.get("kind") != kind:
        raise StoreError(
            f"{WHO}: these bytes hold a {manifest.get('kind', 'thing without a kind')}, not a {kind}."
        )
    if manifest.get("schema") != SCHEMA:
        raise StoreError(
            f"{WHO}: was written as schema {manifest.get('schema')!r}; this version reads {SCHEMA}. Update recurra."
        )
    if manifest.get("model") != model.fingerprint:
        raise StoreError(
            f"{WHO}: belongs to another model: its numbers mean nothing to this one. "
            "Restore it with the model file that the stream was made from."
        )
    return manifest, arrays


def static_code(model: "FittedModel", arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return what the network reads of the static inputs of one stream; None where there is nothing yet.

    Raises
    ------
    StoreError
        If it does not fit the network.
    """
    found = part(arrays, "static.")
    code = found.get("code")
    if code is None and not found:
        return None
    shape = (model.static_size,)
    if code is None or len(found) > 1 or code.shape != shape or code.dtype != np.float32:
        raise StoreError(f"{WHO}: its static inputs must be float32 of shape {shape}.")
    if not shape[0] or not np.isfinite(code).all():
        raise StoreError(f"{WHO}: its static inputs make no sense for this network.")
    return code


class StreamState(Part):
    """Rows a stream took in, and those its network has read of them."""

    steps: Count
    rows: Count


class LookAheadState(Part):
    """Rows taken in, how far the stream looks ahead, and whether it has ended."""

    steps: Count
    look_ahead: Count
    finished: bool
    static: Json | None = None


class StreamsState(Part):
    """Names of the streams, in the order of their arrays."""

    names: tuple[str, ...]


def described(part: type[T], manifest: Mapping[str, Any]) -> T:
    """Return what the manifest of a state says, checked.

    Raises
    ------
    StoreError
        If a value is absent or makes no sense.
    """
    try:
        found = read(part, manifest, MANIFEST)
    except StoreError as error:
        raise StoreError(f"{WHO}: {error}") from None
    if isinstance(found, StreamState) and found.rows > found.steps:
        raise StoreError(f"{WHO}: the network cannot have read {found.rows} rows of {found.steps}.")
    return found


def part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays whose names start so, without the start."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def joined(**parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of all parts, named ``<part>.<array>``."""
    return {f"{name}.{key}": array for name, arrays in parts.items() for key, array in arrays.items()}


def check_parts(arrays: Mapping[str, np.ndarray], *names: str) -> None:
    """Raise StoreError at an array that belongs to none of these parts."""
    odd = sorted(name for name in arrays if name.partition(".")[0] not in names)
    if odd:
        raise StoreError(f"{WHO}: the array {odd[0]!r} is not known here.")
