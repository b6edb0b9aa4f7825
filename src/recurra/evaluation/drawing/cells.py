"""The insides of the recurrent cells side by side, each gate with its equation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from recurra.checks import check_choice, check_number, counted
from recurra.errors import UsageError
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.sketch import Sketch, written_width
from recurra.kernels.cell import MODES, PLAIN, Cell
from recurra.nn.random_generators import OwnDraws

PANEL = 224.0  # width of one cell
DIAGRAM = 196.0  # height of its diagram
LINE = 25.0


def cell_of(module: torch.nn.RNNBase) -> Cell:
    """Return what a layer is made of."""
    return MODES[module.mode]


def compare(*cells: Any, input_size: int = 12, hidden_size: int = 100) -> Drawing:
    """Draw the insides of cells side by side, with the equation of each gate and the weights it costs.

    Parameters
    ----------
    *cells : {"rnn", "lstm", "gru"} or torch.nn.RNN, LSTM, GRU
        One to four; all three by default.
    input_size, hidden_size : int
        Sizes of the cells given by name.

    Returns
    -------
    Drawing

    Raises
    ------
    UsageError
        If there are more than four, or one is no cell.
    """
    who = "draw.compare"
    check_number(who, "input_size", input_size, integer=True, low=1)
    check_number(who, "hidden_size", hidden_size, integer=True, low=1)
    given = cells or NAMED
    if len(given) > 4:
        raise UsageError(f"{who}: at most four cells fit side by side; got {len(given)}.")
    modules = [module_of(who, cell, input_size, hidden_size) for cell in given]
    sketch = Sketch()
    drawn = [cell_of(module) for module in modules]
    rows = max(len(PANELS[cell.name].equations) for cell in drawn)
    for place, module in enumerate(modules):
        _panel(sketch, module, 8 + place * (PANEL + 8), rows)
    names = [cell.title for cell in drawn]
    words = " ".join(
        f"{cell.title}: {'; '.join(_plain(e) for e in PANELS[cell.name].equations)}." for cell in drawn
    )
    height = 58 + DIAGRAM + 14 + rows * LINE + 54
    return sketch.drawing(
        8 + len(modules) * (PANEL + 8), height, title=f"Inside {', '.join(names)}", description=words
    )


def module_of(who: str, cell: Any, input_size: int, hidden_size: int) -> torch.nn.RNNBase:
    """Return the layer a cell is, or one made of its name."""
    if isinstance(cell, torch.nn.RNNBase):
        return cell
    check_choice(who, "cell", cell, NAMED)
    with OwnDraws():
        return getattr(torch.nn, PLAIN[cell].mode.partition("_")[0])(input_size, hidden_size)


def _panel(sketch: Sketch, module: torch.nn.RNNBase, left: float, rows: int) -> None:
    cell = cell_of(module)
    panel = PANELS[cell.name]
    middle = left + PANEL / 2
    sketch.text(middle, 22, cell.title, size=18, anchor="middle", bold=True)
    sketch.text(middle, 43, panel.caption, anchor="middle", role="muted")
    sketch.box(left, 54, PANEL, DIAGRAM, role="grid", round=8)
    panel.diagram(_Placed(sketch, left + 4, 58))
    y = 54 + DIAGRAM + 26
    for equation in panel.equations:
        size = min(15.0, 15.0 * (PANEL - 2) / written_width(equation, 15.0))
        sketch.text(left + 2, y, equation, size=size)
        y += LINE
    y = 54 + DIAGRAM + 26 + rows * LINE + 4
    count = sum(p.numel() for p in module.parameters())
    kinds = f"{cell.blocks} blocks of weights" if cell.blocks > 1 else "1 block of weights"
    sketch.text(left + 2, y, kinds, size=14, role="muted")
    sizes = f"{module.input_size} in, {counted(module.hidden_size, 'unit')}: {count:,}"
    sketch.text(left + 2, y + 19, sizes, size=14, role="muted")


class _Placed:
    """A sketch with its origin moved, and the symbols that cells are drawn with."""

    def __init__(self, sketch: Sketch, x: float, y: float) -> None:
        self.sketch, self.x, self.y = sketch, x, y

    def line(self, *points: tuple[float, float], role: str = "ink", arrow: bool = True) -> None:
        self.sketch.line([(self.x + x, self.y + y) for x, y in points], role=role, arrow=arrow)

    def text(self, x: float, y: float, text: str, **words: Any) -> None:
        self.sketch.text(self.x + x, self.y + y, text, anchor="middle", **words)

    def sign(self, x: float, y: float, sign: str) -> None:
        self.sketch.circle(self.x + x, self.y + y, 10)
        self.text(x, y + 5, sign, size=15)

    def gate(self, x: float, name: str, function: str, *, y: float = 112, role: str = "blue") -> None:
        """A box centred at x with the gate's name and its squashing function."""
        self.sketch.box(self.x + x - 20, self.y + y, 40, 40, role=role, fill=0.14, round=5)
        self.text(x, y + 17, name, size=15, bold=True)
        self.text(x, y + 34, function, size=13)

    def inputs(self, *gates: float) -> None:
        """Lead x and the state before into every gate from below."""
        self.line((18, 172), (max(gates), 172), arrow=False)
        for gate in gates:
            self.line((gate, 172), (gate, 153))
        self.text(9, 164, "h′")
        self.text(9, 188, "x")
        self.line((18, 183), (26, 172), arrow=False)


