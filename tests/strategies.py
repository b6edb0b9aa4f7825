"""Random cases for every kernel and layer: odd sizes, lengths from 0, states that are not zero."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st

from recurra.kernels.cell import CELLS


@dataclasses.dataclass(frozen=True)
class RecurrentCase:
    """One layer in one or two directions, its input and its states, as numpy arrays.

    ``weights`` has torch's names; ``h_0`` and ``c_0`` have shape (num_layers * num_directions, batch, .).
    """

    cell: str
    x: np.ndarray
    lengths: np.ndarray
    weights: dict[str, np.ndarray]
    h_0: np.ndarray
    c_0: np.ndarray | None
    num_layers: int
    bidirectional: bool

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def hidden_size(self) -> int:
        return self.weights["weight_ih_l0"].shape[0] // CELLS[self.cell].blocks

    @property
    def proj_size(self) -> int:
        hr = self.weights.get("weight_hr_l0")
        return 0 if hr is None else hr.shape[0]

    @property
    def sequences(self) -> list[np.ndarray]:
        return np.split(self.x, np.cumsum(self.lengths)[:-1])

    def layer(self, reverse: bool = False) -> dict[str, np.ndarray]:
        """Weights of layer 0 by their kernel names."""
        end = "_l0_reverse" if reverse else "_l0"
        return {n[: -len(end)]: w for n, w in self.weights.items() if n.endswith(end)}

    def states(self, index: int = 0) -> dict[str, np.ndarray]:
        """Initial states of one layer and direction by their kernel names."""
        found = {"h_0": self.h_0[index]}
        return found if self.c_0 is None else {**found, "c_0": self.c_0[index]}


def make_case(
    cell: str,
    *,
    batch_lengths: list[int],
    input_size: int,
    hidden_size: int,
    seed: int = 0,
    dtype: Any = np.float64,
    num_layers: int = 1,
    bidirectional: bool = False,
    bias: bool = True,
    proj_size: int = 0,
) -> RecurrentCase:
    """Build a case from sizes; everything random follows from ``seed``."""
    rng = np.random.default_rng(seed)
    lengths = np.asarray(batch_lengths, np.int64)
    directions, gates, out = (
        2 if bidirectional else 1,
        CELLS[cell].blocks * hidden_size,
        proj_size or hidden_size,
    )
    weights: dict[str, np.ndarray] = {}

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(max(shape[-1], 1))).astype(dtype)

    for layer in range(num_layers):
        for end in ("", "_reverse")[:directions]:
            name = f"_l{layer}{end}"
            weights["weight_ih" + name] = draw(gates, input_size if layer == 0 else out * directions)
            weights["weight_hh" + name] = draw(gates, out)
            if bias:
                weights["bias_ih" + name], weights["bias_hh" + name] = draw(gates), draw(gates)
            if proj_size:
                weights["weight_hr" + name] = draw(proj_size, hidden_size)
    n = num_layers * directions
    return RecurrentCase(
        cell=cell,
        x=rng.standard_normal((int(lengths.sum()), input_size)).astype(dtype),
        lengths=lengths,
        weights=weights,
        h_0=(rng.standard_normal((n, len(lengths), out)) / 2).astype(dtype),
        c_0=(rng.standard_normal((n, len(lengths), hidden_size)) / 2).astype(dtype)
        if cell == "lstm"
        else None,
        num_layers=num_layers,
        bidirectional=bidirectional,
    )


@st.composite
def recurrent_case(
    draw: st.DrawFn,
    cells: tuple[str, ...] | list[str] = ("rnn", "rnn_relu", "lstm", "gru"),
    *,
    dtypes: tuple[Any, ...] = (np.float64,),
    max_layers: int = 1,
    directions: tuple[bool, ...] = (False,),
    max_size: int = 37,
    max_length: int = 9,
    max_batch: int = 9,
) -> RecurrentCase:
    """Draw a case: sizes from 1 to odd ones that are no multiple of a vector, lengths from 0."""
    cell = draw(st.sampled_from(list(cells)))
    hidden_size = draw(st.integers(1, max_size))
    project = cell == "lstm" and hidden_size > 1 and draw(st.booleans())
    return make_case(
        cell,
        batch_lengths=draw(st.lists(st.integers(0, max_length), min_size=1, max_size=max_batch)),
        input_size=draw(st.integers(1, max_size)),
        hidden_size=hidden_size,
        seed=draw(st.integers(0, 2**16)),
        dtype=draw(st.sampled_from(list(dtypes))),
        num_layers=draw(st.integers(1, max_layers)),
        bidirectional=draw(st.sampled_from(list(directions))),
        bias=draw(st.booleans()),
        proj_size=draw(st.integers(1, hidden_size - 1)) if project else 0,
    )
