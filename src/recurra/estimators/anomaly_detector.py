"""Which time steps are not like the normal ones."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from recurra.batches.faults import plant
from recurra.batches.splits import content_keys
from recurra.checks import as_sequences, check_finite, check_same_channels
from recurra.errors import DataError
from recurra.fitting import overlap
from recurra.fitting import resuming
from recurra.estimators.base import Estimator, OutlierMixin, plain_params, seed_of, trained
from recurra.evaluation.anomalies import AnomalyEvaluation
from recurra.evaluation.evaluation import ReportContext
from recurra.features.blocks import Blocks
from recurra.options import AnomalyDetectorOptions
from recurra.plain_arrays import check_not_tiny
from recurra.records import Dataset
from recurra.serving.anomaly_model import NO_NAN, AnomalyModel, errors, mean_around
from recurra.serving.model import per_sequence

# Windows a training part gives if ``windows`` is not said: each step is in about so many.
OVERLAP = 4


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

    Attributes
    ----------
    model_ : AnomalyModel
        The trained network as data; scores without torch.
    offset_ : float
        ``decision_function`` is ``score_samples`` minus this.

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

    model_: AnomalyModel

    # ------------------------------------------------------------------ fit

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
        from recurra.nn.network import NetworkConfig, build, to_arrays
        from recurra.training.loop import train

        self._check_options()
        sequences, names = self._read(X)
        check_same_channels(sequences, names=names)
        check_finite(sequences, names=names, advice=NO_NAN)
        check_not_tiny(sequences, "X")
        self.seed_ = seed_of(self.random_state)
        # In order of content, so that the order they are given in decides nothing.
        order = np.argsort(np.array(content_keys(sequences)), kind="stable")
        sequences = [sequences[i] for i in order.tolist()]
        blocks = Blocks.fit(sequences, size=int(self.block))
        planted = self.method == "planted"
        config = NetworkConfig(
            cell=self.cell,
            input_size=blocks.input_size,
            hidden_size=int(self.hidden_size),
            output_size=1 if planted else blocks.size * blocks.n_channels,
            num_layers=int(self.num_layers),
            bidirectional=self.method != "forecaster",
            pooling="none",
            dropout=float(self.dropout),
        )
        found = resuming.find(self, resume)
        examples = self._examples(sequences, blocks)
        params = plain_params(self.get_params(deep=False))
        start, keepers = resuming.keep(self, found, params, examples, None, fitted=False)
        network = build(config, seed=self.seed_)
        result = train(
            network,
            examples,
            config=self._training_config(),
            loss=_loss(planted),
            callbacks=[*self.callbacks, *keepers],
            start=start,
            shared_generator=False,
        )
        manifest: dict[str, Any] = {
            **self._written_by(),
            "params": params,
            "task": "anomaly",
            "network": config.to_dict(),
            "method": self.method,
            "reach": int(self.reach),
            "smooth": int(self.smooth),
            "error_spread": 1.0,
            "threshold": 0.0,
            "training": {
                "windows": len(examples),
                "lengths": [len(s) for s in sequences],
                **trained(result),
            },
        }
        self.model_ = _with_threshold(AnomalyModel(manifest, blocks, to_arrays(network)), sequences, self)
        self._learned()
        overlap.remember(self, sequences)
        return self

    def _examples(self, sequences: list[np.ndarray], blocks: Blocks) -> Any:
        """Return training windows: of each the rows, and for each block what is to be said of it."""
        from recurra.batches.examples import Examples

        rng = np.random.default_rng([self.seed_, 0])
        window = -(-int(self.window) // blocks.size) * blocks.size
        steps = np.array([len(s) for s in sequences])
        count = self.windows or max(1, round(OVERLAP * steps.sum() / window))
        longest = self.longest or max(1, window // 3)
        inputs, targets = [], []
        for index in rng.choice(len(sequences), size=count, p=steps / steps.sum()):
            sequence = sequences[int(index)]
            at = int(rng.integers(0, max(len(sequence) - window, 0) + 1))
            clean = sequence[at : at + window]
            if self.method == "forecaster":
                rows, goal = blocks.rows(clean), blocks.cut(blocks.scaled(clean))
                if len(rows) < 2:
                    continue
                inputs.append(rows[:-1])
                targets.append(goal[1:].reshape(len(rows) - 1, -1).astype(np.float32))
                continue
            faulty = plant(
                clean, rng, count=int(rng.integers(0, 6)), longest=longest, spread=np.array(blocks.spread)
            )
            inputs.append(blocks.rows(faulty.values))
            if self.method == "planted":
                share = blocks.cut(faulty.changed[:, None].astype(np.float64)).mean(axis=1)[:, 0]
                targets.append(share.astype(np.float32))
            else:
                goal = blocks.cut(blocks.scaled(clean))
                targets.append(goal.reshape(len(goal), -1).astype(np.float32))
        if not inputs:
            raise DataError(
                f"{type(self).__name__}: no sequence is longer than a block of {blocks.size} steps; nothing can be "
                "forecast. Give longer sequences or a smaller block."
            )
        return Examples(inputs, targets)

    def _read(self, X: Any) -> tuple[list[np.ndarray], list[str] | None]:
        if isinstance(X, Dataset):
            return as_sequences(X.X, names=X.names), X.names
        return as_sequences(X), None

    def _learned(self) -> None:
        super()._learned()
        self.offset_ = -self.model_.threshold
        self.n_channels_ = self.model_.blocks.n_channels

    # --------------------------------------------------------------- scores

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how normal every time step is, as scikit-learn has it: the lower, the more anomalous.

        Returns
        -------
        object array of float64 arrays of shape (time,)
        """
        self._check_fitted()
        sequences, names = self._read(X)
        scores = self.model_.scores(sequences, names)
        return per_sequence(-np.concatenate(scores), sequences)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return ``score_samples`` minus ``offset_``: below 0 for what is called anomalous."""
        scores = self.score_samples(X)
        for index in range(len(scores)):
            scores[index] = scores[index] - self.offset_
        return scores

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
        sequences, names = self._read(X)
        y = X.y if isinstance(X, Dataset) and y is None else y
        if y is not None and len(y) != len(sequences):
            raise DataError(
                f"{type(self).__name__}: evaluate needs labels for each of {len(sequences)} sequences; got {len(y)}."
            )
        found = AnomalyEvaluation.made(
            sequences,
            self.model_.scores(sequences, names),
            threshold=self.model_.threshold,
            labels=y,
            names=names,
            context=self._told(context),
        )
        return overlap.told(self, found, sequences, "sequences")

    def _told(self, context: ReportContext | None) -> ReportContext:
        from dataclasses import replace

        manifest, network = self.model_.manifest, self.model_.manifest["network"]
        words = (
            f"{manifest['method']}: {network['cell'].upper()} of {network['hidden_size']} units, "
            f"{'both directions' if network['bidirectional'] else 'one direction'}, "
            f"blocks of {self.model_.blocks.size} steps"
        )
        return replace(
            context or ReportContext(title=type(self).__name__),
            history=manifest["training"]["history"],
            best_epoch=manifest["training"]["best_epoch"],
            seed=manifest["seed"],
            versions=manifest["versions"],
            network=words,
            parameters=manifest["params"],
        )

    @classmethod
    def _from_parts(cls, path: Any, manifest: dict[str, Any], arrays: Any) -> Self:
        return cls._from_model(AnomalyModel.from_parts(path, manifest, arrays), {})


def _loss(planted: bool) -> Any:
    from recurra.training import losses

    return losses.binary_cross_entropy if planted else losses.mean_squared_error


def _with_threshold(model: AnomalyModel, sequences: list[np.ndarray], words: AnomalyDetector) -> AnomalyModel:
    """Learn the spread of the errors and the threshold from the training sequences."""
    manifest = dict(model.manifest)
    if words.method != "planted":
        from recurra.ragged import Ragged
        from recurra.serving.prediction import network_outputs

        found = []
        for sequence in sequences:
            rows = model.blocks.rows(sequence)
            out = network_outputs(manifest["network"], model.weights, Ragged(rows, [len(rows)]))
            found.append(errors(out, sequence, model.blocks, ahead=words.method == "forecaster"))
        spread = float(np.concatenate([mean_around(e, 0) for e in found]).std())
        manifest["error_spread"] = spread or 1.0
    model = AnomalyModel(manifest, model.blocks, model.weights)
    share = words.quantile if words.contamination is None else 1 - words.contamination
    manifest["threshold"] = float(np.quantile(np.concatenate(model.scores(sequences)), share))
    return AnomalyModel(manifest, model.blocks, model.weights)
