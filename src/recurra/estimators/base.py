"""What all estimators share: scikit-learn's base with types, the options, and what every training and file has."""

import inspect
import os
import re
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.exceptions import NotFittedError as SklearnNotFittedError

import recurra
from recurra.batches.splits import holdout
from recurra.errors import RecurraError, UsageError
from recurra.fitting import resuming
from recurra.fitting.option_checks import check_params, from_file
from recurra.evaluation.evaluation import installed_versions
from recurra.options import Running, Seed, options_of
from recurra.records import Dataset

if TYPE_CHECKING:
    from recurra.training.config import TrainingConfig

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

# Fewer held-out sequences, or groups in all, are too weak a witness to stop training on; everything is then trained on.
FEWEST_HELD_OUT = 25
FEWEST_GROUPS = 5


class NotFittedError(RecurraError, SklearnNotFittedError):
    """The estimator is used before ``fit``."""


class Estimator(BaseEstimator, Seed):
    """Base of all estimators; a subclass is one of `recurra.options` too, which is its constructor.

    Its docstring gets the section of parameters from there.
    """

    model_: Any
    history_: list[dict[str, Any]]
    best_epoch_: int
    seed_: int

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _document(cls)

    # ------------------------------------------------------------------ fit

    def _check_options(self) -> None:
        """Raise UsageError at the first option whose value is out of its range."""
        check_params(type(self).__name__, self.get_params(deep=False), options_of(type(self)))

    def _begin(self, resume: bool) -> tuple[Any, bool]:
        """Check the options; return the checkpoint to go on from, if any, and whether to go on from what is fitted."""
        self._check_options()
        found = resuming.find(self, resume)
        if not isinstance(self, Running) or self.checkpoint_dir is None:
            if resume:
                self._check_fitted()
        elif not resume and hasattr(self, "model_"):
            del self.model_  # should this training be interrupted, it is the one to go on with
        return found, resume and hasattr(self, "model_")

    def _held_out(
        self, y: Any, keys: Sequence[Any], groups: np.ndarray | None, *, fraction: float, fewest_groups: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return which records to learn from and which decide early stopping; None where the latter are too few.

        Parameters
        ----------
        y : ndarray or int
            Classes of the records, or their number.
        keys : sequence
            Equal for records that must stay on one side.
        """
        if fraction * len(set(keys)) < FEWEST_HELD_OUT:
            return None
        if groups is not None and len(set(groups.tolist())) < fewest_groups:
            return None
        train, held_out = holdout(y, groups=groups, fraction=fraction, random_state=self.seed_, keys=keys)
        return (train, held_out) if len(held_out) else None

    def _training_config(self) -> "TrainingConfig":
        from recurra.training.config import TrainingConfig

        known = {field.name for field in fields(TrainingConfig)}
        own = {name: value for name, value in self.get_params(deep=False).items() if name in known}
        return TrainingConfig(**own, seed=self.seed_)

    def _written_by(self) -> dict[str, Any]:
        """Return what every model file says of its origin."""
        return {
            "estimator": type(self).__name__,
            "recurra": recurra.__version__,
            "versions": installed_versions(),
            "seed": self.seed_,
        }

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

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; see `recurra.load_model`."""
        self._check_fitted()
        self.model_.save(path)

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


def trained(result: Any) -> dict[str, Any]:
    """Return what a model file says of a training, as `recurra.training.loop.train` returned it."""
    return {
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "seconds": result.train_seconds,
        "history": result.history,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def validation_pair(who: str, validation: Any) -> tuple[Any, Any]:
    """Return what ``validation=`` gives as X and y; y is None where X is a Dataset, which has its own."""
    if isinstance(validation, Dataset):
        return validation, None
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise UsageError(
            f"{who}: validation must be a pair (X, y) or a Dataset; got {validation!r:.60}. "
            "To hold out a share of X, use validation_fraction."
        )
    return validation[0], validation[1]


def seed_of(random_state: Any) -> int:
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


def plain_params(params: dict[str, Any]) -> dict[str, Any]:
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
