"""`AnomalyEvaluation`: scores per time step, the segments they give, and how well they find what is labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from recurra.checks import where
from recurra.errors import DataError
from recurra.evaluation.drawing import signals
from recurra.evaluation.drawing.charts import label, legend, new_figure, number
from recurra.evaluation.drawing.svg import PAGE, render
from recurra.evaluation.metrics.paired_tests import Totals
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import Picture
from recurra.evaluation.report.series_page import series_page, series_tiles
from recurra.evaluation.results.evaluation import Evaluation

# Sequences drawn in a report, and points of each panel.
DRAWN = 4
POINTS = 3000
# Steps before a step that its moving z-score is taken from.
Z_STEPS = 720
# Steps of recall into which scores are cut where two detectors are compared.
RECALL_STEPS = 100


def moving_z_score(sequence: np.ndarray, steps: int = Z_STEPS) -> np.ndarray:
    """Return how many deviations of the ``steps`` steps before it a step is from their mean: shape (time,).

    The largest over the channels; 0 for the first step.
    """
    out = np.zeros(len(sequence))
    for channel in sequence.T.astype(np.float64):
        centred = channel - channel.mean()  # sums of squares of numbers far from 0 would lose digits
        total, square = (np.concatenate([[0.0], np.cumsum(centred**p)]) for p in (1, 2))
        last = np.arange(len(channel))
        first = np.maximum(last - steps, 0)
        count = np.maximum(last - first, 1)
        mean = (total[last] - total[first]) / count
        variance = (square[last] - square[first]) / count - mean**2
        least = max(1e-6 * float(centred.var()), np.finfo(float).tiny)
        out = np.maximum(
            out, np.where(last > 0, np.abs(centred - mean) / np.sqrt(np.maximum(variance, least)), 0)
        )
    return out


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AnomalyEvaluation(Evaluation):
    """What a detector found; made by `AnomalyDetector.evaluate`.

    Parameters
    ----------
    metrics : dict
        Flat: with labels ``average_precision`` (area under the precision-recall curve over all time steps) and
        ``roc_auc``, each with ``_baseline`` of a moving z-score, ``precision``, ``recall`` and ``f1`` at the
        threshold, ``share_labelled``; always ``share_anomalous``, ``n_segments``, ``n_test``, ``n_test_steps``.
    sequences : list of ndarray of shape (time, channels)
    scores : list of ndarray of shape (time,)
        The higher, the more anomalous.
    threshold : float
    labels : list of ndarray of bool, shape (time,), or None
    """

    task: ClassVar[str] = "anomaly"

    sequences: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]
    threshold: float
    labels: Sequence[np.ndarray] | None = None
    names: Sequence[str] = ()

    @classmethod
    def made(
        cls,
        sequences: Sequence[np.ndarray],
        scores: Sequence[np.ndarray],
        *,
        threshold: float,
        labels: Any,
        names: Sequence[str] | None,
        context: ReportContext,
    ) -> "AnomalyEvaluation":
        """Judge scores; labels are read by `as_labels`."""
        flat = np.concatenate(list(scores))
        called = flat > threshold
        segments = sum(int((np.diff((s > threshold).astype(np.int8), prepend=0) == 1).sum()) for s in scores)
        metrics: dict[str, Any] = {}
        true = None
        if labels is not None:
            true = [
                as_labels(own, len(s), i, names)
                for i, (own, s) in enumerate(zip(labels, scores, strict=True))
            ]
            naive = np.concatenate([moving_z_score(s) for s in sequences])
            metrics = _figures(np.concatenate(true), flat, called, naive)
        metrics |= {
            "share_anomalous": float(called.mean()),
            "n_segments": segments,
            "n_test": len(sequences),
            "n_test_steps": len(flat),
        }
        shown = list(names) if names is not None else [str(i) for i in range(len(sequences))]
        return cls(
            metrics=metrics,
            sequences=sequences,
            scores=scores,
            threshold=threshold,
            labels=true,
            names=shown,
            context=context,
        )

    def figure_totals(self) -> Totals | None:
        """Return of each sequence the normal and the anomalous steps between scores, from which average precision follows.

        Scores are told apart in steps of a hundredth of recall: with more than `RECALL_STEPS` anomalous steps it is a little
        lower than ``average_precision``.
        """
        if "average_precision" not in self.metrics or self.labels is None:
            return None
        found = np.concatenate([s[t] for s, t in zip(self.scores, self.labels, strict=True)])
        shares = np.linspace(0, 1, min(RECALL_STEPS, len(found)) + 1)[:-1]
        cuts = np.unique(np.quantile(found, shares, method="higher"))
        columns = np.zeros((len(self.scores), 2, len(shares) + 1))
        for i, (scores, true) in enumerate(zip(self.scores, self.labels, strict=True)):
            which = np.searchsorted(cuts, scores, side="right")
            for row, own in enumerate((which[~true], which[true])):
                columns[i, row] = np.bincount(own, minlength=columns.shape[2])

        def average_precision(totals: np.ndarray, n: np.ndarray) -> np.ndarray:
            both = totals.reshape(len(totals), 2, -1)[:, :, ::-1].cumsum(axis=2)
            false, hits = both[:, 0], both[:, 1]
            precision = hits / np.maximum(false + hits, 1)
            steps = np.diff(hits, axis=1, prepend=0) / np.maximum(hits[:, -1:], 1)
            return np.asarray((precision * steps).sum(axis=1))

        cases = np.arange(len(columns))
        flat = columns.reshape(len(columns), -1)
        return Totals(flat, cases, average_precision, "average_precision", less_is_better=False)

    def headline(self) -> str:
        """Return the average precision, without labels how much is anomalous."""
        m = self.metrics
        if "average_precision" in m:
            return f"Average precision {number(m['average_precision'])}"
        return f"{m['n_segments']:,} {'segment is' if m['n_segments'] == 1 else 'segments are'} anomalous"

    def sentences(self) -> list[str]:
        """Return what was found, and how well."""
        m = self.metrics
        found = (
            f"{m['n_segments']:,} {'segment' if m['n_segments'] == 1 else 'segments'}, {100 * m['share_anomalous']:.1f} % "
            f"of {m['n_test_steps']:,} steps, are called anomalous."
        )
        if "average_precision" not in m:
            return [found]
        return [
            f"Average precision {m['average_precision']:.3f}; a moving z-score has "
            f"{m['average_precision_baseline']:.3f}, guessing {m['share_labelled']:.3f}. "
            f"At the threshold precision {m['precision']:.2f}, recall {m['recall']:.2f}. {found}"
        ]

    def pictures(self) -> list[Picture]:
        """Return svg, caption and width of every chart of the report."""
        highest = np.argsort([-float(s.max()) for s in self.scores], kind="stable")[:DRAWN]
        out = [Picture(Markup(self._drawing(int(i))), self._caption(int(i))) for i in highest]
        if curves := self.context.learning_curves:
            out.append(Picture(Markup(curves), "Loss by epoch."))
        return out

    def _caption(self, index: int) -> str:
        called, steps = int((self.scores[index] > self.threshold).sum()), len(self.scores[index])
        segments = self._segments(index)
        where_to = f", in {segments:,} segment{'s' if segments > 1 else ''}" if segments else ""
        shaded = " (shaded)" if called else ""
        return f"{self.names[index]}: {called:,} of {steps:,} steps are called anomalous{shaded}{where_to}."

    def _segments(self, index: int) -> int:
        return int((np.diff((self.scores[index] > self.threshold).astype(np.int8), prepend=0) == 1).sum())

    def _drawing(self, index: int) -> str:
        """Return the stretch around the highest score: the signal with its segments, and below it the score."""
        sequence, scores = self.sequences[index], self.scores[index]
        middle = int(np.argmax(scores))
        first = int(np.clip(middle - POINTS // 2, 0, max(len(scores) - POINTS, 0)))
        part = slice(first, first + POINTS)
        rate = self.context.sample_rate_hz
        x = np.arange(first, first + len(scores[part])) / (rate or 1)
        figure, (ax, below) = new_figure(330, rows=(2, 1))
        figure.subplots_adjust(hspace=0.32)  # room for the second legend
        names = self.context.channel_names
        shown = sequence[part]
        signals.draw_signal(ax, shown, channel_names=names, sample_rate_hz=rate, first=first)
        _shade(ax, x, scores[part] > self.threshold, PAGE["orange"], "called anomalous")
        if self.labels is not None:
            marked = np.where(self.labels[index][part], ax.get_ylim()[0], np.nan)
            ax.plot(x, marked, color=PAGE["ink"], linewidth=3, label="labelled")
        below.plot(x, scores[part], color=PAGE["blue"], linewidth=1.1)
        below.axhline(
            self.threshold, color=PAGE["orange"], linewidth=1.2, linestyle=(0, (4, 3)), label="threshold"
        )
        label(below, x="Seconds" if rate else "Time step", y="Score")
        below.yaxis.set_major_locator(MaxNLocator(3))
        below.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
        legend(ax, columns=2)
        legend(below)
        return render(figure, title="Anomalies", description=self._caption(index))

    def figures(self) -> dict[str, str]:
        """Return the drawings of a run's folder by name."""
        highest = int(np.argmax([float(s.max()) for s in self.scores]))
        return {"anomalies": self._drawing(highest)}

    def tiles(self) -> list[dict[str, str]]:
        """Return name, value and naive value of each figure, as text."""
        return series_tiles(self.metrics)

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        return series_page(
            self.context,
            headline=self.headline(),
            sentences=self.sentences(),
            figures=self.tiles(),
            sections=[("Where it is anomalous", self.pictures())],
        )


