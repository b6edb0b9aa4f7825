"""A small run and a model file of each of the ten estimators, of data on disk; of a labeler, on signals and on words."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recurra.estimators.loading import load_model

QUICK = ("--hidden-size", "4", "--max-epochs", "1", "--seed", "0")


@dataclass(frozen=True)
class Kind:
    """Data of a kind, how they are read, and what is trained on them."""

    estimator: str
    data: str
    flags: tuple[str, ...] = ()
    training: tuple[str, ...] = QUICK


KINDS = {
    "classifier": Kind("SequenceClassifier", "gestures.csv", ("--id", "recording", "--label", "gesture")),
    "regressor": Kind("SequenceRegressor", "sizes.csv", ("--id", "recording", "--target", "size")),
    "numbers per step": Kind("SequenceRegressor", "levels.csv", ("--id", "recording", "--target", "level")),
    "labeler": Kind("SequenceLabeler", "steps.csv", ("--id", "recording", "--time", "when", "--label", "state")),
    "words": Kind("SequenceLabeler", "tagged.conll"),
    "texts": Kind("TextClassifier", "reports.csv", ("--text", "report", "--label", "fault")),
    "scores": Kind("TextRegressor", "scores.csv", ("--text", "report", "--label", "cost")),
    "clips": Kind("VideoClassifier", "clips", (), (*QUICK, "--backbone", "small-cnn", "--image-size", "8")),
    "novel": Kind("TextGenerator", "novel.txt", (), (*QUICK, "--task", "generate", "--tbptt", "20")),
    "pairs": Kind("Translator", "pairs.csv", ("--source", "word", "--target", "turned")),
    "series": Kind("Forecaster", "load.csv", ("--time", "date", "--target", "MW", "--kind", "series"),
                   (*QUICK, "--horizon", "6")),
    "known ahead": Kind("Forecaster", "warm.csv",
                        ("--time", "date", "--target", "MW", "--known", "warm", "--kind", "series"),
                        (*QUICK, "--horizon", "6")),
    "anomalies": Kind("AnomalyDetector", "normal.csv", ("--id", "recording"),
                      (*QUICK, "--task", "anomaly", "--window", "20")),
}  # fmt: skip


def write_data(folder: Path) -> None:
    """Write the data of every kind."""
    rng = np.random.default_rng(0)
    _recordings(folder, rng)
    words = {"the": "DET", "a": "DET", "dog": "NOUN", "cat": "NOUN", "runs": "VERB", "sleeps": "VERB"}
    sentences = [
        [str(rng.choice(["the", "a"])), str(rng.choice(["dog", "cat"])), str(rng.choice(["runs", "sleeps"]))]
        for _ in range(40)
    ]
    lines = ["\n".join(f"{word}\t{words[word]}" for word in sentence) for sentence in sentences]
    (folder / "tagged.conll").write_text("\n\n".join(lines) + "\n")
    faults = {"leak": "oil leaks at the", "power": "no power in the"}
    parts = ["pump", "valve", "motor", "press", "saw", "drill", "belt", "crane"]
    rows = [
        f"{begin} {part} of {number},{fault}"
        for number, part in enumerate(parts * 2)
        for fault, begin in faults.items()
    ]
    (folder / "reports.csv").write_text("report,fault\n" + "\n".join(rows) + "\n")
    costs = [
        row.replace(",leak", f",{number}.5").replace(",power", f",{3 * number}.5")
        for number, row in enumerate(rows)
    ]
    (folder / "scores.csv").write_text("report,cost\n" + "\n".join(costs) + "\n")
    paragraph = "The rain fell on the town.\nNobody was there, number {} said.\n"
    (folder / "novel.txt").write_text("\n".join(paragraph.format(number) for number in range(40)))
    pairs = [a + b + c for a in "abcd" for b in "abcd" for c in "ab"]
    (folder / "pairs.csv").write_text(
        "word,turned\n" + "".join(f"{word},{word[::-1].upper()}\n" for word in pairs)
    )
    hours = np.arange(200)
    table = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=200, freq="h"),
            "MW": 100 + 10 * np.sin(2 * np.pi * hours / 24) + rng.normal(size=200).round(3),
        }
    )
    table.to_csv(folder / "load.csv", index=False)
    table.assign(warm=hours % 7).to_csv(folder / "warm.csv", index=False)
    _clips(folder / "clips", rng)


def _recordings(folder: Path, rng: np.random.Generator) -> None:
    tables: dict[str, list[str]] = {name: [] for name in ("gestures", "sizes", "levels", "steps", "normal")}
    for number in range(24):
        steps = int(rng.integers(30, 40))
        x = np.sin(np.arange(steps) * (0.3 if number % 2 else 0.9)) + 0.1 * rng.normal(size=steps)
        for step, value in enumerate(x.round(4).tolist()):
            when = f"2024-01-{number + 1:02} 00:00:{step:02}"
            tables["gestures"].append(f"r{number},{value},{'slow' if number % 2 else 'fast'}")
            tables["sizes"].append(f"r{number},{value},{number / 10}")
            tables["levels"].append(f"r{number},{value},{abs(value):.3f}")
            tables["steps"].append(f"r{number},{when},{value},{'up' if value > 0 else 'down'}")
            tables["normal"].append(f"r{number},{value}")
    heads = {
        "gestures": "recording,ax,gesture",
        "sizes": "recording,ax,size",
        "levels": "recording,ax,level",
        "steps": "recording,when,ax,state",
        "normal": "recording,ax",
    }
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join([heads[name], *rows]) + "\n")


def _clips(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    for label, level in (("dark", 40), ("bright", 250)):
        for clip in range(6):
            place = folder / label / str(clip)
            place.mkdir(parents=True)
            for t in range(3):
                pixels = rng.integers(0, level, (8, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{t}.png")


def model_alone(run: Path, place: Path) -> Path:
    """Save the model of a run from Python, outside of a run folder."""
    place.parent.mkdir(parents=True, exist_ok=True)
    load_model(run / "model.recurra").save(place)
    return place


def copy_of(run: Path, place: Path) -> Path:
    """Copy a run, so that what is written into it is nobody else's."""
    shutil.copytree(run, place)
    return place
