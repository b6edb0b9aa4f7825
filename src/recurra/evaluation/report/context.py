"""`ReportContext`: what a report tells beside its figures; and the versions that decide a figure."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from importlib import metadata
from typing import Any

import numpy as np

import recurra


@dataclass(frozen=True)
class ReportContext:
    """What the report tells besides the figures; everything may be left out.

    Parameters
    ----------
    title : str
        Heading of the report.
    history : sequence of mapping
        One row per epoch: epoch, train_loss, valid_loss, valid_<score>, learning_rate, grad_norm_median,
        grad_norm_max, clipped_share, seconds, steps_per_second, padding_share; any may be absent.
    best_epoch : int, optional
        Epoch whose weights were kept.
    command : str
        The exact command or call that repeats the result.
    seed : int, optional
        The one seed.
    versions : mapping of str to str
        Of packages; those that decide figures are added where they are missing.
    data : mapping
        `Dataset.summary()` and whatever else describes the data (``source``, ``notes``).
    split : str
        How training and test part came to be, in words.
    licence, citation : str
        Terms of use of the data, and how to cite it.
    network : str
        The network in words.
    parameters : mapping
        Every setting of the estimator.
    train_lengths : sequence of int
        Time steps of the training sequences.
    train_counts : mapping
        Training items of each class.
    warnings : sequence of str
        What the user was warned of.
    leaks : sequence of str, optional
        What may be on both sides of the split; empty if that was checked and nothing found, None if not
        checked.
    trained_on : str
        How much of what was judged on was trained on; said before everything else.
    channel_names, target_names : sequence of str, optional
        Names for charts and tables.
    sample_rate_hz : float, optional
        Time steps per second; time axes are in seconds with it.
    inside : function of a position and the name of its sequence, optional
        Returns the drawing of gates and states while the network reads it, and what they say in words.
    pictures : function without arguments, optional
        Returns more drawings to show, each an SVG element and its caption; asked when the report is made.
    frames : function of a position, optional
        Of clips: returns the frames that were judged, uint8 of shape (time, height, width, 3).
    """

    title: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    best_epoch: int | None = None
    command: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    licence: str = ""
    citation: str = ""
    network: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    train_lengths: Sequence[int] = ()
    train_counts: Mapping[Any, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    leaks: Sequence[str] | None = None
    trained_on: str = ""
    channel_names: Sequence[str] | None = None
    target_names: Sequence[str] | None = None
    sample_rate_hz: float | None = None
    inside: Callable[[int, str], tuple[str, str]] | None = None
    pictures: Callable[[], Sequence[tuple[str, str]]] | None = None
    frames: Callable[[int], np.ndarray] | None = None

    @cached_property
    def learning_curves(self) -> str:
        """The chart of losses by epoch, as an SVG element; empty where fewer than two are known, which make no curve."""
        from recurra.evaluation.drawing import charts

        if sum(charts.is_number(row.get("train_loss")) for row in self.history) < 2:
            return ""
        score = charts.find_score(self.history)
        return charts.learning_curves(self.history, best_epoch=self.best_epoch, score=score)


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a figure, without importing them."""
    found = {name: _version(name) for name in ("numpy", "scipy", "scikit-learn", "torch", "safetensors")}
    out = {"python": platform.python_version(), "recurra": recurra.__version__}
    return out | {name: version for name, version in found.items() if version is not None}


@cache
def _version(package: str) -> str | None:
    """Return the version of a package that is installed: a file is parsed for it, which takes milliseconds."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def report_context(
    manifest: Mapping[str, Any], given: ReportContext | None, network: str = "", **more: Any
) -> ReportContext:
    """Return what a report tells of a training, with what the caller gave in its place.

    Parameters
    ----------
    manifest : mapping
        Of the model file.
    given : ReportContext or None
        Of the caller.
    network : str
        The network in words.
    **more
        What is known beside, by the names of `ReportContext`.
    """
    training = manifest["training"]
    known = ReportContext(
        title=manifest["estimator"],
        history=training["history"],
        best_epoch=training["best_epoch"],
        seed=manifest["seed"],
        versions=manifest["versions"],
        network=network,
        parameters=manifest["params"],
        **more,
    )
    if given is None:
        return known
    default = ReportContext()
    own = {f.name: getattr(given, f.name) for f in fields(given)}
    return replace(known, **{name: value for name, value in own.items() if value != getattr(default, name)})
