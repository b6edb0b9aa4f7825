"""The linear part that answers beside a network: how it is learned, in one step."""

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraWarning
from recurra.features.rows.missing import MissingMask
from recurra.features.texts.ngrams import NGrams
from recurra.recipes.recipe import MANY, SHARE, STRENGTH_OF_SINGLE_WORDS, share_of
from recurra.serving.models.wide import SUREST
from recurra.serving.models.wide import Wide as WidePart
from recurra.serving.summaries import LEAST_LENGTH, Summary, View

if TYPE_CHECKING:
    from recurra.inputs.sequences import Given
    from recurra.inputs.targets import Target
    from recurra.serving.models.fitted_model import FittedModel
    from recurra.training.closed_form import LinearMap

# A temperature below this would make probabilities of 1 of a training part that parts cleanly.
LEAST_TEMPERATURE = 0.1
# Of a linear map of n-grams to numbers, tried where each of few texts can be left out.
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Windows overlap where this share of them has the same values around the largest or the smallest step from one value to the
# next as another one. Of 27 real problems it was 0 in the 21 of separate sequences, and 0.24 to 0.99 in the six of windows.
SHARED, STRETCH = 0.2, 6
LOOKED_AT = 20  # sequences, to tell which channel has the most different values
# Sums of weights are off by no more: a common factor of them would move a quantile by an item otherwise.
ROUNDING = 1e-9
# In which texts are left out to see how far its answers are off.
FOLDS = 5
# Of what is drawn for the linear part, beside the seed.
APART = 1_000_003
# What the linear part of single words may have of the say, and on how many words at least it is decided.
SHARES, FEWEST_JUDGES = np.linspace(0, 1, 21), 30
# What shapelets have of the say of the linear part. Fixed: they are drawn from the sequences that would be left out to
# decide it, and are nearest to these.
SHARE_OF_SHAPELETS = np.float32(0.5)
# What shapelets are worth beside kernels where numbers are told, by one map of both. On fourteen problems one map had less
# error than the mean of two.
EMPHASIS_OF_SHAPELETS = np.float32(0.5)
# Where the long sequences, those behind nine of ten, have more steps than the short ones times this, all are also tried
# stretched to the middle length.
SHORT, SEVERAL_LENGTHS = 0.1, 1.1
# How far beyond the numbers it learned from a linear part may answer, as a share of their range. Without a limit spectra on
# another base line than all that it had learned from were told numbers with seventeen times the error of the mean.
BEYOND = 0.25


def fit_wide(
    seed: int,
    model: "FittedModel",
    given: "Given",
    target: "Target",
    weights: np.ndarray,
) -> WidePart:
    """Return the linear part learned from all training sequences.

    Parameters
    ----------
    seed : int
        Of the estimator.
    model : FittedModel
        Whose features and target it shares.
    given : Given
        Merged, with encoded labels.
    weights : ndarray of shape (sequences,)
        Of each sequence, with those of its class.
    """
    if not model.features.reads_numbers:
        return _of_texts(given, target, weights)
    prepared = model.prepare(given)
    lesson = _Lesson.of(given, target, weights)
    words: dict[str, Any] = {"random_state": seed + APART, "many": len(prepared) > MANY}
    views = views_of(model, [len(rows) for rows in prepared])
    best: tuple[float, Summary, np.ndarray] | None = None
    for view in views:
        summary = Summary.fit(prepared, static_size=model.static_size, view=view, **words)
        features = np.stack([summary.without_nearness(rows) for rows in prepared])
        error = lesson.error(features, summary.emphasis()) if len(views) > 1 else 0.0
        if best is None or error < best[0]:
            best = error, summary, features
    assert best is not None
    _, summary, kernels = best
    summary = summary.with_shapelets(prepared, classes=lesson.classes, **words)
    features = np.hstack([kernels, np.stack([summary.nearness(rows) for rows in prepared])])
    emphasis, own = summary.emphasis(), summary.without_shapelets
    share = share_of(len(prepared), texts=False, single=False)
    if lesson.classes is None:
        emphasis[own:] *= EMPHASIS_OF_SHAPELETS
        both = lesson.learned(features, emphasis)
        share = max(share, lesson.share_of_sure(both, prepared))
        if getattr(target, "quantiles", ()):
            _tell_overlap(given.sequences)
        return _of_numbers(summary, both, lesson.targets, weights, target, share)
    nearest = np.r_[summary.beside_shapelets, own : summary.size]
    first = lesson.learned(kernels, emphasis[:own])
    second = lesson.learned(features[:, nearest], emphasis[nearest])
    return WidePart(summary, *_mixed(first, second, nearest, summary.size), share)


