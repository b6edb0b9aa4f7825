"""What is decided and learned beside the network of a detector: normal windows, the spread of errors, the threshold."""

from dataclasses import replace
from typing import Any

import numpy as np

from recurra.options import Anomalies, AnomalyDetectorOptions, Recurrence, Training, options_of
from recurra.ragged import Ragged
from recurra.recipes.recipe import left_to_data
from recurra.serving.anomalies.neighbours import USUAL, Neighbours
from recurra.serving.models.anomaly_model import AnomalyModel, errors, highest_around, mean_around
from recurra.serving.prediction import network_outputs

# Options that say what is done with scores; given by hand they leave the rest to the data.
OF_THRESHOLD = {"contamination", "quantile", "reach", "neighbours"}
# Of the distances to normal windows in the score.
SHARE = 0.9


def decided(options: AnomalyDetectorOptions) -> dict[str, Any]:
    """Return whether normal windows count beside the network, where that is left to the data."""
    if options.neighbours != "auto":
        return {}
    names = {name for group in (Training, Recurrence, Anomalies) for name in options_of(group)} - OF_THRESHOLD
    return {"neighbours": len(left_to_data(options, names)) == len(names)}


def with_spread(model: AnomalyModel, sequences: list[np.ndarray]) -> AnomalyModel:
    """Learn the spread of the errors from the training sequences."""
    manifest = dict(model.manifest)
    if manifest["method"] == "planted":
        return model
    found = []
    for sequence in sequences:
        rows = model.blocks.rows(sequence)
        out = network_outputs(manifest["network"], model.weights, Ragged(rows, [len(rows)]))
        found.append(errors(out, sequence, model.blocks, ahead=manifest["method"] == "forecaster"))
    spread = float(np.concatenate([mean_around(e, 0) for e in found]).std())
    return replace(model, manifest={**manifest, "error_spread": spread or 1.0})


def beside_neighbours(
    alone: AnomalyModel, scores: list[np.ndarray], sequences: list[np.ndarray], *, seed: int, told: bool
) -> tuple[AnomalyModel, list[np.ndarray]]:
    """Return the detector with normal windows beside its network, and the scores of the training sequences.

    The network's scores are brought to the scale of the distances. One that goes on gets its windows anew, of the
    sequences it goes on with. ``told``: whether the model says why.
    """
    found = Neighbours.fit([alone.blocks.scaled(sequence) for sequence in sequences], seed=seed)
    if found is None:
        return alone, scores
    neighbours, distances = found
    center, usual = (float(np.quantile(np.concatenate(scores), share)) for share in (0.5, USUAL))
    part = {"share": SHARE, "center": center, "scale": max(usual - center, 1e-6)}
    manifest = {**alone.manifest, "neighbours": part}
    if told:
        sentence = (
            f"Recipe: the distance to the nearest of {len(neighbours.windows)} normal windows of "
            f"{', '.join(map(str, neighbours.lengths.tolist()))} steps has {100 * SHARE:.0f} % of the say, the network "
            "the rest, as no option of network, training or method was given."
        )
        manifest["training"] = {**manifest["training"], "recipe": sentence}
    model = replace(alone, manifest=manifest, neighbours=neighbours)
    return model, [model.mixed(own, far) for own, far in zip(scores, distances, strict=True)]


def with_threshold(
    model: AnomalyModel, scores: list[np.ndarray], options: AnomalyDetectorOptions
) -> AnomalyModel:
    """Return the detector with a threshold from the scores of the training steps, before their reach."""
    share = options.quantile if options.contamination is None else 1 - options.contamination
    reached = [highest_around(own, int(options.reach)) for own in scores]
    threshold = float(np.quantile(np.concatenate(reached), share))
    return replace(model, manifest={**model.manifest, "threshold": threshold})
