"""`LightModel`: a model file that predicts and streams with numpy alone."""

import os
from typing import Any

import numpy as np

from recurra.checks import as_texts, as_token_lists, counted
from recurra.errors import ShapeError, UsageError
from recurra.features.texts.symbols import as_sides
from recurra.plain_arrays import as_sequences
from recurra.records import Dataset
from recurra.serving.inputs import Inputs
from recurra.serving.models.fitted_model import FittedModel, open_file
from recurra.serving.models.translation import Answer, TranslationModel
from recurra.serving.streams.look_ahead import LookAheadStream
from recurra.serving.streams.stream import Stream


class LightModel:
    """A trained network without torch, scipy and scikit-learn; its answers are the estimator's own, the same bits.

    Parameters
    ----------
    model : FittedModel
        As loaded.

    Attributes
    ----------
    model_ : FittedModel
        The trained network as data.
    n_channels_ : int
        Channels of a sequence.
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities; not with numbers to predict.
    """

    def __init__(self, model: FittedModel) -> None:
        self.model_ = model
        self.n_channels_ = model.features.n_channels
        if model.task != "regression":
            self.classes_ = model.classes

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LightModel | LightTranslator":
        """Read a model file.

        Raises
        ------
        StoreError
            If the file is damaged, no model, or of a newer version.
        UsageError
            If it holds the weights of a network of the user's own, which needs torch.
        """
        model = open_file(path)
        if isinstance(model, TranslationModel):
            return LightTranslator(model)
        if model.manifest["network"] is None:
            raise UsageError(
                f"{path}: holds weights of an own network, which needs torch to run: "
                "load_model(path, network=function), without runtime='light'."
            )
        if model.task == "generation":
            raise UsageError(f"{path}: holds a network that writes; load it without runtime='light'.")
        return cls(model)

    @property
    def estimator(self) -> str:
        """Name of the estimator that wrote the file."""
        return str(self.model_.manifest["estimator"])

    def predict(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Return labels, numbers, or an object array of label arrays; X and static as the estimator takes them."""
        return self.model_.predict(self._inputs(X, static))

    def predict_proba(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Return probabilities of shape (sequences, classes), or an object array of (time, classes) arrays."""
        if self.model_.task == "regression":
            raise UsageError(f"predict_proba: needs classes; {self.estimator} predicts numbers.")
        return self.model_.predict_proba(self._inputs(X, static))

    def predict_quantiles(self, X: Any, *, static: Any = None) -> np.ndarray:
        """Return a regressor's quantiles of shape (sequences, quantiles) or (sequences, targets, quantiles).

        An object array of such arrays with numbers per time step.
        """
        if not self.model_.quantiles:
            raise UsageError(
                f"predict_quantiles: {self.estimator} has no quantiles. Train with loss='quantile'."
            )
        return self.model_.predict_quantiles(self._inputs(X, static))

    def _inputs(self, X: Any, static: Any) -> Inputs:
        return self.model_.read(self.estimator, *self._read(X), static, X)

    def stream(self, *, look_ahead: int | None = None, static: Any = None) -> Stream | LookAheadStream:
        """Begin a sequence whose rows come one by one; see `FittedModel.stream`."""
        return self.model_.stream(look_ahead=look_ahead, static=static)

    def _read(self, X: Any) -> tuple[list[Any], list[str] | None]:
        if not self.model_.features.reads_numbers:
            return as_token_lists(X) if self.model_.task == "labeling" else as_texts(X)
        if isinstance(X, Dataset):
            return as_sequences(X.X, names=X.names), X.names
        if hasattr(X, "columns") and hasattr(X, "to_numpy"):
            self._check_columns([str(column) for column in X.columns])
            X = X.to_numpy()
        columns = self.model_.manifest["input"]["n_features_in"]
        if columns is not None and isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] != columns:
            raise ShapeError(
                f"X: has {X.shape[1]} features, but {self.estimator} is expecting {columns} features as input. "
                "Pass sequences of other lengths as a list."
            )
        return as_sequences(X), None

    def _check_columns(self, found: list[str]) -> None:
        expected = self.model_.manifest["input"]["feature_names_in"]
        if expected and found != list(expected):
            odd = next((name for name in found if name not in expected), found[0] if found else "nothing")
            raise ShapeError(
                f"X: the columns must be those of the training data in the same order; got {odd!r} out of place. "
                "Reorder or rename them."
            )

    def __repr__(self) -> str:
        return f"LightModel({self.estimator}, {counted(self.n_channels_, 'channel')})"


class LightTranslator:
    """A trained translator without torch, scipy and scikit-learn; its answers are the estimator's own, the same bits.

    Parameters
    ----------
    model : TranslationModel
        As loaded.

    Attributes
    ----------
    model_ : TranslationModel
        The trained network as data.
    max_length_ : int
        Most symbols of an answer.
    """

    def __init__(self, model: TranslationModel) -> None:
        self.model_ = model
        self.max_length_ = model.max_length

    def predict(self, X: Any) -> np.ndarray:
        """Return the best answer to each source: object array of str, shape (sources,)."""
        return self.model_.predict(as_sides("X", getattr(X, "X", X), None))

    def translate(self, X: Any, **words: Any) -> list[list[Answer]]:
        """Return answers with scores and alternatives; words as in `TranslationModel.translate`."""
        return self.model_.translate(as_sides("X", getattr(X, "X", X), None), **words)

    def __repr__(self) -> str:
        return f"LightTranslator({len(self.model_.source)} source symbols, {len(self.model_.target)} target symbols)"