@dataclass(frozen=True)
class _Lesson:
    """What a linear map of sequences is to answer: targets (items, outputs), of numbers or as 1 and -1 for each class."""

    targets: np.ndarray
    classes: np.ndarray | None
    weights: np.ndarray
    counts: np.ndarray | None

    @classmethod
    def of(cls, given: "Given", target: "Target", weights: np.ndarray) -> "_Lesson":
        if target.task == "classification":
            classes = np.asarray(given.y)
            return cls(2.0 * np.eye(target.output_size)[classes] - 1, classes, weights, given.weights)
        numbers = np.asarray(target.scaled(given.y), np.float64)
        return cls(numbers.reshape(len(numbers), -1), None, weights, None)

    def learned(self, features: np.ndarray, emphasis: np.ndarray) -> "LinearMap":
        """Return the linear map of these features; of classes its scores have the best temperature."""
        from recurra.training.closed_form import best_temperature, ridge

        found = ridge(features, self.targets, self.weights, counts=self.counts, emphasis=emphasis)
        if self.classes is None:
            return found
        best = best_temperature(found.left_out, self.classes, self.weights)
        return found.warmed(max(best, LEAST_TEMPERATURE))

    def error(self, features: np.ndarray, emphasis: np.ndarray) -> float:
        """Return the error of a linear map of these features on items left out."""
        from recurra.training.closed_form import error_left_out

        return error_left_out(
            self.learned(features, emphasis).left_out, self.targets, self.classes, self.weights
        )

    def share_of_sure(self, found: "LinearMap", sequences: Sequence[np.ndarray]) -> float:
        """Return what of the say a linear map of numbers has for the little error that it leaves: 1 less that error.

        The error is that on items left out over that of the mean. It says nothing of windows that overlap, whose
        neighbours tell what was left out, and 0 is returned; of many sequences also, of which a network learns more.
        """
        from recurra.training.closed_form import error_left_out

        left = error_left_out(found.left_out, self.targets, None, self.weights)
        middle = np.average(self.targets, axis=0, weights=self.weights)
        usual = error_left_out(np.broadcast_to(middle, self.targets.shape), self.targets, None, self.weights)
        sure = max(0.0, 1 - float(np.sqrt(left / usual))) if usual > 0 else 0.0
        return 0.0 if sure <= SHARE or len(sequences) > MANY or overlapping(sequences) else sure


def views_of(model: "FittedModel", lengths: Sequence[int]) -> list[View]:
    """Return how the sequences may be read, of which the one with the least error left out is taken.

    Lengths that differ may say something, or be the rate of a clock alone.
    """
    marked = bool(model.features.steps) and isinstance(model.features.steps[-1], MissingMask)
    found = [View(marked)]
    short, middle, long = np.quantile(lengths, (SHORT, 0.5, 1 - SHORT))
    if long > SEVERAL_LENGTHS * short:
        found.append(View(marked, max(int(middle), LEAST_LENGTH)))
    return found


