"""`Part`: a graph, what the file says of it, and how it is held against recurra."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.export.model.agreement import Agreement
from recurra.export.onnx.graph import Graph

# Runs a graph: inputs by name -> outputs by name.
Run = Callable[..., Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Part:
    """One of the files of a model.

    Parameters
    ----------
    ending : str
        What the name of the file has before its suffix.
    graph : Graph
    facts : mapping of str to object
        The metadata; what is no string becomes JSON.
    check : callable
        Runs the graph beside recurra, on raw sequences or, of None, on random ones.
    """

    ending: str
    graph: Graph
    facts: Mapping[str, Any]
    check: Callable[[Run, Sequence[Any] | None], Agreement]


def relative(right: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference, each divided by the largest of 1 and the number; infinite where one is NaN."""
    away = np.abs(np.asarray(found, np.float64) - right) / np.maximum(np.abs(right), 1.0)
    return float(away.max(initial=0.0)) if np.isfinite(away).all() else float("inf")
