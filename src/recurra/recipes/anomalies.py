"""What is decided and learned beside the network of a detector: normal windows, the spread of errors, the threshold."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.errors import RecurraWarning
from recurra.options import Anomalies, AnomalyDetectorOptions, Recurrence, Training, options_of
from recurra.ragged import Ragged
from recurra.recipes.recipe import left_to_data
from recurra.serving.anomalies.neighbours import USUAL, Neighbours, check_long_enough
from recurra.serving.models.anomaly_model import AnomalyModel, errors, highest_around, mean_around
from recurra.serving.prediction import network_outputs

# Options that say what is done with scores; given by hand they leave the rest to the data.
OF_THRESHOLD = {"contamination", "quantile", "reach", "neighbours"}
# Of the distances to normal windows in the score.
SHARE = 0.9
# Of the training scores, for the threshold. Made on internal bleeding, an ECG, a heart and demand with planted faults (F1 of
# steps 0.32 by the quantile 0.999 alone, 0.51 by these), then tried on ten other recordings with planted faults: 0.21, 0.31.
QUANTILE, DEVIATIONS, LEAST_QUANTILE = 0.999, 6.0, 0.95
# A recording drifts where this share of its last third was never reached before. Of 87 normal series, the 28 that drift so
# had 44 % of the steps after them called anomalous, the others 12 %. A few steps do so by chance.
DRIFT, LEAST_STEPS = 0.2, 75


def decided(
    options: AnomalyDetectorOptions, sequences: list[np.ndarray], fitted: AnomalyModel | None, who: str
) -> dict[str, Any]:
    """Return whether normal windows count beside the network, where that is left to the data.

    A ``fitted`` detector that goes on is what it was.
    """
    if options.neighbours is True:
        check_long_enough(sequences, who)
    if options.neighbours != "auto":
        return {}
    if fitted is not None:
        return {"neighbours": fitted.neighbours is not None}
    names = {name for group in (Training, Recurrence, Anomalies) for name in options_of(group)} - OF_THRESHOLD
    return {"neighbours": len(left_to_data(options, names)) == len(names)}


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
        "what comes next may be called anomalous for its level alone. Learn from a longer recording, or give differences "
        "from step to step, here and later.",
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
    reached = np.concatenate([highest_around(own, int(options.reach)) for own in scores])
    if options.contamination is not None:
        threshold = np.quantile(reached, 1 - options.contamination)
    elif options.quantile == "auto":
        threshold = _above_the_usual(reached)
    else:
        threshold = np.quantile(reached, float(options.quantile))
    return replace(model, manifest={**model.manifest, "threshold": float(threshold)})


def _above_the_usual(scores: np.ndarray) -> float:
    """Return a threshold that some unusual stretches of the training part do not lift over everything else.

    A quantile near 1 of scores is decided by these stretches alone: an artefact in a recording taken as normal hid every
    fault in another part of it. Median and median absolute deviation hardly know of them [1]_.

    References
    ----------
    .. [1] C. Leys et al., "Detecting outliers: Do not use standard deviation around the mean, use absolute deviation around
       the median", Journal of Experimental Social Psychology 49(4), 2013.
    """
    low, high = np.quantile(scores, (LEAST_QUANTILE, QUANTILE))
    median = np.median(scores)
    deviation = 1.4826 * np.median(np.abs(scores - median))  # that of normal numbers
    return float(max(min(high, median + DEVIATIONS * deviation), low))
