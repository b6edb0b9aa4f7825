"""Random fitted models as data, and random recordings for them; no training, no torch."""

import dataclasses

import numpy as np

from recurra.features.chain import Chain
from recurra.serving.models.fitted_model import FittedModel, classes_to_manifest
from recurra.serving.prediction import expected_shapes

TASKS = ("classification", "regression", "labeling")
CELLS = ("rnn", "lstm", "gru")
POOLINGS = ("last", "mean", "max", "attention")
SIDE_BY_SIDE = ("mean+max", "last+attention+mean")
ESTIMATORS = {
    "classification": "SequenceClassifier",
    "regression": "SequenceRegressor",
    "labeling": "SequenceLabeler",
}


@dataclasses.dataclass(frozen=True)
class Words:
    """What a random model is made of."""

    task: str
    cell: str
    pooling: str
    channels: int
    hidden_size: int
    output_size: int
    num_layers: int
    scaling: str
    missing: str
    bidirectional: bool


def random_words(rng, **given):
    """Draw what is not given."""
    task = given.get("task") or str(rng.choice(TASKS))
    drawn = {
        "task": task,
        "cell": str(rng.choice(CELLS)),
        "pooling": "none" if task == "labeling" else str(rng.choice([*POOLINGS, *SIDE_BY_SIDE])),
        "channels": int(rng.integers(1, 7)),
        "hidden_size": int(rng.integers(1, 40)),
        "output_size": int(rng.integers(1 if task == "regression" else 2, 8)),
        "num_layers": int(rng.integers(1, 4)),
        "scaling": str(rng.choice(["zscore", "robust", "none"])),
        "missing": str(rng.choice(["error", "mask"])),
        "bidirectional": False,
    }
    return Words(**drawn | given)


def random_model(rng, **given):
    """Return a model with random weights; words as in `Words`, those not given are drawn."""
    words = random_words(rng, **given)
    features = Chain.fit([recording(rng, 30, words)], scaling=words.scaling, missing=words.missing)
    network = {
        "cell": words.cell,
        "input_size": features.input_size,
        "hidden_size": words.hidden_size,
        "output_size": words.output_size,
        "num_layers": words.num_layers,
        "bidirectional": words.bidirectional,
        "pooling": words.pooling,
        "dropout": 0.0,
    }
    weights = {
        name: (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in expected_shapes(network).items()
    }
    if words.task == "regression":
        size = words.output_size
        center, spread = rng.normal(size=size), rng.uniform(0.5, 3, size)
        target = {"center": center.tolist(), "spread": spread.tolist(), "single": size == 1}
    else:
        target = classes_to_manifest(np.array([f"class {i}" for i in range(words.output_size)]))
    params = {
        "cell": words.cell,
        "hidden_size": words.hidden_size,
        "num_layers": words.num_layers,
        "bidirectional": words.bidirectional,
        "scaling": words.scaling,
        "missing": words.missing,
    }
    if words.task != "labeling":
        params["pooling"] = words.pooling
    manifest = {
        "estimator": ESTIMATORS[words.task],
        "params": params,
        "task": words.task,
        "network": network,
        "target": target,
        "input": {"n_features_in": None, "feature_names_in": None},
        "training": {"history": [], "best_epoch": 0},
        "seed": 0,
        "channel_names": None,
        "sample_rate_hz": None,
    }
    return FittedModel(manifest, features, weights)


def recording(rng, steps, words):
    """Return float64 values of shape (steps, channels), with gaps where the model takes them."""
    values = rng.normal(rng.normal(size=words.channels), 3, size=(steps, words.channels))
    if words.missing == "mask":
        values[rng.random(values.shape) < 0.2] = np.nan
    return values


def recording_for(rng, model, steps):
    """Return a recording the model takes."""
    words = random_words(
        rng, channels=model.features.n_channels, missing=model.manifest["params"]["missing"], task=model.task
    )
    return recording(rng, steps, words)


def chunks(rng, values):
    """Cut a recording anywhere, empty chunks included."""
    cuts = np.sort(rng.integers(0, len(values) + 1, size=int(rng.integers(0, 6))))
    return np.split(values, cuts)
