"""`check`: a model file's manifest read whole by its typed description, before anything is built."""

import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from recurra.errors import StoreError
from recurra.serving.models.manifest_parts import (
    AnomalyFile,
    Classes,
    ClassFile,
    Embedding,
    ForecastFile,
    GeneratorFile,
    Horizon,
    ModelFile,
    NumberFile,
    Numbers,
    SequenceFile,
    Static,
    TextFront,
    TokenCounts,
    TranslationFile,
    Words,
)
from recurra.serving.schema import MANIFEST, Range, check_needed, needed, read, value

# The task of every estimator; that of a class of a user's own is not known.
TASK_OF = {
    "SequenceClassifier": "classification",
    "SequenceRegressor": "regression",
    "SequenceLabeler": "labeling",
    "TextClassifier": "classification",
    "TextRegressor": "regression",
    "VideoClassifier": "classification",
    "TextGenerator": "generation",
    "Translator": "translation",
    "Forecaster": "forecasting",
    "AnomalyDetector": "anomaly",
}
# Options that predictions are made of; what no array bears out has a greatest value.
READ: Mapping[str, Any] = {
    "missing": str,
    "length_penalty": Annotated[float, Range(0, 100)],
    "beam_size": Annotated[int, Range(1, 10_000)],
    "horizon": Horizon,
    "image_size": Annotated[int, Range(1, 4096)],
    "frames": Annotated[int, Range(1, 1_000_000)],
    "grid": Annotated[int, Range(1, 64)],
}

FILES: Mapping[str, type[ModelFile]] = {
    "classification": ClassFile,
    "labeling": ClassFile,
    "regression": NumberFile,
    "generation": GeneratorFile,
    "translation": TranslationFile,
    "forecasting": ForecastFile,
    "anomaly": AnomalyFile,
}


