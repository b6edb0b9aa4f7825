"""What a user's module computes, beside its weights, as a digest: its code and plain attributes."""

import hashlib
import types
from collections.abc import Mapping
from typing import Any

# Changed by training and by looking, not what a module computes in eval mode.
_NOT_COMPUTED = {"training", "_parameters", "_buffers", "_modules"}
_NOT_CODE = {"__doc__", "__firstlineno__", "__static_attributes__"}
_PLAIN = (int, float, complex, str, bytes, type(None), type(Ellipsis))


def code_digest(module: Any) -> str:
    """Return the SHA-256 of the code and the plain attributes of a torch module and of all modules in it.

    Weights of the same names and shapes give other features where ``forward`` was written anew, as in a notebook, or an
    attribute such as a factor has changed. Functions that the code calls by name are followed within their own file.
    """
    digest = hashlib.sha256()
    for name, part in module.named_modules():
        digest.update(f"{name}:{_of_class(type(part))}:{_of_value(_own(part))}".encode())
    return digest.hexdigest()


def _own(part: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name not in _NOT_COMPUTED}


def _of_class(kind: type) -> str:
    told = []
    for base in kind.__mro__:
        told.append(f"{base.__module__}.{base.__qualname__}")
        if base.__module__.split(".")[0] in ("torch", "builtins", "typing"):
            continue
        told += [
            f"{name}={_of_value(value)}"
            for name, value in sorted(vars(base).items())
            if name not in _NOT_CODE
        ]
    return ";".join(told)


def _of_value(value: Any, within: frozenset[int] = frozenset()) -> str:
    """Return what tells a value apart; of what is neither plain nor code only its type.

    Parameters
    ----------
    within : frozenset of int
        Identities of what this value is a part of, so that functions that call each other come to an end.
    """
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        return _of_value([value.fget, value.fset], within)
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, types.FunctionType | types.CodeType | list | tuple | Mapping | set | frozenset):
        if id(value) in within:
            return "..."
        return _of_parts(value, within | {id(value)})
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor that is no buffer
        plain = value.detach().cpu().contiguous()
        return f"{plain.dtype}{tuple(plain.shape)}{plain.flatten().tolist()}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _of_parts(value: Any, within: frozenset[int]) -> str:
    if isinstance(value, types.CodeType):
        consts = [_of_value(const, within) for const in value.co_consts]
        return f"{value.co_code.hex()}{consts}{value.co_names}{value.co_varnames}"
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        used = {
            name: value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__
        }
        near = {
            name: found
            for name, found in used.items()
            if isinstance(found, _PLAIN) or getattr(found, "__module__", None) == value.__module__
        }
        parts = [value.__code__, value.__defaults__, value.__kwdefaults__, cells, near]
        return str([_of_value(part, within) for part in parts])
    if isinstance(value, Mapping):
        return str([(str(key), _of_value(each, within)) for key, each in value.items()])
    items = [_of_value(each, within) for each in value]
    return str(sorted(items) if isinstance(value, set | frozenset) else items)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
