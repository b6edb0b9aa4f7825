"""What an exported file is held against: recurra's own answers on the same rows, and how far apart two answers are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.export.model.beside import Beside, drawn_beside
from recurra.export.model.boundary import Exported
from recurra.features.rows.scaling import Scaling
from recurra.kernels.heads.pooling import softmax
from recurra.serving.inputs import Inputs

# An exported file further from recurra's answers than this is not handed over.
TOLERANCE = 1e-5
# Sequences of a check, and steps of each: enough for every length, few enough for a moment.
MOST_SEQUENCES, MOST_STEPS = 24, 2_000


@dataclass(frozen=True)
class Agreement:
    """How near an exported file comes to recurra.

    Parameters
    ----------
    who : str
        What ran the file.
    of_run : bool
        Whether the sequences were those of a run; else they were random.
    largest : float
        Largest difference: of probabilities and scores as it is, of numbers divided by the largest of 1, the number and
        the spread of the training.
    sequences, shortest, longest : int
        On how many sequences, and rows of the shortest and the longest.
    beside : str
        What was drawn at random besides.
    rounding : float, optional
        How far weights of eight bits move an answer from that of the model itself, counted as ``largest``; None where the
        file holds the weights as they are.
    """

    who: str
    of_run: bool
    largest: float = 0.0
    sequences: int = 0
    shortest: int = 0
    longest: int = 0
    beside: str = ""
    rounding: float | None = None

    def with_difference(self, found: float, batch: Sequence[np.ndarray]) -> "Agreement":
        """Return what is known after one more batch."""
        lengths = [len(rows) for rows in batch]
        shortest = min([*lengths, *([self.shortest] if self.sequences else [])], default=0)
        return replace(
            self,
            largest=float(np.fmax(self.largest, found) if np.isfinite(found) else np.inf),
            sequences=self.sequences + len(batch),
            shortest=shortest,
            longest=max([*lengths, self.longest]),
        )

    def __str__(self) -> str:
        whose = "of the run" if self.of_run else "drawn at random"
        eight = "" if self.rounding is None else " with weights of eight bits"
        moved = (
            "" if self.rounding is None else f" These weights move an answer by up to {self.rounding:.1e}."
        )
        return (
            f"Checked: {self.who} gives recurra's answers{eight} on {counted(self.sequences, 'sequence')} {whose} of "
            f"{self.shortest} to {counted(self.longest, 'row')}{self.beside}; largest difference {self.largest:.1e}.{moved}"
        )


def batches(exported: Exported, sequences: Sequence[Any] | None) -> list[list[np.ndarray]]:
    """Return batches of rows to check on: a mixed one, the shortest possible, the longest alone, one at a time.

    Parameters
    ----------
    sequences : list or None
        Raw sequences; None for random rows.
    """
    least = _least_rows(exported)
    if sequences is None:
        rows = random_rows(exported, np.random.default_rng(0))
    else:
        by_length = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        chosen = np.unique(np.linspace(0, len(by_length) - 1, MOST_SEQUENCES).astype(int))
        rows = exported.rows([sequences[by_length[i]] for i in chosen])
    rows = [own[:MOST_STEPS] for own in rows if len(own) >= least]
    if not rows:
        rows = random_rows(exported, np.random.default_rng(0))
    longest = max(rows, key=len)
    return [rows, [own[:least] for own in rows[:8]], [longest], *([own] for own in rows[:3])]


def besides(exported: Exported, batches: Sequence[Sequence[np.ndarray]]) -> tuple[list[Beside], str]:
    """Return what stands beside the rows of batches, drawn at random, and how that is told."""
    rng = np.random.default_rng(1)
    found = [drawn_beside(exported, len(rows), rng) for rows in batches]
    static = any(one.static is not None for one in found)
    words = [
        *(["static inputs"] if static else []),
        *(["n-grams"] if any(one.grams is not None for one in found) else []),
    ]
    return found, f", with {' and '.join(words)} drawn at random" if words else ""


def _least_rows(exported: Exported) -> int:
    alignment = exported.inside.features.alignment
    return 1 if alignment is None else alignment.window


def random_rows(
    exported: Exported, rng: np.random.Generator, lengths: Sequence[int] = ()
) -> list[np.ndarray]:
    """Return rows such as the file reads, with missing values where it takes them: float32 (time, channels) each."""
    features, network = exported.inside.features, exported.inside.manifest["network"]
    least = _least_rows(exported)
    lengths = lengths or [least, least + 1, *(least + rng.integers(0, 40, 6)).tolist()]
    width, front = features.n_channels, network.get("front") or {}
    found = []
    for steps in lengths:
        rows = rng.normal(size=(steps, width))
        if front.get("name") == "embedding":
            rows = rng.integers(0, front["vocabulary"], (steps, width)).astype(np.float64)
        elif front.get("name") == "text":
            rows = _random_tokens(front, width, steps, rng)
        for step in features.steps:
            if isinstance(step, Scaling) and step.kind != "none":
                rows = rows * step.spread + step.center
        if exported.takes_missing:
            rows[rng.random(rows.shape) < 0.2] = np.nan
        found.append(rows.astype(np.float32))
    return found


def _random_tokens(front: Any, width: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    first = 1 if front["words"] else int(front["size"])
    rows = rng.normal(size=(steps, width))
    if front["words"]:
        rows[:, 0] = rng.integers(0, front["words"], steps)
    spelled = width - first
    if spelled:
        letters = rng.integers(1, front["letters"] or 20, (steps, spelled))
        inside = np.arange(spelled) < rng.integers(1, spelled + 1, steps)[:, None]
        rows[:, first:] = np.where(inside, letters, 0)
    return rows


def expected(
    exported: Exported, rows: Sequence[np.ndarray], beside: Beside | None = None
) -> dict[str, list[np.ndarray]]:
    """Return recurra's answers to rows: for each output of a file an array per sequence."""
    model, network = exported.inside, exported.inside.manifest["network"]
    beside = beside or Beside()
    inputs = Inputs(rows, static=beside.static)
    if network.get("crf"):
        outputs, counts = model.row_outputs(inputs)
        return {"scores": np.split(outputs, np.cumsum(counts)[:-1])}
    if beside.grams is not None:
        return _expected_of_texts(exported, rows, beside)
    if model.task != "regression":
        return {"probabilities": list(model.predict_proba(inputs))}
    target = model.manifest["target"]
    targets = len(target["center"])
    ends = (-1, targets) if exported.per_step else (targets,)
    numbers = model.predict(inputs)
    found = {"value": [np.asarray(own, np.float64).reshape(ends) for own in numbers]}
    if target.get("quantiles"):
        count = len(target["quantiles"])
        each = model.predict_quantiles(inputs)
        found["quantiles"] = [own.reshape(*ends, count) for own in each]
    return found


