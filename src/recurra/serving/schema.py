"""Typed descriptions of what a file holds: a frozen class a part, read from JSON and checked whole by its annotations.

A field's annotation says everything: its type, by ``Annotated`` its range or length, by ``Literal`` its choices, by a
default that it may be absent. What is read are Python objects of the annotated types, so that mypy finds a misspelt key.

A file says itself which of its keys a reader must know (`needed`): all that may be absent and are there with another value
than the one that stands for absence, but for what only tells (``told``). So an answer is never made without what a later
version has put into a file. A key that no part of the writer has is read elsewhere and is not listed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

from recurra.errors import StoreError

MANIFEST = "the manifest"  # what messages call the outermost part
# From here on a bound is there for the machine and not told unless it is crossed.
UNTOLD = 2**31 - 1


@dataclass(frozen=True)
class Range:
    """Bounds of a number, included unless open."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        if self.high >= UNTOLD:
            return (
                f"{'greater than' if self.low_open else 'of at least'} {self.low:,}"
                if self.low > -math.inf
                else ""
            )
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"in {left}{self.low:,}, {self.high:,}{right}"

    def told(self, value: Any) -> str:
        """Return the bounds that matter to a number that does not lie within."""
        return f"of at most {self.high:,}" if value > self.high >= 1000 else str(self)

    def holds(self, value: Any) -> bool:
        """Return whether a number lies within."""
        above = value > self.low if self.low_open else value >= self.low
        return bool(above and (value < self.high if self.high_open else value <= self.high))


@dataclass(frozen=True)
class Length:
    """Bounds of the length of a list or a string."""

    least: int = 0
    most: int = 1_000_000

    def __str__(self) -> str:
        return f"of {self.least} to {self.most} entries"

    def told(self, value: Any) -> str:
        """Return the bounds."""
        return str(self)

    def holds(self, value: Any) -> bool:
        """Return whether it has so many."""
        return self.least <= len(value) <= self.most


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Part:
    """Base of the parts; each has the fields that are annotated. A dataclass of each would take long to import.

    ``told`` are keys that no answer is made of: a reader that does not know them answers the same.
    """

    annotated: ClassVar[dict[str, Any]] = {}
    told: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        own = {k: v for k, v in cls.__annotations__.items() if k not in ("annotated", "told")}
        cls.annotated = cls.annotated | own

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed.")


T = TypeVar("T", bound=Part)


class Json:
    """Anything JSON holds but numbers that are none; for what no answer is made of, such as the history of a training."""


Size = Annotated[int, Range(1, 2**62)]
Count = Annotated[int, Range(0, 2**62)]
Share = Annotated[float, Range(0, 1)]
Rate = Annotated[float, Range(0, low_open=True)]


def read(part: type[T], given: Any, where: str) -> T:
    """Return a part of a file.

    Parameters
    ----------
    part : type
        A subclass of `Part`.
    given : object
        What JSON gave.
    where : str
        What messages call it.

    Raises
    ------
    StoreError
        At the first value that is absent, of another type or out of its range.
    """
    if not isinstance(given, Mapping):
        raise StoreError(f"{where} must be a JSON object; got {_shown(given)}.")
    found = {}
    for name, kind in part.annotated.items():
        if name in given:
            found[name] = value(kind, given[name], name if where == MANIFEST else f"{where}.{name}")
        elif not hasattr(part, name):
            raise StoreError(f"{where} is incomplete or makes no sense: it lacks {name!r}. Use a backup.")
    return part(**found)


