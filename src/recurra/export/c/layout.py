"""`Layout`: the sizes of a model's C, and all of its weights as one array with a place for each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import UsageError
from recurra.export.c.cells import has_step
from recurra.export.model.boundary import Exported
from recurra.export.model.rounding import rounded
from recurra.features.rows.missing import FilledGaps, MissingMask
from recurra.features.rows.scaling import Scaling
from recurra.features.windows.sliding import Windows
from recurra.kernels.cell import CELLS, EXTRAS
from recurra.kernels.fronts.convolutions import Folded, folded
from recurra.kernels.fronts.front import front_weights, recurrent_input_size
from recurra.kernels.heads.pooling import split_pooling
from recurra.kernels.networks.stack import layer_weights

FRONTS = ("embedding", "patches", "convolution", "convolutions")


def check_c(exported: Exported) -> None:
    """Raise UsageError unless the C that is written can hold a model."""
    network = exported.inside.manifest["network"]
    front = (network.get("front") or {}).get("name")
    if exported.model.static is not None:
        raise UsageError(
            "export: the C that is written has no place for static inputs; train without static=, or export to ONNX."
        )
    if exported.model.wide is not None:
        raise UsageError(
            "export: the linear part of this model counts thousands of responses over the whole sequence, too much for the "
            "C that is written; train with wide=False, or export to ONNX."
        )
    if not has_step(network["cell"]):
        raise UsageError(
            f"export: the C that is written knows no cell={network['cell']!r}; train with 'lstm' or 'gru', or run the model "
            "with recurra.load_model(path)."
        )
    if network.get("crf"):
        raise UsageError(
            "export: the C that is written chooses the label of each step by itself, and crf=True chooses them together; "
            "train with crf=False, or export to ONNX."
        )
    if front not in (None, *FRONTS):
        what = "images" if front == "small_cnn" else "words and letters"
        raise UsageError(
            f"export: the C that is written reads rows of numbers, and this network reads {what}; export to ONNX."
        )
    if exported.outside is not None and exported.outside.reads_numbers:
        raise UsageError(
            "export: the features of this model are not computed by the C that is written; train on the raw channels with "
            "frontend='convolutions', or export to ONNX, whose file reads rows of features."
        )
    if exported.per_step and not exported.inside.features.keeps_steps:
        raise UsageError(
            "export: the C that is written cannot answer every step from windows; train with frontend='convolutions', or "
            "export to ONNX."
        )


def check_name(name: str) -> str:
    """Return a name that C takes, made of letters, digits and underscores.

    Raises
    ------
    UsageError
        If there is none in it.
    """
    made = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    if not made:
        raise UsageError(
            f"export: name must have a letter to become names of functions in C; got {name!r}. Give another."
        )
    return made if made[0].isalpha() else f"net_{made}"


@dataclass(frozen=True)
class Layout:
    """The sizes of a model's C, and its weights.

    Parameters
    ----------
    exported : Exported
    name : str
        Before every public name of the C.
    longest : int
        Most rows of a sequence, where the whole of it has to be there.
    int8 : bool, default=False
        Whether the matrices of the recurrence and of the head have eight bits a number; ``exported`` is then of
        `recurra.export.model.rounding.in_int8`.
    """

    exported: Exported
    name: str
    longest: int
    int8: bool = False

    @property
    def network(self) -> Mapping[str, Any]:
        """The description of the network."""
        network: Mapping[str, Any] = self.exported.inside.manifest["network"]
        return network

    @property
    def front(self) -> str:
        """Name of the front, empty without one."""
        return str((self.network.get("front") or {}).get("name", ""))

    @property
    def whole(self) -> bool:
        """Whether the whole sequence has to be there before anything can be answered."""
        causal = (self.network.get("front") or {}).get("causal", True)
        return bool(self.network["bidirectional"]) or not causal

    @property
    def cell_state(self) -> bool:
        """Whether a layer has a state beside h."""
        return "c" in CELLS[self.network["cell"]].states

    @property
    def has_extras(self) -> bool:
        """Whether a layer has weights beside matrices and biases."""
        variant = CELLS[self.network["cell"]].variant
        return variant is not None and bool(variant.extras(1))

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 2 if self.network["bidirectional"] else 1

    @property
    def features(self) -> int:
        """Numbers of a state of the last layer, its directions side by side."""
        return self.directions * int(self.network["hidden_size"])

    @property
    def poolings(self) -> tuple[str, ...]:
        """Names of the poolings; empty with an answer per step."""
        return () if self.exported.per_step else split_pooling(self.network["pooling"])

    @property
    def channels(self) -> int:
        """Numbers of a raw row."""
        return self.exported.inside.features.n_channels

    @property
    def masks(self) -> bool:
        """Whether missing values are filled and marked."""
        return any(isinstance(step, MissingMask) for step in self.exported.inside.features.steps)

    @property
    def gaps(self) -> FilledGaps | None:
        """What fills missing values without marking them, where that is done."""
        found = [step for step in self.exported.inside.features.steps if isinstance(step, FilledGaps)]
        return found[0] if found else None

    @property
    def row(self) -> int:
        """Numbers of a row behind scaling and marks."""
        return self.channels * (2 if self.masks else 1)

    @property
    def scaling(self) -> Scaling | None:
        """The scaling, where there is one."""
        found = [s for s in self.exported.inside.features.steps if isinstance(s, Scaling)]
        return found[0] if found and found[0].kind != "none" else None

    @property
    def windows(self) -> Windows | None:
        """The windows that the front reads."""
        found = [s for s in self.exported.inside.features.steps if isinstance(s, Windows)]
        return found[0] if found else None

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Quantiles that are answered."""
        return tuple(self.exported.inside.manifest["target"].get("quantiles", ()))

    @property
    def targets(self) -> int:
        """Numbers to predict; 0 where a class is."""
        return len(self.exported.inside.manifest["target"].get("center", ()))

    @property
    def answers(self) -> int:
        """Numbers of an answer: probabilities, or numbers and behind them their quantiles."""
        size = int(self.network["output_size"])
        return size + self.targets if self.quantiles else size

    @property
    def input(self) -> int:
        """Numbers the first layer reads."""
        return int(recurrent_input_size(self.network))

    def convolutions(self, member: int = 0) -> list[Folded]:
        """Return the convolutions of a member, their normalization folded in."""
        if self.front != "convolutions":
            return []
        return folded(self.network["front"], front_weights(self.exported.inside.members[member]))

    @property
    def widest(self) -> int:
        """Most numbers of a row anywhere."""
        filters = [len(layer.bias) for layer in self.convolutions()]
        return max([self.row, self.input, self.features, *filters])

    @property
    def remembered(self) -> int:
        """Numbers that causal convolutions remember."""
        layers = [] if self.whole else self.convolutions()
        return sum((layer.span + 1) * (layer.weight.shape[1] // layer.kernel) for layer in layers)


class Weights:
    """All weights of a model one after the other, inputs before units, as `Layout` and the C read them.

    Parameters
    ----------
    layout : Layout

    Attributes
    ----------
    members : list of dict of str to object
        Of each member: places by name, ``layers`` as (width, input, recurrent, bias) for each layer and direction, and
        behind them with eight bits the places of the factors of both matrices, in a variant that of what it has besides.
    """

    def __init__(self, layout: Layout) -> None:
        self._int8 = layout.int8
        self._bytes: list[np.ndarray] = []
        self._byte_size = 0
        self._parts: list[np.ndarray] = []
        self._size = 0
        self.members = [self._member(layout, number) for number in range(len(layout.exported.inside.members))]

    @property
    def numbers(self) -> np.ndarray:
        """Every weight: float32 of shape (weights,)."""
        return np.concatenate(self._parts)

    @property
    def rounded(self) -> np.ndarray:
        """Every weight of eight bits: int8 of shape (weights,)."""
        return np.concatenate(self._bytes) if self._bytes else np.empty(0, np.int8)

    def _matrix(self, weight: np.ndarray) -> tuple[int, ...]:
        """Return the place of a matrix (units, inputs), and with eight bits that of its factors."""
        if not self._int8:
            return (self._place(weight.T),)
        whole, factors = rounded(weight)
        place = self._byte_size
        self._bytes.append(np.ascontiguousarray(whole.T).reshape(-1))
        self._byte_size += whole.size
        return (place, self._place(factors))

    def _recurrent(self, cell: str, weight: np.ndarray) -> tuple[int, ...]:
        """Return the place of a recurrent matrix; that of a candidate which sees the reset state stands by itself."""
        if cell != "gru_before":
            return self._matrix(weight)
        gates = 2 * weight.shape[1]
        places = [self._place(part.T) for part in (weight[:gates], weight[gates:])]
        return (places[0],)

    def _place(self, array: np.ndarray) -> int:
        place = self._size
        self._parts.append(np.ascontiguousarray(array, np.float32).reshape(-1))
        self._size += self._parts[-1].size
        return place

    def _member(self, layout: Layout, number: int) -> dict[str, Any]:
        network, weights = layout.network, layout.exported.inside.members[number]
        layers = []
        for layer in range(network["num_layers"]):
            for direction in range(layout.directions):
                own = layer_weights(weights, layer=layer, reverse=direction == 1, prefix="recurrent.")
                separate = CELLS[network["cell"]].split_candidate
                biases = [own["bias_ih"], own["bias_hh"]]
                bias = np.concatenate(biases) if separate else biases[0] + biases[1]
                matrices = [
                    self._matrix(own["weight_ih"]),
                    self._recurrent(network["cell"], own["weight_hh"]),
                ]
                first = (matrices[0][0], matrices[1][0], self._place(bias))
                behind = [m[1] for m in matrices if len(m) > 1]
                if layout.has_extras:
                    behind.append(self._place(np.concatenate([own[word] for word in EXTRAS if word in own])))
                layers.append((own["weight_ih"].shape[1], *first, *behind))
        found: dict[str, Any] = {"layers": layers}
        found |= self._front(layout, number, front_weights(weights))
        if "attention" in layout.poolings:
            found["score"] = self._place(weights["pooling.weight"].T)
            found["score_bias"] = self._place(weights["pooling.bias"])
            found["context"] = self._place(weights["pooling.context"])
        names = ("head", "head_factors")
        found |= dict(zip(names, self._matrix(weights["head.weight"]), strict=False))
        found["head_bias"] = self._place(weights["head.bias"])
        return found

    def _front(self, layout: Layout, number: int, weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
        if layout.front == "embedding":
            return {"table": self._place(weights["weight"])}
        if layout.front == "patches":
            return {"front": self._place(weights["weight"].T), "front_bias": self._place(weights["bias"])}
        if layout.front == "convolution":
            found = {}
            for end in ("", "_2"):  # (filters, channels, kernel) as kernel, channels, filters
                found[f"front{end}"] = self._place(weights[f"weight{end}"].transpose(2, 1, 0))
                found[f"front_bias{end}"] = self._place(weights[f"bias{end}"])
            return found
        if layout.front == "convolutions":
            layers = layout.convolutions(number)
            return {
                "kernels": [self._place(layer.weight.T) for layer in layers],
                "kernel_biases": [self._place(layer.bias) for layer in layers],
            }
        return {}
