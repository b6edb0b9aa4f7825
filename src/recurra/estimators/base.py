"""What all sequence estimators share: fit, predict, explain, evaluate, save."""

import os
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError as SklearnNotFittedError

import recurra
from recurra.batches.splits import content_keys, holdout
from recurra.checks import check_finite
from recurra.errors import DataError, RecurraError, UsageError
from recurra.estimators import insight, resuming, rows
from recurra.estimators.frontend import frontend_words
from recurra.estimators.inputs import Given, check_steps, merged, read_sequences, read_training
from recurra.estimators.judging import evaluate, training_facts
from recurra.estimators.own_network import OwnNetwork
from recurra.estimators.targets import Target, class_weights, target_from_manifest
from recurra.estimators.words import check_params, from_file
from recurra.evaluation.evaluation import Evaluation, ReportContext, installed_versions
from recurra.evaluation.explanation import Explanation
from recurra.evaluation.traces import Trace
from recurra.features.chain import Chain
from recurra.features.parts import feature_words, make_features
from recurra.records import Dataset
from recurra.serving.look_ahead import LookAheadStream
from recurra.serving.model import FittedModel
from recurra.serving.stream import Stream

if TYPE_CHECKING:
    from recurra.evaluation.gradient_flow import GradientFlow

# Fewer held-out sequences, or groups in all, are too weak a witness to stop training on; everything is then trained on.
FEWEST_HELD_OUT = 25
FEWEST_GROUPS = 5


class NotFittedError(RecurraError, SklearnNotFittedError):
    """The estimator is used before ``fit``."""