def _mixed(
    kernels: "LinearMap", shapelets: "LinearMap", places: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of the mix of two linear maps: of the first numbers of a vector, and of those at places."""
    share = SHARE_OF_SHAPELETS
    weight = np.zeros((len(kernels.bias), size), np.float32)
    weight[:, : kernels.weight.shape[1]] = (1 - share) * kernels.weight
    weight[:, places] += share * shapelets.weight
    return weight, (1 - share) * kernels.bias + share * shapelets.bias


def _of_numbers(
    features: Summary | NGrams,
    found: "LinearMap",
    numbers: np.ndarray,
    weights: np.ndarray,
    target: "Target",
    share: float,
) -> WidePart:
    """Return the linear part of a map to numbers; each quantile lies from its answer as the errors on items left out do."""
    weight, bias, limits = found.weight, found.bias, _limits(numbers)
    quantiles = getattr(target, "quantiles", ())
    if quantiles:
        _tell_few(weights, quantiles)
        apart = [distances(errors, weights, quantiles) for errors in (numbers - found.left_out).T]
        weight, limits = np.repeat(weight, len(quantiles), axis=0), np.repeat(limits, len(quantiles), axis=1)
        bias = np.repeat(bias, len(quantiles)) + np.concatenate(apart).astype(np.float32)
    return WidePart(features, weight, bias, share, limits)


def overlapping(sequences: Sequence[np.ndarray]) -> int:
    """Return how many sequences have a stretch in common with another, unlike one, as windows have; 0 for few of them."""
    channel = _richest_channel(sequences)
    found = [(_landmarks(rows, channel), hash(rows.tobytes())) for rows in sequences]
    owners: dict[bytes, set[int]] = defaultdict(set)
    for stretches, whole in found:
        for stretch in stretches:
            owners[stretch].add(whole)
    shared = sum(any(len(owners[stretch]) > 1 for stretch in stretches) for stretches, _ in found)
    return shared if shared >= SHARED * len(found) else 0


def _tell_overlap(sequences: Sequence[np.ndarray]) -> None:
    """Warn where sequences are windows that overlap: none is left out while its neighbours are learned."""
    if count := overlapping(sequences):
        warnings.warn(
            f"{count} of {len(sequences)} sequences have a stretch in common with another one, as windows that overlap "
            "have. The errors on sequences left out, which quantiles are apart by, are then too small. Cut windows that do "
            "not overlap, or let Forecaster tell how a series goes on.",
            RecurraWarning,
            stacklevel=2,
        )


def _tell_few(weights: np.ndarray, quantiles: Sequence[float]) -> None:
    """Warn where a quantile lies further out than the errors on so few sequences tell."""
    items = float(weights.sum() / weights.mean())
    outside = [q for q in quantiles if min(q, 1 - q) * (items + 1) < 1 - ROUNDING * (items + 1)]
    if outside and items > 2:  # of one or two nobody expects it
        least = max(math.ceil(1 / min(q, 1 - q) - 1 - ROUNDING) for q in outside)
        warnings.warn(
            f"{items:.0f} sequences are too few to tell the quantile {' or '.join(f'{q:g}' for q in outside)}: it is put at "
            f"the largest error on those left out, and the truth lies beyond it more often than it says. Give at least "
            f"{least} sequences, or quantiles nearer to the median.",
            RecurraWarning,
            stacklevel=2,
        )


def _richest_channel(sequences: Sequence[np.ndarray]) -> int:
    """Return the channel of the most different values in some sequences: by one that is constant nothing is found again."""
    some = sequences[:: max(1, len(sequences) // LOOKED_AT)]
    counts = [[len(np.unique(rows[:, channel])) for channel in range(rows.shape[1])] for rows in some]
    return int(np.sum(counts, axis=0).argmax()) if counts else 0


def _landmarks(rows: np.ndarray, channel: int) -> set[bytes]:
    """Return the rows around the largest rise and the deepest fall of a channel, where there are so many."""
    steps, found = np.diff(np.nan_to_num(np.asarray(rows, np.float64)[:, channel])), set()
    for middle in {int(steps.argmax()), int(steps.argmin())} if len(steps) else ():
        begin = middle - STRETCH // 2
        stretch = rows[begin : begin + STRETCH] if begin >= 0 else rows[:0]
        if len(stretch) == STRETCH and len(np.unique(stretch[:, channel])) >= STRETCH - 2:
            found.add(np.ascontiguousarray(stretch).tobytes())
    return found


def distances(errors: np.ndarray, weights: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Return how far from an answer each quantile of the truth lies, by the errors on items left out [1]_.

    Parameters
    ----------
    errors, weights : ndarray of shape (items,)
        Truth less answer; a further item counts as much as the mean of them.
    quantiles : sequence of float
        A further error lies beyond one, away from the median, no more often than it says.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer 2005.
    """

    def above(errors: np.ndarray, share: float) -> float:
        order = np.argsort(errors, kind="stable")
        shares = np.cumsum(weights[order]) / (weights.sum() + weights.mean())
        reached = int(np.searchsorted(shares, share - ROUNDING))
        return float(errors[order][min(reached, len(errors) - 1)])

    ends = [(-above(-errors, 1 - q), above(errors, q)) for q in quantiles]
    return np.array(
        [
            low if q < 0.5 else high if q > 0.5 else (low + high) / 2
            for (low, high), q in zip(ends, quantiles, strict=True)
        ]
    )


def _limits(numbers: np.ndarray) -> np.ndarray:
    """Return the least and the largest answer to each of scaled targets (items, outputs): float32 of shape (2, outputs)."""
    least, largest = numbers.min(axis=0), numbers.max(axis=0)
    room = BEYOND * (largest - least)
    return np.stack([least - room, largest + room]).astype(np.float32)


def shares_by_judging(wide: WidePart, target: "Target", judges: "Given") -> bool:
    """Return whether the share of a linear part is to be decided on what neither part learned from: of single words."""
    single = isinstance(wide.features, NGrams) and not wide.features.of_words.any()
    return single and target.task == "classification" and len(judges.sequences) >= FEWEST_JUDGES


def with_best_share(wide: WidePart, early: WidePart, alone: "FittedModel", judges: "Given") -> WidePart:
    """Return the linear part with the share under which both answer best to sequences that neither learned from.

    Parameters
    ----------
    early : WidePart
        The linear part as the sequences that the network learned from make it.
    alone : FittedModel
        The network without a linear part.
    """
    from recurra.training.closed_form import best_share

    outputs = np.log(np.maximum(alone.predict_proba(judges), SUREST))
    codes = np.asarray(judges.y)
    found = best_share(early.scores(judges.sequences), outputs, codes, judges.weights, SHARES)
    return replace(wide, share=found)


def _of_texts(given: "Given", target: "Target", weights: np.ndarray) -> WidePart:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    texts: list[Any] = given.sequences
    ngrams = NGrams.fit(texts, given.weights)
    single = not ngrams.of_words.any()
    share = share_of(len(texts), texts=True, single=single)
    entries = [ngrams.entries(text) for text in texts]
    ends = np.cumsum([0, *(len(places) for places, _ in entries)])
    places, values = (np.concatenate([entry[k] for entry in entries]) for k in (0, 1))
    rows = csr_matrix((values, places, ends), shape=(len(entries), ngrams.size))
    if target.task == "regression":
        numbers = np.asarray(target.scaled(given.y), np.float64).reshape(len(texts), -1)
        found = _linear_numbers(rows, numbers, weights, judged=bool(getattr(target, "quantiles", ())))
        return _of_numbers(ngrams, found, numbers, weights, target, share)
    fitted = LogisticRegression(C=STRENGTH_OF_SINGLE_WORDS if single else 5.0, max_iter=1000).fit(
        rows, given.y, sample_weight=weights
    )
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # two classes have one row, for the second against the first
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole, offset = np.zeros((target.output_size, ngrams.size)), np.full(target.output_size, -30.0)
    whole[fitted.classes_], offset[fitted.classes_] = weight, bias
    return WidePart(ngrams, whole.astype(np.float32), offset.astype(np.float32), share)


def _linear_numbers(rows: Any, numbers: np.ndarray, weights: np.ndarray, *, judged: bool) -> "LinearMap":
    """Return the linear map of n-grams to numbers; its strength is chosen by leaving each text out where they are few.

    Parameters
    ----------
    judged : bool
        Whether what it answers to texts left out is asked for.
    """
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict

    from recurra.training.closed_form import LinearMap

    # One text alone cannot be left out.
    few, outputs = 1 < rows.shape[0] <= MANY, numbers.shape[1]
    fitted = (RidgeCV(alphas=STRENGTHS) if few else Ridge(alpha=1.0, solver="sparse_cg", random_state=0)).fit(
        rows, numbers, sample_weight=weights
    )
    left_out = numbers
    if judged and len(numbers) > 1:
        same = Ridge(alpha=fitted.alpha_ if few else 1.0, solver="sparse_cg", random_state=0)
        parts = KFold(min(FOLDS, len(numbers)), shuffle=True, random_state=0)
        left_out = cross_val_predict(same, rows, numbers, cv=parts, params={"sample_weight": weights})
    bias = np.broadcast_to(fitted.intercept_, outputs).astype(np.float32)
    return LinearMap(
        fitted.coef_.reshape(outputs, -1).astype(np.float32), bias, left_out.reshape(-1, outputs)
    )
