"""What is decided and learned beside the network of a detector: normal windows, the spread of errors, the threshold."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.errors import RecurraWarning, UsageError
from recurra.features.windows.views import BEFORE
from recurra.options import Anomalies, AnomalyDetectorOptions, Recurrence, Training, options_of
from recurra.ragged import Ragged
from recurra.recipes.recipe import left_to_data
from recurra.recipes.views import LEAST_QUANTILE, above_the_usual, chosen_view, higher_later
from recurra.serving.anomalies.neighbours import USUAL, Neighbours, check_long_enough, compared_lengths
from recurra.serving.models.anomaly_model import AnomalyModel, errors, highest_around, mean_around
from recurra.serving.prediction import network_outputs

# Options that say what is looked at and what is done with scores; given by hand they leave the rest to the data.
OF_SCORES = {"contamination", "quantile", "reach", "neighbours", "view"}
# Of the distances to normal windows in the score.
SHARE = 0.9
# Why it is not values that are looked at.
REASONS = {
    "deviations": f"How far each value is from the median of the {BEFORE} before it is looked at and not the value",
    "differences": "Steps from one value to the next are looked at and not values",
}
BY_VALUES = ", by which later parts of the training data look unlike earlier ones."
# A recording drifts where this share of its last third was never reached before. Of 87 normal series, the 28 that drift so
# had 44 % of the steps after them called anomalous, the others 12 %. A few steps do so by chance.
DRIFT, LEAST_STEPS = 0.2, 75


def decided(
    options: AnomalyDetectorOptions,
    sequences: list[np.ndarray],
    fitted: AnomalyModel | None,
    *,
    who: str,
    seed: int,
) -> dict[str, Any]:
    """Return whether normal windows count beside the network, and the view, where these are left to the data.

    A ``fitted`` detector that goes on is what it was.
    """
    out: dict[str, Any] = {}
    neighbours = options.neighbours
    if neighbours is True:
        check_long_enough(sequences, who)
    elif neighbours == "auto" and fitted is not None:
        out["neighbours"] = neighbours = fitted.neighbours is not None
    elif neighbours == "auto":
        names = {
            name for group in (Training, Recurrence, Anomalies) for name in options_of(group)
        } - OF_SCORES
        out["neighbours"] = neighbours = len(left_to_data(options, names)) == len(names)
    if fitted is not None and options.view not in ("auto", fitted.blocks.view):
        raise UsageError(
            f"{who}: view must be what the fitted detector looks at, {fitted.blocks.view!r}, to go on with resume=True; got "
            f"{options.view!r}. Leave view out, or call fit without resume."
        )
    if options.view == "auto":
        out["view"] = "values" if fitted is None else fitted.blocks.view
        if fitted is None and neighbours:
            out["view"] = chosen_view(sequences, seed=seed)
    return out


def warn_of_drift(sequences: Sequence[np.ndarray], who: str) -> None:
    """Warn where one long recording drifts: what comes after it then lies beside all that is learned as normal.

    Where several are given, that one of them rises says nothing of the next.
    """
    if len(sequences) > 1 or len(sequences[0]) < LEAST_STEPS:
        return
    shares = drift_of(sequences[0])
    channel = int(shares.argmax())
    if shares[channel] < DRIFT:
        return
    which = "X drifts" if len(shares) == 1 else f"X drifts in channel {channel}"
    warnings.warn(
        f"{who}: {which}: {shares[channel]:.0%} of the last third of its steps lie beyond all that came before, so that "
        "what comes next may be called anomalous for its level alone. Learn from a longer recording, or give "
        "view='deviations' or view='differences'.",
        RecurraWarning,
        stacklevel=5,
    )


def drift_of(sequence: np.ndarray) -> np.ndarray:
    """Return for each channel the share of the last third that lies beyond all that came before: shape (channels,)."""
    first = 2 * len(sequence) // 3
    before, last = sequence[:first], sequence[first:]
    found: np.ndarray = ((last < before.min(axis=0)) | (last > before.max(axis=0))).mean(axis=0)
    return found


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
    scaled = [alone.blocks.scaled(sequence) for sequence in sequences]
    found = Neighbours.fit(scaled, lengths=compared_lengths(sequences), seed=seed)
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
        ) + (f" {REASONS[alone.blocks.view]}{BY_VALUES}" if alone.blocks.view in REASONS else "")
        manifest["training"] = {**manifest["training"], "recipe": sentence}
    model = replace(alone, manifest=manifest, neighbours=neighbours)
    return model, [model.mixed(own, far) for own, far in zip(scores, distances, strict=True)]


def with_threshold(
    model: AnomalyModel,
    scores: list[np.ndarray],
    options: AnomalyDetectorOptions,
    *,
    sequences: Sequence[np.ndarray] = (),
    seed: int = 0,
) -> AnomalyModel:
    """Return the detector with a threshold from the scores of the training steps, before their reach.

    Where distances to normal windows count it is not below what of 20 later steps one is usually above.
    """
    reached = np.concatenate([highest_around(own, int(options.reach)) for own in scores])
    if options.contamination is not None:
        threshold = np.quantile(reached, 1 - options.contamination)
    elif options.quantile == "auto":
        threshold = above_the_usual(reached)
        if model.neighbours is not None and len(sequences):
            higher = higher_later(sequences, model.blocks.view, seed=seed)
            threshold = max(threshold, float(np.quantile(reached, LEAST_QUANTILE)) * higher)
    else:
        threshold = np.quantile(reached, float(options.quantile))
    return replace(model, manifest={**model.manifest, "threshold": float(threshold)})
