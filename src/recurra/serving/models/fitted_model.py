"""`FittedModel`: a trained network as data, what the model file holds, and the one path that predicts."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recurra import store
from recurra.array_summaries import check_finite
from recurra.checks import listing
from recurra.errors import DataError, StoreError, UsageError
from recurra.features.chain import Chain
from recurra.features.prepared_rows import PreparedRows
from recurra.features.rows.missing import FILLING
from recurra.features.static import StaticInputs, one_row
from recurra.kernels.heads import crf, pooling
from recurra.plain_arrays import check_same_channels
from recurra.ragged import Ragged
from recurra.records import Dataset
from recurra.serving.inputs import Inputs, Readable, StaticRows
from recurra.serving.models.manifest_check import check, whole
from recurra.serving.models.parts_check import check_fit
from recurra.serving.models.translation import TranslationModel
from recurra.serving.models.wide import Wide
from recurra.serving.prediction import portions
from recurra.serving.segments import Segment, segments_of
from recurra.serving.streams.ensemble import count_of, outputs_of, parted
from recurra.serving.streams.look_ahead import LookAheadStream
from recurra.serving.streams.stream import Stream, check_no_chain

SCHEMA = 1
# Tasks whose files hold series and how they stand; their estimators read them.
SERIES_TASKS = ("forecasting", "anomaly")

# Runs a network given by the user: Ragged of float32 numpy values -> outputs. Such a network needs torch.
OwnNetwork = Callable[[Ragged], np.ndarray]


@dataclass(frozen=True)
class FittedModel:
    """A trained network with its features and the meaning of its outputs.

    Parameters
    ----------
    manifest : dict
        JSON-able: ``estimator``, ``params``, ``task``, ``network`` (None for a network given by the user),
        ``features``, ``target``, ``input`` and what is known about training.
    features : Chain
        From a raw sequence to what the network reads.
    weights : mapping of str to ndarray
        The network's state dict, float32; of several, the number of each and a dot before its names.
    own_network : callable, optional
        Runs the network where it is the user's own.
    attached : mapping of str to ndarray
        Files kept beside, as bytes: that of an image network, where asked for.
    wide : Wide, optional
        A linear answer that is mixed with that of the network.
    """

    manifest: Mapping[str, Any]
    features: Chain
    weights: Mapping[str, np.ndarray]
    own_network: OwnNetwork | None = None
    attached: Mapping[str, np.ndarray] = field(default_factory=dict)
    wide: Wide | None = None

    @cached_property
    def task(self) -> str:
        """One of "classification", "regression", "labeling"."""
        return str(self.manifest["task"])

    @property
    def per_step(self) -> bool:
        """Whether there is an answer for every time step."""
        return self.task == "labeling" or bool(self.manifest["target"].get("per_step"))

    @cached_property
    def classes(self) -> np.ndarray:
        """Labels in the order of the outputs: array of shape (classes,)."""
        return classes_from_manifest(self.manifest["target"])

    @cached_property
    def members(self) -> list[dict[str, np.ndarray]]:
        """Weights of each of the networks whose mean answers; usually one."""
        return parted(self.weights, count_of(self.manifest))

    def check(
        self,
        inputs: Inputs,
    ) -> None:
        """Raise ShapeError or DataError naming the first raw sequence that cannot be read."""
        sequences, names = inputs.sequences, inputs.names
        if self.features.reads_numbers:
            check_same_channels(sequences, names=names, expected=self.features.n_channels)
            allow_nan = self.manifest["params"].get("missing") in FILLING
            advice = "Fill it, leave the sequence out, or train anew with missing='mask'."
            check_finite(sequences, names=names, allow_nan=allow_nan, advice=advice, findings=inputs.findings)
            self.features.check_lengths(sequences, names)

    def prepare(
        self,
        X: Readable,
    ) -> Sequence[np.ndarray]:
        """Check raw sequences, of shape (time, channels) where they are numbers, and apply the features."""
        inputs = Inputs.of(X)
        self.check(inputs)
        return self.rows(inputs)

    def rows(self, inputs: Inputs) -> Sequence[np.ndarray]:
        """Return what the network reads of sequences that are checked, static inputs behind every row; see `Chain.rows`."""
        codes = self.static_codes(inputs.static)
        prepared = self.features.rows(inputs.sequences, inputs.names, codes)
        check_finite(prepared, names=inputs.names, who="X as 32-bit numbers")
        return prepared

    @cached_property
    def static(self) -> StaticInputs | None:
        """How static inputs are read; None without any."""
        found = self.manifest.get("static")
        return None if found is None else StaticInputs.from_manifest(found)

    @property
    def static_size(self) -> int:
        """Static inputs of the network, which stand last in every row."""
        return 0 if self.static is None else self.static.size

    def read(self, who: str, sequences: Sequence[Any], names: Any, static: Any, data: Any = None) -> Inputs:
        """Return sequences with their static inputs, as a user gave them or a Dataset has them; see `static_rows`."""
        rows = self.static_rows(who, static, len(sequences), names=names, data=data)
        return Inputs(sequences, names, rows)

    def static_rows(
        self,
        who: str,
        static: Any,
        count: int,
        *,
        names: Sequence[str] | None = None,
        data: Any = None,
    ) -> StaticRows | None:
        """Return static inputs, as a user gave them or a Dataset has them, as rows of the training's columns.

        What the training did not have, such as a category, is told in a warning.

        Raises
        ------
        UsageError
            If some are given and the network was trained without.
        DataError
            If they are not those of the training; see `recurra.features.static`.
        """
        if self.static is None:
            if static is not None:
                raise UsageError(f"{who}: the network was trained without static inputs; leave static= out.")
            return None
        columns = None
        if static is None and isinstance(data, Dataset):
            static, columns = data.static, data.static_names
        rows = self.static.read(who, static, count, sequences=names, names=columns)
        self.static.tell_unknown(rows)
        return rows

    def static_codes(self, rows: StaticRows | None) -> np.ndarray | None:
        """Return what the network reads of static inputs: float32 of shape (sequences, static_size); None without."""
        if self.static is None:
            return None
        if rows is None:
            raise DataError(
                f"static: the network needs its static inputs, {listing(self.static.names)}. Give static=."
            )
        return self.static.encode(rows)

    def outputs(
        self,
        X: Readable,
    ) -> np.ndarray:
        """Return the network's outputs: shape (sequences, outputs), or (total_steps, outputs) with an answer per step."""
        inputs = Inputs.of(X)
        found, rows = self.row_outputs(inputs)
        return found if not self.per_step else self._at_steps(found, rows, inputs)

    def row_outputs(
        self,
        X: Readable,
    ) -> tuple[np.ndarray, list[int]]:
        """Return the outputs as the network gives them, with a label per step one for each row of the features.

        Returns
        -------
        outputs : ndarray of shape (sequences or total_rows, outputs)
        rows : list of int
            Rows of each sequence.
        """
        prepared = self.prepare(X)
        found = []
        for portion in portions(prepared):
            rows = Ragged.from_list(portion)
            if self.own_network is not None:
                found.append(self.own_network(rows))
            else:
                found.append(outputs_of(self.manifest, self.members, rows))
        outputs = np.concatenate(found)
        if self.wide is not None:
            read = Inputs.of(X).sequences if self.wide.reads_texts else prepared
            outputs = self.wide.mixed(outputs, read, probabilities=self.task == "classification")
        if isinstance(prepared, PreparedRows):
            return outputs, prepared.lengths.tolist()
        return outputs, [len(own) for own in prepared]

    def _at_steps(self, rows: np.ndarray, counts: Sequence[int], inputs: Inputs) -> np.ndarray:
        """Return for each step of the sequences what was found for the row that stands for it."""
        alignment = self.features.alignment
        if self.features.keeps_steps or alignment is None:
            return rows
        firsts = np.cumsum([0, *counts[:-1]])
        places = [
            first + alignment.row_of(len(sequence), count)
            for first, count, sequence in zip(firsts, counts, inputs.sequences, strict=True)
        ]
        return rows[np.concatenate(places)]

    def predict_proba(
        self,
        X: Readable,
    ) -> np.ndarray:
        """Return probabilities: shape (sequences, classes), or an object array of (time, classes) arrays."""
        inputs = Inputs.of(X)
        outputs, rows = self.row_outputs(inputs)
        probabilities = (
            pooling.softmax(outputs) if not self._crf else self._each(crf.marginals, outputs, rows)
        )
        if self.task == "classification":
            return probabilities
        return per_sequence(self._at_steps(probabilities, rows, inputs), inputs.sequences)

    def predict(
        self,
        X: Readable,
    ) -> np.ndarray:
        """Return labels, numbers, or an object array of label arrays with one entry per time step."""
        inputs = Inputs.of(X)
        outputs, rows = self.row_outputs(inputs)
        if self.task == "classification":
            return self.classes[outputs.argmax(axis=1)]
        if self.task == "labeling":
            codes = self._at_steps(self._codes(outputs, rows), rows, inputs)
            return per_sequence(self.classes[codes], inputs.sequences)
        numbers = self.numbers(outputs)
        if not self.manifest["target"].get("per_step"):
            return numbers
        return per_sequence(self._at_steps(numbers, rows, inputs), inputs.sequences)

    @property
    def _crf(self) -> bool:
        """Whether the label of a step depends on the one before."""
        return bool((self.manifest["network"] or {}).get("crf"))

    def _each(self, decode: Any, outputs: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """Return what the conditional random field makes of the scores, sequence by sequence."""
        parts = np.split(outputs, np.cumsum(rows)[:-1])
        return np.concatenate([decode(part, self.weights) for part in parts])

    def _codes(self, outputs: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """Return the class of each row: the likeliest by itself, or as a chain."""
        return self._each(crf.best_path, outputs, rows) if self._crf else outputs.argmax(axis=1)

    def segments(
        self,
        X: Readable,
        *,
        min_duration_s: float = 0.0,
    ) -> list[list[Segment]]:
        """Return the stretches of one label of each sequence; see `recurra.serving.segments`.

        Raises
        ------
        UsageError
            If the network does not label steps, or ``min_duration_s`` is below 0.
        """
        if self.task != "labeling":
            raise UsageError(
                f"segments: an answer per time step is needed; this network has one per sequence ({self.task})."
            )
        inputs = Inputs.of(X)
        outputs, rows = self.row_outputs(inputs)
        bounds = np.cumsum(rows)[:-1]
        return [
            segments_of(
                codes,
                steps=len(sequence),
                alignment=self.features.alignment,
                classes=self.classes,
                rate_hz=self.manifest["sample_rate_hz"],
                min_duration_s=min_duration_s,
            )
            for codes, sequence in zip(
                np.split(self._codes(outputs, rows), bounds), inputs.sequences, strict=True
            )
        ]

    def numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Return a regressor's outputs (rows, targets) in the units of y: shape (rows,) with a single target.

        Of quantiles it is the median.
        """
        target = self.manifest["target"]
        outputs = middle(outputs, target.get("quantiles", ()))
        numbers = outputs.astype(np.float64) * np.asarray(target["spread"]) + np.asarray(target["center"])
        return numbers[:, 0] if target["single"] else numbers

    def predict_quantiles(
        self,
        X: Readable,
    ) -> np.ndarray:
        """Return the quantiles trained for, rising: shape (sequences, quantiles), or (sequences, targets, quantiles).

        An object array of such arrays with numbers per time step.
        """
        inputs = Inputs.of(X)
        outputs, rows = self.row_outputs(inputs)
        numbers = self.quantiles_of(outputs)
        if not self.manifest["target"].get("per_step"):
            return numbers
        return per_sequence(self._at_steps(numbers, rows, inputs), inputs.sequences)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Shares of the quantiles that a regressor gives, rising; empty where it gives none."""
        return tuple(self.manifest["target"].get("quantiles", ())) if self.task == "regression" else ()

    def quantiles_of(self, outputs: np.ndarray) -> np.ndarray:
        """Return the quantiles in a regressor's outputs, in the units of y: (rows, quantiles), or with targets between."""
        target = self.manifest["target"]
        spread, center = (np.asarray(target[word])[:, None] for word in ("spread", "center"))
        each = np.sort(outputs.reshape(len(outputs), len(spread), len(self.quantiles)), axis=-1).astype(
            np.float64
        )
        numbers = each * spread + center
        return numbers[:, 0] if target["single"] else numbers

    @property
    def of_network(self) -> "FittedModel":
        """The model without its linear part."""
        return self if self.wide is None else replace(self, wide=None)

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of everything that decides an answer."""
        features, arrays = self.features.to_manifest()
        facts = [self.task, self.manifest["network"], self.manifest["target"], features]
        if self.static is not None:
            facts.append(self.static.to_manifest())
        if self.wide is not None:
            description, own = self.wide.to_manifest()
            facts.append(description)
            arrays = arrays | {f"wide.{name}": array for name, array in own.items()}
        digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
        for name, array in sorted([*arrays.items(), *self.weights.items()], key=lambda item: item[0]):
            digest.update(f"\0{name}{array.dtype.str}{array.shape}\0".encode() + array.tobytes())
        return digest.hexdigest()

    def stream(self, *, look_ahead: int | None = None, static: Any = None) -> Stream | LookAheadStream:
        """Begin a sequence whose rows come one by one.

        Parameters
        ----------
        look_ahead : int, optional
            For networks that cannot be streamed as they are, such as bidirectional ones: answer from a window of
            the newest rows; see `LookAheadStream`.
        static : sequence or dictionary, optional
            The static inputs of the sequence; needed before its first row, unless a state brings them.

        Raises
        ------
        UsageError
            If the network is bidirectional or the user's own, and no ``look_ahead`` is given.
        """
        check_no_chain(self)
        if look_ahead is not None and self.wide is not None:
            raise UsageError(
                "stream: the linear part of this model reads whole sequences; train with wide=False to stream."
            )
        if look_ahead is not None and not self.features.keeps_steps:
            raise UsageError(
                "stream: look_ahead runs the network again on a window of rows, which features or a frontend that give a "
                "row per window do not allow; train with bidirectional=False and stream without look_ahead."
            )
        rows = None if static is None else self.static_rows("stream", one_row(static), 1)
        return Stream(self, rows) if look_ahead is None else LookAheadStream(self, look_ahead, rows)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; the old file or the new one is there after a crash, whole."""
        features, arrays = self.features.to_manifest()
        named = {f"features.{name}": array for name, array in arrays.items()}
        named |= {f"network.{name}": array for name, array in self.weights.items()}
        named |= {f"attached.{name}": array for name, array in self.attached.items()}
        manifest = {**self.manifest, "kind": "model", "schema": SCHEMA, "features": features}
        if self.wide is not None:
            manifest["wide"], own = self.wide.to_manifest()
            named |= {f"wide.{name}": array for name, array in own.items()}
        store.save(path, whole(manifest), named)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FittedModel":
        """Read a model file.

        Raises
        ------
        StoreError
            If the file is damaged, no model, of a newer version, or lacks a weight.
        """
        model = open_file(path)
        if not isinstance(model, cls):
            raise StoreError(
                f"{path}: holds a model of the task {model.task!r}. Read it with recurra.load_model."
            )
        return model

    @classmethod
    def _from_parts(cls, manifest: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> "FittedModel":
        own = {
            part: {name.removeprefix(part): a for name, a in arrays.items() if name.startswith(part)}
            for part in ("features.", "network.", "attached.", "wide.")
        }
        features = Chain.from_manifest(manifest["features"], own["features."])
        weights = own["network."]
        check_fit(manifest, features, weights)
        wide = None
        if manifest.get("wide") is not None:
            size = int(manifest["network"]["output_size"])
            channels = features.input_size if features.reads_numbers else 0
            beside = int(manifest["network"].get("static_size", 0))
            sizes = {"channels": channels, "outputs": size, "static_size": beside}
            wide = Wide.from_manifest(manifest["wide"], own["wide."], **sizes)
            manifest = {name: value for name, value in manifest.items() if name != "wide"}
        return cls(manifest, features, weights, attached=own["attached."], wide=wide)


def open_file(path: str | os.PathLike[str]) -> FittedModel | TranslationModel:
    """Read a model file of any task.

    Raises
    ------
    StoreError
        If the file is damaged, no model, of a newer version, or lacks a weight.
    UsageError
        If its model reads series and how they stand.
    """
    manifest, arrays = store.load(path)
    if manifest.get("kind") != "model":
        raise StoreError(f"{path}: holds a {manifest.get('kind', 'thing without a kind')}, not a model.")
    if manifest.get("task") in SERIES_TASKS:
        raise UsageError(
            f"{path}: holds a model for {manifest['task']}, whose estimator runs without torch but not without "
            "scikit-learn: use recurra.load_model(path), without runtime='light'."
        )
    if manifest.get("schema") != SCHEMA:
        raise StoreError(
            f"{path}: was written by recurra {manifest.get('recurra', 'of a newer version')} as model schema "
            f"{manifest.get('schema')!r}; this version reads {SCHEMA}. Update recurra."
        )
    try:
        check(manifest)
        if manifest["task"] == "translation":
            return TranslationModel.from_parts(manifest, arrays)
        return FittedModel._from_parts(manifest, arrays)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, StoreError):
            raise StoreError(f"{path}: {error}") from None
        raise StoreError(f"{path}: the manifest is incomplete or makes no sense ({error!r}).") from error


def middle(outputs: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Return the median of outputs (rows, targets * quantiles), interpolated: (rows, targets); as they are without."""
    if not len(quantiles):
        return outputs
    targets = outputs.shape[1] // len(quantiles)
    each = np.sort(outputs.reshape(len(outputs), targets, len(quantiles)), axis=-1)
    at = float(np.interp(0.5, quantiles, np.arange(len(quantiles))))
    low, high = int(np.floor(at)), int(np.ceil(at))
    share = np.float32(at - low)
    return each[..., low] if low == high else (1 - share) * each[..., low] + share * each[..., high]


def per_sequence(flat: np.ndarray, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Cut rows of all steps into a one-dimensional object array with one array per sequence."""
    out = np.empty(len(sequences), dtype=object)
    ends = np.cumsum([len(s) for s in sequences])
    for index, (first, last) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        out[index] = flat[first:last]
    return out


def classes_to_manifest(classes: np.ndarray) -> dict[str, Any]:
    """Return labels as JSON with their dtype, so that they come back as what they were."""
    return {"classes": classes.tolist(), "dtype": classes.dtype.str}


def classes_from_manifest(target: Mapping[str, Any]) -> np.ndarray:
    """Return the labels of `classes_to_manifest`."""
    return np.array(target["classes"], dtype=target["dtype"])
