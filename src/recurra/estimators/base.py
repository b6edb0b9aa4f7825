"""What all estimators share: scikit-learn's base with types, the options, and what every training and file has."""

import inspect
import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from sklearn.exceptions import NotFittedError as SklearnNotFittedError

from recurra.errors import RecurraError, UsageError
from recurra.fitting.option_checks import from_file
from recurra.fitting.task import Task
from recurra.insight.absent_methods import is_absent, name_absent_methods
from recurra.options import Running, Seed, options_of

if TYPE_CHECKING:
    # scikit-learn ships no types: with its own classes as bases, every attribute would be Any, a misspelt one too.
    class BaseEstimator:
        """What is used of scikit-learn's class of this name."""

        def __init__(self, **params: Any) -> None: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...  # noqa: D102
        def set_params(self, **params: Any) -> Self: ...  # noqa: D102
        def __sklearn_tags__(self) -> Any: ...
        @classmethod
        def _get_param_names(cls) -> list[str]: ...

    class ClassifierMixin:
        """What is used of scikit-learn's class of this name."""

        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...  # noqa: D102

    class RegressorMixin(ClassifierMixin):
        """What is used of scikit-learn's class of this name."""

    class OutlierMixin:
        """What is used of scikit-learn's class of this name."""

        def fit_predict(self, X: Any, y: Any = None, **options: Any) -> Any: ...  # noqa: D102
else:
    from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin, RegressorMixin

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "Estimator",
    "NotFittedError",
    "OutlierMixin",
    "RegressorMixin",
]


class NotFittedError(RecurraError, SklearnNotFittedError):
    """The estimator is used before ``fit``."""


class Estimator(BaseEstimator, Seed, Running):
    """Base of all estimators; a subclass is one of `recurra.options` too, which is its constructor.

    Its docstring gets the section of parameters from there.
    """

    task: ClassVar[Task]  # what of `recurra.fitting.fit.fit` is its own
    model_: Any
    history_: list[dict[str, Any]]
    best_epoch_: int
    seed_: int

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _document(cls)
        name_absent_methods(cls)

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if not is_absent(type(self), name)]

    def _learned(self) -> None:
        """Set the attributes that ``fit`` learned from ``model_``."""
        training = self.model_.manifest["training"]
        self.history_, self.best_epoch_ = training["history"], training["best_epoch"]
        self.seed_ = self.model_.manifest["seed"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with training data first."
            )

    # ----------------------------------------------------------- look inside

    # What to use where one of the three methods below has nothing to tell; by its name.
    instead: ClassVar[Mapping[str, str]] = {}

    def explain(self, *args: Any, **options: Any) -> Any:
        """Say what an answer rests on, where the estimator can; this one says what to use.

        Raises
        ------
        UsageError
        """
        self._refuse("explain")

    def trace(self, *args: Any, **options: Any) -> Any:
        """Return every gate and state over one sequence, where the estimator can; this one says what to use.

        Raises
        ------
        UsageError
        """
        self._refuse("trace")

    def gradient_flow(self, *args: Any, **options: Any) -> Any:
        """Measure how far gradients reach back, where the estimator can; this one says what to use.

        Raises
        ------
        UsageError
        """
        self._refuse("gradient_flow")

    def torch_network(self) -> Any:
        """Return the trained network as a `torch.nn.Module` in eval mode, a copy of the fitted weights."""
        from recurra.nn.networks.sequence_network import NetworkConfig, from_arrays

        self._check_fitted()
        config = NetworkConfig.from_dict(self.model_.manifest["network"])
        return from_arrays(config, self.model_.weights).eval()

    def _refuse(self, method: str) -> NoReturn:
        self._check_fitted()
        raise UsageError(f"{type(self).__name__}: {method} {self.instead[method]}")

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path)

    def export(
        self, path: str | os.PathLike[str], *, X: Any = None, to: str = "onnx", **options: Any
    ) -> list[Any]:
        """Write the network as a file that runs without recurra, checked against recurra's own answers.

        Parameters
        ----------
        path : path
            The ONNX file, or the folder of C.
        X : as in ``fit``, optional
            Sequences to check on; random ones by default.
        to : {"onnx", "c"}, default="onnx"
            The format.
        **options
            Of ONNX: ``step`` (bool), the graph of one step besides; ``opset``, 14 to 22, 17 by default. Of C: ``name``,
            what public names begin with; ``longest``, most rows of a sequence for a bidirectional network;
            ``weights_file`` (bool), weights in a file of their own; ``int8`` (bool), weights of eight bits.

        Returns
        -------
        list of `recurra.export.onnx_file.OnnxFile`, or of `recurra.export.c.write.CFolder`
            What was written, and how near it comes.

        Raises
        ------
        UsageError
            If the network cannot be exported; the message says why and what to do.
        RecurraError
            If what was made answers otherwise than recurra; nothing is written.
        """
        from recurra.export.formats import write  # some forty modules that nothing else of an estimator needs

        self._check_fitted()

        def sequences() -> list[Any] | None:
            return None if X is None else self._sequences(X)

        return write(self.model_, path, to=to, sequences=sequences, **options)

    def _sequences(self, X: Any) -> list[Any]:
        """Return X as raw sequences, as the features of the model read them."""
        raise UsageError(f"export: {type(self).__name__} is checked on random sequences; leave X out.")

    @classmethod
    def _with_params(cls, params: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Self:
        """Return an estimator with the options a file holds that this version knows, and ``own``, which it cannot."""
        known = cls._get_param_names()
        return cls(**from_file(params, known) | dict(own or {}))

    @classmethod
    def _from_model(cls, model: Any, own: Mapping[str, Any]) -> Self:
        """Build a fitted estimator around a loaded model; ``own`` are options a file cannot hold."""
        estimator = cls._with_params(model.manifest["params"], own)
        estimator.model_ = model
        estimator._learned()
        return estimator


# What every fitted estimator has; a class whose docstring tells of it in its own words keeps those.
_ATTRIBUTES = {
    "model_": "FittedModel\n    The trained network as data; predicts without torch.",
    "history_": "list of dict\n    One flat record per epoch.",
    "best_epoch_": "int\n    The epoch the weights are of.",
    "seed_": "int\n    The seed that decided everything, also where ``random_state`` was None.",
}


def _document(cls: type) -> None:
    """Put parameters and common attributes into the docstring of an estimator, before its references and examples."""
    doc = cls.__doc__
    if not doc or "Parameters\n" in doc or "__init__" in vars(cls):
        return
    summary, *sections = re.split(r"\n\n(?=[A-Z][a-z]+\n---)", inspect.cleandoc(doc))
    own = sections.pop(0) if sections and sections[0].startswith("Attributes") else "Attributes\n----------"
    common = [f"{name} : {what}" for name, what in _ATTRIBUTES.items() if f"\n{name} : " not in own]
    entries = "\n".join(one.numpydoc() for one in options_of(cls).values())
    parameters = f"Parameters\n----------\n{_wrapped(entries)}"
    cls.__doc__ = "\n\n".join([summary, parameters, "\n".join([own.rstrip(), *common]), *sections]) + "\n"


def _wrapped(entries: str) -> str:
    lines = []
    for line in entries.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        lines += (
            textwrap.wrap(line, 116, subsequent_indent=indent, break_on_hyphens=False) if indent else [line]
        )
    return "\n".join(lines)
