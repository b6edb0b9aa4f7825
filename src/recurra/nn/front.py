"""Trainable layers before the recurrence, each described by a dictionary with a ``name``.

A front is a module made from (description, input_size). It has ``output_size``, the channels it gives;
``initialize(generator)``; and turns a `Ragged` of torch values into another, whose lengths may be shorter. Its twin of
the same name in `recurra.kernels.front` computes the same with numpy.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recurra.checks import check_choice, check_number
from recurra.ragged import Ragged


class Embedding(nn.Module):
    """A trainable vector for each whole number.

    Parameters
    ----------
    description : mapping
        ``vocabulary``, how many numbers there are, and ``size`` of a vector.
    input_size : int
        1: a step is one number, from 0 to vocabulary - 1.
    """

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "Embedding"
        check_number(who, "input_size", input_size, integer=True, low=1, high=1)
        for word in ("vocabulary", "size"):
            check_number(who, word, description.get(word), integer=True, low=1)
        self.output_size = int(description["size"])
        self.weight = nn.Parameter(torch.empty(int(description["vocabulary"]), self.output_size))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw every number from a normal distribution with deviation 0.1."""
        self.weight.detach().normal_(0.0, 0.1, generator=generator)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return the vectors of the numbers: values of shape (total_steps, size)."""
        ids: Tensor = ragged.values[:, 0].long()
        return ragged.replace(nn.functional.embedding(ids, self.weight))


FRONTS: Mapping[str, Callable[[Mapping[str, Any], int], Any]] = {"embedding": Embedding}


def make_front(description: Mapping[str, Any], input_size: int) -> Any:
    """Return the module of a description.

    Raises
    ------
    UsageError
        If its ``name`` is unknown, or a number is out of range.
    """
    check_choice("NetworkConfig", "front", description.get("name"), list(FRONTS))
    return FRONTS[description["name"]](description, input_size)
