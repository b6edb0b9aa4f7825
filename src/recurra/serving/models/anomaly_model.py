"""`AnomalyModel`: a trained detector as data; scores without torch."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recurra import store
from recurra.array_summaries import check_finite
from recurra.errors import StoreError
from recurra.features.windows.sample_blocks import Blocks
from recurra.plain_arrays import check_same_channels
from recurra.ragged import Ragged
from recurra.serving.anomalies.moving_sums import moving_sums
from recurra.serving.anomalies.neighbours import Neighbours
from recurra.serving.models.manifest_check import check, whole
from recurra.serving.models.manifest_parts import AnomalyFile
from recurra.serving.prediction import expected_shapes, network_outputs, portions

SCHEMA = 1
TASK = "anomaly"
NO_NAN = "Fill it, or leave the sequence out."


@dataclass(frozen=True)
class AnomalyModel:
    """A trained network, how sequences are cut for it, and how its answers become scores.

    Parameters
    ----------
    manifest : dict
        JSON-able: ``estimator``, ``params``, ``network``, ``method``, ``reach``, ``smooth``, ``error_spread``,
        ``threshold``, and what is known about training; ``neighbours`` where there are some: their ``share``, and
        ``center`` and ``scale`` that the network's score is moved and divided by beside theirs.
    blocks : Blocks
    weights : mapping of str to ndarray
        The network's state dict, float32.
    neighbours : Neighbours, optional
        Normal windows that every sequence is compared with.
    """

    manifest: Mapping[str, Any]
    blocks: Blocks
    weights: Mapping[str, np.ndarray]
    neighbours: Neighbours | None = None

    @property
    def threshold(self) -> float:
        """A step with a higher score is an anomaly."""
        return float(self.manifest["threshold"])

    def scores(
        self, sequences: Sequence[np.ndarray], names: Sequence[str | None] | None = None
    ) -> list[np.ndarray]:
        """Return how anomalous every time step is: a float64 array of shape (time,) for each sequence."""
        check_same_channels(sequences, names=names, expected=self.blocks.n_channels)
        check_finite(sequences, names=names, advice=NO_NAN)
        out: list[np.ndarray] = []
        rows = [self.blocks.rows(sequence) for sequence in sequences]
        check_finite(rows, names=names, who="X as 32-bit numbers")
        for portion in portions(rows):
            inputs = Ragged.from_list(portion)
            answers = network_outputs(self.manifest["network"], self.weights, inputs)
            for answer in inputs.replace(answers):
                out.append(self.of_outputs(answer, sequences[len(out)]))
        return out

    def of_outputs(self, outputs: np.ndarray, sequence: np.ndarray) -> np.ndarray:
        """Return the scores of one sequence from what the network said of its blocks."""
        method, size = self.manifest["method"], self.blocks.size
        if method == "planted":
            scores = np.repeat(outputs[:, 0].astype(np.float64), size)[: len(sequence)]
        else:
            scores = errors(outputs, sequence, self.blocks, ahead=method == "forecaster")
            scores = mean_around(scores / float(self.manifest["error_spread"]), int(self.manifest["smooth"]))
        if self.neighbours is not None:
            scores = self.mixed(scores, self.neighbours.scores(self.blocks.scaled(sequence)))
        return highest_around(scores, int(self.manifest["reach"]))

    def mixed(self, scores: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Return the network's scores and those of distances to normal windows as one."""
        share, center, scale = (
            float(self.manifest["neighbours"][name]) for name in ("share", "center", "scale")
        )
        return share * distances + (1 - share) * (scores - center) / scale

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; the old file or the new one is there after a crash, whole."""
        manifest = {
            **self.manifest,
            "kind": "model",
            "schema": SCHEMA,
            "task": TASK,
            "blocks": asdict(self.blocks),
        }
        if self.blocks.view == "values":  # as earlier versions wrote, which read such a file
            del manifest["blocks"]["view"]
        arrays = {f"network.{name}": array for name, array in self.weights.items()}
        if self.neighbours is not None:
            arrays |= {f"neighbours.{name}": array for name, array in self.neighbours.to_arrays().items()}
        store.save(path, whole(manifest), arrays)

    @classmethod
    def from_parts(
        cls, path: Any, manifest: dict[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> "AnomalyModel":
        """Return the model of what `recurra.store.load` read.

        Raises
        ------
        StoreError
            If it is damaged, of a newer version, or lacks a weight.
        """
        if manifest.get("schema") != SCHEMA:
            raise StoreError(
                f"{path}: was written as model schema {manifest.get('schema')!r}; this version reads {SCHEMA}. "
                "Update recurra."
            )
        try:
            known: AnomalyFile = check({**manifest, "task": TASK})
            part = known.blocks
            center, spread, rough = (tuple(map(float, p)) for p in (part.center, part.spread, part.rough))
            blocks = Blocks(part.size, center, spread, rough, part.view)
            own, beside = (
                {name.removeprefix(part): a for name, a in arrays.items() if name.startswith(part)}
                for part in ("network.", "neighbours.")
            )
            _check(known, manifest["network"], blocks, own)
            neighbours = (
                None if known.neighbours is None else Neighbours.from_arrays(beside, blocks.n_channels)
            )
            return cls({k: v for k, v in manifest.items() if k != "blocks"}, blocks, own, neighbours)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, StoreError):
                raise StoreError(f"{path}: {error}") from None
            raise StoreError(
                f"{path}: the manifest is incomplete or makes no sense ({error!r:.100})."
            ) from error


def _check(
    known: AnomalyFile, network: Mapping[str, Any], blocks: Blocks, weights: Mapping[str, np.ndarray]
) -> None:
    described = known.network
    if described.pooling != "none" or described.crf or described.front is not None:
        raise StoreError(
            "the network must give an answer per block, without a front end or crf. Use a backup."
        )
    if described.num_layers > len(weights):
        raise StoreError("the manifest claims layers that the file does not hold.")
    outputs = 1 if known.method == "planted" else blocks.size * blocks.n_channels
    if described.input_size != blocks.input_size or described.output_size != outputs:
        raise StoreError("the network does not fit its blocks.")
    if {n: w.shape for n, w in weights.items()} != expected_shapes(network) or any(
        w.dtype != np.float32 for w in weights.values()
    ):
        raise StoreError("the weights do not have the names and shapes of this network.")


def errors(outputs: np.ndarray, sequence: np.ndarray, blocks: Blocks, *, ahead: bool) -> np.ndarray:
    """Return how far the network's samples are from a sequence: float64 of shape (time,), over all channels.

    Parameters
    ----------
    outputs : ndarray of shape (blocks, size * channels)
        Scaled samples of each block; with ``ahead`` those of the block after.
    """
    said = outputs.astype(np.float64).reshape(-1, blocks.n_channels)
    scaled = blocks.scaled(sequence)
    if ahead:  # of the first block nothing was said
        said = np.concatenate([scaled[: blocks.size], said])
    return np.sqrt(np.mean((said[: len(scaled)] - scaled) ** 2, axis=1))


def mean_around(scores: np.ndarray, steps: int) -> np.ndarray:
    """Return the mean of each score and those up to ``steps`` steps on either side."""
    n = len(scores)
    steps = min(steps, n)
    places = np.arange(n)
    first, last = np.maximum(places - steps, 0), np.minimum(places + steps + 1, n)
    return moving_sums(scores, 2 * steps + 1)[steps : steps + n] / (last - first)


def highest_around(scores: np.ndarray, steps: int) -> np.ndarray:
    """Return the highest of each score and those up to ``steps`` steps on either side."""
    padded = np.pad(scores, steps, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * steps + 1).max(axis=1)
