"""What all sequence estimators share: fit, predict, explain, evaluate, save."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recurra.batches.splits import content_keys
from recurra.checks import check_finite
from recurra.errors import DataError
from recurra.fitting.explanations import sequences as insight
from recurra.fitting import overlap
from recurra.fitting import recipe
from recurra.fitting import resuming
from recurra.fitting.tasks import sequences as rows
from recurra.estimators.base import (
    FEWEST_GROUPS,
    ClassifierMixin,
    Estimator,
    plain_params,
    seed_of,
    trained,
    validation_pair,
)
from recurra.fitting.inputs.sequences import Given, check_steps, merged, read_sequences, read_training
from recurra.fitting.judge import evaluate, training_facts
from recurra.fitting.own_network import OwnNetwork, built
from recurra.fitting.targets import ClassTarget, Target, class_weights, target_from_manifest
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.evaluation.explanation import Explanation
from recurra.evaluation.traces import Trace
from recurra.features.chain import Chain
from recurra.options import ClassWeights, Pooling, Scaling, SequenceOptions, Signals, Wide
from recurra.records import Dataset
from recurra.serving.look_ahead import LookAheadStream
from recurra.serving.model import FittedModel
from recurra.serving.stream import Stream

if TYPE_CHECKING:
    from recurra.evaluation.gradient_flow import GradientFlow


class SequenceEstimator(Estimator, SequenceOptions, ABC):
    """Base of the sequence estimators; a subclass gives its options, features and target."""

    _answers_steps = False  # of an estimator that may pool: whether y gave a number per step

    model_: FittedModel
    classes_: np.ndarray
    n_channels_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    channel_names_in_: list[str] | None
    recipe_: str  # what was decided, in a sentence; empty where nothing was

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
        found, resume = self._begin(resume)
        given = read_training(self, X, y, groups, sample_weight)
        contents = self._contents(X, given.sequences)
        given, target = self._encode(given, resume)
        as_given = self.get_params(deep=False)
        if resume:  # the network that goes on is what it was
            kept = self.model_.manifest["params"]
            options = {name: kept[name] for name in recipe.DECIDED if name in kept and name in as_given}
        else:
            options = recipe.decided(self, given, target)
        self.set_params(**options)
        try:
            self._learn(X, given, target, found, resume, validation)
        finally:
            self.set_params(**{name: as_given[name] for name in options})
        self.recipe_ = recipe.in_words(options, self.model_.wide)
        overlap.remember(self, contents, resume=resume)
        return self

    def _learn(self, X: Any, given: Given, target: Target, found: Any, resume: bool, validation: Any) -> None:
        """Train on encoded data, every option decided."""
        who, everything = type(self).__name__, given
        self.seed_ = seed_of(resuming.random_state(self, found))
        given, held_out = self._hold_out(given, target, validation)
        if not resume:
            target = target.fitted_on(given.y, given.weights)
        features = self.model_.features if resume else self._fit_features(given)
        shape_only = FittedModel(self._manifest(X, target), features, {})
        examples = rows.examples(shape_only, given, target)
        validation_examples = rows.examples(shape_only, held_out, target) if held_out is not None else None
        network = self._build(features, target.output_size, resume, int(examples.lengths.max()))
        rows.set_memory(network, self.memory if isinstance(self, Scaling) else "full")
        params = shape_only.manifest["params"]
        start, keepers = resuming.keep(self, found, params, examples, validation_examples, fitted=resume)
        weight_of_class = self.class_weight if isinstance(self, ClassWeights) else None
        weights = class_weights(who, weight_of_class, target, given.y, given.weights)
        loss = self._loss(target, weights)
        result = self._train(network, examples, validation_examples, target, loss, start, keepers)
        wide = None
        if isinstance(self, Wide) and self.wide is True:
            own = class_weights(who, weight_of_class, target, everything.y, everything.weights)
            each = everything.weights if own is None else everything.weights * own[np.asarray(everything.y)]
            wide = recipe.fit_wide(self, shape_only, everything, target, each)
        self._keep(network, shape_only, result, training_facts(target, given, examples.lengths), wide)

    # What a subclass may answer in its own way: how X is read, what is fitted on it, how the network looks, the loss.

    def _read(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
        """Return X as a list of raw sequences, (time, channels) arrays here, and names where it has any."""
        return read_sequences(self, X, reset=reset)

    def _contents(self, X: Any, sequences: list[Any]) -> list[Any]:
        """Return what tells the sequences apart, as read and before any feature."""
        return sequences

    def _check(self, given: Given) -> None:
        """Raise DataError naming the first raw sequence that cannot be learned from."""
        check_finite(given.sequences, names=given.names)

    @abstractmethod
    def _fit_features(self, given: Given) -> Chain:
        """Learn the features from the training part."""

    def _front(self, features: Chain) -> dict[str, Any] | None:
        """Describe the trainable layers before the recurrence, see `recurra.nn.front`; None for none."""
        return None

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
            shared_generator=self.network is not None,
        )

    def _hold_out(self, given: Given, target: Target, validation: Any) -> tuple[Given, Given | None]:
        """Return the part to learn from and the part that decides early stopping, if there is one."""
        if validation is not None:
            X, y = validation_pair(type(self).__name__, validation)
            sequences, names = self._read(X, reset=False)
            y = X.y if isinstance(X, Dataset) else y
            encoded = target.encode(y, names)
            if len(encoded) != len(sequences):
                raise DataError(
                    f"{type(self).__name__}: validation must hold one label per sequence; "
                    f"got {len(sequences)} sequences and {len(encoded)} labels."
                )
            return given, Given(sequences, encoded, None, np.ones(len(sequences)), names)
        keys = content_keys(given.sequences)
        parts = self._held_out(
            given.y if target.task == "classification" else len(given.sequences),
            keys,
            given.groups,
            fraction=self.validation_fraction,
            fewest_groups=FEWEST_GROUPS,
        )
        return (given, None) if parts is None else (given.take(parts[0]), given.take(parts[1]))

    def _build(self, features: Chain, output_size: int, resume: bool, longest: int) -> Any:
        import torch

        from recurra.nn.network import NetworkConfig, build, from_arrays

        if self.network is not None:
            sizes = (features.input_size, output_size)
            module = built(self.network, *sizes, seed=self.seed_, who=type(self).__name__)
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
            pooling=self.pooling if isinstance(self, Pooling) and not self._answers_steps else "none",
            dropout=float(self.dropout),
            front=self._front(features),
            crf=bool(getattr(self, "crf", False)),
        )
        if resume:
            network = from_arrays(config, self.model_.weights)
        else:  # chrono's shortest meaningful memory is three steps
            network = build(
                config, seed=self.seed_, initialization=self.initialization, max_length=max(3, longest)
            )
        network.cut_after = self.tbptt if isinstance(self, Signals) else None
        return network

    def _manifest(self, X: Any, target: Target) -> dict[str, Any]:
        return {
            "params": plain_params(self.get_params(deep=False)),
            "task": target.task,
            "target": target.to_manifest(),
            "channel_names": getattr(self, "channel_names_in_", None),
            "sample_rate_hz": X.sample_rate_hz if isinstance(X, Dataset) else None,
            "input": {
                "n_features_in": getattr(self, "n_features_in_", None),
                "feature_names_in": [str(n) for n in getattr(self, "feature_names_in_", [])],
            },
        }

    def _keep(
        self, network: Any, shape_only: FittedModel, result: Any, facts: dict[str, Any], wide: Any = None
    ) -> None:
        """Turn the trained module into the fitted model."""
        from recurra.nn.network import to_arrays

        own = self.network is not None
        manifest = {
            **shape_only.manifest,
            "network": None if own else network.config.to_dict(),
            **self._written_by(),
            "training": {**facts, **trained(result)},
        }
        weights = to_arrays(network)
        self.model_ = FittedModel(
            manifest, shape_only.features, weights, OwnNetwork(network) if own else None, wide=wide
        )
        self._learned()

    def _learned(self) -> None:
        super()._learned()
        self.n_channels_ = self.model_.features.n_channels
        if self.model_.task != "regression":
            self.classes_ = self.model_.classes

    # -------------------------------------------------------------- predict

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
        groups = X.groups if isinstance(X, Dataset) and groups is None else groups
        sequences, names, y = self._labelled("evaluate", X, y)
        found = evaluate(self.model_, sequences, y, names=names, groups=groups, context=context)
        return overlap.told(self, found, self._contents(X, sequences))

    def _labelled(self, what: str, X: Any, y: Any) -> tuple[list[Any], list[str] | None, Any]:
        sequences, names = self._read(X, reset=False)
        y = X.y if isinstance(X, Dataset) and y is None else y
        if y is None or len(y) != len(sequences):
            raise DataError(
                f"{type(self).__name__}: {what} needs one label per sequence; got {len(sequences)} sequences and "
                f"{'no labels' if y is None else f'{len(y)} labels'}."
            )
        return sequences, names, y

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
        sequences, names, y = self._labelled("gradient_flow", X, y)
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

    @classmethod
    def _from_model(cls, model: FittedModel, own: Mapping[str, Any]) -> Self:
        estimator = cls._with_params(model.manifest["params"], own)
        if isinstance(estimator, ClassWeights) and isinstance(weights := estimator.class_weight, dict):
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


class ClassEstimator(ClassifierMixin, SequenceEstimator):
    """Base of the estimators that give one class to a whole sequence, text or clip."""

    def _fit_target(self, given: Given) -> ClassTarget:
        return ClassTarget.fit(type(self).__name__, given.y, given.names)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class: float32 array of shape (sequences, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(*self._read(X, reset=False))