def whole(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest as it is written: checked, with what its reader must know.

    Raises
    ------
    StoreError
        If `check` would refuse it.
    """
    check({**manifest, "needs": []})
    written = {**manifest, "needs": needed(FILES[manifest["task"]], manifest)}
    check(written)
    return written


def check(manifest: Mapping[str, Any]) -> Any:
    """Return the typed description of a whole manifest.

    Raises
    ------
    StoreError
        At the first value that is absent, of another type, out of its range, or at odds with another; or at a key that the
        file's answers need and this version does not read.
    """
    if "task" not in manifest:
        raise StoreError("the manifest is incomplete or makes no sense: it lacks 'task'. Use a backup.")
    task = value(str, manifest["task"], "task")
    if task not in FILES:
        raise StoreError(f"the task {task[:40]!r} is unknown to this version. Update recurra.")
    found = read(FILES[task], manifest, MANIFEST)
    check_needed(FILES[task], manifest, found.needs)
    if TASK_OF.get(found.estimator, task) != task:
        raise StoreError(f"{found.estimator} writes no models of the task {task!r}. Use a backup.")
    _check_params(found)
    if isinstance(found, SequenceFile):
        _check_sequence_file(found)
    elif isinstance(found, ForecastFile):
        _check_forecast_file(found)
    elif isinstance(found, AnomalyFile):
        counts = {len(found.blocks.center), len(found.blocks.spread), len(found.blocks.rough)}
        if len(counts) > 1:
            raise StoreError("blocks must have center, spread and rough for the same channels. Use a backup.")
    return found


def _check_params(found: ModelFile) -> None:
    """Raise StoreError at an option that a prediction reads and that makes no sense."""
    params = found.params
    for name in ("beam_size", "length_penalty") if isinstance(found, TranslationFile) else ():
        if params.get(name) is None:
            raise StoreError(f"params is incomplete or makes no sense: it lacks {name!r}. Use a backup.")
    for name, kind in READ.items():
        if params.get(name) is not None:
            value(kind, params[name], f"params.{name}")


def _check_sequence_file(found: SequenceFile) -> None:
    network, target = found.network, getattr(found, "target", None)
    if isinstance(target, Classes):
        labels(target)
        outputs = len(target.classes)
    elif isinstance(target, Numbers):
        _check_numbers(target)
        outputs = len(target.center) * max(1, len(target.quantiles))
    else:
        assert isinstance(target, TokenCounts)
        outputs = len(target.counts)
    steps = found.features.steps
    texts = bool(steps) and isinstance(steps[0], Words)
    if any(isinstance(step, Words) for step in steps[1:]) or texts == (found.features.n_channels > 0):
        raise StoreError(
            "features must read a text of no channels, or a sequence of at least one. Use a backup."
        )
    reads_either = found.estimator == "SequenceLabeler" or found.estimator not in TASK_OF
    if not reads_either and texts != found.estimator.startswith("Text"):
        raise StoreError(f"the features are not those of {found.estimator}. Use a backup.")
    for estimator, word in (
        ("VideoClassifier", "video"),
        ("TextClassifier", "text"),
        ("TextRegressor", "text"),
    ):
        if found.estimator == estimator and getattr(found, word) is None:
            raise StoreError(
                f"the manifest is incomplete or makes no sense: it lacks {word!r}. Use a backup."
            )
    names, channels = found.channel_names, found.features.n_channels
    if names is not None and channels and len(names) != channels:
        raise StoreError(f"channel_names must be {channels} strings; got {len(names)}.")
    per_step = found.task in ("labeling", "generation") or (isinstance(target, Numbers) and target.per_step)
    if network is not None:
        if network.output_size != outputs:
            raise StoreError(
                f"the network has {network.output_size} outputs, the target needs {outputs}. Use a backup."
            )
        if (network.pooling == "none") != per_step:
            raise StoreError(
                f"network.pooling {network.pooling!r:.40} does not fit the task {found.task!r}. Use a backup."
            )
        if network.crf and found.task != "labeling":
            raise StoreError("network.crf is for a label per step. Use a backup.")
        if texts and network.front is not None and not isinstance(network.front, Embedding | TextFront):
            raise StoreError("network.front does not read texts. Use a backup.")
        if not texts and isinstance(network.front, Embedding | TextFront):
            raise StoreError("network.front reads texts, the features do not. Use a backup.")
    if network is not None and network.static_size >= network.input_size:
        raise StoreError("network.static_size must be less than network.input_size. Use a backup.")
    if found.static is not None:
        _check_static(found.static)
    if found.wide is not None and (per_step or (found.wide.kind == "ngrams") != texts):
        raise StoreError("the wide part does not fit what is read. Use a backup.")


def _check_static(static: Static) -> None:
    names = [column.name for column in static.columns]
    if static.named and len(set(names)) < len(names):
        raise StoreError("static: a column stands there twice. Use a backup.")
    if any(len(set(column.categories or ())) < len(column.categories or ()) for column in static.columns):
        raise StoreError("static: a category stands there twice. Use a backup.")


def labels(target: Classes) -> np.ndarray:
    """Return labels as an array of their type, which may take no more memory than so many labels do.

    Raises
    ------
    StoreError
        If they are not of their type, or one stands there twice.
    """
    form = re.fullmatch(r"[<>|=]?(?:([biufU])([0-9]{1,7})|(O))", target.dtype)
    wanted = {"b": bool, "i": int, "u": int, "f": (int, float), "U": str, "O": object}
    kind: Any = wanted[form[1] or form[3]] if form else ()
    size = int(form[2] or 8) if form else 0
    fits = all(isinstance(one, kind) and (kind is not int or type(one) is int) for one in target.classes)
    if not fits or size * len(target.classes) > 2**26:
        raise StoreError(f"target: the classes must be of the type {target.dtype!r:.40}. Use a backup.")
    try:
        found = np.array(target.classes, dtype=target.dtype)
    except (TypeError, ValueError, OverflowError):
        raise StoreError(
            f"target: the classes cannot be of the type {target.dtype!r:.40}. Use a backup."
        ) from None
    if len(set(found.tolist())) < len(found):
        raise StoreError("target: a class stands there twice. Use a backup.")
    return found


def _check_numbers(target: Numbers) -> None:
    rising = all(a < b for a, b in itertools.pairwise(target.quantiles))
    if len(target.center) != len(target.spread) or not rising or (target.single and len(target.center) > 1):
        raise StoreError("target: center, spread, single and quantiles disagree. Use a backup.")


def _check_forecast_file(found: ForecastFile) -> None:
    features, network, quantiles = found.features, found.network, found.quantiles
    outputs = {"quantile": len(quantiles), "gaussian": 2}.get(found.loss, 1)
    if network.n_outputs != outputs or any(a >= b for a, b in itertools.pairwise(quantiles)):
        raise StoreError(
            f"the loss {found.loss!r:.40} and its quantiles do not fit the network. Use a backup."
        )
    if network.n_lags != len(features.lags):
        raise StoreError("the network does not fit the features.")
    common = features.n_targets if features.scaling == "common" else 0
    if {len(features.center), len(features.spread)} != {common}:
        raise StoreError(
            "features: center and spread must be there for scaling='common' alone. Use a backup."
        )
    given = found.input
    if features.clock not in ("", given.freq):
        raise StoreError("features.clock must be the step of the series, input.freq, or empty. Use a backup.")
    columns = ((given.channel_names, features.n_targets), (given.known_names, features.n_known))
    if any(names is not None and len(names) != count for names, count in columns):
        raise StoreError("input: the names do not fit the columns. Use a backup.")
    if (given.one and len(found.states) != 1) or (given.flat and features.n_targets != 1):
        raise StoreError("input: one or flat does not fit the series that stand there. Use a backup.")
