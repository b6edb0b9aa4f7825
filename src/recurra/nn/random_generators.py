"""Where random numbers come from: generators of our own, so that threads that train side by side do not disturb another.

torch's global generator belongs to the user. Networks of this package draw from the generator that training hands them
(`drawing_from`), and while they are built from one of their own (`OwnDraws`); used as plain torch modules, in a loop of
the user's, they draw from torch's as torch's layers do. A module of the user's may draw from the global one too: around
it, and nothing else, that one is seeded and put back (`seeded_globally`), one such module at a time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# There is one global generator in a process, so whoever seeds it waits for its turn. Re-entrant: a function that builds
# a network may train another.
_TURN = threading.RLock()

# In-place methods that draw; functions of torch.nn.init name their generator themselves.
DRAWING = frozenset({torch.Tensor.uniform_, torch.Tensor.normal_})
# Functions that take the default dtype.
MAKING = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye})


def dropout(module: nn.Module, values: Tensor, p: float) -> Tensor:
    """Zero each number with probability ``p`` while ``module`` trains, the others scaled by 1 / (1 - p).

    The numbers are those of torch's dropout, drawn from ``module.generator``, or from torch's global one if that is
    None.
    """
    generator = getattr(module, "generator", None)
    if generator is None or not module.training:
        return F.dropout(values, p, module.training)
    if p == 0 or not values.numel():
        return values
    if p == 1:
        return values * 0
    return values * torch.empty_like(values).bernoulli_(1 - p, generator=generator).div_(1 - p)


class RunGenerator(torch.Generator):
    """The generator of one training: a copy of a network, or one that is stored, has none and draws from torch's again."""

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        """Return what the class of every module has."""

    def __reduce__(self) -> Any:
        """Be read again as None."""
        return type(None), ()


@contextmanager
def drawing_from(network: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Let every module whose class has None as ``generator`` draw from this one inside."""
    modules: list[Any] = [m for m in network.modules() if getattr(type(m), "generator", m) is None]
    before = [module.generator for module in modules]
    for module in modules:
        module.generator = generator
    try:
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            if own is None:
                del module.generator  # the class has None
            else:
                module.generator = own


class OwnDraws(TorchFunctionMode):
    """While modules are built inside, their first weights come from a generator of this mode, in this thread alone.

    They are in float32, whatever `torch.set_default_dtype` says.
    """

    def __init__(self) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(0)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Pass the generator on to what draws without one, and the dtype to what makes numbers without one."""
        kwargs = kwargs or {}
        if (func in DRAWING or "generator" in kwargs) and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self._generator}
        if func in MAKING and kwargs.get("dtype") is None:
            kwargs = {**kwargs, "dtype": torch.float32}
        return func(*args, **kwargs)


@contextmanager
def seeded_globally(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global generator for what is the user's own inside, and put it back.

    Other threads that do the same wait. What else draws from it meanwhile, in a thread that this package does not know
    of, changes the numbers inside.
    """
    cuda = device if device is not None and device.type == "cuda" else None
    with _TURN:
        before = torch.default_generator.get_state()
        of_cuda = None if cuda is None else torch.cuda.get_rng_state(cuda)
        # torch.manual_seed takes 0.17 ms and seeds every kind of device there is
        torch.default_generator.manual_seed(seed)
        if cuda is not None:
            with torch.cuda.device(cuda):
                torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            torch.default_generator.set_state(before)
            if cuda is not None and of_cuda is not None:
                torch.cuda.set_rng_state(of_cuda, cuda)
