"""Random fitted models of every kind that can be exported, and recurra's answers to sequences of any length, 0 included."""

import dataclasses

import numpy as np

from models import random_model
from recurra.export.model.agreement import TOLERANCE, difference, expected
from recurra.features.chain import Chain
from recurra.features.rows.missing import FilledGaps, MissingMask
from recurra.features.rows.scaling import Scaling
from recurra.features.static import StaticColumn, StaticInputs, beside_static
from recurra.features.texts.ngrams import NGrams
from recurra.features.windows.sliding import Windows
from recurra.features.windows.statistics import Samples
from recurra.kernels.cell import VARIANTS
from recurra.ragged import Ragged
from recurra.serving.inputs import Inputs
from recurra.serving.models.fitted_model import FittedModel, classes_to_manifest
from recurra.serving.models.wide import Wide
from recurra.serving.prediction import expected_shapes
from recurra.serving.streams.ensemble import joined, outputs_of
from recurra.serving.summaries import Summary, View

CELLS = ("rnn", "rnn_relu", "lstm", "gru", *VARIANTS)
KINDS = (
    "plain", "convolutions", "patches", "convolution", "embedding", "text", "images", "generation", "wide", "quantiles",
    "numbers per step", "chain", "members", "static", "wide static", "n-grams", "gaps",
)  # fmt: skip


def exportable_model(rng, kind=None, *, causal=None):
    """Return a model with random weights; ``kind`` is one of `KINDS`, drawn if it is left out."""
    kind = kind or str(rng.choice(KINDS))
    causal = bool(rng.integers(2)) if causal is None else causal
    given = {"cell": str(rng.choice(CELLS)), "bidirectional": not causal}
    if kind in ("text", "images", "embedding", "generation", "n-grams"):
        given |= {"scaling": "none", "missing": "error"}
    if kind == "quantiles":
        given["task"] = "regression"
    if kind == "numbers per step":
        given |= {"task": "regression", "pooling": "none"}
    if kind == "chain":
        given["task"] = "labeling"
    if kind == "generation":
        given |= {"task": "labeling", "bidirectional": False}
    if kind in ("wide", "wide static"):
        given |= {"task": str(rng.choice(["classification", "regression"]))}
    if kind == "n-grams":
        given["task"] = "classification"
    if kind == "gaps":
        given |= {"missing": "error", "scaling": str(rng.choice(["zscore", "robust", "none"]))}
    model = random_model(rng, **given)
    if kind in ("generation", "embedding", "text", "images", "n-grams"):
        model = dataclasses.replace(model, features=Chain([], model.features.n_channels))
    model = CHANGES.get(kind, lambda rng, model, causal: model)(rng, model, causal)
    return with_weights(rng, model, members=int(rng.integers(2, 4)) if kind == "members" else 1)


