"""ONNX's LSTM, GRU and RNN as recurra's layers: gates in torch's order, lengths, both directions and given states."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import DataError
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.cells.rnn import RNN
from recurra.nn.imported.stages import within

# ONNX's blocks in torch's order: of i, o, f, c those of i, f, c, o; of z, r, h those of r, z, h.
BLOCKS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
ACTIVATIONS = {
    "LSTM": (("Sigmoid", "Tanh", "Tanh"), ("HardSigmoid", "Tanh", "Tanh")),
    "GRU": (("Sigmoid", "Tanh"), ("HardSigmoid", "Tanh")),
    "RNN": (("Tanh",), ("Relu",)),
}
HARD = {0.2: "hard_sigmoid_0.2", 1 / 6: "hard_sigmoid"}  # by ONNX's alpha; beta is 0.5


class RecurrentNode(nn.Module):
    """A node of an ONNX graph as a recurrent layer.

    Parameters
    ----------
    kind : {"LSTM", "GRU", "RNN"}
    attributes : mapping
        Of the node.
    W, R : Tensor of shape (directions, gates * hidden, input or hidden)
    B : Tensor of shape (directions, 2 * gates * hidden), optional
    P : Tensor of shape (directions, 3 * hidden), optional
        Peepholes.

    Raises
    ------
    DataError
        If the node is one that recurra's layers cannot stand for; the message says why.
    """

    def __init__(
        self,
        kind: str,
        attributes: Mapping[str, Any],
        W: Tensor,
        R: Tensor,
        B: Tensor | None = None,
        P: Tensor | None = None,
    ) -> None:
        super().__init__()
        gates = len(BLOCKS[kind])
        if W.ndim != 3 or R.ndim != 3 or R.shape[1] != gates * R.shape[2] or W.shape[:2] != R.shape[:2]:
            raise DataError(f"its weights W {tuple(W.shape)} and R {tuple(R.shape)} do not fit a {kind}.")
        if not W.shape[2] or not R.shape[2]:
            raise DataError("it has no inputs or no units.")
        hidden = R.shape[2]
        directions = {"forward": 1, "reverse": 1, "bidirectional": 2}.get(
            str(attributes.get("direction", "forward"))
        )
        if directions != W.shape[0] or attributes.get("hidden_size", hidden) != hidden:
            raise DataError(
                f"its direction or hidden_size does not fit its weights of shape {tuple(W.shape)}."
            )
        which = _check(kind, attributes, directions)
        self.reverse = attributes.get("direction") == "reverse"
        self.batch_first = bool(attributes.get("layout", 0))
        self.directions = directions
        options: dict[str, Any] = {"bidirectional": directions == 2}
        if kind == "RNN":
            options["nonlinearity"] = "relu" if which[0] == "Relu" else "tanh"
        elif which[0] == "HardSigmoid":
            options["recurrent_activation"] = _hard(attributes)
        if kind == "GRU" and not attributes.get("linear_before_reset", 0):
            options["reset"] = "before"
        if P is not None and bool((P != 0).any()):
            if P.shape != (directions, 3 * hidden):
                raise DataError(f"its peepholes have shape {tuple(P.shape)}, not {(directions, 3 * hidden)}.")
            options["peepholes"] = True
        layers: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
        self.layer = layers[kind](W.shape[2], hidden, **options)
        order = torch.cat([torch.arange(hidden) + block * hidden for block in BLOCKS[kind]])
        if B is None:
            B = torch.zeros(directions, 2 * gates * hidden)
        if B.shape != (directions, 2 * gates * hidden):
            raise DataError(
                f"its biases have shape {tuple(B.shape)}, not {(directions, 2 * gates * hidden)}."
            )
        with torch.no_grad():
            for number, end in enumerate(("", "_reverse")[:directions]):
                ih, hh = B[number].chunk(2)
                for name, own in (
                    ("weight_ih", W[number]),
                    ("weight_hh", R[number]),
                    ("bias_ih", ih),
                    ("bias_hh", hh),
                ):
                    getattr(self.layer, f"{name}_l0{end}").copy_(own[order])
                if P is not None and options.get("peepholes"):
                    i, o, f = P[number].chunk(3)
                    getattr(self.layer, f"peephole_l0{end}").copy_(torch.cat([i, f, o]))

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        h_0: Tensor | None = None,
        c_0: Tensor | None = None,
    ) -> list[Tensor]:
        """Return Y, Y_h and of an LSTM Y_c, in ONNX's shapes."""
        if self.batch_first:
            x = x.transpose(0, 1)
            h_0, c_0 = (None if s is None else s.transpose(0, 1).contiguous() for s in (h_0, c_0))
        steps, batch = x.shape[:2]
        if self.reverse:
            x = turned(x, lengths)
        hx: Any = h_0
        if isinstance(self.layer, LSTM):
            zeros = x.new_zeros(self.directions, batch, self.layer.hidden_size)
            hx = (zeros if h_0 is None else h_0, zeros if c_0 is None else c_0)
        output, state = self.layer(x, hx, lengths=lengths)
        if self.reverse:
            output = turned(output, lengths)
        found = [output.reshape(steps, batch, self.directions, -1).transpose(1, 2)]
        found += state if isinstance(state, tuple) else [state]
        if self.batch_first:
            found = [found[0].permute(2, 0, 1, 3), *(s.transpose(0, 1) for s in found[1:])]
        return found


def turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return (time, batch, channels) with the valid rows of each sequence from its end."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(len(x), device=x.device)[:, None]
    places = torch.where(within(lengths, len(x)).T, lengths[None, :] - 1 - steps, steps)
    return x.gather(0, places[..., None].expand(-1, -1, x.shape[2]))


def _hard(attributes: Mapping[str, Any]) -> str:
    """Return which hard sigmoid a node has; those of both directions must be alike."""
    alphas, betas = attributes.get("activation_alpha", [0.2]), attributes.get("activation_beta", [0.5])
    for alpha, name in HARD.items():
        if (
            alphas
            and betas
            and max(abs(one - alpha) for one in alphas) + max(abs(one - 0.5) for one in betas) < 1e-6
        ):
            return name
    raise DataError(f"its HardSigmoid is not one of recurra's: alpha {alphas}, beta {betas}.")


def _check(kind: str, attributes: Mapping[str, Any], directions: int) -> Sequence[str]:
    """Return the activations of a node; raise DataError where it is another cell than recurra's."""
    first = ACTIVATIONS[kind][0]
    names = tuple(str(name) for name in attributes.get("activations", first * directions))
    own = names[: len(first)]
    if names != own * directions or own not in ACTIVATIONS[kind]:
        raise DataError(f"its activations {', '.join(names)} are not those of recurra's cells.")
    if attributes.get("input_forget", 0):
        raise DataError("its input gate is made of its forget gate (input_forget), which is another cell.")
    if attributes.get("clip") is not None:
        raise DataError("it clips what goes into its gates (clip), which recurra's cells do not.")
    return own
