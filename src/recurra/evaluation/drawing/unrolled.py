"""Recurrent layers unrolled over a sequence: which weights act where, with their names and shapes."""

from dataclasses import dataclass
from typing import Any

import torch

from recurra.checks import check_number, counted
from recurra.errors import UsageError
from recurra.evaluation.drawing.cells import NAMED, cell_of, module_of
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.sketch import Sketch, written_width

COLUMN = 128.0  # width of a time step
LEFT = 46.0  # before the first step: the initial state
ROW = 92.0  # height of a layer
NARROWEST = 440.0
MAX_LAYERS = 4
MAX_STEPS = 8


@dataclass(frozen=True)
class _Parts:
    """What is drawn: the recurrent layers and what follows them."""

    recurrent: torch.nn.RNNBase
    head: torch.nn.Linear | None
    pooling: str | None


def find_parts(who: str, model_or_cell: Any) -> _Parts:
    """Return the layers of a fitted estimator, a network, a layer, or a cell by its name.

    Raises
    ------
    UsageError
        If there are none.
    """
    thing = model_or_cell
    if isinstance(thing, str):
        return _Parts(module_of(who, thing, 12, 100), None, None)
    if hasattr(thing, "torch_network"):
        thing = thing.torch_network()
    if isinstance(thing, torch.nn.RNNBase):
        return _Parts(thing, None, None)
    found = (
        {n: m for n, m in thing.named_modules() if isinstance(m, torch.nn.RNNBase)}
        if hasattr(thing, "named_modules")
        else {}
    )
    if "recurrent" in found:  # what reads the letters of words is a part of the front
        found = {"recurrent": found["recurrent"]}
    if len(found) > 1:
        call = "network" if thing is model_or_cell else "estimator.torch_network()"
        raise UsageError(
            f"{who}: {type(model_or_cell).__name__} has {len(found)} recurrent layers; give one of them, such as "
            f"{call}.{next(iter(found))}."
        )
    if not found:
        raise UsageError(
            f"{who}: needs a fitted estimator, a network with one RNN, LSTM or GRU inside, such a layer, or one of "
            f"{', '.join(map(repr, NAMED))}; got {type(model_or_cell).__name__}."
        )
    head = getattr(thing, "head", None)
    config = getattr(thing, "config", None)
    return _Parts(
        next(iter(found.values())),
        head if isinstance(head, torch.nn.Linear) else None,
        getattr(config, "pooling", None),
    )


def unrolled(model_or_cell: Any, *, steps: int = 4) -> Drawing:
    """Draw a recurrent network unrolled over a sequence.

    Every column is a time step; the same weights act in each. Below, every weight with its name in the state
    dict and its shape.

    Parameters
    ----------
    model_or_cell : fitted estimator, SequenceNetwork, torch.nn.RNN, LSTM or GRU, or {"rnn", "lstm", "gru"}
        What to draw; a cell by its name has 12 inputs and 100 units.
    steps : int, default=4
        Columns, in 2..8; the last stands for the last step of the sequence.

    Returns
    -------
    Drawing

    Raises
    ------
    UsageError
        If there is no recurrent layer, there are more than four, or steps is out of range.
    """
    who = "draw.unrolled"
    check_number(who, "steps", steps, integer=True, low=2, high=MAX_STEPS)
    parts = find_parts(who, model_or_cell)
    module = parts.recurrent
    if module.num_layers > MAX_LAYERS:
        raise UsageError(f"{who}: at most {MAX_LAYERS} layers can be drawn; got {module.num_layers}.")
    sketch = Sketch()
    directions = 2 if module.bidirectional else 1
    row = ROW + (56 if directions == 2 else 0)
    top = 66.0 if parts.head is not None else 40.0
    bottom = top + module.num_layers * row
    for layer in range(module.num_layers):
        _layer(sketch, module, layer, steps, base=bottom - layer * row, row=row)
    _inputs(sketch, steps, bottom)
    _outputs(sketch, parts, steps, top)
    # Two or three steps alone would leave the table below too little room.
    width = max(LEFT + steps * COLUMN + 12, NARROWEST)
    height = _table(sketch, parts, bottom + 68, width)
    cell = cell_of(module).title
    return sketch.drawing(width, height, title=f"{cell} unrolled over time", description=_words(parts, steps))


def _x(step: int) -> float:
    return LEFT + (step + 0.5) * COLUMN


def _index(step: int, steps: int) -> str:
    return "T" if step == steps - 1 else str(step + 1)


def _inputs(sketch: Sketch, steps: int, bottom: float) -> None:
    for step in range(steps):
        x = _x(step)
        sketch.circle(x, bottom + 22, 17)
        sketch.text(x, bottom + 26, f"x_{{{_index(step, steps)}}}", anchor="middle")
    sketch.text(LEFT + (steps - 1) * COLUMN, bottom + 26, "…", anchor="middle", role="muted")