def _expected_of_texts(
    exported: Exported, rows: Sequence[np.ndarray], beside: Beside
) -> dict[str, list[np.ndarray]]:
    """Return the answers of a model whose linear part reads the n-grams of the text, given as they were counted."""
    model, wide = exported.inside.of_network, exported.inside.wide
    assert wide is not None
    assert beside.grams is not None
    outputs = model.row_outputs(Inputs(rows, static=beside.static))[0]
    choice = model.task != "regression"
    outputs = wide.mixed(outputs, beside.grams, probabilities=choice)
    if choice:
        return {"probabilities": list(softmax(outputs))}
    return {"value": list(np.asarray(model.numbers(outputs), np.float64).reshape(len(rows), -1))}


def expected_steps(
    exported: Exported, rows: np.ndarray, beside: Beside | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yield what a stream answers after each row of one sequence."""
    static = None if beside is None or beside.static is None else list(beside.static)
    stream = exported.inside.stream(static=static)
    for row in rows:
        answer = stream.step(row)
        if exported.inside.task == "regression":
            yield {"value": np.atleast_1d(answer.value)}
        else:
            assert answer.probabilities is not None
            yield {"probabilities": answer.probabilities.reshape(-1)}


def difference(
    exported: Exported, name: str, right: Sequence[np.ndarray], found: Sequence[np.ndarray]
) -> float:
    """Return the largest difference of an output, as `Agreement.largest` counts it; infinite where a number is NaN."""
    most = 0.0
    for own, other in zip(right, found, strict=True):
        away = np.abs(np.asarray(other, np.float64) - own)
        if name in ("value", "quantiles"):
            spread = np.asarray(exported.model.manifest["target"]["spread"], np.float64)
            spread = spread[:, None] if name == "quantiles" else spread
            away = away / np.maximum(np.maximum(np.abs(own), spread), 1.0)
        elif name == "scores":
            away = away / np.maximum(np.abs(own), 1.0)
        if away.size:
            most = max(most, float(away.max()) if np.isfinite(away).all() else float("inf"))
    return most
