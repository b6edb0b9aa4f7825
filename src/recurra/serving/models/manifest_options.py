"""The options in a model file, checked by `recurra.options` before an estimator is made of them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from recurra import options
from recurra.serving.schema import Range, value


def check_options(path: Any, manifest: Mapping[str, Any]) -> None:
    """Raise StoreError at the first option of a value that its estimator could not have written.

    Parameters
    ----------
    path : object
        What messages begin with.
    manifest : mapping
        Of a model file; whether it is whole is for `recurra.serving.models.manifest_check`.
    """
    params, name = manifest.get("params"), manifest.get("estimator")
    owner = getattr(options, f"{name}Options", None)
    if owner is None or not isinstance(params, Mapping):
        return
    for one in options.options_of(owner).values():
        if one.name in params:
            _check_option(f"{path}: params.{one.name}", one, params[one.name])


def _check_option(where: str, one: options.Option, given: Any) -> None:
    """Raise StoreError unless an option has a value of its type; what ``fit`` excludes beside, it excluded."""
    if (given is None and one.none) or any(kind in one.also and type(given) is kind for kind in (dict, bool)):
        return
    if isinstance(given, str) and ((one.auto and given == "auto") or type in one.also):
        return
    rule = Range(
        -math.inf if one.low is None else one.low,
        math.inf if one.high is None else one.high,
        one.low_open,
        one.high_open,
    )
    kinds: dict[str, Any] = {"int": int, "float": float, "ints": int, "floats": float}
    if one.kind in kinds:
        kind: Any = Annotated[kinds[one.kind], rule]
        many = one.kind.endswith("s") and isinstance(given, list | tuple)
        value(tuple[kind, ...] if many else kind, given, where)
    elif one.kind == "bool":
        value(bool, given, where)
    elif one.kind == "choice":
        value(str, given, where)  # a choice that a later version knows is no error until it is used
