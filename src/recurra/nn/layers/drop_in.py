"""What our layers say to tools that know torch's layers by their class, and how a layer changes between the two."""

import logging
from typing import Any

import torch
from torch.nn.utils.parametrize import is_parametrized

from recurra.errors import UsageError
from recurra.nn.layers.dispatch import torch_has
from recurra.nn.layers.torch_fused import torch_class

logger = logging.getLogger("recurra.nn")


def exchange_class(layer: torch.nn.Module, table: dict[type, type]) -> bool:
    """Give a layer the class that ``table`` has for its own; return whether there is one.

    A parametrization (weight norm, say) has given the layer a class of its own, below the one in the table: it gets
    a new one, for copies of the layer share the old.
    """
    own = type(layer)
    if own in table:
        layer.__class__ = table[own]
        return True
    base = own.__mro__[1]
    if base in table and is_parametrized(layer):
        members = {key: value for key, value in vars(own).items() if key not in ("__dict__", "__weakref__")}
        layer.__class__ = type(own.__name__, (table[base],), members)
        return True
    return False


def state_of_own(layer: torch.nn.RNNBase) -> dict[str, Any]:
    """Return what a copy or a pickle of a layer takes along: the ``__getstate__`` of RNN, LSTM and GRU.

    torch's leaves the compiled call of ``layer.compile()`` in it, and a copy would compute with the weights of the first.
    """
    state: dict[str, Any] = torch.nn.RNNBase.__getstate__(layer)
    state.pop("_compiled_call_impl", None)
    return state


class DropIn:
    """Mixed into RNN, LSTM and GRU; torch's class stays their first base."""

    __jit_unused_properties__ = ("qconfig",)
    memory = "full"  # what training keeps, see `recurra.nn.layers.gradient_checkpointing`

    def __prepare_scriptable__(self) -> Any:
        """Become torch's layer: `torch.jit.script` reads the source of a class, and knows torch's."""
        assert isinstance(self, torch.nn.RNNBase)
        name = type(self).__name__
        if not torch_has(self):
            raise UsageError(
                f"torch.jit.script: torch has no layer like {self}; script the model without it."
            )
        if exchange_class(self, {type(self): torch_class(self)}):
            logger.warning(
                "torch.jit.script: this %s is torch's own from now on; call recurra.accelerate(model) to have it "
                "fast again in Python.",
                name,
            )
        return self

    @property
    def qconfig(self) -> Any:
        """What `torch.ao.quantization` writes on every layer it looks at; never there."""
        raise AttributeError("qconfig")

    @qconfig.setter
    def qconfig(self, value: Any) -> None:
        # It would find no entry for our class, and leave the layer in full precision without a word.
        raise UsageError(
            f"{type(self).__name__}: torch.ao.quantization knows torch's own layers only, and would pass this one "
            "by; call recurra.decelerate(model) before, and recurra.accelerate(model) after it for what it left."
        )
