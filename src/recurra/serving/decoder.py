"""`Decoder`: the network of a translator as numpy arrays and kernels; reads sources, writes one symbol at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.features.texts.symbols import BEGIN, UNKNOWN
from recurra.kernels.cell import CELLS
from recurra.kernels.dispatch import current
from recurra.kernels.heads.attention import Memory, attend
from recurra.kernels.heads.pooling import Linear
from recurra.kernels.networks.decoder_cells import Cells
from recurra.kernels.networks.stack import stack_forward

# An answer is made of known symbols: where the network would write "unknown", the next best stands.
NEVER_WRITTEN = [UNKNOWN, BEGIN]


def expected_shapes(network: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight that a network configuration needs."""
    hidden, embedded, gates = network["hidden_size"], network["embedding_size"], CELLS[network["cell"]].blocks
    directions = ["", "_reverse"] if network["bidirectional"] else [""]
    seen, tied = hidden * len(directions), network["tie_embeddings"]
    attended = embedded if tied else hidden
    shapes = {
        "source.weight": (network["source_size"], embedded),
        "target.weight": (network["target_size"], embedded),
        "combine.weight": (attended, hidden + seen),
        "combine.bias": (attended,),
        "head.bias": (network["target_size"],),
    }
    if not tied:
        shapes["head.weight"] = (network["target_size"], attended)
    fed = attended if network["input_feeding"] else 0
    for part, suffixes, first in (("encoder", directions, embedded), ("decoder", [""], embedded + fed)):
        for layer in range(network["num_layers"]):
            for suffix in suffixes:
                name = f"l{layer}{suffix}"
                shapes[f"{part}.weight_ih_{name}"] = (
                    gates * hidden,
                    hidden * len(suffixes) if layer else first,
                )
                shapes[f"{part}.weight_hh_{name}"] = (gates * hidden, hidden)
                shapes[f"{part}.bias_ih_{name}"] = shapes[f"{part}.bias_hh_{name}"] = (gates * hidden,)
    for state in range(len(CELLS[network["cell"]].states)):
        shapes |= {f"bridge.{state}.weight": (hidden, seen), f"bridge.{state}.bias": (hidden,)}
    if network["attention"] != "dot":
        shapes["attention.weight"] = (hidden, seen)
    if network["attention"] == "additive":
        shapes |= {"attention.query_weight": (hidden, hidden), "attention.score": (hidden,)}
    return shapes


@dataclass(frozen=True)
class State:
    """Where the writing of many answers stands.

    Parameters
    ----------
    memory : Memory
        Of n sequences.
    recurrent : tuple of arrays of shape (num_layers, n * hypotheses, hidden_size)
        The decoder's states.
    fed : array of shape (n * hypotheses, attended_size)
        What was attended to last.
    """

    memory: Memory
    recurrent: tuple[np.ndarray, ...]
    fed: np.ndarray

    def keep(self, sequences: np.ndarray, rows: np.ndarray) -> "State":
        """Return the state of these sequences, and of these hypotheses among all rows."""
        return replace(self.follow(rows), memory=self.memory.take(sequences))

    def follow(self, rows: np.ndarray) -> "State":
        """Return the state with these rows in place of the hypotheses, of the same sequences."""
        return replace(self, recurrent=tuple(s[:, rows] for s in self.recurrent), fed=self.fed[rows])


class Decoder:
    """Computes in float32 with the native kernels, in float64 on the reference, whose rounding then hides its order.

    Parameters
    ----------
    network : mapping
        `recurra.nn.networks.translator_network.TranslatorConfig` as a dictionary.
    weights : mapping of str to ndarray
        The network's state dict, float32.
    """

    def __init__(self, network: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
        dtype = np.float64 if current() == "reference" else np.float32
        w = {name: array.astype(dtype, copy=False) for name, array in weights.items()}
        self.network, self._weights = network, w
        scale = math.sqrt(network["embedding_size"]) if network["tie_embeddings"] else 1.0
        self._symbols: np.ndarray = np.multiply(w["target.weight"], scale, dtype=dtype)
        self._cells = Cells(network["cell"], w, num_layers=network["num_layers"], prefix="decoder.")
        self._bridge = [
            Linear(w[f"bridge.{i}.weight"], w[f"bridge.{i}.bias"])
            for i in range(len(CELLS[network["cell"]].states))
        ]
        self._combine = Linear(w["combine.weight"], w["combine.bias"])
        bias = w["head.bias"].copy()
        bias[NEVER_WRITTEN] = -1e9
        self._head = Linear(w["target.weight" if network["tie_embeddings"] else "head.weight"], bias)
        query = w.get("attention.query_weight")
        self._query = None if query is None else Linear(query)
        self._directions = 2 if network["bidirectional"] else 1

    def read(self, sources: Sequence[np.ndarray]) -> State:
        """Encode sources, int64 arrays of at least one symbol; the state before the first symbol of each answer."""
        network, w = self.network, self._weights
        lengths = np.array([len(source) for source in sources], dtype=np.int64)
        output, final = stack_forward(
            w["source.weight"][np.concatenate(sources)],
            lengths=lengths,
            cell=network["cell"],
            weights=w,
            prefix="encoder.",
            num_layers=network["num_layers"],
            bidirectional=network["bidirectional"],
        )
        memory = Memory.lay_out(
            output,
            lengths=lengths,
            kind=network["attention"],
            size=network["hidden_size"],
            weight=w.get("attention.weight"),
        )
        attended = len(w["combine.bias"])
        return State(memory, self._first(final), np.zeros((len(lengths), attended), output.dtype))

    def _first(self, final: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the decoder's first states from the encoder's last, (num_layers * directions, n, hidden_size)."""
        layers, (_, n, hidden) = self.network["num_layers"], final.shape
        joined = final.reshape(layers, self._directions, n, hidden).transpose(0, 2, 1, 3)
        rows = joined.reshape(layers * n, self._directions * hidden)
        return tuple(np.tanh(bridge(rows)).reshape(layers, n, hidden) for bridge in self._bridge)

    def begin(self, count: int) -> np.ndarray:
        """Return the symbol every answer begins with, ``count`` times."""
        return np.full(count, BEGIN, dtype=np.int64)

    def write(self, symbols: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray]:
        """Take in the last symbol of every hypothesis.

        Parameters
        ----------
        symbols : int64 array of shape (n * hypotheses,)
        state : State

        Returns
        -------
        scores : array of shape (n * hypotheses, target_size)
            Of the next symbol, before softmax.
        state : State
            After it.
        weights : array of shape (memory_time, n, hypotheses)
            Where it looked.
        """
        memory, network = state.memory, self.network
        x = self._symbols[symbols]
        if network["input_feeding"]:
            x = np.concatenate([x, state.fed], axis=1)
        output, recurrent = self._cells.step(x, state.recurrent)
        n = len(memory.lengths)
        query = output if self._query is None else self._query(output)
        context, looked = attend(
            query.reshape(n, -1, query.shape[1]),
            memory,
            kind=network["attention"],
            score=self._weights.get("attention.score"),
        )
        both = np.concatenate([output, context.reshape(len(output), -1)], axis=1)
        fed = np.tanh(self._combine(both))
        return self._head(fed), State(memory, recurrent, fed), looked
