"""A whole network from input to answer, with shapes and parameter counts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from recurra.checks import counted, listing
from recurra.errors import UsageError
from recurra.evaluation.drawing.cells import cell_of
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.sketch import Sketch, written_width
from recurra.nn.networks.forecast_network import ForecastNetwork
from recurra.nn.networks.sequence_network import SequenceNetwork
from recurra.nn.networks.translator_network import TranslatorNetwork

WIDTH = 480.0
BOX = 54.0
GAP = 24.0
SIDE = 20.0  # by which boxes stand to the right of what reaches past them

POOLINGS = {
    "last": "state after the last step",
    "mean": "mean over time",
    "max": "maximum over time",
    "attention": "attention over time",
}
FRONTS = {
    "Embedding": "Embedding",
    "TextFront": "Embedding",
    "Patches": "Patches",
    "Convolution": "Convolution",
    "Convolutions": "Convolutions",
    "SmallCNN": "Small image network",
}
# What the features of a chain do, by their names.
FEATURES = {
    "missing_mask": "mask of missing values",
    "filled_gaps": "missing values filled",
    "deltas": "differences",
    "beat_intervals": "intervals between heartbeats",
}


@dataclass(frozen=True)
class _Block:
    title: str
    shape: str  # of what comes out
    parameters: int  # of one member
    note: str = ""
    role: str = "ink"
    beside: bool = False  # reads the input past all that stands between


class _Parameters:
    """Counts the parameters of a network, each once, however many parts share it."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._left = {id(p): p.numel() for p in module.parameters()}
        self.total = sum(self._left.values())

    def of(self, *parts: torch.nn.Module | torch.nn.Parameter | None) -> int:
        """Return the parameters of these parts that were not counted before."""
        count = 0
        for part in parts:
            own = part.parameters() if isinstance(part, torch.nn.Module) else [part]
            count += sum(self._left.pop(id(p), 0) for p in own if p is not None)
        return count

    @property
    def rest(self) -> int:
        """What no part has counted."""
        return sum(self._left.values())


def network(estimator: Any) -> Drawing:
    """Draw a whole network: every part with the shape of what comes out of it and its number of parameters.

    Parameters
    ----------
    estimator : fitted estimator, or any torch.nn.Module
        What to draw. Of an own design the recurrent layers and what else has parameters are shown in the order
        of its modules. Of several members one is drawn; the sum counts all of them.

    Returns
    -------
    Drawing

    Raises
    ------
    UsageError
        If it is neither.
    """
    who = "draw.network"
    module = estimator.torch_network() if hasattr(estimator, "torch_network") else estimator
    if not isinstance(module, torch.nn.Module):
        more = " draw.compare takes names." if isinstance(estimator, str) else ""
        what = repr(estimator) if isinstance(estimator, str) else type(estimator).__name__
        raise UsageError(f"{who}: needs a fitted estimator or a network; got {what}.{more}")
    model = getattr(estimator, "model_", None)
    parameters = _Parameters(module)
    blocks = list(_blocks(model, module, parameters))
    if parameters.rest:
        blocks.append(_Block("Other parameters", "", parameters.rest, role="green"))
    blocks += _linear_part(model)
    blocks += _answer(model, blocks)
    return _drawn(blocks, _sum(model, parameters.total))


def _sum(model: Any, total: int) -> str:
    """Return in words how many parameters there are: of all members, and of the linear part beside them."""
    members = 1 if model is None else int(model.manifest.get("members", 1))
    beside = sum(block.parameters for block in _linear_part(model))
    parts = [f"{members} networks × {total:,}"] if members > 1 else []
    if beside:
        parts = [*(parts or [f"{total:,}"]), f"{beside:,}"]
    head = f"{' + '.join(parts)} = " if parts else ""
    return f"{head}{members * total + beside:,} parameters in all"


def _drawn(blocks: list[_Block], total: str) -> Drawing:
    sketch, y = Sketch(), 8.0
    around = next((k for k, block in enumerate(blocks) if block.beside), 0)
    for place, block in enumerate(blocks):
        between = 0 < place < around
        if place:
            sketch.line([(WIDTH / 2, y - GAP), (WIDTH / 2, y)], arrow=True)
        _draw(sketch, block, y, left=8 + SIDE * between)
        y += BOX + GAP
    if around:
        ends = [8 + BOX, 8 + around * (BOX + GAP)]
        sketch.line([(8 + SIDE / 2, end) for end in ends], role="orange", arrow=True, dashed=True)
    sketch.text(WIDTH - 10, y, total, anchor="end", bold=True)
    words = "; ".join(
        f"{b.title}{f', {b.note}' if b.note else ''}{f': {b.shape}' if b.shape else ''}"
        + (f", {b.parameters:,} parameters" if b.parameters else "")
        for b in blocks
    )
    return sketch.drawing(WIDTH, y + 10, title="The whole network", description=f"{words}. {total}.")


