"""What a layer can do otherwise than the plain LSTM or GRU; equations in `recurra.kernels.cells.cell_variants`."""

from collections.abc import Mapping
from dataclasses import dataclass

# Slope of each recurrent activation; 0 is the sigmoid itself.
SLOPES: Mapping[str, float] = {"sigmoid": 0.0, "hard_sigmoid": 1 / 6, "hard_sigmoid_0.2": 0.2}
# What stands under the root beside the variance, as in torch.nn.LayerNorm.
EPSILON = 1e-5
# Weights of one layer in one direction beside those of every layer, in the order of the extension.
EXTRAS = ("peephole", "gain_ih", "gain_hh", "gain_c", "bias_c")


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

    def extras(self, hidden_size: int) -> dict[str, int]:
        """Return how many numbers each weight beside those of every layer has."""
        gates = (4 if self.base == "lstm" else 3) * hidden_size
        sizes = {"peephole": 3 * hidden_size} if self.peepholes else {}
        if self.layer_norm:
            sizes |= {"gain_ih": gates, "gain_hh": gates}
            if self.base == "lstm":
                sizes |= {"gain_c": hidden_size, "bias_c": hidden_size}
        return sizes

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
