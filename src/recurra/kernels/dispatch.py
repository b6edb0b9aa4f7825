"""Which version of the kernels runs: the native one, the numpy reference, or whichever is there."""

import contextlib
import contextvars
import functools
import importlib
import os
from collections.abc import Iterator
from typing import Any

from recurra.checks import check_choice
from recurra.errors import UsageError

CHOICES = ("auto", "native", "reference")

# The module state of recurra: read from the environment once, changed only inside `with`.
_choice: contextvars.ContextVar[str | None] = contextvars.ContextVar("recurra_kernels", default=None)


@functools.cache  # asked for at every call of a layer
def _from_environment() -> str:
    choice = os.environ.get("RECURRA_KERNELS", "auto")
    check_choice("RECURRA_KERNELS", "the environment variable", choice, CHOICES)
    return choice


def _chosen() -> str:
    return _choice.get() or _from_environment()


def asked_for_reference() -> bool:
    """Return whether the reference was chosen by name, and does not only stand in for an extension that is absent."""
    return _chosen() == "reference"


@functools.cache  # asked for at every step of a stream, and import_module takes longer than a step
def native_module() -> Any:
    """Return the compiled extension; ImportError if it is absent."""
    # import_module waits while another thread is half through the import; sys.modules would give the half
    return importlib.import_module("recurra.kernels._native")


def _found() -> tuple[Any, str]:
    """Return the compiled extension, or None and the reason it is absent."""
    try:
        return native_module(), ""
    except ImportError as error:
        return None, f"the compiled extension is not there ({error})"


def current() -> str:
    """Return which version runs now: ``"native"`` or ``"reference"``.

    Raises
    ------
    UsageError
        If ``"native"`` was asked for and the compiled extension is absent.
    """
    choice = _chosen()
    if choice == "reference":
        return "reference"
    module, reason = _found()
    if module is not None:
        return "native"
    if choice == "native":
        raise UsageError(
            f"recurra.kernels: 'native' was asked for, but {reason}. "
            "Install recurra where a C++17 compiler is, or use 'auto'."
        )
    return "reference"


@contextlib.contextmanager
def use(which: str) -> Iterator[None]:
    """Choose the version of the kernels within a ``with`` block.

    Parameters
    ----------
    which : {"auto", "native", "reference"}
        ``auto`` takes the native version where it is there.

    Raises
    ------
    UsageError
        If ``which`` is another word, or ``"native"`` without the compiled extension.
    """
    check_choice("recurra.kernels.use", "which", which, CHOICES)
    token = _choice.set(which)
    try:
        current()
        yield
    finally:
        _choice.reset(token)


def describe() -> dict[str, Any]:
    """Return what runs and why: keys ``chosen``, ``runs``, ``native``, ``isa``, ``isas``, ``reason``."""
    module, reason = _found()
    choice = _chosen()
    native = module is not None
    runs = "native" if native and choice != "reference" else "reference"
    if native:
        reason = "chosen by name" if choice != "auto" else "the compiled extension is there"
    isa = module.isa() if native else None
    isas = module.isas().split() if native else []
    return {"chosen": choice, "runs": runs, "native": native, "isa": isa, "isas": isas, "reason": reason}