def _draw(sketch: Sketch, block: _Block, y: float, *, left: float) -> None:
    sketch.box(left, y, WIDTH - 8 - left, BOX, role=block.role, fill=0.1)
    sketch.text(left + 14, y + 23, block.title, size=16, bold=True)
    sketch.text(WIDTH - 22, y + 23, block.shape, anchor="end")
    count = f"{block.parameters:,} parameters" if block.parameters else ""
    if block.note:
        room = WIDTH - 36 - left - (written_width(count, 14) + 12 if count else 0)
        sketch.text(left + 14, y + 44, _cut(block.note, room), size=14, role="muted")
    if count:
        sketch.text(WIDTH - 22, y + 44, count, size=14, anchor="end", role="muted")


def _cut(note: str, room: float) -> str:
    """Return a note as far as there is room for it; the description of the drawing has all of it."""
    if written_width(note, 14) <= room:
        return note
    while note and written_width(f"{note}…", 14) > room:
        note = note[:-1]
    return f"{note.rstrip(' ,')}…"


# ------------------------------------------------------------------ parts of each kind of network


def _blocks(model: Any, module: torch.nn.Module, parameters: _Parameters) -> Iterator[_Block]:
    """Yield the parts from the input to the last one that has parameters."""
    if isinstance(module, SequenceNetwork):
        yield from _of_sequences(model, module, parameters)
    elif isinstance(module, ForecastNetwork):
        yield from _of_series(model, module, parameters)
    elif isinstance(module, TranslatorNetwork):
        yield from _of_pairs(module, parameters)
    else:
        recurrent = [m for m in module.modules() if isinstance(m, torch.nn.RNNBase)]
        if model is not None:
            yield from _input(model, _unit(model))
        elif recurrent:
            yield _Block("Input", f"time × {recurrent[0].input_size}", 0)
        yield from _of_own(module, parameters)


def _of_sequences(model: Any, module: SequenceNetwork, parameters: _Parameters) -> Iterator[_Block]:
    config, unit = module.config, _unit(model)
    if model is None:
        yield _Block("Input", f"{unit} × {config.input_size}", 0)
    else:
        yield from _input(model, unit)
    if module.front is not None:
        title = FRONTS.get(type(module.front).__name__, type(module.front).__name__)
        note = _front_note(config.front or {}, model)
        yield _Block(
            title, f"{unit} × {module.front.output_size}", parameters.of(module.front), note, "purple"
        )
    yield from _static(model, module, unit)
    yield from _recurrent(module.recurrent, parameters, unit)
    per_step = config.pooling == "none"
    if not per_step:
        both = config.pooling == "last" and config.bidirectional
        names = " and ".join(POOLINGS[name] for name in config.poolings)
        words = "last state of each direction" if both else names
        yield _Block("Pooling", f"{module.head.in_features}", parameters.of(module.pooling), words, "purple")
    dropout = f"after dropout {config.dropout:g}" if config.dropout else ""
    shape = f"{unit} × {config.output_size}" if per_step else f"{config.output_size}"
    yield _Block("Linear", shape, parameters.of(module.head), dropout, "green")
    if module.crf is not None:
        note = "how likely one label follows another"
        yield _Block("Conditional random field", shape, parameters.of(module.crf), note, "green")


def _of_series(model: Any, module: ForecastNetwork, parameters: _Parameters) -> Iterator[_Block]:
    c = module.config
    context = f"{model.context}" if model is not None else "context"
    targets = "1 series" if c.n_targets == 1 else f"{c.n_targets} series together"
    yield _Block("Series", f"{context} × {c.n_targets}", 0, f"{targets}, the newest steps")
    yield _Block(
        "Features", f"{context} × {c.input_size}", 0, "scaled, with what was missing and what is known"
    )
    yield from _recurrent(module.encoder, parameters, context, name="Encoder, ")
    yield from _recurrent(module.decoder, parameters, f"{c.horizon}", name="Decoder, ")
    shape = f"{c.horizon} × {c.n_targets * c.n_outputs}"
    outputs = "" if c.n_outputs == 1 else f"{c.n_outputs} numbers for each step: a distribution"
    yield _Block("Linear", shape, parameters.of(module.head), outputs, "green")
    if module.highway is not None:
        note = f"the last {c.highway} steps in a straight line"
        yield _Block("Linear path", shape, parameters.of(module.highway), note, "green")


