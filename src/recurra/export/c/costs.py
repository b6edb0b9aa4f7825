"""What a model's C costs: memory that changes, memory that does not, and multiplications."""

from dataclasses import dataclass

from recurra.export.c.cells import keeps_products_apart
from recurra.export.c.code import constants
from recurra.export.c.layout import Layout, Weights
from recurra.kernels.cell import CELLS


@dataclass(frozen=True)
class Costs:
    """What a model's C costs, on a processor of 32 bits.

    Parameters
    ----------
    state_bytes : int
        RAM of one sequence, the struct NAME_state.
    stack_bytes : int
        RAM on the stack while a row is taken in, about.
    flash_bytes : int
        Weights and tables, without the code, which is some kilobytes.
    multiplications : int
        Of a row, with its answer.
    """

    state_bytes: int
    stack_bytes: int
    flash_bytes: int
    multiplications: int


def costs(layout: Layout, weights: Weights) -> Costs:
    """Return what the C of a model costs."""
    sizes = constants(layout)
    members, layers, hidden, features = (sizes[name] for name in ("MEMBERS", "LAYERS", "HIDDEN", "FEATURES"))
    missing = layout.masks or layout.gaps is not None
    state = 2 + (layout.channels if missing else 0)
    if layout.whole:
        state += layout.longest * (layout.row + 2 * layout.widest)
    else:
        state += members * layers * hidden * (2 if layout.cell_state else 1)
        state += members * layout.remembered
        if layout.windows is not None:
            state += layout.windows.window * layout.row + 1
        if layout.poolings:
            attention = 2 if "attention" in layout.poolings else 0
            state += members * (len(layout.poolings) * features + attention + 1)
    cell = layout.network["cell"]
    blocks = CELLS[cell].blocks * (2 if keeps_products_apart(cell) else 1)
    stack = blocks * hidden + layout.widest + layout.row + sizes["HEAD"] + 2 * layout.answers
    stack += sizes.get("MOST_UNITS", 0)
    if layout.front == "convolution":
        stack += sizes["PLACES"] * sizes["INPUT"]
    doubles = 2 * (layout.channels if layout.scaling is not None else 0) + 2 * layout.targets
    doubles += layout.channels if layout.gaps is not None else 0
    flash = 4 * len(weights.numbers) + len(weights.rounded) + 8 * doubles
    return Costs(4 * state, 4 * stack, flash, _multiplications(layout))


def _multiplications(layout: Layout) -> int:
    sizes = constants(layout)
    hidden, features, rows = sizes["HIDDEN"], sizes["FEATURES"], 1.0
    each = 0.0
    if layout.windows is not None:
        rows = 1 / layout.windows.hop
        if layout.front == "patches":
            each += layout.windows.window * sizes["ROW"] * sizes["INPUT"]
        else:
            first = sizes["PLACES"] * sizes["KERNEL"] * sizes["ROW"] * sizes["INPUT"]
            each += first + sizes["PLACES_2"] * sizes["KERNEL_2"] * sizes["INPUT"] ** 2
    each += sum(layer.weight.size for layer in layout.convolutions())
    width = sizes["INPUT"]
    for _ in range(sizes["LAYERS"]):
        gates = CELLS[layout.network["cell"]].blocks
        each += layout.directions * hidden * (gates * (width + hidden) + 3)
        width = features
    if "attention" in layout.poolings:
        each += features * (features + 3)
    each += sizes["HEAD"] * sizes["OUTPUTS"]
    return round(sizes["MEMBERS"] * each * rows)
