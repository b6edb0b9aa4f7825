"""Small JSON files: read with a sentence where they are damaged, and figures made such that JSON can hold them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.errors import MissingDataError, StoreError


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    MissingDataError
        If it is not there.
    StoreError
        If it is no JSON object.
    """
    from recurra.store import read_bytes  # which needs numpy; `recurra doctor` runs without

    try:
        content = json.loads(read_bytes(path, what="JSON file").decode())
    except (FileNotFoundError, NotADirectoryError):
        raise MissingDataError(f"{path}: there is no such file.") from None
    except StoreError:
        raise
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path}: is damaged: it cannot be read as JSON ({str(error)[:80]}). Use a backup."
        ) from None
    if not isinstance(content, dict):
        raise StoreError(f"{path}: is damaged: it must hold a JSON object. Use a backup.")
    return content


def plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures JSON can hold: numpy numbers as Python's, without NaN, infinities and nested values."""
    out = {}
    for name, value in figures.items():
        number = value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
        if isinstance(number, float) and not math.isfinite(number):
            continue
        if number is None or isinstance(number, str | bool | int | float):
            out[name] = number
    return out