def _of_pairs(module: TranslatorNetwork, parameters: _Parameters) -> Iterator[_Block]:
    c = module.config
    yield _Block("Source", "symbols", 0, f"{c.source_size:,} different symbols")
    yield _Block("Embedding", f"symbols × {c.embedding_size}", parameters.of(module.source), "", "purple")
    yield from _recurrent(module.encoder, parameters, "symbols", name="Encoder, ")
    note = "the encoder's last state begins the decoder"
    yield _Block("Bridge", f"{c.hidden_size}", parameters.of(module.bridge), note, "green")
    note = f"{c.target_size:,} different symbols" + (", output's matrix too" if c.tie_embeddings else "")
    shape = f"answer × {c.embedding_size}"
    yield _Block("Embedding of the answer", shape, parameters.of(module.target), note, "purple")
    yield from _recurrent(module.decoder, parameters, "answer", name="Decoder, ")
    note = f"{c.attention}, over the source at each symbol"
    yield _Block("Attention", f"answer × {c.memory_size}", parameters.of(module.attention), note, "purple")
    shape = f"answer × {c.attended_size}"
    yield _Block("Combined", shape, parameters.of(module.combine), "state and attended source", "green")
    yield _Block("Linear", f"answer × {c.target_size}", parameters.of(module.head), "", "green")


def _of_own(module: torch.nn.Module, parameters: _Parameters) -> Iterator[_Block]:
    """Yield the parts of a network of the user's own, as deep as its recurrent layers lie."""
    if isinstance(module, torch.nn.RNNBase):
        yield from _recurrent(module, parameters, "time")
        return
    for part in module.children():
        if any(isinstance(one, torch.nn.RNNBase) for one in part.modules()):
            yield from _of_own(part, parameters)
        elif count := parameters.of(part):
            yield _Block(type(part).__name__, _shape(part), count, role="green")


def _shape(part: torch.nn.Module) -> str:
    return f"{part.out_features}" if isinstance(part, torch.nn.Linear) else ""


def _static(model: Any, module: SequenceNetwork, unit: str) -> Iterator[_Block]:
    """Yield the static inputs, which stand beside what the recurrence reads at every step."""
    found = getattr(model, "static", None)
    if found is not None:
        note = f"{listing(found.names, 4)}: {found.size} numbers beside each step"
        yield _Block("Static inputs", f"{unit} × {module.recurrent.input_size}", 0, note)


def _recurrent(
    module: torch.nn.RNNBase, parameters: _Parameters, unit: str, *, name: str = ""
) -> Iterator[_Block]:
    cell = cell_of(module).title
    directions = 2 if module.bidirectional else 1
    out = (getattr(module, "proj_size", 0) or module.hidden_size) * directions
    kind = "both directions" if module.bidirectional else "forward in time"
    for layer in range(module.num_layers):
        own = [p for n, p in module.named_parameters() if n.removesuffix("_reverse").endswith(f"_l{layer}")]
        note = f"{counted(module.hidden_size, 'unit')}, {kind}"
        number = f" {layer + 1}" if module.num_layers > 1 else ""
        dropout = f" after dropout {module.dropout:g}" if layer and module.dropout else ""
        title = f"{name}{cell}{number}{dropout}"
        yield _Block(title, f"{unit} × {out}", parameters.of(*own), note, "blue")


# ------------------------------------------------------------------ input, linear part and answer


def _unit(model: Any) -> str:
    """Return what the network counts its steps in."""
    if model is None:
        return "time"
    if hasattr(model, "blocks"):
        return "blocks"
    chain = model.features
    if not chain.reads_numbers:
        level = chain.steps[0].level
        return {"word": "words", "character": "characters"}.get(level, "tokens")
    if model.manifest["estimator"] == "VideoClassifier":
        return "frames"
    if chain.alignment is None:
        return "beats"
    return "time" if chain.alignment.hop == 1 and chain.alignment.window == 1 else "windows"


