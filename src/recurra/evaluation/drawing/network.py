"""A whole network from input to answer, with shapes and parameter counts."""

from dataclasses import dataclass
from typing import Any

import torch

from recurra.errors import UsageError
from recurra.evaluation.drawing.cells import TITLES, cell_of
from recurra.evaluation.drawing.sketch import Drawing, Sketch
from recurra.evaluation.drawing.unrolled import find_parts
from recurra.kernels.heads.pooling import split_pooling

WIDTH = 480.0
BOX = 54.0
GAP = 24.0

POOLINGS = {
    "last": "state after the last step",
    "mean": "mean over time",
    "max": "maximum over time",
    "attention": "attention over time",
}


@dataclass(frozen=True)
class _Block:
    title: str
    shape: str  # of what comes out
    parameters: int
    note: str = ""
    role: str = "ink"


def network(estimator: Any) -> Drawing:
    """Draw a whole network: every part with the shape of what comes out of it and its number of parameters.

    Parameters
    ----------
    estimator : fitted estimator, or a network with one RNN, LSTM or GRU inside
        What to draw. Of an own design the recurrent layers and what else has parameters are shown in the order
        of its modules.

    Returns
    -------
    Drawing

    Raises
    ------
    UsageError
        If it is neither.
    """
    who = "draw.network"
    if isinstance(estimator, str):
        raise UsageError(
            f"{who}: needs a fitted estimator or a network; got {estimator!r}. draw.compare takes names."
        )
    parts = find_parts(who, estimator)
    module = estimator.torch_network() if hasattr(estimator, "torch_network") else estimator
    blocks = [
        *_input(estimator, parts.recurrent),
        *_front(module),
        *_recurrent(parts.recurrent),
        *_back(estimator, module, parts),
    ]
    total = sum(p.numel() for p in module.parameters())
    sketch = Sketch()
    y = 8.0
    for place, block in enumerate(blocks):
        if place:
            sketch.line([(WIDTH / 2, y - GAP), (WIDTH / 2, y)], arrow=True)
        _draw(sketch, block, y)
        y += BOX + GAP
    sketch.text(WIDTH - 10, y, f"{total:,} parameters in all", anchor="end", bold=True)
    words = "; ".join(
        f"{b.title}{f', {b.note}' if b.note else ''}: {b.shape}"
        + (f", {b.parameters:,} parameters" if b.parameters else "")
        for b in blocks
    )
    return sketch.drawing(
        WIDTH, y + 10, title="The whole network", description=f"{words}. {total:,} parameters in all."
    )


def _draw(sketch: Sketch, block: _Block, y: float) -> None:
    sketch.box(8, y, WIDTH - 16, BOX, role=block.role, fill=0.1)
    sketch.text(22, y + 23, block.title, size=16, bold=True)
    sketch.text(WIDTH - 22, y + 23, block.shape, anchor="end")
    if block.note:
        sketch.text(22, y + 44, block.note, size=14, role="muted")
    if block.parameters:
        sketch.text(
            WIDTH - 22, y + 44, f"{block.parameters:,} parameters", size=14, anchor="end", role="muted"
        )


def _front(module: torch.nn.Module) -> list[_Block]:
    """Trainable layers before the recurrence, where there are any."""
    front: Any = getattr(module, "front", None)
    if front is None or not hasattr(front, "output_size"):
        return []
    count = sum(p.numel() for p in front.parameters())
    return [_Block(type(front).__name__, f"time × {front.output_size}", count, "", "purple")]


def _input(estimator: Any, recurrent: torch.nn.RNNBase) -> list[_Block]:
    """Input and features, as far as they are known."""
    model = getattr(estimator, "model_", None)
    if model is None:
        return [_Block("Input", f"time × {recurrent.input_size}", 0)]
    blocks = [_Block("Input", f"time × {model.features.n_channels}", 0)]
    params = model.manifest["params"]
    done = [f"{params['scaling']} scaling"] if params.get("scaling", "none") != "none" else []
    done += ["mask of missing values"] if model.features.input_size != model.features.n_channels else []
    if done:
        blocks.append(_Block("Features", f"time × {model.features.input_size}", 0, " and ".join(done)))
    return blocks


def _recurrent(module: torch.nn.RNNBase) -> list[_Block]:
    cell = TITLES[cell_of(module)]
    directions = 2 if module.bidirectional else 1
    out = (getattr(module, "proj_size", 0) or module.hidden_size) * directions
    kind = "both directions" if module.bidirectional else "forward in time"
    blocks = []
    for layer in range(module.num_layers):
        own = sum(
            p.numel()
            for name, p in module.named_parameters()
            if name.removesuffix("_reverse").endswith(f"_l{layer}")
        )
        note = f"{module.hidden_size} units, {kind}"
        number = f" {layer + 1}" if module.num_layers > 1 else ""
        dropout = f" after dropout {module.dropout:g}" if layer and module.dropout else ""
        blocks.append(_Block(f"{cell}{number}{dropout}", f"time × {out}", own, note, "blue"))
    return blocks


def _back(estimator: Any, module: torch.nn.Module, parts: Any) -> list[_Block]:
    """Pooling, head, and what the answer means."""
    if parts.head is None:
        rest = [m for m in module.children() if not any(isinstance(c, torch.nn.RNNBase) for c in m.modules())]
        return [
            _Block(type(m).__name__, "", count, role="green")
            for m in rest
            if (count := sum(p.numel() for p in m.parameters()))
        ]
    config: Any = getattr(module, "config", None)
    blocks = []
    per_step = parts.pooling == "none"
    features = parts.head.in_features
    if parts.pooling is not None and not per_step:
        pooling: Any = getattr(module, "pooling", None)
        count = sum(p.numel() for p in pooling.parameters()) if pooling is not None else 0
        both = parts.pooling == "last" and parts.recurrent.bidirectional
        names = [POOLINGS[name] for name in split_pooling(parts.pooling)]
        words = "last state of each direction" if both else " and ".join(names)
        blocks.append(_Block("Pooling", f"{features}", count, words, "purple"))
    dropout = f"after dropout {config.dropout:g}" if config is not None and config.dropout else ""
    count = sum(p.numel() for p in parts.head.parameters())
    shape = f"time × {parts.head.out_features}" if per_step else f"{parts.head.out_features}"
    blocks.append(_Block("Linear", shape, count, dropout, "green"))
    task = getattr(getattr(estimator, "model_", None), "task", None)
    if task in ("classification", "labeling"):
        blocks.append(_Block("Softmax", shape, 0, f"{parts.head.out_features} classes"))
    elif task == "regression":
        blocks.append(_Block("Units of y", shape, 0, "mean and deviation put back"))
    return blocks
