"""Which view of a signal a detector takes: the one in which later parts of the training data look like earlier ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.batches.synthetic_faults import plant
from recurra.features.windows.sample_blocks import Blocks
from recurra.features.windows.views import VIEWS
from recurra.serving.anomalies.neighbours import Neighbours, compared_lengths

# Values are taken as they are unless more than this share of later steps would be called anomalous.
FALSE_ALARMS = 0.1
COPIES = 2  # of a later part, each with faults of its own
STEPS_A_FAULT, FEWEST_FAULTS, LONGEST_FAULT = 100, 3, 30
MOST_STEPS, MOST_FAULTY = 1000, 500  # of a later part that are judged, and that get faults
MOST_WINDOWS = 150  # normal ones that are kept
# Of the training scores, for the threshold. Made on internal bleeding, an ECG, a heart and demand with planted faults (F1 of
# steps 0.32 by the quantile 0.999 alone, 0.51 by these), then tried on ten other recordings with planted faults: 0.21, 0.31.
QUANTILE, DEVIATIONS, LEAST_QUANTILE = 0.999, 6.0, 0.95
# A part that scores more times higher than the one before it is of another kind, such as the signal after a dead channel:
# that says nothing about what comes next, and a threshold so much higher would hide everything.
MOST_HIGHER = 10.0


@dataclass(frozen=True)
class Later:
    """A later part of the training data, judged by what is learned from an earlier one.

    Parameters
    ----------
    sequences : sequence of ndarray of shape (time, channels)
    blocks : Blocks
    neighbours : Neighbours
        Both of the earlier part.
    false_alarms : float
        Share of steps that lie above the threshold of the earlier part.
    higher : float
        Quantile of the scores over the same of the earlier part.
    """

    sequences: Sequence[np.ndarray]
    blocks: Blocks
    neighbours: Neighbours
    false_alarms: float
    higher: float

    @classmethod
    def judged(
        cls,
        earlier: Sequence[np.ndarray],
        later: Sequence[np.ndarray],
        *,
        lengths: Sequence[int],
        view: str,
        seed: int,
    ) -> "Later | None":
        """Return a later part beside an earlier one; None where that is too short for any window."""
        blocks = Blocks.fit(list(earlier), size=1, view=view)
        scaled = [blocks.scaled(part) for part in earlier]
        fitted = Neighbours.fit(scaled, lengths=lengths, seed=seed, most=MOST_WINDOWS)
        if fitted is None:
            return None
        neighbours, left_out = fitted
        usual = np.concatenate(left_out)
        scores = np.concatenate([neighbours.scores(blocks.scaled(part)) for part in later])
        before = max(float(np.quantile(usual, LEAST_QUANTILE)), 1e-9)
        higher = float(np.quantile(scores, LEAST_QUANTILE)) / before
        return cls(later, blocks, neighbours, float((scores > above_the_usual(usual)).mean()), higher)

    def found(self, seed: int) -> float:
        """Return the average precision of faults planted here."""
        rng = np.random.default_rng([seed, 2])
        faulty = [_with_faults(part[-MOST_FAULTY:], rng) for _ in range(COPIES) for part in self.sequences]
        scores = [self.neighbours.scores(self.blocks.scaled(values)) for values, _ in faulty]
        return average_precision(np.concatenate([changed for _, changed in faulty]), np.concatenate(scores))


def chosen_view(sequences: Sequence[np.ndarray], *, seed: int) -> str:
    """Return the view that a detector takes of its training sequences.

    Later parts are judged by what is learned from earlier ones [1]_. Values are taken as they are where they hardly move.
    Else the view counts in which planted faults are told best from what is normal and fewest normal steps are called
    anomalous.

    References
    ----------
    .. [1] L. Tashman, "Out-of-sample tests of forecasting accuracy: an analysis and review", International Journal of
       Forecasting 16(4), 2000: the rolling origin.
    """
    lengths, origins = compared_lengths(sequences), list(_origins(sequences))

    def judged(view: str) -> list[Later]:
        found = (Later.judged(*parts, lengths=lengths, view=view, seed=seed) for parts in origins)
        return [later for later in found if later is not None]

    values = judged("values")
    if not values or np.mean([later.false_alarms for later in values]) <= FALSE_ALARMS:
        return "values"
    worth = {}
    for view in VIEWS:
        parts = values if view == "values" else judged(view)
        worth[view] = np.mean([later.found(seed) - later.false_alarms for later in parts])
    return max(worth, key=lambda view: worth[view])


def higher_later(sequences: Sequence[np.ndarray], view: str, *, seed: int) -> float:
    """Return how many times higher than the earlier the later part of the training data scores, within 1 and MOST_HIGHER."""
    *_, parts = _origins(sequences)
    found = Later.judged(*parts, lengths=compared_lengths(sequences), view=view, seed=seed)
    return 1.0 if found is None else min(max(found.higher, 1.0), MOST_HIGHER)


def above_the_usual(scores: np.ndarray) -> float:
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


def _origins(
    sequences: Sequence[np.ndarray],
) -> Iterator[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]:
    """Give what is learned from and what is judged: of one recording thirds by time, of several each half by the other."""
    if len(sequences) > 1:
        half = len(sequences) // 2
        yield sequences[half:], sequences[:half]
        yield sequences[:half], sequences[half:]
        return
    (whole,) = sequences
    third = len(whole) // 3
    for first, last in ((third, 2 * third), (2 * third, len(whole))):
        yield [whole[:first]], [whole[first:last][-MOST_STEPS:]]


def average_precision(changed: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean share of changed steps among all that score at least as high as one of them."""
    hits = changed[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else 0.0


def _with_faults(part: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a part with faults, and which steps they changed; about its median, so that 0 and a sign say something."""
    middle = np.median(part, axis=0)
    faulty = plant(
        part - middle,
        rng,
        count=max(FEWEST_FAULTS, len(part) // STEPS_A_FAULT),
        longest=min(max(2, len(part) // 12), LONGEST_FAULT),
        spread=part.std(axis=0),
    )
    return faulty.values + middle, faulty.changed