def with_weights(rng, model, members=1):
    """Return a model with weights of the shapes that its network needs."""
    network = model.manifest["network"]

    def drawn():
        weights = {
            name: (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
            for name, shape in expected_shapes(network).items()
        }
        variances = {n: np.abs(w) + np.float32(0.5) for n, w in weights.items() if n.endswith("running_var")}
        return {**weights, **variances}

    manifest = {**model.manifest, "members": members}
    return dataclasses.replace(model, manifest=manifest, weights=joined([drawn() for _ in range(members)]))


def with_network(model, features=None, **network):
    """Return a model with parts of its network's description replaced, and perhaps other features."""
    features = model.features if features is None else features
    changed = {**model.manifest["network"], "input_size": features.input_size, **network}
    return dataclasses.replace(model, features=features, manifest={**model.manifest, "network": changed})


def _convolutions(rng, model, causal):
    layers = [
        {"filters": int(rng.integers(1, 6)), "kernel": int(rng.integers(1, 5)), "dilation": int(rng.integers(1, 4))}
        for _ in range(rng.integers(1, 4))
    ]  # fmt: skip
    return with_network(model, front={"name": "convolutions", "layers": layers, "causal": causal})


def _windowed(model, window, hop):
    steps = [*model.features.steps, Windows((Samples(),), window, hop)]
    return Chain(steps, model.features.n_channels)


def _patches(rng, model, causal):
    window = int(rng.integers(1, 6))
    features = _windowed(model, window, int(rng.integers(1, window + 1)))
    return with_network(model, features, front={"name": "patches", "size": int(rng.integers(1, 6))})


def _convolution(rng, model, causal):
    window = int(rng.integers(8, 12))
    channels = model.features.input_size
    front = {
        "name": "convolution",
        "channels": channels,
        "size": 4,
        "kernel": 3,
        "stride": 2,
        "kernel_2": 2,
        "stride_2": 1,
    }
    return with_network(model, _windowed(model, window, int(rng.integers(1, window + 1))), front=front)


def _embedding(rng, model, causal):
    return with_network(model, Chain([], 1), front={"name": "embedding", "vocabulary": 11, "size": 5})


def _text(rng, model, causal):
    words, letters, subwords = int(rng.integers(2)) * 9, int(rng.integers(2)) * 12, int(rng.integers(2)) * 17
    size = int(rng.integers(2, 6))
    front = {
        "name": "text", "words": words, "size": size, "letters": letters, "letter_size": 3 if letters else 0,
        "spelling": 2 if letters else 0, "subwords": subwords, "subword_size": 4 if subwords else 0,
    }  # fmt: skip
    spelled = 8 if letters or subwords else 0
    return with_network(model, Chain([], (1 if words else size) + spelled), front=front)


def _images(rng, model, causal):
    return with_network(model, Chain([], 3 * 64), front={"name": "small_cnn", "image_size": 8, "channels": 5})


def _generation(rng, model, causal):
    size = 7
    model = with_network(
        model, Chain([], 1), front={"name": "embedding", "vocabulary": size, "size": 4}, output_size=size
    )
    manifest = {
        **model.manifest,
        "task": "generation",
        "estimator": "TextGenerator",
        "target": {"counts": [1] * size},
    }
    return dataclasses.replace(model, manifest=manifest)


def _wide(rng, model, causal):
    steps = [step for step in model.features.steps if isinstance(step, Scaling | MissingMask)]
    return with_summary(rng, with_network(model, Chain(steps, model.features.n_channels)))


def with_summary(rng, model):
    """Return a model with a linear part, its features those of the network."""
    lengths = rng.integers(int(rng.choice([3, 20])), 60, 12)
    width, beside = model.features.input_size, model.static_size
    drawn = [rng.normal(size=(n, width + beside)).astype(np.float32) for n in lengths]
    classes = rng.integers(0, 3, 12) if rng.random() < 0.5 else None
    marked = isinstance(model.features.steps[-1], MissingMask) and rng.random() < 0.7
    view = View(marked, int(rng.integers(9, 40)) if rng.random() < 0.5 else None)
    words = {"random_state": int(rng.integers(100)), "many": True}
    summary = Summary.fit(drawn, static_size=beside, view=view, **words)
    if rng.random() < 0.8:  # regressors once had none
        summary = summary.with_shapelets(drawn, classes=classes, **words)
    return dataclasses.replace(model, wide=linear_part(rng, model, summary))


def linear_part(rng, model, features):
    """Return a linear part with random weights."""
    outputs = model.manifest["network"]["output_size"]
    weight = (rng.normal(size=(outputs, features.size)) / np.sqrt(features.size)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    limits = None
    if rng.random() < 0.5:  # within which about half of the answers lie
        limits = np.stack([bias - 0.5, bias + 0.5]).astype(np.float32)
    return Wide(features, weight, bias, float(rng.uniform(0.2, 1)), limits)


def _static(rng, model, causal):
    columns = (
        StaticColumn("age", None, 40.0, 12.5, bool(rng.integers(2))),
        StaticColumn("kind", ("a", "b", "c")),
        StaticColumn("year", None, 2010.25, 7.0, False),
    )
    inputs = StaticInputs(columns, True)
    model = dataclasses.replace(model, manifest={**model.manifest, "static": inputs.to_manifest()})
    network = {"static_size": inputs.size, "input_size": model.features.input_size + inputs.size}
    return with_network(model, **network)


def _wide_static(rng, model, causal):
    steps = [step for step in model.features.steps if isinstance(step, Scaling | MissingMask)]
    model = with_network(model, Chain(steps, model.features.n_channels))
    return with_summary(rng, _static(rng, model, causal))


def _ngrams(rng, model, causal):
    words = ["leak", "of", "oil", "no", "power", "at", "all", "noise"]
    texts = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(10)]
    model = _text(rng, model, causal)
    return dataclasses.replace(model, wide=linear_part(rng, model, NGrams.fit(texts)))


def _quantiles(rng, model, causal):
    targets, quantiles = int(rng.integers(1, 4)), [[0.5], [0.1, 0.5, 0.9], [0.05, 0.4, 0.8]][rng.integers(3)]
    target = {
        "center": rng.normal(size=targets).tolist(), "spread": rng.uniform(0.5, 3, targets).tolist(),
        "single": targets == 1, "quantiles": quantiles,
    }  # fmt: skip
    model = with_network(model, output_size=targets * len(quantiles))
    return dataclasses.replace(model, manifest={**model.manifest, "target": target})


def _per_step(rng, model, causal):
    return dataclasses.replace(
        model, manifest={**model.manifest, "target": {**model.manifest["target"], "per_step": True}}
    )


def _gaps(rng, model, causal):
    center = rng.normal(size=model.features.n_channels) * 10.0 ** rng.integers(-2, 6)
    model = with_network(model, Chain([FilledGaps(center), *model.features.steps], model.features.n_channels))
    return dataclasses.replace(
        model, manifest={**model.manifest, "params": {**model.manifest["params"], "missing": "fill"}}
    )


def _chain(rng, model, causal):
    labels = model.manifest["network"]["output_size"]
    target = {**classes_to_manifest(np.array([f"{i}" for i in range(labels)])), "chain": True}
    model = with_network(model, crf=True)
    return dataclasses.replace(model, manifest={**model.manifest, "target": target})


CHANGES = {
    "convolutions": _convolutions, "patches": _patches, "convolution": _convolution, "embedding": _embedding, "text": _text,
    "images": _images, "generation": _generation, "wide": _wide, "quantiles": _quantiles, "numbers per step": _per_step,
    "chain": _chain, "static": _static, "wide static": _wide_static, "n-grams": _ngrams,
    "gaps": _gaps,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class AnyLength(FittedModel):
    """A model that answers sequences of no rows too, with what its kernels give for them."""

    def row_outputs(self, X):
        inputs = Inputs.of(X)
        prepared = [
            self.features.transform(rows)
            if len(rows)
            else np.empty((0, self.features.input_size), np.float32)
            for rows in inputs.sequences
        ]
        codes = self.static_codes(inputs.static)
        if codes is not None:
            prepared = [beside_static(rows, code) for rows, code in zip(prepared, codes, strict=True)]
        outputs = outputs_of(self.manifest, self.members, Ragged.from_list(prepared))
        if self.wide is not None:
            outputs = self.wide.mixed(outputs, prepared, probabilities=self.task == "classification")
        return outputs, [len(rows) for rows in prepared]


def any_length(exported):
    """Return what is exported, with a model inside that answers sequences of no rows."""
    fields = {f.name: getattr(exported.inside, f.name) for f in dataclasses.fields(FittedModel)}
    return dataclasses.replace(exported, inside=AnyLength(**fields))


def is_settled(exported, rows, trials=8):
    """Whether answers to rows hardly move when the inputs move in their last place.

    A layer normalization of two or three units of nearly the same value blows rounding up, in recurra as anywhere else;
    stacked, the answers of such a random network are those of the rounding.
    """
    rng = np.random.default_rng(0)
    rows = [own for own in rows if len(own) >= max(1, exported.inside.features.alignment.window)]
    right = expected(exported, rows)
    for _ in range(trials):
        moved = [own * rng.choice(np.float32([1 - 2**-23, 1, 1 + 2**-23]), own.shape) for own in rows]
        found = expected(exported, moved)
        if any(difference(exported, name, right[name], found[name]) > TOLERANCE / 4 for name in right):
            return False
    return True