def as_labels(labels: Any, steps: int, index: int, names: Sequence[str] | None) -> np.ndarray:
    """Return which steps are anomalous: bool array of shape (time,).

    Where there are -1 and 1 only, -1 is anomalous, as scikit-learn has it; else whatever is neither 0, False nor empty.

    Raises
    ------
    DataError
        If there is not one label per step.
    """
    array = np.asarray(labels)
    if array.shape != (steps,):
        raise DataError(
            f"evaluate: {where(index, names)} must have one label per time step, {steps}; got {array.shape}."
        )
    values = set(np.unique(array).tolist())
    if -1 in values and values <= {-1, 1}:
        return array == -1
    if array.dtype.kind in "OUS":
        return np.array([str(v) not in ("", "0", "normal", "False") for v in array.tolist()])
    return array != 0


def _figures(true: np.ndarray, scores: np.ndarray, called: np.ndarray, naive: np.ndarray) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    out: dict[str, Any] = {"share_labelled": float(true.mean())}
    hits = int((called & true).sum())
    if true.any() and not true.all():
        for name, measure in (("average_precision", average_precision_score), ("roc_auc", roc_auc_score)):
            out[name] = float(measure(true, scores))
            out[f"{name}_baseline"] = float(measure(true, naive))
        out["precision"] = hits / max(int(called.sum()), 1)
        out["recall"] = hits / int(true.sum())
        out["f1"] = 2 * hits / max(int(called.sum()) + int(true.sum()), 1)
    return out


def _shade(ax: Any, x: np.ndarray, where_to: np.ndarray, colour: str, name: str) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where_to.astype(np.int8), [0]])))
    for number_of, (a, b) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        stop = x[min(b, len(x) - 1)]
        ax.axvspan(x[a], stop, color=colour, alpha=0.22, linewidth=0, label=None if number_of else name)