def _rnn(p: _Placed, function: str = "tanh") -> None:
    p.inputs(108)
    p.gate(108, "h", function, role="orange")
    p.line((108, 112), (108, 40), (196, 40))
    p.text(206, 45, "h")


def _lstm(p: _Placed) -> None:
    p.inputs(38, 85, 132, 180)
    for x, name, function in ((38, "f", "σ"), (85, "i", "σ"), (132, "g", "tanh"), (180, "o", "σ")):
        p.gate(x, name, function, role="orange" if name == "g" else "blue")
    p.text(9, 35, "c′", role="green")
    p.line((4, 42), (28, 42), role="green")
    p.sign(38, 42, "×")
    p.line((48, 42), (98.5, 42), role="green")
    p.sign(108.5, 42, "+")
    p.line((118.5, 42), (202, 42), role="green")
    p.text(208, 35, "c", role="green")
    p.line((38, 112), (38, 52))
    p.sign(108.5, 82, "×")
    p.line((85, 112), (85, 82), (98.5, 82))
    p.line((132, 112), (132, 82), (118.5, 82))
    p.line((108.5, 72), (108.5, 52))
    p.line((180, 42), (180, 54), arrow=False)
    p.sketch.box(p.x + 162, p.y + 54, 36, 18, round=4)
    p.text(180, 67.5, "tanh", size=13)
    p.line((180, 72), (180, 80), arrow=False)
    p.sign(180, 90, "×")
    p.line((180, 112), (180, 100))
    p.line((190, 90), (204, 90))
    p.text(210, 95, "h")


def _gru(p: _Placed) -> None:
    p.inputs(44, 98, 176)
    p.gate(44, "z", "σ")
    p.gate(98, "r", "σ")
    p.gate(176, "n", "tanh", role="orange")
    p.line((118, 132), (156, 132))
    p.text(137, 125, "r⊙q", size=13)
    p.text(9, 35, "h′", role="green")
    p.line((4, 42), (34, 42), role="green")
    p.sign(44, 42, "×")
    p.line((54, 42), (166, 42), role="green")
    p.sign(176, 42, "+")
    p.line((186, 42), (202, 42), role="green")
    p.text(208, 35, "h", role="green")
    p.line((44, 112), (44, 52))
    p.line((44, 82), (166, 82))
    p.text(104, 77, "1 − z", size=13)
    p.sign(176, 82, "×")
    p.line((176, 112), (176, 92))
    p.line((176, 72), (176, 52))


@dataclass(frozen=True)
class _Panel:
    """How a cell is drawn: what it does in a few words, its equations, and its diagram.

    The state before the step is written h′ and c′.
    """

    caption: str
    equations: tuple[str, ...]
    diagram: Callable[[_Placed], None]


PANELS: dict[str, _Panel] = {
    "rnn": _Panel("overwrites its state", ("h = tanh(W x + U h′ + b)",), _rnn),
    "rnn_relu": _Panel("overwrites its state", ("h = max(0, W x + U h′ + b)",), lambda p: _rnn(p, "ReLU")),
    "lstm": _Panel(
        "adds to a kept state",
        (
            "i = σ(W_{i} x + U_{i} h′ + b_{i})",
            "f = σ(W_{f} x + U_{f} h′ + b_{f})",
            "g = tanh(W_{g} x + U_{g} h′ + b_{g})",
            "o = σ(W_{o} x + U_{o} h′ + b_{o})",
            "c = f ⊙ c′ + i ⊙ g",
            "h = o ⊙ tanh(c)",
        ),
        _lstm,
    ),
    "gru": _Panel(
        "blends old and new",
        (
            "r = σ(W_{r} x + U_{r} h′ + b_{r})",
            "z = σ(W_{z} x + U_{z} h′ + b_{z})",
            "q = U_{n} h′ + b_{hn}",
            "n = tanh(W_{n} x + b_{in} + r ⊙ q)",
            "h = (1 − z) ⊙ n + z ⊙ h′",
        ),
        _gru,
    ),
}
# Those that a name makes.
NAMED = tuple(name for name in PANELS if name != "rnn_relu")


def _plain(equation: str) -> str:
    return equation.replace("_{", "").replace("}", "")