class SequenceEstimator(BaseEstimator, ABC):
    """Base of the sequence estimators; a subclass gives its words in ``__init__`` and its target.

    Attributes
    ----------
    model_ : FittedModel
        The trained network as data; predicts without torch.
    history_ : list of dict
        One flat record per epoch.
    seed_ : int
        The seed that decided everything, also where ``random_state`` was None.
    """

    _pools: ClassVar[bool] = True
    _answers_steps = False  # of an estimator that may pool: whether y gave a number per step

    model_: FittedModel

    @abstractmethod
    def _fit_target(self, given: Given) -> Target:
        """Learn classes or scaling from the training labels."""

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : Dataset, or list or object array of arrays of shape (time, channels), or array of shape
            (sequences, time, channels), or table of shape (sequences, time) with one univariate sequence a row
        y : array-like
            One label per sequence; not needed where X is a Dataset with labels.
        groups : array-like of shape (sequences,), optional
            What early stopping must not cut in two, such as the person recorded.
        sample_weight : array-like of shape (sequences,), optional
            A weight of 2 is the same as the sequence twice.
        validation : (X, y) or Dataset, optional
            Decides early stopping instead of a part held out of X.
        resume : bool, default=False
            Go on: an estimator that is not fitted from the newest checkpoint in ``checkpoint_dir``, or from the
            beginning if there is none yet; a fitted one from its weights, features and classes, or from where this very
            training was interrupted.

        Raises
        ------
        DataError, ShapeError, UsageError
            Naming the value that cannot be used.
        TrainingError
            If the loss stops being finite; the last good weights are kept.
        """
        who = type(self).__name__
        check_params(who, self.get_params(deep=False))
        found = resuming.find(self, resume)
        if self.checkpoint_dir is None:
            if resume:
                self._check_fitted()
        elif not resume and hasattr(self, "model_"):
            del self.model_  # should this training be interrupted, it is the one to go on with
        resume = resume and hasattr(self, "model_")
        given = read_training(self, X, y, groups, sample_weight)
        given, target = self._encode(given, resume)
        self.seed_ = _seed(resuming.random_state(self, found))
        given, held_out = self._hold_out(given, target, validation)
        if not resume:
            target = target.fitted_on(given.y, given.weights)
        features = self.model_.features if resume else self._fit_features(given)
        shape_only = FittedModel(self._manifest(X, target), features, {})
        examples = rows.examples(shape_only, given, target)
        validation_examples = rows.examples(shape_only, held_out, target) if held_out is not None else None
        network = self._build(features, target.output_size, resume, int(examples.lengths.max()))
        rows.set_memory(network, getattr(self, "memory", "full"))
        words = shape_only.manifest["params"]
        start, keepers = resuming.keep(self, found, words, examples, validation_examples, fitted=resume)
        weights = class_weights(who, getattr(self, "class_weight", None), target, given.y, given.weights)
        loss = self._loss(target, weights)
        result = self._train(network, examples, validation_examples, target, loss, start, keepers)
        facts = training_facts(target, given.y, given.weights, examples.lengths)
        self._keep(network, shape_only, result, facts)
        return self

    # What a subclass may answer in its own way: how X is read, what is fitted on it, how the network looks, the loss.

    def _read(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
        """Return X as a list of raw sequences, (time, channels) arrays here, and names where it has any."""
        return read_sequences(self, X, reset=reset)

    def _check(self, given: Given) -> None:
        """Raise DataError naming the first raw sequence that cannot be learned from."""
        check_finite(given.sequences, names=given.names, allow_nan=self.missing == "mask")

    def _fit_features(self, given: Given) -> Chain:
        """Learn the features from the training part."""
        words, front = feature_words(self.features), frontend_words(self.frontend)
        channels = given.sequences[0].shape[1]
        chain = Chain.fit(
            given.sequences,
            given.weights,
            scaling=self.scaling,
            missing=self.missing,
            features=[] if words is None else make_features(words, channels, given.sample_rate_hz),
            rows=None if front is None else front.windows,
            names=given.names,
        )
        chain.check_lengths(given.sequences, given.names)
        if chain.alignment is None and not self._pools:
            raise UsageError(
                f"{type(self).__name__}: beat_intervals gives a row per heartbeat, which cannot label every time step; "
                "choose features that give a row per window."
            )
        return chain

    def _front(self, features: Chain) -> dict[str, Any] | None:
        """Describe the trainable layers before the recurrence, see `recurra.nn.front`; None for none."""
        front = frontend_words(self.frontend)
        return None if front is None else front.description(features.input_size // front.windows.window)

    def _loss(self, target: Target, weight_of_class: np.ndarray | None) -> Any:
        """Return the loss of outputs, targets and weights."""
        from recurra.training import losses

        if target.task == "regression":
            return losses.mean_squared_error
        return losses.cross_entropy(weight_of_class)

    # ------------------------------------------------------------ steps of fit

    def _encode(self, given: Given, resume: bool) -> tuple[Given, Target]:
        """Return the training data merged, with encoded labels, and the target that encodes them."""
        target = target_from_manifest(self.model_.task, self.model_.manifest["target"]) if resume else None
        target = target or self._fit_target(given)
        encoded = target.encode(given.y, given.names)
        self._answers_steps = bool(getattr(target, "per_step", False))
        if target.task == "labeling" or self._answers_steps:
            check_steps(type(self).__name__, given.sequences, encoded, given.names)
        # Before merging, which sorts: the message must name the sequence where the user has it.
        self._check(given)
        return merged(given, encoded), target

    def _train(
        self,
        network: Any,
        examples: Any,
        validation: Any,
        target: Target,
        loss: Any,
        start: Any,
        keepers: list[Any],
    ) -> Any:
        from recurra.training.loop import train

        return train(
            network,
            examples,
            config=self._training_config(),
            loss=loss,
            validation=validation,
            score=lambda outputs, those: {
                target.score_name: target.score(outputs, those.targets, those.weights)
            },
            callbacks=[*self.callbacks, *keepers],
            start=start,
        )

    def _hold_out(self, given: Given, target: Target, validation: Any) -> tuple[Given, Given | None]:
        """Return the part to learn from and the part that decides early stopping, if there is one."""
        if validation is not None:
            if not isinstance(validation, Dataset | tuple | list) or (
                not isinstance(validation, Dataset) and len(validation) != 2
            ):
                raise UsageError(
                    f"{type(self).__name__}: validation must be a pair (X, y) or a Dataset; "
                    f"got {validation!r:.60}. To hold out a share of X, use validation_fraction."
                )
            X, y = (validation, validation.y) if isinstance(validation, Dataset) else validation
            sequences, names = self._read(X, reset=False)
            encoded = target.encode(y, names)
            if len(encoded) != len(sequences):
                raise DataError(
                    f"{type(self).__name__}: validation must hold one label per sequence; "
                    f"got {len(sequences)} sequences and {len(encoded)} labels."
                )
            return given, Given(sequences, encoded, None, np.ones(len(sequences)), names)
        keys = content_keys(given.sequences)
        enough = self.validation_fraction * len(set(keys)) >= FEWEST_HELD_OUT
        if not enough or (given.groups is not None and len(set(given.groups.tolist())) < FEWEST_GROUPS):
            return given, None
        train, held_out = holdout(
            given.y if target.task == "classification" else len(given.sequences),
            groups=given.groups,
            fraction=self.validation_fraction,
            random_state=self.seed_,
            keys=keys,
        )
        if not len(held_out):
            return given, None
        return given.take(train), given.take(held_out)

    def _build(self, features: Chain, output_size: int, resume: bool, longest: int) -> Any:
        import torch

        from recurra.nn.network import NetworkConfig, build, from_arrays

        if self.network is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed_)
                module = self.network(features.input_size, output_size)
            if not isinstance(module, torch.nn.Module):
                raise UsageError(
                    f"{type(self).__name__}: network must return a torch.nn.Module; got {type(module).__name__}."
                )
            if resume:
                module.load_state_dict({name: torch.from_numpy(a) for name, a in self.model_.weights.items()})
            return module
        config = NetworkConfig(
            cell="rnn_relu" if self.initialization == "identity" else self.cell,
            input_size=features.input_size,
            hidden_size=int(self.hidden_size),
            output_size=output_size,
            num_layers=int(self.num_layers),
            bidirectional=bool(self.bidirectional),
            pooling=self.pooling if self._pools and not self._answers_steps else "none",
            dropout=float(self.dropout),
            front=self._front(features),
            crf=bool(getattr(self, "crf", False)),
        )
        if resume:
            network = from_arrays(config, self.model_.weights)
            network.cut_after = getattr(self, "tbptt", None)
            return network
        # Chrono's shortest meaningful memory is three steps.
        network = build(
            config, seed=self.seed_, initialization=self.initialization, max_length=max(3, longest)
        )
        network.cut_after = getattr(self, "tbptt", None)
        return network

    def _training_config(self) -> Any:
        from recurra.training.config import TrainingConfig

        return TrainingConfig(
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            lr_schedule=self.lr_schedule,
            weight_decay=self.weight_decay,
            grad_clip=self.grad_clip,
            curriculum=self.curriculum,
            patience=self.patience,
            seed=self.seed_,
            device=self.device,
            verbose=self.verbose,
        )

    def _manifest(self, X: Any, target: Target) -> dict[str, Any]:
        return {
            "estimator": type(self).__name__,
            "params": _plain_params(self.get_params(deep=False)),
            "task": target.task,
            "target": target.to_manifest(),
            "channel_names": getattr(self, "channel_names_in_", None),
            "sample_rate_hz": X.sample_rate_hz if isinstance(X, Dataset) else None,
            "input": {
                "n_features_in": getattr(self, "n_features_in_", None),
                "feature_names_in": [str(n) for n in getattr(self, "feature_names_in_", [])],
            },
        }

    def _keep(self, network: Any, shape_only: FittedModel, result: Any, facts: dict[str, Any]) -> None:
        """Turn the trained module into the fitted model."""
        from recurra.nn.network import to_arrays

        own = self.network is not None
        manifest = {
            **shape_only.manifest,
            "network": None if own else network.config.to_dict(),
            "recurra": recurra.__version__,
            "versions": installed_versions(),
            "seed": self.seed_,
            "training": {
                **facts,
                "epochs": len(result.history),
                "best_epoch": result.best_epoch,
                "stopped": result.stopped,
                "seconds": result.train_seconds,
                "history": result.history,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        }
        weights = to_arrays(network)
        self.model_ = FittedModel(
            manifest, shape_only.features, weights, OwnNetwork(network) if own else None
        )
        self._learned()

    def _learned(self) -> None:
        """Set the attributes that ``fit`` learned from ``model_``."""
        self.history_ = self.model_.manifest["training"]["history"]
        self.best_epoch_ = self.model_.manifest["training"]["best_epoch"]
        self.n_channels_ = self.model_.features.n_channels
        self.seed_ = self.model_.manifest["seed"]
        if self.model_.task != "regression":
            self.classes_ = self.model_.classes

    # -------------------------------------------------------------- predict

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training data first."
            )

    def predict(self, X: Any) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : as in ``fit``
            Sequences of the same channels, of any length of at least one step.

        Returns
        -------
        ndarray
            One label or number per sequence; shape (sequences, targets) with several targets; a one-dimensional
            object array of arrays with a label per time step.
        """
        self._check_fitted()
        return self.model_.predict(*self._read(X, reset=False))

    def stream(self, *, look_ahead: int | None = None) -> Stream | LookAheadStream:
        """Begin a sequence whose rows come one by one.

        Parameters
        ----------
        look_ahead : int, optional
            For networks that cannot be streamed as they are, such as bidirectional ones: answer from a window of
            the newest rows; see `recurra.serving.look_ahead.LookAheadStream`.

        Returns
        -------
        Stream
            ``step(row)`` and ``push(chunk)`` answer as ``predict`` does for all rows so far.

        Raises
        ------
        UsageError
            If the network is bidirectional or the user's own, and no ``look_ahead`` is given.
        """
        self._check_fitted()
        return self.model_.stream(look_ahead=look_ahead)

    def evaluate(
        self, X: Any, y: Any = None, *, groups: Any = None, context: ReportContext | None = None
    ) -> Evaluation:
        """Judge on labelled data.

        Parameters
        ----------
        X, y, groups : as in ``fit``
            Data the model has not seen; intervals are over groups where given.
        context : ReportContext, optional
            What the report should tell beside what the model knows, such as the command.

        Returns
        -------
        Evaluation
            ``.metrics`` is a flat dictionary with the naive answer beside every figure;
            ``.save("report.html")`` writes the report.
        """
        self._check_fitted()
        if isinstance(X, Dataset):
            y = X.y if y is None else y
            groups = X.groups if groups is None else groups
        sequences, names = self._read(X, reset=False)
        if y is None or len(y) != len(sequences):
            raise DataError(
                f"{type(self).__name__}: evaluate needs one label per sequence; got {len(sequences)} sequences and "
                f"{'no labels' if y is None else f'{len(y)} labels'}."
            )
        return evaluate(self.model_, sequences, y, names=names, groups=groups, context=context)

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> Explanation:
        """Say how much each input value speaks for an answer.

        Parameters
        ----------
        x : array of shape (time, channels), or of shape (time,)
            One sequence.
        method : {"integrated_gradients", "occlusion", "gradient_times_input"}
            How it is found out; ``error`` of the result says how far the parts fail to add up.
        target : label or int, optional
            The class, or the index of the number, to explain; the predicted class by default.
        step : int, optional
            With a label per time step: the step whose label is explained, all of them together by default.
        **options
            Of the method: ``points`` of integrated gradients, ``window`` of occlusion.

        Returns
        -------
        Explanation
            Values of shape (time, channels), aligned with x.

        Raises
        ------
        UsageError
            If method, target, step or an option does not exist.
        """
        self._check_fitted()
        return insight.explain(self, x, method=method, target=target, step=step, options=options)

    def trace(self, x: Any, *, name: str = "") -> Trace:
        """Return every gate and state, of every layer, while the network reads one sequence.

        Parameters
        ----------
        x : array of shape (time, channels), or of shape (time,)
            One sequence.
        name : str
            What to call it in pictures.

        Returns
        -------
        Trace
            ``plot()`` draws a layer as heat maps below the sequence.

        Raises
        ------
        UsageError
            If the network is the user's own.
        """
        self._check_fitted()
        return insight.trace_of(self, x, name=name)

    def gradient_flow(self, X: Any, y: Any = None) -> "GradientFlow":
        """Measure how far the gradient of the loss reaches back through the states, on up to 32 sequences.

        Parameters
        ----------
        X, y : as in ``fit``
            Real data, labelled.

        Returns
        -------
        GradientFlow
            ``summary()`` says what was found and what to do, ``plot()`` draws it.
        """
        self._check_fitted()
        y = X.y if isinstance(X, Dataset) and y is None else y
        sequences, names = self._read(X, reset=False)
        if y is None or len(y) != len(sequences):
            raise DataError(f"{type(self).__name__}: gradient_flow needs one label per sequence.")
        target = target_from_manifest(self.model_.task, self.model_.manifest["target"])
        encoded = target.scaled(target.encode(y, names))
        return insight.flow_of(self, sequences, encoded, names, self._loss(target, None))

    def torch_network(self) -> Any:
        """Return the trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights."""
        from recurra.nn.network import NetworkConfig, from_arrays

        self._check_fitted()
        if isinstance(self.model_.own_network, OwnNetwork):
            return self.model_.own_network.module
        return from_arrays(
            NetworkConfig.from_dict(self.model_.manifest["network"]), self.model_.weights
        ).eval()

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path)

    @classmethod
    def _from_model(cls, model: FittedModel, own: dict[str, Any]) -> Self:
        """Build a fitted estimator around a loaded model; ``own`` are words a file cannot hold."""
        known = cls._get_param_names()
        estimator = cls(**from_file(model.manifest["params"], known) | own)
        if isinstance(weights := getattr(estimator, "class_weight", None), dict):
            estimator.class_weight = {
                label: weights[str(label)] for label in model.classes.tolist() if str(label) in weights
            }
        given = model.manifest["input"]
        if given["n_features_in"] is not None:
            estimator.n_features_in_ = given["n_features_in"]
        if given["feature_names_in"]:
            estimator.feature_names_in_ = np.array(given["feature_names_in"], dtype=object)
        estimator.model_ = model
        estimator._learned()
        return estimator


def _seed(random_state: Any) -> int:
    """Return the seed, without touching a global generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if (
        isinstance(random_state, int | np.integer)
        and not isinstance(random_state, bool)
        and random_state >= 0
    ):
        return int(random_state)
    raise UsageError(
        f"random_state must be None, a whole number of at least 0 or a generator; got {random_state!r}."
    )


def _plain_params(params: dict[str, Any]) -> dict[str, Any]:
    """Return the words a file can hold; an optimizer class by its name, no callbacks, no function."""
    out = {}
    for name, value in params.items():
        if name in ("callbacks", "checkpoint_dir", "network", "device") or (
            name == "random_state" and not isinstance(value, int)
        ):
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if name == "vectors" and not isinstance(value, str):  # the model keeps the rows it needs
            value = None if value is None else str(value) if isinstance(value, os.PathLike) else None
        if isinstance(value, type):
            value = f"{value.__module__}.{value.__qualname__}"
        if name == "class_weight" and isinstance(value, dict):
            value = {str(label): float(weight) for label, weight in value.items()}
        out[name] = value
    return out