def _layer(
    sketch: Sketch, module: torch.nn.RNNBase, layer: int, steps: int, *, base: float, row: float
) -> None:
    """Draw one layer; ``base`` is where its inputs come from, ``base - row`` where its outputs go."""
    name = cell_of(module).title.split(",")[0]
    both = module.bidirectional
    width = 52.0 if both else 70.0
    shift = -31.0 if both else 0.0
    upper = {False: base - 74 if not both else base - 68, True: base - 126}  # upper edge of the boxes
    start = base + 5 if layer == 0 else base
    for step in range(steps):
        for reverse in (False, True)[: 2 if both else 1]:
            x = _x(step) + (-shift if reverse else shift)
            y = upper[reverse]
            sketch.box(x - width / 2, y, width, 40, role="purple" if reverse else "blue", fill=0.14)
            sketch.text(x, y + 25, name, anchor="middle", bold=True)
            bent = [(_x(step), start), (_x(step), base - 8), (x, base - 8)] if both else [(x, start)]
            sketch.line([*bent, (x, y + 40)], arrow=True, role="blue")
            end = base - row
            sketch.line(
                [(x, y), (x, end + 8), (_x(step), end + 8)] if both else [(x, y), (x, end + 6)],
                arrow=not both,
            )
            _recurrent(sketch, step, steps, x, y + 20, width, reverse)
        if both:
            sketch.line(
                [(_x(step), base - row + 8), (_x(step), base - row)], arrow=layer == module.num_layers - 1
            )
    if layer == 0 and not both:
        sketch.text(_x(0) + 6, base - 14, "W_{ih}", role="blue")
    label_x = _x(0) + COLUMN / 2
    if not both:
        sketch.text(label_x, upper[False] + 12, "W_{hh}", role="orange", anchor="middle")


def _recurrent(
    sketch: Sketch, step: int, steps: int, x: float, y: float, width: float, reverse: bool
) -> None:
    """The arrow that brings a cell the state before."""
    dots = step == steps - 1
    if reverse:
        last = step == steps - 1
        begin = x + COLUMN - width / 2 if not last else x + width / 2 + 14
        gap = step == steps - 2
        sketch.line([(begin, y), (x + width / 2, y)], role="orange", arrow=True, dashed=gap)
        return
    begin = x - COLUMN + width / 2 if step else x - width / 2 - 26
    sketch.line([(begin, y), (x - width / 2, y)], role="orange", arrow=True, dashed=dots)


def _outputs(sketch: Sketch, parts: _Parts, steps: int, top: float) -> None:
    per_step = parts.pooling == "none" or parts.head is None
    for step in range(steps):
        sketch.text(_x(step) + 8, top - 1, f"h_{{{_index(step, steps)}}}")
    if parts.head is None:
        return
    if per_step:
        for step in range(steps):
            sketch.line([(_x(step), top), (_x(step), 30)], arrow=True, role="green")
            sketch.text(_x(step), 24, f"y_{{{_index(step, steps)}}}", anchor="middle", role="green")
        return
    x = _x(steps - 1)
    if parts.pooling == "last" and not parts.recurrent.bidirectional:
        sketch.line([(x, top), (x, 30)], arrow=True, role="green")
        sketch.text(x, 24, "y", anchor="middle", role="green")
        return
    words = "ends of both directions" if parts.pooling == "last" else f"{parts.pooling} over time"
    sketch.line([(_x(0), 44), (x, 44)], arrow=False, role="green")
    for step in range(steps):
        sketch.line([(_x(step), top), (_x(step), 44)], role="green")
    middle = (_x(0) + x) / 2
    sketch.line([(middle, 44), (middle, 26)], arrow=True, role="green")
    sketch.text(middle, 20, "y", anchor="middle", role="green")
    sketch.text(middle + 14, 36, words, size=14, role="green")


def _shape(tensor: torch.Tensor) -> str:
    return " × ".join(f"{size:,}" for size in tensor.shape)


def _rows(parts: _Parts) -> list[tuple[str, str, str, str]]:
    """Symbol, name, shape and colour of everything drawn."""
    module = parts.recurrent
    state = f"{counted(module.hidden_size, 'number')}" + (
        " and cell state c, as many" if "c" in cell_of(module).states else ""
    )
    both = ", twice: forward and backward" if module.bidirectional else ""
    rows = [("x_{t}", "input of a step", counted(module.input_size, "number"), "ink")]
    for layer in range(module.num_layers):
        for suffix in ("", "_reverse") if module.bidirectional else ("",):
            for symbol, word, role in (("W_{ih}", "weight_ih", "blue"), ("W_{hh}", "weight_hh", "orange")):
                name = f"{word}_l{layer}{suffix}"
                rows.append((symbol, name, _shape(getattr(module, name)), role))
    rows.append(("h_{t}", "state" + both, state, "ink"))
    if parts.head is not None:
        rows.append(("y", "head.weight", _shape(parts.head.weight), "green"))
    return rows


def _table(sketch: Sketch, parts: _Parts, y: float, width: float) -> float:
    """Write the names and shapes below the picture; return the height reached."""
    rows = _rows(parts)
    names = max(written_width(name, 15) for _, name, _, _ in rows)
    # With few steps the picture is narrow: what it is goes above the numbers.
    third = 64 + names + 22
    narrow = any(third + written_width(shape, 15) > width - 8 for _, _, shape, _ in rows)
    for symbol, name, shape, role in rows:
        sketch.text(16, y, symbol, role=role)
        sketch.text(64, y, name)
        if narrow:
            y += 20
            sketch.text(80, y, shape, role="muted", size=14)
        else:
            sketch.text(third, y, shape, role="muted")
        y += 24
    return y - 8


def _words(parts: _Parts, steps: int) -> str:
    module = parts.recurrent
    cell = cell_of(module).title
    kind = "bidirectional " if module.bidirectional else ""
    layers = f"{module.num_layers} layers" if module.num_layers > 1 else "one layer"
    weights = "; ".join(f"{name} {shape}" for _, name, shape, _ in _rows(parts))
    return f"A {kind}{cell} of {layers} drawn at {steps} time steps; the same weights act at each: {weights}."
