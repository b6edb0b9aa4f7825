"""What each cell is, said once: its gates, states and weights; its equations stand in `recurra.kernels.cells`.

Whoever loops over gates, sizes a weight or names a state reads it here, and compares no names of cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

# Slope of each recurrent activation; 0 is the sigmoid itself.
SLOPES: Mapping[str, float] = {"sigmoid": 0.0, "hard_sigmoid": 1 / 6, "hard_sigmoid_0.2": 0.2}
# What stands under the root beside the variance, as in torch.nn.LayerNorm.
EPSILON = 1e-5
# Weights of one layer in one direction beside those of every layer, in the order of the extension.
EXTRAS = ("peephole", "gain_ih", "gain_hh", "gain_c", "bias_c")


@dataclass(frozen=True)
class Cell:
    """A recurrent cell as data.

    Parameters
    ----------
    name : str
        In options, model files and calls of the kernels.
    title : str
        As people write it.
    code : int
        Its number in ``native/cells.hpp``.
    gates : tuple of str
        Blocks of rows of ``weight_ih`` and ``weight_hh`` in torch's order; empty where there is one block and nothing of it
        is saved but the state.
    mode : str
        ``mode`` of its torch layer: of torch's own where ``in_torch``.
    states : tuple of str, default=("h",)
        What a step carries on; the first is the output.
    keeping_gate : str, optional
        The gate that says how much of a unit's state is kept: 1 keeps all of it. Its bias is what "chrono" spreads.
    writing_gate : str, optional
        The gate that lets new values in, where it is one of its own: "chrono" gives it the opposite bias.
    keeping_bias : float, default=0.0
        Where the bias of the keeping gate begins.
    split_candidate : bool, default=False
        Whether the two products of the last gate are not simply added, so that both biases matter.
    in_torch : bool, default=True
        Whether torch has a layer and an operator for it.
    variant : Variant, optional
        What is otherwise than in the plain cell of this name's base.
    """

    name: str
    title: str
    code: int
    gates: tuple[str, ...]
    mode: str
    states: tuple[str, ...] = ("h",)
    keeping_gate: str | None = None
    writing_gate: str | None = None
    keeping_bias: float = 0.0
    split_candidate: bool = False
    in_torch: bool = True
    variant: "Variant | None" = None

    @cached_property
    def blocks(self) -> int:
        """Blocks of rows of ``weight_ih`` and ``weight_hh``."""
        return max(1, len(self.gates))

    @cached_property
    def initial(self) -> tuple[str, ...]:
        """Names of the states before the first step."""
        return tuple(f"{state}_0" for state in self.states)


PLAIN: Mapping[str, Cell] = {
    cell.name: cell
    for cell in (
        Cell("rnn", "RNN", 0, (), "RNN_TANH"),
        Cell("rnn_relu", "RNN, ReLU", 1, (), "RNN_RELU"),
        Cell(
            "lstm",
            "LSTM",
            2,
            ("i", "f", "g", "o"),
            "LSTM",
            states=("h", "c"),
            keeping_gate="f",
            writing_gate="i",
            keeping_bias=1.0,
        ),
        Cell("gru", "GRU", 3, ("r", "z", "n"), "GRU", keeping_gate="z", split_candidate=True),
    )
}


@dataclass(frozen=True)
class Variant:
    """What a layer does otherwise than the plain LSTM or GRU.

    Parameters
    ----------
    base : {"lstm", "gru"}
    peepholes : bool
        LSTM: the gates see the cell state through a weight for each unit.
    layer_norm : bool
    reset : {"after", "before"}
        GRU: where the reset gate acts, relative to the product with the recurrent weights.
    recurrent_activation : {"sigmoid", "hard_sigmoid", "hard_sigmoid_0.2"}
        Of the gates: the slope of a hard sigmoid is 1/6 (Keras 3, torch) or 0.2 (Keras 1 and 2, MATLAB, ONNX).
    zoneout : (float, float)
        Probabilities that the hidden state and the cell state stay as they were.
    """

    base: str
    peepholes: bool = False
    layer_norm: bool = False
    reset: str = "after"
    recurrent_activation: str = "sigmoid"
    zoneout: tuple[float, float] = (0.0, 0.0)

    @property
    def cell(self) -> Cell:
        """The plain cell."""
        return PLAIN[self.base]

    def extras(self, hidden_size: int) -> dict[str, int]:
        """Return how many numbers each weight beside those of every layer has."""
        gates = self.cell.blocks * hidden_size
        sizes = {"peephole": 3 * hidden_size} if self.peepholes else {}
        if self.layer_norm:
            sizes |= {"gain_ih": gates, "gain_hh": gates}
            if "c" in self.cell.states:
                sizes |= {"gain_c": hidden_size, "bias_c": hidden_size}
        return sizes

    def options(self) -> dict[str, Any]:
        """Return the arguments of the layer that are not the usual ones."""
        usual = vars(Variant(self.base))
        return {name: value for name, value in vars(self).items() if value != usual[name]}

    def numbers(self) -> list[float]:
        """Return what the extension takes."""
        flags = [self.peepholes, self.layer_norm, self.reset == "before"]
        return [*map(float, flags), SLOPES[self.recurrent_activation], *self.zoneout]


# Those that have a name of their own among the cells of a network.
VARIANTS: Mapping[str, Variant] = {
    "lstm_peephole": Variant("lstm", peepholes=True),
    "lstm_norm": Variant("lstm", layer_norm=True),
    "gru_norm": Variant("gru", layer_norm=True),
    "gru_before": Variant("gru", reset="before"),
}
CELLS: Mapping[str, Cell] = {
    **PLAIN,
    **{
        name: replace(
            variant.cell,
            name=name,
            variant=variant,
            split_candidate=variant.cell.split_candidate and variant.reset == "after",
        )
        for name, variant in VARIANTS.items()
    },
}
MODES: Mapping[str, Cell] = {cell.mode: cell for cell in PLAIN.values()}