def value(kind: Any, given: Any, where: str) -> Any:
    """Return one value of an annotated type; see `read`."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, rule = get_args(kind)
        if base in (int, float) and not _is_plain(base, given):
            raise StoreError(f"{where} must be {_name(base)} {rule}; got {_shown(given)}.")
        found = value(base, given, where)
        if not rule.holds(found):
            raise StoreError(f"{where} must be {_name(base)} {rule.told(found)}; got {_shown(given)}.")
        return found
    if origin in (UnionType, Union):
        return _one_of(get_args(kind), given, where)
    if origin is Literal:
        if type(given) is not str or given not in get_args(kind):
            raise StoreError(f"{where} {_shown(given)} is unknown to this version. Update recurra.")
        return given
    if origin is tuple:
        if not isinstance(given, list | tuple):
            raise StoreError(f"{where} must be a list; got {_shown(given)}.")
        return tuple([value(get_args(kind)[0], one, f"{where}[{at}]") for at, one in enumerate(given)])
    if origin is dict:
        if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
            raise StoreError(f"{where} must be a JSON object; got {_shown(given)}.")
        return {key: value(get_args(kind)[1], one, f"{where}.{key}") for key, one in given.items()}
    if kind is Json:
        return _json(given, where)
    return read(kind, given, where) if issubclass(kind, Part) else _plain(kind, given, where)


def needed(part: type[Part], given: Mapping[str, Any]) -> list[str]:
    """Return the paths of the keys that a reader of a part must know, such as ``statistical.known``; sorted."""
    return sorted(_paths(part, given).must)


def check_needed(part: type[Part], given: Mapping[str, Any], needs: Sequence[str]) -> None:
    """Raise StoreError at a key that a file says its reader must know and that this version does not read."""
    found = _paths(part, given)
    # A key that this version reads and the file lacks is no foreign one, but one that is there and not read is.
    foreign = sorted(set(needs) - found.known - (_typed(part) - found.unread))
    if foreign:
        raise StoreError(
            f"its answers need {foreign[0][:60]!r}, which is unknown to this version. Update recurra, or make the file anew "
            "with this version."
        )


class _Paths(NamedTuple):
    """Paths of keys: those that the parts of a type read, those of them that must be known, and those that none reads."""

    known: set[str]
    must: set[str]
    unread: set[str]


def _paths(kind: Any, given: Any, path: str = "") -> _Paths:
    """Return the paths of all keys of what is `given`, which is valid."""
    found = _Paths(set(), set(), set())
    origin = get_origin(kind)
    inner: list[tuple[Any, Any, str]] = []
    if origin is Annotated:
        inner = [(get_args(kind)[0], given, path)]
    elif origin in (UnionType, Union):
        parts = [one for one in get_args(kind) if isinstance(one, type) and issubclass(one, Part)]
        named = given.get("name") if isinstance(given, Mapping) else None
        chosen = parts if len(parts) == 1 else [p for p in parts if named in get_args(p.annotated["name"])]
        others = [one for one in get_args(kind) if get_origin(one) is not None]
        inner = [(one, given, path) for one in (*chosen, *others)]
    elif origin is tuple and isinstance(given, list | tuple):
        inner = [(get_args(kind)[0], one, path) for one in given]
    elif origin is dict and isinstance(given, Mapping):
        inner = [(get_args(kind)[1], one, path) for one in given.values()]
    elif isinstance(kind, type) and issubclass(kind, Part) and isinstance(given, Mapping):
        for name, one in given.items():
            if name in kind.told:
                continue
            own = f"{path}.{name}" if path else name
            if name not in kind.annotated:
                found.unread.add(own)
                continue
            found.known.add(own)
            inner.append((kind.annotated[name], one, own))
            absent = getattr(kind, name, ...)
            if absent is not ... and not _same(one, absent):
                found.must.add(own)
    for one in inner:
        if _has_parts(one[0]):
            for paths, more in zip(found, _paths(*one), strict=True):
                paths |= more
    return found


def _typed(kind: Any, path: str = "") -> set[str]:
    """Return the paths of all keys that parts of a type may have."""
    if not _has_parts(kind):
        return set()
    if not (isinstance(kind, type) and issubclass(kind, Part)):
        return set().union(*(_typed(one, path) for one in get_args(kind)))
    found = {name: f"{path}.{name}" if path else name for name in kind.annotated}
    return {*found.values()}.union(*(_typed(kind.annotated[name], own) for name, own in found.items()))


def _has_parts(kind: Any) -> bool:
    if isinstance(kind, type) and get_origin(kind) is None:
        return issubclass(kind, Part)
    return any(_has_parts(one) for one in get_args(kind))


def _same(a: Any, b: Any) -> bool:
    several = isinstance(a, list | tuple) and isinstance(b, list | tuple)
    return bool(list(a) == list(b) if several else a == b)


def _plain(kind: type, given: Any, where: str) -> Any:
    if not _is_plain(kind, given):
        raise StoreError(f"{where} must be {_name(kind)}; got {_shown(given)}.")
    return given


def _is_plain(kind: type, given: Any) -> bool:
    return _finite(given) if kind is float else type(given) is kind


def _one_of(kinds: tuple[Any, ...], given: Any, where: str) -> Any:
    """Return a value of one of several types: None, the plain type it has, or the part that its ``name`` tells."""
    if given is None and NoneType in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    if len(kinds) == 1:
        return value(kinds[0], given, where)
    parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
    if parts:
        name = given.get("name") if isinstance(given, Mapping) else None
        for part in parts:
            if type(name) is str and name in get_args(part.annotated["name"]):
                return read(part, given, where)
        raise StoreError(f"{where} {_shown(name)} is unknown to this version. Update recurra.")
    for kind in kinds:
        if type(given) is kind:
            return _plain(kind, given, where)
    raise StoreError(f"{where} must be {' or '.join(map(_name, kinds))}; got {_shown(given)}.")


def _json(given: Any, where: str) -> Any:
    if isinstance(given, Mapping):
        for key, one in given.items():
            _json(one, f"{where}.{key}")
    elif isinstance(given, list | tuple):
        for at, one in enumerate(given):
            _json(one, f"{where}[{at}]")
    elif isinstance(given, float) and not math.isfinite(given):
        raise StoreError(f"{where} must be a finite number; got {given!r}.")
    return given


def _finite(number: Any) -> bool:
    try:
        return (type(number) is int or isinstance(number, float)) and math.isfinite(number)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a finite number", str: "a string", bool: "true or false"}
    return names.get(kind, "a list" if get_origin(kind) is tuple else "a value")


def _shown(given: Any) -> str:
    try:
        text = repr(given)
    except ValueError:  # a whole number with more digits than Python prints
        text = "a very large number"
    return text if len(text) <= 60 else f"{text[:57]}..."
