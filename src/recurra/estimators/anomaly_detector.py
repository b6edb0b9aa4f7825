"""Which time steps are not like the normal ones."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin

import recurra
from recurra.batches.faults import plant
from recurra.batches.splits import content_keys
from recurra.checks import as_sequences, check_finite, check_same_channels
from recurra.errors import DataError
from recurra.estimators import resuming
from recurra.estimators.base import NotFittedError, _plain_params, _seed
from recurra.estimators.words import check_params, from_file
from recurra.evaluation.anomalies import AnomalyEvaluation
from recurra.evaluation.evaluation import ReportContext, installed_versions
from recurra.features.blocks import Blocks
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


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Recurrent network that scores every time step, trained on normal sequences only.

    Parameters
    ----------
    method : {"planted", "autoencoder", "forecaster"}, default="planted"
        "planted": faults are planted into the normal sequences, and the network learns to tell them from what is
        normal; the score is its logit. "autoencoder": it learns to undo such faults, reading in both directions; the
        score is how far a sequence is from what it makes of it (a denoising autoencoder). "forecaster": it forecasts
        the next block from those before; the score is the error.
    block : int, default=1
        Time steps the network reads, and writes, at once.
    window : int, default=512
        Time steps of a training window, rounded up to whole blocks; shorter sequences are taken whole.
    windows : int or None, default=None
        Training windows drawn from all sequences; None draws four times the steps there are.
    longest : int or None, default=None
        Steps of the longest fault planted; None is a third of the window.
    smooth : int, default=0
        Errors are averaged over so many steps on either side.
    reach : int, default=0
        A step is as anomalous as the worst within so many steps on either side.
    contamination : float or None, default=None
        Share of the training steps called anomalous, in (0, 0.5]; None takes ``quantile``.
    quantile : float, default=0.999
        The threshold is this quantile of the training scores.
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=32
        Hidden units per direction.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass, default="adam"
        How weights are changed.
    learning_rate : float, default=0.005
        Its step.
    lr_schedule : {"constant", "step", "cosine", "plateau", "onecycle", "warmup"} or dict, default="cosine"
        How the learning rate changes.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_epochs : int, default=12
        Passes over the training windows.
    batch_size : int, default=16
        Windows per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    callbacks : sequence of recurra.training.callbacks.Callback, default=()
        Called during training.
    checkpoint_dir : path or None, default=None
        Folder for checkpoints of the training; ``fit(..., resume=True)`` goes on from the newest.
    device : str, default="cpu"
        torch device to train on; prediction is on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Decides everything random; global generators are never touched.
    verbose : {0, 1, 2}, default=1
        Silent; a progress line on a terminal; one log line per epoch.

    Attributes
    ----------
    model_ : AnomalyModel
        The trained network as data; scores without torch.
    offset_ : float
        ``decision_function`` is ``score_samples`` minus this.
    history_ : list of dict
        One flat record per epoch.

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

    def __init__(
        self,
        *,
        method: str = "planted",
        block: int = 1,
        window: int = 512,
        windows: int | None = None,
        longest: int | None = None,
        smooth: int = 0,
        reach: int = 0,
        contamination: float | None = None,
        quantile: float = 0.999,
        cell: str = "lstm",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: float = 0.005,
        lr_schedule: Any = "cosine",
        weight_decay: float = 0.0,
        max_epochs: int = 12,
        batch_size: int = 16,
        grad_clip: float | None = 1.0,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.method = method
        self.block = block
        self.window = window
        self.windows = windows
        self.longest = longest
        self.smooth = smooth
        self.reach = reach
        self.contamination = contamination
        self.quantile = quantile
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

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
        from recurra.training.config import TrainingConfig
        from recurra.training.loop import train

        who = type(self).__name__
        check_params(who, self.get_params(deep=False))
        sequences, names, _ = self._read(X)
        check_same_channels(sequences, names=names)
        check_finite(sequences, names=names, advice=NO_NAN)
        self.seed_ = _seed(self.random_state)
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
        params = _plain_params(self.get_params(deep=False))
        start, keepers = resuming.keep(self, found, params, examples, None, fitted=False)
        words = (
            "max_epochs", "batch_size", "optimizer", "learning_rate", "lr_schedule", "weight_decay", "grad_clip",
            "device", "verbose",
        )  # fmt: skip
        network = build(config, seed=self.seed_)
        result = train(
            network,
            examples,
            config=TrainingConfig(**{word: getattr(self, word) for word in words}, seed=self.seed_),
            loss=_loss(planted),
            callbacks=[*self.callbacks, *keepers],
            start=start,
        )
        manifest: dict[str, Any] = {
            "estimator": who,
            "params": params,
            "task": "anomaly",
            "network": config.to_dict(),
            "method": self.method,
            "reach": int(self.reach),
            "smooth": int(self.smooth),
            "error_spread": 1.0,
            "threshold": 0.0,
            "recurra": recurra.__version__,
            "versions": installed_versions(),
            "seed": self.seed_,
            "training": {
                "windows": len(examples),
                "lengths": [len(s) for s in sequences],
                "epochs": len(result.history),
                "best_epoch": result.best_epoch,
                "stopped": result.stopped,
                "seconds": result.train_seconds,
                "history": result.history,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        }
        self.model_ = _with_threshold(AnomalyModel(manifest, blocks, to_arrays(network)), sequences, self)
        self._learned()
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

    def _read(self, X: Any) -> tuple[list[np.ndarray], list[str] | None, bool]:
        if isinstance(X, Dataset):
            return as_sequences(X.X, names=X.names), X.names, False
        return as_sequences(X), None, False

    def _learned(self) -> None:
        training = self.model_.manifest["training"]
        self.history_, self.best_epoch_ = training["history"], training["best_epoch"]
        self.seed_, self.offset_ = self.model_.manifest["seed"], -self.model_.threshold
        self.n_channels_ = self.model_.blocks.n_channels

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training data first."
            )

    # --------------------------------------------------------------- scores

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how normal every time step is, as scikit-learn has it: the lower, the more anomalous.

        Returns
        -------
        object array of float64 arrays of shape (time,)
        """
        self._check_fitted()
        sequences, names, _ = self._read(X)
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
        sequences, names, _ = self._read(X)
        y = X.y if isinstance(X, Dataset) and y is None else y
        if y is not None and len(y) != len(sequences):
            raise DataError(
                f"{type(self).__name__}: evaluate needs labels for each of {len(sequences)} sequences; got {len(y)}."
            )
        return AnomalyEvaluation.made(
            sequences,
            self.model_.scores(sequences, names),
            threshold=self.model_.threshold,
            labels=y,
            names=names,
            context=self._told(context),
        )

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

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path)

    @classmethod
    def _from_parts(cls, path: Any, manifest: dict[str, Any], arrays: Any) -> Self:
        model = AnomalyModel.from_parts(path, manifest, arrays)
        known = cls._get_param_names()
        estimator = cls(**from_file(model.manifest["params"], known))
        estimator.model_ = model
        estimator._learned()
        return estimator


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