def _input(model: Any, unit: str) -> Iterator[_Block]:
    """Yield the input and its features, as far as they are known."""
    if hasattr(model, "blocks"):
        blocks = model.blocks
        yield _Block("Input", f"time × {blocks.n_channels}", 0)
        note = f"{counted(blocks.size, 'step')} each, scaled, with their roughness"
        yield _Block("Blocks", f"blocks × {blocks.input_size}", 0, note)
        return
    chain, params = model.features, model.manifest["params"]
    if not chain.reads_numbers:
        words = chain.steps[0]
        note = f"{len(words.vocabulary):,} different {unit} are known"
        yield _Block("Sentence" if words.level == "token" else "Text", unit, 0, note)
        return
    if unit == "frames":
        backbone = params.get("backbone")
        if backbone != "small-cnn":
            yield _Block("Frames", "frames × pixels", 0)
            yield _Block("Image network", f"frames × {chain.n_channels}", 0, f"{backbone}, not trained")
        else:
            yield _Block("Frames", f"frames × {chain.n_channels}", 0, "pixels, each red, green and blue")
    else:
        yield _Block("Input", f"time × {chain.n_channels}", 0)
    done = [_said(step, params) for step in chain.steps]
    if any(done):
        yield _Block("Features", f"{unit} × {chain.input_size}", 0, " and ".join(filter(None, done)))


def _said(step: Any, params: Mapping[str, Any]) -> str:
    """Return what a feature does, in a few words."""
    if step.name == "scaling":
        return f"{params['scaling']} scaling" if params.get("scaling", "none") != "none" else ""
    if step.name == "windows":
        parts = ", ".join(part.name.replace("_", " ") for part in step.parts)
        return f"{parts} of windows of {counted(step.window, 'step')}"
    return FEATURES.get(step.name, step.name.replace("_", " "))


def _front_note(front: Mapping[str, Any], model: Any) -> str:
    if front.get("name") == "embedding":
        return f"a vector for each of {front['vocabulary']:,} tokens"
    if front.get("name") != "text":
        return ""
    trained = bool(front["words"])
    parts = [f"word {front['size']}{'' if trained else ' (pretrained)'}"] if front["size"] else []
    parts += [f"letters {2 * front['spelling']}"] if front["letters"] else []
    parts += [f"runs of letters {front['subword_size']}"] if front.get("subwords") else []
    if len(parts) > 1:
        return ", ".join(parts)
    return f"a vector for each of {front['words']:,} tokens" if trained else "pretrained vectors, not trained"


def _linear_part(model: Any) -> list[_Block]:
    """Return what answers beside the network, where there is any."""
    wide = getattr(model, "wide", None)
    if wide is not None:
        shapelets = getattr(wide.features, "shapelets", None)
        kernels = "dilated kernels" if shapelets is None else "kernels, shapelets"
        note = f"{'words, letters' if wide.reads_texts else kernels}; {100 * wide.share:.0f} % of the say"
        count = int(wide.weight.size + wide.bias.size)
        return [_Block("Linear map", f"{len(wide.bias)}", count, note, "orange", beside=True)]
    found = None if model is None else model.manifest.get("statistical")
    if found:
        horizon = model.manifest["network"]["horizon"]
        note = f"smoothing, autoregressions, Theta; {100 * found['weight']:.0f} % of the say"
        targets = model.manifest["network"]["n_targets"]
        return [_Block("Statistical forecast", f"{horizon} × {targets}", 0, note, "orange", beside=True)]
    return []


def _answer(model: Any, blocks: list[_Block]) -> list[_Block]:
    """Return what the last numbers mean."""
    if model is None:
        return []
    task, shape = str(model.manifest.get("task", "")), next((b.shape for b in blocks[::-1] if b.shape), "")
    if hasattr(model, "blocks"):
        note = "how unlike the normal ones each step is"
        return [_Block("Scores", "time", 0, note)]
    if model.manifest["estimator"] == "Forecaster":
        return [_Block("Units of the series", shape, 0, "scale and level put back")]
    if model.manifest["estimator"] == "Translator":
        return [_Block("Softmax", shape, 0, "the next symbol of the answer")]
    if task in ("classification", "labeling"):
        return [_Block("Softmax", shape, 0, f"{len(model.classes)} classes")]
    if task == "generation":
        return [_Block("Softmax", shape, 0, "the next token")]
    if task == "regression":
        return [_Block("Units of y", shape, 0, "mean and deviation put back")]
    return []
