"""Which time steps are not like the normal ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import counted
from recurra.errors import DataError
from recurra.estimators.base import Estimator, OutlierMixin
from recurra.evaluation.explanations.traces import Trace, trace
from recurra.evaluation.report.context import ReportContext, report_context
from recurra.evaluation.results.anomalies import AnomalyEvaluation
from recurra.fitting import overlap
from recurra.fitting.fit import fit
from recurra.fitting.tasks.anomalies import AnomalyTask
from recurra.inputs.request import Request
from recurra.inputs.sequences import only_one, read_unlabelled
from recurra.options import AnomalyDetectorOptions
from recurra.plain_arrays import check_same_channels
from recurra.records import Dataset
from recurra.serving.models.anomaly_model import AnomalyModel
from recurra.serving.models.fitted_model import per_sequence


@dataclass(frozen=True)
class Segment:
    """Neighbouring time steps called anomalous.

    Parameters
    ----------
    start, stop : int
        First step, and the first after the last.
    peak : float
        Highest score in it.
    """

    start: int
    stop: int
    peak: float


class AnomalyDetector(OutlierMixin, AnomalyDetectorOptions, Estimator):
    """Recurrent network that scores every time step, trained on normal sequences only.

    Where no option of network, training or method is given, the distance of windows to the nearest normal ones counts
    beside it, see ``neighbours``; of recordings that grow or wander not the values are looked at, see ``view``.

    Attributes
    ----------
    model_ : AnomalyModel
        The trained network as data; scores without torch.
    offset_ : float
        ``decision_function`` is ``score_samples`` minus this.
    recipe_ : str
        What was decided, in a sentence; empty where nothing was.

    References
    ----------
    .. [1] Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008.
    .. [2] Carmona et al., "Neural Contextual Anomaly Detection for Time Series", 2021, arXiv:2107.07702 (planted
       anomalies).
    .. [3] Malhotra et al., "Long Short Term Memory Networks for Anomaly Detection in Time Series", ESANN 2015.

    Examples
    --------
    >>> import numpy as np, recurra
    >>> normal = [np.sin(np.arange(200) / 3)]
    >>> d = recurra.AnomalyDetector(window=50, max_epochs=1, random_state=0, verbose=0).fit(normal)
    >>> d.predict(normal)[0].shape
    (200,)
    """

    task = AnomalyTask()
    instead: ClassVar[Mapping[str, str]] = {
        "explain": "is for networks that answer about a whole sequence; here segments(X) says where the anomalies are, "
        "score_samples(X) how anomalous each step is, and evaluate(X).save('report.html') draws them.",
        "gradient_flow": "is for networks trained on labels; of a detector history_ has grad_norm_median and grad_norm_max "
        "of every epoch, and trace(x) shows the states.",
    }
    model_: AnomalyModel

    def fit(self, X: Any, y: Any = None, *, resume: bool = False) -> Self:
        """Train on normal sequences.

        Parameters
        ----------
        X : Dataset, or list or object array of arrays of shape (time, channels), or array of shape
            (sequences, time, channels), or table of shape (sequences, time)
            Normal, or nearly so.
        y : ignored
            There for scikit-learn's tools.
        resume : bool, default=False
            Go on from the newest checkpoint in ``checkpoint_dir``, or from the beginning if there is none yet.

        Raises
        ------
        DataError, ShapeError, UsageError
            Naming the value that cannot be used.
        TrainingError
            If the loss stops being finite.
        """
        return fit(self, Request(X), resume=resume)

    def _learned(self) -> None:
        super()._learned()
        self.offset_ = -self.model_.threshold
        self.recipe_ = self.model_.manifest["training"].get("recipe", "")
        self.n_channels_ = self.model_.blocks.n_channels

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how normal every time step is, as scikit-learn has it: the lower, the more anomalous.

        Returns
        -------
        object array of float64 arrays of shape (time,)
        """
        self._check_fitted()
        sequences, names = read_unlabelled(self, X, reset=False)
        scores = self.model_.scores(sequences, names)
        return per_sequence(-np.concatenate(scores), sequences)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return ``score_samples`` minus ``offset_``: below 0 for what is called anomalous."""
        below: np.ndarray = self.score_samples(X) - self.offset_
        return below

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for normal time steps and -1 for anomalous ones: object array of int64 arrays of shape (time,)."""
        out = self.decision_function(X)
        for index in range(len(out)):
            out[index] = np.where(out[index] < 0, -1, 1)
        return out

    def segments(self, X: Any) -> list[list[Segment]]:
        """Return the runs of anomalous time steps of every sequence, in order of time."""
        out = []
        for scores in self.score_samples(X):
            called = np.concatenate([[False], -scores > self.model_.threshold, [False]])
            edges = np.flatnonzero(np.diff(called.astype(np.int8)))
            out.append(
                [
                    Segment(int(a), int(b), float(-scores[a:b].min()))
                    for a, b in zip(edges[::2], edges[1::2], strict=True)
                ]
            )
        return out

    def trace(self, x: Any, *, name: str = "") -> Trace:
        """Return every gate and state while the network reads the blocks of one sequence.

        Parameters
        ----------
        x : array of shape (time, channels), or of shape (time,)
            One sequence.
        name : str
            What to call it in pictures.

        Returns
        -------
        Trace
            Its time steps are blocks of the sequence.
        """
        self._check_fitted()
        x = only_one(x, f"{type(self).__name__}: trace takes one sequence")
        (sequence,), _ = read_unlabelled(self, [x], reset=False)
        check_same_channels([sequence], expected=self.n_channels_)
        rows = self.model_.blocks.rows(sequence)
        return trace(self.model_.manifest["network"], self.model_.weights, rows, name=name)

    def evaluate(self, X: Any, y: Any = None, *, context: ReportContext | None = None) -> AnomalyEvaluation:
        """Judge on sequences, labelled or not.

        Parameters
        ----------
        X : as in ``fit``
        y : list of arrays of shape (time,), optional
            True, 1 or any label that is not 0 where a step is anomalous; as of scikit-learn's outliers, -1 is
            anomalous and 1 normal where both are there.
        context : ReportContext, optional
            What the report should tell beside what the model knows.

        Returns
        -------
        AnomalyEvaluation
            ``average_precision`` beside that of a moving z-score where labels are given; the segments, drawn.
        """
        self._check_fitted()
        sequences, names = read_unlabelled(self, X, reset=False)
        if isinstance(X, Dataset):
            y = X.y if y is None else y
            told: dict[str, Any] = {"channel_names": X.channel_names, "sample_rate_hz": X.sample_rate_hz}
            context = replace(context or ReportContext(), **told)
        if y is not None and len(y) != len(sequences):
            raise DataError(
                f"{type(self).__name__}: evaluate needs labels for each of {counted(len(sequences), 'sequence')}; got "
                f"{len(y)}."
            )
        found = AnomalyEvaluation.made(
            sequences,
            self.model_.scores(sequences, names),
            threshold=self.model_.threshold,
            labels=y,
            names=names,
            context=report_context(self.model_.manifest, context, self._in_words()),
        )
        return overlap.told(self, found, sequences, "sequences")

    def _sequences(self, X: Any) -> list[Any]:
        return read_unlabelled(self, X, reset=False)[0]

    def _in_words(self) -> str:
        """Return the network in one sentence."""
        manifest, network = self.model_.manifest, self.model_.manifest["network"]
        neighbours, view = self.model_.neighbours, self.model_.blocks.view
        beside = (
            "" if neighbours is None else f", beside distances to {len(neighbours.windows)} normal windows"
        )
        return (
            f"{manifest['method']}: {network['cell'].upper()} of {counted(network['hidden_size'], 'unit')}, "
            f"{'both directions' if network['bidirectional'] else 'one direction'}, "
            f"blocks of {counted(self.model_.blocks.size, 'step')}{'' if view == 'values' else f' of {view}'}{beside}"
        )

    @classmethod
    def _from_parts(cls, path: Any, manifest: dict[str, Any], arrays: Any) -> Self:
        return cls._from_model(AnomalyModel.from_parts(path, manifest, arrays), {})
