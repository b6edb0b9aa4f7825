"""What a request says, checked: every value has the type that is asked for, or the request is refused in a sentence."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError

LONGEST_TEXT = 200_000


class ChangedError(DataError):
    """What is to be replaced is not what the page has read."""


@dataclass(frozen=True)
class Words:
    """Names and values of one request.

    Parameters
    ----------
    given : mapping
        From the address (lists of str) or from a JSON object.
    """

    given: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._first(name, default)
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise UsageError(f"studio: {name} must be a text; got {_shown(value)}.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise UsageError(
                f"studio: {name} must be a text; got half of a character in {ascii(value)[:80]}."
            )
        return value

    def texts(self, name: str) -> list[str]:
        """Return texts, none where there are none."""
        values = self.given.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise UsageError(f"studio: {name} must be texts; got {_shown(values)}.")
        return values

    def whole(self, name: str, default: int | None = None, *, low: int = 0, high: int = 2**53) -> int:
        """Return a whole number in a range."""
        value = self._first(name, default)
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise UsageError(f"studio: {name} must be a whole number in {low}..{high}; got {_shown(value)}.")
        return value

    def choice(self, name: str, known: tuple[str, ...], default: str | None = None) -> str:
        """Return one of some texts."""
        value = self.text(name, default)
        if value not in known:
            raise UsageError(f"studio: {name} must be one of {', '.join(known)}; got {_shown(value)}.")
        return value

    def _first(self, name: str, default: Any) -> Any:
        value = self.given.get(name, default)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if value is None:
            raise UsageError(f"studio: the request does not say {name}.")
        return value


def _shown(value: Any) -> str:
    return repr(value)[:80]


def sendable(value: Any, depth: int = 12) -> Any:
    """Return a value as JSON can hold it: numpy's as Python's, what is no finite number as None, the rest as text."""
    if depth == 0:
        return None
    kind = type(value)  # the commonest first: of a long history there are a million
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is str or kind is int:
        return value
    if kind is dict:
        return {str(key): sendable(entry, depth - 1) for key, entry in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return sendable(value.tolist(), depth)
    if isinstance(value, Mapping):
        return {str(key): sendable(entry, depth - 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(entry, depth - 1) for entry in value]
    return str(value)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(sendable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", errors="replace"
    )


def digest(value: Any) -> str:
    """Return what tells a value from others, as the page sends it back to say which one it has read."""
    return hashlib.sha256(json_bytes(value)).hexdigest()[:32]
