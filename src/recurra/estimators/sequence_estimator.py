"""What all sequence estimators share: fit, predict, explain, evaluate, save."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from recurra.checks import check_torch
from recurra.errors import DataError, UsageError
from recurra.estimators.base import ClassifierMixin, Estimator, RegressorMixin
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.traces import Trace
from recurra.evaluation.results.evaluation import Evaluation, ReportContext
from recurra.features.texts.tokens import Words
from recurra.fitting import overlap
from recurra.fitting.fit import fit
from recurra.fitting.own_network import OwnNetwork
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.inputs.request import Request
from recurra.inputs.sequences import sequence_weights
from recurra.inputs.targets import target_from_manifest
from recurra.inputs.true_answers import true_answers
from recurra.insight.evaluating.sequences import evaluate
from recurra.insight.explanations import sequences as explanations
from recurra.options import ClassWeights, SequenceOptions
from recurra.records import Dataset
from recurra.serving.inputs import Inputs
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.streams.look_ahead import LookAheadStream
from recurra.serving.streams.stream import Stream

if TYPE_CHECKING:
    from recurra.evaluation.explanations.gradient_flow import GradientFlow


class SequenceEstimator(Estimator, SequenceOptions):
    """Base of the sequence estimators; a subclass gives its options and its task."""

    task: ClassVar[SequenceTask]
    model_: FittedModel
    classes_: np.ndarray
    n_channels_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    channel_names_in_: list[str] | None
    vocabulary_: dict[str, int]  # where words are read
    recipe_: str  # what was decided, in a sentence; empty where nothing was

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        static: Any = None,
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
        validation : (X, y), (X, y, static) or Dataset, optional
            Decides early stopping instead of a part held out of X.
        static : array of shape (sequences, columns), DataFrame, or list of dictionaries, optional
            Values that belong to a whole sequence, such as an age or a kind of sensor: numbers and text, None where one
            is missing. A Dataset may have them itself. For `SequenceClassifier`, `SequenceRegressor` and
            `SequenceLabeler`.
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
        request = Request(
            X, y, groups=groups, sample_weight=sample_weight, validation=validation, static=static
        )
        return fit(self, request, resume=resume)

    def _read(self, X: Any) -> tuple[list[Any], list[str] | None]:
        """Return X as a list of raw sequences, (time, channels) arrays for signals, and names where it has any."""
        return self.task.reading.read(self, X, reset=False)

    def _sequences(self, X: Any) -> list[Any]:
        return self._read(X)[0]

    def _inputs(self, X: Any, static: Any) -> Inputs:
        """Return sequences, their names, and their static inputs where the network has some."""
        return self.model_.read(type(self).__name__, *self._read(X), static, X)

    def _learned(self) -> None:
        super()._learned()
        self.n_channels_ = self.model_.features.n_channels
        if self.model_.task != "regression":
            self.classes_ = self.model_.classes
        self.recipe_ = self.model_.manifest["training"].get("recipe", "")
        self.__dict__.pop("vocabulary_", None)  # of an earlier fit
        for step in self.model_.features.steps:
            if isinstance(step, Words):
                self.vocabulary_ = step.vocabulary

    # -------------------------------------------------------------- predict

    def predict(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : as in ``fit``
            Sequences of the same channels, of any length of at least one step.
        static : as in ``fit``
            With the columns of the training.

        Returns
        -------
        ndarray
            One label or number per sequence; shape (sequences, targets) with several targets; a one-dimensional
            object array of arrays with a label per time step.
        """
        self._check_fitted()
        return self.model_.predict(self._inputs(X, static))

    def stream(self, *, look_ahead: int | None = None, static: Any = None) -> Stream | LookAheadStream:
        """Begin a sequence whose rows come one by one.

        Parameters
        ----------
        look_ahead : int, optional
            For networks that cannot be streamed as they are, such as bidirectional ones: answer from a window of
            the newest rows; see `recurra.serving.streams.look_ahead.LookAheadStream`.
        static : sequence or dictionary, optional
            The static inputs of the sequence; ``reset(static=...)`` of the stream gives those of the next one.

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
        return self.model_.stream(look_ahead=look_ahead, static=static)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        static: Any = None,
        context: ReportContext | None = None,
    ) -> Evaluation:
        """Judge on labelled data.

        Parameters
        ----------
        X, y, groups, static : as in ``fit``
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
        X, y, groups = self._readable(X, y, groups)
        groups = X.groups if isinstance(X, Dataset) and groups is None else groups
        inputs, y = self._labelled("evaluate", X, y, static)
        if shown := self._shown(X, inputs.sequences):
            context = replace(context or ReportContext(), **shown)
        found = evaluate(self.model_, inputs, y, groups=groups, context=context)
        own = self.task.reading.contents
        contents = list(inputs.sequences) if own is None else own(X, list(inputs.sequences))
        return overlap.told(self, found, contents, static=inputs.static)

    def _readable(self, X: Any, *beside: Any) -> tuple[Any, ...]:
        """Return X and what belongs to each of its sequences, without those that cannot be read where that is asked for."""
        return X, *beside

    def _shown(self, X: Any, sequences: Sequence[Any]) -> dict[str, Any]:
        """Return what the report of an evaluation shows beside its figures, by the names of `ReportContext`."""
        return {}

    def _labelled(self, what: str, X: Any, y: Any, static: Any) -> tuple[Inputs, Any]:
        inputs = self._inputs(X, static)
        y = X.y if isinstance(X, Dataset) and y is None else y
        return inputs, true_answers(self, what, y, inputs.sequences, inputs.names)

    def _score(self, metric: Callable[..., float], X: Any, y: Any, sample_weight: Any, static: Any) -> float:
        """Return what a metric makes of the predictions, over all time steps where there is an answer at each.

        Raises
        ------
        DataError
            If there are no labels.
        """
        self._check_fitted()
        X, y, sample_weight = self._readable(X, y, sample_weight)
        y = X.y if isinstance(X, Dataset) and y is None else y
        if y is None:
            raise DataError(
                f"{type(self).__name__}: score needs y, one label per sequence, or a Dataset with labels."
            )
        predicted = self.predict(X, static=static)
        if sample_weight is not None:
            sample_weight = sequence_weights(f"{type(self).__name__}: score", sample_weight, len(predicted))
        y = true_answers(self, "score", y, predicted, None)
        if self.model_.per_step:
            lengths = [len(own) for own in predicted]
            sample_weight = None if sample_weight is None else np.repeat(sample_weight, lengths)
            y, predicted = np.concatenate(y), np.concatenate(list(predicted))
        return float(metric(y, predicted, sample_weight=sample_weight))

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        static: Any = None,
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
            With a label or a number per time step: the step whose answer is explained, the sum of all by default.
        static : sequence or dictionary, optional
            The static inputs of this sequence.
        **options
            Of the method: ``points`` of integrated gradients, ``window`` of occlusion.

        Returns
        -------
        Explanation
            Values of shape (time, channels), aligned with x; ``static`` holds what each static input contributes.

        Raises
        ------
        UsageError
            If method, target, step or an option does not exist.
        """
        self._check_fitted()
        return explanations.explain(
            self, x, method=method, target=target, step=step, options=options, static=static
        )

    def trace(self, x: Any, *, name: str = "", static: Any = None) -> Trace:
        """Return every gate and state, of every layer, while the network reads one sequence.

        Parameters
        ----------
        x : array of shape (time, channels), or of shape (time,)
            One sequence.
        name : str
            What to call it in pictures.
        static : sequence or dictionary, optional
            The static inputs of this sequence.

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
        return explanations.trace_of(self, x, name=name, static=static)

    def gradient_flow(self, X: Any, y: Any = None, *, static: Any = None) -> "GradientFlow":
        """Measure how far the gradient of the loss reaches back through the states, on up to 32 sequences.

        Parameters
        ----------
        X, y, static : as in ``fit``
            Real data, labelled.

        Returns
        -------
        GradientFlow
            ``summary()`` says what was found and what to do, ``plot()`` draws it.
        """
        self._check_fitted()
        check_torch(f"{type(self).__name__}.gradient_flow")
        inputs, y = self._labelled("gradient_flow", X, y, static)
        target = target_from_manifest(self.model_.task, self.model_.manifest["target"])
        encoded = target.scaled(target.encode(y, inputs.names))
        loss = self.task.loss(self, target, None)
        return explanations.flow_of(self, inputs, encoded, loss)

    def torch_network(self, member: int = 0) -> Any:
        """Return a trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights.

        Parameters
        ----------
        member : int, default=0
            Which of ``members``.
        """
        from recurra.nn.networks.sequence_network import NetworkConfig, from_arrays

        self._check_fitted()
        if isinstance(self.model_.own_network, OwnNetwork):
            return self.model_.own_network.modules[member]
        config = NetworkConfig.from_dict(self.model_.manifest["network"])
        return from_arrays(config, self.model_.members[member]).eval()

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

    def predict_proba(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Return the probability of every class: float32 array of shape (sequences, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(self._inputs(X, static))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, static: Any = None) -> float:
        """Return the accuracy; X, y and static as in ``fit``, y not needed where X is a Dataset with labels."""
        return self._score(accuracy_score, X, y, sample_weight, static)


class NumberEstimator(RegressorMixin, SequenceEstimator):
    """Base of the estimators that give numbers to a sequence or text, or to its steps."""

    def predict_quantiles(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Predict the quantiles, where the loss was "quantile".

        Returns
        -------
        ndarray of shape (sequences, quantiles) or (sequences, targets, quantiles)
            An object array of such arrays with numbers per time step.
        """
        self._check_fitted()
        if not self.model_.manifest["target"].get("quantiles"):
            raise UsageError(f"{type(self).__name__}: has no quantiles. Train with loss='quantile'.")
        return self.model_.predict_quantiles(self._inputs(X, static))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, *, static: Any = None) -> float:
        """Return R2, over all time steps with numbers per step; a sequence's weight counts for each of its steps.

        y is not needed where X is a Dataset with numbers as labels.
        """
        return self._score(r2_score, X, y, sample_weight, static)
